/* The flight recorder: from messages and events to ladders, with secrets masked and memory bounded. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/obj.h"
#include "call/call.h"
#include "trace/message.h"
#include "trace/trace.h"
#include "trace/why.h"

#define CALL_ID_A "a84b4c76e66710@192.0.2.10"
#define CALL_ID_B "77aa1-tandem"

static struct loop *loop;
static struct bus *bus;
static struct trace *trace;
static struct call *call;
static struct leg *legs[2];

static void open_with(const struct trace_config *config)
{
    loop = loop_new_fake();
    bus = bus_new(loop);
    trace = trace_open(loop, bus, config);
    call = mem_new(sizeof *call);
    call->id = uuid_new();
    list_init(&call->legs);
    str_copy(call->from_number, sizeof call->from_number, "201");
    str_copy(call->dialled, sizeof call->dialled, "202");
    str_copy(call->context, sizeof call->context, "internal");
    for (int i = 0; i < 2; i++) {
        legs[i] = mem_new(sizeof *legs[i]);
        legs[i]->id = uuid_new();
        legs[i]->call = call;
        legs[i]->inbound = i == 0;
        str_copy(legs[i]->number, sizeof legs[i]->number, i == 0 ? "201" : "202");
    }
    str_copy(legs[0]->sip_call_id, sizeof legs[0]->sip_call_id, CALL_ID_A);
    call->caller = legs[0];
}

static void setup(void)
{
    open_with(NULL);
}

static void teardown(void)
{
    trace_close(trace);
    bus_free(bus);
    loop_free(loop);
    free(call);
    free(legs[0]);
    free(legs[1]);
}

static void say_bytes(bool inbound, const char *data, size_t len)
{
    union addr peer, local;
    struct edge_seen seen = {.inbound = inbound, .transport = EDGE_UDP, .peer = &peer, .local = &local};

    addr_parse_ip("192.0.2.10", 5062, &peer);
    addr_parse_ip("192.0.2.1", 5060, &local);
    seen.data = data;
    seen.len = len;
    trace_message(trace, &seen);
    loop_fake_advance(loop, 1);
}

/* first: "INVITE sip:202@x SIP/2.0" or "SIP/2.0 180 Ringing"; more: further header lines and body, or "" */
static void say(bool inbound, const char *first, const char *call_id, const char *cseq, const char *more)
{
    char text[4096];

    snprintf(text, sizeof text, "%s\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1\r\nCall-ID: %s\r\nCSeq: %s\r\n%s%s",
             first, call_id, cseq, more, strstr(more, "\r\n\r\n") ? "" : "\r\n");
    say_bytes(inbound, text, strlen(text));
}

static void tell(enum event_kind kind, const struct leg *leg, enum cause cause, enum who who, const char *detail)
{
    struct event event = {.kind = kind, .call = call, .leg = leg, .cause = cause, .who = who, .detail = detail};

    bus_publish(bus, &event);
}

static json_t *ladder(bool raw)
{
    char id[UUID_TEXT];
    json_t *json;

    uuid_text(&call->id, id);
    json = trace_call(trace, id, raw);
    ck_assert_ptr_nonnull(json);
    return json;
}

/* The texts of all lines: "201>tandem INVITE|tandem>201 100 Trying|* audio joined" */
static const char *lines_text(json_t *json, char *out, size_t size)
{
    size_t used = 0, i;
    json_t *line;

    out[0] = '\0';
    json_array_foreach(json_object_get(json, "lines"), i, line)
    {
        const char *text = json_string_value(json_object_get(line, "text"));

        if (strcmp(json_string_value(json_object_get(line, "kind")), "event") == 0)
            str_append(out, size, &used, "%s* %s", i ? "|" : "", text);
        else
            str_append(out, size, &used, "%s%s>%s %s", i ? "|" : "", json_string_value(json_object_get(line, "from")),
                       json_string_value(json_object_get(line, "to")), text);
    }
    return out;
}

START_TEST(the_first_invite_is_found_although_it_came_before_the_call)
{
    char text[2000];
    json_t *json;

    say(true, "INVITE sip:202@pbx SIP/2.0", CALL_ID_A, "1 INVITE", "");
    tell(EVENT_CALL_NEW, NULL, CAUSE_NONE, WHO_NOBODY, NULL);
    tell(EVENT_LEG_NEW, legs[0], CAUSE_NONE, WHO_NOBODY, NULL);
    say(false, "SIP/2.0 100 Trying", CALL_ID_A, "1 INVITE", "");
    json = ladder(false);
    ck_assert_str_eq(lines_text(json, text, sizeof text),
                     "201>tandem INVITE|* call from 201 to 202, context internal|tandem>201 100 Trying");
    json_decref(json);
}
END_TEST

START_TEST(an_outbound_leg_gets_its_messages_once_its_call_id_is_known)
{
    char text[2000];
    json_t *json;

    tell(EVENT_CALL_NEW, NULL, CAUSE_NONE, WHO_NOBODY, NULL);
    tell(EVENT_LEG_NEW, legs[1], CAUSE_NONE, WHO_NOBODY, NULL);
    say(false, "INVITE sip:202@192.0.2.11 SIP/2.0", CALL_ID_B, "1 INVITE", "");
    say(true, "SIP/2.0 180 Ringing", CALL_ID_B, "1 INVITE", "");
    str_copy(legs[1]->sip_call_id, sizeof legs[1]->sip_call_id, CALL_ID_B);
    tell(EVENT_LEG_RINGING, legs[1], CAUSE_NONE, WHO_NOBODY, NULL);
    json = ladder(false);
    ck_assert_str_eq(lines_text(json, text, sizeof text),
                     "* call from 201 to 202, context internal|tandem>202 INVITE|202>tandem 180 Ringing");
    json_decref(json);
}
END_TEST

START_TEST(responses_to_other_requests_than_invite_say_to_which)
{
    char text[2000];
    json_t *json;

    tell(EVENT_CALL_NEW, NULL, CAUSE_NONE, WHO_NOBODY, NULL);
    tell(EVENT_LEG_NEW, legs[0], CAUSE_NONE, WHO_NOBODY, NULL);
    say(true, "BYE sip:202@pbx SIP/2.0", CALL_ID_A, "2 BYE", "");
    say(false, "SIP/2.0 200 OK", CALL_ID_A, "2 BYE", "");
    json = ladder(false);
    ck_assert_str_eq(lines_text(json, text, sizeof text),
                     "* call from 201 to 202, context internal|201>tandem BYE|tandem>201 200 OK (BYE)");
    json_decref(json);
}
END_TEST

START_TEST(a_repeated_message_is_marked_as_sent_again)
{
    json_t *json, *lines;

    tell(EVENT_LEG_NEW, legs[0], CAUSE_NONE, WHO_NOBODY, NULL);
    say(true, "INVITE sip:202@pbx SIP/2.0", CALL_ID_A, "1 INVITE", "");
    say(true, "INVITE sip:202@pbx SIP/2.0", CALL_ID_A, "1 INVITE", "");
    say(true, "INVITE sip:202@pbx SIP/2.0", CALL_ID_A, "2 INVITE", "");
    json = ladder(false);
    lines = json_object_get(json, "lines");
    ck_assert_uint_eq(json_array_size(lines), 3);
    ck_assert(!json_object_get(json_array_get(lines, 0), "again"));
    ck_assert(json_is_true(json_object_get(json_array_get(lines, 1), "again")));
    ck_assert(!json_object_get(json_array_get(lines, 2), "again"));
    json_decref(json);
}
END_TEST

START_TEST(the_end_has_its_cause_in_words_with_a_remedy)
{
    json_t *json;

    tell(EVENT_CALL_NEW, NULL, CAUSE_NONE, WHO_NOBODY, NULL);
    tell(EVENT_LEG_NEW, legs[0], CAUSE_NONE, WHO_NOBODY, NULL);
    tell(EVENT_LEG_ENDED, legs[0], CAUSE_UNREACHABLE, WHO_SWITCH, NULL);
    tell(EVENT_CALL_ENDED, NULL, CAUSE_UNREACHABLE, WHO_SWITCH, NULL);
    json = ladder(false);
    ck_assert_str_eq(json_string_value(json_object_get(json, "state")), "ended");
    ck_assert_str_eq(json_string_value(json_object_get(json, "cause")), "unreachable");
    ck_assert_str_eq(json_string_value(json_object_get(json, "cause_text")), cause_info(CAUSE_UNREACHABLE)->words);
    ck_assert_str_eq(json_string_value(json_object_get(json, "remedy")), cause_info(CAUSE_UNREACHABLE)->remedy);
    ck_assert_str_eq(json_string_value(json_object_get(json, "ended_by")), "switch");
    json_decref(json);
}
END_TEST

static const char *why_of(const char *media, const char *lines)
{
    static char text[4096];
    char report[2048];
    json_t *json, *why;
    char *dump;

    snprintf(report, sizeof report,
             "{\"id\":\"x\",\"state\":\"ended\",\"cause\":\"normal\",\"from\":\"201\",\"to\":\"202\",\"answered_us\":5,"
             "\"talk_ms\":9000,\"answered_by\":\"202\",\"ended_by\":\"caller\",\"legs\":[{\"party\":\"201\","
             "\"inbound\":true},"
             "{\"party\":\"202\",\"inbound\":false,\"media\":%s}],\"lines\":[%s]}",
             media, lines);
    json = json_loads(report, 0, NULL);
    ck_assert_ptr_nonnull(json);
    why = why_call(json);
    dump = json_dumps(why, 0);
    str_copy(text, sizeof text, dump);
    free(dump);
    json_decref(why);
    return text;
}

START_TEST(poor_audio_is_the_answer_when_nothing_else_went_wrong)
{
    static const char poor[] = "{\"rx_packets\":400,\"tx_packets\":400,\"mos_in\":4.2,\"mos_out\":2.31}";
    static const char fair[] = "{\"rx_packets\":400,\"tx_packets\":400,\"mos_in\":4.2,\"mos_out\":3.8}";
    const char *said = why_of(poor, "");

    ck_assert_msg(strstr(said, "The audio to the phone of 202 was poor (2.3 of 5)."), "%s", said);
    ck_assert_msg(strstr(said, "Wi-Fi") && strstr(said, "poor-audio"), "%s", said);
    said = why_of(fair,
                  "{\"kind\":\"event\",\"event\":\"leg-poor\",\"at_us\":7,\"leg\":1,\"text\":\"poor audio from 202's "
                  "phone: 12 % of packets are lost\"}");
    ck_assert_msg(strstr(said, "poor for a while") && strstr(said, "12 % of packets are lost"), "%s", said);
    said = why_of(fair, "");
    ck_assert_msg(strstr(said, "Nothing went wrong") && !strstr(said, "poor"), "%s", said);
}
END_TEST

START_TEST(pressed_keys_are_masked_however_a_phone_writes_them)
{
    static const char *const bodies[] = {"Signal=7\r\nDuration=160\r\n",
                                         "signal = 7\n",
                                         "Signal\t=\t7\r\n",
                                         "7",
                                         "7\r\n",
                                         " 7 \r\n",
                                         "11\r\n",
                                         "Signal=11\r\n"};
    char message[200];

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        snprintf(message, sizeof message, "INFO sip:x SIP/2.0\r\nCSeq: 2 INFO\r\n\r\n%s", bodies[i]);
        message_mask(message, strlen(message));
        ck_assert_msg(!strpbrk(strstr(message, "\r\n\r\n") + 4, "7") && !strstr(message, "11"), "%s", message);
        if (strstr(bodies[i], "Duration"))
            ck_assert_ptr_nonnull(strstr(message, "Duration=160"));
    }
}
END_TEST

START_TEST(digest_answers_and_srtp_keys_and_pressed_keys_are_masked)
{
    static const char *const secrets[] = {"6629fae49393a053", "0123beef", "WVNfX19zZW1jdGwg", "c2VjcmV0OnBhc3M",
                                          "bearertoken",      "4711",     "hunter2"};
    json_t *json;
    const char *message;

    tell(EVENT_LEG_NEW, legs[0], CAUSE_NONE, WHO_NOBODY, NULL);
    say(true, "INVITE sip:202@pbx SIP/2.0", CALL_ID_A, "1 INVITE",
        "Authorization: Digest username=\"201\",\r\n realm=\"t\", nonce=\"n1\", response=\"6629fae49393a053\"\r\n"
        "Authorization: Digest username = \"201\", Response = \"0123beef\", nc = 1\r\n"
        "proxy-authorization : Basic c2VjcmV0OnBhc3M=\r\n"
        "Proxy-Authorization: Bearer\r\n bearertoken\r\n"
        "Content-Type: application/sdp\r\n\r\n"
        "v=0\r\nk=clear:hunter2\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwg|2^20\r\nSignal=4711\r\n");
    json = ladder(true);
    message = json_string_value(json_object_get(json_array_get(json_object_get(json, "lines"), 0), "message"));
    ck_assert_ptr_nonnull(message);
    for (size_t i = 0; i < COUNT_OF(secrets); i++)
        ck_assert_msg(!strstr(message, secrets[i]), "%s is not masked in %s", secrets[i], message);
    ck_assert_ptr_nonnull(strstr(message, "nonce=\"n1\""));
    ck_assert_ptr_nonnull(strstr(message, "|2^20"));
    ck_assert_ptr_nonnull(strstr(message, "Content-Type: application/sdp"));
    json_decref(json);
}
END_TEST

START_TEST(nonsense_on_the_wire_is_survived)
{
    static const char *const junk[] = {"",
                                       "\n",
                                       "\r\n\r\n",
                                       "Call-ID",
                                       "i:",
                                       "i: \r\n",
                                       "SIP/2.0 \nCall-ID: x",
                                       "Authorization",
                                       "x\nAuthorization:Digest response=",
                                       "x\nAuthorization: Digest response=\"",
                                       "x\na",
                                       "\n\n\na=crypto:inline:",
                                       "x\nCall-ID: " CALL_ID_A "\nCSeq: 99999999999999999999"};

    tell(EVENT_LEG_NEW, legs[0], CAUSE_NONE, WHO_NOBODY, NULL);
    for (size_t i = 0; i < COUNT_OF(junk); i++) {
        char *exact = mem_new(strlen(junk[i]) + 1); /* no byte behind it: a sanitizer sees every step too far */

        memcpy(exact, junk[i], strlen(junk[i]));
        exact = mem_resize(exact, strlen(junk[i]) ? strlen(junk[i]) : 1);
        say_bytes(true, exact, strlen(junk[i]));
        message_mask(exact, strlen(junk[i]));
        free(exact);
    }
    json_decref(ladder(true));
}
END_TEST

START_TEST(only_so_many_finished_calls_are_kept_and_the_oldest_goes_first)
{
    struct trace_config config = {.calls_kept = 3};
    struct uuid ids[5], found;
    char id[UUID_TEXT];
    json_t *list;

    teardown();
    open_with(&config);
    for (int i = 0; i < 5; i++) {
        ids[i] = call->id = uuid_new();
        tell(EVENT_CALL_NEW, NULL, CAUSE_NONE, WHO_NOBODY, NULL);
        tell(EVENT_CALL_ENDED, NULL, CAUSE_NORMAL, WHO_CALLER, NULL);
    }
    for (int i = 0; i < 5; i++) {
        uuid_text(&ids[i], id);
        ck_assert_int_eq(trace_find(trace, id, &found), i < 2 ? -ENOENT : 0);
    }
    list = trace_calls(trace, 2);
    ck_assert_uint_eq(json_array_size(list), 2);
    uuid_text(&ids[4], id);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "id")), id);
    json_decref(list);
}
END_TEST

START_TEST(a_prefix_finds_one_call_and_several_are_told_apart_from_none)
{
    struct uuid found, first = call->id, second = call->id;
    char id[UUID_TEXT];

    tell(EVENT_CALL_NEW, NULL, CAUSE_NONE, WHO_NOBODY, NULL);
    second.b[15] ^= 1;
    call->id = second;
    tell(EVENT_CALL_NEW, NULL, CAUSE_NONE, WHO_NOBODY, NULL);
    uuid_text(&first, id);
    ck_assert_int_eq(trace_find(trace, id, &found), 0);
    ck_assert(uuid_same(&found, &first));
    id[13] = '\0';
    ck_assert_int_eq(trace_find(trace, id, &found), -ENOTUNIQ);
    ck_assert_ptr_null(trace_call(trace, id, false));
    ck_assert_int_eq(trace_find(trace, "ffff", &found), -ENOENT);
    ck_assert_int_eq(trace_find(trace, "", &found), -ENOENT);
}
END_TEST

START_TEST(a_very_long_call_keeps_its_first_and_its_latest_lines)
{
    struct trace_config config = {.lines_a_call = 10};
    json_t *json, *lines;
    char cseq[32];

    teardown();
    open_with(&config);
    tell(EVENT_LEG_NEW, legs[0], CAUSE_NONE, WHO_NOBODY, NULL);
    for (int i = 1; i <= 30; i++) {
        snprintf(cseq, sizeof cseq, "%d %s", i, i == 1 ? "INVITE" : i == 30 ? "BYE" : "OPTIONS");
        say(true,
            i == 1    ? "INVITE sip:x SIP/2.0"
            : i == 30 ? "BYE sip:x SIP/2.0"
                      : "OPTIONS sip:x SIP/2.0",
            CALL_ID_A, cseq, "");
    }
    json = ladder(false);
    lines = json_object_get(json, "lines");
    ck_assert_uint_eq(json_array_size(lines), 10);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "left_out")), 20);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(lines, 0), "text")), "INVITE");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(lines, 9), "text")), "BYE");
    json_decref(json);
}
END_TEST

START_TEST(the_lines_stay_when_the_ring_has_forgotten_the_messages)
{
    struct trace_config config = {.ring_bytes = 128 * 1024};
    char filler[1500];
    json_t *json, *first;

    teardown();
    open_with(&config);
    tell(EVENT_LEG_NEW, legs[0], CAUSE_NONE, WHO_NOBODY, NULL);
    say(true, "INVITE sip:202@pbx SIP/2.0", CALL_ID_A, "1 INVITE", "");
    memset(filler, 'x', sizeof filler - 1);
    filler[0] = 'X';
    filler[1] = ':';
    filler[sizeof filler - 1] = '\0';
    for (int i = 0; i < 300; i++) {
        char other[32];

        snprintf(other, sizeof other, "other-%d", i);
        say(true, "INVITE sip:1@pbx SIP/2.0", other, "1 INVITE", filler);
    }
    say(true, "BYE sip:202@pbx SIP/2.0", CALL_ID_A, "2 BYE", "");
    json = ladder(true);
    first = json_array_get(json_object_get(json, "lines"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(first, "text")), "INVITE");
    ck_assert_ptr_null(json_object_get(first, "message"));
    ck_assert_ptr_nonnull(json_object_get(json_array_get(json_object_get(json, "lines"), 1), "message"));
    json_decref(json);
}
END_TEST

START_TEST(a_call_id_that_is_used_again_belongs_to_the_new_call)
{
    char text[2000];
    json_t *json;
    struct uuid leg_id = uuid_new();

    tell(EVENT_CALL_NEW, NULL, CAUSE_NONE, WHO_NOBODY, NULL);
    tell(EVENT_LEG_NEW, legs[0], CAUSE_NONE, WHO_NOBODY, NULL);
    say(true, "BYE sip:202@pbx SIP/2.0", CALL_ID_A, "2 BYE", "");
    tell(EVENT_CALL_ENDED, NULL, CAUSE_NORMAL, WHO_CALLER, NULL);
    loop_fake_advance(loop, 10);
    call->id = uuid_new();
    legs[0]->id = leg_id;
    say(true, "INVITE sip:202@pbx SIP/2.0", CALL_ID_A, "1 INVITE", "");
    tell(EVENT_LEG_NEW, legs[0], CAUSE_NONE, WHO_NOBODY, NULL);
    say(false, "SIP/2.0 486 Busy Here", CALL_ID_A, "1 INVITE", "");
    json = ladder(false);
    ck_assert_str_eq(lines_text(json, text, sizeof text), "201>tandem INVITE|tandem>201 486 Busy Here");
    json_decref(json);
}
END_TEST

START_TEST(registrations_do_not_push_calls_out_of_the_ring)
{
    struct trace_config config = {.ring_bytes = 128 * 1024};
    json_t *json;

    teardown();
    open_with(&config);
    tell(EVENT_LEG_NEW, legs[0], CAUSE_NONE, WHO_NOBODY, NULL);
    say(true, "INVITE sip:202@pbx SIP/2.0", CALL_ID_A, "1 INVITE", "");
    for (int i = 0; i < 2000; i++)
        say(true, "REGISTER sip:pbx SIP/2.0", "registration", "1 REGISTER", "");
    json = ladder(true);
    ck_assert_ptr_nonnull(json_object_get(json_array_get(json_object_get(json, "lines"), 0), "message"));
    json_decref(json);
}
END_TEST

START_TEST(names_that_are_not_utf8_come_out_as_json)
{
    json_t *json;

    str_copy(call->from_name, sizeof call->from_name, "M\xfcller");
    tell(EVENT_CALL_NEW, NULL, CAUSE_NONE, WHO_NOBODY, NULL);
    json = ladder(false);
    ck_assert_str_eq(json_string_value(json_object_get(json, "from_name")), "M?ller");
    json_decref(json);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace");
    TCase *tcase = tcase_create("trace");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_first_invite_is_found_although_it_came_before_the_call);
    tcase_add_test(tcase, an_outbound_leg_gets_its_messages_once_its_call_id_is_known);
    tcase_add_test(tcase, responses_to_other_requests_than_invite_say_to_which);
    tcase_add_test(tcase, a_repeated_message_is_marked_as_sent_again);
    tcase_add_test(tcase, the_end_has_its_cause_in_words_with_a_remedy);
    tcase_add_test(tcase, poor_audio_is_the_answer_when_nothing_else_went_wrong);
    tcase_add_test(tcase, pressed_keys_are_masked_however_a_phone_writes_them);
    tcase_add_test(tcase, digest_answers_and_srtp_keys_and_pressed_keys_are_masked);
    tcase_add_test(tcase, nonsense_on_the_wire_is_survived);
    tcase_add_test(tcase, only_so_many_finished_calls_are_kept_and_the_oldest_goes_first);
    tcase_add_test(tcase, a_prefix_finds_one_call_and_several_are_told_apart_from_none);
    tcase_add_test(tcase, a_very_long_call_keeps_its_first_and_its_latest_lines);
    tcase_add_test(tcase, the_lines_stay_when_the_ring_has_forgotten_the_messages);
    tcase_add_test(tcase, a_call_id_that_is_used_again_belongs_to_the_new_call);
    tcase_add_test(tcase, registrations_do_not_push_calls_out_of_the_ring);
    tcase_add_test(tcase, names_that_are_not_utf8_come_out_as_json);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
