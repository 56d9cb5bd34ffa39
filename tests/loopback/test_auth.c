/* Digest authentication as phones meet it on the wire (RFC 3261 §22, RFC 7616, RFC 8760). */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"
#include "edge/ban.h"
#include "main/daemon.h"
#include "sip/agent.h"
#include "wire.h"

static struct bed *bed;
static struct ua *phone;
static char realm[128], nonce[128];

/* What a challenge says now: a source sees the same nonce for a while. */
static void learn(const struct message *m)
{
    char challenge[512];

    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(m->status, 401);
    message_header(m, "WWW-Authenticate", challenge, sizeof challenge);
    wire_param(challenge, "realm", realm, sizeof realm);
    wire_param(challenge, "nonce", nonce, sizeof nonce);
    ck_assert_uint_gt(strlen(nonce), 0);
}

static void setup(void)
{
    bed = bed_open_with(&(struct bed_options){.lines = "source_rate = 0\n"});
    phone = bed_phone(bed, "201");
    learn(wire_ask(phone, &(struct ask){.method = "REGISTER", .to = "<sip:201@tandem>"}));
}

static void teardown(void)
{
    ua_close(phone);
    bed_close(bed);
}

static const char *switch_uri(void)
{
    static char uri[ADDR_TEXT + 8];
    char host[ADDR_TEXT];

    snprintf(uri, sizeof uri, "sip:%s", addr_text(&phone->proxy, host));
    return uri;
}

static struct answer good(const char *cnonce, const char *nc)
{
    return (struct answer){.user = "201",
                           .secret = "secret-of-201",
                           .realm = realm,
                           .nonce = nonce,
                           .method = "REGISTER",
                           .uri = switch_uri(),
                           .cnonce = cnonce,
                           .nc = nc};
}

/* REGISTER (a query) with these header lines. */
static const struct message *asks(const char *lines)
{
    return wire_ask(phone, &(struct ask){.method = "REGISTER", .to = "<sip:201@tandem>", .headers = lines});
}

static const struct message *answers(const struct answer *a)
{
    char value[1024], lines[1100];

    snprintf(lines, sizeof lines, "Authorization: %s\r\n", wire_digest(a, value, sizeof value));
    return asks(lines);
}

static int status(const struct answer *a)
{
    const struct message *m = answers(a);

    return m ? m->status : 0;
}

static bool is_stale(const struct message *m)
{
    return strstr(m->text, "stale=true") != NULL;
}

START_TEST(the_challenge_offers_md5_then_sha256_and_keeps_its_nonce)
{
    const struct message *m = asks(NULL);
    const char *first = strstr(m->text, "WWW-Authenticate:"), *second = strstr(first + 1, "WWW-Authenticate:");

    ck_assert_ptr_nonnull(second);
    ck_assert_ptr_null(strstr(second + 1, "WWW-Authenticate:"));
    ck_assert_ptr_nonnull(strstr(first, "algorithm=MD5"));
    ck_assert(strstr(first, "algorithm=MD5") < second);
    ck_assert_ptr_nonnull(strstr(second, "algorithm=SHA-256"));
    ck_assert_ptr_nonnull(strstr(m->text, nonce));
    ck_assert(!is_stale(m));
}
END_TEST

START_TEST(all_shapes_of_a_right_answer_are_taken)
{
    struct answer plain = good("a", "00000001"), quoted = good("b", "00000001"), bare = good("c", "00000001"),
                  sha = good("d", "00000001"), elsewhere = good("e", "00000001");

    quoted.format = ANSWER_QUOTED;
    bare.format = ANSWER_NO_ALGORITHM;
    sha.sha256 = true;
    elsewhere.uri = "sip:some.other.name.example.org;transport=udp";
    ck_assert_int_eq(status(&plain), 200);
    ck_assert_int_eq(status(&quoted), 200);
    ck_assert_int_eq(status(&bare), 200);
    ck_assert_int_eq(status(&sha), 200);
    ck_assert_int_eq(status(&elsewhere), 200);
}
END_TEST

START_TEST(an_answer_without_qop_or_with_auth_int_is_challenged_again)
{
    struct answer old = good("a", "00000001"), with_body = good("b", "00000001");

    old.format = ANSWER_NO_QOP;
    with_body.format = ANSWER_AUTH_INT;
    ck_assert_int_eq(status(&old), 401);
    ck_assert_int_eq(status(&with_body), 401);
}
END_TEST

/* The headers of a response without what differs from request to request. */
static void face(const struct message *m, char *out, size_t size)
{
    size_t used = 0;

    ck_assert_ptr_nonnull(m);
    for (const char *line = m->text; *line != '\r' && *line; line = strstr(line, "\r\n") + 2) {
        size_t len = strcspn(line, "\r");

        if (strncmp(line, "Via:", 4) == 0 || strncmp(line, "To:", 3) == 0 || strncmp(line, "From:", 5) == 0 ||
            strncmp(line, "Call-ID:", 8) == 0 || strncmp(line, "CSeq:", 5) == 0)
            len = strcspn(line, ":");
        str_append(out, size, &used, "%.*s\n", (int)len, line);
    }
}

/* 298 is disabled, 297 may be used from elsewhere only. */
static void put_accounts(void)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    struct account *out_of_use = account_new("298", realm, "secret-of-298"), *elsewhere;

    elsewhere = account_new("297", realm, "secret-of-297");
    out_of_use->enabled = false;
    account_text(&elsewhere->acl, "far");
    snapshot_put_account(snapshot, out_of_use);
    snapshot_put_account(snapshot, elsewhere);
    snapshot_put_acl(snapshot, acl_new("far", "allow 192.0.2.0/24, deny all", ""));
    db_set_snapshot(bed->pbx->db, snapshot);
}

/* Four ways to fail: a wrong password, an unknown user, a disabled account, an address that its list refuses. */
static struct answer failure(unsigned kind, const char *cnonce)
{
    struct answer a = good(cnonce, "00000001");
    static const char *const users[] = {"201", "299", "298", "297"};
    static const char *const secrets[] = {"not-the-secret", "secret-of-201", "secret-of-298", "secret-of-297"};

    a.user = users[kind];
    a.secret = secrets[kind];
    return a;
}

START_TEST(all_failures_of_authentication_look_alike)
{
    char seen[4][2048];

    put_accounts();
    for (unsigned kind = 0; kind < 4; kind++) {
        struct answer a = failure(kind, "a");

        face(answers(&a), seen[kind], sizeof seen[kind]);
        ck_assert(strncmp(seen[kind], "SIP/2.0 401 ", 12) == 0);
        ck_assert_ptr_null(strstr(seen[kind], "stale"));
        ck_assert_str_eq(seen[kind], seen[0]);
    }
}
END_TEST

#define TRIES 2000

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* In turns, so that what else the machine does falls on all alike. What a network could tell apart are thousandths of
 * what a quantile may differ here; a hash more or less would be seen. */
START_TEST(and_take_the_same_time)
{
    static uint64_t took[4][TRIES];
    static const unsigned quantiles[] = {10, 25, 50, 75};

    put_accounts();
    for (unsigned i = 0; i < TRIES; i++)
        for (unsigned k = 0; k < 4; k++) {
            unsigned kind = (i + k) % 4;
            struct answer a = failure(kind, "a");
            char value[1024], lines[1100];
            uint64_t begin;

            if (i % 500 == 0)
                learn(asks(NULL)); /* they do not live for ever */
            a.nonce = nonce;
            snprintf(lines, sizeof lines, "Authorization: %s\r\n", wire_digest(&a, value, sizeof value));
            begin = now_ns();
            ck_assert_int_eq(asks(lines)->status, 401);
            took[kind][i] = now_ns() - begin;
        }
    for (unsigned kind = 0; kind < 4; kind++)
        qsort(took[kind], TRIES, sizeof took[kind][0], by_value);
    for (unsigned kind = 1; kind < 4; kind++)
        for (size_t q = 0; q < COUNT_OF(quantiles); q++) {
            double one = (double)took[0][TRIES * quantiles[q] / 100],
                   other = (double)took[kind][TRIES * quantiles[q] / 100];

            ck_assert_msg(other > one * 0.9 && other < one * 1.1, "%u%% of %u: %.1f us, of 0: %.1f us", quantiles[q],
                          kind, other / 1000, one / 1000);
        }
}
END_TEST

static void put_device(const char *name, const char *account, bool enabled)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    struct device *device = device_new(name, account, realm, "secret-of-the-desk");

    device->enabled = enabled;
    snapshot_put_device(snapshot, device);
    db_set_snapshot(bed->pbx->db, snapshot);
}

START_TEST(a_device_is_its_account_with_another_password_until_it_is_taken_away)
{
    struct answer md5 = good("a", "00000001"), sha = good("b", "00000001"), wrong = good("c", "00000001");
    struct ua *desk, *other;
    const struct message *m;
    char from[256];

    put_device("201-desk", "201", true);
    put_device("203-desk", "203", true);
    md5.user = sha.user = wrong.user = "201-desk";
    md5.secret = sha.secret = "secret-of-the-desk";
    wrong.secret = "secret-of-201"; /* its account's */
    sha.sha256 = true;
    ck_assert_int_eq(status(&md5), 200);
    ck_assert_int_eq(status(&sha), 200);
    ck_assert_int_eq(status(&wrong), 401);

    desk = ua_open(bed->loop, &bed->sip, "203-desk", "secret-of-the-desk");
    other = bed_registered(bed, "202");
    ck_assert_int_eq(ua_register(desk, -1), 200);
    ua_invite(other, "203", NULL); /* it rings where the account is called */
    m = ua_wait(desk, "INVITE");
    ck_assert_ptr_nonnull(m);
    ua_reply(desk, m, 486, "Busy Here", NULL);
    ck_assert_ptr_nonnull(ua_wait(other, "486"));
    ua_invite(desk, "202", NULL); /* and what it calls sees the account */
    m = ua_wait(other, "INVITE");
    ck_assert_ptr_nonnull(m);
    ck_assert_ptr_nonnull(strstr(message_header(m, "From", from, sizeof from), "sip:203@"));
    ua_reply(other, m, 486, "Busy Here", NULL);
    ck_assert_ptr_nonnull(ua_wait(desk, "486"));

    put_device("203-desk", "203", false);
    ua_invite(other, "203", NULL);
    ck_assert_ptr_nonnull(ua_wait(other, "480"));
    ck_assert_int_eq(ua_register(desk, -1), 401);
    ua_close(desk);
    ua_close(other);
}
END_TEST

START_TEST(a_used_count_is_stale_and_never_the_end)
{
    struct answer once = good("a", "00000001"), again = good("a", "00000001");
    const struct message *m;
    struct agent_stats before, after;

    ck_assert_int_eq(status(&once), 200);
    agent_get_stats(bed->pbx->sip, &before);
    for (int i = 0; i < 50; i++) {
        m = answers(&again);
        ck_assert_int_eq(m->status, 401);
        ck_assert(is_stale(m));
    }
    agent_get_stats(bed->pbx->sip, &after);
    ck_assert_uint_eq(after.auth_failed, before.auth_failed); /* what bans are made of */
    learn(m);                                                 /* the new nonce takes the same cnonce and count */
    ck_assert_int_eq(status(&again), 200);
}
END_TEST

START_TEST(two_sessions_of_one_phone_share_a_nonce)
{
    struct answer a = good("registering", "00000001"), b = good("calling", "00000001");
    struct answer a2 = good("registering", "00000002"), b2 = good("calling", "00000002");

    ck_assert_int_eq(status(&a), 200);
    ck_assert_int_eq(status(&b), 200);
    ck_assert_int_eq(status(&b2), 200);
    ck_assert_int_eq(status(&a2), 200);
}
END_TEST

START_TEST(requests_may_overtake_each_other)
{
    struct answer fifth = good("a", "00000005"), third = good("a", "00000003");

    ck_assert_int_eq(status(&fifth), 200);
    ck_assert_int_eq(status(&third), 200);
    ck_assert_int_eq(status(&third), 401);
}
END_TEST

START_TEST(one_good_set_of_credentials_is_enough)
{
    struct answer foreign = good("a", "00000001"), ours = good("b", "00000001"), proxy = good("c", "00000001");
    char first[1024], second[1024], lines[2300];
    struct agent_stats before, after;

    agent_get_stats(bed->pbx->sip, &before);
    foreign.realm = "the-other-provider";
    snprintf(lines, sizeof lines, "Authorization: Basic MjAxOjIwMQ==\r\nAuthorization: %s\r\nAuthorization: %s\r\n",
             wire_digest(&foreign, first, sizeof first), wire_digest(&ours, second, sizeof second));
    ck_assert_int_eq(asks(lines)->status, 200);
    snprintf(lines, sizeof lines, "Proxy-Authorization: %s\r\n", wire_digest(&proxy, first, sizeof first));
    ck_assert_int_eq(asks(lines)->status, 200);
    agent_get_stats(bed->pbx->sip, &after);
    ck_assert_uint_eq(after.auth_failed, before.auth_failed);
    foreign.cnonce = "d";
    ck_assert_int_eq(status(&foreign), 401);
    agent_get_stats(bed->pbx->sip, &after);
    ck_assert_uint_eq(after.auth_failed, before.auth_failed + 1);
}
END_TEST

START_TEST(many_guesses_in_one_request_are_all_noted)
{
    const struct ban_policy policy = {.failures = 4, .window_s = 600};
    struct bans *bans = edge_bans(daemon_edge(bed->daemon));
    struct answer guess = good("a", "00000001");
    char value[1024], lines[8192] = "";
    size_t used = 0;
    struct agent_stats before, after;

    for (int i = 0; i < 4; i++) {
        char secret[20];

        snprintf(secret, sizeof secret, "guess-%d", i);
        guess.secret = secret;
        str_append(lines, sizeof lines, &used, "Authorization: %s\r\n", wire_digest(&guess, value, sizeof value));
    }
    guess.secret = "secret-of-201"; /* right, but behind too many wrong ones */
    str_append(lines, sizeof lines, &used, "Authorization: %s\r\n", wire_digest(&guess, value, sizeof value));
    bans_set_policy(bans, &policy);
    agent_get_stats(bed->pbx->sip, &before);
    ck_assert_int_eq(asks(lines)->status, 401);
    agent_get_stats(bed->pbx->sip, &after);
    ck_assert_uint_eq(after.auth_failed, before.auth_failed + 4);
    ck_assert_uint_eq(bans_count(bans), 1); /* each counts, not each request */
}
END_TEST

START_TEST(a_challenge_leaves_nothing_behind)
{
    struct agent_stats stats;

    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(asks(NULL)->status, 401);
    ck_assert_int_eq(wire_status(phone, &(struct ask){.method = "INVITE", .uri = "sip:202@tandem"}), 401);
    agent_get_stats(bed->pbx->sip, &stats);
    ck_assert_uint_eq(stats.nta_incoming, 0);
    ck_assert_uint_eq(stats.nta_legs, 0);
}
END_TEST

START_TEST(forbidden_is_said_only_to_who_proved_who_he_is)
{
    struct answer wrong = good("a", "00000001"), right = good("b", "00000001");
    char value[1024], lines[1100];
    struct ask ask = {.method = "REGISTER", .to = "<sip:202@tandem>", .headers = lines};

    wrong.secret = "not-the-secret";
    snprintf(lines, sizeof lines, "Authorization: %s\r\n", wire_digest(&wrong, value, sizeof value));
    ck_assert_int_eq(wire_status(phone, &ask), 401);
    snprintf(lines, sizeof lines, "Authorization: %s\r\n", wire_digest(&right, value, sizeof value));
    ck_assert_int_eq(wire_status(phone, &ask), 403);
}
END_TEST

START_TEST(ack_and_cancel_are_never_challenged)
{
    ck_assert_ptr_null(wire_ask(phone, &(struct ask){.method = "ACK", .uri = "sip:202@tandem", .wait_ms = 300}));
    ck_assert_int_eq(wire_status(phone, &(struct ask){.method = "CANCEL", .uri = "sip:202@tandem"}), 481);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("authentication");
    TCase *tcase = tcase_create("wire");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_challenge_offers_md5_then_sha256_and_keeps_its_nonce);
    tcase_add_test(tcase, all_shapes_of_a_right_answer_are_taken);
    tcase_add_test(tcase, an_answer_without_qop_or_with_auth_int_is_challenged_again);
    tcase_add_test(tcase, all_failures_of_authentication_look_alike);
    tcase_add_test(tcase, and_take_the_same_time);
    tcase_add_test(tcase, a_device_is_its_account_with_another_password_until_it_is_taken_away);
    tcase_add_test(tcase, a_used_count_is_stale_and_never_the_end);
    tcase_add_test(tcase, two_sessions_of_one_phone_share_a_nonce);
    tcase_add_test(tcase, requests_may_overtake_each_other);
    tcase_add_test(tcase, one_good_set_of_credentials_is_enough);
    tcase_add_test(tcase, many_guesses_in_one_request_are_all_noted);
    tcase_add_test(tcase, a_challenge_leaves_nothing_behind);
    tcase_add_test(tcase, forbidden_is_said_only_to_who_proved_who_he_is);
    tcase_add_test(tcase, ack_and_cancel_are_never_challenged);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
