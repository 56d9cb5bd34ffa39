/* Who somebody is, is what his credentials say: whatever else a phone writes about itself or others crosses to nobody and
 * is believed by nobody (RFC 3261 §22, 3323, 3325). And nobody gets credentials out of the switch. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdio.h>
#include <stdlib.h>

#include "bed.h"
#include "call/call.h"
#include "wire.h"



static struct bed *bed;
static struct ua *caller, *callee;
static char from[128];
static const char shown[] = "\"Anna Arendt\" <sip:201@127.0.0.1:", hidden[] = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=";

static void take_call(void *arg, const struct event *event)
{
    snprintf(from, sizeof from, "%s|%s|%s", event->call->from_number, event->call->from_name,
             event->call->anonymous ? "anonymous" : "shown");
}

static struct bus_subscription *calls;

static void setup_with(const char *dialplan)
{
    struct snapshot *snapshot;
    struct account *anna;

    bed = bed_open(NULL, dialplan);
    snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    anna = account_new("201", "tandem-test", "secret-of-201");
    str_copy(anna->display_name, sizeof anna->display_name, "Anna Arendt");
    snapshot_put_account(snapshot, anna);
    db_set_snapshot(bed->pbx->db, snapshot);
    calls = bus_subscribe(bed->pbx->bus, EVENT_BIT(EVENT_CALL_NEW), take_call, NULL);
    caller = bed_phone(bed, "201");
    callee = bed_registered(bed, "202");
    from[0] = '\0';
}

static void setup(void)
{
    setup_with(NULL);
}

static void teardown(void)
{
    bus_unsubscribe(calls);
    ua_close(caller);
    ua_close(callee);
    bed_close(bed);
}

/* An INVITE with this From and these lines; the callee's INVITE. It is refused with 486 then. */
static struct message invite(const char *from_value, const char *lines)
{
    struct message got;
    char body[1000], value[1024], all[6000], uri[128], realm[128], nonce[128], challenge[512], host[ADDR_TEXT];
    struct answer answer = {.user = "201", .secret = "secret-of-201", .method = "INVITE", .cnonce = "c", .nc = "00000001"};
    static char cnonce[20];
    static unsigned count;
    struct ask ask = {.method = "INVITE", .uri = uri, .from = from_value, .headers = lines, .type = "application/sdp"};
    const struct message *m;

    snprintf(uri, sizeof uri, "sip:202@%s", addr_text(&caller->proxy, host));
    snprintf(cnonce, sizeof cnonce, "c%u", ++count);
    ask.body = ua_sdp(caller, body, sizeof body);
    m = wire_ask(caller, &ask);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(m->status, 401);
    message_header(m, "WWW-Authenticate", challenge, sizeof challenge);
    answer.realm = wire_param(challenge, "realm", realm, sizeof realm);
    answer.nonce = wire_param(challenge, "nonce", nonce, sizeof nonce);
    answer.uri = uri;
    answer.cnonce = cnonce;
    snprintf(all, sizeof all, "Authorization: %s\r\n%s", wire_digest(&answer, value, sizeof value), lines ? lines : "");
    ask.headers = all;
    wire_send(caller, &ask);
    got = *must(ua_wait(callee, "INVITE"));
    ua_reply(callee, &got, 486, "Busy", NULL);
    must(ua_wait(callee, "ACK"));
    must(ua_wait(caller, "486"));
    return got;
}

START_TEST(from_is_the_account_that_has_authenticated)
{
    static const char *const claims[] = {
        NULL,
        "\"The Boss\" <sip:203@tandem>;tag=1",
        "<sip:+15550100@carrier.example>;tag=2",
        "<sip:201@elsewhere.example>;tag=3",
        "\"Anna\\\" <sip:203@x>;evil=\\\"\" <sip:203@tandem>;tag=4",
        "<tel:+15550100>;tag=5",
    };
    char value[256];

    for (size_t i = 0; i < COUNT_OF(claims); i++) {
        struct message m = invite(claims[i], NULL);

        message_header(&m, "From", value, sizeof value);
        ck_assert_msg(strncmp(value, shown, strlen(shown)) == 0, "%s became %s",
                      claims[i] ? claims[i] : "its own", value);
        ck_assert_str_eq(from, "201|Anna Arendt|shown");
    }
}
END_TEST

START_TEST(who_does_not_want_to_be_shown_is_not_and_the_switch_knows_him_all_the_same)
{
    static const struct {
        const char *from, *lines;
    } wishes[] = {
        {"\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1", NULL},
        {"\"Anonymous\" <sip:Anonymous@tandem>;tag=2", NULL},
        {NULL, "Privacy: id\r\n"},
        {NULL, "privacy :\r\n  header;ID;critical\r\n"},
        {NULL, "Privacy: user\r\nP-Asserted-Identity: <sip:201@tandem>\r\n"},
    };
    char value[256];

    for (size_t i = 0; i < COUNT_OF(wishes); i++) {
        struct message m = invite(wishes[i].from, wishes[i].lines);

        message_header(&m, "From", value, sizeof value);
        ck_assert_msg(strncmp(value, hidden, strlen(hidden)) == 0, "%s", value);
        ck_assert_ptr_null(strstr(m.text, ":201")); /* with something before it: ports and tags have digits too */
        ck_assert_ptr_null(strstr(m.text, "201@"));
        ck_assert_ptr_null(strstr(m.text, "\"201"));
        ck_assert_ptr_null(strstr(m.text, "Anna"));
        ck_assert_str_eq(from, "201|Anna Arendt|anonymous");
    }
    invite(NULL, "Privacy: none\r\n");
    ck_assert_str_eq(from, "201|Anna Arendt|shown");
}
END_TEST

/* Spaces before the colon, folds, short names, odd case: as RFC 3261 §7.3.1 allows, and as some proxies overlook. */
#define CLAIMS                                                                                                         \
    "P-Asserted-Identity : \"Marked\" <sip:marked@carrier.example>\r\n"                                                \
    "P-ASSERTED-IDENTITY\t:\r\n <sip:marked2@carrier.example>,\r\n\t<tel:+4930marked>\r\n"                             \
    "p-preferred-identity:<sip:marked@x>\r\n"                                                                          \
    "Remote-Party-ID :\r\n\t \"Marked\" <sip:marked@x>;party=calling;screen=yes;privacy=off\r\n"                       \
    "rEMOTE-pARTY-id:<sip:marked@x>\r\n"                                                                               \
    "Diversion\t: <sip:marked@x>;reason=unconditional\r\n"                                                             \
    "History-Info:\r\n <sip:marked@x>;index=1\r\n"                                                                     \
    "b: <sip:marked@x>\r\n"                                                                                            \
    "Referred-By : <sip:marked@x>\r\n"                                                                                 \
    "y: marked\r\n"                                                                                                    \
    "Identity: marked\r\n"                                                                                             \
    "P-Served-User: <sip:marked@x>\r\n"                                                                                \
    "P-Charging-Vector: icid-value=marked\r\n"                                                                         \
    "X-Asserted-Identity: marked\r\n"                                                                                  \
    "x-forwarded-for : marked\r\n"                                                                                     \
    "X-Marked : marked\r\n"

START_TEST(what_a_phone_claims_about_identities_does_not_cross)
{
    struct message m = invite(NULL, CLAIMS);

    ck_assert_ptr_null(strcasestr(m.text, "marked"));
    ck_assert_str_eq(from, "201|Anna Arendt|shown");
}
END_TEST

START_TEST(nor_does_the_dialplan_see_it)
{
    struct message m;

    teardown();
    setup_with("extension(\"internal\", \"202\", function(call)\n"
                   "  for _, name in ipairs{ \"P-Asserted-Identity\", \"P-Preferred-Identity\", \"Remote-Party-ID\", "
                   "\"Diversion\", \"History-Info\", \"Referred-By\", \"Identity\", \"X-Asserted-Identity\", "
                   "\"X-Forwarded-For\" } do\n"
                   "    local ok, value = pcall(call.header, call, name)\n"
                   "    if ok and value then call:hangup() return end\n"
                   "  end\n"
                   "  call:dial{ to = call.anonymous and \"202\" or \"203\" }\n"
                   "end)\n");
    m = invite("<sip:anonymous@anonymous.invalid>;tag=1", CLAIMS); /* it rings: the script saw nothing */
    ck_assert_ptr_null(strcasestr(m.text, "marked"));
}
END_TEST

/* Outside of dialogs. What takes no authentication says nothing about anybody. */
START_TEST(every_request_outside_a_dialog_is_authenticated)
{
    static const struct {
        const char *method, *user;
        int status;
    } requests[] = {
        {"INVITE", "202@", 401},  {"REGISTER", "", 401}, {"OPTIONS", "202@", 401}, {"OPTIONS", "999@", 401},
        {"OPTIONS", "", 200}, /* what everybody may know: which methods there are */
        {"SUBSCRIBE", "202@", 405}, {"MESSAGE", "202@", 405}, {"REFER", "202@", 405}, {"PUBLISH", "202@", 405},
        {"NOTIFY", "202@", 481}, {"UPDATE", "202@", 481},  {"INFO", "202@", 481},  {"PRACK", "202@", 481},
        {"BYE", "202@", 481},    {"CANCEL", "202@", 481},  {"FOO", "202@", 501},
    };
    char uri[128], host[ADDR_TEXT], seen[2][4000];

    for (size_t i = 0; i < COUNT_OF(requests); i++)
        for (int known = 0; known < 2; known++) { /* a user who is there, and one who is not */
            const struct message *m;
            const char *p;

            snprintf(uri, sizeof uri, "sip:%s%s", requests[i].user, addr_text(&caller->proxy, host));
            if (!known && *requests[i].user)
                snprintf(uri, sizeof uri, "sip:nobody@%s", host);
            m = wire_ask(caller, &(struct ask){.method = requests[i].method, .uri = uri, .to = "<sip:x@tandem>"});
            ck_assert_msg(m && m->status == requests[i].status, "%s %s: %d", requests[i].method, uri,
                          m ? m->status : 0);
            ck_assert_ptr_null(strstr(m->text, "Anna"));
            p = strstr(m->text, "CSeq:");
            str_copy(seen[known], sizeof seen[known], p ? strchr(p, '\r') : "");
            if (known)
                ck_assert_str_eq(seen[0], seen[1]);
        }
}
END_TEST

/* Whoever can make the switch call him must not get a hash of a password to guess at. */
START_TEST(a_challenge_to_the_switch_gets_no_credentials)
{
    static const char *const headers[] = {
        "WWW-Authenticate: Digest realm=\"tandem-test\", nonce=\"marked\", qop=\"auth\", algorithm=MD5\r\n",
        "Proxy-Authenticate: Digest realm=\"tandem-test\", nonce=\"marked\", algorithm=MD5\r\n"};
    struct message m;

    ua_record(callee);
    for (size_t i = 0; i < COUNT_OF(headers); i++) { /* instead of an answer, and at the end of a call */
        ua_invite(caller, "202", NULL);
        m = *must(ua_wait(callee, "INVITE"));
        callee->extra = headers[i];
        ua_reply(callee, &m, i ? 407 : 401, "Who is there", NULL);
        must(ua_wait(callee, "ACK"));
        must(ua_wait(caller, "480"));
        callee->extra = NULL;
    }
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        ua_invite(caller, "202", NULL);
        m = *must(ua_wait(callee, "INVITE"));
        ua_reply(callee, &m, 200, "OK", NULL);
        must(ua_wait(callee, "ACK"));
        ua_ack(caller, must(ua_wait(caller, "200")));
        ua_bye(caller);
        m = *must(ua_wait(callee, "BYE"));
        callee->extra = headers[i];
        ua_reply(callee, &m, i ? 407 : 401, "Who is there", NULL);
        bed_until(bed, bed->pbx->call_count == 0);
        callee->extra = NULL;
    }
    ck_assert_ptr_nonnull(strstr(callee->heard, "BYE "));
    ck_assert_ptr_null(strcasestr(callee->heard, "Authorization"));
    ck_assert_ptr_null(strstr(callee->heard, "marked"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("identity");
    TCase *tcase = tcase_create("wire");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, from_is_the_account_that_has_authenticated);
    tcase_add_test(tcase, who_does_not_want_to_be_shown_is_not_and_the_switch_knows_him_all_the_same);
    tcase_add_test(tcase, what_a_phone_claims_about_identities_does_not_cross);
    tcase_add_test(tcase, nor_does_the_dialplan_see_it);
    tcase_add_test(tcase, every_request_outside_a_dialog_is_authenticated);
    tcase_add_test(tcase, a_challenge_to_the_switch_gets_no_credentials);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
