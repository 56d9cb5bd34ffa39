/* Robots at the other end. See robot.h. Test code. */
#include "robot.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sip/sip-priv.h"
#include "wire.h"

#define T1X64_MS 1000 /* transactions end soon, so that memory can be compared */

/* --- the other end ----------------------------------------------------------------------------------------------- */

/* Remembers a dialog; the one whose place it takes is ended. */
static void remember(struct robot *r, unsigned source, const struct message *m, const char *mine, const char *its)
{
    struct robot_side *side = &r->dialogs[r->dialog_next++ % ROBOT_DIALOGS];
    static char text[ROBOT_ROOM];
    char contact[400];

    if (side->call_id[0])
        robot_send(r, source, text, robot_inside(r, source, side, "BYE", "Content-Length: 0\n\n", text), 20);
    memset(side, 0, sizeof *side);
    message_header(m, mine, side->from, sizeof side->from);
    message_header(m, its, side->to, sizeof side->to);
    message_header(m, "Call-ID", side->call_id, sizeof side->call_id);
    message_header(m, "Contact", contact, sizeof contact);
    if (contact[0] == '<')
        str_copy_n(side->target, sizeof side->target, contact + 1, strcspn(contact + 1, ">"));
    side->cseq = 100;
    r->dialogs_total++;
    if (r->dialog_count < ROBOT_DIALOGS)
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
    static char text[ROBOT_ROOM];
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
               value, robot_source_text(r, source, me), more);
    str_append(text, sizeof text, &used, "%sContent-Length: %zu\r\n\r\n%s",
               *body ? "Content-Type: application/sdp\r\n" : "", strlen(body), body);
    if (status < 300 && status >= 200 && strcmp(m->method, "INVITE") == 0) {
        struct message ours = {.len = used};

        str_copy(ours.text, sizeof ours.text, text);
        remember(r, source, &ours, "To", "From");
        str_copy(r->dialogs[(r->dialog_next - 1) % ROBOT_DIALOGS].target, 300, "");
        message_header(m, "Contact", value, sizeof value);
        if (value[0] == '<')
            str_copy_n(r->dialogs[(r->dialog_next - 1) % ROBOT_DIALOGS].target, 300, value + 1,
                       strcspn(value + 1, ">"));
    }
    robot_send(r, source, text, used, strcmp(m->method, "BYE") == 0 ? 5 : 25);
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
    static char text[ROBOT_ROOM];
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
                   robot_source_text(r, source, me), (unsigned long long)dice_roll(&r->dice));
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
    robot_send(r, source, text, used, 15);
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
                source = (ntohl(info.ipi_addr.s_addr) - 0x7F090001) % ROBOT_SOURCES;
            }
        m.text[n] = '\0';
        m.len = (size_t)n;
        m.method[0] = '\0';
        m.status = strncmp(m.text, "SIP/2.0 ", 8) == 0 ? atoi(m.text + 8) : 0;
        if (!m.status)
            str_copy_n(m.method, sizeof m.method, m.text, strcspn(m.text, " "));
        heard(r, source, &m);
    }
    for (unsigned i = 0; i < ROBOT_STREAMS; i++) { /* what comes back here is thrown away: nobody answers, too */
        ssize_t n = 1;

        while (r->streams[i] >= 0 && n > 0)
            n = recv(r->streams[i], m.text, sizeof m.text, MSG_DONTWAIT);
        if (r->streams[i] >= 0 && (n == 0 || errno != EAGAIN))
            robot_break_off(r, i);
    }
}

void robot_turn(struct robot *r)
{
    for (int i = 0; i < 4; i++)
        loop_turn(r->bed->loop, 0);
    listen_to(r);
}

/* A phone of this account is at this source. */
void robot_register(struct robot *r, unsigned source, const char *user)
{
    static char text[ROBOT_TEXT];
    char template[600];
    bool calm = r->calm;
    size_t len;

    snprintf(template, sizeof template,
             "REGISTER sip:tandem SIP/2.0\nVia: SIP/2.0/UDP {ME};branch=z9hG4bK{ID};rport\nMax-Forwards: 70\n"
             "From: <sip:%s@tandem>;tag={ID}\nTo: <sip:%s@tandem>\nCall-ID: {ID}\nCSeq: 1 REGISTER\n"
             "Contact: <sip:%s@{ME}>;expires=600\n"
             "Content-Length: 0\n\n",
             user, user, user);
    len = robot_expand(r, source, template, text);
    r->calm = true;
    robot_send(r, source, text, robot_sign(r, source, user, text, len, sizeof text), 0);
    r->calm = calm;
}

struct robot *robot_open(struct bed *bed, uint64_t seed)
{
    struct robot *r = mem_new(sizeof *r);
    struct agent *agent = bed->pbx->sip;
    union addr at = {.in = {.sin_family = AF_INET}};
    socklen_t len = sizeof at;
    int size = 4 << 20;

    r->bed = bed;
    r->dice.state = seed ? seed : 1;
    for (unsigned i = 0; i < ROBOT_STREAMS; i++)
        r->streams[i] = -1;
    r->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(r->fd, IPPROTO_IP, IP_PKTINFO, &(int){1}, sizeof(int));
    ck_assert_int_eq(bind(r->fd, &at.sa, addr_len(&at)), 0);
    ck_assert_int_eq(getsockname(r->fd, &at.sa, &len), 0);
    r->port = addr_port(&at);
    agent->config.t1x64_ms = T1X64_MS;
    nta_agent_set_params(agent->nta, NTATAG_SIP_T1X64(T1X64_MS), NTATAG_SIP_T4(500), TAG_END());
    for (unsigned i = 0; i < ROBOT_SOURCES; i++) { /* learn the nonces */
        robot_register(r, i, "202");
        robot_turn(r);
    }
    for (uint64_t until_ = now_ms() + UA_WAIT_MS; now_ms() < until_ && !r->nonces[ROBOT_SOURCES - 1][0];) {
        robot_turn(r);
        loop_turn(bed->loop, 2);
    }
    ck_assert_int_ne(r->nonces[ROBOT_SOURCES - 1][0], '\0');
    return r;
}

void robot_close(struct robot *r)
{
    close(r->fd);
    free(r);
}
