/* Offers and answers inside a call (RFC 3264, RFC 6337) between scripted phones: places, numbers, directions, what
 * meets, what is taken back, and who hears whom afterwards. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bed.h"

#define HEAD "v=0\r\no=- 7 7 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"

struct party {
    struct bed *bed;
    struct ua *a, *b;
    struct message offer, answer; /* of the first INVITE: what b was offered, what a was answered */
};

/* A description from its parts behind the head; %u stands for the phone's RTP port. */
static const char *sdp_of(struct ua *ua, const char *parts)
{
    static char text[4][4096];
    static unsigned turn;
    char *out = text[turn++ % COUNT_OF(text)];
    size_t used = 0;

    str_append(out, sizeof text[0], &used, "%s", strncmp(parts, "v=0", 3) == 0 ? "" : HEAD);
    for (const char *p = parts; *p; p++)
        if (strncmp(p, "%u", 2) == 0) {
            str_append(out, sizeof text[0], &used, "%u", addr_port(&ua->rtp));
            p++;
        } else {
            str_append(out, sizeof text[0], &used, *p == '\n' && (p == parts || p[-1] != '\r') ? "\r\n" : "%c", *p);
        }
    return out;
}

static struct party party_open(void)
{
    struct party p = {.bed = bed_open(NULL, NULL)};

    p.a = bed_registered(p.bed, "201");
    p.b = bed_registered(p.bed, "202");
    return p;
}

/* a calls b with these descriptions (NULL: G.711). */
static void talk(struct party *p, const char *offer, const char *answer)
{
    ua_invite(p->a, "202", offer ? sdp_of(p->a, offer) : NULL);
    p->offer = *must(ua_wait(p->b, "INVITE"));
    ua_reply(p->b, &p->offer, 200, "OK", answer ? sdp_of(p->b, answer) : NULL);
    must(ua_wait(p->b, "ACK"));
    p->answer = *must(ua_wait(p->a, "200"));
    ua_ack(p->a, &p->answer);
}

static void party_close(struct party *p)
{
    if (p->bed->pbx->call_count) {
        ua_bye(p->a);
        ua_reply(p->b, must(ua_wait(p->b, "BYE")), 200, "OK", NULL);
        bed_until(p->bed, p->bed->pbx->call_count == 0);
        ck_assert_str_eq(p->bed->last_cause, "normal");
    }
    ua_close(p->a);
    ua_close(p->b);
    bed_close(p->bed);
}

/* `from` offers; the other phone is asked with `wants` in its offer and answers; `gets` is in what comes back. */
static void reoffer(struct ua *from, struct ua *to, const char *offer, const char *wants, const char *answer,
                    const char *gets)
{
    const struct message *m;

    ua_start(from, "INVITE", sdp_of(from, offer));
    m = must(ua_wait(to, "INVITE"));
    ck_assert_msg(strstr(message_body(m), wants) != NULL, "no \"%s\" in\n%s", wants, message_body(m));
    ua_reply(to, m, 200, "OK", sdp_of(to, answer));
    must(ua_wait(to, "ACK"));
    m = must(ua_wait(from, "200"));
    ck_assert_msg(strstr(message_body(m), gets) != NULL, "no \"%s\" in\n%s", gets, message_body(m));
    ua_ack(from, m);
}

/* --- sound ------------------------------------------------------------------------------------------------------- */

static union addr media_of(const struct message *m)
{
    const char *line = strstr(message_body(m), "m=audio ");
    union addr at;

    ck_assert_ptr_nonnull(line);
    addr_parse_ip("127.0.0.1", (uint16_t)atoi(line + 8), &at);
    return at;
}

static void send_rtp(struct ua *ua, const struct message *sdp_of_peer, unsigned pt, unsigned char mark)
{
    static uint16_t seq;
    unsigned char packet[172] = {0x80, (unsigned char)pt, (unsigned char)(++seq >> 8), (unsigned char)seq};
    union addr to = media_of(sdp_of_peer);

    memset(packet + 12, mark, 160);
    ck_assert_int_eq(sendto(ua->rtp_fd, packet, sizeof packet, 0, &to.sa, addr_len(&to)), sizeof packet);
}

/* Waits for a packet of this mark and returns its payload type; -1: none came in time. */
static int heard_pt(struct ua *ua, unsigned char mark, int ms)
{
    for (uint64_t until_ = now_ms() + (uint64_t)ms; now_ms() < until_;) {
        unsigned char packet[400];
        ssize_t n;

        while ((n = recv(ua->rtp_fd, packet, sizeof packet, 0)) > 0)
            if (n > 12 && packet[12] == mark)
                return packet[1] & 0x7F;
        loop_turn(ua->loop, 2);
    }
    return -1;
}

/* Sends until it is heard: a new direction reaches the media process a moment after the answer. */
static int carried(struct ua *from, const struct message *sdp, unsigned pt, struct ua *to, unsigned char mark)
{
    for (int tries = 0; tries < 200; tries++) {
        int heard;

        send_rtp(from, sdp, pt, mark);
        heard = heard_pt(to, mark, 20);
        if (heard >= 0)
            return heard;
    }
    return -1;
}

/* Does this way fall silent? A new direction reaches the media process a moment after the answer. */
static bool silent(struct ua *from, const struct message *sdp, struct ua *to, unsigned char mark)
{
    int unheard = 0;

    for (int tries = 0; tries < 100 && unheard < 4; tries++) {
        send_rtp(from, sdp, 0, mark);
        unheard = heard_pt(to, mark, 20) >= 0 ? 0 : unheard + 1;
    }
    return unheard == 4;
}

/* --- numbers ----------------------------------------------------------------------------------------------------- */

START_TEST(each_leg_keeps_its_own_numbers_for_codecs_and_events)
{
    struct party p = party_open();
    const struct message *m;

    talk(&p, "m=audio %u RTP/AVP 96 97\na=rtpmap:96 G726-32/8000\na=rtpmap:97 telephone-event/8000\n",
         "m=audio %u RTP/AVP 97 96\na=rtpmap:97 G726-32/8000\na=rtpmap:96 telephone-event/8000\n");
    ck_assert_ptr_nonnull(strstr(message_body(&p.answer), "RTP/AVP 96 97"));
    ck_assert_int_eq(carried(p.a, &p.answer, 96, p.b, 'a'), 97);
    ck_assert_int_eq(carried(p.a, &p.answer, 97, p.b, 'e'), 96);
    ck_assert_int_eq(carried(p.b, &p.offer, 96, p.a, 'b'), 96); /* b sends with what it was offered (RFC 3264 §5.1) */
    ck_assert_int_eq(carried(p.b, &p.offer, 97, p.a, 'f'), 97);
    /* b offers under other numbers again: a is asked under the ones that it knows. */
    ua_start(
        p.b, "INVITE",
        sdp_of(p.b, "m=audio %u RTP/AVP 100 0 101\na=rtpmap:100 G726-32/8000\na=rtpmap:101 telephone-event/8000\n"));
    m = must(ua_wait(p.a, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "RTP/AVP 96 0 97\r\n"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "a=rtpmap:97 telephone-event/8000"));
    p.offer = *m;
    ua_reply(p.a, m, 200, "OK",
             sdp_of(p.a, "m=audio %u RTP/AVP 96 97\na=rtpmap:96 G726-32/8000\na=rtpmap:97 telephone-event/8000\n"));
    must(ua_wait(p.a, "ACK"));
    m = must(ua_wait(p.b, "200"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "RTP/AVP 100 101\r\n"));
    p.answer = *m;
    ua_ack(p.b, m);
    ck_assert_int_eq(carried(p.b, &p.answer, 101, p.a, 'g'), 97);
    ck_assert_int_eq(carried(p.a, &p.offer, 97, p.b, 'h'), 101);
    party_close(&p);
}
END_TEST

START_TEST(what_an_answer_adds_is_not_in_use)
{
    struct party p = party_open();
    const struct leg *leg;
    struct call *call;

    talk(&p, "m=audio %u RTP/AVP 0 8\n", "m=audio %u RTP/AVP 3 18 8\n");
    ck_assert_ptr_nonnull(strstr(message_body(&p.answer), "RTP/AVP 8\r\n"));
    call = LIST_ENTRY(p.bed->pbx->calls.next, struct call, in_pbx);
    LIST_FOR_EACH(leg, &call->legs, in_call)
    ck_assert_str_eq(leg->codec, "PCMA/8000");
    party_close(&p);
}
END_TEST

/* --- places ------------------------------------------------------------------------------------------------------ */

START_TEST(streams_come_go_and_move_by_reoffers)
{
    struct party p = party_open();

    talk(&p, "m=audio %u RTP/AVP 0\n", "m=audio %u RTP/AVP 0\n");
    reoffer(p.a, p.b, "m=audio %u RTP/AVP 0\nm=video 5002 RTP/AVP 34\n", "m=video ",
            "m=audio %u RTP/AVP 0\nm=video 5004 RTP/AVP 34\n", "m=video ");
    /* The other phone has them the other way round; its video stays where ours was, and what goes is refused. */
    reoffer(p.b, p.a, "m=audio %u RTP/AVP 0\nm=video 0 RTP/AVP 34\n", "m=video 0 ",
            "m=audio %u RTP/AVP 0\nm=video 0 RTP/AVP 34\n", "m=video 0 ");
    /* The place is used again. A second audio stream is refused to whoever offers it, and not mentioned to the other.
     */
    reoffer(p.a, p.b, "m=audio %u RTP/AVP 0\nm=video 5002 RTP/AVP 34\nm=audio 5006 RTP/AVP 0\n", "m=video ",
            "m=audio %u RTP/AVP 0\nm=video 5004 RTP/AVP 34\n", "m=audio 0 RTP/AVP 0\r\n");
    ck_assert_int_eq(carried(p.a, &p.answer, 0, p.b, 'a'), 0);
    ck_assert_int_eq(carried(p.b, &p.offer, 0, p.a, 'b'), 0);
    party_close(&p);
}
END_TEST

START_TEST(of_two_audio_lines_the_one_that_can_be_had_is_taken)
{
    struct party p = party_open();

    talk(&p, "m=audio 5008 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\nm=audio %u RTP/AVP 0\n",
         "m=audio %u RTP/AVP 0\n");
    ck_assert_ptr_null(strstr(message_body(&p.offer), "SAVP"));
    ck_assert_ptr_null(strstr(message_body(&p.offer), "crypto"));
    ck_assert_ptr_nonnull(strstr(message_body(&p.answer), "m=audio 0 RTP/SAVP 0\r\nm=audio "));
    p.answer = *must(&p.answer);
    memmove(strstr(p.answer.text, "m=audio 0"), strstr(p.answer.text, "m=audio 0") + 22,
            strlen(strstr(p.answer.text, "m=audio 0") + 22) + 1);
    ck_assert_int_eq(carried(p.a, &p.answer, 0, p.b, 'a'), 0);
    party_close(&p);
}
END_TEST

START_TEST(a_call_whose_audio_is_refused_fails_though_video_is_taken)
{
    struct party p = party_open();

    ua_invite(p.a, "202", sdp_of(p.a, "m=audio %u RTP/AVP 0\nm=video 5002 RTP/AVP 34\n"));
    ua_reply(p.b, must(ua_wait(p.b, "INVITE")), 200, "OK",
             sdp_of(p.b, "m=audio 0 RTP/AVP 0\nm=video 5004 RTP/AVP 34\n"));
    must(ua_wait(p.b, "ACK"));
    ua_reply(p.b, must(ua_wait(p.b, "BYE")), 200, "OK", NULL);
    ua_ack_failure(p.a, must(ua_wait(p.a, "488")));
    bed_until(p.bed, p.bed->pbx->call_count == 0);
    ck_assert_str_eq(p.bed->last_cause, "no-common-codec");
    party_close(&p);
}
END_TEST

START_TEST(audio_may_be_refused_inside_a_call_and_come_again)
{
    struct party p = party_open();

    talk(&p, "m=audio %u RTP/AVP 0\n", "m=audio %u RTP/AVP 0\n");
    reoffer(p.a, p.b, "m=audio %u RTP/AVP 0\nm=video 5002 RTP/AVP 34\n", "m=video ",
            "m=audio 0 RTP/AVP 0\nm=video 5004 RTP/AVP 34\n", "m=audio 0 RTP/AVP 0\r\n");
    ck_assert(silent(p.a, &p.answer, p.b, 'x'));
    ck_assert(silent(p.b, &p.offer, p.a, 'y'));
    reoffer(p.a, p.b, "m=audio %u RTP/AVP 0\nm=video 0 RTP/AVP 34\n", "m=video 0 ",
            "m=audio %u RTP/AVP 0\nm=video 0 RTP/AVP 34\n", "m=video 0 ");
    ck_assert_int_eq(carried(p.a, &p.answer, 0, p.b, 'a'), 0);
    ck_assert_int_eq(carried(p.b, &p.offer, 0, p.a, 'b'), 0);
    party_close(&p);
}
END_TEST

/* --- directions -------------------------------------------------------------------------------------------------- */

/* How a phone may say that it holds, what the other phone hears of it, what it answers, and what comes back. */
static const struct {
    const char *form, *relayed, *answer, *back;
} holds[] = {
    {"m=audio %u RTP/AVP 0 8\na=sendonly\n", "a=sendonly\r\n", "a=recvonly\n", "a=recvonly\r\n"},
    {"m=audio %u RTP/AVP 0 8\na=inactive\n", "a=inactive\r\n", "a=inactive\n", "a=inactive\r\n"},
    {"m=audio %u RTP/AVP 0 8\na=recvonly\n", "a=recvonly\r\n", "a=sendonly\n", "a=sendonly\r\n"},
    {"m=audio %u RTP/AVP 0 8\nc=IN IP4 0.0.0.0\n", "a=sendonly\r\n", "a=recvonly\n", "a=recvonly\r\n"},
    {"m=audio %u RTP/AVP 0 8\nc=IN IP4 0.0.0.0\na=inactive\n", "a=inactive\r\n", "a=inactive\n", "a=inactive\r\n"},
    {"m=audio %u RTP/AVP 0 8\nc=IN IP6 ::\n", "a=sendonly\r\n", "a=recvonly\n", "a=recvonly\r\n"},
    {"v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\na=sendonly\nm=audio %u RTP/AVP 0 8\n",
     "a=sendonly\r\n", "a=recvonly\n", "a=recvonly\r\n"},
    {"v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 0.0.0.0\nt=0 0\nm=audio %u RTP/AVP 0 8\n", "a=sendonly\r\n",
     "a=recvonly\n", "a=recvonly\r\n"},
    {"m=audio %u RTP/AVP 0 8\na=sendonly\n", "a=sendonly\r\n", "a=sendrecv\n",
     "a=recvonly\r\n"}, /* as many phones answer */
    {"m=audio %u RTP/AVP 0 8\na=sendonly\n", "a=sendonly\r\n", "", "a=recvonly\r\n"},
};

START_TEST(every_form_of_hold_is_carried_and_taken_back)
{
    struct party p = party_open();
    struct ua *from, *to;
    char answer[100];

    talk(&p, NULL, NULL);
    from = _i % 2 ? p.b : p.a;
    to = _i % 2 ? p.a : p.b;
    snprintf(answer, sizeof answer, "m=audio %%u RTP/AVP 0 8\n%s", holds[_i / 2].answer);
    reoffer(from, to, holds[_i / 2].form, holds[_i / 2].relayed, answer, holds[_i / 2].back);
    if (!strstr(holds[_i / 2].relayed, "recvonly"))
        ck_assert(silent(to, to == p.a ? &p.answer : &p.offer, from, 'h'));
    if (!strstr(holds[_i / 2].relayed, "sendonly"))
        ck_assert(silent(from, from == p.a ? &p.answer : &p.offer, to, 'i'));
    reoffer(from, to, "m=audio %u RTP/AVP 0 8\na=sendrecv\n", "a=sendrecv\r\n", "m=audio %u RTP/AVP 0 8\n",
            "a=sendrecv\r\n");
    ck_assert_int_eq(carried(p.a, &p.answer, 0, p.b, 'a'), 0);
    ck_assert_int_eq(carried(p.b, &p.offer, 0, p.a, 'b'), 0);
    party_close(&p);
}
END_TEST

/* a holds, b holds too, a offers its hold once more: b knows "inactive" by now, so it is asked. */
START_TEST(a_hold_that_was_told_before_a_hold_of_the_other_is_told_again)
{
    struct party p = party_open();

    talk(&p, NULL, NULL);
    reoffer(p.a, p.b, "m=audio %u RTP/AVP 0\na=sendonly\n", "a=sendonly", "m=audio %u RTP/AVP 0\na=recvonly\n",
            "a=recvonly");
    reoffer(p.b, p.a, "m=audio %u RTP/AVP 0\na=inactive\n", "a=inactive", "m=audio %u RTP/AVP 0\na=inactive\n",
            "a=inactive");
    reoffer(p.a, p.b, "m=audio %u RTP/AVP 0\na=sendonly\n", "a=sendonly", "m=audio %u RTP/AVP 0\na=inactive\n",
            "a=inactive");
    reoffer(p.b, p.a, "m=audio %u RTP/AVP 0\n", "a=sendrecv", "m=audio %u RTP/AVP 0\na=sendonly\n", "a=sendonly");
    reoffer(p.a, p.b, "m=audio %u RTP/AVP 0\n", "a=sendrecv", "m=audio %u RTP/AVP 0\n", "a=sendrecv");
    ck_assert_int_eq(carried(p.a, &p.answer, 0, p.b, 'a'), 0);
    party_close(&p);
}
END_TEST

START_TEST(an_invite_without_an_offer_takes_back_a_hold_and_the_other_phone_is_told)
{
    struct party p = party_open();
    const struct message *m;

    talk(&p, NULL, NULL);
    reoffer(p.a, p.b, "m=audio %u RTP/AVP 0\na=sendonly\n", "a=sendonly", "m=audio %u RTP/AVP 0\na=recvonly\n",
            "a=recvonly");
    ua_start(p.a, "INVITE", NULL);
    p.answer = *must(ua_wait(p.a, "200"));
    ck_assert_ptr_nonnull(strstr(message_body(&p.answer), "a=sendrecv"));
    /* While our offer is open, nobody else may offer. */
    ua_start(p.b, "INVITE", sdp_of(p.b, "m=audio %u RTP/AVP 0\na=inactive\n"));
    m = must(ua_wait(p.b, "491"));
    ua_ack_failure(p.b, m);
    ua_ack_sdp(p.a, &p.answer, sdp_of(p.a, "m=audio %u RTP/AVP 0\n"));
    m = must(ua_wait(p.b, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "a=sendrecv"));
    ua_reply(p.b, m, 200, "OK", sdp_of(p.b, "m=audio %u RTP/AVP 0\n"));
    must(ua_wait(p.b, "ACK"));
    ck_assert_int_eq(carried(p.b, &p.offer, 0, p.a, 'b'), 0);
    ck_assert_int_eq(carried(p.a, &p.answer, 0, p.b, 'a'), 0);
    /* Nothing new: nobody is told. */
    ua_start(p.a, "INVITE", NULL);
    p.answer = *must(ua_wait(p.a, "200"));
    ua_ack_sdp(p.a, &p.answer, sdp_of(p.a, "m=audio %u RTP/AVP 0\n"));
    ck_assert_ptr_null(ua_wait_ms(p.b, "INVITE", 50));
    party_close(&p);
}
END_TEST

/* b holds; a asks for an offer: b's hold stays in it. */
START_TEST(an_invite_without_an_offer_does_not_take_back_the_hold_of_the_other_phone)
{
    struct party p = party_open();

    talk(&p, NULL, NULL);
    reoffer(p.b, p.a, "m=audio %u RTP/AVP 0\na=sendonly\n", "a=sendonly", "m=audio %u RTP/AVP 0\na=recvonly\n",
            "a=recvonly");
    ua_start(p.a, "INVITE", NULL);
    p.answer = *must(ua_wait(p.a, "200"));
    ck_assert_ptr_nonnull(strstr(message_body(&p.answer), "a=sendonly"));
    ua_ack_sdp(p.a, &p.answer, sdp_of(p.a, "m=audio %u RTP/AVP 0\na=recvonly\n"));
    ck_assert_ptr_null(ua_wait_ms(p.b, "INVITE", 50));
    party_close(&p);
}
END_TEST

/* --- what meets -------------------------------------------------------------------------------------------------- */

START_TEST(offers_that_meet_are_told_apart)
{
    struct party p = party_open();
    struct message to_b, refusal;
    const struct message *m;
    char value[40];

    talk(&p, NULL, NULL);
    ua_start(p.a, "INVITE", sdp_of(p.a, "m=audio %u RTP/AVP 0\na=sendonly\n"));
    to_b = *must(ua_wait(p.b, "INVITE"));
    /* Its own last offer is open: 500 and a little later (RFC 3261 §14.2, RFC 3311 §5.2). */
    ua_start(p.a, "UPDATE", sdp_of(p.a, "m=audio %u RTP/AVP 0\n"));
    refusal = *must(ua_wait(p.a, "500"));
    ck_assert_int_ne(message_header(&refusal, "Retry-After", value, sizeof value)[0], '\0');
    ck_assert_int_le(atoi(value), 10);
    ck_assert_int_eq(ua_request(p.a, "UPDATE", NULL), 200); /* one without an offer meets nothing */
    /* Ours to it is open: 491, whoever asks. */
    ua_start(p.b, "INVITE", sdp_of(p.b, "m=audio %u RTP/AVP 0\n"));
    ua_ack_failure(p.b, must(ua_wait(p.b, "491")));
    ck_assert_int_eq(ua_request(p.b, "UPDATE", sdp_of(p.b, "m=audio %u RTP/AVP 0\n")), 491);
    ua_start(p.b, "INVITE", NULL);
    ua_ack_failure(p.b, must(ua_wait(p.b, "491")));
    ua_reply(p.b, &to_b, 200, "OK", sdp_of(p.b, "m=audio %u RTP/AVP 0\na=recvonly\n"));
    must(ua_wait(p.b, "ACK"));
    m = must(ua_wait(p.a, "200"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "a=recvonly"));
    ua_ack(p.a, m);
    party_close(&p);
}
END_TEST

/* Who made the Call-ID of a leg waits longer when offers have met (RFC 3261 §14.1): we, towards b. */
START_TEST(a_cancelled_reoffer_is_taken_back_from_the_other_phone)
{
    struct party p = party_open();
    struct ua *from = _i ? p.b : p.a, *to = _i ? p.a : p.b;
    const struct message *m;
    struct message hold;
    uint64_t refused_ms, waited_ms;

    talk(&p, NULL, NULL);
    ua_start(from, "INVITE", sdp_of(from, "m=audio %u RTP/AVP 0 8\na=sendonly\n"));
    hold = *must(ua_wait(to, "INVITE"));
    ua_cancel(from);
    ua_ack_failure(from, must(ua_wait(from, "487")));
    ua_reply(to, &hold, 200, "OK", sdp_of(to, "m=audio %u RTP/AVP 0\na=recvonly\n"));
    must(ua_wait(to, "ACK"));
    m = must(ua_wait(to, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "a=sendrecv"));
    ua_reply(to, m, 491, "Request Pending", NULL);
    refused_ms = now_ms();
    must(ua_wait(to, "ACK"));
    m = must(ua_wait(to, "INVITE"));
    waited_ms = now_ms() - refused_ms;
    if (to == p.b)
        ck_assert_uint_ge(waited_ms, 2000);
    ua_reply(to, m, 200, "OK", NULL);
    must(ua_wait(to, "ACK"));
    ck_assert_int_eq(carried(p.b, &p.offer, 0, p.a, 'b'), 0);
    ck_assert_int_eq(carried(p.a, &p.answer, 0, p.b, 'a'), 0);
    party_close(&p);
}
END_TEST

/* --- before the answer ------------------------------------------------------------------------------------------- */

START_TEST(a_200_need_not_repeat_the_answer_of_its_183)
{
    struct party p = party_open();
    const struct message *m;

    ua_invite(p.a, "202", NULL);
    p.offer = *must(ua_wait(p.b, "INVITE"));
    p.b->extra = "Require: 100rel\r\nRSeq: 7\r\n";
    ua_reply(p.b, &p.offer, 183, "Session Progress", sdp_of(p.b, "m=audio %u RTP/AVP 0\n"));
    p.b->extra = NULL;
    ua_reply(p.b, must(ua_wait(p.b, "PRACK")), 200, "OK", NULL);
    must(ua_wait(p.a, "183"));
    ua_reply(p.b, &p.b->invite, 200, "OK", "");
    must(ua_wait(p.b, "ACK"));
    m = must(ua_wait(p.a, "200"));
    p.answer = *m;
    ua_ack(p.a, m);
    ck_assert_int_eq(carried(p.b, &p.offer, 0, p.a, 'b'), 0);
    ck_assert_int_eq(carried(p.a, &p.answer, 0, p.b, 'a'), 0);
    party_close(&p);
}
END_TEST

/* It would have to carry our offer, which is not known before the callee has answered. */
START_TEST(an_invite_without_an_offer_gets_no_reliable_ringing)
{
    struct party p = party_open();
    const struct message *m;

    p.a->extra = "Require: 100rel\r\n";
    ua_invite(p.a, "202", "");
    p.a->extra = NULL;
    m = must(ua_wait(p.b, "INVITE"));
    ua_reply(p.b, m, 180, "Ringing", NULL);
    ck_assert_ptr_null(ua_wait_ms(p.a, "180", 50));
    ua_reply(p.b, &p.b->invite, 200, "OK", NULL);
    must(ua_wait(p.b, "ACK"));
    m = must(ua_wait(p.a, "200"));
    ua_ack_sdp(p.a, m, sdp_of(p.a, "m=audio %u RTP/AVP 0 8\n"));
    ck_assert_int_eq(ua_request(p.a, "OPTIONS", NULL), 200);
    party_close(&p);
}
END_TEST

/* --- addresses and other worlds ---------------------------------------------------------------------------------- */

START_TEST(a_stream_has_its_own_address_and_rtcp_its_own_port)
{
    struct party p = party_open();
    union addr at, rtcp;
    int fd = ua_bound_socket(SOCK_DGRAM | SOCK_NONBLOCK, AF_INET, &rtcp);
    unsigned char report[8] = {0x80, 201, 0, 1, 'r', 't', 'c', 'p'}, got[100];
    char offer[400];
    ssize_t n = -1;

    snprintf(offer, sizeof offer,
             "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"
             "m=audio %%u RTP/AVP 0\nc=IN IP4 127.0.0.1\na=rtcp:%u IN IP4 127.0.0.1\n",
             addr_port(&rtcp));
    talk(&p, offer, NULL);
    ck_assert_ptr_null(strstr(message_body(&p.offer), "192.0.2.1"));
    ck_assert_ptr_null(strstr(message_body(&p.offer), "a=rtcp"));
    ck_assert_int_eq(carried(p.b, &p.offer, 0, p.a, 'b'), 0);
    at = media_of(&p.offer);
    addr_set_port(&at, (uint16_t)(addr_port(&at) + 1));
    for (int tries = 0; tries < 200 && n < 0; tries++) {
        ck_assert_int_eq(sendto(p.b->rtp_fd, report, sizeof report, 0, &at.sa, addr_len(&at)), sizeof report);
        for (int i = 0; i < 5 && n < 0; i++) {
            loop_turn(p.bed->loop, 2);
            n = recv(fd, got, sizeof got, 0);
        }
    }
    ck_assert_int_eq(n, sizeof report);
    close(fd);
    party_close(&p);
}
END_TEST

/* The phone's description is of the other address family than its signalling: its packets show where it is. */
START_TEST(a_phone_that_names_an_address_of_the_other_family_is_found_by_its_packets)
{
    struct party p = party_open();

    talk(&p, "v=0\no=- 1 1 IN IP6 2001:db8::1\ns=-\nc=IN IP6 2001:db8::1\nt=0 0\nm=audio %u RTP/AVP 0\n", NULL);
    ck_assert_ptr_nonnull(strstr(message_body(&p.answer), "c=IN IP4 127.0.0.1"));
    ck_assert_int_eq(carried(p.a, &p.answer, 0, p.b, 'a'), 0);
    ck_assert_int_eq(carried(p.b, &p.offer, 0, p.a, 'b'), 0);
    party_close(&p);
}
END_TEST

START_TEST(phones_of_both_address_families_hear_each_other)
{
    struct party p = {.bed = bed_open(NULL, NULL)};
    union addr at;
    unsigned char packet[172] = {0x80};
    int heard = -1;

    if (!bed_has_ip6()) { /* a machine without IPv6 has nothing to mix */
        bed_close(p.bed);
        return;
    }
    p.a = bed_registered_on(p.bed, UA_UDP, true, "201");
    p.b = bed_registered(p.bed, "202");
    talk(&p, NULL, NULL);
    ck_assert_ptr_nonnull(strstr(message_body(&p.offer), "c=IN IP4 127.0.0.1"));
    ck_assert_ptr_nonnull(strstr(message_body(&p.answer), "c=IN IP6 ::1"));
    addr_parse_ip("::1", (uint16_t)atoi(strstr(message_body(&p.answer), "m=audio ") + 8), &at);
    packet[12] = 'a';
    for (int tries = 0; tries < 200 && heard < 0; tries++) {
        packet[3]++;
        ck_assert_int_eq(sendto(p.a->rtp_fd, packet, sizeof packet, 0, &at.sa, addr_len(&at)), sizeof packet);
        heard = heard_pt(p.b, 'a', 20);
    }
    ck_assert_int_eq(heard, 0);
    ck_assert_int_eq(carried(p.b, &p.offer, 0, p.a, 'b'), 0);
    party_close(&p);
}
END_TEST

static const char webrtc[] = "a=group:BUNDLE 0 1\na=extmap-allow-mixed\na=msid-semantic: WMS s\na=ice-options:trickle\n"
                             "m=audio %u UDP/TLS/RTP/SAVPF 111 0\nc=IN IP4 127.0.0.1\na=rtcp:9 IN IP4 0.0.0.0\n"
                             "a=ice-ufrag:x\na=ice-pwd:yyyyyyyyyyyyyyyyyyyyyy\na=fingerprint:sha-256 00:11\n"
                             "a=setup:actpass\na=mid:0\na=rtcp-mux\na=rtpmap:111 opus/48000/2\n";

START_TEST(an_offer_of_secure_media_alone_gets_488_and_the_call_goes_on_as_it_was)
{
    struct party p = party_open();
    const struct message *m;

    ua_invite(p.a, "202", sdp_of(p.a, webrtc));
    ua_ack_failure(p.a, must(ua_wait(p.a, "488")));
    bed_until(p.bed, p.bed->pbx->call_count == 0);
    ck_assert_str_eq(p.bed->last_cause, "no-encryption");
    ck_assert_ptr_null(ua_wait_ms(p.b, "INVITE", 50));
    talk(&p, NULL, NULL);
    ua_start(p.a, "INVITE", sdp_of(p.a, webrtc));
    m = must(ua_wait(p.a, "488"));
    ua_ack_failure(p.a, m);
    ck_assert_ptr_null(ua_wait_ms(p.b, "INVITE", 50));
    ck_assert_int_eq(carried(p.b, &p.offer, 0, p.a, 'b'), 0);
    party_close(&p);
}
END_TEST

START_TEST(ice_bundles_and_fingerprints_are_dropped_from_plain_audio)
{
    static const char *const dropped[] = {"group", "BUNDLE", "ice",  "candidate", "fingerprint", "setup",
                                          "mid",   "ssrc",   "msid", "extmap",    "rtcp-fb",     "crypto"};
    struct party p = party_open();

    talk(&p,
         "a=group:BUNDLE 0\na=ice-lite\na=fingerprint:sha-1 00:11\nm=audio %u RTP/AVPF 0 8\na=mid:0\na=ice-ufrag:x\n"
         "a=ice-pwd:y\na=candidate:1 1 UDP 2130706431 10.1.1.1 5000 typ host\na=setup:active\na=rtcp-mux\n"
         "a=ssrc:1 cname:x\na=msid:s t\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\n"
         "a=rtcp-fb:0 nack\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\na=ptime:20\n",
         NULL);
    for (size_t i = 0; i < COUNT_OF(dropped); i++) {
        ck_assert_msg(!strstr(message_body(&p.offer), dropped[i]), "%s in\n%s", dropped[i], message_body(&p.offer));
        ck_assert_msg(!strstr(message_body(&p.answer), dropped[i]), "%s in\n%s", dropped[i], message_body(&p.answer));
    }
    /* one port for RTP and RTCP is between her and the switch */
    ck_assert_ptr_null(strstr(message_body(&p.offer), "rtcp-mux"));
    ck_assert_ptr_nonnull(strstr(message_body(&p.answer), "a=rtcp-mux\r\n"));
    ck_assert_int_eq(carried(p.a, &p.answer, 0, p.b, 'a'), 0);
    ck_assert_int_eq(carried(p.b, &p.offer, 0, p.a, 'b'), 0);
    party_close(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("offers");
    TCase *tc = tcase_create("offers");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, each_leg_keeps_its_own_numbers_for_codecs_and_events);
    tcase_add_test(tc, what_an_answer_adds_is_not_in_use);
    tcase_add_test(tc, streams_come_go_and_move_by_reoffers);
    tcase_add_test(tc, of_two_audio_lines_the_one_that_can_be_had_is_taken);
    tcase_add_test(tc, a_call_whose_audio_is_refused_fails_though_video_is_taken);
    tcase_add_test(tc, audio_may_be_refused_inside_a_call_and_come_again);
    tcase_add_loop_test(tc, every_form_of_hold_is_carried_and_taken_back, 0, 2 * (int)COUNT_OF(holds));
    tcase_add_test(tc, a_hold_that_was_told_before_a_hold_of_the_other_is_told_again);
    tcase_add_test(tc, an_invite_without_an_offer_takes_back_a_hold_and_the_other_phone_is_told);
    tcase_add_test(tc, an_invite_without_an_offer_does_not_take_back_the_hold_of_the_other_phone);
    tcase_add_test(tc, offers_that_meet_are_told_apart);
    tcase_add_loop_test(tc, a_cancelled_reoffer_is_taken_back_from_the_other_phone, 0, 2);
    tcase_add_test(tc, a_200_need_not_repeat_the_answer_of_its_183);
    tcase_add_test(tc, an_invite_without_an_offer_gets_no_reliable_ringing);
    tcase_add_test(tc, a_stream_has_its_own_address_and_rtcp_its_own_port);
    tcase_add_test(tc, a_phone_that_names_an_address_of_the_other_family_is_found_by_its_packets);
    tcase_add_test(tc, phones_of_both_address_families_hear_each_other);
    tcase_add_test(tc, an_offer_of_secure_media_alone_gets_488_and_the_call_goes_on_as_it_was);
    tcase_add_test(tc, ice_bundles_and_fingerprints_are_dropped_from_plain_audio);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
