/* Ring groups, follow-me, intercom and pages between scripted phones: who rings when, who gets the call, what the
 * caller hears of it, and what is said of it for people. */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"
#include "sip/agent.h"
#include "wire.h"

#define GROUP "[module group]\n[module forward]\n"

struct office {
    struct bed *bed;
    struct ua *phones[6]; /* 201 … 205 at 1 … 5; NULL: not registered */
    struct bus_subscription *subscription;
    char said[4000]; /* events of calls in words, with a line end behind each */
};

static void said(void *arg, const struct event *event)
{
    struct office *o = arg;
    size_t used = strlen(o->said);

    str_append(o->said, sizeof o->said, &used, "%s\n", event->detail);
}

/* 201 and so many more are registered. */
static struct office *office_open(unsigned count, const char *dialplan)
{
    struct office *o = mem_new(sizeof *o);

    o->bed = bed_open(GROUP, dialplan);
    o->subscription = bus_subscribe(o->bed->pbx->bus, EVENT_BIT(EVENT_SCRIPT), said, o);
    for (unsigned i = 1; i <= count; i++) {
        char name[8];

        snprintf(name, sizeof name, "%u", 200 + i);
        o->phones[i] = bed_registered(o->bed, name);
    }
    return o;
}

static void office_close(struct office *o)
{
    for (unsigned i = 1; i < 6; i++)
        if (o->phones[i])
            ua_close(o->phones[i]);
    bus_unsubscribe(o->subscription);
    bed_close(o->bed);
    free(o);
}

/* members: JSON objects. more: further properties of the group. */
static void group(struct office *o, const char *strategy, const char *members, const char *more)
{
    char text[1000];

    snprintf(text, sizeof text,
             "{\"number\":\"600\",\"strategy\":\"%s\",\"ring_time\":20,\"skip_busy\":true,\"context\":\"internal\","
             "\"members\":[%s]%s%s}",
             strategy, members, more ? "," : "", more ? more : "");
    bed_feature(o->bed, "ring_group", "sales", text);
}

#define MEMBER(name) "{\"member\":\"" name "\",\"delay\":0,\"ring_time\":null,\"confirm\":null}"

static void rings(struct ua *ua)
{
    ua_reply(ua, must(ua_wait(ua, "INVITE")), 180, "Ringing", NULL);
}

static void stops_ringing(struct ua *ua)
{
    ua_reply(ua, must(ua_wait(ua, "CANCEL")), 200, "OK", NULL);
    ua_reply(ua, &ua->invite, 487, "Request Terminated", NULL);
    must(ua_wait(ua, "ACK"));
}

static void refuses(struct ua *ua, int status)
{
    ua_reply(ua, must(ua_wait(ua, "INVITE")), status, "No", NULL);
    must(ua_wait(ua, "ACK"));
}

static void answers(struct ua *ua)
{
    ua_reply(ua, &ua->invite, 200, "OK", NULL);
    must(ua_wait(ua, "ACK"));
}

static void is_connected(struct ua *caller)
{
    ua_ack(caller, must(ua_wait(caller, "200")));
}

static void hangs_up(struct office *o, struct ua *who, struct ua *other)
{
    unsigned before = o->bed->calls_ended;

    ua_bye(who);
    if (other)
        ua_reply(other, must(ua_wait(other, "BYE")), 200, "OK", NULL);
    bed_until(o->bed, o->bed->calls_ended == before + 1);
}

/* The caller gets this final status. */
static void is_refused(struct office *o, struct ua *caller, int status)
{
    unsigned before = o->bed->calls_ended;
    char text[8];

    snprintf(text, sizeof text, "%d", status);
    must(ua_wait(caller, text));
    bed_until(o->bed, o->bed->calls_ended == before + 1);
}

static void was_said(const struct office *o, const char *words)
{
    ck_assert_msg(strstr(o->said, words), "nobody said \"%s\", but: %s", words, o->said);
}

static bool nothing_for(struct ua *ua)
{
    return ua_wait_ms(ua, "INVITE", 300) == NULL;
}

START_TEST(all_members_ring_and_who_answers_first_gets_the_call)
{
    struct office *o = office_open(4, NULL);

    group(o, "all", MEMBER("202") "," MEMBER("203") "," MEMBER("204"), NULL);
    ua_invite(o->phones[1], _i ? "600" : "sales", NULL);
    for (int i = 2; i <= 4; i++)
        rings(o->phones[i]);
    must(ua_wait(o->phones[1], "180"));
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    stops_ringing(o->phones[2]);
    stops_ringing(o->phones[4]);
    was_said(o, "ring group sales (all): rings 202, 203, 204\n");
    hangs_up(o, o->phones[1], o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(in_order_the_next_rings_when_one_does_not_want)
{
    struct office *o = office_open(4, NULL);

    group(o, "in-order", MEMBER("203") "," MEMBER("202") "," MEMBER("204"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[3]);
    ck_assert(nothing_for(o->phones[2]));
    ua_reply(o->phones[3], &o->phones[3]->invite, 486, "Busy Here", NULL);
    must(ua_wait(o->phones[3], "ACK"));
    rings(o->phones[2]);
    answers(o->phones[2]);
    is_connected(o->phones[1]);
    ck_assert(nothing_for(o->phones[4]));
    hangs_up(o, o->phones[2], o->phones[1]);
    office_close(o);
}
END_TEST

START_TEST(a_member_that_does_not_answer_gives_way_to_the_next)
{
    struct office *o = office_open(3, NULL);

    group(o, "in-order", "{\"member\":\"202\",\"ring_time\":1}," MEMBER("203"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[2]);
    stops_ringing(o->phones[2]);
    rings(o->phones[3]);
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[3]);
    office_close(o);
}
END_TEST

/* What a busy machine has sent twice is not taken for another call. */
static void forget(struct office *o)
{
    for (unsigned i = 1; i < 6; i++) {
        if (!o->phones[i])
            continue;
        ua_poll(o->phones[i]);
        o->phones[i]->in_count = 0;
    }
}

/* One call of the group, which this member answers first. */
static void one_call(struct office *o, struct ua *first)
{
    forget(o);
    ua_invite(o->phones[1], "sales", NULL);
    rings(first);
    answers(first);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], first);
}

/* As after a crash. */
static void restart(struct office *o)
{
    bus_unsubscribe(o->subscription);
    bed_restart(o->bed);
    o->subscription = bus_subscribe(o->bed->pbx->bus, EVENT_BIT(EVENT_SCRIPT), said, o);
    for (unsigned i = 1; i < 6 && o->phones[i]; i++)
        ck_assert_int_eq(ua_register(o->phones[i], -1), 200);
}

START_TEST(a_round_robin_takes_turns)
{
    struct office *o = office_open(4, NULL);

    group(o, "round-robin", MEMBER("202") "," MEMBER("203") "," MEMBER("204"), NULL);
    one_call(o, o->phones[2]);
    one_call(o, o->phones[3]);
    restart(o); /* whose turn it was is known all the same */
    group(o, "round-robin", MEMBER("202") "," MEMBER("203") "," MEMBER("204"), NULL);
    one_call(o, o->phones[4]);
    one_call(o, o->phones[2]);
    office_close(o);
}
END_TEST

START_TEST(who_has_not_talked_for_the_longest_time_rings_first)
{
    struct office *o = office_open(3, NULL);

    group(o, "longest-idle", MEMBER("202") "," MEMBER("203"), NULL);
    one_call(o, o->phones[2]);
    one_call(o, o->phones[3]);
    restart(o); /* who has talked when, too */
    group(o, "longest-idle", MEMBER("202") "," MEMBER("203"), NULL);
    one_call(o, o->phones[2]);
    bed_live(o->bed, "ring_talked", "202", "", "lately"); /* makes no sense: as if it had never talked */
    one_call(o, o->phones[2]);
    forget(o);
    ua_invite(o->phones[1], "202", NULL); /* what they do beside the group counts as well */
    rings(o->phones[2]);
    answers(o->phones[2]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[2]);
    one_call(o, o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(at_random_somebody_rings_first_and_everybody_in_the_end)
{
    struct office *o = office_open(3, NULL);
    bool second;

    group(o, "random", MEMBER("202") "," MEMBER("203"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    bed_until(o->bed, (ua_poll(o->phones[2]), ua_poll(o->phones[3]), o->phones[2]->in_count || o->phones[3]->in_count));
    second = o->phones[3]->in_count > 0;
    refuses(o->phones[second ? 3 : 2], 480);
    refuses(o->phones[second ? 2 : 3], 480);
    is_refused(o, o->phones[1], 480);
    was_said(o, "ring group sales: nobody answered (unreachable)\n");
    office_close(o);
}
END_TEST

START_TEST(who_is_in_a_call_is_left_out_and_said_to_be_busy)
{
    struct office *o = office_open(4, NULL);

    group(o, "all", MEMBER("202") "," MEMBER("203") "," MEMBER("204") "," MEMBER("205"), NULL);
    ua_invite(o->phones[4], "202", NULL); /* 204 and 202 talk */
    rings(o->phones[2]);
    answers(o->phones[2]);
    is_connected(o->phones[4]);
    forget(o);
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[3]);
    ck_assert(nothing_for(o->phones[2]));
    was_said(o, "ring group sales (all): rings 203, 205; 202 is busy; 204 is busy\n");
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[3]);
    hangs_up(o, o->phones[4], o->phones[2]);
    office_close(o);
}
END_TEST

START_TEST(a_group_in_which_all_are_busy_is_busy)
{
    struct office *o = office_open(3, NULL);

    group(o, "all", MEMBER("202") "," MEMBER("203"), NULL);
    ua_invite(o->phones[2], "203", NULL);
    rings(o->phones[3]);
    answers(o->phones[3]);
    is_connected(o->phones[2]);
    ua_invite(o->phones[1], "sales", NULL);
    is_refused(o, o->phones[1], 486);
    was_said(o, "ring group sales (all): nobody can be rung; 202 is busy; 203 is busy\n");
    hangs_up(o, o->phones[2], o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(whom_nobody_answers_goes_where_the_group_says)
{
    struct office *o = office_open(3, NULL);

    group(o, "all", MEMBER("202"), "\"no_answer\":\"203\"");
    ua_invite(o->phones[1], "sales", NULL);
    refuses(o->phones[2], 480);
    rings(o->phones[3]);
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    was_said(o, "ring group sales: nobody answered (unreachable), the caller goes to 203\n");
    hangs_up(o, o->phones[1], o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(a_member_that_sends_its_calls_elsewhere_does_not_send_the_groups)
{
    struct office *o = office_open(3, NULL);

    group(o, "in-order", MEMBER("202") "," MEMBER("203"), NULL);
    o->phones[2]->extra = "Contact: <sip:204@tandem>\r\n";
    o->phones[2]->no_contact = true;
    ua_invite(o->phones[1], "sales", NULL);
    refuses(o->phones[2], 302);
    rings(o->phones[3]);
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(the_caller_gives_up_and_everybody_stops_ringing)
{
    struct office *o = office_open(3, NULL);

    group(o, "all", MEMBER("202") "," MEMBER("203"), "\"no_answer\":\"204\"");
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[2]);
    rings(o->phones[3]);
    must(ua_wait(o->phones[1], "180"));
    ua_cancel(o->phones[1]);
    stops_ringing(o->phones[2]);
    stops_ringing(o->phones[3]);
    bed_until(o->bed, o->bed->calls_ended == 1);
    ck_assert_str_eq(o->bed->last_cause, "cancelled");
    office_close(o);
}
END_TEST

START_TEST(members_log_out_and_in_by_phone)
{
    struct office *o = office_open(3, "include('accounts.lua')\n"
                                      "extension('internal', '*45', function(call)\n"
                                      "  local r = call:group_login()\n"
                                      "  call:hangup(r == nil and 'rejected' or r and 'busy' or 'forbidden')\n"
                                      "end)\n"
                                      "extension('internal', '_.', function(call) dial_account(call, call.extension) "
                                      "end)\n");

    group(o, "in-order", MEMBER("202") "," MEMBER("203"), NULL);
    ua_invite(o->phones[2], "*45", NULL);
    is_refused(o, o->phones[2], 403); /* is out */
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[3]);
    was_said(o, "rings 203; 202 is logged out\n");
    ck_assert(nothing_for(o->phones[2]));
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[3]);
    ua_invite(o->phones[2], "*45", NULL);
    is_refused(o, o->phones[2], 486); /* is in again */
    ua_invite(o->phones[1], "*45", NULL);
    is_refused(o, o->phones[1], 603); /* is in no group */
    one_call(o, o->phones[2]);
    office_close(o);
}
END_TEST

START_TEST(a_changed_group_is_in_force_for_the_next_call)
{
    struct office *o = office_open(3, NULL);

    group(o, "in-order", MEMBER("202"), NULL);
    one_call(o, o->phones[2]);
    group(o, "in-order", MEMBER("203"), NULL);
    one_call(o, o->phones[3]);
    bed_feature(o->bed, "ring_group", "sales", NULL);
    ua_invite(o->phones[1], "sales", NULL);
    is_refused(o, o->phones[1], 404);
    office_close(o);
}
END_TEST

static void presses(struct ua *ua, const char *key)
{
    char body[64];

    snprintf(body, sizeof body, "Signal=%s\r\nDuration=160\r\n", key);
    ck_assert_int_eq(
        wire_status(ua,
                    &(struct ask){.method = "INFO", .in_dialog = true, .type = "application/dtmf-relay", .body = body}),
        200);
}

START_TEST(a_member_that_has_to_confirm_gets_the_call_when_it_has_pressed_1)
{
    struct office *o = office_open(3, NULL);

    bed_dtmf(o->bed, "203", DTMF_INFO);
    group(o, "all", MEMBER("202") ",{\"member\":\"203\",\"confirm\":true}", NULL);
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[2]);
    rings(o->phones[3]);
    answers(o->phones[3]);
    ck_assert_ptr_null(ua_wait_ms(o->phones[1], "200", 300)); /* the caller does not hear of it, and pays nothing */
    presses(o->phones[3], "1");
    is_connected(o->phones[1]);
    stops_ringing(o->phones[2]);
    hangs_up(o, o->phones[1], o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(follow_me_rings_other_phones_when_their_time_has_come)
{
    struct office *o = office_open(4, NULL);
    uint64_t began;

    bed_feature(
        o->bed, "followme", "202",
        "[{\"number\":\"203\",\"delay\":1,\"ring_time\":20},{\"number\":\"204\",\"delay\":60,\"ring_time\":20}]");
    ua_invite(o->phones[1], "202", NULL);
    began = now_ms();
    rings(o->phones[2]);
    rings(o->phones[3]);
    ck_assert_uint_ge(now_ms() - began, 900);
    was_said(o, "follow-me of 202: rings 202, 203 after 1 s, 204 after 60 s\n");
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    stops_ringing(o->phones[2]);
    ck_assert(nothing_for(o->phones[4]));
    hangs_up(o, o->phones[1], o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(follow_me_does_not_wait_for_an_account_that_cannot_be_reached)
{
    struct office *o = office_open(3, NULL);

    bed_feature(o->bed, "followme", "205", "[{\"number\":\"203\",\"delay\":60,\"ring_time\":20}]");
    ua_invite(o->phones[1], "205", NULL);
    rings(o->phones[3]);
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(nobody_is_given_time_to_ring_after_all_have_refused)
{
    struct office *o = office_open(3, NULL);
    size_t before;

    agent_skip_time(o->bed->pbx->sip, 40000); /* more than any timer of RFC 3261 */
    ck_assert(nothing_for(o->phones[2]));
    bed_feature(o->bed, "followme", "202", "[{\"number\":\"203\",\"delay\":0,\"ring_time\":600}]");
    before = loop_timer_count(o->bed->loop);
    for (unsigned i = 0; i < 5; i++) {
        ua_invite(o->phones[1], "202", NULL);
        refuses(o->phones[2], 486);
        refuses(o->phones[3], 486);
        is_refused(o, o->phones[1], 486);
    }
    agent_skip_time(o->bed->pbx->sip, 40000);
    bed_until(o->bed, loop_timer_count(o->bed->loop) <= before + 2); /* those of the switch itself come and go */
    office_close(o);
}
END_TEST

static void forward(struct office *o, const char *cmd, const char *params)
{
    json_t *answer = bed_ask(o->bed, cmd, params);

    ck_assert_msg(json_is_true(json_object_get(answer, "ok")), "%s %s was refused", cmd, params);
    json_decref(answer);
}

START_TEST(where_an_account_forwards_its_calls_its_follow_me_does_not_ring)
{
    struct office *o = office_open(4, NULL);

    bed_feature(o->bed, "followme", "202", "[{\"number\":\"203\",\"delay\":0,\"ring_time\":20}]");
    forward(o, "forward", "{\"account\":\"202\",\"when\":\"always\",\"number\":\"204\"}");
    ua_invite(o->phones[1], "202", NULL);
    rings(o->phones[4]);
    ck_assert(nothing_for(o->phones[3]));
    ck_assert(nothing_for(o->phones[2]));
    answers(o->phones[4]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[4]);
    office_close(o);
}
END_TEST

START_TEST(members_who_do_not_want_to_be_disturbed_or_forward_are_passed_over)
{
    struct office *o = office_open(5, NULL);

    forward(o, "dnd", "{\"account\":\"202\",\"on\":true}");
    forward(o, "forward", "{\"account\":\"203\",\"when\":\"unreachable\",\"number\":\"205\"}");
    group(o, "in-order", MEMBER("202") "," MEMBER("203") "," MEMBER("204"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    refuses(o->phones[3], 480);
    rings(o->phones[4]);
    ck_assert(nothing_for(o->phones[2]));
    ck_assert(nothing_for(o->phones[5]));
    answers(o->phones[4]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[4]);
    office_close(o);
}
END_TEST

#define INTERCOM                                                                                                       \
    "extension('internal', '_*4XXX', function(call)\n"                                                                 \
    "  local r = call:intercom(call.extension:sub(3))\n"                                                               \
    "  if not r then call:hangup('unknown-number') end\n"                                                              \
    "end)\n"                                                                                                           \
    "extension('internal', '_.', function(call) call:dial{ to = call.extension } end)\n"

START_TEST(an_intercom_call_asks_the_phone_to_answer_by_itself)
{
    struct office *o = office_open(2, INTERCOM);
    const struct message *invite;
    char value[300];

    ua_invite(o->phones[1], "*4202", NULL);
    invite = must(ua_wait(o->phones[2], "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_header(invite, "Call-Info", value, sizeof value), "answer-after=0"));
    ck_assert_ptr_nonnull(strstr(message_header(invite, "Alert-Info", value, sizeof value), "info=alert-autoanswer"));
    ck_assert_str_eq(message_header(invite, "Answer-Mode", value, sizeof value), "Auto");
    ua_reply(o->phones[2], invite, 200, "OK", NULL);
    must(ua_wait(o->phones[2], "ACK"));
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[2]);
    office_close(o);
}
END_TEST

START_TEST(an_intercom_call_disturbs_nobody_who_may_not_be_called_so)
{
    struct office *o = office_open(3, INTERCOM);

    bed_setting(o->bed, "intercom", "off");
    ua_invite(o->phones[1], "*4202", NULL);
    is_refused(o, o->phones[1], 403);
    was_said(o, "201 may not let 202's phone answer by itself");
    bed_setting(o->bed, "intercom", NULL);
    ua_invite(o->phones[1], "*4299", NULL);
    is_refused(o, o->phones[1], 404);
    ua_invite(o->phones[3], "202", NULL);
    rings(o->phones[2]);
    answers(o->phones[2]);
    is_connected(o->phones[3]);
    forget(o);
    ua_invite(o->phones[1], "*4202", NULL);
    is_refused(o, o->phones[1], 486);
    ck_assert(nothing_for(o->phones[2]));
    hangs_up(o, o->phones[3], o->phones[2]);
    office_close(o);
}
END_TEST

static unsigned char heard_by(struct ua *ua, unsigned char mark)
{
    unsigned char packet[2048], last = 0;
    ssize_t n;

    while ((n = recv(ua->rtp_fd, packet, sizeof packet, 0)) > 0)
        if (n > 12 && packet[12] == mark)
            last = mark;
    return last;
}

START_TEST(a_page_is_heard_on_all_phones_and_nobody_is_heard_back)
{
    struct office *o = office_open(3, NULL);
    struct message to_caller, to_b, to_c;
    bool b = false, c = false;

    group(o, "page", MEMBER("202") "," MEMBER("203") "," MEMBER("205") "," MEMBER("201"), NULL);
    ua_invite(o->phones[1], "600", NULL);
    to_caller = *must(ua_wait(o->phones[1], "200"));
    ua_ack(o->phones[1], &to_caller);
    to_b = *must(ua_wait(o->phones[2], "INVITE"));
    ua_reply(o->phones[2], &to_b, 200, "OK", NULL);
    must(ua_wait(o->phones[2], "ACK"));
    to_c = *must(ua_wait(o->phones[3], "INVITE"));
    ck_assert_ptr_nonnull(strstr(to_c.text, "answer-after=0"));
    ua_reply(o->phones[3], &to_c, 200, "OK", NULL);
    must(ua_wait(o->phones[3], "ACK"));
    was_said(o, "page sales: speaks to 202, 203, 205; 201 is the caller\n");
    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until && !(b && c);) {
        ua_talk(o->phones[1], message_body(&to_caller), 1, 0x31);
        ua_talk(o->phones[2], message_body(&to_b), 1, 0x42);
        for (uint64_t beat = now_ms() + 20; now_ms() < beat;)
            loop_turn(o->bed->loop, 2);
        b = b || heard_by(o->phones[2], 0x31) == 0x31;
        c = c || heard_by(o->phones[3], 0x31) == 0x31;
        ck_assert_uint_ne(heard_by(o->phones[1], 0x42), 0x42);
    }
    ck_assert(b);
    ck_assert(c);
    ua_bye(o->phones[1]);
    ua_reply(o->phones[2], must(ua_wait(o->phones[2], "BYE")), 200, "OK", NULL);
    ua_reply(o->phones[3], must(ua_wait(o->phones[3], "BYE")), 200, "OK", NULL);
    bed_until(o->bed, o->bed->calls_ended == 1);
    was_said(o, "page sales: is over, 2 phones heard it\n");
    office_close(o);
}
END_TEST

START_TEST(a_page_that_no_phone_takes_ends_and_says_so)
{
    struct office *o = office_open(3, NULL);

    group(o, "page", MEMBER("202") "," MEMBER("203") "," MEMBER("0171"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    is_connected(o->phones[1]);
    refuses(o->phones[2], 486);
    refuses(o->phones[3], 480);
    ua_reply(o->phones[1], must(ua_wait(o->phones[1], "BYE")), 200, "OK", NULL);
    bed_until(o->bed, o->bed->calls_ended == 1);
    was_said(o, "page sales: speaks to 202, 203; 0171 is outside\n");
    was_said(o, "page sales: no phone answered\n");
    office_close(o);
}
END_TEST

START_TEST(a_listener_who_hangs_up_leaves_the_others_listening)
{
    struct office *o = office_open(3, NULL);

    group(o, "page", MEMBER("202") "," MEMBER("203"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    is_connected(o->phones[1]);
    for (int i = 2; i <= 3; i++) {
        ua_reply(o->phones[i], must(ua_wait(o->phones[i], "INVITE")), 200, "OK", NULL);
        must(ua_wait(o->phones[i], "ACK"));
    }
    ua_bye(o->phones[2]);
    bed_until(o->bed, o->bed->pbx->leg_count == 2);
    ua_bye(o->phones[3]);
    ua_reply(o->phones[1], must(ua_wait(o->phones[1], "BYE")), 200, "OK", NULL);
    bed_until(o->bed, o->bed->calls_ended == 1);
    was_said(o, "page sales: nobody listens any more\n");
    office_close(o);
}
END_TEST

/* Numbers that begin with 0 are outside: the phone of 203. */
#define OUTSIDE                                                                                                        \
    "include('accounts.lua')\n"                                                                                        \
    "extension('internal', '_0X.', function(call)\n"                                                                   \
    "  call:log('%s dials %s', call.account or 'nobody', call.extension)\n"                                            \
    "  call:dial{ to = 'account:203' }\n"                                                                              \
    "end)\n"                                                                                                           \
    "extension('internal', '_.', function(call) dial_account(call, call.extension) end)\n"

static bool hears(struct office *o, struct ua *speaker, const struct message *to_speaker, struct ua *listener)
{
    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until;) {
        ua_talk(speaker, message_body(to_speaker), 1, 0x31);
        for (uint64_t beat = now_ms() + 20; now_ms() < beat;)
            loop_turn(o->bed->loop, 2);
        if (heard_by(listener, 0x31))
            return true;
    }
    return false;
}

START_TEST(an_outside_member_is_called_through_the_dialplan_and_has_to_confirm)
{
    struct office *o = office_open(3, OUTSIDE);
    struct message to_caller, to_c;
    char value[200];

    bed_dtmf(o->bed, "203", DTMF_INFO);
    if (_i == 1) /* what its phones have to do is no matter of such a call */
        bed_srtp(o->bed, "204", SRTP_REQUIRED, false);
    group(o, "all", MEMBER("202") "," MEMBER("0171"), "\"account\":\"204\"");
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[2]);
    to_c = *must(ua_wait(o->phones[3], "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_header(&to_c, "From", value, sizeof value), "201@")); /* shown who calls */
    was_said(o, "204 dials 0171\n");                                                           /* on whose behalf */
    ua_reply(o->phones[3], &to_c, 180, "Ringing", NULL);
    ua_reply(o->phones[3], &o->phones[3]->invite, 200, "OK", NULL);
    must(ua_wait(o->phones[3], "ACK"));
    ck_assert_ptr_null(ua_wait_ms(o->phones[1], "200", 300));
    presses(o->phones[3], "1");
    to_caller = *must(ua_wait(o->phones[1], "200"));
    ua_ack(o->phones[1], &to_caller);
    stops_ringing(o->phones[2]);
    ck_assert(hears(o, o->phones[1], &to_caller, o->phones[3]));
    ck_assert(hears(o, o->phones[3], &to_c, o->phones[1]));
    if (_i == 0) {
        ua_bye(o->phones[1]);
        ua_reply(o->phones[3], must(ua_wait(o->phones[3], "BYE")), 200, "OK", NULL);
    } else {
        ua_bye(o->phones[3]);
        ua_reply(o->phones[1], must(ua_wait(o->phones[1], "BYE")), 200, "OK", NULL);
    }
    bed_until(o->bed, o->bed->calls_ended == 2);
    office_close(o);
}
END_TEST

START_TEST(a_caller_hears_the_music_of_the_group_until_somebody_answers)
{
    struct office *o = office_open(2, NULL);
    struct message to_caller;
    bool heard = false;

    bed_music(o->bed, "wait", 0x51);
    group(o, "all", MEMBER("202"), "\"music\":\"wait\"");
    ua_invite(o->phones[1], "sales", NULL);
    must(ua_wait(o->phones[1], "183"));
    rings(o->phones[2]);
    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until && !heard;) {
        loop_turn(o->bed->loop, 2);
        heard = heard_by(o->phones[1], 0x51) == 0x51;
    }
    ck_assert(heard);
    ck_assert_ptr_null(ua_wait_ms(o->phones[1], "180", 50)); /* its phone would ring over the music */
    answers(o->phones[2]);
    to_caller = *must(ua_wait(o->phones[1], "200"));
    ua_ack(o->phones[1], &to_caller);
    ck_assert(hears(o, o->phones[1], &to_caller, o->phones[2]));
    bed_until(o->bed, heard_by(o->phones[1], 0x51) != 0x51);
    hangs_up(o, o->phones[1], o->phones[2]);
    forget(o);
    group(o, "all", MEMBER("202"), "\"music\":\"unknown\""); /* ringing, then */
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[2]);
    must(ua_wait(o->phones[1], "180"));
    answers(o->phones[2]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[2]);
    office_close(o);
}
END_TEST

START_TEST(an_outside_number_that_is_refused_or_called_off_leaves_nothing_behind)
{
    struct office *o = office_open(3, OUTSIDE);

    group(o, "all", MEMBER("0171"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    refuses(o->phones[3], 486);
    must(ua_wait(o->phones[1], "486"));
    bed_until(o->bed, o->bed->calls_ended == 2);
    forget(o);
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[3]);
    must(ua_wait(o->phones[1], "180"));
    ua_cancel(o->phones[1]);
    stops_ringing(o->phones[3]);
    bed_until(o->bed, o->bed->calls_ended == 4);
    group(o, "all", MEMBER("600"), NULL); /* itself: a circle */
    ua_invite(o->phones[1], "sales", NULL);
    bed_until(o->bed, o->bed->calls_ended > 4 && o->bed->pbx->call_count == 0);
    ck_assert_str_eq(o->bed->last_cause, "loop");
    must(ua_wait(o->phones[1], "483"));
    ck_assert_uint_le(o->bed->calls_ended, 8);
    office_close(o);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("groups");
    TCase *tc = tcase_create("groups");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, all_members_ring_and_who_answers_first_gets_the_call, 0, 2);
    tcase_add_test(tc, in_order_the_next_rings_when_one_does_not_want);
    tcase_add_test(tc, a_member_that_does_not_answer_gives_way_to_the_next);
    tcase_add_test(tc, a_round_robin_takes_turns);
    tcase_add_test(tc, who_has_not_talked_for_the_longest_time_rings_first);
    tcase_add_test(tc, at_random_somebody_rings_first_and_everybody_in_the_end);
    tcase_add_test(tc, who_is_in_a_call_is_left_out_and_said_to_be_busy);
    tcase_add_test(tc, a_group_in_which_all_are_busy_is_busy);
    tcase_add_test(tc, whom_nobody_answers_goes_where_the_group_says);
    tcase_add_test(tc, a_member_that_sends_its_calls_elsewhere_does_not_send_the_groups);
    tcase_add_test(tc, the_caller_gives_up_and_everybody_stops_ringing);
    tcase_add_test(tc, members_log_out_and_in_by_phone);
    tcase_add_test(tc, a_changed_group_is_in_force_for_the_next_call);
    tcase_add_test(tc, a_member_that_has_to_confirm_gets_the_call_when_it_has_pressed_1);
    tcase_add_loop_test(tc, an_outside_member_is_called_through_the_dialplan_and_has_to_confirm, 0, 2);
    tcase_add_test(tc, a_caller_hears_the_music_of_the_group_until_somebody_answers);
    tcase_add_test(tc, an_outside_number_that_is_refused_or_called_off_leaves_nothing_behind);
    tcase_add_test(tc, follow_me_rings_other_phones_when_their_time_has_come);
    tcase_add_test(tc, follow_me_does_not_wait_for_an_account_that_cannot_be_reached);
    tcase_add_test(tc, nobody_is_given_time_to_ring_after_all_have_refused);
    tcase_add_test(tc, where_an_account_forwards_its_calls_its_follow_me_does_not_ring);
    tcase_add_test(tc, members_who_do_not_want_to_be_disturbed_or_forward_are_passed_over);
    tcase_add_test(tc, an_intercom_call_asks_the_phone_to_answer_by_itself);
    tcase_add_test(tc, an_intercom_call_disturbs_nobody_who_may_not_be_called_so);
    tcase_add_test(tc, a_page_is_heard_on_all_phones_and_nobody_is_heard_back);
    tcase_add_test(tc, a_page_that_no_phone_takes_ends_and_says_so);
    tcase_add_test(tc, a_listener_who_hangs_up_leaves_the_others_listening);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
