/* The method table: what each SIP method gets, in and out of a dialog, from a stranger and from an account, as it goes
 * over the wire. Each row is run; what is not asserted is in the rows of RFC 4475. */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"
#include "sip/agent.h"
#include "wire.h"

#define SILENCE_MS 300 /* an answer that must not come has come by then */

enum asker { STRANGER = 1, ACCOUNT = 2, ANYBODY = 3 };
enum target { SELF, PRESENT, AWAY, NUMBER, NOBODY }; /* the switch; 202 registered; 203 not; *43 of the dialplan; 299 */

struct row {
    const char *method;
    enum asker who;
    enum target target;
    int status;          /* 0: no answer at all */
    const char *wants;   /* text that the answer must contain; NULL: nothing special */
    const char *headers; /* lines that make the row what it is */
};

#define ALLOW "\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO"
#define CHALLENGE "\r\nWWW-Authenticate: Digest "
#define REQUIRE "Require: nothing-known, path, 100rel-2\r\n"

static const struct row outside[] = {
    {"INVITE", STRANGER, PRESENT, 401, CHALLENGE, NULL},
    {"INVITE", STRANGER, NOBODY, 401, CHALLENGE, NULL},
    {"INVITE", ACCOUNT, NOBODY, 404, NULL, NULL},
    {"INVITE", ACCOUNT, AWAY, 480, NULL, NULL},
    {"INVITE", ANYBODY, PRESENT, 420, "\r\nUnsupported: nothing-known, path, 100rel-2\r\n", REQUIRE},
    {"ACK", ANYBODY, PRESENT, 0, NULL, NULL},
    {"ACK", ANYBODY, SELF, 0, NULL, REQUIRE},
    {"CANCEL", ANYBODY, PRESENT, 481, NULL, NULL},
    {"CANCEL", ANYBODY, PRESENT, 481, NULL, REQUIRE},
    {"BYE", ANYBODY, PRESENT, 481, NULL, NULL},
    {"OPTIONS", ANYBODY, SELF, 200, ALLOW, NULL},
    {"OPTIONS", ANYBODY, SELF, 200, "\r\nAccept: application/sdp\r\n", NULL},
    {"OPTIONS", ANYBODY, SELF, 420, "\r\nUnsupported: nothing-known, path, 100rel-2\r\n", REQUIRE},
    {"OPTIONS", STRANGER, PRESENT, 401, CHALLENGE, NULL},
    {"OPTIONS", STRANGER, AWAY, 401, CHALLENGE, NULL},
    {"OPTIONS", STRANGER, NOBODY, 401, CHALLENGE, NULL},
    {"OPTIONS", ACCOUNT, PRESENT, 200, ALLOW, NULL},
    {"OPTIONS", ACCOUNT, NUMBER, 200, ALLOW, NULL},
    {"OPTIONS", ACCOUNT, AWAY, 480, NULL, NULL},
    {"OPTIONS", ACCOUNT, NOBODY, 404, NULL, NULL},
    {"UPDATE", ANYBODY, PRESENT, 481, NULL, NULL},
    {"INFO", ANYBODY, PRESENT, 481, NULL, NULL},
    {"PRACK", ANYBODY, PRESENT, 481, NULL, "RAck: 1 1 INVITE\r\n"},
    {"NOTIFY", ANYBODY, PRESENT, 481, NULL, "Event: presence\r\nSubscription-State: active\r\n"},
    {"REGISTER", STRANGER, SELF, 401, CHALLENGE, NULL},
    {"REGISTER", ACCOUNT, SELF, 200, "\r\nContact: <sip:", NULL},
    {"REGISTER", ANYBODY, SELF, 420, "\r\nUnsupported: nothing-known, 100rel-2\r\n", REQUIRE},
    {"SUBSCRIBE", ANYBODY, PRESENT, 405, ALLOW, "Event: presence\r\n"},
    {"PUBLISH", ANYBODY, PRESENT, 405, ALLOW, "Event: presence\r\n"},
    {"MESSAGE", ANYBODY, PRESENT, 405, ALLOW, NULL},
    {"REFER", ANYBODY, PRESENT, 405, ALLOW, "Refer-To: <sip:203@tandem>\r\n"},
    {"NOVELTY", ANYBODY, PRESENT, 501, NULL, NULL},
    {"O", ANYBODY, PRESENT, 501, NULL, NULL},
    {"invite", ANYBODY, PRESENT, 501, NULL, NULL}, /* methods have a case (RFC 3261 §7.1) */
};

/* With the dialog of a call, from the caller's phone and from the callee's. */
static const struct row inside[] = {
    {"INVITE", ACCOUNT, SELF, 420, "\r\nUnsupported: nothing-known, path, 100rel-2\r\n", REQUIRE},
    {"ACK", ACCOUNT, SELF, 0, NULL, NULL},
    {"CANCEL", ACCOUNT, SELF, 481, NULL, NULL},
    {"BYE", ACCOUNT, SELF, 420, "\r\nUnsupported: nothing-known, path, 100rel-2\r\n", REQUIRE},
    {"OPTIONS", ACCOUNT, SELF, 200, ALLOW, NULL},
    {"OPTIONS", ACCOUNT, SELF, 420, "\r\nUnsupported: nothing-known, path, 100rel-2\r\n", REQUIRE},
    {"UPDATE", ACCOUNT, SELF, 200, "\r\nContact: <sip:", NULL},
    {"INFO", ACCOUNT, SELF, 200, NULL, NULL},
    {"INFO", ACCOUNT, SELF, 469, "\r\nRecv-Info:", "Info-Package: nothing-known\r\n"},
    {"PRACK", ACCOUNT, SELF, 481, NULL, "RAck: 1 1 INVITE\r\n"},
    {"NOTIFY", ACCOUNT, SELF, 489, NULL, "Event: presence\r\nSubscription-State: active\r\n"},
    {"REGISTER", ACCOUNT, SELF, 405, ALLOW, NULL},
    {"SUBSCRIBE", ACCOUNT, SELF, 405, ALLOW, "Event: presence\r\n"},
    {"PUBLISH", ACCOUNT, SELF, 405, ALLOW, "Event: presence\r\n"},
    {"MESSAGE", ACCOUNT, SELF, 400, NULL, NULL}, /* it says nothing */
    {"REFER", ACCOUNT, SELF, 405, ALLOW, "Refer-To: <sip:203@tandem>\r\n"},
    {"NOVELTY", ACCOUNT, SELF, 501, NULL, NULL},
};

static void check(struct ua *ua, const struct row *row, const struct ask *ask, const char *place)
{
    const struct message *m = wire_ask(ua, ask);

    ck_assert_msg((m ? m->status : 0) == row->status, "%s %s from %s (%s): got %d, want %d\n%s", row->method, place,
                  ua->user, row->headers ? row->headers : "", m ? m->status : 0, row->status, m ? m->text : "");
    ck_assert_msg(!row->wants || strstr(m->text, row->wants), "%s %s: no \"%s\" in\n%s", row->method, place, row->wants,
                  m ? m->text : "");
}

static const char *uri_of(const struct ua *ua, enum target target)
{
    static const char *const users[] = {NULL, "202", "203", "*43", "299"};
    static char uri[ADDR_TEXT + 40];
    char host[ADDR_TEXT];

    if (target == SELF)
        return NULL;
    snprintf(uri, sizeof uri, "sip:%s@%s", users[target], addr_text(&ua->proxy, host));
    return uri;
}

static void run_outside(struct ua *asks, const struct row *row, enum asker who)
{
    char sdp[1024];
    struct ask ask = {.method = row->method,
                      .uri = uri_of(asks, row->target),
                      .headers = row->headers,
                      .account = who == ACCOUNT,
                      .wait_ms = row->status ? 0 : SILENCE_MS};
    struct row lost = *row;

    if (strcmp(row->method, "REGISTER") == 0)
        ask.to = "<sip:201@tandem>";
    if (strcmp(row->method, "INVITE") == 0)
        ask.body = ua_sdp(asks, sdp, sizeof sdp);
    check(asks, row, &ask, who == ACCOUNT ? "as an account" : "as a stranger");
    if (row->status == 0 || row->status == 501)
        return;
    ask.to = "<sip:202@tandem>;tag=nobody-has-this-one";
    lost.status = 481;
    lost.wants = NULL;
    check(asks, &lost, &ask, "in a dialog that is not there");
}

START_TEST(outside_of_dialogs)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *callee = bed_registered(bed, "202"), *asks = bed_phone(bed, "201");

    for (size_t i = 0; i < COUNT_OF(outside); i++) {
        if (outside[i].who & STRANGER)
            run_outside(asks, &outside[i], STRANGER);
        if (outside[i].who & ACCOUNT)
            run_outside(asks, &outside[i], ACCOUNT);
    }
    ck_assert_ptr_null(ua_wait_ms(callee, "INVITE", SILENCE_MS));
    ua_close(asks);
    ua_close(callee);
    bed_close(bed);
}
END_TEST

/* a calls b, who answers. */
static void connect_call(struct ua *a, struct ua *b)
{
    ua_invite(a, b->user, NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
}

static void end_call(struct bed *bed, struct ua *who, struct ua *other)
{
    const struct message *bye;
    char start[64];

    ck_assert_uint_eq(bed->calls_ended, 0);
    ua_bye(who);
    bye = must(ua_wait(other, "BYE"));
    snprintf(start, sizeof start, "BYE sip:%s@127.0.0.1:%u SIP/2.0\r\n", other->user, addr_port(&other->local));
    ck_assert_msg(strncmp(bye->text, start, strlen(start)) == 0, "%s", bye->text);
    ua_reply(other, bye, 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
}

START_TEST(inside_of_a_call)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *phones[] = {bed_registered(bed, "201"), bed_registered(bed, "202")};

    connect_call(phones[0], phones[1]);
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < COUNT_OF(inside); i++) {
            struct ask ask = {.method = inside[i].method,
                              .headers = inside[i].headers,
                              .in_dialog = true,
                              .wait_ms = inside[i].status ? 0 : SILENCE_MS};

            check(phones[side], &inside[i], &ask, side ? "from the callee" : "from the caller");
        }
    end_call(bed, phones[1], phones[0]);
    ua_close(phones[0]);
    ua_close(phones[1]);
    bed_close(bed);
}
END_TEST

START_TEST(bodies_that_nobody_asked_for_are_refused_by_type)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    static const char *const methods[] = {"INVITE", "UPDATE", "INFO"};

    connect_call(a, b);
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        const struct message *m =
            wire_ask(a, &(struct ask){.method = methods[i], .in_dialog = true, .type = "text/plain", .body = "hello"});

        ck_assert_int_eq(must(m)->status, 415);
        ck_assert_ptr_nonnull(strstr(m->text, "\r\nAccept: application/sdp"));
        ck_assert_ptr_nonnull(strstr(m->text, "\r\nAccept-Encoding: identity\r\n"));
    }
    end_call(bed, a, b);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

#define SDP_HEAD "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n"
#define SDP_TO_US SDP_HEAD "c=IN IP4 127.0.0.1\r\nt=0 0\r\n"
#define BROKEN_SDP SDP_HEAD "t=0 0\r\nm=audio nowhere RTP/AVP 0\r\n"
#define VIDEO "m=video 5000 RTP/AVP 34\r\n"
#define REQUIRE_ODD "Require: odd\r\n"
#define GZIP "Content-Encoding: gzip\r\n"

/* What a confused phone, or somebody who knows half of the dialog, may send. None may end the call. */
static const struct {
    const char *what;
    struct ask ask;
    int status; /* 0: an answer is not needed; -1: whatever, but no 2xx */
} malformed[] = {
    {"BYE with an old CSeq", {.method = "BYE", .cseq = "1 BYE"}, 500},
    {"INFO with an old CSeq", {.method = "INFO", .cseq = "1 INFO"}, 500},
    {"MESSAGE with an old CSeq", {.method = "MESSAGE", .cseq = "1 MESSAGE"}, 500},
    {"UPDATE with an old CSeq", {.method = "UPDATE", .cseq = "1 UPDATE"}, 500},
    {"re-INVITE with an old CSeq", {.method = "INVITE", .cseq = "1 INVITE"}, 500},
    {"BYE whose CSeq names another method", {.method = "BYE", .cseq = "70000 INFO"}, -1},
    {"BYE with a CSeq that is no number", {.method = "BYE", .cseq = "next BYE"}, -1},
    {"BYE with a CSeq beyond 32 bits", {.method = "BYE", .cseq = "4294967296 BYE"}, -1},
    {"BYE without a CSeq", {.method = "BYE", .cseq = ""}, -1},
    {"BYE with two Call-IDs", {.method = "BYE", .headers = "Call-ID: another\r\n"}, -1},
    {"BYE with two From", {.method = "BYE", .headers = "From: <sip:x@y>;tag=z\r\n"}, -1},
    {"BYE with two To", {.method = "BYE", .headers = "To: <sip:x@y>;tag=z\r\n"}, -1},
    {"BYE with two CSeq", {.method = "BYE", .headers = "CSeq: 9 BYE\r\n"}, -1},
    {"BYE without the line CSeq", {.method = "BYE", .without = "CSeq"}, -1},
    {"BYE without From", {.method = "BYE", .without = "From"}, -1},
    {"BYE without To", {.method = "BYE", .without = "To"}, -1},
    {"BYE without Call-ID", {.method = "BYE", .without = "Call-ID"}, -1},
    {"BYE without Via", {.method = "BYE", .without = "Via"}, -1},
    {"INFO without Max-Forwards, which old phones do not know", {.method = "INFO", .without = "Max-Forwards"}, 200},
    {"INFO without Content-Length", {.method = "INFO", .without = "Content-Length"}, 200},
    {"INFO with a Max-Forwards that is none", {.method = "INFO", .headers = "Max-Forwards: many\r\n"}, 0},
    {"BYE with a Content-Length that is none", {.method = "BYE", .headers = "Content-Length: much\r\n"}, -1},
    {"BYE with a Content-Length below nothing", {.method = "BYE", .headers = "Content-Length: -1\r\n"}, -1},
    {"BYE that is longer than it is", {.method = "BYE", .headers = "l: 4000\r\n"}, -1},
    {"re-INVITE whose Content-Length cuts its description",
     {.method = "INVITE", .headers = "Content-Length: 20\r\n", .without = "Content-Length", .body = BROKEN_SDP},
     -1},
    {"BYE with another To tag", {.method = "BYE", .to = "<sip:202@tandem>;tag=other"}, 481},
    {"BYE without a To tag", {.method = "BYE", .to = "<sip:202@tandem>"}, 481},
    {"BYE with a broken To", {.method = "BYE", .to = "\"202 <sip:202@tandem>;tag=x"}, -1},
    {"BYE to a URI with headers", {.method = "BYE", .uri = "sip:x@127.0.0.1?Subject=y"}, -1},
    {"BYE to another scheme", {.method = "BYE", .uri = "http://127.0.0.1/"}, -1},
    {"BYE that insists", {.method = "BYE", .headers = REQUIRE_ODD}, 420},
    {"re-INVITE that insists", {.method = "INVITE", .headers = REQUIRE_ODD, .body = SDP_TO_US}, 420},
    {"UPDATE that insists", {.method = "UPDATE", .headers = REQUIRE_ODD}, 420},
    {"INFO that insists", {.method = "INFO", .headers = REQUIRE_ODD}, 420},
    {"re-INVITE with a broken session description", {.method = "INVITE", .body = BROKEN_SDP}, 488},
    {"re-INVITE with no session description in the body", {.method = "INVITE", .body = "nonsense"}, 488},
    {"re-INVITE without an origin", {.method = "INVITE", .body = "v=0\r\ns=-\r\nt=0 0\r\n"}, 488},
    {"re-INVITE without streams", {.method = "INVITE", .body = SDP_TO_US}, 488},
    {"re-INVITE without an address", {.method = "INVITE", .body = SDP_HEAD "t=0 0\r\nm=audio 5000 RTP/AVP 0\r\n"}, 488},
    {"re-INVITE to everybody",
     {.method = "INVITE", .body = SDP_HEAD "c=IN IP4 224.0.0.1/127\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n"},
     488},
    {"re-INVITE to a name",
     {.method = "INVITE", .body = SDP_HEAD "c=IN IP4 phone.example\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n"},
     488},
    {"re-INVITE without audio", {.method = "INVITE", .body = SDP_TO_US VIDEO}, 488},
    {"re-INVITE without a codec that we know",
     {.method = "INVITE", .body = SDP_TO_US "m=audio 5000 RTP/AVP 96\r\na=rtpmap:96 odd/8000\r\n"},
     488},
    {"re-INVITE with more streams than anybody has",
     {.method = "INVITE",
      .body = SDP_TO_US "m=audio 5000 RTP/AVP 0\r\n" VIDEO VIDEO VIDEO VIDEO VIDEO VIDEO VIDEO VIDEO},
     488},
    {"re-INVITE with a body of nothing known", {.method = "INVITE", .type = "application/x", .body = "x"}, 415},
    {"re-INVITE with many parts", {.method = "INVITE", .type = "multipart/mixed;boundary=x", .body = "--x--"}, 415},
    {"re-INVITE that is compressed", {.method = "INVITE", .headers = GZIP, .body = SDP_TO_US}, 415},
    {"UPDATE that is compressed", {.method = "UPDATE", .headers = GZIP, .body = SDP_TO_US}, 415},
    {"MESSAGE that is compressed", {.method = "MESSAGE", .headers = GZIP, .type = "text/plain", .body = "hello"}, 415},
    {"re-INVITE with two Content-Types",
     {.method = "INVITE", .headers = "Content-Type: text/plain\r\n", .body = BROKEN_SDP},
     -1},
    {"re-INVITE with a Contact that cannot be read",
     {.method = "INVITE", .contact = "\"open <sip:a@b>", .body = BROKEN_SDP},
     -1},
    {"UPDATE with a broken session description", {.method = "UPDATE", .body = BROKEN_SDP}, 488},
    {"UPDATE with a Contact nobody can call", {.method = "UPDATE", .contact = "<mailto:a@example.org>"}, 0},
    {"UPDATE with a Contact without a host", {.method = "UPDATE", .contact = "<sip:>"}, 0},
    {"UPDATE with all Contacts", {.method = "UPDATE", .contact = "*"}, 0},
    {"PRACK without RAck", {.method = "PRACK"}, -1},
    {"PRACK of nothing", {.method = "PRACK", .headers = "RAck: 1 1 INVITE\r\n"}, 481},
    {"INFO without anything it needs", {.method = "INFO", .type = ";;;", .body = "x"}, -1},
    {"INFO of a package", {.method = "INFO", .headers = "Info-Package: odd\r\n"}, 469},
    {"MESSAGE that says nothing", {.method = "MESSAGE"}, 400},
    {"REFER without Refer-To", {.method = "REFER"}, 405},
    {"NOTIFY of nothing that anybody asked for", {.method = "NOTIFY"}, 489},
    {"a method of its own", {.method = "ODDITY"}, 501},
    {"a CANCEL of nothing", {.method = "CANCEL"}, 481},
};

static void ask_malformed(struct bed *bed, struct ua *ua, size_t i)
{
    struct ask ask = malformed[i].ask;
    int want = malformed[i].status, got;

    ask.in_dialog = true;
    ask.wait_ms = want > 0 ? 0 : SILENCE_MS;
    got = wire_status(ua, &ask);
    ck_assert_msg(want > 0 ? got == want : want == 0 || got == 0 || got >= 300, "%s: got %d, want %d",
                  malformed[i].what, got, want);
    ask = (struct ask){.method = "OPTIONS", .in_dialog = true};
    ck_assert_msg(wire_status(ua, &ask) == 200, "the call is gone after %s", malformed[i].what);
    ck_assert_msg(bed->calls_ended == 0, "%s ended the call", malformed[i].what);
}

/* One message that the edge does not take at all. */
static void ask_oversize(struct bed *bed, struct ua *ua)
{
    size_t room = 20000;
    char *headers = mem_new(room + 1);

    memset(headers, 'x', room);
    memcpy(headers, "Subject: ", 9);
    memcpy(headers + 17000, "\r\n", 3);
    ck_assert_int_eq(
        wire_status(ua, &(struct ask){.method = "BYE", .in_dialog = true, .headers = headers}), 513);
    ck_assert_int_eq(wire_status(ua, &(struct ask){.method = "OPTIONS", .in_dialog = true}), 200);
    ck_assert_uint_eq(bed->calls_ended, 0);
    free(headers);
}

START_TEST(malformed_requests_never_end_a_call)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *phones[] = {a, b};
    struct message offer, answer;

    ua_invite(a, b->user, NULL);
    offer = *must(ua_wait(b, "INVITE"));
    ua_reply(b, &offer, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    answer = *must(ua_wait(a, "200"));
    ua_ack(a, &answer);
    for (int side = 0; side < 2; side++) /* so that there are CSeqs to be older than */
        ck_assert_int_eq(wire_status(phones[side], &(struct ask){.method = "OPTIONS", .in_dialog = true}), 200);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < COUNT_OF(malformed); i++)
            ask_malformed(bed, phones[side], i);
        ask_oversize(bed, phones[side]);
    }
    /* The session is what it was, too: nobody was asked anything, and they hear each other. */
    ck_assert_ptr_null(ua_wait_ms(a, "INVITE", 20));
    ck_assert_ptr_null(ua_wait_ms(b, "INVITE", 20));
    ua_talk(a, message_body(&answer), 10, 0x41);
    ck_assert_uint_ge(ua_hear(b, 8), 8);
    ck_assert_uint_eq(b->last_payload, 0x41);
    ua_talk(b, message_body(&offer), 10, 0x42);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ck_assert_uint_eq(a->last_payload, 0x42);
    end_call(bed, phones[_i], phones[!_i]); /* and our BYE still finds the way */
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_request_that_comes_by_two_ways_is_merged)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_phone(bed, "201");
    struct ask ask = {.method = "REGISTER", .to = "<sip:201@tandem>"};
    char text[2048], challenge[512], realm[128], nonce[128], value[1024], here[ADDR_TEXT];
    struct answer answer = {.user = "201",
                            .secret = "secret-of-201",
                            .realm = realm,
                            .nonce = nonce,
                            .method = "REGISTER",
                            .uri = "sip:tandem",
                            .cnonce = "c",
                            .nc = "00000001"};
    const struct message *m;

    m = must(wire_ask(a, &ask));
    message_header(m, "WWW-Authenticate", challenge, sizeof challenge);
    wire_param(challenge, "realm", realm, sizeof realm);
    wire_param(challenge, "nonce", nonce, sizeof nonce);
    for (int way = 1; way <= 2; way++) { /* RFC 3261 §8.2.2.2: the same request with another branch */
        int len = snprintf(text, sizeof text,
                           "REGISTER sip:tandem SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKway%d;rport\r\n"
                           "Max-Forwards: 70\r\nFrom: <sip:201@tandem>;tag=f\r\nTo: <sip:201@tandem>\r\n"
                           "Call-ID: forked\r\nCSeq: 6 REGISTER\r\nAuthorization: %s\r\nContent-Length: 0\r\n\r\n",
                           addr_text(&a->local, here), way, wire_digest(&answer, value, sizeof value));

        ua_send_raw(a, text, (size_t)len);
        ck_assert_int_eq(must(wire_response(a, "forked", "6 REGISTER", UA_WAIT_MS))->status, way == 1 ? 200 : 482);
    }
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(pings_of_one_source_are_limited)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_phone(bed, "201");
    unsigned answered = 0;

    for (int i = 0; i < 60; i++)
        answered += wire_status(a, &(struct ask){.method = "OPTIONS", .wait_ms = i < 20 ? 0 : 10}) == 200;
    ck_assert_uint_ge(answered, 20);
    ck_assert_uint_lt(answered, 50);
    ck_assert_int_eq(ua_register(a, 600), 200); /* nothing else is */
    ua_close(a);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("methods");
    TCase *tcase = tcase_create("table");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, outside_of_dialogs);
    tcase_add_test(tcase, inside_of_a_call);
    tcase_add_test(tcase, bodies_that_nobody_asked_for_are_refused_by_type);
    tcase_add_loop_test(tcase, malformed_requests_never_end_a_call, 0, 2);
    tcase_add_test(tcase, a_request_that_comes_by_two_ways_is_merged);
    tcase_add_test(tcase, pings_of_one_source_are_limited);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
