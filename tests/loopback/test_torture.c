/* What no phone should send: malformed and merely odd messages, garbage, floods. Whatever comes, the switch answers the
 * next good request, has no call of it left, and the next good call works. */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"
#include "base/obj.h"
#include "bed.h"
#include "odd_messages.h"

#define LARGE 65536

/* --- building ---------------------------------------------------------------------------------------------------- */

static const char *long_word(void)
{
    static char text[301];

    memset(text, 'x', sizeof text - 1);
    return text;
}

/* Puts in what stands for placeholders; \n becomes \r\n. Returns the length. */
static size_t expand(struct ua *sender, const char *text, const char *auth, const char *length, char *out, size_t size)
{
    char id[13], me[ADDR_TEXT];
    const struct {
        const char *name, *value;
    } words[] = {{"{ME}", addr_text(&sender->local, me)},
                 {"{ID}", id},
                 {"{AUTH}", auth},
                 {"{LEN}", length},
                 {"{LONG}", long_word()}};
    size_t at = 0;

    random_token(id, 12);
    for (const char *p = text; *p;) {
        const char *put = *p == '\n' ? "\r\n" : NULL;
        size_t skip = 1;

        for (size_t i = 0; *p == '{' && i < COUNT_OF(words); i++) {
            if (strncmp(p, words[i].name, strlen(words[i].name)) == 0) {
                put = words[i].value;
                skip = strlen(words[i].name);
            }
        }
        ck_assert_uint_lt(at + (put ? strlen(put) : 1), size);
        if (put)
            at += (size_t)sprintf(out + at, "%s", put);
        else
            out[at++] = *p;
        p += skip;
    }
    out[at] = '\0';
    return at;
}

/* The message on the wire. Returns its length; valid until the next. */
static size_t odd_text(struct ua *sender, const char *text, bool authenticated, const char **wire)
{
    static char out[LARGE], measured[LARGE];
    char auth[1024] = "", method[64], length[16];
    const char *body;

    str_copy_n(method, sizeof method, text, strcspn(text, " "));
    if (authenticated)
        ua_authorization(sender, method, "sip:tandem.example", auth, sizeof auth);
    expand(sender, text, auth, "0", measured, sizeof measured);
    body = strstr(measured, "\r\n\r\n");
    snprintf(length, sizeof length, "%zu", body ? strlen(body + 4) : 0);
    *wire = out;
    return expand(sender, text, auth, length, out, sizeof out);
}

static void send_odd(struct ua *sender, const char *text, bool authenticated)
{
    const char *wire;
    size_t len = odd_text(sender, text, authenticated, &wire);

    ua_send_raw(sender, wire, len);
}

/* --- judging ------------------------------------------------------------------------------------------------------ */

/* Throws away what came for this phone. */
static void forget(struct ua *ua)
{
    while (ua->in_count)
        ua->in_count = 0;
}

/* The switch lives: a BYE to no dialog is answered, behind everything that was sent before. */
static void ping(struct bed *bed, struct ua *ua, const char *after)
{
    char text[800], here[ADDR_TEXT], token[13];
    int len;

    random_token(token, 12);
    addr_text(&ua->local, here);
    len = snprintf(text, sizeof text,
                   "BYE sip:tandem.example SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\n"
                   "Max-Forwards: 70\r\nFrom: <sip:p@x>;tag=%s\r\nTo: <sip:q@x>;tag=none\r\nCall-ID: %s\r\n"
                   "CSeq: 77 BYE\r\nContent-Length: 0\r\n\r\n",
                   here, token, token, token);
    forget(ua);
    for (int left = UA_WAIT_MS; left > 0; left -= 500) { /* again: a burst may have filled the socket */
        const struct message *m;

        ua_send_raw(ua, text, (size_t)len);
        while ((m = ua_wait_ms(ua, "481", 500)))
            if (strstr(m->text, token))
                return;
    }
    ck_abort_msg("no answer after: %s", after);
}

static void nothing_left(struct bed *bed, const char *after)
{
    for (uint64_t until_ = now_ms() + (uint64_t)(UA_WAIT_MS); now_ms() < until_ && (bed->pbx->call_count);)
        loop_turn(bed->loop, 2);
    ck_assert_msg(bed->pbx->call_count == 0, "%u calls are left of: %s", bed->pbx->call_count, after);
}

static void good_call(struct bed *bed, struct ua *a, struct ua *b)
{
    unsigned ended = bed->calls_ended;

    forget(a);
    forget(b);
    b->local_tag[0] = '\0';
    ua_invite(a, b->user, NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == ended + 1);
}

/* A stranger and an insider send it; afterwards the switch is as it was. */
struct party {
    struct bed *bed;
    struct ua *a, *b, *odd; /* odd knows 201's password */
};

static struct party party_open(void)
{
    struct party p = {.bed = bed_open(NULL, NULL)};

    p.a = bed_registered(p.bed, "202");
    p.b = bed_registered(p.bed, "203");
    p.odd = bed_registered(p.bed, "201");
    return p;
}

static void party_close(struct party *p)
{
    good_call(p->bed, p->a, p->b);
    ua_close(p->a);
    ua_close(p->b);
    ua_close(p->odd);
    bed_close(p->bed);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

START_TEST(odd_messages_do_no_harm_from_strangers_and_from_insiders)
{
    struct party p = party_open();

    for (size_t i = 0; i < COUNT_OF(odd_messages); i++) {
        for (int insider = 0; insider < 2; insider++) {
            send_odd(p.odd, odd_messages[i].text, insider);
            ping(p.bed, p.a, odd_messages[i].what);
            nothing_left(p.bed, odd_messages[i].what);
            forget(p.odd);
        }
    }
    party_close(&p);
}
END_TEST

static bool is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Every file of a directory as one datagram. Returns how many. */
static unsigned send_files(struct party *p, const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    unsigned count = 0;

    while (d && (entry = readdir(d))) {
        static char text[LARGE];
        char path[600];
        size_t len;
        FILE *f;

        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (!is_file(path) || strstr(path, ".md") || !(f = fopen(path, "rb")))
            continue;
        len = fread(text, 1, sizeof text - 1000, f);
        fclose(f);
        ua_send_raw(p->odd, text, len);
        ping(p->bed, p->a, path);
        nothing_left(p->bed, path);
        forget(p->odd);
        count++;
    }
    if (d)
        closedir(d);
    return count;
}

START_TEST(files_of_known_trouble_do_no_harm)
{
    static const char *const dirs[] = {"tests/data/found", "../shared/data/rfc4475", "../shared/data/rfc5118",
                                       "../shared/data/found"};
    struct party p = party_open();

    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        char dir[500];
        unsigned count;

        snprintf(dir, sizeof dir, "%s/%s", getenv("TANDEM_SRC"), dirs[i]);
        count = send_files(&p, dir);
        ck_assert_msg(i > 0 || count > 0, "%s has no files", dir);
    }
    party_close(&p);
}
END_TEST

/* Every beginning of a good INVITE, and the INVITE with each byte in turn replaced. */
START_TEST(cut_and_damaged_messages_do_no_harm)
{
    static const char good[] = ODD_INVITE("Supported: timer\n", ODD_SDP(ODD_AUDIO "a=rtpmap:0 PCMU/8000\n"));
    static const char bytes[] = {'\0', '\r', '"', '<', ':', ' ', (char)0xff};
    struct party p = party_open();
    static char text[LARGE];
    char auth[1024];
    size_t len;

    ua_authorization(p.odd, "INVITE", "sip:tandem.example", auth, sizeof auth);
    len = expand(p.odd, good, auth, "120", text, sizeof text);
    for (size_t cut = 0; cut < len; cut += 1 + cut % 3) {
        ua_send_raw(p.odd, text, cut);
        if (cut % 32 == 0)
            ping(p.bed, p.a, "a cut INVITE");
    }
    for (size_t at = 0; at < len; at++) {
        char kept = text[at];

        text[at] = bytes[at % sizeof bytes];
        ua_send_raw(p.odd, text, len);
        text[at] = kept;
        if (at % 32 == 0)
            ping(p.bed, p.a, "a damaged INVITE");
    }
    ping(p.bed, p.a, "damaged INVITEs");
    forget(p.odd);
    nothing_left(p.bed, "damaged INVITEs");
    party_close(&p);
}
END_TEST

START_TEST(garbage_and_datagrams_of_all_sizes_do_no_harm)
{
    static const size_t sizes[] = {0, 1, 2, 3, 4, 100, 1500, 8192, 16384, 16385, 32768, 65000, 65507};
    struct party p = party_open();
    static char text[LARGE];

    for (unsigned i = 0; i < 300; i++) {
        size_t len = sizes[i % COUNT_OF(sizes)];

        random_bytes(text, len);
        if (i % 3 == 1) /* as a SIP message without an end */
            memcpy(text, "INVITE sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\nSubject: ",
                   len < 78 ? len : 78);
        if (i % 3 == 2)
            memset(text, i % 2 ? '\n' : '0', len);
        ua_send_raw(p.odd, text, len);
        if (i % 8 == 0)
            ping(p.bed, p.a, "garbage");
    }
    /* A good message of 64 KB. */
    memset(text, 'x', sizeof text);
    send_odd(p.odd, "OPTIONS sip:x@y SIP/2.0\n" ODD_VIA ODD_REST("OPTIONS") "Content-Length: {LEN}\n\n", false);
    {
        int n = snprintf(text, sizeof text,
                         "OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKlarge;rport\r\n"
                         "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: large\r\nCSeq: 1 OPTIONS\r\nSubject: ");

        text[n] = 'x';
        memcpy(text + 65000, "\r\nContent-Length: 0\r\n\r\n", 23);
        ua_send_raw(p.odd, text, 65023);
    }
    ping(p.bed, p.a, "a message of 64 KB");
    ck_assert_uint_eq(p.bed->pbx->calls_total, 0);
    party_close(&p);
}
END_TEST

/* --- inside a dialog ---------------------------------------------------------------------------------------------- */

START_TEST(odd_requests_inside_a_call_do_not_end_it)
{
    static const char *const bodies[] = {
        "nonsense",
        "v=0\r\n",
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=image 5000 udptl \"\r\n",
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n",
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 4000 RTP/AVP 99\r\n",
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n"};
    static const char *const methods[] = {"INVITE", "UPDATE",    "INFO",  "MESSAGE",
                                          "REFER",  "SUBSCRIBE", "PRACK", "NONSENSE"};
    struct party p = party_open();
    unsigned ended = p.bed->calls_ended;

    ua_invite(p.odd, "203", NULL);
    ua_reply(p.b, must(ua_wait(p.b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(p.b, "ACK"));
    ua_ack(p.odd, must(ua_wait(p.odd, "200")));
    for (size_t m = 0; m < COUNT_OF(methods); m++) {
        for (size_t i = 0; i < COUNT_OF(bodies); i++) {
            int status = ua_request(p.odd, methods[m], bodies[i]);

            ck_assert_msg(status >= 200, "%s with body %zu got no answer", methods[m], i);
            if (strcmp(methods[m], "INVITE") == 0) { /* the ACK that each final answer needs */
                str_copy(p.odd->invite_branch, sizeof p.odd->invite_branch, p.odd->branch);
                ua_start(p.odd, "ACK", NULL);
                p.odd->cseq--;
            }
        }
    }
    ck_assert_int_eq(ua_request(p.odd, "OPTIONS", NULL), 200);
    p.odd->cseq -= 5; /* below what was seen (RFC 3261 §12.2.2) */
    ck_assert_int_eq(ua_request(p.odd, "INFO", NULL), 500);
    p.odd->cseq += 10;
    ck_assert_int_eq(ua_request(p.odd, "CANCEL", NULL), 481);
    ua_start(p.odd, "ACK", "and a body");
    ck_assert_uint_eq(p.bed->calls_ended, ended);
    ua_bye(p.odd);
    ua_reply(p.b, must(ua_wait(p.b, "BYE")), 200, "OK", NULL);
    bed_until(p.bed, p.bed->calls_ended == ended + 1);
    p.b->local_tag[0] = '\0';
    forget(p.odd);
    party_close(&p);
}
END_TEST

/* A re-INVITE whose answer nobody acknowledges; the ACK comes when dialog and call are long gone. */
START_TEST(an_ack_that_comes_after_the_dialog_is_gone_is_ignored)
{
    struct party p = party_open();
    char sdp[1024];
    struct message ok;

    ua_invite(p.odd, "203", NULL);
    ua_reply(p.b, must(ua_wait(p.b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(p.b, "ACK"));
    ua_ack(p.odd, must(ua_wait(p.odd, "200")));
    ua_start(p.odd, "INVITE", _i ? ua_sdp(p.odd, sdp, sizeof sdp) : NULL); /* with and without an offer */
    ok = *must(ua_wait(p.odd, "200"));
    if (_i == 2) { /* a second one before the ACK of the first */
        ua_start(p.odd, "INVITE", sdp);
        must(ua_wait(p.odd, "200"));
    }
    ua_bye(p.odd);
    ua_reply(p.b, must(ua_wait(p.b, "BYE")), 200, "OK", NULL);
    bed_until(p.bed, p.bed->pbx->leg_count == 0);
    ua_ack(p.odd, &ok);
    ping(p.bed, p.a, "a late ACK");
    for (int i = 0; i < 300; i++) /* and the 200 is repeated into the void */
        loop_turn(p.bed->loop, 2);
    p.b->local_tag[0] = '\0';
    forget(p.odd);
    party_close(&p);
}
END_TEST

/* Reliable ringing that the caller never confirms, or confirms when the call is over. */
START_TEST(reliable_ringing_outlives_no_call)
{
    struct party p = party_open();
    unsigned ended = p.bed->calls_ended;
    struct message ringing, invite;

    p.odd->extra = "Require: 100rel\r\n";
    ua_invite(p.odd, "203", NULL);
    p.odd->extra = NULL;
    invite = *must(ua_wait(p.b, "INVITE"));
    ua_reply(p.b, &invite, 180, "Ringing", NULL);
    ringing = *must(ua_wait(p.odd, "180"));
    {
        char sdp[1024];

        ua_reply(p.b, &invite, 183, "Session Progress", ua_sdp(p.b, sdp, sizeof sdp));
    }
    for (int i = 0; i < 50; i++)
        loop_turn(p.bed->loop, 2);
    if (_i == 0) {
        ua_cancel(p.odd);
        ua_ack(p.odd, must(ua_wait(p.odd, "487")));
        ua_reply(p.b, must(ua_wait(p.b, "CANCEL")), 200, "OK", NULL);
        ua_reply(p.b, &invite, 487, "Request Terminated", NULL);
    } else {
        ua_reply(p.b, &invite, 486, "Busy Here", NULL);
        ua_ack(p.odd, must(ua_wait(p.odd, "486")));
    }
    bed_until(p.bed, p.bed->calls_ended == ended + 1);
    p.odd->cseq += 5;
    ck_assert_int_eq(ua_prack(p.odd, &ringing), 481);
    for (int i = 0; i < 500; i++) /* what was not confirmed would be repeated */
        loop_turn(p.bed->loop, 2);
    p.b->local_tag[0] = '\0';
    forget(p.odd);
    party_close(&p);
}
END_TEST

/* INVITE and CANCEL lie in the socket together: the call is over before its dialplan could start. */
START_TEST(a_call_that_is_cancelled_in_the_moment_it_comes_is_over)
{
    struct party p = party_open();
    unsigned ended = p.bed->calls_ended;

    for (unsigned i = 1; i <= 20; i++) {
        const struct message *m;

        ua_invite(p.odd, "203", NULL);
        ua_cancel(p.odd);
        m = must(ua_wait(p.odd, "487"));
        ua_ack(p.odd, m);
        p.odd->cseq++;
        bed_until(p.bed, p.bed->calls_ended == ended + i);
        ck_assert_str_eq(p.bed->last_cause, "cancelled");
        for (const struct message *late; (late = ua_wait_ms(p.b, "INVITE", 4));)
            ua_reply(p.b, late, 487, "Request Terminated", NULL);
        forget(p.odd);
        forget(p.b);
    }
    p.b->local_tag[0] = '\0';
    party_close(&p);
}
END_TEST

/* A response of our own making to the INVITE that came. */
static void answer_odd(struct ua *ua, const struct message *invite, const char *status, const char *to_tag,
                       const char *more, const char *body)
{
    char text[UA_MESSAGE], value[600];
    static const char *const names[] = {"From", "Call-ID", "CSeq"};
    size_t used = 0;

    str_append(text, sizeof text, &used, "SIP/2.0 %s\r\n", status);
    for (const char *line = strstr(invite->text, "\r\nVia:"); line; line = strstr(line + 2, "\r\nVia:"))
        str_append(text, sizeof text, &used, "%.*s\r\n", (int)strcspn(line + 2, "\r\n"), line + 2);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        str_append(text, sizeof text, &used, "%s: %s\r\n", names[i],
                   message_header(invite, names[i], value, sizeof value));
    str_append(text, sizeof text, &used, "To: %s%s%s\r\n%s%sContent-Length: %zu\r\n\r\n%s",
               message_header(invite, "To", value, sizeof value), to_tag[0] ? ";tag=" : "", to_tag, more,
               body[0] ? "Content-Type: application/sdp\r\n" : "", strlen(body), body);
    ua_send_raw(ua, text, used);
}

static const struct {
    const char *status, *tag, *more, *body;
} odd_answers[] = {
    {"200 OK", "t", "", ""},
    {"200 OK", "t", "Contact: <sip:x@127.0.0.1:9>\r\n", "nonsense"},
    {"200 OK", "", "Contact: nonsense\r\n", "v=0\r\n"},
    {"200 OK", "t", "Contact: <sip:x@127.0.0.1:9>\r\nRecord-Route: <nonsense>\r\nRecord-Route: <sip:>\r\n",
     "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=image 5000 udptl \"\r\n"},
    {"299 Odd", "t", "Contact: <tel:1>\r\n", ""},
    {"302 Moved", "t", "Contact: <sip:x@y>, <sip:z@y>\r\n", ""},
    {"401 Unauthorized", "t", "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\n", ""},
    {"488 No", "", "", ""},
    {"600", "t", "", ""},
    {"699 ", "t", "Retry-After: -1\r\n", ""},
    {"100 Trying", "t", "", ""},
    {"183 Progress", "t", "Require: 100rel\r\nRSeq: 4294967295\r\n", "nonsense"},
};

START_TEST(odd_answers_of_a_phone_end_at_most_its_call)
{
    struct party p = party_open();
    unsigned ended = p.bed->calls_ended;
    struct message invite;

    ua_invite(p.odd, "203", NULL);
    invite = *must(ua_wait(p.b, "INVITE"));
    for (int i = 0; i < 3; i++) /* and says so again, and with another tag */
        answer_odd(p.b, &invite, odd_answers[_i].status, i < 2 ? odd_answers[_i].tag : "other", odd_answers[_i].more,
                   odd_answers[_i].body);
    ping(p.bed, p.a, odd_answers[_i].status);
    answer_odd(p.b, &invite, "486 Busy Here", "t", "", ""); /* what cannot be read is as if it had not come */
    for (uint64_t until_ = now_ms() + (uint64_t)(UA_WAIT_MS); now_ms() < until_ && (p.bed->calls_ended == ended);) {
        const struct message *bye = ua_wait_ms(p.b, "BYE", 2);

        if (bye)
            ua_reply(p.b, bye, 200, "OK", NULL);
    }
    ck_assert_uint_eq(p.bed->calls_ended, ended + 1);
    for (const struct message *bye; (bye = ua_wait_ms(p.b, "BYE", 50));)
        ua_reply(p.b, bye, 200, "OK", NULL);
    forget(p.odd);
    party_close(&p);
}
END_TEST

/* --- floods ------------------------------------------------------------------------------------------------------- */

#ifdef TANDEM_SANITIZED /* every byte costs several, and freed memory is kept */
#define FLOOD 400
#define RSS_LIMIT_KB 0
#else
#define FLOOD 2000
#define RSS_LIMIT_KB 1024
#endif

static long rss_kb(void)
{
    long pages = 0, skip;
    FILE *f = fopen("/proc/self/statm", "r");

    if (!f || fscanf(f, "%ld %ld", &skip, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* From several addresses, so that the limit for one address does not take the work away. */
static void flood(struct party *p, const char *text, unsigned count)
{
    int fds[8];

    for (unsigned k = 0; k < COUNT_OF(fds); k++) {
        union addr from = {.in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + k)}};

        fds[k] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(fds[k], &from.sa, addr_len(&from)), 0);
    }
    for (unsigned i = 0; i < count; i++) {
        int fd = fds[i % COUNT_OF(fds)];
        const char *wire;
        size_t len = odd_text(p->odd, text, false, &wire);

        ck_assert_int_eq(sendto(fd, wire, len, 0, &p->bed->sip.sa, addr_len(&p->bed->sip)), (ssize_t)len);
        if (i % 16 == 15)
            ping(p->bed, p->a, "a flood");
        while (recv(fd, (char[2048]){0}, 2048, MSG_DONTWAIT) >= 0)
            ;
    }
    for (unsigned k = 0; k < COUNT_OF(fds); k++)
        close(fds[k]);
}

START_TEST(floods_without_a_password_cost_no_memory_and_make_no_call)
{
    static const char invite[] = ODD_INVITE("", ODD_SDP(ODD_AUDIO));
    static const char reg[] =
        "REGISTER sip:tandem.example SIP/2.0\n" ODD_VIA ODD_REST("REGISTER") "Content-Length: 0\n\n";
    struct party p = party_open();
    size_t objects;
    long before, after;

    flood(&p, invite, 2 * FLOOD); /* buffers and the recorder's ring have grown to their size after this */
    flood(&p, reg, FLOOD);
    objects = obj_live(NULL);
    before = rss_kb();
    flood(&p, invite, FLOOD);
    flood(&p, reg, FLOOD);
    after = rss_kb();
    ck_assert_uint_eq(p.bed->pbx->calls_total, 0);
    ck_assert_uint_eq(obj_live(NULL), objects);
    if (RSS_LIMIT_KB)
        ck_assert_msg(after - before <= RSS_LIMIT_KB, "memory grew from %ld to %ld KB", before, after);
    party_close(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("torture");
    TCase *tc = tcase_create("torture");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, odd_messages_do_no_harm_from_strangers_and_from_insiders);
    tcase_add_test(tc, files_of_known_trouble_do_no_harm);
    tcase_add_test(tc, cut_and_damaged_messages_do_no_harm);
    tcase_add_test(tc, garbage_and_datagrams_of_all_sizes_do_no_harm);
    tcase_add_test(tc, odd_requests_inside_a_call_do_not_end_it);
    tcase_add_loop_test(tc, an_ack_that_comes_after_the_dialog_is_gone_is_ignored, 0, 3);
    tcase_add_loop_test(tc, reliable_ringing_outlives_no_call, 0, 2);
    tcase_add_test(tc, a_call_that_is_cancelled_in_the_moment_it_comes_is_over);
    tcase_add_loop_test(tc, odd_answers_of_a_phone_end_at_most_its_call, 0, (int)COUNT_OF(odd_answers));
    tcase_add_test(tc, floods_without_a_password_cost_no_memory_and_make_no_call);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
