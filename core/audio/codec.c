/* The table of codecs, and what all of them have in common: other sample rates than their own, and the lengths of
 * packets. Any thread; knows neither SIP nor sockets. */
#include "audio/codec-priv.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "audio/plugin.h"
#include "audio/resample.h"

static const struct codec_kind *const kinds[] = {&codec_pcmu, &codec_pcma,   &codec_g722,
                                                 &codec_opus, &codec_noise8, &codec_noise16};

struct codec_decoder {
    const struct codec_kind *kind;
    void *state;
    unsigned own, wanted;      /* sample rates of the state and of the sound */
    struct resample *resample; /* NULL when they are equal */
};

struct codec_encoder {
    const struct codec_kind *kind;
    void *state;
    unsigned own, given;
    struct resample *resample;
};

static bool is_named(const struct codec_kind *kind, const char *name, unsigned clock, unsigned channels)
{
    return strcasecmp(kind->name, name) == 0 && kind->clock == clock && kind->channels == channels;
}

const struct codec_kind *codec_find(const char *name, unsigned clock, unsigned channels)
{
    const struct codec_kind *found = NULL;

    for (size_t i = 0; !found && i < COUNT_OF(kinds); i++)
        if (is_named(kinds[i], name, clock, channels))
            found = kinds[i];
    if (!found)
        found = plugin_find(name);
    return found && is_named(found, name, clock, channels) ? found : NULL;
}

const char *codec_name(const struct codec_kind *kind)
{
    return kind->name;
}

unsigned codec_clock(const struct codec_kind *kind)
{
    return kind->clock;
}

unsigned codec_rate(const struct codec_kind *kind)
{
    unsigned best = 0;

    for (size_t i = 0; i < COUNT_OF(kind->rates) && kind->rates[i]; i++)
        best = kind->rates[i];
    return best;
}

unsigned codec_ptime(const struct codec_kind *kind, unsigned wanted_ms)
{
    unsigned best = kind->ptimes[0];

    for (size_t i = 0; i < COUNT_OF(kind->ptimes) && kind->ptimes[i]; i++)
        if (kind->ptimes[i] <= (wanted_ms ? wanted_ms : 20))
            best = kind->ptimes[i];
    return best;
}

unsigned fmtp_number(const char *fmtp, const char *name, unsigned fallback)
{
    size_t len = strlen(name);

    while (fmtp && *fmtp) {
        fmtp += strspn(fmtp, " \t;");
        if (strncasecmp(fmtp, name, len) == 0) {
            const char *value = fmtp + len + strspn(fmtp + len, " \t");

            if (*value == '=') {
                unsigned long number;
                char *end;

                value += 1 + strspn(value + 1, " \t");
                errno = 0;
                number = strtoul(value, &end, 10);
                end += strspn(end, " \t");
                if (isdigit((unsigned char)*value) && (!*end || *end == ';') && !errno && number <= UINT32_MAX)
                    return (unsigned)number;
                return fallback;
            }
        }
        fmtp = strchr(fmtp, ';');
    }
    return fallback;
}

/* The rate at which a state works for sound of this rate; 0: no sound has it. */
static unsigned own_rate(const struct codec_kind *kind, unsigned rate)
{
    if (rate != 8000 && rate != 16000 && rate != 48000)
        return 0;
    for (size_t i = 0; i < COUNT_OF(kind->rates); i++)
        if (kind->rates[i] == rate)
            return rate;
    return codec_rate(kind);
}

struct codec_decoder *codec_decoder_new(const struct codec_kind *kind, unsigned rate, const char *fmtp)
{
    unsigned own = own_rate(kind, rate);
    struct codec_decoder *decoder = own ? calloc(1, sizeof *decoder) : NULL;

    if (!decoder)
        return NULL;
    decoder->kind = kind;
    decoder->own = own;
    decoder->wanted = rate;
    decoder->state = kind->decoder_open(own, fmtp);
    if (own != rate)
        decoder->resample = resample_new(own, rate);
    if (!decoder->state || (own != rate && !decoder->resample)) {
        codec_decoder_free(decoder);
        return NULL;
    }
    return decoder;
}

void codec_decoder_free(struct codec_decoder *decoder)
{
    if (!decoder)
        return;
    if (decoder->state)
        decoder->kind->decoder_close(decoder->state);
    resample_free(decoder->resample);
    free(decoder);
}

struct codec_encoder *codec_encoder_new(const struct codec_kind *kind, unsigned rate, const char *fmtp)
{
    unsigned own = own_rate(kind, rate);
    struct codec_encoder *encoder = own && kind->encoder_open ? calloc(1, sizeof *encoder) : NULL;

    if (!encoder)
        return NULL;
    encoder->kind = kind;
    encoder->own = own;
    encoder->given = rate;
    encoder->state = kind->encoder_open(own, fmtp);
    if (own != rate)
        encoder->resample = resample_new(rate, own);
    if (!encoder->state || (own != rate && !encoder->resample)) {
        codec_encoder_free(encoder);
        return NULL;
    }
    return encoder;
}

void codec_encoder_free(struct codec_encoder *encoder)
{
    if (!encoder)
        return;
    if (encoder->state)
        encoder->kind->encoder_close(encoder->state);
    resample_free(encoder->resample);
    free(encoder);
}

/* What the state made, at the rate that is wanted: no more than room. */
static int to_wanted(struct codec_decoder *decoder, const int16_t *own, int count, int16_t *pcm, size_t room)
{
    int16_t made[CODEC_SAMPLES_MAX];
    size_t samples;

    if (count <= 0)
        return count;
    samples = resample_run(decoder->resample, own, (size_t)count, made);
    if (samples > room)
        samples = room;
    memcpy(pcm, made, samples * sizeof *pcm);
    return (int)samples;
}

int codec_decode(struct codec_decoder *decoder, const uint8_t *payload, size_t len, int16_t *pcm, size_t room)
{
    int16_t own[CODEC_SAMPLES_MAX];
    size_t own_room;

    if (!len)
        return -EINVAL;
    if (room > CODEC_SAMPLES_MAX)
        room = CODEC_SAMPLES_MAX;
    if (!decoder->resample)
        return decoder->kind->decode(decoder->state, payload, len, pcm, room);
    own_room = room * decoder->own / decoder->wanted;
    if (own_room > CODEC_SAMPLES_MAX)
        own_room = CODEC_SAMPLES_MAX;
    return to_wanted(decoder, own, decoder->kind->decode(decoder->state, payload, len, own, own_room), pcm, room);
}

int codec_conceal(struct codec_decoder *decoder, const uint8_t *next, size_t len, int16_t *pcm, size_t samples)
{
    int16_t own[CODEC_SAMPLES_MAX];
    size_t own_samples = (samples * decoder->own + decoder->wanted - 1) / decoder->wanted;

    if (!samples || samples > CODEC_SAMPLES_MAX || own_samples > CODEC_SAMPLES_MAX)
        return -EINVAL;
    if (!decoder->resample)
        return decoder->kind->conceal(decoder->state, next, len, pcm, samples);
    return to_wanted(decoder, own, decoder->kind->conceal(decoder->state, next, len, own, own_samples), pcm, samples);
}

int codec_encode(struct codec_encoder *encoder, const int16_t *pcm, size_t samples, uint8_t *out, size_t room)
{
    int16_t own[CODEC_SAMPLES_MAX];
    size_t own_samples = samples;

    if (!samples || samples > encoder->given * 60 / 1000 || samples % (encoder->given / 100))
        return -EINVAL;
    if (encoder->resample) {
        own_samples = resample_run(encoder->resample, pcm, samples, own);
        pcm = own;
    }
    return encoder->kind->encode(encoder->state, pcm, own_samples, out, room);
}

void codec_encoder_loss(struct codec_encoder *encoder, unsigned percent)
{
    if (encoder->kind->loss)
        encoder->kind->loss(encoder->state, percent > 100 ? 100 : percent);
}
