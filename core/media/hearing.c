/* A port's ear: the sink that feeds it, and its frames at the rates that listeners want. Worker's thread; knows no
 * bridge, conference or file. */
#include "media/hearing.h"

#include <stdlib.h>

#include "audio/ear.h"
#include "audio/resample.h"
#include "base/log.h"
#include "media/port.h"
#include "media/worker.h"

enum { NARROW, WIDE, RATES };

struct hearing {
    struct sink sink;
    struct port *port;
    unsigned users[RATES];
    struct ear *ear;        /* NULL: it could not be made */
    unsigned rate;          /* of the ear */
    bool known[128];        /* payload types that the ear was told of, or that are not for it */
    struct resample *other; /* from the ear's rate to the other one; NULL: not wanted */
    uint64_t due_us;        /* of what is in pcm */
    bool heard;
    int16_t pcm[RATES][HEARING_SAMPLES_MAX];
};

static unsigned index_of(unsigned rate)
{
    return rate > 8000 ? WIDE : NARROW;
}

static const struct codec_kind *kind_of(const struct proto_codec *codec)
{
    return codec ? codec_find(codec->name, codec->rate, codec->channels) : NULL;
}

static bool is_noise(const struct proto_codec *codec)
{
    return codec->name[0] == 'C' || codec->name[0] == 'c';
}

/* A static number may be used without having been described (RFC 3551 §6). */
static const struct codec_kind *kind_of_pt(const struct port *port, unsigned pt)
{
    const struct proto_codec *codec = port_codec(port, pt);

    if (codec)
        return kind_of(codec);
    switch (pt) {
    case 0:
        return codec_find("PCMU", 8000, 1);
    case 8:
        return codec_find("PCMA", 8000, 1);
    case 9:
        return codec_find("G722", 8000, 1);
    case 13:
        return codec_find("CN", 8000, 1);
    }
    return NULL;
}

/* The best that the far side was told to send and that can be decoded, or NULL. */
static const struct codec_kind *best_kind(const struct port *port)
{
    const struct proto_codec *codecs = port->local.codec_count ? port->local.codecs : port->remote.codecs;
    uint64_t count = port->local.codec_count ? port->local.codec_count : port->remote.codec_count;

    for (uint64_t i = 0; i < count; i++) {
        const struct codec_kind *kind = kind_of(&codecs[i]);

        if (kind && !is_noise(&codecs[i]))
            return kind;
    }
    return NULL;
}

bool hearing_can_hear(const struct port *port)
{
    return best_kind(port) != NULL;
}

unsigned hearing_best_rate(const struct port *port)
{
    const struct codec_kind *kind = best_kind(port);

    return kind && codec_rate(kind) > 8000 ? 16000 : 8000;
}

static void learn(struct hearing *hearing, unsigned pt)
{
    const struct codec_kind *kind = kind_of_pt(hearing->port, pt);
    const struct proto_codec *codec = port_codec(hearing->port, pt);
    int err = kind ? ear_codec(hearing->ear, (uint8_t)pt, kind, codec ? port_fmtp(hearing->port, codec) : NULL) : 0;

    if (err < 0)
        log_warn("port %u: payload type %u (%s) cannot be decoded: %s", addr_port(&hearing->port->latch.source), pt,
                 codec_name(kind), strerror(-err));
    hearing->known[pt] = true;
}

static void hear_rtp(struct sink *sink, uint8_t *packet, size_t len, const struct rtp_head *head)
{
    struct hearing *hearing = CONTAINER_OF(sink, struct hearing, sink);
    struct jitter_packet in = {.ssrc = head->ssrc, .timestamp = head->timestamp, .seq = head->seq, .pt = head->pt};

    if (!hearing->ear)
        return;
    if (!hearing->known[head->pt])
        learn(hearing, head->pt);
    in.payload = rtp_payload(packet, len, &in.len);
    ear_packet(hearing->ear, &in, hearing->port->last_us);
}

static void hear_rtcp(struct sink *sink, const uint8_t *packet, size_t len)
{
}

void hearing_count(const struct port *port, uint32_t *late, uint32_t *doubled)
{
    const struct jitter *jitter = port->hearing && port->hearing->ear ? ear_jitter(port->hearing->ear) : NULL;

    if (!jitter)
        return;
    *late += (uint32_t)jitter_count(jitter)->late;
    *doubled += (uint32_t)jitter_count(jitter)->duplicate;
}

static void ear_end(struct hearing *hearing)
{
    struct port *port = hearing->port;

    hearing_count(port, &port->stats.late, &port->stats.doubled);
    ear_free(hearing->ear);
    hearing->ear = NULL;
}

/* The ear at the rate that listeners want and the codec has, and the way to the other rate if that is wanted too. */
static void make_ear(struct hearing *hearing)
{
    unsigned rate = hearing->users[WIDE] ? hearing_best_rate(hearing->port) : 8000;
    bool other = hearing->users[rate == 8000 ? WIDE : NARROW];

    if (!hearing->ear || hearing->rate != rate) {
        ear_end(hearing);
        resample_free(hearing->other);
        hearing->other = NULL;
        hearing->ear = ear_new(rate, 0, 0);
        hearing->rate = rate;
        memset(hearing->known, 0, sizeof hearing->known);
    }
    if (other && !hearing->other)
        hearing->other = resample_new(rate, rate == 8000 ? 16000 : 8000);
}

int hearing_open(struct port *port, unsigned rate)
{
    struct hearing *hearing = port->hearing;

    if (!hearing) {
        hearing = port->hearing = mem_new(sizeof *hearing);
        hearing->port = port;
        hearing->sink.rtp = hear_rtp;
        hearing->sink.rtcp = hear_rtcp;
        list_append(&port->sinks, &hearing->sink.node);
    }
    hearing->users[index_of(rate)]++;
    make_ear(hearing);
    if (hearing->ear && (hearing->rate == rate || hearing->other))
        return 0;
    hearing_close(port, rate);
    return -ENOMEM;
}

void hearing_close(struct port *port, unsigned rate)
{
    struct hearing *hearing = port->hearing;
    unsigned at = index_of(rate);

    if (bug_if(!hearing || !hearing->users[at]))
        return;
    hearing->users[at]--;
    if (!hearing->users[NARROW] && !hearing->users[WIDE])
        hearing_free(port);
}

void hearing_free(struct port *port)
{
    struct hearing *hearing = port->hearing;

    if (!hearing)
        return;
    list_unlink(&hearing->sink.node);
    ear_end(hearing);
    resample_free(hearing->other);
    free(hearing);
    port->hearing = NULL;
}

void hearing_refresh(struct port *port)
{
    struct hearing *hearing = port->hearing;

    if (!hearing)
        return;
    memset(hearing->known, 0, sizeof hearing->known);
    make_ear(hearing);
}

static void decode(struct hearing *hearing, uint64_t due_us)
{
    unsigned own = index_of(hearing->rate);
    enum ear_heard heard = ear_frame(hearing->ear, due_us, hearing->pcm[own]);

    hearing->due_us = due_us;
    hearing->heard = heard != EAR_SILENCE;
    if (hearing->other)
        resample_run(hearing->other, hearing->pcm[own], hearing->rate / 50, hearing->pcm[!own]);
}

const int16_t *hearing_frame(struct port *port, unsigned rate, uint64_t due_us)
{
    struct hearing *hearing = port->hearing;

    if (!hearing || !hearing->ear)
        return NULL;
    if (hearing->due_us != due_us)
        decode(hearing, due_us);
    return hearing->heard ? hearing->pcm[index_of(rate)] : NULL;
}
