/* Joins jitter buffer, decoders and stretching into frames. Media threads; knows neither sockets nor calls. */
#include "audio/ear.h"

#include <stdlib.h>

#include "audio/codec-priv.h"
#include "audio/stretch.h"

#define SLOT_BYTES 1280u /* the longest payload: one frame of Opus at its highest rate */
#define FADED_FRAMES 25u /* concealed frames in a row, behind which nothing is heard any more */
#define HARD_US 60000    /* the delay is so wrong that it may be heard being mended */
#define PAUSE_FRAMES 4u  /* between two changes of the length */

struct ear {
    unsigned rate, frame;
    unsigned min_ms, max_ms;
    struct jitter *jitter;
    unsigned clock; /* of what comes now */
    struct {
        uint8_t pt;
        const struct codec_kind *kind;
        struct codec_decoder *decoder;
    } codecs[EAR_CODECS_MAX];
    unsigned codec_count;
    struct codec_decoder *decoder; /* that of the last packet; NULL: none yet */
    bool noise;                    /* it was comfort noise, which goes on until something else comes */
    bool fresh;    /* a packet was decoded for this frame: what the jitter buffer says of its delay is new */
    unsigned dry;  /* frames in a row in which nothing came */
    unsigned rest; /* frames until the length may be changed again */
    uint64_t stretched;
    size_t held; /* samples that are ready */
    int16_t sound[EAR_FRAME_MAX * 3 + CODEC_SAMPLES_MAX];
};

struct ear *ear_new(unsigned rate, unsigned min_ms, unsigned max_ms)
{
    struct ear *ear = rate == 8000 || rate == 16000 || rate == 48000 ? calloc(1, sizeof *ear) : NULL;

    if (ear) {
        ear->rate = rate;
        ear->frame = rate / 50;
        ear->min_ms = min_ms;
        ear->max_ms = max_ms;
    }
    return ear;
}

void ear_free(struct ear *ear)
{
    if (!ear)
        return;
    for (unsigned i = 0; i < ear->codec_count; i++)
        codec_decoder_free(ear->codecs[i].decoder);
    jitter_free(ear->jitter);
    free(ear);
}

static unsigned place_of(const struct ear *ear, uint8_t pt)
{
    unsigned i = 0;

    while (i < ear->codec_count && ear->codecs[i].pt != pt)
        i++;
    return i;
}

int ear_codec(struct ear *ear, uint8_t pt, const struct codec_kind *kind, const char *fmtp)
{
    unsigned i = place_of(ear, pt);
    struct codec_decoder *decoder;

    if (i < ear->codec_count && ear->codecs[i].kind == kind)
        return 0;
    if (i == EAR_CODECS_MAX)
        return -ENOSPC;
    if (!ear->jitter) {
        ear->jitter = jitter_new(codec_clock(kind), SLOT_BYTES, ear->min_ms, ear->max_ms);
        ear->clock = codec_clock(kind);
    }
    decoder = codec_decoder_new(kind, ear->rate, fmtp);
    if (!decoder || !ear->jitter) {
        codec_decoder_free(decoder);
        return -ENOMEM;
    }
    if (i == ear->codec_count) {
        ear->codec_count++;
    } else {
        /* Packets that are there already were made by the other one. */
        if (ear->decoder == ear->codecs[i].decoder)
            ear->decoder = NULL;
        codec_decoder_free(ear->codecs[i].decoder);
        jitter_restart(ear->jitter, ear->clock);
    }
    ear->codecs[i].pt = pt;
    ear->codecs[i].kind = kind;
    ear->codecs[i].decoder = decoder;
    return 0;
}

void ear_packet(struct ear *ear, const struct jitter_packet *packet, uint64_t now_us)
{
    unsigned i = place_of(ear, packet->pt);
    struct jitter_packet other = *packet;

    if (!ear->jitter)
        return;
    if (i == ear->codec_count) {
        other.len = 0;
        packet = &other;
    } else if (codec_clock(ear->codecs[i].kind) != ear->clock) {
        ear->clock = codec_clock(ear->codecs[i].kind);
        jitter_restart(ear->jitter, ear->clock);
    }
    jitter_put(ear->jitter, packet, now_us);
}

static uint32_t to_units(const struct ear *ear, size_t samples)
{
    return (uint32_t)(samples * ear->clock / ear->rate);
}

static size_t to_samples(const struct ear *ear, uint32_t units)
{
    size_t samples = (size_t)units * ear->rate / ear->clock;

    return samples < 1 ? 1 : samples > CODEC_SAMPLES_MAX ? CODEC_SAMPLES_MAX : samples;
}

static void silence(struct ear *ear, size_t samples)
{
    memset(ear->sound + ear->held, 0, samples * sizeof ear->sound[0]);
    ear->held += samples;
}

static void decode(struct ear *ear, const struct jitter_turn *turn)
{
    unsigned i = place_of(ear, turn->pt);
    int made = 0;

    if (i < ear->codec_count) {
        ear->decoder = ear->codecs[i].decoder;
        ear->noise = ear->codecs[i].kind->encoder_open == NULL;
        made = codec_decode(ear->decoder, turn->payload, turn->len, ear->sound + ear->held, CODEC_SAMPLES_MAX);
    }
    if (made > 0)
        ear->held += (size_t)made;
    jitter_played(ear->jitter, made > 0 ? to_units(ear, (size_t)made) : 0);
    ear->dry = 0;
    ear->fresh = true;
}

static void conceal(struct ear *ear, const struct jitter_turn *turn)
{
    size_t samples = to_samples(ear, turn->units);
    bool same = turn->payload && place_of(ear, turn->pt) < ear->codec_count &&
                ear->codecs[place_of(ear, turn->pt)].decoder == ear->decoder;
    int made = ear->decoder ? codec_conceal(ear->decoder, same ? turn->payload : NULL, same ? turn->len : 0,
                                            ear->sound + ear->held, samples)
                            : 0;

    if (made > 0)
        ear->held += (size_t)made;
    else
        silence(ear, samples);
}

/* Until there is a frame. */
static enum ear_heard fill(struct ear *ear, size_t wanted, uint64_t now_us)
{
    enum ear_heard heard = EAR_SOUND;
    struct jitter_turn turn;

    while (ear->held < wanted) {
        jitter_next(ear->jitter, now_us, &turn);
        if (turn.what == JITTER_SOUND) {
            decode(ear, &turn);
        } else if (turn.what == JITTER_NONE || (turn.what == JITTER_DRY && ear->dry >= FADED_FRAMES)) {
            silence(ear, wanted - ear->held);
            heard = EAR_SILENCE;
        } else {
            ear->dry += turn.what == JITTER_DRY && !ear->noise;
            conceal(ear, &turn);
            if (turn.what == JITTER_LOST || (turn.what == JITTER_DRY && !ear->noise))
                heard = EAR_CONCEALED;
        }
    }
    return heard;
}

/* Brings the delay nearer to what it should be, if the sound permits it now. */
static void mend_delay(struct ear *ear, uint64_t now_us)
{
    int32_t surplus = jitter_surplus_us(ear->jitter);
    bool hard = surplus > HARD_US || surplus < -HARD_US;
    size_t held = ear->held;

    if (ear->rest) {
        ear->rest--;
        return;
    }
    if (surplus > 0) {
        if (jitter_ready(ear->jitter)) {
            fill(ear, 2 * ear->frame, now_us);
            held = ear->held;
            ear->held = stretch_shorter(ear->sound, ear->held, ear->rate, hard);
        }
    } else if (surplus < 0) {
        ear->held = stretch_longer(ear->sound, ear->held, ear->rate, hard);
    }
    if (ear->held != held) {
        ear->stretched++;
        ear->rest = hard ? 0 : PAUSE_FRAMES;
    }
}

enum ear_heard ear_frame(struct ear *ear, uint64_t now_us, int16_t *pcm)
{
    enum ear_heard heard = EAR_SILENCE;

    if (ear->jitter) {
        heard = fill(ear, ear->frame, now_us);
        if (heard == EAR_SOUND && ear->fresh)
            mend_delay(ear, now_us);
        ear->fresh = false;
    } else {
        silence(ear, ear->frame);
    }
    memcpy(pcm, ear->sound, ear->frame * sizeof *pcm);
    ear->held -= ear->frame;
    memmove(ear->sound, ear->sound + ear->frame, ear->held * sizeof *pcm);
    return heard;
}

const struct jitter *ear_jitter(const struct ear *ear)
{
    return ear->jitter;
}

uint64_t ear_stretched(const struct ear *ear)
{
    return ear->stretched;
}
