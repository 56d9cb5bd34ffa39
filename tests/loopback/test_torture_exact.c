/* RFC 4475 and RFC 5118: for each message the treatment that the RFC names, as a stranger sends it and as an account
 * does. The messages in tests/data/torture are of our own making, one for each section; the RFCs' own run as well when
 * they lie beside the checkout. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "bed.h"
#include "wire.h"

#define DROPPED 0
#define MESSAGE_ROOM 20000

struct row {
    const char *section, *name;
    int stranger, account; /* status of the final response; DROPPED: none */
    const char *wants;     /* text in the account's answer; NULL: nothing special */
};

/* Where a section allows more than one treatment, the comment says which was chosen. */
static const struct row rfc4475[] = {
    {"3.1.1.1", "wsinv", 481, 481, NULL}, /* it has a To tag */
    {"3.1.1.2", "intmeth", 501, 501, NULL},
    {"3.1.1.3", "esc01", 401, 404, NULL},
    {"3.1.1.4", "escnull", 401, 404, NULL}, /* not the account whose name stands before the NUL */
    {"3.1.1.5", "esc02", 501, 501, NULL},
    {"3.1.1.6", "lwsdisp", 401, 480, NULL},
    {"3.1.1.7", "longreq", 401, 480, NULL},
    {"3.1.1.8", "dblreq", 401, 200, NULL},
    {"3.1.1.9", "semiuri", 401, 404, NULL}, /* the semicolon belongs to the user */
    {"3.1.1.10", "transports", 401, 480, NULL},
    {"3.1.1.11", "mpart01", 405, 405, "\r\nAllow: "},
    {"3.1.1.12", "unreason", DROPPED, DROPPED, NULL},
    {"3.1.1.13", "noreason", DROPPED, DROPPED, NULL},
    {"3.1.2.1", "badinv01", 400, 400, NULL},
    {"3.1.2.2", "clerr", 400, 400, NULL},
    {"3.1.2.3", "ncl", 400, 400, NULL},
    {"3.1.2.4", "scalar02", 400, 400, NULL},
    {"3.1.2.5", "scalarlg", DROPPED, DROPPED, NULL},
    {"3.1.2.6", "quotbal", 400, 400, NULL},
    {"3.1.2.7", "ltgtruri", 400, 400, NULL},
    {"3.1.2.8", "lwsruri", 400, 400, NULL},
    {"3.1.2.9", "lwsstart", 401, 480, NULL}, /* liberal, as it allows */
    {"3.1.2.10", "trws", 401, 404, NULL},    /* liberal, as it allows */
    {"3.1.2.11", "escruri", 400, 400, NULL},
    {"3.1.2.12", "baddate", 401, 480, NULL}, /* liberal, as it allows */
    {"3.1.2.13", "regbadct", 400, 400, NULL},
    {"3.1.2.14", "badaspec", 401, 480, NULL}, /* liberal, as it allows */
    {"3.1.2.15", "baddn", 400, 400, NULL},
    {"3.1.2.16", "badvers", 505, 505, NULL},
    {"3.1.2.17", "mismatch01", 400, 400, NULL},
    {"3.1.2.18", "mismatch02", 501, 501, NULL}, /* 400 would do as well */
    {"3.1.2.19", "bigcode", DROPPED, DROPPED, NULL},
    {"3.2.1", "badbranch", 401, 480, NULL},
    {"3.3.1", "insuf", 400, 400, NULL},
    {"3.3.2", "unkscm", 416, 416, NULL},
    {"3.3.3", "novelsc", 416, 416, NULL},
    {"3.3.4", "unksm2", 401, 404, NULL}, /* no address that we could have */
    {"3.3.5", "bext01", 420, 420, "\r\nUnsupported: nothing"},
    {"3.3.6", "invut", 401, 415, "\r\nAccept: application/sdp\r\n"},
    {"3.3.7", "regaut01", 401, 200, NULL},
    {"3.3.8", "multi01", 400, 400, NULL},
    {"3.3.9", "mcl01", 400, 400, NULL},
    {"3.3.10", "bcast", DROPPED, DROPPED, NULL},
    {"3.3.11", "zeromf", 401, 480, NULL},
    {"3.3.12", "cparam01", 401, 200, ">;expires=3600;unknownparam\r\n"},
    {"3.3.13", "cparam02", 401, 200, ";unknownparam>;expires=3600\r\n"},
    {"3.3.14", "regescrt", 401, 200, "?Route=%3Csip:"},
    {"3.3.15", "sdp01", 401, 406, NULL},
    {"3.4.1", "inv2543", 401, 400, NULL}, /* no Contact: nowhere to send a BYE */
};

static const struct row rfc5118[] = {
    {"4.1", "ipv6-good", 401, 200, "@[2001:db8::1]>;expires=3600\r\n"},
    {"4.2", "ipv6-bad", 400, 400, NULL},
    {"4.3", "port-ambiguous", 401, 200, NULL},
    {"4.4", "port-unambiguous", 401, 200, NULL},
    {"4.5", "via-received-param-with-delim", 481, 481, NULL},
    {"4.5", "via-received-param-no-delim", 200, 200, NULL},
    {"4.6", "ipv6-in-sdp", 401, 480, NULL},
    {"4.7", "mult-ip-in-header", 481, 481, NULL},
    {"4.8", "mult-ip-in-sdp", 401, 480, NULL},
    {"4.9", "ipv4-mapped-ipv6", 401, 480, NULL},
    {"4.10", "ipv6-bug-abnf-3-colons", 401, 480, NULL},
    {"4.10", "ipv6-correct-abnf-2-colons", 401, 480, NULL},
};

static size_t read_message(const char *dir, const char *name, const char *suffix, char text[MESSAGE_ROOM])
{
    char path[512];
    FILE *f;
    size_t len;

    snprintf(path, sizeof path, "%s/%s%s", dir, name, suffix);
    f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s is missing", path);
    len = fread(text, 1, MESSAGE_ROOM, f);
    fclose(f);
    ck_assert_msg(len > 0 && len < MESSAGE_ROOM, "%s has %zu bytes", path, len);
    return len;
}

/* Who must prove himself for this message: for a REGISTER the account that it registers. */
static const char *who_sends(const char *text, char out[64])
{
    static const char *const accounts[] = {"watson", "j.user", "user"};
    const char *to = strstr(text, "\nTo:");

    to = to ? strstr(to, "sip:") : NULL;
    if (to && strncmp(to + 4, "null-", 5) == 0)
        return strcpy(out, "null-");
    for (size_t i = 0; to && strncmp(text, "REGISTER", 8) == 0 && i < COUNT_OF(accounts); i++)
        if (strncmp(to + 4, accounts[i], strlen(accounts[i])) == 0 && to[4 + strlen(accounts[i])] == '@')
            return strcpy(out, accounts[i]);
    return strcpy(out, "201");
}

/* Puts credentials behind the first line. */
static size_t authorize(char text[MESSAGE_ROOM], size_t len, const char *realm, const char *nonce)
{
    char method[80] = "", cnonce[17], user[64], secret[80], value[1024], line[1100];
    struct answer answer = {.user = user,
                            .secret = secret,
                            .realm = realm,
                            .nonce = nonce,
                            .method = method,
                            .uri = "sip:torture",
                            .cnonce = cnonce,
                            .nc = "00000001"};
    char *end = memchr(text, '\n', len);
    size_t added;

    ck_assert_ptr_nonnull(end);
    str_copy_n(method, sizeof method, text, strcspn(text, " "));
    snprintf(secret, sizeof secret, "secret-of-%s", who_sends(text, user));
    random_token(cnonce, 16);
    added = (size_t)snprintf(line, sizeof line, "Authorization: %s\r\n", wire_digest(&answer, value, sizeof value));
    ck_assert_uint_lt(len + added, MESSAGE_ROOM);
    memmove(end + 1 + added, end + 1, len - (size_t)(end + 1 - text));
    memcpy(end + 1, line, added);
    return len + added;
}

/* Sends it from a socket of its own. What has not come when a ping sent after it is answered does not come at all. */
static int treatment(struct bed *bed, const char *text, size_t len, char *answer, size_t size)
{
    struct ua *ua = bed_phone(bed, "201"), *other = bed_phone(bed, "202");
    int status = 0;

    answer[0] = '\0';
    ua_send_raw(ua, text, len);
    ck_assert_int_eq(wire_status(other, &(struct ask){.method = "REGISTER", .to = "<sip:202@tandem>"}), 401);
    for (int left = 20; left && !status; left--) {
        loop_turn(bed->loop, 1);
        ua_poll(ua);
        for (unsigned i = 0; i < ua->in_count && !status; i++)
            if (ua->in[i].status >= 200) {
                status = ua->in[i].status;
                str_copy(answer, size, ua->in[i].text);
            }
    }
    ua_close(ua);
    ua_close(other);
    return status;
}

/* Makes the Call-ID one of its own, so that no message is taken for a copy of one before it (RFC 3261 §8.2.2.2). */
static size_t single_out(char text[MESSAGE_ROOM], size_t len, unsigned number)
{
    char *call_id = memmem(text, len, "\nCall-ID:", 9), word[16];
    int n = snprintf(word, sizeof word, "%u-", number);

    if (!call_id)
        return len;
    call_id += 9;
    if (*call_id == ' ')
        call_id++;
    ck_assert_uint_lt(len + (size_t)n, MESSAGE_ROOM);
    memmove(call_id + n, call_id, len - (size_t)(call_id - text));
    memcpy(call_id, word, (size_t)n);
    return len + (size_t)n;
}

/* What the message registered goes away again. */
static void forget(struct bed *bed, const char *text)
{
    char user[64], secret[80], to[100];
    struct ua *ua;

    snprintf(secret, sizeof secret, "secret-of-%s", who_sends(text, user));
    snprintf(to, sizeof to, "<sip:%s@tandem>", user);
    ua = ua_open(bed->loop, &bed->sip, user, secret);
    ck_assert_int_eq(
        wire_status(ua,
                    &(struct ask){
                        .method = "REGISTER", .to = to, .contact = "*", .headers = "Expires: 0\r\n", .account = true}),
        200);
    ua_close(ua);
}

static unsigned judge(const struct row *row, const char *who, int got, int want, const char *answer)
{
    bool wanted = !row->wants || want != row->account || strcmp(who, "account") != 0 || strstr(answer, row->wants);

    if (got == want && wanted)
        return 0;
    fprintf(stderr, "%s %s from %s: got %d, want %d%s%s\n%s\n", row->section, row->name, who, got, want,
            wanted ? "" : " with ", wanted ? "" : row->wants, answer);
    return 1;
}

static void run(const struct row *rows, size_t count, const char *dir, const char *suffix)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    static const char *const accounts[] = {"watson", "j.user", "user", "null-"};
    struct ua *asks = bed_phone(bed, "201");
    char text[MESSAGE_ROOM], answer[UA_MESSAGE], challenge[512], realm[128], nonce[128], secret[40];
    unsigned wrong = 0;

    message_header(must(wire_ask(asks, &(struct ask){.method = "REGISTER", .to = "<sip:201@tandem>"})),
                   "WWW-Authenticate", challenge, sizeof challenge);
    wire_param(challenge, "realm", realm, sizeof realm);
    wire_param(challenge, "nonce", nonce, sizeof nonce);
    for (size_t i = 0; i < COUNT_OF(accounts); i++) {
        snprintf(secret, sizeof secret, "secret-of-%s", accounts[i]);
        snapshot_put_account(snapshot, account_new(accounts[i], realm, secret));
    }
    db_set_snapshot(bed->pbx->db, snapshot);
    for (size_t i = 0; i < count; i++) {
        size_t len = single_out(text, read_message(dir, rows[i].name, suffix, text), (unsigned)i);

        wrong +=
            judge(&rows[i], "stranger", treatment(bed, text, len, answer, sizeof answer), rows[i].stranger, answer);
        if (strncmp(text, "SIP/2.0 ", 8) != 0)
            len = authorize(text, single_out(text, len, 1), realm, nonce);
        wrong += judge(&rows[i], "account", treatment(bed, text, len, answer, sizeof answer), rows[i].account, answer);
        if (rows[i].account == 200 && strncmp(text, "REGISTER", 8) == 0)
            forget(bed, text);
    }
    ck_assert_msg(wrong == 0, "%u treatments are wrong; they are named above", wrong);
    ua_close(asks);
    bed_close(bed);
}

static const char *own(const char *rfc)
{
    static char dir[400];

    snprintf(dir, sizeof dir, "%s/tests/data/torture/%s", getenv("TANDEM_SRC"), rfc);
    return dir;
}

/* The RFC's own messages, or NULL. */
static const char *original(const char *rfc)
{
    static char dir[400];
    struct stat st;
    const char *data = getenv("TANDEM_TORTURE");

    if (data)
        snprintf(dir, sizeof dir, "%s/%s", data, rfc);
    else
        snprintf(dir, sizeof dir, "%s/../shared/data/%s", getenv("TANDEM_SRC"), rfc);
    return stat(dir, &st) == 0 ? dir : NULL;
}

START_TEST(our_messages_of_rfc_4475_are_treated_as_it_says)
{
    run(rfc4475, COUNT_OF(rfc4475), own("rfc4475"), ".sip");
}
END_TEST

START_TEST(our_messages_of_rfc_5118_are_treated_as_it_says)
{
    run(rfc5118, COUNT_OF(rfc5118), own("rfc5118"), ".sip");
}
END_TEST

START_TEST(the_messages_of_rfc_4475_are_treated_as_it_says)
{
    if (original("rfc4475"))
        run(rfc4475, COUNT_OF(rfc4475), original("rfc4475"), ".dat");
}
END_TEST

START_TEST(the_messages_of_rfc_5118_are_treated_as_it_says)
{
    if (original("rfc5118"))
        run(rfc5118, COUNT_OF(rfc5118), original("rfc5118"), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("torture");
    TCase *tcase = tcase_create("exact");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, our_messages_of_rfc_4475_are_treated_as_it_says);
    tcase_add_test(tcase, our_messages_of_rfc_5118_are_treated_as_it_says);
    tcase_add_test(tcase, the_messages_of_rfc_4475_are_treated_as_it_says);
    tcase_add_test(tcase, the_messages_of_rfc_5118_are_treated_as_it_says);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
