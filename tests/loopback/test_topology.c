/* What one phone of a call learns of the other: nothing but what is stated here. Every header and every line of a
 * session description that a phone can send carries a mark, in every request and response of both legs; all that the
 * other phone receives is searched for them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bed.h"
#include "marked_text.h"

/* In a template, {} becomes a mark that must not cross, and {=} one that must: it is relayed on purpose. Marks name the
 * side they come from, so that a phone may see its own again. */
#define SECRET "LEAK"
#define RELAYED "PASS"

struct side {
    struct ua *ua;
    const struct side *other;
    char letter;
    unsigned marks;
    char from[300], to[300]; /* as this side writes them, with tags */
    char call_id[100], target[300];
    char via[400]; /* lines, of the last request */
    unsigned cseq;
};

/* What may cross, and why:
 *   the account's name and number         the callee shows who calls; they come from the account, not from the phone
 *   the status of a refusal               as one of our causes: which number, never in which words
 *   Max-Forwards, less one                a call that goes round in circles ends
 *   codecs, their fmtp, ptime, direction  they describe the media, which are relayed as they are
 *   the body of INFO with a key press     it is what the phone wants to tell the other one
 *   the text of a MESSAGE                 the same */
static const char *const relayed[] = {"fmtp", "text"};

/* Nothing of these either: what stands for {#}, {date}, {ip} and {ip6} in the templates of the two sides. */
static const struct {
    const char *number, *date, *ip, *ip6;
} unnamed[] = {{"70411", "13 Nov 2010", "192.0.2.1", "2001:db8:a::"},
               {"70412", "12 Dec 2009", "198.51.100.1", "2001:db8:b::"}};

/* The same with another direction. */
static const char *describe(const char *direction)
{
    static char text[sizeof description + 10];
    const char *place = strstr(description, "a=sendrecv");

    snprintf(text, sizeof text, "%.*sa=%s%s", (int)(place - description), description, direction, place + 10);
    return text;
}

/* As an answer to this offer: its audio is taken, which stands first; the rest is refused. */
static const char *answer_to(const struct message *offer)
{
    static char text[sizeof description + 200];
    const char *line = strstr(message_body(offer), "\r\nm=");
    size_t used = 0;

    str_append(text, sizeof text, &used, "%.*s", (int)(strstr(description, "m=video") - description), description);
    while (line && (line = strstr(line + 2, "\r\nm=")))
        str_append(text, sizeof text, &used, "m={} 0 {}/{} {}\n");
    return text;
}

/* --- marking ----------------------------------------------------------------------------------------------------- */

/* Writes a template with its marks; \n becomes \r\n. Returns out. */
static char *fill(struct side *side, const char *template, char *out, size_t size)
{
    __typeof__(&unnamed[0]) mine = &unnamed[side->letter == 'b'];
    size_t used = 0;

    out[0] = '\0';
    for (const char *p = template; *p; p++) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;

        if (end && p[1] == '#')
            str_append(out, size, &used, "%s%02u", mine->number, ++side->marks % 100);
        else if (end && p[1] == 'd')
            str_append(out, size, &used, "%s", mine->date);
        else if (end && p[1] == 'i')
            str_append(out, size, &used, "%s", p[3] == '6' ? mine->ip6 : mine->ip);
        else if (end && p[1] == '=')
            str_append(out, size, &used, RELAYED "%c%.*s", side->letter, (int)(end - p) - 2, p + 2);
        else if (end)
            str_append(out, size, &used, SECRET "%c%u", side->letter, ++side->marks);
        else if (strncmp(p, "%u", 2) == 0)
            str_append(out, size, &used, "%u", addr_port(&side->ua->rtp));
        else if (*p == '\n')
            str_append(out, size, &used, "\r\n");
        else
            str_append(out, size, &used, "%c", *p);
        p = end ? end : strncmp(p, "%u", 2) == 0 ? p + 1 : p;
    }
    ck_assert_uint_lt(used, size - 1);
    return out;
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

static void new_transaction(struct side *side)
{
    char branch[17], template[300];

    random_token(branch, 16);
    snprintf(template, sizeof template,
             "Via: SIP/2.0/%s {}.example:704;branch=z9hG4bK{}%s;rport;{}={}\n"
             "Via: SIP/2.0/UDP {}.example;branch=z9hG4bK{};received={ip}\n",
             side->ua->link.transport == UA_TCP ? "TCP" : "UDP", branch);
    fill(side, template, side->via, sizeof side->via);
}

static void send_request(struct side *side, const char *method, const char *more, const char *type, const char *body)
{
    static char text[UA_MESSAGE], head[UA_MESSAGE], filled[UA_MESSAGE];
    char template[2000];
    size_t used = 0;

    fill(side, body ? body : "", filled, sizeof filled);
    snprintf(template, sizeof template,
             "Max-Forwards: 61\nFrom: %s\nTo: %s\nCall-ID: %s\nCSeq: %u %s\n"
             "Contact: \"{}\" <sip:{}@{}.example;{}={}>;{}={};+sip.instance=\"<urn:uuid:{}>\"\n"
             "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, MESSAGE, {}\n",
             side->from, side->to, side->call_id, side->cseq, method);
    fill(side, template, head, sizeof head);
    str_append(text, sizeof text, &used, "%s %s SIP/2.0\r\n%s%s%s", method, side->target, side->via, head, more);
    fill(side, headers, head, sizeof head);
    if (!strstr(side->to, ";tag=")) /* a call that asks to join another one is refused: there the mark has another name */
        memcpy(strstr(head, "Join:"), "Joyn:", 5);
    str_append(text, sizeof text, &used, "%s", head);
    if (body) {
        snprintf(template, sizeof template, "Content-Type: %s\nContent-Disposition: session;x={}\n", type);
        str_append(text, sizeof text, &used, "%s", fill(side, template, head, sizeof head));
    }
    str_append(text, sizeof text, &used, "Content-Length: %zu\r\n\r\n%s", strlen(filled), filled);
    ua_send_raw(side->ua, text, used);
}

/* In the dialog; \n at ends of lines of the body becomes \r\n. */
static void ask(struct side *side, const char *method, const char *type, const char *body)
{
    side->cseq += strcmp(method, "ACK") != 0;
    new_transaction(side);
    send_request(side, method, "", type, body);
}

/* CANCEL, or the ACK of a refusal: of the same transaction. */
static void ask_again(struct side *side, const char *method)
{
    send_request(side, method, "", NULL, NULL);
}

static char *between(const char *text, const char *start, const char *end, char *out, size_t size)
{
    const char *at = strstr(text, start);

    ck_assert_msg(at != NULL, "no \"%s\" in %s", start, text);
    at += strlen(start);
    str_copy_n(out, size, at, strcspn(at, end));
    return out;
}

/* The dialog as it stands in what came from the switch: `mine` is the header that names this side. */
static void learn(struct side *side, const struct message *m, const char *mine, const char *its)
{
    char contact[300];

    message_header(m, mine, side->from, sizeof side->from);
    message_header(m, its, side->to, sizeof side->to);
    message_header(m, "Call-ID", side->call_id, sizeof side->call_id);
    if (message_header(m, "Contact", contact, sizeof contact)[0])
        between(contact, "<", ">", side->target, sizeof side->target);
}

static void answer(struct side *side, const struct message *request, int status, const char *body)
{
    static const char *const copied[] = {"Via", "From", "Call-ID", "CSeq", "Record-Route"};
    static char text[UA_MESSAGE], filled[UA_MESSAGE];
    char value[400], tag[40];
    size_t used = 0;

    str_append(text, sizeof text, &used, "SIP/2.0 %d " SECRET "%c1 in so many words\r\n", status, side->letter);
    for (size_t i = 0; i < COUNT_OF(copied); i++)
        if (message_header(request, copied[i], value, sizeof value)[0])
            str_append(text, sizeof text, &used, "%s: %s\r\n", copied[i], value);
    message_header(request, "To", value, sizeof value);
    if (!strstr(value, "tag=")) {
        snprintf(tag, sizeof tag, ";tag=" SECRET "%c2", side->letter);
        strncat(value, tag, sizeof value - strlen(value) - 1);
    }
    if (status < 300 && strcmp(request->method, "INVITE") == 0) {
        learn(side, request, "To", "From");
        str_copy(side->from, sizeof side->from, value);
    }
    str_append(text, sizeof text, &used, "To: %s\r\n", value);
    fill(side,
         "Contact: \"{}\" <sip:{}@{}.example;{}={}>;{}={}\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, "
         "MESSAGE, {}\n",
         filled, sizeof filled);
    str_append(text, sizeof text, &used, "%s", filled);
    str_append(text, sizeof text, &used, "%s", fill(side, headers, filled, sizeof filled));
    fill(side, body ? body : "", filled, sizeof filled);
    str_append(text, sizeof text, &used, "%sContent-Length: %zu\r\n\r\n%s",
               body ? "Content-Type: application/sdp\r\n" : "", strlen(filled), filled);
    ua_send_raw(side->ua, text, used);
}

/* --- the call ---------------------------------------------------------------------------------------------------- */

struct party {
    struct bed *bed;
    struct side a, b;
};

static struct party *party_open(enum ua_transport transport)
{
    static struct party p;

    memset(&p, 0, sizeof p);
    p.bed = bed_open(NULL, NULL);
    p.a = (struct side){.letter = 'a', .cseq = 17, .other = &p.b};
    p.b = (struct side){.letter = 'b', .cseq = 1700, .other = &p.a};
    p.a.ua = bed_phone_on(p.bed, transport, false, "201");
    p.b.ua = bed_phone_on(p.bed, transport, false, "202");
    p.a.ua->contact_user = SECRET "areg";
    p.b.ua->contact_user = SECRET "breg";
    ck_assert_int_eq(ua_register(p.a.ua, 600), 200);
    ck_assert_int_eq(ua_register(p.b.ua, 600), 200);
    ua_record(p.a.ua);
    ua_record(p.b.ua);
    return &p;
}

static void must_not_have(const struct side *side, const char *secret, bool whole)
{
    for (const char *at = side->ua->heard; (at = strcasestr(at, secret)); at++) {
        const char *line = at;

        if (whole && strchr("0123456789", at[strlen(secret)]) && at[strlen(secret)])
            continue;
        while (line > side->ua->heard && line[-1] != '\n')
            line--;
        ck_abort_msg("phone %c was told \"%s\" of the other: %.*s", side->letter, secret, (int)strcspn(line, "\r\n"),
                     line);
    }
}

/* Nothing secret of the other side was heard. */
static void check_side(const struct side *side)
{
    __typeof__(&unnamed[0]) its = &unnamed[side->letter == 'a'];
    char secret[40];

    ua_poll(side->ua);
    snprintf(secret, sizeof secret, SECRET "%c", side->other->letter);
    must_not_have(side, secret, false);
    must_not_have(side, its->number, false);
    must_not_have(side, its->date, false);
    must_not_have(side, its->ip, false);
    must_not_have(side, its->ip6, false);
    snprintf(secret, sizeof secret, ":%u", addr_port(&side->other->ua->local));
    must_not_have(side, secret, true);
    snprintf(secret, sizeof secret, "m=audio %u", addr_port(&side->other->ua->rtp));
    must_not_have(side, secret, true);
}

static bool heard(const struct side *side, const char *mark)
{
    char text[60];

    snprintf(text, sizeof text, RELAYED "%c%s", side->other->letter, mark);
    return strstr(side->ua->heard, text) != NULL;
}

static void party_close(struct party *p)
{
    bed_until(p->bed, p->bed->pbx->call_count == 0);
    check_side(&p->a);
    check_side(&p->b);
    ua_close(p->a.ua);
    ua_close(p->b.ua);
    bed_close(p->bed);
}

/* a calls b; returns what came to b. */
static struct message call(struct party *p, const char *type, const char *body)
{
    char auth[1024], host[ADDR_TEXT], template[500];

    snprintf(p->a.target, sizeof p->a.target, "sip:202@%s", addr_text(&p->a.ua->proxy, host));
    snprintf(template, sizeof template, "\"{}\" <sip:201@{}.example;{}={}>;tag={};{}={}");
    fill(&p->a, template, p->a.from, sizeof p->a.from);
    fill(&p->a, "\"{}\" <sip:202@{}.example;{}={}>;{}={}", p->a.to, sizeof p->a.to);
    fill(&p->a, "{}@{}.example", p->a.call_id, sizeof p->a.call_id);
    ua_authorization(p->a.ua, "INVITE", p->a.target, auth, sizeof auth);
    p->a.cseq++;
    new_transaction(&p->a);
    send_request(&p->a, "INVITE", auth, type, body);
    return body && strcmp(type, "application/sdp") == 0 ? *must(ua_wait(p->b.ua, "INVITE"))
                                                        : (struct message){.len = 0};
}

/* Offers from one side, answers from the other. */
static void reoffer(struct side *from, struct side *to, const char *method, const char *direction)
{
    struct message m;
    char cseq[40];

    ask(from, method, "application/sdp", describe(direction));
    m = *must(ua_wait(to->ua, "INVITE")); /* the other leg is always asked by a re-INVITE */
    answer(to, &m, 100, NULL);
    answer(to, &m, 200, answer_to(&m));
    must(ua_wait(to->ua, "ACK"));
    m = *must(ua_wait(from->ua, "200"));
    ck_assert_ptr_nonnull(strstr(message_header(&m, "CSeq", cseq, sizeof cseq), method));
    if (strcmp(method, "INVITE") == 0)
        ask(from, "ACK", NULL, NULL);
}

static void tell(struct side *from, struct side *to, const char *method, const char *type, const char *body)
{
    struct message m;

    ask(from, method, type, body);
    m = *must(ua_wait(to->ua, method));
    answer(to, &m, 200, NULL);
    must(ua_wait(from->ua, "200"));
}

/* A body that is not taken: neither it nor anything else of the request comes out on the other side. */
static void refused(struct side *from, const char *method, const char *type, const char *body, const char *status)
{
    ask(from, method, type, body);
    must(ua_wait(from->ua, status));
    if (strcmp(method, "INVITE") == 0)
        ask_again(from, "ACK");
}

static const char parts[] =
    "--x\nContent-Type: application/sdp\n\nv=0\ns={}\n--x\nContent-Type: text/plain\n\n{}\n--x--\n";

START_TEST(a_whole_call_tells_neither_phone_of_the_other)
{
    struct party *p = party_open((enum ua_transport)(_i % 2));
    struct side *sides[] = {&p->a, &p->b}, *last = sides[_i / 2];
    struct message invite, m;
    char value[300];

    invite = call(p, "application/sdp", description);
    ck_assert_str_eq(message_header(&invite, "Max-Forwards", value, sizeof value), "60");
    answer(&p->b, &invite, 180, NULL);
    answer(&p->b, &invite, 183, answer_to(&invite));
    answer(&p->b, &invite, 200, answer_to(&invite));
    must(ua_wait(p->b.ua, "ACK"));
    m = *must(ua_wait(p->a.ua, "200"));
    learn(&p->a, &m, "From", "To");
    ask(&p->a, "ACK", NULL, NULL);
    for (int i = 0; i < 2; i++) {
        struct side *one = sides[i], *two = sides[!i];

        reoffer(one, two, "INVITE", "sendonly");
        reoffer(one, two, "UPDATE", "sendrecv");
        ask(one, "UPDATE", NULL, NULL);
        must(ua_wait(one->ua, "200"));
        ask(one, "INFO", "application/dtmf-relay;x={}", "Signal=5\nDuration=160\nX-{}: {}\n"); /* goes on as sound */
        must(ua_wait(one->ua, "200"));
        tell(one, two, "MESSAGE", "text/plain;format={}", "{=text}\n");
        ask(one, "INFO", NULL, NULL);
        must(ua_wait(one->ua, "200"));
        ask(one, "OPTIONS", NULL, NULL);
        must(ua_wait(one->ua, "200"));
        refused(one, "INFO", "text/plain", "{}", "415");
        refused(one, "INFO", "multipart/mixed;boundary=x", parts, "415");
        refused(one, "MESSAGE", "message/cpim", "From: <im:{}>\n\nContent-Type: text/plain\n\n{}\n", "415");
        refused(one, "INVITE", "multipart/mixed;boundary=x", parts, "415");
        refused(one, "UPDATE", "application/{}", "{}", "415");
        refused(one, "REFER", NULL, NULL, "405");
        refused(one, "NOTIFY", "message/sipfrag", "SIP/2.0 200 {}\n", "489");
        refused(one, "SUBSCRIBE", NULL, NULL, "405");
        ck_assert(heard(two, "fmtp") && heard(two, "text"));
    }
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < COUNT_OF(relayed); k++)
            ck_assert_msg(heard(sides[i], relayed[k]), "phone %c was not told %s", sides[i]->letter, relayed[k]);
    ask(last, "BYE", NULL, NULL);
    m = *must(ua_wait(last->other->ua, "BYE"));
    answer(&p->a == last ? &p->b : &p->a, &m, 200, NULL);
    must(ua_wait(last->ua, "200"));
    party_close(p);
}
END_TEST

/* What the callee says against it reaches the caller as a number and a cause of ours, never in its words. */
static const struct {
    int there;
    int here;
} refusals[] = {{400, 480}, {401, 480}, {404, 404}, {480, 480}, {486, 486}, {488, 488},
                {500, 480}, {503, 480}, {600, 486}, {603, 603}, {606, 488}};

START_TEST(a_refusal_tells_the_caller_nothing_of_the_callee)
{
    struct party *p = party_open((enum ua_transport)(_i % 2));
    struct message invite = call(p, "application/sdp", description);
    const struct message *m = NULL;

    answer(&p->b, &invite, refusals[_i / 2].there, NULL);
    must(ua_wait(p->b.ua, "ACK"));
    for (uint64_t until_ = now_ms() + UA_WAIT_MS; !m && now_ms() < until_;) {
        ua_poll(p->a.ua);
        for (unsigned i = 0; i < p->a.ua->in_count && !m; i++)
            if (p->a.ua->in[i].status >= 300)
                m = ua_take(p->a.ua, i);
        loop_turn(p->bed->loop, 2);
    }
    must(m);
    ck_assert_int_eq(m->status, refusals[_i / 2].here);
    message_header(m, "To", p->a.to, sizeof p->a.to);
    ask_again(&p->a, "ACK");
    party_close(p);
}
END_TEST

START_TEST(a_cancelled_call_tells_neither_of_the_other)
{
    struct party *p = party_open((enum ua_transport)_i);
    struct message invite = call(p, "application/sdp", description), m;

    answer(&p->b, &invite, 180, NULL);
    m = *must(ua_wait(p->a.ua, "180"));
    ask_again(&p->a, "CANCEL");
    m = *must(ua_wait(p->a.ua, "487"));
    message_header(&m, "To", p->a.to, sizeof p->a.to);
    ask_again(&p->a, "ACK");
    m = *must(ua_wait(p->b.ua, "CANCEL"));
    answer(&p->b, &m, 200, NULL);
    answer(&p->b, &invite, 487, NULL);
    must(ua_wait(p->b.ua, "ACK"));
    party_close(p);
}
END_TEST

START_TEST(an_invite_with_a_body_that_is_not_taken_tells_nobody)
{
    struct party *p = party_open((enum ua_transport)(_i % 2));

    call(p, _i < 2 ? "multipart/mixed;boundary=x" : "application/{}", parts);
    must(ua_wait(p->a.ua, "415"));
    ck_assert_ptr_null(ua_wait_ms(p->b.ua, "INVITE", 50));
    party_close(p);
}
END_TEST

/* --- names ------------------------------------------------------------------------------------------------------- */

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* The display name of the caller's account, and the name that the callee's phone gets; without quotes. The database
 * lets none of the last ones in. */
static const struct {
    const char *name, *shown;
} names[] = {
    {"Reception", "Reception"},
    {"", NULL},
    {" ", " "},
    {"Zo\xc3\xab M\xc3\xbcller-Lüdenscheidt", "Zo\xc3\xab M\xc3\xbcller-Lüdenscheidt"},
    {"Zoe\xcc\x88 with a combining mark", "Zoe\xcc\x88 with a combining mark"},
    {"山田太郎", "山田太郎"},
    {"مكتب الاستقبال", "مكتب الاستقبال"},
    {"😀👩‍👩‍👧 Party", "😀👩‍👩‍👧 Party"},
    {"\xf4\x8f\xbf\xbf the last one", "\xf4\x8f\xbf\xbf the last one"},
    {"Anna \"die Chefin\" Maier", "Anna \\\"die Chefin\\\" Maier"},
    {"\"", "\\\""},
    {"C:\\phones\\", "C:\\\\phones\\\\"},
    {"\\\"\\\"\\", "\\\\\\\"\\\\\\\"\\\\"},
    {"Maier, Anna; <sip:evil@example>;tag=1", "Maier, Anna; <sip:evil@example>;tag=1"},
    {"100% =?UTF-8?Q?x?= %0d%0a &lt;", "100% =?UTF-8?Q?x?= %0d%0a &lt;"},
    {HUNDRED TEN TEN "1234567", HUNDRED TEN TEN "1234567"}, /* as long as may be */
    {HUNDRED TEN TEN "12345é", HUNDRED TEN TEN "12345é"},
    {"a\r\nX-Evil: 1", "a? X-Evil: 1"},
    {"a\nb\tc\vd", "a b c?d"},
    {"\x01\x1b[31m\x7f", "??[31m?"},
    {"next\xc2\x85line\xc2\x9f", "next??line??"},
    {"\xff\xfe", "??"},
    {"cut \xc3", "cut ?"},
    {"cut \xf0\x9f\x98", "cut ???"},
    {"\xc0\xaf overlong, \xed\xa0\x80 half a pair", "?? overlong, ??? half a pair"},
};

START_TEST(names_reach_the_callee_whole_or_made_safe)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
        struct account *account = account_new("201", "tandem-test", "secret-of-201");
        char from[600], want[600];
        const struct message *m;

        ck_assert_int_eq(str_copy(account->display_name, sizeof account->display_name, names[i].name), 0);
        snapshot_put_account(snapshot, account);
        db_set_snapshot(bed->pbx->db, snapshot);
        ua_invite(a, "202", NULL);
        m = must(ua_wait(b, "INVITE"));
        message_header(m, "From", from, sizeof from);
        snprintf(want, sizeof want, "%s%s%s<sip:201@127.0.0.1:%u>;tag=", names[i].shown ? "\"" : "",
                 names[i].shown ? names[i].shown : "", names[i].shown ? "\" " : "", addr_port(&bed->sip));
        ck_assert_msg(strncmp(from, want, strlen(want)) == 0, "\"%s\" came as %s, not as %s", names[i].name, from,
                      want);
        ck_assert_ptr_null(strstr(m->text, "\nX-Evil"));
        b->local_tag[0] = '\0';
        ua_reply(b, m, 486, "Busy Here", NULL);
        must(ua_wait(b, "ACK"));
        ua_ack_failure(a, must(ua_wait(a, "486")));
        bed_until(bed, bed->pbx->call_count == 0);
    }
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("topology");
    TCase *tc = tcase_create("topology");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_whole_call_tells_neither_phone_of_the_other, 0, 4);
    tcase_add_loop_test(tc, a_refusal_tells_the_caller_nothing_of_the_callee, 0, 2 * (int)COUNT_OF(refusals));
    tcase_add_loop_test(tc, a_cancelled_call_tells_neither_of_the_other, 0, 2);
    tcase_add_loop_test(tc, an_invite_with_a_body_that_is_not_taken_tells_nobody, 0, 4);
    tcase_add_test(tc, names_reach_the_callee_whole_or_made_safe);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
