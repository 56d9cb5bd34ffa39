/* The packet path: one read, a few checks, the sinks. Runs on the worker's thread without locks; knows nothing of calls
 * and of the controller. */
#include "media/port.h"

#include <event2/event.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/log.h"
#include "media/keys.h"
#include "media/play.h"
#include "media/hearing.h"
#include "media/mix.h"
#include "media/record.h"
#include "media/worker.h"

#define DRAIN_MAX 2000   /* packets thrown away at hand-out; a flood must not hold the thread */
#define READS_IN_BURST 8 /* packets a wake, when they come faster than speech does */
#define ALONE_US 5000    /* a packet that comes later than this after the last one is alone in the queue */
#define RCVBUF_RTP (64 * 1024)
#define RCVBUF_RTCP (16 * 1024)
#define RTCP_SILENCE_US 15000000u /* three of RFC 3550's five-second intervals */
#define LEFT_SILENCE_US 60000000u

struct port *port_new(uint64_t id, int family, int rtp_fd, int rtcp_fd)
{
    struct port *port = mem_new(sizeof *port);

    port->id = id;
    port->family = family;
    port->rtp.fd = rtp_fd;
    port->rtcp.fd = rtcp_fd;
    port->dir = port->commanded = DIR_SENDRECV;
    port->remote.dir = DIR_SENDRECV;
    list_init(&port->sinks);
    numbers_init(&port->numbers);
    keys_init(port);
    list_init(&port->recordings);
    list_init(&port->players);
    port_refresh_accepts(port);
    return port;
}

void port_free(struct port *port)
{
    port_dtls_end(port);
    free(port->early[0]);
    free(port->early[1]);
    record_end_all(port);
    hearing_free(port);
    voice_free(port);
    keys_free(port);
    play_free(port);
    secure_clear(&port->in);
    secure_clear(&port->out);
    free(port);
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

static void disconnect_rtp(struct port *port)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};

    if (port->rtp.connected)
        (void)connect(port->rtp.fd, &none, sizeof none);
    port->rtp.connected = port->rtp.settled = false;
}

/* A known source gets a connected socket: sending is cheaper, and the kernel keeps everybody else out. A stranger does
 * not: the SDP address must still be heard. */
static void connect_rtp(struct port *port)
{
    if (port->latch.rank != LATCH_KNOWN || port->rtp.connected)
        return;
    port->rtp.connected = connect(port->rtp.fd, &port->latch.source.sa, addr_len(&port->latch.source)) == 0;
    port->rtp.settled = false;
}

static const struct proto_codec *codec_by_pt(const struct proto_codec *codecs, uint64_t count, unsigned pt)
{
    for (uint64_t i = 0; i < count; i++)
        if (codecs[i].pt == pt)
            return &codecs[i];
    return NULL;
}

/* A far side sends with the numbers of our description (RFC 3264 §5.1); some use their own all the same. */
const struct proto_codec *port_codec(const struct port *port, unsigned pt)
{
    const struct proto_codec *codec = codec_by_pt(port->local.codecs, port->local.codec_count, pt);

    return codec ? codec : codec_by_pt(port->remote.codecs, port->remote.codec_count, pt);
}

const char *port_fmtp(const struct port *port, const struct proto_codec *codec)
{
    bool local = codec >= port->local.codecs && codec < port->local.codecs + MEDIA_CODECS_MAX;
    const char *fmtps = local ? port->local.fmtps : port->remote.fmtps;

    return codec->fmtp && codec->fmtp < PROTO_FMTPS ? fmtps + codec->fmtp : NULL;
}

static uint32_t clock_rate(const struct port *port, unsigned pt)
{
    const struct proto_codec *codec = port_codec(port, pt);

    if (codec) /* the timestamp of a telephone-event stands still: it says nothing about the network */
        return strcasecmp(codec->name, "telephone-event") == 0 ? 0 : codec->rate;
    return pt < 96 ? 8000 : 0;
}

static bool source_is_good(struct port *port, const struct rtp_head *head, const union addr *from, uint64_t now_us)
{
    bool due = port->dir == DIR_SENDRECV && !list_empty(&port->sinks);

    switch (latch_packet(&port->latch, from, head->ssrc, head->seq, port->accepts[head->pt], due, now_us,
                         port->worker->silence_us)) {
    case LATCH_DROP:
        return false;
    case LATCH_NEW:
        disconnect_rtp(port);
        connect_rtp(port);
        memset(&port->rtcp_source, 0, sizeof port->rtcp_source);
        worker_tell(port->worker, port, MEDIA_LATCHED);
        return true;
    case LATCH_TAKE:
        connect_rtp(port);
        return true;
    }
    return false;
}

static void take_rtcp(struct port *port, const uint8_t *packet, size_t len, uint64_t now_us)
{
    struct sink *sink, *next;

    if (!reports_take(port, packet, len, now_us))
        return;
    port->rtcp_us = now_us;
    LIST_FOR_EACH_SAFE(sink, next, &port->sinks, node)
    sink->rtcp(sink, packet, len);
}

static bool from_rtp_host(const struct port *port, const union addr *from)
{
    const struct latch *latch = &port->latch;

    if (latch->rank != LATCH_NONE)
        return addr_same_ip(&latch->source, from);
    return (addr_is_set(&latch->sdp) && addr_same_ip(&latch->sdp, from)) ||
           (addr_is_set(&latch->signalling) && addr_same_ip(&latch->signalling, from));
}

static void take_rtp(struct port *port, uint8_t *packet, size_t len, const struct rtp_head *head, uint64_t now_us)
{
    struct media_stats *stats = &port->stats;
    struct sink *sink, *next;

    if (head->pt != stats->pt || !port->first_us) {
        stats->pt = head->pt;
        port->rate = clock_rate(port, head->pt);
    }
    rtp_count_packet(&port->count, head, now_us, port->rate);
    port->last_us = now_us;
    if (!port->accepts[head->pt]) {
        stats->dropped++;
        return;
    }
    port->sound_us = now_us;
    stats->rx_packets++;
    stats->rx_bytes += len;
    if (!port->first_us) {
        port->first_us = now_us;
        worker_tell(port->worker, port, MEDIA_FIRST_RTP);
    }
    if (!(port->dir & DIR_RECV))
        return;
    if (port->keys.is_event[head->pt])
        keys_packet(port, packet, len, head);
    LIST_FOR_EACH_SAFE(sink, next, &port->sinks, node)
    sink->rtp(sink, packet, len, head);
}

/* Before anything is believed of it: nobody gets heard by a packet that he could not have made, or has made before. */
static bool is_genuine(struct port *port, struct secure *in, uint8_t *packet, size_t *len, bool rtcp)
{
    if (!port->in_is_srtp || secure_open(in, packet, len, rtcp))
        return true;
    port->stats.rejected++;
    return false;
}

static bool may_shake_hands(struct port *port, bool rtcp, const union addr *from)
{
    return from_rtp_host(port, from) ||
           (rtcp && addr_is_set(&port->remote.rtcp) && addr_same(&port->remote.rtcp, from));
}

/* from == NULL: from where RTP comes. */
static void take_other(struct port *port, bool rtcp, const uint8_t *packet, size_t len, const union addr *from)
{
    bool early = !port->remote_us; /* nobody has said yet whom to expect */

    if (packet_kind(packet, len) == PACKET_DTLS && (!from || early || may_shake_hands(port, rtcp, from)))
        port_dtls_packet(port, rtcp, packet, len, from ? from : &port->latch.source);
    else
        port->stats.dropped++;
}

/* from == NULL: the kernel has checked the source. */
static void rtp_socket_packet(struct port *port, uint8_t *packet, size_t len, const union addr *from, uint64_t now_us)
{
    enum packet_kind kind = packet_kind(packet, len);
    struct rtp_head head;

    if (kind == PACKET_RTCP && len >= 8 && (!from || from_rtp_host(port, from))) { /* rtcp-mux, RFC 5761 */
        if (is_genuine(port, &port->in, packet, &len, true))
            take_rtcp(port, packet, len, now_us);
        return;
    }
    if (kind != PACKET_RTP) {
        take_other(port, false, packet, len, from);
        return;
    }
    if (!is_genuine(port, &port->in, packet, &len, false))
        return;
    if (rtp_parse(packet, len, &head) < 0) {
        port->stats.dropped++;
        return;
    }
    if (!from)
        port->latch.heard_us = now_us;
    else if (!source_is_good(port, &head, from, now_us)) {
        port->stats.dropped++;
        return;
    }
    take_rtp(port, packet, len, &head, now_us);
}

static void rtp_ready(evutil_socket_t fd, short what, void *arg)
{
    struct port *port = arg;
    struct worker *worker = port->worker;
    uint64_t now_us = worker_now(worker);
    /* Speech comes one packet at a time: asking again each time would cost a system call a packet. */
    int reads = port->rtp.settled && now_us - port->last_us > ALONE_US ? 1 : READS_IN_BURST;

    for (int i = 0; i < reads; i++) {
        union addr from;
        socklen_t from_len = sizeof from;
        bool settled = port->rtp.settled;
        ssize_t n = settled ? recv(port->rtp.fd, worker->packet, sizeof worker->packet, 0)
                            : recvfrom(port->rtp.fd, worker->packet, sizeof worker->packet, 0, &from.sa, &from_len);

        if (n >= 0) {
            rtp_socket_packet(port, worker->packet, (size_t)n, settled ? NULL : &from, now_us);
        } else if (errno == ECONNREFUSED) {
            port->refused++;
        } else {
            port->rtp.settled = port->rtp.connected;
            return;
        }
    }
}

static bool rtcp_source_is_good(struct port *port, const union addr *from, uint64_t now_us)
{
    if (!from_rtp_host(port, from) && !(addr_is_set(&port->remote.rtcp) && addr_same(&port->remote.rtcp, from)))
        return false;
    if (addr_is_set(&port->rtcp_source) && !addr_same(&port->rtcp_source, from) &&
        now_us - port->rtcp_heard_us < RTCP_SILENCE_US)
        return false;
    port->rtcp_source = *from;
    port->rtcp_heard_us = now_us;
    return true;
}

static void rtcp_ready(evutil_socket_t fd, short what, void *arg)
{
    struct port *port = arg;
    struct worker *worker = port->worker;
    union addr from;
    socklen_t from_len = sizeof from;
    uint64_t now_us = worker_now(worker);
    ssize_t n = recvfrom(port->rtcp.fd, worker->packet, sizeof worker->packet, 0, &from.sa, &from_len);
    size_t len = (size_t)n;

    if (n < 0) {
        port->refused += errno == ECONNREFUSED;
        return;
    }
    if (len < 8 || packet_kind(worker->packet, len) != PACKET_RTCP) {
        take_other(port, true, worker->packet, len, &from);
        return;
    }
    if (!is_genuine(port, port->dtls ? &port->dtls->rtcp_in : &port->in, worker->packet, &len, true))
        return;
    if (rtcp_source_is_good(port, &from, now_us))
        take_rtcp(port, worker->packet, len, now_us);
    else
        port->stats.dropped++;
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static bool send_to(struct port *port, struct channel *channel, const union addr *to, const uint8_t *packet, size_t len)
{
    ssize_t n;

    if (channel->connected)
        n = send(channel->fd, packet, len, MSG_NOSIGNAL);
    else if (to->sa.sa_family == port->family)
        n = sendto(channel->fd, packet, len, MSG_NOSIGNAL, &to->sa, addr_len(to));
    else
        return false;
    if (n < 0 && errno == ECONNREFUSED)
        port->refused++; /* of an earlier packet; phones that restart do that */
    return n >= 0;
}

void port_send_raw(struct port *port, bool rtcp, const union addr *to, const uint8_t *packet, size_t len)
{
    (void)send_to(port, rtcp ? &port->rtcp : &port->rtp, to, packet, len);
}

/* The packet as it goes out; NULL: it cannot. */
static const uint8_t *sealed(struct port *port, struct secure *out, const uint8_t *packet, size_t *len, bool rtcp)
{
    uint8_t *copy = port->worker->sealed;

    if (!port->out_is_srtp)
        return packet;
    memcpy(copy, packet, *len);
    return secure_seal(out, copy, len, rtcp) ? copy : NULL;
}

bool port_send_rtp(struct port *port, const struct speaker *speaker, uint8_t *packet, size_t len, uint64_t now_us)
{
    const uint8_t *out;

    if (!(port->dir & DIR_SEND)) {
        numbers_leave(&port->numbers, speaker->who);
        return false;
    }
    if (!numbers_put(&port->numbers, speaker, packet, len, now_us) ||
        !(out = sealed(port, &port->out, packet, &len, false)) ||
        !send_to(port, &port->rtp, latch_target(&port->latch), out, len))
        return false;
    port->stats.tx_packets++;
    port->stats.tx_bytes += len;
    return true;
}

union addr port_rtcp_target(const struct port *port)
{
    const struct latch *latch = &port->latch;
    union addr to;

    if (addr_is_set(&port->rtcp_source))
        return port->rtcp_source;
    if (latch->rank != LATCH_NONE && !addr_same_ip(&latch->source, &latch->sdp)) {
        to =
            latch->source; /* behind address translation: its SDP cannot be reached, the next port up is a fair guess */
        addr_set_port(&to, (uint16_t)(addr_port(&to) + 1));
        return to;
    }
    if (addr_is_set(&port->remote.rtcp))
        return port->remote.rtcp;
    to = *latch_target(latch);
    if (addr_is_set(&to))
        addr_set_port(&to, (uint16_t)(addr_port(&latch->sdp) + 1));
    return to;
}

bool port_send_rtcp(struct port *port, const uint8_t *packet, size_t len)
{
    bool mux = port->remote.rtcp_mux;
    union addr to;

    packet = sealed(port, port->dtls && !mux ? &port->dtls->rtcp_out : &port->out, packet, &len, true);
    if (!packet)
        return false;
    if (mux)
        return send_to(port, &port->rtp, latch_target(&port->latch), packet, len);
    to = port_rtcp_target(port);
    return addr_is_set(&to) && send_to(port, &port->rtcp, &to, packet, len);
}

/* --- what the controller and the worker ask --------------------------------------------------------------------------
 */

static void drain(int fd, uint8_t *buffer, size_t size)
{
    for (int i = 0; i < DRAIN_MAX; i++)
        if (recv(fd, buffer, size, 0) < 0 && errno != ECONNREFUSED)
            return;
}

void port_attach(struct port *port, struct worker *worker, bool fresh)
{
    int rtp_room = RCVBUF_RTP, rtcp_room = RCVBUF_RTCP;

    port->worker = worker;
    list_append(&worker->ports, &port->node);
    if (fresh) {
        setsockopt(port->rtp.fd, SOL_SOCKET, SO_RCVBUF, &rtp_room, sizeof rtp_room);
        setsockopt(port->rtcp.fd, SOL_SOCKET, SO_RCVBUF, &rtcp_room, sizeof rtcp_room);
        drain(port->rtp.fd, worker->packet, sizeof worker->packet);
        drain(port->rtcp.fd, worker->packet, sizeof worker->packet);
    }
    port->rtp.event = event_new(worker->base, port->rtp.fd, EV_READ | EV_PERSIST, rtp_ready, port);
    port->rtcp.event = event_new(worker->base, port->rtcp.fd, EV_READ | EV_PERSIST, rtcp_ready, port);
    event_add(port->rtp.event, NULL);
    event_add(port->rtcp.event, NULL);
    port_dtls_attach(port);
    voice_resume(port);
    keys_resume(port);
    record_resume(port);
}

void port_detach(struct port *port)
{
    relay_unbridge(port);
    port_dtls_detach(port);
    mix_leave(port);
    record_suspend(port);
    voice_suspend(port);
    keys_suspend(port);
    event_free(port->rtp.event);
    event_free(port->rtcp.event);
    port->rtp.event = port->rtcp.event = NULL;
    list_unlink(&port->node);
    port->worker = NULL;
}

void port_refresh_accepts(struct port *port)
{
    bool any = port->remote.codec_count == 0;

    for (unsigned pt = 0; pt < COUNT_OF(port->accepts); pt++)
        port->accepts[pt] = any || (port->bridge.to && port->bridge.pt[pt] != PT_DROP);
    for (unsigned i = 0; i < port->remote.codec_count; i++)
        port->accepts[port->remote.codecs[i].pt & 0x7F] = true;
    for (unsigned i = 0; i < port->local.codec_count; i++)
        port->accepts[port->local.codecs[i].pt & 0x7F] = true;
}

static void agreed(struct port *port)
{
    port_refresh_accepts(port);
    keys_refresh(port);
    hearing_refresh(port);
    voice_refresh(port);
    mix_refresh(port);
}

static void refresh_direction(struct port *port)
{
    port->dir = port->commanded & dir_mirror(port->remote.dir & DIR_SENDRECV);
}

void port_set_remote(struct port *port, const struct proto_remote *remote)
{
    union addr sdp = remote->rtp, signalling = remote->signalling;
    bool moved;

    port->remote = *remote;
    if (port->remote.codec_count > MEDIA_CODECS_MAX)
        port->remote.codec_count = MEDIA_CODECS_MAX;
    port->remote.fmtps[PROTO_FMTPS - 1] = '\0';
    if (sdp.sa.sa_family != port->family)
        memset(&sdp, 0, sizeof sdp);
    if (signalling.sa.sa_family != port->family)
        memset(&signalling, 0, sizeof signalling);
    moved = latch_remote(&port->latch, &sdp, &signalling);
    if (moved) {
        disconnect_rtp(port);
        memset(&port->rtcp_source, 0, sizeof port->rtcp_source);
    }
    if (!port->remote_us)
        port->remote_us = worker_now(port->worker);
    refresh_direction(port);
    agreed(port);
    relay_remap(port);
    port->rate = clock_rate(port, port->stats.pt);
    port_dtls_remote(port, moved);
}

void port_set_local(struct port *port, const struct proto_local *local)
{
    port->local = *local;
    if (port->local.codec_count > MEDIA_CODECS_MAX)
        port->local.codec_count = MEDIA_CODECS_MAX;
    port->local.fmtps[PROTO_FMTPS - 1] = '\0';
    agreed(port);
    relay_remap(port);
    port->rate = clock_rate(port, port->stats.pt);
}

void port_set_keys(struct port *port, const struct srtp_key *in, const struct srtp_key *out)
{
    int in_err, out_err;

    port_dtls_end(port);
    in_err = secure_set(&port->in, in, true);
    out_err = secure_set(&port->out, out, false);
    port->in_is_srtp = secure_is_on(&port->in);
    port->out_is_srtp = secure_is_on(&port->out);
    if (in_err < 0 || out_err < 0)
        log_error("the keys for an encrypted stream cannot be used: it is silent");
}

void port_set_direction(struct port *port, enum stream_dir dir)
{
    port->commanded = dir & DIR_SENDRECV;
    refresh_direction(port);
}

/* A phone that sends comfort noise says that it will send nothing while its user is quiet (RFC 3389). */
static bool comfort_noise(const struct port *port)
{
    unsigned pt = port->stats.pt;

    for (unsigned i = 0; i < port->remote.codec_count; i++)
        if (port->remote.codecs[i].pt == pt)
            return strcasecmp(port->remote.codecs[i].name, "CN") == 0;
    return pt == 13; /* the static number, whether agreed or not */
}

static void look_for_silence(struct port *port, uint64_t now_us)
{
    uint64_t sound_us = port->first_us && comfort_noise(port) ? now_us : port->sound_us;
    uint64_t life_us = port->rtcp_us > port->last_us ? port->rtcp_us : port->last_us;

    switch (silence_look(&port->silence, sound_us, life_us, now_us)) {
    case SILENCE_NOTHING:
        break;
    case SILENCE_BEGAN:
        worker_tell(port->worker, port, MEDIA_SILENT);
        break;
    case SILENCE_OVER:
        worker_tell(port->worker, port, MEDIA_HEARD);
        break;
    case SILENCE_LIFELESS:
        worker_tell(port->worker, port, MEDIA_LIFELESS);
        break;
    }
}

void port_tick(struct port *port, uint64_t now_us)
{
    uint64_t since = port->last_us > port->left_us ? port->last_us : port->left_us;

    if (port->bridge.to && port->bridge.to->last_us > since)
        since = port->bridge.to->last_us;
    if (latch_tick(&port->latch, now_us, port->worker->silence_us))
        disconnect_rtp(port);
    reports_tick(port, now_us);
    look_for_silence(port, now_us);
    if (port->left_us && now_us > since && now_us - since > LEFT_SILENCE_US) {
        port->left_us = now_us;
        worker_tell_silent(port->worker, port);
    }
}

void port_get_stats(const struct port *port, struct media_stats *out)
{
    uint64_t wait = port->first_us > port->remote_us ? (port->first_us - port->remote_us) / 1000 : 0;

    *out = port->stats;
    out->lost = rtp_count_lost(&port->count);
    hearing_count(port, &out->late, &out->doubled);
    out->jitter_us = port->count.jitter_us;
    out->first_rx_ms = !port->first_us ? 0 : wait ? (uint32_t)wait : 1;
    if (port->latch.rank != LATCH_NONE)
        out->source = port->latch.source;
    reports_stats(port, out);
}
