/* Subscriptions (RFC 6665) as phones meet them: who gets one, what is told when, what ends it, and how it lives beside
 * a call in one dialog. The sample module lamp has things that can be watched. */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"
#include "wire.h"

/* The bed with the sample; lines: more options of it. */
static struct bed *with_lamps(const char *lines, struct config_sip_timers timers)
{
    char text[500];
    struct bed_options options = {.modules = text, .sip_timers = timers};

    snprintf(text, sizeof text, "[module lamp]\npath = %s/tests/modules/.libs/lamp.so\n%s", getenv("TANDEM_BUILD"),
             lines);
    return bed_open_with(&options);
}

/* A command of the sample; what it counts. */
static unsigned lamp(struct bed *bed, const char *name, const char *shines, const char *what)
{
    char params[200];
    json_t *answer;
    unsigned count;

    snprintf(params, sizeof params, shines ? "{\"lamp\":\"%s\",\"shines\":\"%s\"}" : "{\"lamp\":\"%s\"}", name, shines);
    answer = bed_ask(bed, "lamp", params);
    ck_assert(json_is_true(json_object_get(answer, "ok")));
    count = (unsigned)json_integer_value(json_object_get(json_object_get(answer, "result"), what));
    json_decref(answer);
    return count;
}

static unsigned subscriptions(struct bed *bed)
{
    return lamp(bed, "none", NULL, "subscriptions");
}

/* SUBSCRIBE outside of dialogs; a 200 becomes the dialog of the phone's next verbs. */
static const struct message *subscribe(struct ua *ua, const char *name, const char *headers)
{
    char uri[ADDR_TEXT + 80], host[ADDR_TEXT], value[300];
    struct ask ask = {.method = "SUBSCRIBE", .uri = uri, .headers = headers, .account = true};
    const struct message *m;
    const char *tag;

    snprintf(uri, sizeof uri, "sip:%s@%s", name, addr_text(&ua->proxy, host));
    m = must(wire_ask(ua, &ask));
    if (m->status != 200)
        return m;
    message_header(m, "Call-ID", ua->call_id, sizeof ua->call_id);
    message_header(m, "From", value, sizeof value);
    tag = strstr(value, ";tag=");
    str_copy(ua->local_tag, sizeof ua->local_tag, tag + 5);
    str_copy_n(ua->from, sizeof ua->from, value, (size_t)(tag - value));
    message_header(m, "To", value, sizeof value);
    str_copy_n(ua->to, sizeof ua->to, value, (size_t)(strstr(value, ";tag=") - value));
    ua_learn(ua, m);
    return m;
}

#define LAMP "Event: lamp\r\n"

static int again(struct ua *ua, const char *headers)
{
    struct ask ask = {.method = "SUBSCRIBE", .in_dialog = true, .headers = headers};

    return wire_status(ua, &ask);
}

/* The next NOTIFY: answered with 200 when it says so, whose state begins like this, with this body. */
static void expect(struct ua *ua, const char *state, const char *body)
{
    struct message m = *must(ua_wait(ua, "NOTIFY"));
    char value[200];

    message_header(&m, "Subscription-State", value, sizeof value);
    ck_assert_msg(strncmp(value, state, strlen(state)) == 0, "%s\n%s", state, m.text);
    ck_assert_str_eq(message_body(&m), body);
    ck_assert_str_eq(message_header(&m, "Call-ID", value, sizeof value), ua->call_id);
    ck_assert_str_eq(message_header(&m, "Event", value, sizeof value), "lamp");
    ua_reply(ua, &m, 200, "OK", NULL);
}

static const struct config_sip_timers usual;

START_TEST(a_phone_that_subscribes_hears_how_it_is_and_every_change)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    char value[100];
    const struct message *m;

    m = subscribe(a, "hall", LAMP "Expires: 600\r\n");
    ck_assert_int_eq(m->status, 200);
    ck_assert_str_eq(message_header(m, "Expires", value, sizeof value), "600");
    expect(a, "active;expires=600", "hall is dark (whole, 0)\r\n");
    lamp(bed, "hall", "green", "ended");
    expect(a, "active;expires=", "hall is green (change, 1)\r\n");
    lamp(bed, "kitchen", "green", "ended"); /* which it does not watch */
    lamp(bed, "hall", "red", "ended");
    expect(a, "active;expires=", "hall is red (change, 2)\r\n");

    ck_assert_int_eq(again(a, LAMP "Expires: 300\r\n"), 200); /* a refresh brings all of it again */
    expect(a, "active;expires=300", "hall is red (whole, 3)\r\n");
    ck_assert_uint_eq(subscriptions(bed), 1);
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated;reason=timeout", "hall is red (whole, 4)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ck_assert_int_eq(again(a, LAMP "Expires: 300\r\n"), 481);
    ck_assert_uint_eq(lamp(bed, "hall", "blue", "ended"), 1);
    ck_assert_ptr_null(ua_wait_ms(a, "NOTIFY", 50));
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(a_phone_that_asks_once_gets_one_notify)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_phone(bed, "201");

    ck_assert_int_eq(subscribe(a, "hall", LAMP "Expires: 0\r\n")->status, 200);
    expect(a, "terminated;reason=timeout", "hall is dark (whole, 0)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(what_is_not_served_not_allowed_or_too_short_is_refused_and_the_answer_says_what_would_do)
{
    static const struct {
        const char *name, *headers;
        int status;
        const char *wants;
    } rows[] = {
        {"hall", "Event: weather\r\n", 489, "\r\nAllow-Events: lamp\r\n"},
        {"hall", "", 489, "\r\nAllow-Events: lamp\r\n"},
        {"hall", LAMP "Expires: 59\r\n", 423, "\r\nMin-Expires: 60\r\n"},
        {"hall", LAMP "Accept: image/png\r\n", 406, "\r\nAccept: text/plain, application/x-lamp\r\n"},
        {"hall", LAMP "Require: eventlist\r\n", 420, "\r\nUnsupported: eventlist\r\n"},
        {"secret", LAMP, 403, NULL},
        {"999", LAMP, 404, NULL},
    };
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    struct ask ask = {.method = "SUBSCRIBE", .headers = LAMP};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct message *m = subscribe(a, rows[i].name, rows[i].headers);

        ck_assert_msg(m->status == rows[i].status && (!rows[i].wants || strstr(m->text, rows[i].wants)),
                      "%s %s: want %d\n%s", rows[i].name, rows[i].headers, rows[i].status, m->text);
    }
    ck_assert_int_eq(wire_status(a, &ask), 401); /* a stranger, as with other requests */
    ask.account = true;
    ask.contact = "";
    ck_assert_int_eq(wire_status(a, &ask), 400);
    ck_assert_uint_eq(subscriptions(bed), 0);
    ck_assert_ptr_null(ua_wait_ms(a, "NOTIFY", 50));
    ua_close(a);
    bed_close(bed);
}
END_TEST

/* Whatever stands there: one answer, and what follows is as ever. */
START_TEST(odd_headers_get_an_answer)
{
    static const struct {
        const char *headers;
        int status;
    } rows[] = {
        {"Event:\r\n", 400},
        {"Event: ;id=1\r\n", 400},
        {LAMP "Event: lamp\r\n", 400},
        {"Event: lamp;id=0123456789012345678901234567890123456789012345678901234567890123456789\r\n", 400},
        {LAMP "Expires: soon\r\n", 400},
        {"Event: lamp.winfo\r\n", 489},
    };
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    char value[40];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct message *m = subscribe(a, "hall", rows[i].headers);

        ck_assert_msg(m->status == rows[i].status, "%s: want %d\n%s", rows[i].headers, rows[i].status, m->text);
    }
    ck_assert_str_eq(
        message_header(subscribe(a, "hall", LAMP "Expires: 4294967295\r\n"), "Expires", value, sizeof value), "7200");
    expect(a, "active;expires=7200", "hall is dark (whole, 0)\r\n");
    ck_assert_int_eq(again(a, "Event: lamp;id=1\r\nExpires: 0\r\n"), 200); /* another one, which only asks */
    ua_reply(a, must(ua_wait(a, "NOTIFY")), 200, "OK", NULL);
    bed_until(bed, subscriptions(bed) == 1);
    ck_assert_int_eq(again(a, "e: lamp\r\nExpires: 0\r\n"), 489); /* e is another header: the short form is o */
    ck_assert_int_eq(again(a, "o: lamp\r\nExpires: 0\r\n"), 200);
    expect(a, "terminated", "hall is dark (whole, 1)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(a_subscription_that_is_not_refreshed_ends_and_says_so)
{
    struct bed *bed = with_lamps("expires_min = 1\n", usual);
    struct ua *a = bed_registered(bed, "201");

    ck_assert_int_eq(subscribe(a, "hall", LAMP "Expires: 1\r\n")->status, 200);
    expect(a, "active;expires=1", "hall is dark (whole, 0)\r\n");
    expect(a, "terminated;reason=timeout", "hall is dark (whole, 1)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(while_a_notify_is_unanswered_changes_wait_and_the_newest_is_told)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    struct message m;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    m = *must(ua_wait(a, "NOTIFY"));
    lamp(bed, "hall", "red", "ended");
    lamp(bed, "hall", "green", "ended");
    lamp(bed, "hall", "blue", "ended");
    ua_reply(a, &m, 200, "OK", NULL);
    expect(a, "active", "hall is blue (change, 1)\r\n");
    ck_assert_ptr_null(ua_wait_ms(a, "NOTIFY", 50));
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "hall is blue (whole, 2)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(notifies_keep_their_interval_and_the_newest_state_wins)
{
    struct bed *bed = with_lamps("interval_ms = 400\n", usual);
    struct ua *a = bed_registered(bed, "201");
    uint64_t first;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    first = now_ms();
    lamp(bed, "hall", "red", "ended");
    lamp(bed, "hall", "green", "ended");
    expect(a, "active", "hall is green (change, 1)\r\n");
    ck_assert_uint_ge(now_ms() - first, 200);               /* the first was on its way for a while */
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200); /* who asks does not wait */
    expect(a, "terminated", "hall is green (whole, 2)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(after_a_lost_notify_the_phone_gets_the_whole_state_again)
{
    struct bed *bed = with_lamps("", (struct config_sip_timers){.t1 = 100, .t2 = 200, .t4 = 200, .t1x64 = 600});
    struct ua *a = bed_registered(bed, "201");
    char lost[60], cseq[60];
    struct message m;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    lamp(bed, "hall", "red", "ended");
    m = *must(ua_wait(a, "NOTIFY")); /* it and its repetitions stay without an answer */
    message_header(&m, "CSeq", lost, sizeof lost);
    lamp(bed, "hall", "green", "ended");
    do {
        m = *must(ua_wait(a, "NOTIFY"));
    } while (strcmp(message_header(&m, "CSeq", cseq, sizeof cseq), lost) == 0);
    ck_assert_str_eq(message_body(&m), "hall is green (whole, 2)\r\n");
    ua_reply(a, &m, 200, "OK", NULL);
    lamp(bed, "hall", "blue", "ended");
    expect(a, "active", "hall is blue (change, 3)\r\n");
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "hall is blue (whole, 4)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(a_phone_that_knows_no_such_subscription_hears_no_more_of_it)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    struct message m;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    m = *must(ua_wait(a, "NOTIFY"));
    ua_reply(a, &m, 481, "Subscription Does Not Exist", NULL);
    bed_until(bed, subscriptions(bed) == 0);
    lamp(bed, "hall", "red", "ended");
    ck_assert_ptr_null(ua_wait_ms(a, "NOTIFY", 50));
    ua_close(a);
    bed_close(bed);
}
END_TEST

/* Long before it would be tried again by itself. */
static bool comes_at_once(struct ua *ua, const char *method)
{
    for (uint64_t until = now_ms() + 1000; now_ms() < until;) {
        ua_poll(ua);
        for (unsigned i = 0; i < ua->in_count; i++)
            if (strcmp(ua->in[i].method, method) == 0)
                return true;
        loop_turn(ua->loop, 2);
    }
    return false;
}

/* 0: it changes when the phone is there again; 1: while there is no way to it; 2: and it has not answered yet. */
START_TEST(a_phone_that_has_registered_on_another_connection_is_told_there)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered_on(bed, UA_TCP, false, "201"), before;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    if (_i == 2) {
        lamp(bed, "hall", "red", "ended");
        must(ua_wait(a, "NOTIFY"));
    }
    before = *a;
    ua_reconnect(a);
    if (_i == 1)
        lamp(bed, "hall", "red", "ended");
    ck_assert_int_eq(ua_register(a, -1), 200);
    str_copy(a->call_id, sizeof a->call_id, before.call_id); /* the dialog again, which REGISTER is not part of */
    str_copy(a->local_tag, sizeof a->local_tag, before.local_tag);
    str_copy(a->remote_tag, sizeof a->remote_tag, before.remote_tag);
    str_copy(a->target, sizeof a->target, before.target);
    str_copy(a->from, sizeof a->from, before.from);
    str_copy(a->to, sizeof a->to, before.to);
    if (_i)
        ck_assert(comes_at_once(a, "NOTIFY"));
    else
        lamp(bed, "hall", "red", "ended");
    expect(a, "active", _i ? "hall is red (whole, 2)\r\n" : "hall is red (change, 1)\r\n");
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", _i ? "hall is red (whole, 3)\r\n" : "hall is red (whole, 2)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(who_has_to_wait_for_permission_is_told_so_and_nothing_else)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");

    ck_assert_int_eq(subscribe(a, "shy", LAMP)->status, 200);
    expect(a, "pending;expires=3600", "");
    lamp(bed, "shy", "pink", "ended");
    expect(a, "active", "shy is pink (whole, 0)\r\n");
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "shy is pink (whole, 1)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(what_is_gone_ends_its_subscriptions)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    json_t *answer;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    answer = bed_ask(bed, "lamp", "{\"lamp\":\"hall\",\"gone\":true}");
    json_decref(answer);
    expect(a, "terminated;reason=noresource", "hall is dark (whole, 1)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(while_the_switch_ends_nobody_subscribes_anew)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    char value[20];
    const struct message *m;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    bed->pbx->draining = true;
    m = subscribe(a, "kitchen", LAMP);
    ck_assert_int_eq(m->status, 503);
    ck_assert_str_eq(message_header(m, "Retry-After", value, sizeof value), "10");
    ck_assert_int_eq(again(a, LAMP "Expires: 300\r\n"), 200); /* which goes on after the restart */
    expect(a, "active;expires=300", "hall is dark (whole, 1)\r\n");
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "hall is dark (whole, 2)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    bed->pbx->draining = false;
    ua_close(a);
    bed_close(bed);
}
END_TEST

/* What `tandem subscriptions` says of the only one there is. */
static json_t *listed(struct bed *bed)
{
    json_t *answer = bed_ask(bed, "subscriptions", "{\"account\":\"201\"}");
    json_t *list = json_object_get(json_object_get(answer, "result"), "subscriptions"), *item;

    ck_assert_uint_eq(json_array_size(list), 1);
    item = json_incref(json_array_get(list, 0));
    json_decref(answer);
    return item;
}

static const char *text_of(const json_t *item, const char *key)
{
    const char *text = json_string_value(json_object_get(item, key));

    return text ? text : "";
}

START_TEST(an_operator_sees_who_watches_what_and_how_the_phone_took_it)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    json_t *item, *answer;
    struct message m;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    m = *must(ua_wait(a, "NOTIFY"));
    item = listed(bed);
    ck_assert_str_eq(text_of(item, "package"), "lamp");
    ck_assert_str_eq(text_of(item, "resource"), "hall");
    ck_assert_str_eq(text_of(item, "state"), "active");
    ck_assert_msg(strncmp(text_of(item, "contact"), "sip:201@", 8) == 0, "%s", text_of(item, "contact"));
    ck_assert_int_ge(json_integer_value(json_object_get(item, "expires_in")), 3500);
    ck_assert(json_is_null(json_object_get(item, "answer")));
    json_decref(item);
    ua_reply(a, &m, 500, "Busy", NULL);
    for (json_int_t status = 0; status != 500;) {
        loop_turn(bed->loop, 2);
        item = listed(bed);
        status = json_integer_value(json_object_get(item, "answer"));
        ck_assert_int_eq(json_integer_value(json_object_get(item, "lost")), status ? 1 : 0);
        json_decref(item);
    }
    answer = bed_ask(bed, "subscriptions", "{\"account\":\"202\"}");
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(answer, "result"), "subscriptions")), 0);
    json_decref(answer);
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "hall is dark (whole, 1)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(an_account_has_so_many_subscriptions_and_no_more)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    bed_setting(bed, "max_subscriptions", "1");
    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    ck_assert_int_eq(subscribe(b, "hall", LAMP)->status, 200); /* another account has its own */
    expect(b, "active", "hall is dark (whole, 0)\r\n");
    ck_assert_int_eq(subscribe(a, "kitchen", LAMP)->status, 403);
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "hall is dark (whole, 1)\r\n");
    ck_assert_int_eq(again(b, LAMP "Expires: 0\r\n"), 200);
    expect(b, "terminated", "hall is dark (whole, 1)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_subscription_in_the_dialog_of_a_call_outlives_the_call)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ck_assert_int_eq(again(a, LAMP), 200);
    expect(a, "active", "202 is dark (whole, 0)\r\n");
    ck_assert_int_eq(ua_request(a, "UPDATE", NULL), 200); /* the call goes on as ever */
    lamp(bed, "202", "red", "ended");
    expect(a, "active", "202 is red (change, 1)\r\n");

    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ck_assert_uint_eq(subscriptions(bed), 1);
    lamp(bed, "202", "green", "ended");
    expect(a, "active", "202 is green (change, 2)\r\n");
    ck_assert_int_eq(ua_request(a, "UPDATE", NULL), 481); /* there is no call any more */
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "202 is green (whole, 3)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* a calls b, and is told of a lamp in the dialog of the call, as if it had sent a REFER. */
static void follow(struct bed *bed, struct ua *a, struct ua *b)
{
    char id[UUID_TEXT], params[100];
    json_t *answer;

    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    uuid_text(&LIST_ENTRY(bed->pbx->calls.next, struct call, in_pbx)->id, id);
    snprintf(params, sizeof params, "{\"call\":\"%s\"}", id);
    answer = bed_ask(bed, "lamp-follow", params);
    ck_assert(json_is_true(json_object_get(answer, "ok")));
    json_decref(answer);
}

START_TEST(a_subscription_that_a_request_in_a_call_has_made_does_not_outlive_the_switch_and_the_phone_hears_so)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message m;
    char value[100];

    follow(bed, a, b);
    ua_reply(a, must(ua_wait(a, "NOTIFY")), 200, "OK", NULL);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    bed_abandon(bed);
    ua_poll(a);
    ck_assert_uint_ge(a->in_count, 1);
    m = *ua_take(a, a->in_count - 1);
    ck_assert_str_eq(m.method, "NOTIFY");
    message_header(&m, "Subscription-State", value, sizeof value);
    ck_assert_msg(strncmp(value, "terminated;reason=probation;retry-after=", 40) == 0, "%s", value);
    ua_close(a);
    ua_close(b);
}
END_TEST

START_TEST(a_subscription_that_a_request_in_a_call_has_made_ends_after_the_call)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    char value[60];
    struct message m;

    follow(bed, a, b);
    m = *must(ua_wait(a, "NOTIFY"));
    ck_assert_str_eq(message_header(&m, "Event", value, sizeof value), "lamp;id=77");
    ck_assert_str_eq(message_header(&m, "Call-ID", value, sizeof value), a->call_id);
    ck_assert_str_eq(message_body(&m), "201 is dark (whole, 0)\r\n");
    ua_bye(a); /* before it has answered the NOTIFY */
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ua_reply(a, &m, 200, "OK", NULL);
    lamp(bed, "201", "red", "ended");
    m = *must(ua_wait(a, "NOTIFY"));
    ck_assert_str_eq(message_body(&m), "201 is red (change, 1)\r\n");
    ua_reply(a, &m, 200, "OK", NULL);
    ck_assert_int_eq(again(a, "Event: lamp;id=77\r\nExpires: 0\r\n"), 200);
    m = *must(ua_wait(a, "NOTIFY"));
    ck_assert_ptr_nonnull(strstr(m.text, "\r\nSubscription-State: terminated;reason=timeout\r\n"));
    ua_reply(a, &m, 200, "OK", NULL);
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_phone_that_rings_is_asked_to_subscribe_a_little_later)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message invite;

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    ua_reply(b, &invite, 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    ck_assert_int_eq(again(b, LAMP), 500);
    ck_assert_uint_eq(subscriptions(bed), 0);
    ua_reply(b, &invite, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ck_assert_int_eq(again(b, LAMP "Expires: 0\r\n"), 200);
    ua_reply(b, must(ua_wait(b, "NOTIFY")), 200, "OK", NULL);
    bed_until(bed, subscriptions(bed) == 0);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_call_outlives_a_subscription_in_its_dialog)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "202 is dark (whole, 0)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ck_assert_uint_eq(bed->calls_ended, 0);
    ua_bye(b);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_restart_of_the_switch_ends_no_subscription)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    char value[60];
    struct message m;
    unsigned before, cseq;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    m = *must(ua_wait(a, "NOTIFY"));
    before = (unsigned)atoi(message_header(&m, "CSeq", value, sizeof value));
    ua_reply(a, &m, 200, "OK", NULL);
    for (int i = 0; i < 2; i++) {
        bed_restart(bed);
        m = *must(ua_wait(a, "NOTIFY")); /* the whole state, in the same dialog */
        ck_assert_ptr_nonnull(strstr(message_body(&m), "hall is dark (whole, "));
        ck_assert_str_eq(message_header(&m, "Call-ID", value, sizeof value), a->call_id);
        cseq = (unsigned)atoi(message_header(&m, "CSeq", value, sizeof value));
        ck_assert_uint_gt(cseq, before);
        before = cseq;
        ua_reply(a, &m, 200, "OK", NULL);
    }
    ck_assert_uint_eq(subscriptions(bed), 1);
    lamp(bed, "hall", "red", "ended");
    m = *must(ua_wait(a, "NOTIFY"));
    ck_assert_ptr_nonnull(strstr(message_body(&m), "hall is red (change, "));
    ua_reply(a, &m, 200, "OK", NULL);
    ck_assert_int_eq(again(a, LAMP "Expires: 300\r\n"), 200);
    m = *must(ua_wait(a, "NOTIFY"));
    ck_assert_ptr_nonnull(strstr(m.text, "\r\nSubscription-State: active;expires=300\r\n"));
    ua_reply(a, &m, 200, "OK", NULL);
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    ua_reply(a, must(ua_wait(a, "NOTIFY")), 200, "OK", NULL);
    bed_until(bed, subscriptions(bed) == 0);

    bed_restart(bed); /* what has ended does not come back */
    ck_assert_ptr_null(ua_wait_ms(a, "NOTIFY", 700));
    ck_assert_uint_eq(subscriptions(bed), 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(when_an_account_is_removed_its_subscriptions_end)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_phone(bed, "201");
    struct snapshot *snapshot;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    snapshot_drop_account(snapshot, "201");
    db_set_snapshot(bed->pbx->db, snapshot);
    expect(a, "terminated;reason=rejected", "");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(an_account_that_is_disabled_hears_nothing_more)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    struct snapshot *snapshot;
    struct account *account;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    account = account_new("201", "tandem", "another secret");
    account->enabled = false;
    snapshot_put_account(snapshot, account);
    db_set_snapshot(bed->pbx->db, snapshot);
    lamp(bed, "hall", "red", "ended");
    expect(a, "terminated;reason=rejected", "");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

/* --- NOTIFYs that nobody has asked for ------------------------------------------------------------------------------
 */

static void expect_check_sync(struct ua *ua, const char *event)
{
    struct message m = *must(ua_wait(ua, "NOTIFY"));
    char value[200];

    ck_assert_str_eq(message_header(&m, "Event", value, sizeof value), event);
    ck_assert_str_eq(message_header(&m, "Subscription-State", value, sizeof value), "terminated");
    ck_assert_ptr_null(strstr(message_header(&m, "To", value, sizeof value), ";tag="));
    ua_reply(ua, &m, 200, "OK", NULL);
}

static void notify_fails(struct bed *bed, const char *params, const char *code)
{
    json_t *answer = bed_ask(bed, "notify", params);

    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(answer, "error"), "code")), code);
    json_decref(answer);
}

START_TEST(an_operator_tells_all_phones_of_an_account_to_read_their_configuration)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *desk = bed_registered(bed, "201"), *home = bed_registered_on(bed, UA_TCP, false, "201");
    struct ua *other = bed_registered(bed, "202");
    json_t *answer = bed_ask(bed, "notify", "{\"account\":\"201\",\"event\":\"check-sync;reboot=true\"}");

    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(answer, "result"), "phones")), 2);
    json_decref(answer);
    expect_check_sync(desk, "check-sync;reboot=true");
    expect_check_sync(home, "check-sync;reboot=true");
    ck_assert_ptr_null(ua_wait_ms(other, "NOTIFY", 50));
    notify_fails(bed, "{\"account\":\"299\",\"event\":\"check-sync\"}", "not-found");
    notify_fails(bed, "{\"account\":\"203\",\"event\":\"check-sync\"}", "unavailable");
    notify_fails(bed, "{\"account\":\"201\",\"event\":\"check-sync\\r\\nSubject: x\"}", "bad-request");
    notify_fails(bed, "{\"account\":\"201\"}", "bad-request");
    ua_close(desk);
    ua_close(home);
    ua_close(other);
    bed_close(bed);
}
END_TEST

START_TEST(a_phone_that_refuses_a_notify_leaves_nothing_behind)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201");
    struct message m;

    json_decref(bed_ask(bed, "notify", "{\"account\":\"201\",\"event\":\"check-sync\"}"));
    m = *must(ua_wait(a, "NOTIFY"));
    ua_reply(a, &m, 489, "Bad Event", NULL);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(a_dialplan_tells_phones_to_read_their_configuration)
{
    struct bed *bed = bed_open(NULL, "extension('internal', '*9', function(call)\n"
                                     "  assert(pbx.notify('202', 'check-sync') == 1)\n"
                                     "  assert(pbx.notify('203', 'check-sync') == 0)\n"
                                     "  assert(pbx.notify('299', 'check-sync') == nil)\n"
                                     "  assert(not pcall(pbx.notify, '202', 'a\\r\\nb'))\n"
                                     "  call:hangup('busy')\n"
                                     "end)\n");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    ua_invite(a, "*9", NULL);
    expect_check_sync(b, "check-sync");
    ua_ack(a, must(ua_wait(a, "486")));
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("events");
    TCase *tc = tcase_create("events");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_phone_that_subscribes_hears_how_it_is_and_every_change);
    tcase_add_test(tc, a_phone_that_asks_once_gets_one_notify);
    tcase_add_test(tc, what_is_not_served_not_allowed_or_too_short_is_refused_and_the_answer_says_what_would_do);
    tcase_add_test(tc, odd_headers_get_an_answer);
    tcase_add_test(tc, a_subscription_that_is_not_refreshed_ends_and_says_so);
    tcase_add_test(tc, while_a_notify_is_unanswered_changes_wait_and_the_newest_is_told);
    tcase_add_test(tc, notifies_keep_their_interval_and_the_newest_state_wins);
    tcase_add_test(tc, after_a_lost_notify_the_phone_gets_the_whole_state_again);
    tcase_add_test(tc, a_phone_that_knows_no_such_subscription_hears_no_more_of_it);
    tcase_add_loop_test(tc, a_phone_that_has_registered_on_another_connection_is_told_there, 0, 3);
    tcase_add_test(tc, who_has_to_wait_for_permission_is_told_so_and_nothing_else);
    tcase_add_test(tc, what_is_gone_ends_its_subscriptions);
    tcase_add_test(tc, while_the_switch_ends_nobody_subscribes_anew);
    tcase_add_test(tc, an_operator_sees_who_watches_what_and_how_the_phone_took_it);
    tcase_add_test(tc, an_account_has_so_many_subscriptions_and_no_more);
    tcase_add_test(tc, a_subscription_in_the_dialog_of_a_call_outlives_the_call);
    tcase_add_test(tc,
                   a_subscription_that_a_request_in_a_call_has_made_does_not_outlive_the_switch_and_the_phone_hears_so);
    tcase_add_test(tc, a_subscription_that_a_request_in_a_call_has_made_ends_after_the_call);
    tcase_add_test(tc, a_phone_that_rings_is_asked_to_subscribe_a_little_later);
    tcase_add_test(tc, a_call_outlives_a_subscription_in_its_dialog);
    tcase_add_test(tc, a_restart_of_the_switch_ends_no_subscription);
    tcase_add_test(tc, when_an_account_is_removed_its_subscriptions_end);
    tcase_add_test(tc, an_account_that_is_disabled_hears_nothing_more);
    tcase_add_test(tc, an_operator_tells_all_phones_of_an_account_to_read_their_configuration);
    tcase_add_test(tc, a_phone_that_refuses_a_notify_leaves_nothing_behind);
    tcase_add_test(tc, a_dialplan_tells_phones_to_read_their_configuration);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
