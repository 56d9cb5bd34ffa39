/* Damaged messages, many of them, through the real edge into the real switch: good requests, responses and whole calls
 * of ours and the torture messages, damaged by mutate.c; from strangers, and from insiders whose digest is right for
 * the damaged message, so that it gets behind the authentication. Robots stand at both ends and answer, mostly well.
 * Afterwards a good call works, nothing is left, and memory is what it was.
 *
 * TANDEM_MUTATIONS: how many messages (20,000); TANDEM_SEED: where the dice begin. Both are printed when something
 * fails, with the last messages that were sent; the file tests/loopback/mutations.last has them whole. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/obj.h"
#include "bed.h"
#include "mutate.h"
#include "odd_messages.h"
#include "sip/sip-priv.h"
#include "wire.h"

#ifdef TANDEM_SANITIZED /* not every compiler brings the headers of these */
size_t __sanitizer_get_current_allocated_bytes(void);
void __sanitizer_set_death_callback(void (*callback)(void));
#endif

#define SOURCES 64     /* addresses of our own, 127.9.0.1 and up: the edge counts by source */
#define STREAMS 4      /* connections at a time */
#define STREAM_USES 12 /* messages on one, until it is broken off */
#define DIALOGS 48     /* that the robots remember */
#define ROOM 20000     /* of a message */
#define CORPUS_MAX 200
#define KEPT 16          /* last messages, for the case that something fails */
#define T1X64_MS 1000    /* transactions end soon, so that memory can be compared */
#define SETTLE_MS 40000  /* timer D is 32 s */
#define FLAT_FROM 200000 /* messages: fewer are over before the first transaction is */
#define FLAT_BYTES (2u << 20)

static const char dialplan[] =
    "extension('internal', '600', function(call) call:answer() call:sleep(1) end)\n"
    "extension('internal', '601', function(call) call:echo() end)\n"
    "extension('internal', '602', function(call) call:dial{ to = { '202', '203' }, timeout = 2 } end)\n"
    "extension('internal', '_.', function(call) call:dial{ to = { call.extension }, timeout = 2 } end)\n";

/* One side of a dialog with the switch. */
struct side {
    char call_id[300], from[600], to[600], target[400];
    unsigned cseq;
};

struct robot {
    struct bed *bed;
    struct dice dice;
    int fd;
    uint16_t port;
    int streams[STREAMS];
    unsigned uses[STREAMS];
    char nonces[SOURCES][80];
    unsigned nc;
    struct side dialogs[DIALOGS];
    unsigned dialog_count, dialog_next;
    char *corpus[CORPUS_MAX];
    size_t corpus_len[CORPUS_MAX];
    unsigned corpus_count;
    uint64_t sent, replies, dialogs_total;
    bool calm; /* nothing is damaged any more */
};

/* --- what is said when it fails ---------------------------------------------------------------------------------- */

static struct {
    uint64_t seed, sent;
    size_t len[KEPT];
    char text[KEPT][ROOM + 2000];
} last;

static void keep(const char *text, size_t len)
{
    unsigned i = (unsigned)(last.sent++ % KEPT);

    last.len[i] = len < sizeof last.text[i] ? len : sizeof last.text[i];
    memcpy(last.text[i], text, last.len[i]);
}

static void tell(void)
{
    int fd;

    if (!last.sent) /* it went well */
        return;
    fd = open("tests/loopback/mutations.last", O_CREAT | O_TRUNC | O_WRONLY, 0600);
    fprintf(stderr, "TANDEM_SEED=%llu, message %llu\n", (unsigned long long)last.seed, (unsigned long long)last.sent);
    for (unsigned i = 0; i < KEPT && i < last.sent; i++) {
        unsigned k = (unsigned)((last.sent + i) % KEPT);

        if (fd >= 0 && (write(fd, last.text[k], last.len[k]) < 0 || write(fd, "\n-----\n", 7) < 0))
            break;
    }
    if (fd >= 0)
        close(fd);
}

static void died(int signal_)
{
    tell();
    signal(signal_, SIG_DFL);
    raise(signal_);
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

static uint32_t source_ip(unsigned source)
{
    return htonl(0x7F090001 + source);
}

static const char *source_text(const struct robot *r, unsigned source, char out[32])
{
    snprintf(out, 32, "127.9.0.%u:%u", source + 1, r->port);
    return out;
}

static void send_datagram(struct robot *r, unsigned source, const char *text, size_t len)
{
    struct iovec part = {(void *)(uintptr_t)text, len};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control = {.room = {0}};
    struct msghdr message = {.msg_name = &r->bed->sip,
                             .msg_namelen = addr_len(&r->bed->sip),
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = source_ip(source)};

    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(c), &info, sizeof info);
    (void)sendmsg(r->fd, &message, 0); /* a full buffer is a lost datagram */
}

static void break_off(struct robot *r, unsigned i)
{
    struct linger now = {.l_onoff = 1};

    if (r->streams[i] < 0)
        return;
    setsockopt(r->streams[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(r->streams[i]);
    r->streams[i] = -1;
}

/* On a connection from this source; each is used a few times, because damage may leave it waiting for the rest. */
static void send_stream(struct robot *r, unsigned source, const char *text, size_t len)
{
    unsigned i = source % STREAMS;
    union addr from = {.in = {.sin_family = AF_INET, .sin_addr.s_addr = source_ip(source)}};
    const union addr *to = &r->bed->at[1];

    if (r->streams[i] >= 0 && (r->uses[i]++ >= STREAM_USES || dice_chance(&r->dice, 5)))
        break_off(r, i);
    if (r->streams[i] < 0) {
        r->uses[i] = 0;
        r->streams[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (bind(r->streams[i], &from.sa, addr_len(&from)) < 0 ||
            (connect(r->streams[i], &to->sa, addr_len(to)) < 0 && errno != EINPROGRESS))
            ck_abort_msg("no connection: %s", strerror(errno));
        loop_turn(r->bed->loop, 0);
    }
    if (send(r->streams[i], text, len, MSG_NOSIGNAL) < 0)
        break_off(r, i);
}

/* Sends it over UDP, or now and then over TCP, whole or damaged. */
static void send_out(struct robot *r, unsigned source, char *text, size_t len, unsigned damage_percent)
{
    static char out[ROOM + 2000];

    if (!r->calm && dice_chance(&r->dice, damage_percent)) {
        memcpy(out, text, len);
        len = mutate(&r->dice, out, len, ROOM);
        text = out;
    }
    keep(text, len);
    if (!r->calm && dice_chance(&r->dice, 12))
        send_stream(r, source, text, len);
    else
        send_datagram(r, source, text, len);
    r->sent++;
}

/* A line with a digest that is right for the method as it stands there now, behind the first line. */
static size_t sign(struct robot *r, unsigned source, const char *user, char *text, size_t len, size_t room)
{
    char method[64], secret[40], nc[12], value[1024], line[1100];
    struct answer answer = {.user = user,
                            .secret = secret,
                            .realm = "tandem-test",
                            .nonce = r->nonces[source],
                            .method = method,
                            .uri = "sip:tandem",
                            .cnonce = "mutations",
                            .nc = nc};
    char *end = memchr(text, '\n', len);
    size_t at = end ? (size_t)(end + 1 - text) : len, used = 0;

    while (used < len && used + 1 < sizeof method && !strchr(" \r\n", text[used]))
        used++;
    str_copy_n(method, sizeof method, text, used);
    used = 0;
    snprintf(secret, sizeof secret, "secret-of-%s", user);
    snprintf(nc, sizeof nc, "%08x", ++r->nc);
    str_append(line, sizeof line, &used, "Authorization: %s\r\n", wire_digest(&answer, value, sizeof value));
    if (!end || len + used > room)
        return len;
    memmove(text + at + used, text + at, len - at);
    memcpy(text + at, line, used);
    return len + used;
}

/* --- templates --------------------------------------------------------------------------------------------------- */

/* Puts in {ME}, {ID}, {LONG}, {AUTH} (nothing) and {LEN}; \n becomes \r\n. */
static size_t expand(struct robot *r, unsigned source, const char *template, char *out)
{
    char me[32], id[13], length[16] = "0", longs[301];
    const struct {
        const char *name, *value;
    } words[] = {
        {"{ME}", source_text(r, source, me)}, {"{ID}", id}, {"{AUTH}", ""}, {"{LEN}", length}, {"{LONG}", longs}};
    size_t len = 0;

    snprintf(id, sizeof id, "%012llx", (unsigned long long)(dice_roll(&r->dice) >> 16));
    memset(longs, 'x', 300);
    longs[300] = '\0';
    for (int pass = 0; pass < 2; pass++) { /* the second knows how long the body is */
        const char *body;

        len = 0;
        for (const char *p = template; *p && len < ROOM - 400;) {
            size_t skip = 0;

            for (size_t i = 0; *p == '{' && i < COUNT_OF(words) && !skip; i++)
                if (strncmp(p, words[i].name, strlen(words[i].name)) == 0) {
                    skip = strlen(words[i].name);
                    memcpy(out + len, words[i].value, strlen(words[i].value));
                    len += strlen(words[i].value);
                }
            if (!skip && *p == '\n' && (p == template || p[-1] != '\r'))
                out[len++] = '\r';
            if (!skip)
                out[len++] = *p;
            p += skip ? skip : 1;
        }
        out[len] = '\0';
        body = strstr(out, "\r\n\r\n");
        snprintf(length, sizeof length, "%zu", body ? len - (size_t)(body + 4 - out) : 0);
    }
    return len;
}

#define HEAD(method, uri)                                                                                              \
    method " " uri " SIP/2.0\nVia: SIP/2.0/UDP {ME};branch=z9hG4bK{ID};rport\nMax-Forwards: 70\n"                      \
           "From: \"A\" <sip:201@tandem>;tag={ID}\nTo: <" uri ">\nCall-ID: {ID}@test\nCSeq: 1 " method "\n"            \
           "Contact: <sip:201@{ME}>\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE, INFO, MESSAGE, PRACK\n"
#define AUDIO                                                                                                          \
    "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 4000 RTP/AVP 0 8 96 101\n"                 \
    "a=rtpmap:96 opus/48000/2\na=fmtp:96 useinbandfec=1\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n"         \
    "a=ptime:20\na=sendrecv\n"
#define VIDEO "m=video 5002 RTP/AVP 97\na=rtpmap:97 H264/90000\nm=image 0 udptl t38\n"
#define WITH_SDP(body) "Content-Type: application/sdp\nContent-Length: {LEN}\n\n" body
#define WITHOUT_BODY "Content-Length: 0\n\n"

/* Requests outside of dialogs. */
static const char *const outside[] = {
    HEAD("INVITE", "sip:202@tandem") "Supported: timer, 100rel\nSession-Expires: 1800\n" WITH_SDP(AUDIO),
    HEAD("INVITE", "sip:203@tandem") "Require: 100rel\n" WITH_SDP(AUDIO VIDEO),
    HEAD("INVITE", "sip:202@tandem") WITHOUT_BODY,
    HEAD("INVITE", "sip:600@tandem") WITH_SDP(AUDIO),
    HEAD("INVITE", "sip:601@tandem") "Record-Route: <sip:127.0.0.1;lr>\n" WITH_SDP(AUDIO),
    HEAD("INVITE", "sip:602@tandem") "Subject: both\nDiversion: <sip:x@y>\n" WITH_SDP(AUDIO),
    HEAD("INVITE", "sip:999@tandem") WITH_SDP("v=0\n"),
    HEAD("REGISTER", "sip:tandem") "Expires: 600\nSupported: path, outbound\nPath: <sip:127.0.0.1;lr>\n" WITHOUT_BODY,
    "REGISTER sip:tandem SIP/2.0\nVia: SIP/2.0/UDP {ME};branch=z9hG4bK{ID};rport\nMax-Forwards: 70\n"
    "From: <sip:201@tandem>;tag={ID}\nTo: <sip:201@tandem>\nCall-ID: reg\nCSeq: 7 REGISTER\n"
    "Contact: <sip:201@{ME};x=y>;expires=60;q=0.5;+sip.instance=\"<urn:uuid:0>\";reg-id=1, <sip:201@{ME}>\n"
    "User-Agent: robot\n" WITHOUT_BODY,
    "REGISTER sip:tandem SIP/2.0\nVia: SIP/2.0/UDP {ME};branch=z9hG4bK{ID};rport\nMax-Forwards: 70\n"
    "From: <sip:205@tandem>;tag={ID}\nTo: <sip:205@tandem>\nCall-ID: {ID}\nCSeq: 9 REGISTER\nContact: *\nExpires: "
    "0\n" WITHOUT_BODY,
    HEAD("OPTIONS", "sip:tandem") WITHOUT_BODY,
    HEAD("OPTIONS", "sip:202@tandem") "Accept: application/sdp\n" WITHOUT_BODY,
    HEAD("SUBSCRIBE", "sip:202@tandem") "Event: presence\nExpires: 60\n" WITHOUT_BODY,
    HEAD("MESSAGE", "sip:202@tandem") "Content-Type: text/plain\nContent-Length: {LEN}\n\nhello",
    HEAD("REFER", "sip:202@tandem") "Refer-To: <sip:203@tandem?Replaces=x%3Bto-tag%3Dy>\n" WITHOUT_BODY,
    HEAD("PUBLISH",
         "sip:201@tandem") "Event: presence\nContent-Type: application/pidf+xml\nContent-Length: {LEN}\n\n<x/>",
    HEAD("NOTIFY", "sip:201@tandem") "Event: presence\nSubscription-State: active\n" WITHOUT_BODY,
    HEAD("BYE", "sip:201@tandem") WITHOUT_BODY,
    HEAD("CANCEL", "sip:202@tandem") WITHOUT_BODY,
    HEAD("ACK", "sip:202@tandem") WITHOUT_BODY,
    HEAD("PRACK", "sip:202@tandem") "RAck: 1 1 INVITE\n" WITHOUT_BODY,
    "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{ID}\nFrom: <sip:201@tandem>;tag={ID}\n"
    "To: <sip:202@tandem>;tag=x\nCall-ID: {ID}\nCSeq: 1 INVITE\nContact: <sip:202@{ME}>\n" WITH_SDP(AUDIO),
};

/* The same inside of a dialog: method, what follows the headers that every request has. */
static const struct {
    const char *method, *rest;
} inside[] = {
    {"INVITE", WITH_SDP(AUDIO)},
    {"INVITE", WITH_SDP("v=0\no=- 2 2 IN IP4 127.0.0.1\ns=-\nc=IN IP4 0.0.0.0\nt=0 0\nm=audio 4000 RTP/AVP 8 0\n")},
    {"INVITE", WITH_SDP(AUDIO VIDEO)},
    {"INVITE", WITHOUT_BODY},
    {"UPDATE", WITH_SDP("v=0\no=- 3 3 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 4000 RTP/AVP "
                        "0\na=sendonly\n")},
    {"UPDATE", "Supported: timer\nSession-Expires: 90;refresher=uac\n" WITHOUT_BODY},
    {"INFO", "Content-Type: application/dtmf-relay\nContent-Length: {LEN}\n\nSignal=1\nDuration=100\n"},
    {"INFO", "Info-Package: x\n" WITHOUT_BODY},
    {"MESSAGE", "Content-Type: text/plain;charset=utf-8\nContent-Length: {LEN}\n\nhello \xc3\xa9\n"},
    {"OPTIONS", WITHOUT_BODY},
    {"PRACK", "RAck: 1 1 INVITE\n" WITHOUT_BODY},
    {"NOTIFY", "Event: refer\nSubscription-State: terminated\nContent-Type: message/sipfrag\nContent-Length: "
               "{LEN}\n\nSIP/2.0 200 OK\n"},
    {"REFER", "Refer-To: <sip:203@tandem>\n" WITHOUT_BODY},
    {"CANCEL", WITHOUT_BODY},
    {"ACK", WITHOUT_BODY},
    {"BYE", "Reason: Q.850;cause=16\n" WITHOUT_BODY},
};

static size_t inside_text(struct robot *r, unsigned source, struct side *side, size_t which, char *out)
{
    char template[4000];

    snprintf(template, sizeof template,
             "%s %s SIP/2.0\nVia: SIP/2.0/UDP {ME};branch=z9hG4bK{ID};rport\nMax-Forwards: 70\nFrom: %s\nTo: %s\n"
             "Call-ID: %s\nCSeq: %u %s\nContact: <sip:robot@{ME}>\n%s",
             inside[which].method, side->target, side->from, side->to, side->call_id, ++side->cseq,
             inside[which].method, inside[which].rest);
    return expand(r, source, template, out);
}

/* --- the other end ----------------------------------------------------------------------------------------------- */

/* Remembers a dialog; the one whose place it takes is ended. */
static void remember(struct robot *r, unsigned source, const struct message *m, const char *mine, const char *its)
{
    struct side *side = &r->dialogs[r->dialog_next++ % DIALOGS];
    static char text[ROOM];
    char contact[400];

    if (side->call_id[0])
        send_out(r, source, text, inside_text(r, source, side, COUNT_OF(inside) - 1, text), 20);
    memset(side, 0, sizeof *side);
    message_header(m, mine, side->from, sizeof side->from);
    message_header(m, its, side->to, sizeof side->to);
    message_header(m, "Call-ID", side->call_id, sizeof side->call_id);
    message_header(m, "Contact", contact, sizeof contact);
    if (contact[0] == '<')
        str_copy_n(side->target, sizeof side->target, contact + 1, strcspn(contact + 1, ">"));
    side->cseq = 100;
    r->dialogs_total++;
    if (r->dialog_count < DIALOGS)
        r->dialog_count++;
}

/* All lines of the Via headers, as a response repeats them. */
static void add_vias(const struct message *m, char *out, size_t size, size_t *used)
{
    for (const char *line = strstr(m->text, "\r\nVia:"); line; line = strstr(line + 2, "\r\nVia:"))
        str_append(out, size, used, "%.*s\r\n", (int)strcspn(line + 2, "\r\n"), line + 2);
}

static void reply(struct robot *r, unsigned source, const struct message *m, int status, const char *more,
                  const char *body)
{
    static char text[ROOM];
    char value[700], me[32];
    size_t used = 0;

    str_append(text, sizeof text, &used, "SIP/2.0 %d Whatever\r\n", status);
    add_vias(m, text, sizeof text, &used);
    str_append(text, sizeof text, &used, "From: %s\r\n", message_header(m, "From", value, sizeof value));
    message_header(m, "To", value, sizeof value);
    str_append(text, sizeof text, &used, "To: %s%s\r\n", value, strstr(value, "tag=") ? "" : ";tag=robot");
    str_append(text, sizeof text, &used, "Call-ID: %s\r\n", message_header(m, "Call-ID", value, sizeof value));
    message_header(m, "CSeq", value, sizeof value);
    if (status == 487) /* of the INVITE that this CANCEL means */
        str_copy(value + strcspn(value, " "), sizeof value - strcspn(value, " "), " INVITE");
    str_append(text, sizeof text, &used,
               "CSeq: %s\r\nContact: <sip:robot@%s>\r\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE, INFO, MESSAGE\r\n%s",
               value, source_text(r, source, me), more);
    str_append(text, sizeof text, &used, "%sContent-Length: %zu\r\n\r\n%s",
               *body ? "Content-Type: application/sdp\r\n" : "", strlen(body), body);
    if (status < 300 && status >= 200 && strcmp(m->method, "INVITE") == 0) {
        struct message ours = {.len = used};

        str_copy(ours.text, sizeof ours.text, text);
        remember(r, source, &ours, "To", "From");
        str_copy(r->dialogs[(r->dialog_next - 1) % DIALOGS].target, 300, "");
        message_header(m, "Contact", value, sizeof value);
        if (value[0] == '<')
            str_copy_n(r->dialogs[(r->dialog_next - 1) % DIALOGS].target, 300, value + 1, strcspn(value + 1, ">"));
    }
    send_out(r, source, text, used, strcmp(m->method, "BYE") == 0 ? 5 : 25);
}

static const char answer_sdp[] =
    "v=0\r\no=- 5 5 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4100 RTP/AVP 0 101\r\n"
    "a=rtpmap:101 telephone-event/8000\r\n";

static void called(struct robot *r, unsigned source, const struct message *m)
{
    static const int refusals[] = {486, 603, 404, 480, 488, 500, 302, 401, 422, 503, 600};
    char to[700];
    bool again = strstr(message_header(m, "To", to, sizeof to), "tag=") != NULL;
    unsigned what = r->calm ? 99 : dice_below(&r->dice, 100);

    if (what < 5) /* says nothing */
        return;
    if (what < 25)
        reply(r, source, m, refusals[dice_below(&r->dice, COUNT_OF(refusals))], "Min-SE: 90\r\n", "");
    else if (r->calm && !again)
        reply(r, source, m, 486, "", "");
    if (what < 25 || (r->calm && !again))
        return;
    if (!again && what < 60)
        reply(r, source, m, 180, what < 40 ? "Require: 100rel\r\nRSeq: 1\r\n" : "", "");
    if (!again && what < 50)
        reply(r, source, m, 183, "", answer_sdp);
    reply(r, source, m, again && what < 35 ? 491 : 200, what < 70 ? "Session-Expires: 1800;refresher=uas\r\n" : "",
          what < 30 ? "" : answer_sdp);
}

/* The ACK of a final response, or the PRACK of a reliable one. */
static void confirm(struct robot *r, unsigned source, const struct message *m, const char *method)
{
    static char text[ROOM];
    char from[600], to[600], call_id[300], cseq[60], contact[400] = "", uri[400] = "sip:202@tandem", me[32],
                                                     rseq[20] = "";
    bool success = m->status < 300;
    size_t used = 0;

    message_header(m, "From", from, sizeof from);
    message_header(m, "To", to, sizeof to);
    message_header(m, "Call-ID", call_id, sizeof call_id);
    message_header(m, "CSeq", cseq, sizeof cseq);
    message_header(m, "Contact", contact, sizeof contact);
    message_header(m, "RSeq", rseq, sizeof rseq);
    if (success && contact[0] == '<')
        str_copy_n(uri, sizeof uri, contact + 1, strcspn(contact + 1, ">"));
    str_append(text, sizeof text, &used, "%s %s SIP/2.0\r\n", method, uri);
    if (success)
        str_append(text, sizeof text, &used, "Via: SIP/2.0/UDP %s;branch=z9hG4bK%llx;rport\r\n",
                   source_text(r, source, me), (unsigned long long)dice_roll(&r->dice));
    else
        add_vias(m, text, sizeof text, &used);
    str_append(text, sizeof text, &used, "Max-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\n", from, to,
               call_id);
    if (strcmp(method, "PRACK") == 0)
        str_append(text, sizeof text, &used, "CSeq: %u PRACK\r\nRAck: %s %s\r\n", 2 + (unsigned)atoi(rseq), rseq, cseq);
    else
        str_append(text, sizeof text, &used, "CSeq: %.*s ACK\r\n", (int)strcspn(cseq, " "), cseq);
    /* Every second 200 has our offer in it, or looks so: then the answer stands here. */
    if (success && strcmp(method, "ACK") == 0 && dice_chance(&r->dice, 50))
        str_append(text, sizeof text, &used, "Content-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(answer_sdp), answer_sdp);
    else
        str_append(text, sizeof text, &used, "Content-Length: 0\r\n\r\n");
    send_out(r, source, text, used, 15);
}

static void heard(struct robot *r, unsigned source, const struct message *m)
{
    char cseq[60], challenge[400], nonce[80];

    r->replies++;
    if (m->method[0]) {
        if (strcmp(m->method, "INVITE") == 0)
            called(r, source, m);
        else if (strcmp(m->method, "CANCEL") == 0) {
            reply(r, source, m, 200, "", "");
            reply(r, source, m, 487, "", "");
        } else if (strcmp(m->method, "ACK") != 0)
            reply(r, source, m,
                  r->calm || dice_chance(&r->dice, 90) ? 200
                  : dice_chance(&r->dice, 50)          ? 481
                                                       : 405,
                  "", "");
        return;
    }
    message_header(m, "CSeq", cseq, sizeof cseq);
    if (m->status == 401) {
        wire_param(message_header(m, "WWW-Authenticate", challenge, sizeof challenge), "nonce", nonce, sizeof nonce);
        if (strlen(nonce) > 10)
            str_copy(r->nonces[source], sizeof r->nonces[source], nonce);
    }
    if (!strstr(cseq, "INVITE"))
        return;
    if (m->status >= 200 && m->status < 300)
        remember(r, source, m, "From", "To");
    if (m->status >= 200)
        confirm(r, source, m, "ACK");
    else if (m->status > 100 && strstr(m->text, "\r\nRSeq:") && dice_chance(&r->dice, 80))
        confirm(r, source, m, "PRACK");
}

/* Everything that has come to our addresses, with the address that it came to. */
static void listen_to(struct robot *r)
{
    static struct message m;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control;

    for (;;) {
        struct iovec part = {m.text, sizeof m.text - 1};
        struct msghdr message = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
        ssize_t n = recvmsg(r->fd, &message, MSG_DONTWAIT);
        unsigned source = 0;

        if (n < 0)
            break;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
            if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
                struct in_pktinfo info;

                memcpy(&info, CMSG_DATA(c), sizeof info);
                source = (ntohl(info.ipi_addr.s_addr) - 0x7F090001) % SOURCES;
            }
        m.text[n] = '\0';
        m.len = (size_t)n;
        m.method[0] = '\0';
        m.status = strncmp(m.text, "SIP/2.0 ", 8) == 0 ? atoi(m.text + 8) : 0;
        if (!m.status)
            str_copy_n(m.method, sizeof m.method, m.text, strcspn(m.text, " "));
        heard(r, source, &m);
    }
    for (unsigned i = 0; i < STREAMS; i++) { /* what comes back here is thrown away: nobody answers, too */
        ssize_t n = 1;

        while (r->streams[i] >= 0 && n > 0)
            n = recv(r->streams[i], m.text, sizeof m.text, MSG_DONTWAIT);
        if (r->streams[i] >= 0 && (n == 0 || errno != EAGAIN))
            break_off(r, i);
    }
}

static void turn(struct robot *r)
{
    for (int i = 0; i < 4; i++)
        loop_turn(r->bed->loop, 0);
    listen_to(r);
}

/* --- the flood --------------------------------------------------------------------------------------------------- */

static void corpus_add(struct robot *r, const char *text, size_t len)
{
    if (r->corpus_count == CORPUS_MAX || len > ROOM - 2000)
        return;
    r->corpus[r->corpus_count] = mem_new(len + 1);
    memcpy(r->corpus[r->corpus_count], text, len);
    r->corpus_len[r->corpus_count++] = len;
}

static void corpus_read(struct robot *r)
{
    static const char *const dirs[] = {"torture/rfc4475", "torture/rfc5118", "found"};
    static char text[ROOM];

    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        char dir[400];
        DIR *d;
        struct dirent *entry;

        snprintf(dir, sizeof dir, "%s/tests/data/%s", getenv("TANDEM_SRC"), dirs[i]);
        d = opendir(dir);
        ck_assert_msg(d != NULL, "%s is missing", dir);
        while ((entry = readdir(d))) {
            char path[700];
            FILE *f;

            if (!strstr(entry->d_name, ".sip"))
                continue;
            snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
            f = fopen(path, "rb");
            ck_assert_ptr_nonnull(f);
            corpus_add(r, text, fread(text, 1, sizeof text, f));
            fclose(f);
        }
        closedir(d);
    }
    for (size_t i = 0; i < COUNT_OF(odd_messages); i++)
        corpus_add(r, text, expand(r, 0, odd_messages[i].text, text));
    ck_assert_uint_gt(r->corpus_count, 100);
}

/* A phone of this account is at this source. */
static void put_registration(struct robot *r, unsigned source, const char *user)
{
    static char text[ROOM + 2000];
    char template[600];
    bool calm = r->calm;
    size_t len;

    snprintf(template, sizeof template,
             "REGISTER sip:tandem SIP/2.0\nVia: SIP/2.0/UDP {ME};branch=z9hG4bK{ID};rport\nMax-Forwards: 70\n"
             "From: <sip:%s@tandem>;tag={ID}\nTo: <sip:%s@tandem>\nCall-ID: {ID}\nCSeq: 1 REGISTER\n"
             "Contact: <sip:%s@{ME}>;expires=600\n" WITHOUT_BODY,
             user, user, user);
    len = expand(r, source, template, text);
    r->calm = true;
    send_out(r, source, text, sign(r, source, user, text, len, sizeof text), 0);
    r->calm = calm;
}

static void put_registrations(struct robot *r)
{
    static const char *const users[] = {"202", "203", "204"};

    for (unsigned i = 0; i < COUNT_OF(users); i++)
        put_registration(r, i + 1, users[i]);
}

static void one_message(struct robot *r)
{
    static char text[ROOM + 2000];
    static const char *const users[] = {"201", "202", "203", "204", "205"};
    unsigned source = dice_below(&r->dice, SOURCES), what = dice_below(&r->dice, 100);
    const char *user = users[dice_below(&r->dice, COUNT_OF(users))];
    size_t len;

    if (what < 25) {
        unsigned i = dice_below(&r->dice, r->corpus_count);

        len = r->corpus_len[i];
        memcpy(text, r->corpus[i], len);
    } else if (what < 55 || !r->dialog_count) {
        const char *template = outside[dice_below(&r->dice, COUNT_OF(outside))];

        while (strncmp(template, "INVITE", 6) == 0 &&
               dice_chance(&r->dice, 65)) /* ports rest for five seconds after a call */
            template = outside[dice_below(&r->dice, COUNT_OF(outside))];
        len = expand(r, source, template, text);
    } else {
        struct side *side = &r->dialogs[dice_below(&r->dice, r->dialog_count)];
        /* not so many BYEs that nothing is left to talk in */
        size_t which = dice_below(&r->dice, COUNT_OF(inside) - (dice_chance(&r->dice, 80) ? 1 : 0));

        len = side->call_id[0] ? inside_text(r, source, side, which, text) : expand(r, source, outside[0], text);
    }
    if (dice_chance(&r->dice, 85))
        len = mutate(&r->dice, text, len, ROOM);
    if (dice_chance(&r->dice, 60)) /* an insider */
        len = sign(r, source, user, text, len, sizeof text);
    send_out(r, source, text, len, 0);
}

static void flood(struct robot *r, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        one_message(r);
        if (i % 8 == 7)
            turn(r);
        if (i % 500 == 0)
            put_registrations(r);
    }
}

/* Without the records that wait for a database: there is none here. */
static size_t live_bytes(const struct bed *bed)
{
    struct db_status db;
    size_t bytes;

#ifdef TANDEM_SANITIZED
    bytes = __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 info = mallinfo2();

    bytes = info.uordblks + info.hblkhd;
#endif
    db_get_status(bed->pbx->db, &db);
    return bytes - db.records_memory;
}

static unsigned dialogs_left(const struct bed *bed)
{
    struct agent_stats stats;

    agent_get_stats(bed->pbx->sip, &stats);
    return stats.dialogs;
}

static void end_calls(struct bed *bed)
{
    struct call *call;
    bool again;

    do { /* each end may change the list */
        again = false;
        LIST_FOR_EACH(call, &bed->pbx->calls, in_pbx)
        {
            const struct leg *leg;

            LIST_FOR_EACH(leg, &call->legs, in_call)
            {
                again |= leg_is_alive(leg);
            }
            if (again)
                break;
        }
        if (again)
            call_end(call, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
    } while (again);
}

static void print_left(const struct bed *bed)
{
    const struct call *call;
    const struct leg *leg;

    LIST_FOR_EACH(call, &bed->pbx->calls, in_pbx)
    {
        LIST_FOR_EACH(leg, &call->legs, in_call)
        {
            fprintf(stderr, "left: a call from %s to %s, %s; %s leg of %s, %s: %s\n", call->from_number, call->dialled,
                    fsm_name(&call_states, call->state), leg->inbound ? "inbound" : "outbound", leg->number,
                    fsm_name(&leg_states, leg->state), cause_info(leg->cause)->id);
        }
    }
}

/* The robots only answer, and well, until nothing is left. What still talks then, whom nobody told to end, is ended as
 * by an administrator. */
static void settle(struct robot *r)
{
    struct bed *bed = r->bed;
    uint64_t start = now_ms();
    struct media_status media;

    r->calm = true;
    while (now_ms() - start < UA_WAIT_MS) {
        if (!bed->pbx->leg_count && !dialogs_left(bed))
            break;
        turn(r);
        loop_turn(bed->loop, 5);
        if (now_ms() - start > 3000)
            end_calls(bed);
    }
    for (unsigned i = 0; i < STREAMS; i++)
        break_off(r, i);
    print_left(bed);
    ck_assert_uint_eq(bed->pbx->call_count, 0);
    ck_assert_uint_eq(bed->pbx->leg_count, 0);
    bed_until(bed, dialogs_left(bed) == 0);
    for (uint64_t until_ = now_ms() + UA_WAIT_MS; now_ms() < until_;) {
        media_get_status(bed->pbx->media, &media);
        if (!media.ports_used)
            break;
        loop_turn(bed->loop, 5);
    }
    ck_assert_uint_eq(media.ports_used, 0);
    memset(r->dialogs, 0, sizeof r->dialogs);
    r->dialog_count = r->dialog_next = 0;
    r->calm = false;
}

/* Every timer of NTA's has run out, and its memory with it. */
static size_t settled_bytes(struct robot *r)
{
    settle(r);
    for (uint64_t until_ = now_ms() + SETTLE_MS; now_ms() < until_;)
        loop_turn(r->bed->loop, 50);
    return live_bytes(r->bed);
}

static void good_call(struct bed *bed)
{
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "205");
    struct message offer, answer;

    ua_invite(a, "205", NULL);
    while (!b->invite.len) { /* other phones of the account may ring as well, which nobody has here */
        offer = *must(ua_wait(b, "INVITE"));
        ua_reply(b, &offer, 200, "OK", NULL);
    }
    must(ua_wait(b, "ACK"));
    answer = *must(ua_wait(a, "200"));
    ua_ack(a, &answer);
    ua_talk(a, message_body(&answer), 10, 0x41);
    ck_assert_uint_ge(ua_hear(b, 8), 8);
    ua_talk(b, message_body(&offer), 10, 0x42);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->pbx->leg_count == 0);
    ua_close(a);
    ua_close(b);
}

static struct robot *robot_open(struct bed *bed, uint64_t seed)
{
    struct robot *r = mem_new(sizeof *r);
    struct agent *agent = bed->pbx->sip;
    union addr at = {.in = {.sin_family = AF_INET}};
    socklen_t len = sizeof at;
    int size = 4 << 20;

    r->bed = bed;
    r->dice.state = seed ? seed : 1;
    for (unsigned i = 0; i < STREAMS; i++)
        r->streams[i] = -1;
    r->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(r->fd, IPPROTO_IP, IP_PKTINFO, &(int){1}, sizeof(int));
    ck_assert_int_eq(bind(r->fd, &at.sa, addr_len(&at)), 0);
    ck_assert_int_eq(getsockname(r->fd, &at.sa, &len), 0);
    r->port = addr_port(&at);
    agent->config.t1x64_ms = T1X64_MS;
    nta_agent_set_params(agent->nta, NTATAG_SIP_T1X64(T1X64_MS), NTATAG_SIP_T4(500), TAG_END());
    corpus_read(r);
    for (unsigned i = 0; i < SOURCES; i++) { /* learn the nonces */
        put_registration(r, i, "202");
        turn(r);
    }
    for (uint64_t until_ = now_ms() + UA_WAIT_MS; now_ms() < until_ && !r->nonces[SOURCES - 1][0];) {
        turn(r);
        loop_turn(bed->loop, 2);
    }
    ck_assert_int_ne(r->nonces[SOURCES - 1][0], '\0');
    return r;
}

static void robot_close(struct robot *r)
{
    close(r->fd);
    for (unsigned i = 0; i < r->corpus_count; i++)
        free(r->corpus[i]);
    free(r);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t value;

    return text && str_to_u64(text, UINT64_MAX / 10, &value) == 0 ? value : otherwise;
}

START_TEST(damaged_messages_do_no_harm)
{
    uint64_t count = number_of("TANDEM_MUTATIONS", 20000), start = now_ms();
    struct bed *bed = bed_open(NULL, dialplan);
    struct edge_stats edge;
    size_t before = 0, after = 0;
    struct robot *r;

    last.seed = number_of("TANDEM_SEED", 20200229);
    atexit(tell);
    signal(SIGABRT, died); /* bug_if(), asserts of the library */
#ifdef TANDEM_SANITIZED
    __sanitizer_set_death_callback(tell);
#else
    signal(SIGSEGV, died);
#endif
    r = robot_open(bed, last.seed);
    flood(r, count / 2);
    if (count >= FLAT_FROM)
        before = settled_bytes(r);
    flood(r, count - count / 2);
    if (count >= FLAT_FROM)
        after = settled_bytes(r);
    settle(r);
    edge_get_stats(daemon_edge(bed->daemon), &edge);
    fprintf(stderr,
            "%llu messages in %.1f s: %llu came back, %llu dialogs, %llu calls, %llu cut by rate; memory %zu -> %zu\n",
            (unsigned long long)r->sent, (double)(now_ms() - start) / 1000, (unsigned long long)r->replies,
            (unsigned long long)r->dialogs_total, (unsigned long long)bed->pbx->calls_total,
            (unsigned long long)edge.dropped_rate, before, after);
    ck_assert_msg(after <= before + FLAT_BYTES, "memory grew from %zu to %zu bytes", before, after);
    /* It was worth while: many got behind the authentication and into calls. */
    ck_assert_uint_ge(bed->pbx->calls_total, count / 250);
    ck_assert_uint_ge(r->dialogs_total, count / 250);
    ck_assert_uint_lt(edge.dropped_rate, count / 100 + 1);
    good_call(bed);
    robot_close(r);
    bed_close(bed);
    last.sent = 0;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutations");
    TCase *tc = tcase_create("mutations");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, number_of("TANDEM_MUTATIONS", 0) ? 0 : 120);
    tcase_add_test(tc, damaged_messages_do_no_harm);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
