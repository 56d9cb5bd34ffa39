/* See holding.h. Sound is told apart by its bytes: each phone has others in each moment, and music its own. */
#include "holding.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUND_MS 90 /* four packets of music */
#define ROUND_MOST_MS 1000

const char *const way_words[WAYS] = {"sendrecv", "sendonly", "inactive", "recvonly", "0.0.0.0"};
const char *const how_words[HOWS] = {"re-INVITE", "UPDATE", "a re-INVITE without an offer"};

const char *sdp_that(struct phone *phone, enum way way, const char *formats)
{
    static char text[4][700];
    static unsigned turn;
    char *out = text[turn++ % COUNT_OF(text)];
    static unsigned version;

    version++;
    snprintf(out, sizeof text[0],
             "v=0\r\no=- 7 %u IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %u RTP/AVP %s\r\n%s%s%s"
             "a=rtpmap:101 telephone-event/8000\r\n",
             version, way == ZERO_ADDRESS ? "0.0.0.0" : "127.0.0.1", addr_port(&phone->ua->rtp),
             formats ? formats : "0 8 101", way == ZERO_ADDRESS ? "" : "a=", way == ZERO_ADDRESS ? "" : way_words[way],
             way == ZERO_ADDRESS ? "" : "\r\n");
    return out;
}

enum way mirrored(enum way way)
{
    return way == SENDONLY || way == ZERO_ADDRESS ? RECVONLY : way == RECVONLY ? SENDONLY : way;
}

/* --- the call ----------------------------------------------------------------------------------------------------- */

void party_talk(struct party *p)
{
    ua_invite(p->a.ua, "202", NULL);
    p->b.told = *must(ua_wait(p->b.ua, "INVITE"));
    ua_reply(p->b.ua, &p->b.told, 200, "OK", sdp_that(&p->b, RESUMED, NULL));
    must(ua_wait(p->b.ua, "ACK"));
    p->a.told = *must(ua_wait(p->a.ua, "200"));
    ua_ack(p->a.ua, &p->a.told);
}

void party_open(struct party *p, const char *modules)
{
    memset(p, 0, sizeof *p);
    p->bed = bed_open(modules, NULL);
    bed_music(p->bed, "default", MUSIC);
    bed_music(p->bed, "other", OTHER_MUSIC);
    p->a.ua = bed_registered(p->bed, "201");
    p->b.ua = bed_registered(p->bed, "202");
    p->c.ua = bed_registered(p->bed, "203");
    party_talk(p);
}

void party_close(struct party *p)
{
    if (p->bed->pbx->call_count) {
        ua_bye(p->a.ua);
        ua_reply(p->b.ua, must(ua_wait(p->b.ua, "BYE")), 200, "OK", NULL);
        bed_until(p->bed, p->bed->pbx->call_count == 0);
        ck_assert_str_eq(p->bed->last_cause, "normal");
    }
    ua_close(p->a.ua);
    ua_close(p->b.ua);
    ua_close(p->c.ua);
    bed_close(p->bed);
}

/* --- hold --------------------------------------------------------------------------------------------------------- */

static const char *direction_of(const char *sdp)
{
    for (enum way way = RESUMED; way < ZERO_ADDRESS; way++) {
        char line[24];

        snprintf(line, sizeof line, "a=%s\r\n", way_words[way]);
        if (strstr(sdp, line))
            return way_words[way];
    }
    return "sendrecv";
}

/* What the switch says is what fits to what the phone says. */
static void answered(struct phone *phone, enum way way, enum how how, bool wide)
{
    const char *got, *fits = how == ASKED ? way_words[RESUMED] : way_words[mirrored(way)];
    const struct message *m = ua_wait(phone->ua, "200");

    ck_assert_msg(m != NULL, "%s says %s by %s and is not answered", phone->ua->user, way_words[way], how_words[how]);
    phone->told = *m;
    got = direction_of(message_body(&phone->told));
    ck_assert_msg(!wide || strcmp(got, fits) == 0, "%s says %s by %s and is told %s", phone->ua->user, way_words[way],
                  how_words[how], got);
    if (how == ASKED)
        ua_ack_sdp(phone->ua, &phone->told, sdp_that(phone, way, NULL));
    else if (how == REINVITE)
        ua_ack(phone->ua, &phone->told);
}

static void begin(struct phone *phone, enum way way, enum how how)
{
    ua_start(phone->ua, how == UPDATE ? "UPDATE" : "INVITE", how == ASKED ? "" : sdp_that(phone, way, NULL));
}

void says_to_the_switch(struct phone *phone, enum way way, enum how how)
{
    begin(phone, way, how);
    answered(phone, way, how, true);
}

static void is_told(struct phone *phone, enum way way)
{
    const char *got;

    phone->told = *must(ua_wait(phone->ua, "INVITE"));
    got = direction_of(message_body(&phone->told));
    ck_assert_msg(strcmp(got, way_words[way == ZERO_ADDRESS ? SENDONLY : way]) == 0, "%s is told %s, not %s",
                  phone->ua->user, got, way_words[way]);
    ua_reply(phone->ua, &phone->told, 200, "OK", sdp_that(phone, mirrored(way), NULL));
    must(ua_wait(phone->ua, "ACK"));
}

void says_to_the_other(struct phone *phone, struct phone *other, enum way way, enum how how)
{
    begin(phone, way, how);
    if (how == ASKED) {
        answered(phone, way, how, false);
        is_told(other, way);
    } else {
        is_told(other, way);
        answered(phone, way, how, true);
    }
}

void says_and_is_answered(struct phone *phone, enum way way, struct phone *other, enum way answer, enum way told)
{
    begin(phone, way, REINVITE);
    other->told = *must(ua_wait(other->ua, "INVITE"));
    ua_reply(other->ua, &other->told, 200, "OK", sdp_that(other, answer, NULL));
    must(ua_wait(other->ua, "ACK"));
    answered(phone, mirrored(told), REINVITE, true);
}

void is_told_nothing(struct phone *phone)
{
    ua_poll(phone->ua);
    while (phone->ua->in_count && phone->ua->in[0].status == 100)
        ua_take(phone->ua, 0);
    ck_assert_msg(phone->ua->in_count == 0, "%s is told: %.300s", phone->ua->user, phone->ua->in[0].text);
}

/* --- sound -------------------------------------------------------------------------------------------------------- */

static void send_sound(struct phone *phone)
{
    uint32_t stamp = phone->seq * 160u;
    unsigned char packet[172] = {0x80,
                                 (unsigned char)phone->pt,
                                 (unsigned char)(phone->seq >> 8),
                                 (unsigned char)phone->seq,
                                 (unsigned char)(stamp >> 24),
                                 (unsigned char)(stamp >> 16),
                                 (unsigned char)(stamp >> 8),
                                 (unsigned char)stamp,
                                 1,
                                 2,
                                 3,
                                 (unsigned char)phone->ua->user[2]};
    const char *line = strstr(message_body(&phone->told), "m=audio ");
    union addr to;

    phone->seq++;
    memset(packet + 12, phone->says, 160);
    if (line && addr_parse_ip("127.0.0.1", (uint16_t)atoi(line + 8), &to) == 0 && addr_port(&to))
        (void)!sendto(phone->ua->rtp_fd, packet, sizeof packet, 0, &to.sa, addr_len(&to));
}

static void listen_to(struct phone *phone)
{
    unsigned char packet[2048];
    ssize_t n;

    while ((n = recv(phone->ua->rtp_fd, packet, sizeof packet, 0)) > 0)
        if (n > 12 && (packet[1] & 0x7f) != 101 && (packet[1] & 0x7f) != 13) {
            phone->heard[packet[12]]++;
            phone->heard_pt = packet[1] & 0x7f;
        }
}

/* Whichever codec it comes in. */
static bool hears_class(const struct phone *phone, unsigned char ulaw, unsigned char alaw)
{
    return phone->heard[ulaw] || phone->heard[alaw];
}

static struct phone *phone_by(struct party *p, char name)
{
    return name == 'a' ? &p->a : name == 'b' ? &p->b : &p->c;
}

/* Whom it has heard in this round, as in struct hearing. */
static const char *heard_by(struct party *p, const struct phone *phone, char out[8])
{
    size_t used = 0;

    for (const char *name = "abc"; *name; name++)
        if (phone_by(p, *name) != phone && phone_by(p, *name)->says && phone->heard[phone_by(p, *name)->says])
            out[used++] = *name;
    if (hears_class(phone, MUSIC, MUSIC_ALAW))
        out[used++] = 'm';
    if (hears_class(phone, OTHER_MUSIC, OTHER_MUSIC_ALAW))
        out[used++] = 'o';
    out[used] = '\0';
    return out;
}

static bool all_as_said(struct party *p, const struct hearing *all, unsigned count)
{
    char out[8];
    bool same = true;

    for (unsigned i = 0; i < count; i++)
        same = same && strcmp(heard_by(p, all[i].phone, out), all[i].hears) == 0;
    return same;
}

static void next_sound(struct party *p, struct phone *phone)
{
    p->sound = p->sound < 0x20 || p->sound >= 0x70 ? 0x20 : (unsigned char)(p->sound + 1);
    phone->says = p->sound;
    listen_to(phone);
    memset(phone->heard, 0, sizeof phone->heard);
}

static void one_round(struct party *p, const struct hearing *all, unsigned count)
{
    uint64_t begun = now_ms(), sent = 0;

    for (unsigned i = 0; i < count; i++)
        next_sound(p, all[i].phone);
    while (now_ms() < begun + ROUND_MS || (now_ms() < begun + ROUND_MOST_MS && !all_as_said(p, all, count))) {
        if (now_ms() >= sent + 15) {
            sent = now_ms();
            for (unsigned i = 0; i < count; i++)
                send_sound(all[i].phone);
        }
        loop_turn(p->bed->loop, 2);
        for (unsigned i = 0; i < count; i++)
            listen_to(all[i].phone);
    }
}

void hears_now(struct party *p, const struct hearing *all, unsigned count, const char *what)
{
    char out[8];

    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until;) {
        one_round(p, all, count);
        if (all_as_said(p, all, count))
            return;
    }
    for (unsigned i = 0; i < count; i++)
        ck_assert_msg(strcmp(heard_by(p, all[i].phone, out), all[i].hears) == 0, "%s: %s hears \"%s\", not \"%s\"",
                      what, all[i].phone->ua->user, out, all[i].hears);
}

void they_hear(struct party *p, const char *a, const char *b, const char *what)
{
    hears_now(p, (const struct hearing[]){{&p->a, a}, {&p->b, b}}, 2, what);
}
