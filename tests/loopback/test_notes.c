/* Notes between the phones of a call: picture requests in INFO, texts in MESSAGE. What crosses, what
 * comes back, and what a phone gets that nobody listens to. */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"
#include "wire.h"

#define KEY "Signal=5\r\nDuration=160\r\n"
#define PICTURE                                                                                                        \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?><media_control><vc_primitive><to_encoder><picture_fast_update/>"        \
    "</to_encoder></vc_primitive></media_control>"

struct party {
    struct bed *bed;
    struct ua *a, *b;
};

static struct party party_open(const char *allow_of_b)
{
    struct party p = {.bed = bed_open(NULL, NULL)};

    p.a = bed_registered(p.bed, "201");
    p.b = bed_registered(p.bed, "202");
    ua_invite(p.a, "202", NULL);
    p.b->extra = allow_of_b;
    ua_reply(p.b, must(ua_wait(p.b, "INVITE")), 200, "OK", NULL);
    p.b->extra = NULL;
    must(ua_wait(p.b, "ACK"));
    ua_ack(p.a, must(ua_wait(p.a, "200")));
    return p;
}

static void party_close(struct party *p)
{
    if (p->bed->pbx->call_count) {
        ck_assert_uint_eq(p->bed->calls_ended, 0);
        ua_bye(p->a);
        ua_reply(p->b, must(ua_wait(p->b, "BYE")), 200, "OK", NULL);
        bed_until(p->bed, p->bed->calls_ended == 1);
        ck_assert_str_eq(p->bed->last_cause, "normal");
    }
    ua_close(p->a);
    ua_close(p->b);
    bed_close(p->bed);
}

static struct ask note(const char *method, const char *type, const char *body)
{
    return (struct ask){.method = method, .in_dialog = true, .type = type, .body = body};
}

/* `from` says it; returns the final answer when the other phone answers with this status. */
static struct message said(struct ua *from, struct ua *to, const struct ask *ask, int status)
{
    static struct message heard;
    char cseq[64];

    str_copy(cseq, sizeof cseq, wire_send(from, ask));
    heard = *must(ua_wait(to, ask->method));
    ck_assert_str_eq(message_body(&heard), ask->body);
    ua_reply(to, &heard, status, "Of Its Own", NULL);
    return *must(wire_response(from, from->call_id, cseq, UA_WAIT_MS));
}

static const struct {
    const char *method, *type, *body, *type_there;
} crossing[] = {
    {"INFO", "application/media_control+xml", PICTURE, "application/media_control+xml"},
    {"INFO", "Application/Media_Control+XML;x=y", PICTURE, "application/media_control+xml"},
    {"MESSAGE", "text/plain", "the door, please", "text/plain;charset=UTF-8"},
    {"MESSAGE", "text/plain;charset=utf-8;format=flowed",
     "Gr\xc3\xbc\xc3\x9f"
     "e \xf0\x9f\x98\x80\r\n\tzweite Zeile",
     "text/plain;charset=UTF-8"},
    {"MESSAGE", "TEXT/PLAIN; charset=\"US-ASCII\"", "x", "text/plain;charset=UTF-8"},
};

START_TEST(a_note_crosses_in_both_directions_and_its_answer_comes_back)
{
    struct party p = party_open(NULL);
    char value[200];

    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < COUNT_OF(crossing); i++) {
            struct ua *from = side ? p.b : p.a, *to = side ? p.a : p.b;
            struct ask ask = note(crossing[i].method, crossing[i].type, crossing[i].body);
            struct message heard, answer;

            str_copy(value, sizeof value, wire_send(from, &ask));
            heard = *must(ua_wait(to, ask.method));
            ck_assert_str_eq(message_body(&heard), ask.body);
            ua_reply(to, &heard, 200, "OK", NULL);
            answer = *must(wire_response(from, from->call_id, value, UA_WAIT_MS));
            ck_assert_int_eq(answer.status, 200);
            ck_assert_str_eq(message_header(&heard, "Content-Type", value, sizeof value), crossing[i].type_there);
            ck_assert_str_eq(message_header(&heard, "Contact", value, sizeof value), "");
        }
    party_close(&p);
}
END_TEST

/* What the other phone says, and what the sender hears of it: nothing that it would take for the end of its own call.
 */
static const struct {
    int there, info, message;
} answers[] = {{200, 200, 200}, {202, 200, 200}, {400, 400, 400}, {403, 403, 403}, {404, 500, 500},
               {405, 415, 405}, {407, 500, 500}, {410, 500, 500}, {413, 413, 413}, {415, 415, 415},
               {480, 500, 500}, {482, 500, 500}, {486, 486, 486}, {488, 488, 488}, {500, 500, 500},
               {501, 415, 405}, {503, 500, 500}, {600, 500, 500}, {603, 603, 603}, {604, 500, 500}};

START_TEST(an_answer_that_could_be_taken_for_the_end_of_the_call_is_500)
{
    struct party p = party_open(NULL);
    struct ask info = note("INFO", "application/media_control+xml", PICTURE), text = note("MESSAGE", "text/plain", "hello");

    ck_assert_int_eq(said(p.a, p.b, &info, answers[_i].there).status, answers[_i].info);
    ck_assert_int_eq(said(p.b, p.a, &text, answers[_i].there).status, answers[_i].message);
    ck_assert_int_eq(wire_status(p.a, &(struct ask){.method = "OPTIONS", .in_dialog = true}), 200);
    party_close(&p);
}
END_TEST

START_TEST(a_phone_without_the_dialog_ends_the_call)
{
    struct party p = party_open(NULL);
    struct ask info = note("INFO", "application/media_control+xml", PICTURE);

    ck_assert_int_eq(said(p.a, p.b, &info, 481).status, 500);
    ua_reply(p.a, must(ua_wait(p.a, "BYE")), 200, "OK", NULL);
    ua_reply(p.b, must(ua_wait(p.b, "BYE")), 481, "No Such Call", NULL);
    bed_until(p.bed, p.bed->pbx->call_count == 0);
    ck_assert_str_eq(p.bed->last_cause, "connection-lost");
    party_close(&p);
}
END_TEST

START_TEST(a_phone_that_takes_no_notes_gets_none)
{
    struct party p = party_open("Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n");
    struct ask info = note("INFO", "application/media_control+xml", PICTURE), text = note("MESSAGE", "text/plain", "hello");
    const struct message *m;

    ck_assert_int_eq(wire_status(p.a, &info), 415);
    m = must(wire_ask(p.a, &text));
    ck_assert_int_eq(m->status, 405);
    ck_assert_ptr_nonnull(strstr(m->text, "\r\nAllow: INVITE,"));
    ck_assert_ptr_null(strstr(m->text, "MESSAGE,"));
    ck_assert_ptr_null(ua_wait_ms(p.b, "INFO", 50));
    ck_assert_ptr_null(ua_wait_ms(p.b, "MESSAGE", 10));
    ck_assert_int_eq(said(p.b, p.a, &info, 200).status, 200); /* the other way is another matter */
    p.a->in_count = p.b->in_count = 0;
    party_close(&p);
}
END_TEST

START_TEST(a_method_that_was_refused_once_is_not_tried_again)
{
    struct party p = party_open(NULL);
    struct ask text = note("MESSAGE", "text/plain", "hello");

    ck_assert_int_eq(said(p.a, p.b, &text, 501).status, 405);
    ck_assert_int_eq(wire_status(p.a, &text), 405);
    ck_assert_ptr_null(ua_wait_ms(p.b, "MESSAGE", 50));
    party_close(&p);
}
END_TEST

/* What does not cross. */
static const struct {
    const char *what;
    struct ask ask;
    int status;
} refused[] = {
    {"INFO with a text", {.method = "INFO", .type = "text/plain", .body = "hello"}, 415},
    {"INFO with a description", {.method = "INFO", .type = "application/sdp", .body = "v=0\r\n"}, 415},
    {"INFO with many parts",
     {.method = "INFO", .type = "multipart/mixed;boundary=x", .body = "--x\r\n\r\nSignal=1\r\n--x--\r\n"},
     415},
    {"INFO of a package",
     {.method = "INFO", .headers = "Info-Package: p\r\n", .type = "application/dtmf-relay", .body = KEY},
     469},
    {"INFO that is compressed",
     {.method = "INFO", .headers = "Content-Encoding: gzip\r\n", .type = "application/dtmf-relay", .body = KEY},
     415},
    {"INFO with control characters",
     {.method = "INFO", .type = "application/media_control+xml", .body = "<media_control>\x01"},
     415},
    {"MESSAGE with keys", {.method = "MESSAGE", .type = "application/dtmf-relay", .body = KEY}, 415},
    {"MESSAGE with a page", {.method = "MESSAGE", .type = "text/html", .body = "<b>hello</b>"}, 415},
    {"MESSAGE in another charset",
     {.method = "MESSAGE",
      .type = "text/plain;charset=iso-8859-1",
      .body = "Gr\xfc\xdf"
              "e"},
     415},
    {"MESSAGE that is not what it says",
     {.method = "MESSAGE",
      .type = "text/plain",
      .body = "Gr\xfc\xdf"
              "e"},
     415},
    {"MESSAGE that insists on something",
     {.method = "MESSAGE", .headers = "Require: recipient-list-message\r\n", .type = "text/plain", .body = "x"},
     420},
};

START_TEST(nothing_else_crosses)
{
    struct party p = party_open(NULL);
    char large[4200];

    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct ask ask = refused[i].ask;
        int status;

        ask.in_dialog = true;
        status = wire_status(p.a, &ask);
        ck_assert_msg(status == refused[i].status, "%s: got %d, want %d", refused[i].what, status, refused[i].status);
    }
    memset(large, 'x', sizeof large);
    large[4097] = '\0';
    ck_assert_int_eq(
        wire_status(p.a, &(struct ask){.method = "MESSAGE", .in_dialog = true, .type = "text/plain", .body = large}),
        413);
    ck_assert_ptr_null(ua_wait_ms(p.b, "INFO", 50));
    ck_assert_ptr_null(ua_wait_ms(p.b, "MESSAGE", 10));
    large[4096] = '\0';
    ck_assert_int_eq(
        said(p.a, p.b, &(struct ask){.method = "MESSAGE", .in_dialog = true, .type = "text/plain", .body = large}, 200)
            .status,
        200);
    party_close(&p);
}
END_TEST

/* Nobody would see what it says, and a 200 would tell it otherwise. 415 concerns the request alone, so the call goes on
 * (RFC 5057 §5.1), and it is true: the switch itself takes no such body. */
START_TEST(a_phone_that_talks_to_the_switch_is_not_told_that_it_was_heard)
{
    struct bed *bed = bed_open(NULL, "extension('internal', '_.', function(call) call:answer() call:sleep(60) end)");
    struct ua *a = bed_registered(bed, "201");
    struct ask asks[] = {note("INFO", "application/media_control+xml", PICTURE), note("MESSAGE", "text/plain", "hello")};

    ua_invite(a, "600", NULL);
    ua_ack(a, must(ua_wait(a, "200")));
    for (size_t i = 0; i < COUNT_OF(asks); i++) {
        const struct message *m = must(wire_ask(a, &asks[i]));

        ck_assert_int_eq(m->status, 415);
        ck_assert_ptr_nonnull(strstr(m->text, "\r\nAccept: application/sdp\r\n"));
    }
    ck_assert_int_eq(wire_status(a, &(struct ask){.method = "INFO", .in_dialog = true}), 200); /* it only asks for us */
    ua_bye(a);
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(what_waits_for_an_answer_when_the_call_ends_is_answered)
{
    struct party p = party_open(NULL);
    struct ask text = note("MESSAGE", "text/plain", "hello");
    struct message heard;
    char mine[64], its[64];

    str_copy(mine, sizeof mine, wire_send(p.a, &text));
    heard = *must(ua_wait(p.b, "MESSAGE"));
    str_copy(its, sizeof its, wire_send(p.b, &text));
    must(ua_wait(p.a, "MESSAGE"));
    ua_start(_i ? p.a : p.b, "BYE", NULL);
    ua_reply(_i ? p.b : p.a, must(ua_wait(_i ? p.b : p.a, "BYE")), 200, "OK", NULL);
    ck_assert_int_eq(must(wire_response(p.a, p.a->call_id, mine, UA_WAIT_MS))->status, 487);
    ck_assert_int_eq(must(wire_response(p.b, p.b->call_id, its, UA_WAIT_MS))->status, 487);
    bed_until(p.bed, p.bed->pbx->leg_count == 0);
    ua_reply(p.b, &heard, 200, "OK", NULL); /* too late: for nobody */
    ck_assert_int_eq(ua_register(p.b, 600), 200);
    party_close(&p);
}
END_TEST

START_TEST(one_phone_cannot_pile_up_notes)
{
    struct party p = party_open(NULL);
    struct ask key = note("INFO", "application/media_control+xml", PICTURE);
    const struct message *m;
    char value[40];

    for (int i = 0; i < 16; i++)
        wire_send(p.a, &key);
    for (int i = 0; i < 16; i++)
        must(ua_wait(p.b, "INFO"));
    m = must(wire_ask(p.a, &key));
    ck_assert_int_eq(m->status, 500);
    ck_assert_str_eq(message_header(m, "Retry-After", value, sizeof value), "1");
    party_close(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notes");
    TCase *tc = tcase_create("notes");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_note_crosses_in_both_directions_and_its_answer_comes_back);
    tcase_add_loop_test(tc, an_answer_that_could_be_taken_for_the_end_of_the_call_is_500, 0, (int)COUNT_OF(answers));
    tcase_add_test(tc, a_phone_without_the_dialog_ends_the_call);
    tcase_add_test(tc, a_phone_that_takes_no_notes_gets_none);
    tcase_add_test(tc, a_method_that_was_refused_once_is_not_tried_again);
    tcase_add_test(tc, nothing_else_crosses);
    tcase_add_test(tc, a_phone_that_talks_to_the_switch_is_not_told_that_it_was_heard);
    tcase_add_loop_test(tc, what_waits_for_an_answer_when_the_call_ends_is_answered, 0, 2);
    tcase_add_test(tc, one_phone_cannot_pile_up_notes);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
