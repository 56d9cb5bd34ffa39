/* A port's mouth: sums its sources each beat, encodes the sum and sends it; keys go between. Worker's thread; knows no
 * bridge, conference or file. */
#include "media/voice.h"

#include <stdlib.h>
#include <strings.h>

#include "audio/codec.h"
#include "audio/dtmf.h"
#include "audio/telephone_event.h"
#include "base/log.h"
#include "media/pace.h"
#include "media/port.h"
#include "media/worker.h"

#define PTIME_MAX_MS 60u

struct voice {
    struct beat beat;
    struct port *port;
    struct list sources;
    struct list *next;             /* that is asked next, while sources are asked */
    const struct codec_kind *kind; /* NULL: the far side takes nothing that we can encode */
    struct codec_encoder *encoder; /* at rate */
    unsigned rate, clock, ptime_ms;
    uint8_t pt;
    bool has_events; /* keys can go as telephone-event, under event_pt */
    uint8_t event_pt;
    bool marker; /* the next packet begins a talkspurt */
    uint16_t seq;
    uint32_t timestamp;
    struct event_sender events;
    uint32_t event_time; /* now, on the clock of the events, which need not be that of the speech */
    struct dtmf_sender tones;
    size_t held; /* samples that wait for a whole packet */
    bool sounding;
    uint64_t due_us;    /* of what was sent last */
    bool said, is_ours; /* in that beat; is_ours: as samples */
    int16_t frame[VOICE_SAMPLES_MAX];
    int16_t pcm[PTIME_MAX_MS * 16 + VOICE_SAMPLES_MAX];
};

void sound_add(int16_t *pcm, const int16_t *more, size_t samples)
{
    for (size_t i = 0; i < samples; i++) {
        int sum = pcm[i] + more[i];

        pcm[i] = (int16_t)(sum > INT16_MAX ? INT16_MAX : sum < INT16_MIN ? INT16_MIN : sum);
    }
}

/* --- what is spoken ----------------------------------------------------------------------------------------------- */

static bool is_agreed(const struct port *port, const struct proto_codec *codec)
{
    for (uint64_t i = 0; i < port->local.codec_count; i++) {
        const struct proto_codec *ours = &port->local.codecs[i];

        if (strncasecmp(ours->name, codec->name, sizeof codec->name) == 0 && ours->rate == codec->rate &&
            ours->channels == codec->channels)
            return true;
    }
    return port->local.codec_count == 0;
}

/* The first speech of the far side that we agreed on and can make. */
static const struct proto_codec *best_codec(const struct port *port)
{
    for (unsigned i = 0; i < port->remote.codec_count; i++) {
        const struct proto_codec *codec = &port->remote.codecs[i];

        if (strcasecmp(codec->name, "CN") != 0 && is_agreed(port, codec) &&
            codec_find(codec->name, codec->rate, codec->channels))
            return codec;
    }
    return NULL;
}

bool voice_can_speak(const struct port *port)
{
    return best_codec(port) != NULL;
}

uint32_t voice_clock(const struct port *port)
{
    const struct proto_codec *codec = best_codec(port);

    return codec ? codec->rate : 0;
}

/* The telephone events of the far side: best those of the clock of its speech, of which they are a part (RFC 4733
 * §2.1). Many phones know only those of 8000, whatever they speak. */
static const struct proto_codec *event_codec(const struct port *port)
{
    const struct proto_codec *speech = best_codec(port), *found = NULL;

    for (unsigned i = 0; i < port->remote.codec_count; i++) {
        const struct proto_codec *codec = &port->remote.codecs[i];

        if (strcasecmp(codec->name, "telephone-event") == 0 && codec->rate >= 1000 &&
            (!found || (speech && codec->rate == speech->rate && found->rate != speech->rate)))
            found = codec;
    }
    return found;
}

enum key_out voice_key_out(const struct port *port)
{
    if (port->keys.out == KEY_OUT_NOWHERE)
        return KEY_OUT_NOWHERE;
    if (port->keys.out == KEY_OUT_EVENTS && event_codec(port))
        return KEY_OUT_EVENTS;
    return best_codec(port) ? KEY_OUT_TONES : KEY_OUT_NOWHERE;
}

static unsigned wanted_rate(const struct voice *voice)
{
    struct source *source;
    unsigned rate = 8000;

    LIST_FOR_EACH(source, &voice->sources, node)
    rate = source->rate > rate ? source->rate : rate;
    return rate > codec_rate(voice->kind) ? codec_rate(voice->kind) : rate > 8000 ? 16000 : 8000;
}

static void use_events(struct voice *voice)
{
    const struct proto_codec *codec = voice_key_out(voice->port) == KEY_OUT_EVENTS ? event_codec(voice->port) : NULL;

    if (codec && (!voice->has_events || voice->events.clock != codec->rate))
        event_sender_init(&voice->events, codec->rate, voice->ptime_ms, 0);
    voice->has_events = codec != NULL;
    voice->event_pt = codec ? codec->pt & 0x7F : 0;
}

/* Brings the encoder in line with what was agreed on and what the sources are good for. */
static void tune(struct voice *voice)
{
    const struct port *port = voice->port;
    const struct proto_codec *codec = best_codec(port);
    const struct codec_kind *kind = codec ? codec_find(codec->name, codec->rate, codec->channels) : NULL;
    unsigned rate, ptime_ms;

    if (!kind) { /* nothing but keys can be said to it */
        codec_encoder_free(voice->encoder);
        voice->encoder = NULL;
        voice->kind = NULL;
        voice->ptime_ms = PACE_MS;
        use_events(voice);
        voice->clock = voice->has_events ? voice->events.clock : 8000;
        return;
    }
    ptime_ms = codec_ptime(kind, port->remote.ptime);
    if (voice->kind != kind || voice->ptime_ms != ptime_ms) {
        codec_encoder_free(voice->encoder);
        voice->encoder = NULL;
        voice->has_events = false;
    }
    voice->kind = kind;
    voice->ptime_ms = ptime_ms;
    voice->clock = codec_clock(kind);
    voice->pt = codec->pt & 0x7F;
    use_events(voice);
    rate = wanted_rate(voice);
    if (voice->encoder && voice->rate == rate)
        return;
    codec_encoder_free(voice->encoder);
    voice->encoder = codec_encoder_new(kind, rate, port_fmtp(port, codec));
    voice->rate = rate;
    voice->held = 0;
    if (!voice->encoder)
        log_error("%s cannot be spoken at %u Hz: no memory", codec_name(kind), rate);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void put32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static void send_packet(struct voice *voice, uint8_t pt, bool marker, uint32_t timestamp, uint8_t *packet, size_t len)
{
    const struct speaker speaker = {
        .who = voice, .clock = voice->clock, .sound = !voice->has_events || pt != voice->event_pt};

    packet[0] = 0x80;
    packet[1] = (uint8_t)(marker << 7 | pt);
    packet[2] = (uint8_t)(voice->seq >> 8);
    packet[3] = (uint8_t)voice->seq;
    put32(packet + 4, timestamp);
    voice->seq++;
    port_send_rtp(voice->port, &speaker, packet, RTP_HEAD + len, voice->due_us);
}

/* Time goes on, on both clocks. */
static void advance(struct voice *voice, uint64_t ms)
{
    voice->timestamp += (uint32_t)(ms * voice->clock / 1000);
    voice->event_time += (uint32_t)(ms * (voice->has_events ? voice->events.clock : voice->clock) / 1000);
}

/* When the key began, on the clock of the speech: one stream has one clock, by which receivers take keys and speech
 * apart, and only how long a key lasts is counted as its payload type says. */
static uint32_t event_timestamp(const struct voice *voice, const struct event_packet *event)
{
    uint64_t since = voice->event_time - event->timestamp;

    return voice->timestamp - (uint32_t)(since * voice->clock / voice->events.clock);
}

static void send_sound(struct voice *voice, uint8_t *packet, size_t len)
{
    send_packet(voice, voice->pt, voice->marker, voice->timestamp, packet, len);
    voice->marker = false;
}

static void send_one(struct voice *voice, const int16_t *pcm, size_t samples)
{
    uint8_t packet[RTP_HEAD + CODEC_PAYLOAD_MAX];
    struct event_packet event;
    int len;

    switch (voice->has_events ? event_next(&voice->events, voice->event_time, &event) : EVENT_SOUND) {
    case EVENT_SOUND:
        len = pcm && voice->encoder && (voice->port->dir & DIR_SEND)
                  ? codec_encode(voice->encoder, pcm, samples, packet + RTP_HEAD, CODEC_PAYLOAD_MAX)
                  : 0;
        if (len > 0)
            send_sound(voice, packet, (size_t)len);
        else
            voice->marker = true;
        break;
    case EVENT_PACKET:
        memcpy(packet + RTP_HEAD, event.payload, EVENT_BYTES);
        send_packet(voice, voice->event_pt, event.marker, event_timestamp(voice, &event), packet, EVENT_BYTES);
        voice->marker = true;
        break;
    case EVENT_HOLD:
        break;
    }
    advance(voice, voice->ptime_ms);
}

/* Whole packets out of what has come together. Silence that nobody made is not sent. */
static void send_held(struct voice *voice)
{
    size_t whole = voice->ptime_ms * voice->rate / 1000, used = 0;

    while (voice->held - used >= whole) {
        send_one(voice, voice->sounding ? voice->pcm + used : NULL, whole);
        used += whole;
    }
    voice->held -= used;
    memmove(voice->pcm, voice->pcm + used, voice->held * sizeof voice->pcm[0]);
    if (!voice->held)
        voice->sounding = false;
}

/* --- a beat ------------------------------------------------------------------------------------------------------- */

static struct source *alone_of(const struct voice *voice)
{
    struct source *source;

    LIST_FOR_EACH(source, &voice->sources, node)
    if (source->alone)
        return source;
    return NULL;
}

static bool sum_sources(struct voice *voice, uint64_t due_us)
{
    struct source *alone = alone_of(voice);
    bool any = false;

    if (alone)
        return alone->frame(alone, voice->frame, voice->rate, due_us);
    for (struct list *node = voice->sources.next; node != &voice->sources; node = voice->next) {
        struct source *source = LIST_ENTRY(node, struct source, node);

        voice->next = node->next;
        any |= source->frame(source, voice->frame, voice->rate, due_us);
    }
    return any;
}

static bool add_tones(struct voice *voice, size_t samples)
{
    return !voice->has_events && dtmf_play(&voice->tones, voice->rate, voice->frame, samples) > 0;
}

/* One payload that many share: only when it would be the whole of what is said. */
static bool send_shared(struct voice *voice, uint64_t due_us)
{
    struct source *source = alone_of(voice);
    uint8_t packet[RTP_HEAD + CODEC_PAYLOAD_MAX];
    const uint8_t *payload;
    size_t len;

    if (!source && voice->sources.next->next == &voice->sources)
        source = LIST_ENTRY(voice->sources.next, struct source, node);
    if (!source || !source->payload || voice->port->taps || voice->held || voice->ptime_ms != PACE_MS ||
        !voice_keys_done(voice->port))
        return false;
    len = source->payload(source, voice->kind, &payload, due_us);
    if (!len || len > CODEC_PAYLOAD_MAX)
        return false;
    memcpy(packet + RTP_HEAD, payload, len);
    send_sound(voice, packet, len);
    advance(voice, voice->ptime_ms);
    return true;
}

/* Timestamps go on while nothing is said (RFC 3550 §5.1). */
static void catch_up(struct voice *voice, uint64_t due_us)
{
    uint64_t beats = voice->due_us && due_us > voice->due_us ? (due_us - voice->due_us) / (PACE_MS * 1000) : 0;

    if (beats > 1) /* 0: the port has moved to a thread whose beats fall between those of its last one */
        advance(voice, (beats - 1) * PACE_MS);
    voice->due_us = due_us;
}

/* A far side that speaks nothing we know: sources see their time pass, and keys are sent. */
static void ask_without_sound(struct voice *voice, uint64_t due_us)
{
    memset(voice->frame, 0, sizeof voice->frame);
    voice->rate = 8000;
    sum_sources(voice, due_us);
    if (!voice->encoder && voice->has_events)
        send_one(voice, NULL, 0);
}

static void beat(struct beat *beat, uint64_t due_us)
{
    struct voice *voice = CONTAINER_OF(beat, struct voice, beat);
    size_t samples = voice->rate / 50;
    bool any;

    catch_up(voice, due_us);
    voice->said = voice->is_ours = false;
    if (list_empty(&voice->sources))
        return;
    if (!voice->encoder) {
        ask_without_sound(voice, due_us);
        return;
    }
    if (send_shared(voice, due_us)) {
        voice->said = true;
        return;
    }
    memset(voice->frame, 0, samples * sizeof voice->frame[0]);
    any = sum_sources(voice, due_us);
    if (!voice->encoder || voice->rate / 50 != samples) /* a source that came or went has changed it */
        return;
    any |= add_tones(voice, samples);
    voice->said = voice->is_ours = any;
    voice->sounding |= any;
    memcpy(voice->pcm + voice->held, voice->frame, samples * sizeof voice->frame[0]);
    voice->held += samples;
    send_held(voice);
}

/* --- the face ----------------------------------------------------------------------------------------------------- */

static struct voice *voice_new(struct port *port)
{
    struct voice *voice = mem_new(sizeof *voice);

    voice->port = port;
    voice->beat.frame = beat;
    voice->marker = true;
    list_init(&voice->sources);
    return voice;
}

void voice_add(struct port *port, struct source *source)
{
    if (list_linked(&source->node))
        return;
    if (!port->voice)
        port->voice = voice_new(port);
    list_append(&port->voice->sources, &source->node);
    tune(port->voice);
    voice_resume(port);
    relay_reconsider(port);
}

/* Nobody is left to send those that wait. */
static void drop_keys(struct voice *voice)
{
    if (voice->has_events && !event_idle(&voice->events))
        event_sender_init(&voice->events, voice->events.clock, voice->ptime_ms, 0);
    memset(&voice->tones, 0, sizeof voice->tones);
}

void voice_remove(struct port *port, struct source *source)
{
    struct voice *voice = port->voice;

    if (!list_linked(&source->node) || bug_if(!voice))
        return;
    if (voice->next == &source->node)
        voice->next = source->node.next;
    list_unlink(&source->node);
    if (list_empty(&voice->sources)) {
        drop_keys(voice);
        voice->marker = true;
        voice->held = 0;
        voice->sounding = false;
        voice_suspend(port);
    } else {
        tune(voice);
    }
    relay_reconsider(port);
}

bool voice_has_other(const struct port *port, const struct source *source)
{
    struct source *other;

    if (!port->voice)
        return false;
    LIST_FOR_EACH(other, &port->voice->sources, node)
    if (other != source)
        return true;
    return false;
}

bool voice_is_taken(const struct port *port)
{
    return port->voice && alone_of(port->voice);
}

int voice_press(struct port *port, char key, unsigned ms)
{
    struct voice *voice = port->voice;

    if (!voice || list_empty(&voice->sources))
        return -ENOTCONN;
    if (!voice->has_events && !voice->encoder)
        return -EOPNOTSUPP;
    if (voice->has_events)
        return event_press(&voice->events, key, ms);
    return dtmf_send(&voice->tones, key, ms);
}

void voice_release(struct port *port, unsigned ms)
{
    if (!port->voice)
        return;
    event_release(&port->voice->events, ms);
    dtmf_release(&port->voice->tones, ms);
}

bool voice_keys_done(const struct port *port)
{
    const struct voice *voice = port->voice;

    if (!voice || (!voice->has_events && !voice->encoder)) /* what cannot be said is not waited for */
        return true;
    return voice->has_events ? event_idle(&voice->events) : dtmf_idle(&voice->tones);
}

const int16_t *voice_frame(const struct port *port, uint64_t due_us, unsigned *rate)
{
    const struct voice *voice = port->voice;

    if (!voice || voice->due_us != due_us || !voice->is_ours)
        return NULL;
    *rate = voice->rate;
    return voice->frame;
}

void voice_refresh(struct port *port)
{
    if (port->voice)
        tune(port->voice);
}

void voice_suspend(struct port *port)
{
    if (port->voice && port->worker)
        pace_leave(&port->worker->pace, &port->voice->beat);
}

void voice_resume(struct port *port)
{
    if (port->voice && port->worker && !list_empty(&port->voice->sources))
        pace_join(&port->worker->pace, &port->voice->beat);
}

void voice_free(struct port *port)
{
    struct voice *voice = port->voice;

    if (!voice)
        return;
    while (!list_empty(&voice->sources))
        list_unlink(voice->sources.next);
    codec_encoder_free(voice->encoder);
    free(voice);
    port->voice = NULL;
}
