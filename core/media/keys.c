/* Reads the keys of a port's far side, tells the controller and the bridge of each, and presses keys towards it. Runs
 * on the worker's thread; knows no call, and not what the keys are for. */
#include "media/keys.h"

#include <strings.h>

#include "base/log.h"
#include "media/hearing.h"
#include "media/port.h"
#include "media/worker.h"

#define NARROW 8000u

static const int16_t silence[HEARING_SAMPLES_MAX];

/* A machine may send garbage as fast as the line allows; a packet of keys is a message to the controller. */
static void heard(struct port *port, enum key_way way, uint8_t pt, const struct key_report *report, uint64_t now_us)
{
    struct port_keys *keys = &port->keys;

    if (!report->up)
        keys->ignored = !key_rate_take(&keys->rate, now_us / 1000);
    if (keys->ignored) {
        port->stats.dropped += !report->up;
        return;
    }
    worker_tell_key(port->worker, port, report, way);
    if (!(keys->kept >> key_event(report->key) & 1) || report->up)
        relay_key(port, way, pt, report);
}

bool keys_is_kept(const struct port *port, const uint8_t *packet, size_t len)
{
    size_t payload_len;
    const uint8_t *payload = port->keys.kept ? rtp_payload(packet, len, &payload_len) : NULL;

    return payload && payload_len && payload[0] < 32 && port->keys.kept >> payload[0] & 1;
}

/* --- as packets --------------------------------------------------------------------------------------------------- */

void keys_packet(struct port *port, const uint8_t *packet, size_t len, const struct rtp_head *head)
{
    struct port_keys *keys = &port->keys;
    const struct proto_codec *codec = port_codec(port, head->pt);
    struct key_report reports[EVENT_REPORTS];
    size_t payload_len;
    const uint8_t *payload = rtp_payload(packet, len, &payload_len);
    int count;

    if (codec && keys->reader.clock != codec->rate)
        event_reader_init(&keys->reader, codec->rate);
    keys->reader.speech_clock = voice_clock(port);
    count = event_read(&keys->reader, head->ssrc, head->timestamp, head->marker, payload, payload_len,
                       port->last_us / 1000, reports);
    if (count < 0)
        port->stats.dropped++;
    for (int i = 0; i < count; i++)
        heard(port, KEY_BY_EVENT, head->pt, &reports[i], port->last_us);
    if (keys->reader.down)
        pace_join(&port->worker->pace, &keys->beat);
}

/* --- as tones ----------------------------------------------------------------------------------------------------- */

/* What was heard in the frame before: that frame has gone on without the tone meanwhile, and whoever conceals what is
 * missing where a key goes in place of sound repeats silence. */
static void tell_tones(struct port *port)
{
    struct port_keys *keys = &port->keys;

    for (size_t i = 0; i < keys->report_count; i++) {
        keys->tone_down = keys->reports[i].up ? '\0' : keys->reports[i].key;
        heard(port, KEY_BY_TONE, 0, &keys->reports[i], keys->due_us);
    }
    keys->report_count = 0;
}

/* The frame of this beat, once however many ask. */
static void hear_tones(struct port *port, uint64_t due_us)
{
    struct port_keys *keys = &port->keys;
    const int16_t *frame;
    bool suspected;

    if (keys->due_us == due_us)
        return;
    keys->due_us = due_us;
    tell_tones(port);
    frame = hearing_frame(port, NARROW, due_us);
    keys->heard = frame != NULL;
    memcpy(keys->pcm, frame ? frame : silence, sizeof keys->pcm);
    suspected = dtmf_suspects(keys->detector);
    if (!frame && !suspected && !keys->tone_down) { /* nobody says anything: there is nothing to look for */
        dtmf_detect_lost(keys->detector, COUNT_OF(keys->pcm));
        keys->report_count = 0;
        keys->muted = false;
        return;
    }
    keys->report_count =
        dtmf_detect(keys->detector, keys->pcm, COUNT_OF(keys->pcm), keys->reports, COUNT_OF(keys->reports));
    keys->muted = suspected || dtmf_suspects(keys->detector);
}

const int16_t *keys_frame(struct port *port, unsigned rate, uint64_t due_us)
{
    struct port_keys *keys = &port->keys;

    if (!keys->detector)
        return hearing_frame(port, rate, due_us);
    hear_tones(port, due_us);
    if (rate == NARROW)
        return keys->heard ? keys->pcm : NULL;
    return keys->muted ? silence : hearing_frame(port, rate, due_us);
}

static void stop_listening(struct port *port)
{
    struct port_keys *keys = &port->keys;
    struct key_report report = {.up = true, .ms = KEY_MS};

    if (!keys->detector)
        return;
    tell_tones(port);
    report.key = keys->tone_down;
    if (keys->tone_down)
        heard(port, KEY_BY_TONE, 0, &report, keys->due_us);
    keys->tone_down = '\0';
    dtmf_detector_free(keys->detector);
    keys->detector = NULL;
    hearing_close(port, NARROW);
}

static void start_listening(struct port *port)
{
    struct port_keys *keys = &port->keys;

    if (keys->detector || hearing_open(port, NARROW) < 0)
        return;
    keys->detector = dtmf_detector_new(true);
    if (!keys->detector)
        hearing_close(port, NARROW);
}

/* --- a beat ------------------------------------------------------------------------------------------------------- */

static void beat(struct beat *beat, uint64_t due_us)
{
    struct port_keys *keys = CONTAINER_OF(beat, struct port_keys, beat);
    struct port *port = CONTAINER_OF(keys, struct port, keys);
    struct key_report report;

    if (event_quiet(&keys->reader, due_us / 1000, &report))
        heard(port, KEY_BY_EVENT, 0, &report, due_us);
    if (keys->detector)
        hear_tones(port, due_us);
    else if (!keys->reader.down)
        pace_leave(&port->worker->pace, beat);
}

void keys_set_ways(struct port *port, enum key_out out, bool tones, uint32_t kept)
{
    struct port_keys *keys = &port->keys;

    keys->out = out;
    keys->kept = kept;
    if (tones)
        start_listening(port);
    else
        stop_listening(port);
    keys_resume(port);
    voice_refresh(port);
    relay_remap(port);
}

/* --- pressing ----------------------------------------------------------------------------------------------------- */

static bool press_frame(struct source *source, int16_t *pcm, unsigned rate, uint64_t due_us)
{
    struct port_keys *keys = CONTAINER_OF(source, struct port_keys, presses);
    struct port *port = CONTAINER_OF(keys, struct port, keys);

    if (!keys->pressed_us || !voice_keys_done(port))
        keys->pressed_us = due_us;
    else if (due_us > keys->pressed_us + KEYS_REST_US)
        voice_remove(port, source);
    return false;
}

void keys_press(struct port *port, char key, unsigned ms)
{
    struct port_keys *keys = &port->keys;

    if (keys->out == KEY_OUT_NOWHERE)
        return;
    keys->pressed_us = 0;
    voice_add(port, &keys->presses);
    if (voice_press(port, key, ms ? ms : KEY_MS) < 0)
        port->stats.dropped++;
}

/* --- a port's life ------------------------------------------------------------------------------------------------ */

void keys_init(struct port *port)
{
    port->keys.beat.frame = beat;
    port->keys.presses.frame = press_frame;
    port->keys.presses.rate = NARROW;
}

void keys_refresh(struct port *port)
{
    for (unsigned pt = 0; pt < COUNT_OF(port->keys.is_event); pt++) {
        const struct proto_codec *codec = port_codec(port, pt);

        port->keys.is_event[pt] = codec && strcasecmp(codec->name, "telephone-event") == 0;
    }
}

void keys_suspend(struct port *port)
{
    pace_leave(&port->worker->pace, &port->keys.beat);
}

void keys_resume(struct port *port)
{
    if (port->keys.detector || port->keys.reader.down)
        pace_join(&port->worker->pace, &port->keys.beat);
}

void keys_free(struct port *port)
{
    dtmf_detector_free(port->keys.detector);
    port->keys.detector = NULL;
}
