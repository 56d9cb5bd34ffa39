/* How robots send. See robot.h. Test code. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "robot.h"
#include "wire.h"

#define STREAM_USES 12 /* messages on one connection, until it is broken off */
#define KEPT 16        /* last messages, for the case that something fails */

/* --- what is said when it fails ---------------------------------------------------------------------------------- */

static struct {
    uint64_t sent;
    size_t len[KEPT];
    char text[KEPT][ROBOT_TEXT];
} last;

static void keep(const char *text, size_t len)
{
    unsigned i = (unsigned)(last.sent++ % KEPT);

    last.len[i] = len < sizeof last.text[i] ? len : sizeof last.text[i];
    memcpy(last.text[i], text, last.len[i]);
}

void robot_tell(uint64_t seed)
{
    int fd;

    fd = open("tests/loopback/mutations.last", O_CREAT | O_TRUNC | O_WRONLY, 0600);
    fprintf(stderr, "TANDEM_SEED=%llu, message %llu\n", (unsigned long long)seed, (unsigned long long)last.sent);
    for (unsigned i = 0; i < KEPT && i < last.sent; i++) {
        unsigned k = (unsigned)((last.sent + i) % KEPT);

        if (fd >= 0 && (write(fd, last.text[k], last.len[k]) < 0 || write(fd, "\n-----\n", 7) < 0))
            break;
    }
    if (fd >= 0)
        close(fd);
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

static uint32_t source_ip(unsigned source)
{
    return htonl(0x7F090001 + source);
}

const char *robot_source_text(const struct robot *r, unsigned source, char out[32])
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

void robot_break_off(struct robot *r, unsigned i)
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
    unsigned i = source % ROBOT_STREAMS;
    union addr from = {.in = {.sin_family = AF_INET, .sin_addr.s_addr = source_ip(source)}};
    const union addr *to = &r->bed->at[1];

    if (r->streams[i] >= 0 && (r->uses[i]++ >= STREAM_USES || dice_chance(&r->dice, 5)))
        robot_break_off(r, i);
    if (r->streams[i] < 0) {
        r->uses[i] = 0;
        r->streams[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (bind(r->streams[i], &from.sa, addr_len(&from)) < 0 ||
            (connect(r->streams[i], &to->sa, addr_len(to)) < 0 && errno != EINPROGRESS))
            ck_abort_msg("no connection: %s", strerror(errno));
        loop_turn(r->bed->loop, 0);
    }
    if (send(r->streams[i], text, len, MSG_NOSIGNAL) < 0)
        robot_break_off(r, i);
}

/* Sends it over UDP, or now and then over TCP, whole or damaged. */
void robot_send(struct robot *r, unsigned source, char *text, size_t len, unsigned damage_percent)
{
    static char out[ROBOT_TEXT];

    if (!r->calm && dice_chance(&r->dice, damage_percent)) {
        memcpy(out, text, len);
        len = mutate(&r->dice, out, len, ROBOT_ROOM);
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
size_t robot_sign(struct robot *r, unsigned source, const char *user, char *text, size_t len, size_t room)
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
size_t robot_expand(struct robot *r, unsigned source, const char *template, char *out)
{
    char me[32], id[13], length[16] = "0", longs[301];
    const struct {
        const char *name, *value;
    } words[] = {
        {"{ME}", robot_source_text(r, source, me)}, {"{ID}", id}, {"{AUTH}", ""}, {"{LEN}", length}, {"{LONG}", longs}};
    size_t len = 0;

    snprintf(id, sizeof id, "%012llx", (unsigned long long)(dice_roll(&r->dice) >> 16));
    memset(longs, 'x', 300);
    longs[300] = '\0';
    for (int pass = 0; pass < 2; pass++) { /* the second knows how long the body is */
        const char *body;

        len = 0;
        for (const char *p = template; *p && len < ROBOT_ROOM - 400;) {
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

size_t robot_inside(struct robot *r, unsigned source, struct robot_side *side, const char *method, const char *rest,
                    char *out)
{
    char template[4000];

    snprintf(template, sizeof template,
             "%s %s SIP/2.0\nVia: SIP/2.0/UDP {ME};branch=z9hG4bK{ID};rport\nMax-Forwards: 70\nFrom: %s\nTo: %s\n"
             "Call-ID: %s\nCSeq: %u %s\nContact: <sip:robot@{ME}>\n%s",
             method, side->target, side->from, side->to, side->call_id, ++side->cseq, method, rest);
    return robot_expand(r, source, template, out);
}
