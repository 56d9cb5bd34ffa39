/* Opus by libopus (RFC 6716, RFC 7587), one channel: those who send stereo are heard as mono, and what we send is mono.
 * What the other side's description says in fmtp is what it wants to receive, so only our encoder follows it. Any
 * thread; knows no packets but their payload. */
#include "audio/codec-priv.h"

#include <stdlib.h>
#include <opus.h>

#define COMPLEXITY 5     /* of 10: speech sounds the same above, and costs more */
#define LOSS_EXPECTED 10 /* percent, until the other side has reported */
#define RATE_MIN 6000u   /* of maxaveragebitrate, RFC 7587 §6.1 */
#define RATE_MAX 510000u

struct writer {
    OpusEncoder *opus;
    bool dtx;
};

static void *decoder_open(unsigned rate, const char *fmtp)
{
    int err;

    return opus_decoder_create((opus_int32)rate, 1, &err);
}

static void decoder_close(void *state)
{
    opus_decoder_destroy(state);
}

static int decode(void *state, const uint8_t *payload, size_t len, int16_t *pcm, size_t room)
{
    int samples = len > INT32_MAX ? -1 : opus_decode(state, payload, (opus_int32)len, pcm, (int)room, 0);

    return samples > 0 ? samples : -EINVAL;
}

static int conceal(void *state, const uint8_t *next, size_t len, int16_t *pcm, size_t samples)
{
    int16_t made[CODEC_SAMPLES_MAX];
    opus_int32 rate;
    int step, whole, found = -1;

    opus_decoder_ctl(state, OPUS_GET_SAMPLE_RATE(&rate));
    step = rate / 400; /* libopus conceals whole 2.5 ms */
    whole = ((int)samples + step - 1) / step * step;
    if (next && len && len <= INT32_MAX)
        found = opus_decode(state, next, (opus_int32)len, made, whole, 1);
    if (found < 0)
        found = opus_decode(state, NULL, 0, made, whole, 0);
    if (found < (int)samples)
        return -EINVAL;
    memcpy(pcm, made, samples * sizeof *pcm);
    return (int)samples;
}

static int bandwidth_for(unsigned playback_rate)
{
    static const struct {
        unsigned rate;
        int bandwidth;
    } table[] = {{8000, OPUS_BANDWIDTH_NARROWBAND},
                 {12000, OPUS_BANDWIDTH_MEDIUMBAND},
                 {16000, OPUS_BANDWIDTH_WIDEBAND},
                 {24000, OPUS_BANDWIDTH_SUPERWIDEBAND}};

    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (playback_rate <= table[i].rate)
            return table[i].bandwidth;
    return OPUS_BANDWIDTH_FULLBAND;
}

/* What speech needs (RFC 7587 §3.1.1). */
static unsigned usual_bit_rate(unsigned rate)
{
    return rate == 8000 ? 16000 : rate == 16000 ? 24000 : 40000;
}

static void encoder_close(void *state)
{
    struct writer *writer = state;

    if (writer->opus)
        opus_encoder_destroy(writer->opus);
    free(writer);
}

static void *encoder_open(unsigned rate, const char *fmtp)
{
    unsigned playback = fmtp_number(fmtp, "maxplaybackrate", 48000), least = playback < rate ? playback : rate;
    unsigned bits = usual_bit_rate(least <= 8000 ? 8000 : least <= 16000 ? 16000 : 48000);
    unsigned most = fmtp_number(fmtp, "maxaveragebitrate", RATE_MAX);
    bool repair = fmtp_number(fmtp, "useinbandfec", 0) == 1;
    struct writer *writer = calloc(1, sizeof *writer);
    int err;

    if (!writer)
        return NULL;
    writer->dtx = fmtp_number(fmtp, "usedtx", 0) == 1;
    writer->opus = opus_encoder_create((opus_int32)rate, 1, OPUS_APPLICATION_VOIP, &err);
    if (!writer->opus) {
        encoder_close(writer);
        return NULL;
    }
    if (repair)
        bits += bits / 4; /* libopus does without repairs rather than below its own threshold */
    if (most < bits)
        bits = most < RATE_MIN ? RATE_MIN : most;
    opus_encoder_ctl(writer->opus, OPUS_SET_COMPLEXITY(COMPLEXITY));
    opus_encoder_ctl(writer->opus, OPUS_SET_BITRATE((opus_int32)bits));
    opus_encoder_ctl(writer->opus, OPUS_SET_MAX_BANDWIDTH(bandwidth_for(playback)));
    opus_encoder_ctl(writer->opus, OPUS_SET_VBR(fmtp_number(fmtp, "cbr", 0) != 1));
    opus_encoder_ctl(writer->opus, OPUS_SET_DTX(writer->dtx));
    opus_encoder_ctl(writer->opus, OPUS_SET_INBAND_FEC(repair));
    opus_encoder_ctl(writer->opus, OPUS_SET_PACKET_LOSS_PERC(repair ? LOSS_EXPECTED : 0));
    return writer;
}

static int encode(void *state, const int16_t *pcm, size_t samples, uint8_t *out, size_t room)
{
    struct writer *writer = state;
    int bytes = opus_encode(writer->opus, pcm, (int)samples, out,
                            room < CODEC_PAYLOAD_MAX ? (opus_int32)room : CODEC_PAYLOAD_MAX);

    if (bytes < 0)
        return -EINVAL;
    return writer->dtx && bytes <= 2 ? 0 : bytes; /* libopus: such packets need not be sent */
}

static void loss(void *state, unsigned percent)
{
    struct writer *writer = state;

    opus_encoder_ctl(writer->opus, OPUS_SET_PACKET_LOSS_PERC((opus_int32)percent));
}

const struct codec_kind codec_opus = {.abi = CODEC_ABI,
                                      .name = "opus",
                                      .clock = 48000,
                                      .channels = 2, /* always said so, RFC 7587 §7 */
                                      .rates = {8000, 16000, 48000},
                                      .ptimes = {10, 20, 40, 60},
                                      .decoder_open = decoder_open,
                                      .decoder_close = decoder_close,
                                      .decode = decode,
                                      .conceal = conceal,
                                      .encoder_open = encoder_open,
                                      .encoder_close = encoder_close,
                                      .encode = encode,
                                      .loss = loss};
