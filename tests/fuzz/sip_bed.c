/* The switch between two phones. See sip_bed.h. Test code. */
#include "sip_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/transfer.h"
#include "edge/edge-priv.h"
#include "media/media.h"
#include "module/module-priv.h"
#include "modules/registrar/registrar.h"
#include "sip/sip-priv.h"
#include "trace/trace.h"

#define REALM "fuzz"
#define WAITING 16    /* messages to phones that have not been looked at */
#define STEP_MS 34000 /* beyond timers B, D, F and H */
#define STEPS 12
#define MEMORY_SLACK (2u << 20)

size_t __sanitizer_get_current_allocated_bytes(void);
extern const struct module tandem_module; /* the registrar, linked in */

struct text {
    char data[SIP_BED_MESSAGE];
    size_t len;
};

struct phone {
    const char *user;
    union addr addr;
    char at[ADDR_TEXT];
    struct text request, response, invite; /* the last ones that came */
    char target[400];                      /* URI of the last Contact that came */
    unsigned cseq;
};

struct sip_bed {
    enum sip_side wild;
    struct loop *loop;
    struct media *media;
    struct db *db;
    struct pbx *pbx;
    struct trace *trace;
    struct edge *edge;
    struct agent *agent;
    struct edge_transport_ops ops;
    struct module_set set;
    struct module_ctx registrar;
    struct event_server *lamps;
    struct phone phones[2];
    struct {
        struct text text;
        unsigned to;
    } waiting[WAITING];
    unsigned waiting_count;
    unsigned fresh, nc;
    struct text ringing; /* INVITE that the good phone answers when time goes on */
    bool settling;
    bool show;     /* messages, on the standard error: FUZZ_SHOW=1 */
    int64_t grown; /* bytes that inputs have left behind, all together */
};

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

/* --- what comes to the phones ------------------------------------------------------------------------------------ */

/* The first header of this name, unfolded as the switch writes it. Returns out. */
static const char *header(const struct text *m, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);

    out[0] = '\0';
    for (const char *line = strstr(m->data, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':') {
            line += 2 + len + 1;
            line += strspn(line, " ");
            str_copy_n(out, size, line, strcspn(line, "\r"));
            break;
        }
    return out;
}

/* What a phone hears has header lines of the switch only: nothing in the input makes one. An answer of the edge's own
 * repeats some as they came, short and folded. */
static void check_headers(const struct text *m)
{
    static const char *const ours[] = {"Via",
                                       "From",
                                       "To",
                                       "Call-ID",
                                       "CSeq",
                                       "Contact",
                                       "Max-Forwards",
                                       "Route",
                                       "Record-Route",
                                       "Content-Type",
                                       "Content-Length",
                                       "Allow",
                                       "Supported",
                                       "Require",
                                       "Unsupported",
                                       "Accept",
                                       "Accept-Encoding",
                                       "User-Agent",
                                       "Server",
                                       "WWW-Authenticate",
                                       "Session-Expires",
                                       "Min-SE",
                                       "Min-Expires",
                                       "Retry-After",
                                       "RSeq",
                                       "RAck",
                                       "Reason",
                                       "Expires",
                                       "Date",
                                       "Path",
                                       "Warning",
                                       "Timestamp",
                                       "Info-Package",
                                       "Recv-Info",
                                       "Accept-Language",
                                       "Allow-Events",
                                       "Event",
                                       "Subscription-State",
                                       "Refer-Sub",
                                       "Referred-By",
                                       "v",
                                       "f",
                                       "t",
                                       "i"};
    struct edge_text text;

    must(edge_text_scan(&text, m->data, m->len, 1000) == NULL, "a message to a phone can be read");
    for (const char *line = strstr(m->data, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
        size_t len = strcspn(line + 2, ":\r\n "), i = 0;

        if (line[2] == ' ' || line[2] == '\t')
            continue;
        while (i < COUNT_OF(ours) && (strlen(ours[i]) != len || strncasecmp(ours[i], line + 2, len) != 0))
            i++;
        if (i == COUNT_OF(ours))
            fprintf(stderr, "%.*s\n", (int)m->len, m->data);
        must(i < COUNT_OF(ours), "a message to a phone has headers of ours only");
    }
}

static void seen(void *arg, const struct edge_seen *seen)
{
    struct sip_bed *bed = arg;
    unsigned to = addr_same_ip(seen->peer, &bed->phones[1].addr);
    struct phone *phone = &bed->phones[to];
    struct text *text;
    char contact[500];

    trace_message(bed->trace, seen);
    if (bed->show)
        fprintf(stderr, "--- %s %s%s%s\n%.*s\n", seen->inbound ? "from" : "to", phone->user, seen->dropped ? ": " : "",
                seen->dropped ? seen->dropped : "", (int)seen->len, seen->data);
    if (seen->inbound || seen->dropped || seen->len >= SIP_BED_MESSAGE)
        return;
    text = strncmp(seen->data, "SIP/2.0 ", 8) == 0 ? &phone->response : &phone->request;
    memcpy(text->data, seen->data, seen->len);
    text->data[seen->len] = '\0';
    text->len = seen->len;
    if (strncmp(text->data, "INVITE ", 7) == 0)
        phone->invite = *text;
    check_headers(text);
    header(text, "Contact", contact, sizeof contact);
    if (contact[0] == '<')
        str_copy_n(phone->target, sizeof phone->target, contact + 1, strcspn(contact + 1, ">"));
    if (bed->waiting_count < WAITING && !bed->settling) {
        bed->waiting[bed->waiting_count].text = *text;
        bed->waiting[bed->waiting_count++].to = to;
    }
}

/* --- what they send ---------------------------------------------------------------------------------------------- */

static void turn(struct sip_bed *bed)
{
    if (bed->edge->fed)
        bed->edge->fed(bed->edge->feed_arg);
    loop_turn(bed->loop, 0);
    loop_fake_advance(bed->loop, 1);
}

static void send_text(struct sip_bed *bed, unsigned from, const char *text, size_t len)
{
    char *copy = mem_new(len ? len : 1); /* as long as it is: whoever reads behind its end is found */

    memcpy(copy, text, len);
    edge_hop_in(&bed->edge->listeners[0], NULL, &bed->phones[from].addr, copy, len);
    free(copy);
    turn(bed);
}

static const char sdp[] = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
                          "m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

static void add(struct text *out, const char *from, size_t len)
{
    if (len < SIP_BED_MESSAGE - out->len) {
        memcpy(out->data + out->len, from, len);
        out->len += len;
        out->data[out->len] = '\0';
    }
}

static void add_words(struct text *out, const char *words)
{
    add(out, words, strlen(words));
}

static void add_vias(struct text *out, const struct text *of)
{
    const char *next;

    for (const char *line = strstr(of->data, "\r\n"); line && line[2] != '\r'; line = next) {
        next = strstr(line + 2, "\r\n");
        if (strncasecmp(line + 2, "Via:", 4) == 0 && next)
            add(out, line + 2, (size_t)(next + 2 - (line + 2)));
    }
}

/* The value of one $-letter; false: it is none. */
static bool expand(struct sip_bed *bed, unsigned from, char letter, struct text *out)
{
    struct phone *phone = &bed->phones[from];
    const struct text *of = letter >= 'a' ? &phone->response : &phone->request;
    char value[1000], number[24];

    switch (letter) {
    case 'b':
        snprintf(value, sizeof value, "z9hG4bK%u", bed->fresh++);
        break;
    case 'B':
        snprintf(value, sizeof value, "z9hG4bK%u", bed->fresh - 1);
        break;
    case '+':
        snprintf(value, sizeof value, "%u", ++phone->cseq);
        break;
    case 's':
        str_copy(value, sizeof value, sdp);
        break;
    case 'z':
        str_copy(value, sizeof value, "\1"); /* put in at the end */
        break;
    case 'V':
        add_vias(out, of);
        return true;
    case 'F':
    case 'f':
        header(of, "From", value, sizeof value);
        break;
    case 'T':
    case 't':
        header(of, "To", value, sizeof value - 10);
        if (letter == 'T' && !strstr(value, ";tag="))
            strcat(value, ";tag=phone");
        break;
    case 'I':
    case 'i':
        header(of, "Call-ID", value, sizeof value);
        break;
    case 'N':
    case 'n':
        header(of, "CSeq", value, sizeof value);
        value[strspn(value, "0123456789")] = '\0';
        break;
    case 'M':
    case 'm':
        header(of, "CSeq", value, sizeof value);
        memmove(value, value + strspn(value, "0123456789 "), strlen(value + strspn(value, "0123456789 ")) + 1);
        break;
    case 'K':
    case 'k':
        str_copy(value, sizeof value, phone->target);
        break;
    case 'g': {
        const char *tag = strstr(header(of, "To", value, sizeof value), ";tag=");

        if (tag)
            memmove(value, tag + 5, strlen(tag + 5) + 1);
        break;
    }
    case 'r':
        str_copy(number, sizeof number, header(of, "RSeq", value, 20));
        break;
    default:
        return false;
    }
    add_words(out, value);
    return true;
}

static void write_message(struct sip_bed *bed, unsigned from, const char *text, size_t len, struct text *out)
{
    const char *body;
    char number[24], *at;

    out->len = 0;
    out->data[0] = '\0';
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '$' && i + 1 < len && expand(bed, from, text[i + 1], out))
            i++;
        else if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'))
            add(out, "\r\n", 2);
        else
            add(out, text + i, 1);
    }
    at = memchr(out->data, '\1', out->len);
    if (!at)
        return;
    body = memmem(out->data, out->len, "\r\n\r\n", 4);
    snprintf(number, sizeof number, "%zu", body ? out->len - (size_t)(body + 4 - out->data) : 0);
    if (out->len + strlen(number) >= SIP_BED_MESSAGE)
        return;
    memmove(at + strlen(number), at + 1, out->len - (size_t)(at + 1 - out->data) + 1);
    memcpy(at, number, strlen(number));
    out->len += strlen(number) - 1;
}

/* A line of credentials behind the first one, right for the message as it is. */
static void sign(struct sip_bed *bed, unsigned from, struct text *m)
{
    const struct account *account = snapshot_account(db_snapshot(bed->db), bed->phones[from].user);
    struct digest_credentials given = {.realm = REALM, .uri = "sip:fuzz", .cnonce = "c", .qop = "auth"};
    char challenge[300], method[64], line[700], *end = memchr(m->data, '\n', m->len), *nonce;
    size_t at = end ? (size_t)(end + 1 - m->data) : m->len, used = 0;

    str_copy(given.username, sizeof given.username, bed->phones[from].user);
    snprintf(given.nc, sizeof given.nc, "%08x", ++bed->nc);
    digest_challenge(bed->agent->digest, DIGEST_MD5, REALM, &bed->phones[from].addr, false, challenge,
                     sizeof challenge);
    nonce = strstr(challenge, "nonce=\"") + 7;
    str_copy_n(given.nonce, sizeof given.nonce, nonce, strcspn(nonce, "\""));
    str_copy_n(method, sizeof method, m->data, strcspn(m->data, " \r\n"));
    digest_response(&given, method, account->ha1_md5, given.response);
    str_append(line, sizeof line, &used,
               "Authorization: Digest username=\"%s\", realm=\"" REALM "\", nonce=\"%s\", uri=\"%s\", response=\"%s\", "
               "cnonce=\"c\", nc=%s, qop=auth\r\n",
               given.username, given.nonce, given.uri, given.response, given.nc);
    if (!end || m->len + used >= SIP_BED_MESSAGE)
        return;
    memmove(m->data + at + used, m->data + at, m->len - at + 1);
    memcpy(m->data + at, line, used);
    m->len += used;
}

static void say(struct sip_bed *bed, unsigned from, bool signed_, const char *text, size_t len)
{
    struct text *m = mem_new(sizeof *m);

    write_message(bed, from, text, len, m);
    if (signed_)
        sign(bed, from, m);
    send_text(bed, from, m->data, m->len);
    free(m);
}

static void say_words(struct sip_bed *bed, unsigned from, bool signed_, const char *text)
{
    say(bed, from, signed_, text, strlen(text));
}

/* --- the good phone ---------------------------------------------------------------------------------------------- */

#define ANSWER(status)                                                                                                 \
    "SIP/2.0 " status "\n$VFrom: $F\nTo: $T\nCall-ID: $I\nCSeq: $N $M\nContact: <sip:good@192.0.2.9>\n"
#define NO_BODY "Content-Length: 0\n\n"
#define BODY "Content-Type: application/sdp\nContent-Length: $z\n\n$s"
#define INSIDE(method)                                                                                                 \
    method " $k SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.9;branch=$b;rport\nMax-Forwards: 70\nFrom: $f\nTo: $t\nCall-ID: "    \
           "$i\n"

static void answer(struct sip_bed *bed, unsigned who, const struct text *m)
{
    char cseq[100], rseq[24];

    header(m, "CSeq", cseq, sizeof cseq);
    if (strncmp(m->data, "SIP/2.0 ", 8) != 0) {
        bed->phones[who].request = *m;
        if (strncmp(m->data, "INVITE ", 7) == 0) {
            char to[500];

            if (!strstr(header(m, "To", to, sizeof to), "tag=")) {
                bed->ringing = *m;
                say_words(bed, who, false, ANSWER("180 Ringing") NO_BODY);
            } else {
                say_words(bed, who, false, ANSWER("200 OK") BODY);
            }
        } else if (strncmp(m->data, "ACK ", 4) != 0) {
            say_words(bed, who, false, ANSWER("200 OK") NO_BODY);
        }
        return;
    }
    bed->phones[who].response = *m;
    if (!strstr(cseq, "INVITE"))
        return;
    if (m->data[8] == '2')
        say_words(bed, who, false, INSIDE("ACK") "CSeq: $n ACK\n" NO_BODY);
    else if (m->data[8] == '1' && header(m, "RSeq", rseq, sizeof rseq)[0])
        say_words(bed, who, false, INSIDE("PRACK") "CSeq: $+ PRACK\nRAck: $r $n INVITE\n" NO_BODY);
}

static void let_it_answer(struct sip_bed *bed)
{
    static struct text m;
    unsigned good = !bed->wild;

    for (unsigned i = 0; i < bed->waiting_count; i++) { /* answers bring more */
        m = bed->waiting[i].text;
        if (bed->waiting[i].to == good)
            answer(bed, good, &m);
    }
    bed->waiting_count = 0;
}

/* --- one input --------------------------------------------------------------------------------------------------- */

static void pass_time(struct sip_bed *bed, unsigned ms)
{
    agent_skip_time(bed->agent, ms);
    loop_timer_stop(bed->loop, &bed->agent->timer); /* sofia has just had its turn: not once for each second */
    loop_fake_advance(bed->loop, ms);
    agent_skip_time(bed->agent, 0);
    turn(bed);
}

static void play_piece(struct sip_bed *bed, const char *piece, size_t len)
{
    const char *end = memchr(piece, '\n', len);
    size_t first = end ? (size_t)(end + 1 - piece) : len;
    unsigned who = bed->wild;
    bool signed_ = false;

    if (len > 4 && piece[0] == '@') {
        who = piece[3] == '2';
        signed_ = memchr(piece, '+', first) != NULL;
        if (memchr(piece, 'i', first) && bed->phones[who].invite.len)
            bed->phones[who].request = bed->phones[who].invite;
        piece += first;
        len -= first;
    } else if (len > 1 && piece[0] == '~') {
        unsigned ms = 0;

        for (size_t i = 1; i < len && piece[i] >= '0' && piece[i] <= '9' && ms < 10000; i++)
            ms = 10 * ms + (unsigned)(piece[i] - '0');
        if (bed->ringing.len) {
            bed->phones[!bed->wild].request = bed->ringing;
            bed->ringing.len = 0;
            say_words(bed, !bed->wild, false, ANSWER("200 OK") BODY);
        }
        event_changed(bed->lamps, "hall");
        pass_time(bed, ms);
        let_it_answer(bed);
        return;
    }
    if (!len)
        return;
    say(bed, who, signed_, piece, len);
    let_it_answer(bed);
}

/* As an administrator does it, and then time goes by until nobody waits for anything. */
static void settle(struct sip_bed *bed)
{
    struct registrar *registrar = bed->registrar.state;
    struct agent_stats stats;
    struct call *call, *next;
    unsigned step = 0;

    bed->settling = true;
    LIST_FOR_EACH_SAFE(call, next, &bed->pbx->calls, in_pbx)
    {
        call_end(call, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
    }
    for (unsigned i = 0; i < 2; i++)
        registrar_forget(registrar, bed->phones[i].user);
    do {
        pass_time(bed, STEP_MS);
        agent_get_stats(bed->agent, &stats);
    } while (++step < STEPS && (bed->pbx->call_count || bed->pbx->leg_count || stats.dialogs || stats.nta_incoming ||
                                stats.nta_outgoing || stats.nta_legs > 1));
    must(bed->pbx->call_count == 0, "no call is left");
    must(bed->pbx->leg_count == 0, "no leg is left");
    must(event_count(bed->lamps) == 0, "no subscription is left");
    must(stats.dialogs == 0, "no dialog is left");
    must(stats.nta_incoming == 0 && stats.nta_outgoing == 0, "no transaction is left");
    must(obj_live("call") == 0 && obj_live("leg") == 0 && obj_live("bridge") == 0, "nobody holds what has ended");
    bed->settling = false;
    bed->waiting_count = 0;
}

static void begin(struct sip_bed *bed)
{
    for (unsigned i = 0; i < 2; i++) {
        struct phone *phone = &bed->phones[i];

        phone->request.len = phone->response.len = phone->invite.len = 0;
        phone->request.data[0] = phone->response.data[0] = '\0';
        str_copy(phone->target, sizeof phone->target, "sip:202@fuzz");
        phone->cseq = 100;
        bans_trust(bed->edge->bans, &phone->addr);
    }
    say_words(bed, SIDE_CALLEE, true,
              "REGISTER sip:fuzz SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2;branch=$b;rport\nMax-Forwards: 70\n"
              "From: <sip:202@fuzz>;tag=r\nTo: <sip:202@fuzz>\nCall-ID: $b\nCSeq: $+ REGISTER\n"
              "Contact: <sip:202@192.0.2.2>;expires=600\n" NO_BODY);
    bed->waiting_count = 0;
    bed->ringing.len = 0;
}

void sip_bed_call(struct sip_bed *bed)
{
    say_words(
        bed, SIDE_CALLER, true,
        "INVITE sip:202@fuzz SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=$b;rport\nMax-Forwards: 70\n"
        "From: <sip:201@fuzz>;tag=caller\nTo: <sip:202@fuzz>\nCall-ID: $b\nCSeq: $+ INVITE\n"
        "Contact: <sip:201@192.0.2.1>\nSupported: 100rel, timer\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE, INFO\n" BODY);
    let_it_answer(bed);
}

void sip_bed_play(struct sip_bed *bed, const uint8_t *data, size_t size)
{
    size_t before = __sanitizer_get_current_allocated_bytes();
    const char *at = (const char *)data, *end = at + size;

    begin(bed);
    if (bed->wild == SIDE_CALLEE)
        sip_bed_call(bed);
    while (at < end) {
        const char *cut = memmem(at, (size_t)(end - at), "%%\n", 3);

        play_piece(bed, at, cut ? (size_t)(cut - at) : (size_t)(end - at));
        at = cut ? cut + 3 : end;
    }
    settle(bed);
    bed->grown += (int64_t)__sanitizer_get_current_allocated_bytes() - (int64_t)before;
    must(bed->grown < (int64_t)MEMORY_SLACK, "memory does not grow from input to input");
}

/* --- the switch -------------------------------------------------------------------------------------------------- */

/* What is sent has been seen by the hook; nobody is at the other end of a socket. */
static int send_nowhere(const struct edge_listener *listener, const struct edge_flow *flow, const char *data,
                        size_t len)
{
    return 0;
}

static void dialled(void *arg, const struct dial_result *result)
{
    call_script_done(arg, CAUSE_NONE, NULL);
}

/* The dialplan: 600 answers, the rest are accounts. */
static int start(void *script, struct call *call, const char *context, const char *extension)
{
    const struct dial_target to = {.to = extension};
    struct dial_request request = {.leg = call->caller, .targets = &to, .target_count = 1, .timeout_ms = 20000};

    if (strcmp(extension, "600") == 0)
        return leg_answer(call->caller, NULL);
    return call_dial(call, &request, dialled, call);
}

static void hangup(void *script, struct call *call)
{
    call->script = NULL;
}

static const struct script_ops script_ops = {.start = start, .hangup = hangup};

/* What phones may subscribe to, and REFER, as the module for it does it in short. */
static char *lamp_state(void *arg, const struct subscription *s)
{
    return strdup("dark");
}

static enum verdict refer_asked(void *arg, struct hook_walk *walk, void *subject)
{
    const struct transfer_wish *wish = subject;
    int result = wish->replaces && !wish->other ? -ENOENT
                 : wish->other                  ? call_transfer_to(wish->by, wish->other, wish->news)
                               : call_transfer(wish->by, "internal", wish->target, wish->by->account, wish->news);

    if (result == 0)
        return VERDICT_HANDLED;
    hook_reject(walk, CAUSE_REJECTED, NULL);
    return VERDICT_REJECT;
}

static void serve_events(struct sip_bed *bed)
{
    static const char *const types[] = {"text/plain", NULL};
    const struct event_package lamp = {.name = "lamp",
                                       .types = types,
                                       .expires_default = 60,
                                       .expires_min = 5,
                                       .expires_max = 60,
                                       .interval_ms = 500,
                                       .state = lamp_state};

    must(event_package_add(bed->pbx, &lamp, &bed->lamps) == 0, "the package is served");
    hook_add(bed->pbx->hooks, HOOK_TRANSFER, 100, "transfer", refer_asked, NULL);
}

static void open_registrar(struct sip_bed *bed)
{
    struct module_ctx *ctx = &bed->registrar;
    char why[200];

    bed->set.pbx = bed->pbx;
    list_init(&bed->set.running);
    list_init(&bed->set.services);
    ctx->set = &bed->set;
    ctx->module = &tandem_module;
    str_copy(ctx->instance, sizeof ctx->instance, "registrar");
    list_init(&ctx->added);
    must(module_options_read(ctx, NULL, why, sizeof why) == 0 && tandem_module.start(ctx, &ctx->state) == 0,
         "the registrar starts");
}

struct sip_bed *sip_bed_new(enum sip_side wild)
{
    struct sip_bed *bed = mem_new(sizeof *bed);
    struct snapshot *snapshot = snapshot_new(1);
    struct edge_listen listen = {.transport = EDGE_UDP};
    struct edge_config config = {.listens = &listen, .count = 1, .key = "sixteen bytes ok"};
    struct edge_hooks hooks = {.arg = bed, .message = seen};
    struct trace_config trace = {.ring_bytes = 128 * 1024, .calls_kept = 4, .lines_a_call = 50};
    struct agent_config agent = {0};

    log_setup("fuzz", LOG_LEVEL_ERROR);
    bed->wild = wild;
    bed->show = getenv("FUZZ_SHOW") != NULL;
    bed->loop = loop_new_fake();
    media_open_pretend(bed->loop, &bed->media);
    bed->db = db_open_pretend(bed->loop, NULL);
    bed->pbx = pbx_new(bed->loop, bed->media, bed->db, 1);
    bed->pbx->script_ops = &script_ops;
    snapshot_put_setting(snapshot, "realm", REALM);
    snapshot_put_setting(snapshot, "account_rate", "0");
    for (unsigned i = 0; i < 2; i++) {
        bed->phones[i].user = i ? "202" : "201";
        addr_parse_ip(i ? "192.0.2.2" : "192.0.2.1", 5060, &bed->phones[i].addr);
        snapshot_put_account(snapshot, account_new(bed->phones[i].user, REALM, "secret"));
    }
    db_set_snapshot(bed->db, snapshot);
    bed->trace = trace_open(bed->loop, bed->pbx->bus, &trace);
    addr_parse_ip("127.0.0.1", 0, &listen.bind);
    must(edge_open(bed->loop, &config, &hooks, &bed->edge) == 0, "the edge opens");
    bed->ops = *bed->edge->listeners[0].ops;
    bed->ops.send = send_nowhere;
    bed->edge->listeners[0].ops = &bed->ops;
    agent.edge = bed->edge;
    must(agent_open(bed->pbx, &agent, &bed->agent) == 0, "the agent opens");
    open_registrar(bed);
    serve_events(bed);
    must(agent_start(bed->agent) == 0, "the agent starts");
    must(bed->agent->wire != NULL, "NTA is fed from memory (link with -export-dynamic)");
    return bed;
}

/* --- live rows: nothing is kept ---------------------------------------------------------------------------------- */

struct module_live *module_live(struct module_ctx *ctx, const char *kind, module_live_fn changed, void *arg)
{
    return (struct module_live *)ctx;
}

const char *module_live_get(const struct module_live *live, const char *account, const char *key)
{
    return NULL;
}

int module_live_set(struct module_live *live, const char *account, const char *key, const char *value)
{
    return 0;
}

void module_live_clear(struct module_live *live, const char *account)
{
}

void module_live_each(struct module_live *live, const char *account, module_live_fn fn, void *arg)
{
}
