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
#define PROBE "probe-behind-it"

/* A stream behind the message. */
enum after { IN_STEP, CLOSED, WAITS };

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

/* What is otherwise over TCP, where Content-Length alone says where a message ends (RFC 3261 §18.3), and what becomes of
 * the connection. All others are treated as over UDP and leave the stream in step: whatever a message says, the next one
 * on its connection is another. */
static const struct {
    const char *name;
    bool original; /* of the RFC's own message only */
    int stranger, account;
    enum after after;
    unsigned more; /* final responses beside that one */
} over_tcp[] = {
    /* The rest of it may still come: the edge waits as long as it waits for any message (partial). */
    {"clerr", false, DROPPED, DROPPED, WAITS, 0},
    /* Nobody knows where they end and the next begins. */
    {"ncl", false, 400, 400, CLOSED, 0},
    {"mcl01", false, 400, 400, CLOSED, 0},
    {"inv2543", false, 400, 400, CLOSED, 0},         /* no Content-Length, but a body: §20.14 */
    {"bigcode", false, DROPPED, DROPPED, CLOSED, 0}, /* no status line, so no SIP */
    /* What stands behind Content-Length is the next message: a request of its own in our dblreq, nonsense in the
     * others, which have more of a body than they say. */
    {"dblreq", false, 401, 200, IN_STEP, 1},
    {"dblreq", true, DROPPED, DROPPED, CLOSED, 0},
    {"ipv6-in-sdp", true, 401, 480, CLOSED, 0},
    {"mult-ip-in-sdp", true, 401, 480, CLOSED, 0},
    {"ipv4-mapped-ipv6", true, 401, 480, CLOSED, 0},
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

/* What a message got. */
struct treatment {
    int status; /* of its final response; DROPPED: none */
    enum after after;
    unsigned more;
    char answer[UA_MESSAGE];
};

/* Takes the first final response that is not for the probe. */
static void take_answer(struct ua *ua, struct treatment *t)
{
    unsigned finals = 0;

    ua_poll(ua);
    for (unsigned i = 0; i < ua->in_count; i++) {
        if (ua->in[i].status < 200 || strstr(ua->in[i].text, PROBE) || finals++)
            continue;
        t->status = ua->in[i].status;
        str_copy(t->answer, sizeof t->answer, ua->in[i].text);
    }
    t->more = finals ? finals - 1 : 0;
}

/* Sends it from a socket of its own. What has not come when a ping sent after it is answered does not come at all. */
static void treat_datagram(struct bed *bed, const char *text, size_t len, struct treatment *t)
{
    struct ua *ua = bed_phone(bed, "201"), *other = bed_phone(bed, "202");

    ua_send_raw(ua, text, len);
    ck_assert_int_eq(wire_status(other, &(struct ask){.method = "REGISTER", .to = "<sip:202@tandem>"}), 401);
    for (int left = 20; left && !t->status; left--) {
        loop_turn(bed->loop, 1);
        take_answer(ua, t);
    }
    ua_close(ua);
    ua_close(other);
}

static bool probe_answered(const struct ua *ua)
{
    for (unsigned i = 0; i < ua->in_count; i++)
        if (ua->in[i].status >= 200 && strstr(ua->in[i].text, PROBE))
            return true;
    return false;
}

/* Sends it on a connection of its own, and a good request behind it, which shows whether the stream is still in step.
 */
static void treat_stream(struct bed *bed, const char *text, size_t len, struct treatment *t)
{
    static const char probe[] = "BYE sip:x SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKprobe\r\nMax-Forwards: 70\r\n"
                                "From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=none\r\nCall-ID: " PROBE "\r\n"
                                "CSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n";
    struct ua *ua = bed_phone_on(bed, UA_TCP, false, "201");

    t->after = WAITS;
    ua_send_raw(ua, text, len);
    for (int left = 20; left && !t->status && !ua->lost; left--) {
        loop_turn(bed->loop, 1);
        take_answer(ua, t);
    }
    if (!ua->lost)
        ua_send_raw(ua, probe, sizeof probe - 1);
    for (uint64_t until_ = now_ms() + 300; t->after == WAITS && now_ms() < until_;) {
        loop_turn(bed->loop, 2);
        take_answer(ua, t);
        t->after = ua->lost ? CLOSED : probe_answered(ua) ? IN_STEP : WAITS;
    }
    ua_close(ua);
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

/* The row as it is over this transport. */
static struct row row_over(enum ua_transport transport, const struct row *row, bool original_, enum after *after,
                           unsigned *more)
{
    struct row over = *row;

    *after = IN_STEP;
    *more = 0;
    for (size_t i = 0; transport == UA_TCP && i < COUNT_OF(over_tcp); i++)
        if (strcmp(over_tcp[i].name, row->name) == 0 && over_tcp[i].original <= original_) {
            over.stranger = over_tcp[i].stranger;
            over.account = over_tcp[i].account;
            *after = over_tcp[i].after;
            *more = over_tcp[i].more;
        }
    return over;
}

static unsigned judge(enum ua_transport transport, const struct row *all, bool original_, bool account,
                      const struct treatment *t)
{
    static const char *const afters[] = {"in step", "closed", "waiting for more"};
    enum after after;
    unsigned more;
    struct row row = row_over(transport, all, original_, &after, &more);
    int want = account ? row.account : row.stranger;
    bool wanted = !row.wants || want != row.account || !account || strstr(t->answer, row.wants);

    if (t->status == want && wanted && (transport == UA_UDP || (t->after == after && t->more == more)))
        return 0;
    fprintf(stderr, "%s %s from %s over %s: got %d, want %d%s%s; the stream is %s, want %s\n%s\n", row.section,
            row.name, account ? "account" : "stranger", transport == UA_TCP ? "TCP" : "UDP", t->status, want,
            wanted ? "" : " with ", wanted ? "" : row.wants, afters[t->after], afters[after], t->answer);
    return 1;
}

static void run(enum ua_transport transport, const struct row *rows, size_t count, const char *dir, const char *suffix)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    static const char *const accounts[] = {"watson", "j.user", "user", "null-"};
    struct ua *asks = bed_phone(bed, "201");
    char text[MESSAGE_ROOM], challenge[512], realm[128], nonce[128], secret[40];
    unsigned wrong = 0;

    snapshot_put_setting(snapshot, "phone_keepalive", "0"); /* what a phone behind a router gets is another matter */
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

        for (int account = 0; account < 2; account++) {
            static struct treatment t;

            memset(&t, 0, sizeof t);
            if (account && strncmp(text, "SIP/2.0 ", 8) != 0)
                len = authorize(text, single_out(text, len, 1), realm, nonce);
            (transport == UA_TCP ? treat_stream : treat_datagram)(bed, text, len, &t);
            wrong += judge(transport, &rows[i], strcmp(suffix, ".sip") != 0, account, &t);
        }
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
    run((enum ua_transport)_i, rfc4475, COUNT_OF(rfc4475), own("rfc4475"), ".sip");
}
END_TEST

START_TEST(our_messages_of_rfc_5118_are_treated_as_it_says)
{
    run((enum ua_transport)_i, rfc5118, COUNT_OF(rfc5118), own("rfc5118"), ".sip");
}
END_TEST

START_TEST(the_messages_of_rfc_4475_are_treated_as_it_says)
{
    if (original("rfc4475"))
        run((enum ua_transport)_i, rfc4475, COUNT_OF(rfc4475), original("rfc4475"), ".dat");
}
END_TEST

START_TEST(the_messages_of_rfc_5118_are_treated_as_it_says)
{
    if (original("rfc5118"))
        run((enum ua_transport)_i, rfc5118, COUNT_OF(rfc5118), original("rfc5118"), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("torture");
    TCase *tcase = tcase_create("exact");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, our_messages_of_rfc_4475_are_treated_as_it_says, UA_UDP, UA_TCP + 1);
    tcase_add_loop_test(tcase, our_messages_of_rfc_5118_are_treated_as_it_says, UA_UDP, UA_TCP + 1);
    tcase_add_loop_test(tcase, the_messages_of_rfc_4475_are_treated_as_it_says, UA_UDP, UA_TCP + 1);
    tcase_add_loop_test(tcase, the_messages_of_rfc_5118_are_treated_as_it_says, UA_UDP, UA_TCP + 1);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
