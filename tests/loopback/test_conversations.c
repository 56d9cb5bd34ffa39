/* Conversations between scripted phones: who talked to whom, in which order and by whose doing, and that `tandem why`
 * and `tandem call` tell the same of all calls that belong together. */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"
#include "call/originate.h"
#include "call/talk.h"
#include "pickup_bed.h"

/* 201 (a) talks to 202 (b), which has a second line (b2); 203 (c) is there. */
static struct party {
    struct bed *bed;
    struct ua *a, *b, *b2, *c;
    struct bus_subscription *subscription;
    char story[2000];           /* talks that began */
    char first[40], latest[40]; /* ids of calls */
    unsigned joined;            /* calls that became part of another one's conversation */
    char at_last[128];          /* of the last call that ended with somebody left alone */
} p;

static void heard(void *arg, const struct event *event)
{
    size_t used = strlen(p.story);

    if (event->kind == EVENT_CALL_NEW) {
        uuid_text(&event->call->id, p.latest);
        if (!p.first[0])
            str_copy(p.first, sizeof p.first, p.latest);
    } else if (event->kind == EVENT_CALL_JOINED) {
        p.joined++;
    } else if (event->kind == EVENT_CALL_ENDED) {
        if (event->call->at_last[0])
            str_copy(p.at_last, sizeof p.at_last, event->call->at_last);
    } else if (!event->talk->until_us) {
        str_append(p.story, sizeof p.story, &used, "%s%s", used ? "; " : "", event->detail);
    }
}

static void connects(struct ua *x, struct ua *y)
{
    struct message m;

    ua_invite(x, y->user, NULL);
    m = *must(ua_wait(y, "INVITE"));
    ua_reply(y, &m, 200, "OK", NULL);
    must(ua_wait(y, "ACK"));
    ua_ack(x, must(ua_wait(x, "200")));
}

static void open_phones(const char *dialplan)
{
    memset(&p, 0, sizeof p);
    p.bed = bed_open(pickup_modules, dialplan);
    p.subscription = bus_subscribe(p.bed->pbx->bus,
                                   EVENT_BIT(EVENT_CALL_NEW) | EVENT_BIT(EVENT_CALL_ENDED) | EVENT_BIT(EVENT_TALK) |
                                       EVENT_BIT(EVENT_CALL_JOINED),
                                   heard, NULL);
    p.a = bed_registered(p.bed, "201");
    p.b = bed_registered(p.bed, "202");
    p.b2 = bed_phone(p.bed, "202");
    p.c = bed_registered(p.bed, "203");
}

static void open_party(void)
{
    open_phones(NULL);
    connects(p.a, p.b);
}

static void close_party(void)
{
    ck_assert(list_empty(&p.bed->pbx->talks));
    bus_unsubscribe(p.subscription);
    ua_close(p.a);
    ua_close(p.b);
    ua_close(p.b2);
    ua_close(p.c);
    bed_close(p.bed);
}

/* Nobody wants to be told how it goes. */
static void refer(struct ua *by, const char *to)
{
    char headers[900];
    const struct ask ask = {.method = "REFER", .in_dialog = true, .headers = headers};

    snprintf(headers, sizeof headers, "Refer-To: <sip:%s>\r\nRefer-Sub: false\r\nRequire: norefersub\r\n", to);
    ck_assert_int_eq(wire_status(by, &ask), 202);
}

static void refer_replacing(struct ua *by, struct ua *line)
{
    char to[600];

    snprintf(to, sizeof to, "203@tandem?Replaces=%s%%3Bto-tag%%3D%s%%3Bfrom-tag%%3D%s", line->call_id, line->remote_tag,
             line->local_tag);
    refer(by, to);
}

static void answers(struct ua *ua)
{
    struct message m = *must(ua_wait(ua, "INVITE"));

    ua_reply(ua, &m, 200, "OK", NULL);
    must(ua_wait(ua, "ACK"));
}

static void rings(struct ua *ua)
{
    ua_reply(ua, must(ua_wait(ua, "INVITE")), 180, "Ringing", NULL);
}

static void is_let_go(struct ua *ua)
{
    ua_reply(ua, must(ua_wait(ua, "BYE")), 200, "OK", NULL);
}

static void ends(struct ua *x, struct ua *y, unsigned calls)
{
    ua_bye(x);
    is_let_go(y);
    bed_until(p.bed, p.bed->calls_ended == calls);
}

/* The words of `tandem why` for this call; its facts too. Valid until the next call. */
static const char *why(const char *id)
{
    static char text[8000];
    char params[100];
    json_t *answer;

    snprintf(params, sizeof params, "{\"id\":\"%s\"}", id);
    answer = bed_ask(p.bed, "why", params);
    str_copy(text, sizeof text, json_string_value(json_object_get(json_object_get(answer, "result"), "sentence")));
    json_decref(answer);
    return text;
}

/* text has these words, in this order. */
static void reads(const char *text, const char *const *words)
{
    const char *at = text, *handed = strstr(text, " hands ");

    ck_assert_msg(!handed || !strstr(handed + 1, " hands "), "it is told twice: %s", text);

    for (; *words; words++) {
        at = strstr(at, *words);
        ck_assert_msg(at != NULL, "\"%s\" is not there, or not in its place: %s", *words, text);
        at += strlen(*words);
    }
}
#define READS(text, ...) reads(text, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(a_plain_call_is_one_talk_and_reads_as_ever)
{
    open_party();
    ends(p.a, p.b, 1);
    ck_assert_str_eq(p.story, "201 talks to 202");
    READS(why(p.first), "201 called 202 at ", "202 answered, they talked for 0 seconds, and the caller hung up.");
    close_party();
}
END_TEST

/* A script may log what begins like a module's words, and is none. */
START_TEST(what_a_script_logs_leaves_the_words_whole)
{
    open_phones("extension('internal', '_X.', function(call)\n"
                "  call:log('pickup: ')\n"
                "  call:log('parking: ')\n"
                "  call:dial{ to = call.extension }\n"
                "end)\n");
    connects(p.a, p.b);
    ends(p.a, p.b, 1);
    READS(why(p.first), "201 called 202 at ", "202 answered, they talked for ");
    close_party();
}
END_TEST

START_TEST(a_transfer_reads_with_its_path)
{
    open_party();
    refer(p.b, "203@tandem");
    answers(p.c);
    is_let_go(p.b);
    ck_assert_ptr_nonnull(strstr(why(p.first), "still running"));
    ends(p.c, p.a, 1);
    ck_assert_str_eq(p.story, "201 talks to 202; 201 talks to 203 (by transfer of 202)");
    READS(why(p.first), "201 called 202 at ", ": 201 talks to 202; ", ": 202 hands 201 over to 203; ",
          ": 201 talks to 203 (by transfer of 202). ", "the callee hung up. Nothing went wrong.");
    close_party();
}
END_TEST

START_TEST(a_transfer_that_fails_reads_so)
{
    open_party();
    refer(p.b, "203@tandem");
    ua_reply(p.c, must(ua_wait(p.c, "INVITE")), 486, "Busy Here", NULL);
    must(ua_wait(p.c, "ACK"));
    bed_until(p.bed, strstr(p.story, "recall") != NULL);
    ends(p.a, p.b, 1);
    ck_assert_str_eq(p.story, "201 talks to 202; 201 talks to 202 (recall)");
    READS(why(p.first), "202 hands 201 over to 203; ",
          "to 203 failed, 202 gets 201 back: ", "201 talks to 202 (recall). ");
    close_party();
}
END_TEST

START_TEST(who_transferred_hung_up_and_is_called_back_talks_by_recall)
{
    open_party();
    refer(p.b, "203@tandem");
    ua_bye(p.b);
    ua_reply(p.c, must(ua_wait(p.c, "INVITE")), 486, "Busy Here", NULL);
    must(ua_wait(p.c, "ACK"));
    answers(p.b);
    bed_until(p.bed, strstr(p.story, "recall") != NULL);
    ends(p.a, p.b, 1);
    ck_assert_str_eq(p.story, "201 talks to 202; 201 talks to 202 (recall)");
    close_party();
}
END_TEST

START_TEST(a_consultation_is_part_of_the_conversation_whichever_line_asks_and_whichever_id_is_given)
{
    for (int second = 0; second < 2; second++) {
        json_t *answer, *calls;
        char params[100];

        open_party();
        connects(p.b2, p.c);
        refer_replacing(second ? p.b2 : p.b, second ? p.b : p.b2);
        is_let_go(p.b);
        is_let_go(p.b2);
        bed_until(p.bed, p.bed->calls_ended == 1);
        ck_assert_uint_eq(p.joined, 1);
        for (int which = 0; which < 2; which++) {
            READS(why(which ? p.latest : p.first), "201 called 202 at ", ": 201 talks to 202; ", ": 202 talks to 203; ",
                  "after talking to both; ", ": 201 talks to 203 (by attended transfer of 202). ", "still running");
            snprintf(params, sizeof params, "{\"id\":\"%s\"}", which ? p.latest : p.first);
            answer = bed_ask(p.bed, "call", params);
            calls = json_object_get(json_object_get(answer, "result"), "calls");
            ck_assert_uint_eq(json_array_size(calls), 2);
            ck_assert_str_eq(json_string_value(json_array_get(calls, 0)), p.first);
            ck_assert_str_eq(json_string_value(json_array_get(calls, 1)), p.latest);
            json_decref(answer);
        }
        ends(p.a, p.c, 2);
        READS(why(p.latest), "201 called 202 at ", "(by attended transfer of 202). ", "hung up. Nothing went wrong.");
        close_party();
    }
}
END_TEST

START_TEST(a_target_that_still_rang_belongs_to_the_conversation)
{
    struct message m;

    open_party();
    ua_invite(p.b2, "203", NULL);
    ua_reply(p.c, must(ua_wait(p.c, "INVITE")), 180, "Ringing", NULL);
    m = *must(ua_wait(p.b2, "180"));
    ua_learn(p.b2, &m);
    refer_replacing(p.b, p.b2);
    ua_reply(p.c, must(ua_wait(p.c, "CANCEL")), 200, "OK", NULL);
    ua_reply(p.c, &p.c->invite, 487, "Request Terminated", NULL);
    must(ua_wait(p.c, "ACK"));
    ua_ack(p.b2, must(ua_wait(p.b2, "480")));
    answers(p.c);
    is_let_go(p.b);
    ck_assert_uint_eq(p.joined, 1);
    ends(p.a, p.c, 2);
    ck_assert_str_eq(p.story, "201 talks to 202; 201 talks to 203 (by transfer of 202)");
    READS(why(p.latest), "201 called 202 at ", ": 201 talks to 203 (by transfer of 202). ");
    close_party();
}
END_TEST

START_TEST(another_phone_of_the_account_goes_on_with_the_conversation)
{
    char headers[600];

    open_party();
    snprintf(headers, sizeof headers, "Require: replaces\r\nReplaces: %s;to-tag=%s;from-tag=%s\r\n", p.b->call_id,
             p.b->remote_tag, p.b->local_tag);
    p.b2->extra = headers;
    ua_invite(p.b2, "201", NULL);
    p.b2->extra = NULL;
    ua_ack(p.b2, must(ua_wait(p.b2, "200")));
    is_let_go(p.b);
    ends(p.a, p.b2, 1);
    ck_assert_str_eq(p.story, "201 talks to 202; 201 talks to 202 (another phone)");
    close_party();
}
END_TEST

START_TEST(a_forwarded_call_reads_with_who_forwards)
{
    struct message m;

    open_phones(NULL);
    ua_invite(p.a, "202", NULL);
    m = *must(ua_wait(p.b, "INVITE"));
    p.b->no_contact = true;
    p.b->extra = "Contact: <sip:203@tandem>\r\n";
    ua_reply(p.b, &m, 302, "Moved Temporarily", NULL);
    p.b->extra = NULL;
    must(ua_wait(p.b, "ACK"));
    answers(p.c);
    ua_ack(p.a, must(ua_wait(p.a, "200")));
    ends(p.a, p.c, 1);
    ck_assert_str_eq(p.story, "201 talks to 203 (by forward of 202)");
    READS(why(p.first), "201 called 202 at ", ": the phone of 202 sends the call on to 203; ",
          ": 201 talks to 203 (by forward of 202). ", "the caller hung up. Nothing went wrong.");
    close_party();
}
END_TEST

START_TEST(a_call_that_was_picked_up_is_one_conversation)
{
    open_phones(pickup_dialplan);
    rings_at(p.a, p.b, NULL);
    gets_through(p.c, "*8202");
    ua_ack(p.a, must(ua_wait(p.a, "200")));
    stops_ringing(p.b);
    ck_assert_uint_eq(p.joined, 1);
    bed_until(p.bed, p.bed->calls_ended == 1);
    ends(p.a, p.c, 2);
    ck_assert_str_eq(p.story, "201 talks to 203 (by pickup from 202)");
    for (int which = 0; which < 2; which++)
        READS(why(which ? p.latest : p.first), "201 called 202 at ",
              ": 203 picks up the call of 201 that rings at 202; ", ": 201 talks to 203 (by pickup from 202). ",
              "the caller hung up. Nothing went wrong.");
    close_party();
}
END_TEST

START_TEST(who_was_parked_and_fetched_reads_so)
{
    open_phones(pickup_dialplan);
    connects(p.a, p.b);
    refer(p.b, "*74@tandem");
    is_let_go(p.b);
    bed_until(p.bed, p.bed->pbx->leg_count == 1);
    gets_through(p.c, "*74");
    bed_until(p.bed, p.bed->calls_ended == 1);
    ck_assert_uint_eq(p.joined, 1);
    ends(p.c, p.a, 2);
    ck_assert_str_eq(p.story, "201 talks to 202; 201 talks to 203 (by park of 202)");
    for (int which = 0; which < 2; which++)
        READS(why(which ? p.latest : p.first), "201 called 202 at ", ": 201 talks to 202; ",
              ": 202 hands 201 over to *74; ", ": 201 is parked in slot 4 by 202; ", ": 203 fetches 201; ",
              ": 201 talks to 203 (by park of 202). ", "hung up. Nothing went wrong.");
    close_party();
}
END_TEST

START_TEST(who_comes_into_a_conference_by_transfer_reads_so)
{
    open_party();
    refer(p.b, "*3100@tandem");
    is_let_go(p.b);
    bed_until(p.bed, strstr(p.story, "conference") != NULL);
    ck_assert_str_eq(p.story, "201 talks to 202; 201 is in conference 100 (by transfer of 202)");
    ua_bye(p.a);
    bed_until(p.bed, p.bed->calls_ended == 1);
    READS(why(p.first), ": 202 hands 201 over to *3100; ", ": 201 is in conference 100 (by transfer of 202). ");
    close_party();
}
END_TEST

START_TEST(who_gave_up_while_he_was_parked_reads_so)
{
    open_phones(pickup_dialplan);
    connects(p.a, p.b);
    refer(p.b, "*74@tandem");
    is_let_go(p.b);
    bed_until(p.bed, p.bed->pbx->leg_count == 1);
    ua_bye(p.a);
    bed_until(p.bed, p.bed->calls_ended == 1);
    ck_assert_str_eq(p.story, "201 talks to 202");
    ck_assert_str_eq(p.at_last, "parked in slot 4 by 202, and gave up");
    READS(why(p.first), ": 201 is parked in slot 4 by 202; ", ": 201 leaves slot 4: he has hung up. ");
    close_party();
}
END_TEST

START_TEST(who_is_called_back_from_parking_talks_again_and_in_vain_it_reads_so)
{
    for (int takes = 0; takes < 2; takes++) {
        open_phones(pickup_dialplan);
        bed_setting(p.bed, "park_timeout", "1");
        connects(p.a, p.b);
        refer(p.b, "*74@tandem");
        is_let_go(p.b);
        if (takes) {
            answers(p.b);
            bed_until(p.bed, strstr(p.story, "recall") != NULL);
            ends(p.a, p.b, 1);
            ck_assert_str_eq(p.story, "201 talks to 202; 201 talks to 202 (recall from parking)");
            ck_assert_str_eq(p.at_last, "");
        } else {
            ua_reply(p.b, must(ua_wait(p.b, "INVITE")), 603, "Decline", NULL);
            must(ua_wait(p.b, "ACK"));
            bed_until(p.bed, strstr(why(p.first), "waits in slot 4 again") != NULL);
            ua_bye(p.a);
            bed_until(p.bed, p.bed->calls_ended == 1);
            ck_assert_str_eq(p.at_last, "parked in slot 4 by 202, and gave up");
            READS(why(p.first), ": 201 waits in slot 4 again, 202 was called back in vain: rejected; ");
        }
        close_party();
    }
}
END_TEST

START_TEST(a_transfer_that_nobody_takes_and_a_recall_that_nobody_takes_leave_the_caller_alone)
{
    open_party();
    refer(p.b, "203@tandem");
    rings(p.c);
    ua_bye(p.b);
    ua_reply(p.c, &p.c->invite, 486, "Busy Here", NULL);
    must(ua_wait(p.c, "ACK"));
    ua_reply(p.b, must(ua_wait(p.b, "INVITE")), 486, "Busy Here", NULL);
    must(ua_wait(p.b, "ACK"));
    is_let_go(p.a);
    bed_until(p.bed, p.bed->calls_ended == 1);
    ck_assert_str_eq(p.at_last, "alone: 202 was called back in vain");
    READS(why(p.first), ": 202 hands 201 over to 203; ",
          "to 203 failed, 202 is called back for 201: ", "The phone of 202 said that it is busy.");
    close_party();
}
END_TEST

/* 600 is a number that rings beside 202's phone, as a member of a group outside would. */
static const char ring_dialplan[] =
    "extension('internal', '600', function(call)\n"
    "  call:dial{ to = { '202', 'number:internal//0203' } }\n"
    "end)\n"
    "extension('internal', '601', function(call)\n"
    "  call:dial{ to = { { 'number:internal//0203', confirm = true } } }\n"
    "end)\n"
    "extension('internal', '_0X.', function(call) call:dial{ to = call.extension:sub(2) } end)\n"
    "extension('internal', '_X.', function(call) call:dial{ to = call.extension } end)\n";

static void rings_outside(const char *number)
{
    open_phones(ring_dialplan);
    ua_invite(p.a, number, NULL);
    rings(p.c);
}

static void takes_it(struct ua *ua)
{
    ua_reply(ua, &ua->invite, 200, "OK", NULL);
    must(ua_wait(ua, "ACK"));
}

START_TEST(a_number_that_rings_for_another_call_is_part_of_it)
{
    rings_outside("600");
    rings(p.b);
    takes_it(p.c);
    ua_ack(p.a, must(ua_wait(p.a, "200")));
    stops_ringing(p.b);
    ck_assert_uint_eq(p.joined, 1);
    ends(p.a, p.c, 2);
    ck_assert_str_eq(p.story, "201 talks to 203");
    for (int which = 0; which < 2; which++)
        READS(why(which ? p.latest : p.first), "201 called 600 at ",
              "0203 answered, they talked for 0 seconds, and the caller hung up.");
    close_party();
}
END_TEST

START_TEST(who_answers_at_a_number_that_rings_for_another_call_may_hand_the_caller_over)
{
    rings_outside("600");
    rings(p.b);
    takes_it(p.c);
    ua_ack(p.a, must(ua_wait(p.a, "200")));
    stops_ringing(p.b);
    ck_assert_uint_eq(p.joined, 1);
    bed_until(p.bed, strcmp(p.story, "201 talks to 203") == 0);
    refer(p.c, "202@tandem");
    answers(p.b);
    is_let_go(p.c);
    bed_until(p.bed, strstr(p.story, "transfer") != NULL);
    ends(p.b, p.a, 2);
    ck_assert_str_eq(p.story, "201 talks to 203; 201 talks to 202 (by transfer of 203)");
    READS(why(p.first), "201 called 600 at ", ": 201 talks to 203; ", ": 203 hands 201 over to 202; ",
          ": 201 talks to 202 (by transfer of 203). ", "the callee hung up.");
    close_party();
}
END_TEST

START_TEST(the_other_phones_are_told_that_somebody_else_took_the_call)
{
    rings_outside("600");
    rings(p.b);
    takes_it(p.b);
    ua_ack(p.a, must(ua_wait(p.a, "200")));
    stops_ringing(p.c); /* which says so */
    ends(p.a, p.b, 2);
    ck_assert_str_eq(p.story, "201 talks to 202");
    READS(why(p.latest), "201 called 600 at ", "202 answered, they talked for 0 seconds, and the caller hung up.");
    close_party();
}
END_TEST

START_TEST(who_answers_and_does_not_take_the_call_has_not_talked)
{
    rings_outside("601");
    takes_it(p.c);
    bed_until(p.bed, p.joined == 1);
    ua_cancel(p.a);
    ua_ack(p.a, must(ua_wait(p.a, "487")));
    is_let_go(p.c);
    bed_until(p.bed, p.bed->calls_ended == 2);
    ck_assert_str_eq(p.story, "");
    READS(why(p.first), "201 called 601 at ", "The caller gave up ");
    close_party();
}
END_TEST

START_TEST(who_comes_too_late_to_pick_up_or_to_fetch_reads_why)
{
    static const struct {
        const char *dialled, *words;
    } late[] = {
        {"*8202", "Nothing rings at 202 that 203 could take; the call was answered by 202."},
        {"*8", "Nothing rings that 203 could take."},
        {"*79", "Nobody waits in slot 9."},
    };

    open_phones(pickup_dialplan);
    connects(p.a, p.b);
    for (unsigned i = 0; i < COUNT_OF(late); i++) {
        gets_through(p.c, late[i].dialled);
        is_let_go(p.c);
        bed_until(p.bed, p.bed->calls_ended == i + 1);
        READS(why(p.latest), "203 called ", late[i].words);
    }
    ends(p.a, p.b, COUNT_OF(late) + 1);
    close_party();
}
END_TEST

START_TEST(a_call_that_the_switch_makes_reads_as_its)
{
    const struct originate_wish wish = {.account = "201", .to = "202", .origin = "call-back"};
    struct uuid id;
    char refused[100];

    open_phones(NULL);
    ck_assert_int_eq(originate(p.bed->pbx, &wish, NULL, NULL, &id, refused, sizeof refused), 0);
    answers(p.a);
    answers(p.b);
    bed_until(p.bed, strstr(p.story, "talks") != NULL);
    ends(p.b, p.a, 1);
    ck_assert_str_eq(p.story, "201 talks to 202");
    READS(why(p.first), "The switch called 201 at ", ", to connect it with 202 (call-back). 202 answered, ",
          "the callee hung up.");
    close_party();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conversations");
    TCase *tc = tcase_create("conversations");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_plain_call_is_one_talk_and_reads_as_ever);
    tcase_add_test(tc, what_a_script_logs_leaves_the_words_whole);
    tcase_add_test(tc, a_transfer_reads_with_its_path);
    tcase_add_test(tc, a_transfer_that_fails_reads_so);
    tcase_add_test(tc, who_transferred_hung_up_and_is_called_back_talks_by_recall);
    tcase_add_test(tc, a_consultation_is_part_of_the_conversation_whichever_line_asks_and_whichever_id_is_given);
    tcase_add_test(tc, a_target_that_still_rang_belongs_to_the_conversation);
    tcase_add_test(tc, another_phone_of_the_account_goes_on_with_the_conversation);
    tcase_add_test(tc, a_forwarded_call_reads_with_who_forwards);
    tcase_add_test(tc, a_call_that_was_picked_up_is_one_conversation);
    tcase_add_test(tc, who_was_parked_and_fetched_reads_so);
    tcase_add_test(tc, who_comes_into_a_conference_by_transfer_reads_so);
    tcase_add_test(tc, who_gave_up_while_he_was_parked_reads_so);
    tcase_add_test(tc, who_is_called_back_from_parking_talks_again_and_in_vain_it_reads_so);
    tcase_add_test(tc, a_transfer_that_nobody_takes_and_a_recall_that_nobody_takes_leave_the_caller_alone);
    tcase_add_test(tc, a_number_that_rings_for_another_call_is_part_of_it);
    tcase_add_test(tc, who_answers_at_a_number_that_rings_for_another_call_may_hand_the_caller_over);
    tcase_add_test(tc, the_other_phones_are_told_that_somebody_else_took_the_call);
    tcase_add_test(tc, who_answers_and_does_not_take_the_call_has_not_talked);
    tcase_add_test(tc, who_comes_too_late_to_pick_up_or_to_fetch_reads_why);
    tcase_add_test(tc, a_call_that_the_switch_makes_reads_as_its);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
