/* Hold and resume between scripted phones, in every way in which phones say it: who is told, and who hears whom. */
#include <stdio.h>
#include <string.h>

#include "holding.h"
#include "wire.h"

#define SERVED "[module hold]\n"

static const char *named(const char *who, const char *does, enum way way, enum how how)
{
    static char text[120];

    snprintf(text, sizeof text, "%s %s, %s by %s", who, does, way_words[way], how_words[how]);
    return text;
}

/* Each phone, each way to say it, each message to say it in. */
START_TEST(who_is_held_hears_music_and_is_told_nothing)
{
    struct party p;

    party_open(&p, SERVED);
    they_hear(&p, "b", "a", "at first");
    for (int by_b = 0; by_b < 2; by_b++)
        for (enum way way = SENDONLY; way < WAYS; way++)
            for (enum how how = REINVITE; how < HOWS; how++) {
                struct phone *holder = by_b ? &p.b : &p.a, *held = by_b ? &p.a : &p.b;
                const char *still = way != RECVONLY ? "" : by_b ? "a" : "b";

                says_to_the_switch(holder, way, how);
                hears_now(&p, (const struct hearing[]){{holder, still}, {held, "m"}}, 2,
                          named(holder->ua->user, "holds", way, how));
                says_to_the_switch(holder, RESUMED, how);
                they_hear(&p, "b", "a", named(holder->ua->user, "resumes", way, how));
                is_told_nothing(held);
            }
    party_close(&p);
}
END_TEST

START_TEST(without_the_module_the_other_phone_is_told_what_the_phone_says)
{
    struct party p;

    party_open(&p, NULL);
    for (int by_b = 0; by_b < 2; by_b++)
        for (enum way way = SENDONLY; way < WAYS; way++)
            for (enum how how = REINVITE; how < HOWS; how++) {
                struct phone *holder = by_b ? &p.b : &p.a, *held = by_b ? &p.a : &p.b;
                const char *still = way != RECVONLY ? "" : by_b ? "a" : "b";
                const char *music = way == RECVONLY || way == INACTIVE ? "" : by_b ? "b" : "a";

                says_to_the_other(holder, held, way, how);
                hears_now(&p, (const struct hearing[]){{holder, still}, {held, music}}, 2,
                          named(holder->ua->user, "holds", way, how));
                says_to_the_other(holder, held, RESUMED, how);
                they_hear(&p, "b", "a", named(holder->ua->user, "resumes", way, how));
            }
    party_close(&p);
}
END_TEST

/* The party's leg as `tandem calls` has it, in a call that runs. */
static json_t *leg_of(struct party *p, const char *party)
{
    json_t *answer = bed_ask(p->bed, "calls", "{}"), *found = NULL, *call, *leg;
    size_t i, k;

    json_array_foreach(json_object_get(json_object_get(answer, "result"), "calls"), i, call)
    {
        json_array_foreach(json_object_get(call, "legs"), k, leg)
        {
            if (strcmp(json_string_value(json_object_get(leg, "party")), party) == 0)
                found = json_incref(leg);
        }
    }
    json_decref(answer);
    ck_assert_msg(found != NULL, "%s is in no call", party);
    return found;
}

static void is_shown(struct party *p, const char *party, const char *key, const char *value)
{
    json_t *leg = leg_of(p, party);
    const char *got = json_string_value(json_object_get(leg, key));

    ck_assert_msg(value ? got && strcmp(got, value) == 0 : !got, "%s of %s is %s", key, party, got ? got : "not there");
    json_decref(leg);
}

struct told {
    char held[200], resumed[100]; /* the words of the latest event */
    unsigned holds;
};

static void happened(void *arg, const struct event *event)
{
    struct told *told = arg;

    if (event->kind == EVENT_LEG_HELD)
        str_copy(told->held, sizeof told->held, event->detail);
    else
        str_copy(told->resumed, sizeof told->resumed, event->detail);
    told->holds += event->kind == EVENT_LEG_HELD;
}

START_TEST(it_is_told_who_holds_whom_and_since_when)
{
    struct told told = {.holds = 0};
    struct bus_subscription *listens;
    struct party p;
    json_t *leg;

    party_open(&p, SERVED);
    bed_music_class(p.bed, "202", "other"); /* for calls to come */
    listens = bus_subscribe(p.bed->pbx->bus, EVENT_BIT(EVENT_LEG_HELD) | EVENT_BIT(EVENT_LEG_RESUMED), happened, &told);
    says_to_the_switch(&p.a, SENDONLY, REINVITE);
    ck_assert_str_eq(told.held, "201 holds 202, who hears the music default");
    leg = leg_of(&p, "201");
    ck_assert(json_is_true(json_object_get(leg, "held")));
    ck_assert_int_gt(json_integer_value(json_object_get(leg, "held_us")), INT64_C(1000000000) * 1000000);
    ck_assert(json_is_integer(json_object_get(leg, "held_seconds")));
    json_decref(leg);
    is_shown(&p, "201", "holds", "202");
    is_shown(&p, "201", "music", "default");
    is_shown(&p, "202", "held_by", "201");
    is_shown(&p, "202", "holds", NULL);
    says_to_the_switch(&p.a, SENDONLY, REINVITE); /* a refresh is no second hold */
    says_to_the_switch(&p.a, INACTIVE, UPDATE);
    ck_assert_uint_eq(told.holds, 1);
    says_to_the_switch(&p.a, RESUMED, UPDATE);
    ck_assert_msg(strncmp(told.resumed, "201 is back after ", 18) == 0, "%s", told.resumed);
    is_shown(&p, "201", "holds", NULL);
    is_shown(&p, "202", "held_by", NULL);
    bus_unsubscribe(listens);
    party_close(&p);
}
END_TEST

START_TEST(the_music_is_that_of_the_account_that_holds)
{
    struct party p;

    party_open(&p, SERVED);
    bed_music_class(p.bed, "202", "other");
    ua_bye(p.a.ua);
    ua_reply(p.b.ua, must(ua_wait(p.b.ua, "BYE")), 200, "OK", NULL);
    bed_until(p.bed, p.bed->pbx->call_count == 0);
    party_talk(&p);
    says_to_the_switch(&p.b, SENDONLY, REINVITE);
    they_hear(&p, "o", "", "202 holds");
    says_to_the_switch(&p.b, RESUMED, REINVITE);
    says_to_the_switch(&p.a, SENDONLY, REINVITE);
    they_hear(&p, "", "m", "201 holds");
    says_to_the_switch(&p.a, RESUMED, REINVITE);
    they_hear(&p, "b", "a", "201 is back");
    party_close(&p);
}
END_TEST

/* Bits: who holds first, who resumes first, passed on. */
START_TEST(both_may_hold_and_resume_in_either_order)
{
    struct party p;
    struct phone *first, *second, *back, *last;

    party_open(&p, _i & 4 ? NULL : SERVED);
    first = _i & 1 ? &p.b : &p.a;
    second = first == &p.a ? &p.b : &p.a;
    back = _i & 2 ? second : first;
    last = back == first ? second : first;
    if (_i & 4) {
        says_to_the_other(first, second, SENDONLY, REINVITE);
        says_to_the_other(second, first, INACTIVE, REINVITE);
        they_hear(&p, "", "", "both hold");
        says_and_is_answered(back, RESUMED, last, SENDONLY, SENDONLY);
        says_to_the_other(last, back, RESUMED, REINVITE);
    } else {
        says_to_the_switch(first, SENDONLY, REINVITE);
        says_to_the_switch(second, SENDONLY, REINVITE);
        they_hear(&p, "", "", "both hold");
        says_to_the_switch(back, RESUMED, REINVITE);
        they_hear(&p, back == &p.a ? "m" : "", back == &p.b ? "m" : "", "one is back");
        says_to_the_switch(last, RESUMED, REINVITE);
        is_told_nothing(&p.a);
        is_told_nothing(&p.b);
    }
    they_hear(&p, "b", "a", "both are back");
    party_close(&p);
}
END_TEST

START_TEST(phones_that_hold_at_the_same_moment_do_not_meet)
{
    static const enum way ways[] = {SENDONLY, RESUMED};
    struct party p;

    party_open(&p, SERVED);
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        ua_start(p.a.ua, "INVITE", sdp_that(&p.a, ways[i], NULL));
        ua_start(p.b.ua, "INVITE", sdp_that(&p.b, ways[i], NULL));
        ua_ack(p.a.ua, must(ua_wait(p.a.ua, "200")));
        ua_ack(p.b.ua, must(ua_wait(p.b.ua, "200")));
        they_hear(&p, i ? "b" : "", i ? "a" : "", i ? "both are back" : "both hold");
    }
    party_close(&p);
}
END_TEST

/* The module is there, but 201 has no music: its holds are passed on, those of 202 are not. Bits: who holds first, who
 * resumes first. */
START_TEST(an_account_without_music_has_its_holds_passed_on)
{
    struct party p;

    party_open(&p, SERVED);
    bed_music_class(p.bed, "201", "none");
    ua_bye(p.a.ua);
    ua_reply(p.b.ua, must(ua_wait(p.b.ua, "BYE")), 200, "OK", NULL);
    bed_until(p.bed, p.bed->pbx->call_count == 0);
    party_talk(&p);
    if (_i & 1) { /* what it passes on is asked of a phone that holds, too */
        says_to_the_switch(&p.b, SENDONLY, REINVITE);
        they_hear(&p, "m", "", "202 holds");
        says_and_is_answered(&p.a, SENDONLY, &p.b, INACTIVE, RECVONLY);
    } else {
        says_to_the_other(&p.a, &p.b, SENDONLY, REINVITE);
        they_hear(&p, "", "a", "201 holds");
        is_shown(&p, "201", "holds", "202");
        is_shown(&p, "201", "music", NULL);
        is_shown(&p, "202", "holds", NULL); /* it does as it is told */
        says_to_the_switch(&p.b, INACTIVE, REINVITE);
    }
    they_hear(&p, "", "", "both hold");
    is_shown(&p, "201", "holds", "202");
    is_shown(&p, "202", "holds", "201");
    if (_i & 2) {
        ua_start(p.b.ua, "INVITE", sdp_that(&p.b, RESUMED, NULL));
        p.b.told = *must(ua_wait(p.b.ua, "200"));
        ck_assert_ptr_nonnull(strstr(message_body(&p.b.told), "a=sendonly\r\n")); /* it is told of 201's hold still */
        ua_ack(p.b.ua, &p.b.told);
        is_told_nothing(&p.a);
        they_hear(&p, "", "a", "202 is back");
        says_to_the_other(&p.a, &p.b, RESUMED, REINVITE);
    } else {
        says_and_is_answered(&p.a, RESUMED, &p.b, SENDONLY, RESUMED);
        they_hear(&p, "m", "", "201 is back");
        says_to_the_switch(&p.b, RESUMED, REINVITE);
    }
    they_hear(&p, "b", "a", "both are back");
    party_close(&p);
}
END_TEST

/* 0: by re-INVITE, 1: by UPDATE. */
START_TEST(a_hold_with_another_codec_reaches_the_other_phone_as_the_codec_alone)
{
    const char *method = _i ? "UPDATE" : "INVITE";
    struct party p;

    party_open(&p, SERVED);
    ua_start(p.a.ua, method, sdp_that(&p.a, SENDONLY, "8 101"));
    p.b.told = *must(ua_wait(p.b.ua, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_body(&p.b.told), "RTP/AVP 8 101\r\n"));
    ck_assert_ptr_null(strstr(message_body(&p.b.told), "a=sendonly"));
    ua_reply(p.b.ua, &p.b.told, 200, "OK", sdp_that(&p.b, RESUMED, "8 101"));
    must(ua_wait(p.b.ua, "ACK"));
    p.a.told = *must(ua_wait(p.a.ua, "200"));
    ck_assert_ptr_nonnull(strstr(message_body(&p.a.told), "a=recvonly\r\n"));
    if (!_i)
        ua_ack(p.a.ua, &p.a.told);
    p.a.pt = p.b.pt = 8;
    they_hear(&p, "", "m", "on hold in another codec");
    ck_assert_uint_eq(p.b.heard_pt, 8);
    says_to_the_switch(&p.a, RESUMED, _i ? UPDATE : REINVITE);
    is_told_nothing(&p.b);
    they_hear(&p, "b", "a", "back in that codec");
    ck_assert_uint_eq(p.b.heard_pt, 8);
    party_close(&p);
}
END_TEST

/* The other way round: who is held changes its codec, and the phone that holds stays on hold. Meanwhile that one's own
 * hold had met the offer. */
START_TEST(who_is_held_may_change_its_codec_and_glare_is_tried_again)
{
    struct party p;
    struct message ours;

    party_open(&p, SERVED);
    ua_start(p.b.ua, "INVITE", sdp_that(&p.b, RESUMED, "8 101"));
    ours = *must(ua_wait(p.a.ua, "INVITE"));
    ua_start(p.a.ua, "INVITE", sdp_that(&p.a, SENDONLY, NULL));
    ua_ack_failure(p.a.ua, must(ua_wait(p.a.ua, "491")));
    ua_reply(p.a.ua, &ours, 491, "Request Pending", NULL);
    ua_ack_failure(p.b.ua, must(ua_wait(p.b.ua, "491")));
    must(ua_wait(p.a.ua, "ACK"));
    they_hear(&p, "b", "a", "after glare");
    says_to_the_switch(&p.a, SENDONLY, REINVITE);
    they_hear(&p, "", "m", "on hold");
    ua_start(p.b.ua, "INVITE", sdp_that(&p.b, RESUMED, "8 101"));
    p.a.told = *must(ua_wait(p.a.ua, "INVITE"));
    ua_reply(p.a.ua, &p.a.told, 200, "OK", sdp_that(&p.a, SENDONLY, "8 101"));
    must(ua_wait(p.a.ua, "ACK"));
    p.b.told = *must(ua_wait(p.b.ua, "200"));
    ck_assert_ptr_null(strstr(message_body(&p.b.told), "a=recvonly"));
    ck_assert_ptr_nonnull(strstr(message_body(&p.b.told), "RTP/AVP 8 101\r\n"));
    ua_ack(p.b.ua, &p.b.told);
    p.a.pt = p.b.pt = 8;
    they_hear(&p, "", "m", "on hold in another codec");
    is_shown(&p, "201", "holds", "202");
    says_to_the_switch(&p.a, RESUMED, REINVITE);
    is_told_nothing(&p.b);
    they_hear(&p, "b", "a", "back in that codec");
    party_close(&p);
}
END_TEST

START_TEST(who_is_held_may_refresh_its_session)
{
    struct party p;

    party_open(&p, SERVED);
    for (enum how how = REINVITE; how < HOWS; how++) {
        says_to_the_switch(&p.a, INACTIVE, how);
        says_to_the_switch(&p.b, RESUMED, how);
        says_to_the_switch(&p.a, INACTIVE, how);
        they_hear(&p, "", "m", how_words[how]);
        says_to_the_switch(&p.a, RESUMED, how);
        is_told_nothing(&p.a);
        is_told_nothing(&p.b);
        they_hear(&p, "b", "a", how_words[how]);
    }
    party_close(&p);
}
END_TEST

static const char *with_video(struct phone *phone, const char *audio, const char *video)
{
    static char text[2][500];
    static unsigned turn;
    char *out = text[turn++ % 2];

    snprintf(out, sizeof text[0],
             "v=0\r\no=- 7 %u IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
             "m=audio %u RTP/AVP 0 101\r\na=%s\r\na=rtpmap:101 telephone-event/8000\r\n"
             "m=video %u RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\na=%s\r\n",
             100 + turn, addr_port(&phone->ua->rtp), audio, addr_port(&phone->ua->rtp), video);
    return out;
}

static void keeps_video(struct phone *phone, const char *audio, const char *video, const char *direction)
{
    const char *line;

    ua_start(phone->ua, "INVITE", with_video(phone, audio, video));
    phone->told = *must(ua_wait(phone->ua, "200"));
    ua_ack(phone->ua, &phone->told);
    line = strstr(message_body(&phone->told), "m=video ");
    ck_assert_msg(line && strncmp(line, "m=video 0 ", 10) != 0, "no video:\n%s", message_body(&phone->told));
    ck_assert_msg(strstr(line, direction) != NULL, "%s is told:\n%s", direction, line);
}

START_TEST(pictures_are_held_with_the_sound_and_come_back_with_it)
{
    struct party p;

    party_open(&p, SERVED);
    ua_bye(p.a.ua);
    ua_reply(p.b.ua, must(ua_wait(p.b.ua, "BYE")), 200, "OK", NULL);
    bed_until(p.bed, p.bed->pbx->call_count == 0);
    ua_invite(p.a.ua, "202", with_video(&p.a, "sendrecv", "sendrecv"));
    p.b.told = *must(ua_wait(p.b.ua, "INVITE"));
    ua_reply(p.b.ua, &p.b.told, 200, "OK", with_video(&p.b, "sendrecv", "sendrecv"));
    must(ua_wait(p.b.ua, "ACK"));
    p.a.told = *must(ua_wait(p.a.ua, "200"));
    ua_ack(p.a.ua, &p.a.told);
    keeps_video(&p.a, "sendonly", "sendonly", "a=recvonly\r\n");
    they_hear(&p, "", "m", "on hold");
    keeps_video(&p.a, "sendrecv", "sendrecv", "a=sendrecv\r\n");
    they_hear(&p, "b", "a", "back");
    keeps_video(&p.b, "inactive", "inactive", "a=inactive\r\n");
    keeps_video(&p.b, "sendrecv", "sendrecv", "a=sendrecv\r\n");
    they_hear(&p, "b", "a", "back again");
    is_told_nothing(&p.a);
    is_told_nothing(&p.b);
    party_close(&p);
}
END_TEST

/* A caller that holds while it rings (by UPDATE) is on hold for who answers. */
START_TEST(a_hold_from_before_the_answer_is_music_for_who_answers)
{
    struct party p;
    struct message early;

    party_open(&p, SERVED);
    ua_bye(p.a.ua);
    ua_reply(p.b.ua, must(ua_wait(p.b.ua, "BYE")), 200, "OK", NULL);
    bed_until(p.bed, p.bed->pbx->call_count == 0);
    p.a.ua->extra = "Supported: 100rel\r\n";
    ua_invite(p.a.ua, "202", NULL);
    p.a.ua->extra = NULL;
    p.b.told = *must(ua_wait(p.b.ua, "INVITE"));
    ua_reply(p.b.ua, &p.b.told, 183, "Session Progress", sdp_that(&p.b, RESUMED, "0 101"));
    early = *must(ua_wait(p.a.ua, "183"));
    ck_assert_int_eq(ua_prack(p.a.ua, &early), 200);
    says_to_the_switch(&p.a, SENDONLY, UPDATE);
    ua_reply(p.b.ua, &p.b.ua->invite, 200, "OK", sdp_that(&p.b, RESUMED, "0 101"));
    must(ua_wait(p.b.ua, "ACK"));
    ua_ack(p.a.ua, must(ua_wait(p.a.ua, "200")));
    they_hear(&p, "", "m", "answered by who is held");
    is_shown(&p, "201", "holds", "202");
    says_to_the_switch(&p.a, RESUMED, REINVITE);
    is_told_nothing(&p.b);
    they_hear(&p, "b", "a", "back");
    party_close(&p);
}
END_TEST

/* --- transfer ----------------------------------------------------------------------------------------------------- */

#define BOTH_MODULES SERVED "[module transfer]\n"

static void refer(struct phone *by, const char *headers)
{
    const struct ask ask = {.method = "REFER", .in_dialog = true, .headers = headers};

    ck_assert_int_eq(wire_status(by->ua, &ask), 202);
}

static void notified(struct phone *phone, const char *status)
{
    for (;;) {
        struct message m = *must(ua_wait(phone->ua, "NOTIFY"));
        bool this_one = strstr(message_body(&m), status) != NULL;

        ua_reply(phone->ua, &m, 200, "OK", NULL);
        if (this_one)
            return;
    }
}

START_TEST(who_was_held_and_is_handed_over_talks_to_the_new_party)
{
    struct party p;

    party_open(&p, BOTH_MODULES);
    says_to_the_switch(&p.a, SENDONLY, REINVITE);
    they_hear(&p, "", "m", "on hold");
    refer(&p.a, "Refer-To: <sip:203@tandem>\r\n");
    p.c.told = *must(ua_wait(p.c.ua, "INVITE"));
    ua_reply(p.c.ua, &p.c.told, 180, "Ringing", NULL);
    ua_reply(p.c.ua, &p.c.ua->invite, 200, "OK", sdp_that(&p.c, RESUMED, NULL));
    must(ua_wait(p.c.ua, "ACK"));
    notified(&p.a, " 200 ");
    ua_reply(p.a.ua, must(ua_wait(p.a.ua, "BYE")), 200, "OK", NULL);
    hears_now(&p, (const struct hearing[]){{&p.b, "c"}, {&p.c, "b"}}, 2, "handed over");
    is_told_nothing(&p.b); /* it was never told of the hold */
    says_to_the_switch(&p.c, INACTIVE, REINVITE);
    hears_now(&p, (const struct hearing[]){{&p.b, "m"}, {&p.c, ""}}, 2, "the new party holds");
    says_to_the_switch(&p.c, RESUMED, REINVITE);
    hears_now(&p, (const struct hearing[]){{&p.b, "c"}, {&p.c, "b"}}, 2, "the new party is back");
    ua_bye(p.c.ua);
    ua_reply(p.b.ua, must(ua_wait(p.b.ua, "BYE")), 200, "OK", NULL);
    bed_until(p.bed, p.bed->pbx->call_count == 0);
    party_close(&p);
}
END_TEST

START_TEST(who_comes_back_from_a_failed_transfer_is_on_hold_again)
{
    struct party p;

    party_open(&p, BOTH_MODULES);
    says_to_the_switch(&p.a, SENDONLY, REINVITE);
    refer(&p.a, "Refer-To: <sip:203@tandem>\r\n");
    ua_reply(p.c.ua, must(ua_wait(p.c.ua, "INVITE")), 486, "Busy Here", NULL);
    notified(&p.a, " 486 ");
    they_hear(&p, "", "m", "given back");
    says_to_the_switch(&p.a, RESUMED, REINVITE);
    they_hear(&p, "b", "a", "back");
    is_told_nothing(&p.b);
    party_close(&p);
}
END_TEST

/* 201 holds 202, calls 203 on another line, may hold that one as well, and brings the two together. Who holds the other
 * one itself meanwhile holds the new party then. 0: 203 is held too; 1: it is not; 2: it holds 201 itself. */
START_TEST(after_a_consultation_the_two_hear_each_other)
{
    struct party p;
    struct phone line = {.says = 0};
    char headers[600];

    party_open(&p, BOTH_MODULES);
    line.ua = bed_phone(p.bed, "201");
    says_to_the_switch(&p.a, SENDONLY, REINVITE);
    ua_invite(line.ua, "203", NULL);
    p.c.told = *must(ua_wait(p.c.ua, "INVITE"));
    ua_reply(p.c.ua, &p.c.told, 180, "Ringing", NULL);
    must(ua_wait(line.ua, "180"));
    they_hear(&p, "", "m", "while the other one rings");
    ua_reply(p.c.ua, &p.c.ua->invite, 200, "OK", sdp_that(&p.c, RESUMED, NULL));
    must(ua_wait(p.c.ua, "ACK"));
    line.told = *must(ua_wait(line.ua, "200"));
    ua_ack(line.ua, &line.told);
    if (_i == 0)
        says_to_the_switch(&line, SENDONLY, REINVITE);
    if (_i == 2)
        says_to_the_switch(&p.c, SENDONLY, REINVITE);
    snprintf(headers, sizeof headers, "Refer-To: <sip:203@tandem?Replaces=%s%%3Bto-tag%%3D%s%%3Bfrom-tag%%3D%s>\r\n",
             line.ua->call_id, line.ua->remote_tag, line.ua->local_tag);
    refer(&p.a, headers);
    notified(&p.a, " 200 ");
    ua_reply(p.a.ua, must(ua_wait(p.a.ua, "BYE")), 200, "OK", NULL);
    ua_reply(line.ua, must(ua_wait(line.ua, "BYE")), 200, "OK", NULL);
    if (_i == 2) {
        hears_now(&p, (const struct hearing[]){{&p.b, "m"}, {&p.c, ""}}, 2, "203 holds whoever is there");
        is_shown(&p, "203", "holds", "202");
        says_to_the_switch(&p.c, RESUMED, REINVITE);
    }
    hears_now(&p, (const struct hearing[]){{&p.b, "c"}, {&p.c, "b"}}, 2, "brought together");
    is_told_nothing(&p.b);
    is_told_nothing(&p.c);
    ua_bye(p.b.ua);
    ua_reply(p.c.ua, must(ua_wait(p.c.ua, "BYE")), 200, "OK", NULL);
    bed_until(p.bed, p.bed->pbx->call_count == 0);
    ua_close(line.ua);
    party_close(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hold");
    TCase *tc = tcase_create("hold"), *transfer = tcase_create("transfer");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, who_is_held_hears_music_and_is_told_nothing);
    tcase_add_test(tc, without_the_module_the_other_phone_is_told_what_the_phone_says);
    tcase_add_test(tc, it_is_told_who_holds_whom_and_since_when);
    tcase_add_test(tc, the_music_is_that_of_the_account_that_holds);
    tcase_add_loop_test(tc, both_may_hold_and_resume_in_either_order, 0, 8);
    tcase_add_test(tc, phones_that_hold_at_the_same_moment_do_not_meet);
    tcase_add_loop_test(tc, an_account_without_music_has_its_holds_passed_on, 0, 4);
    tcase_add_loop_test(tc, a_hold_with_another_codec_reaches_the_other_phone_as_the_codec_alone, 0, 2);
    tcase_add_test(tc, who_is_held_may_change_its_codec_and_glare_is_tried_again);
    tcase_add_test(tc, who_is_held_may_refresh_its_session);
    tcase_add_test(tc, pictures_are_held_with_the_sound_and_come_back_with_it);
    tcase_add_test(tc, a_hold_from_before_the_answer_is_music_for_who_answers);
    suite_add_tcase(suite, tc);
    tcase_set_timeout(transfer, 300);
    tcase_add_test(transfer, who_was_held_and_is_handed_over_talks_to_the_new_party);
    tcase_add_test(transfer, who_comes_back_from_a_failed_transfer_is_on_hold_again);
    tcase_add_loop_test(transfer, after_a_consultation_the_two_hear_each_other, 0, 3);
    suite_add_tcase(suite, transfer);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
