/* G.729 by bcg729, as a plug-in that is built only when asked for: the library is under the GPL (version 3 or later),
 * so this object as it is distributed is too. Frames of 10 ms and ten bytes; two bytes at the end describe silence
 * (Annex B), which is understood and not sent. Any thread; knows no packets but their payload. */
#include "audio/codec-priv.h"

#include <bcg729/decoder.h>
#include <bcg729/encoder.h>

#define FRAME_SAMPLES 80u
#define FRAME_BYTES 10u
#define SILENCE_BYTES 2u

static void *decoder_open(unsigned rate, const char *fmtp)
{
    return initBcg729DecoderChannel();
}

static void decoder_close(void *state)
{
    closeBcg729DecoderChannel(state);
}

static int decode(void *state, const uint8_t *payload, size_t len, int16_t *pcm, size_t room)
{
    size_t frames = len / FRAME_BYTES, rest = len % FRAME_BYTES;

    if ((rest && rest != SILENCE_BYTES) || (frames + (rest != 0)) * FRAME_SAMPLES > room)
        return -EINVAL;
    for (size_t i = 0; i < frames; i++)
        bcg729Decoder(state, payload + i * FRAME_BYTES, FRAME_BYTES, 0, 0, 0, pcm + i * FRAME_SAMPLES);
    if (rest) {
        bcg729Decoder(state, payload + frames * FRAME_BYTES, SILENCE_BYTES, 0, 1, 0, pcm + frames * FRAME_SAMPLES);
        frames++;
    }
    return (int)(frames * FRAME_SAMPLES);
}

static int conceal(void *state, const uint8_t *next, size_t len, int16_t *pcm, size_t samples)
{
    int16_t frame[FRAME_SAMPLES];

    for (size_t done = 0; done < samples; done += FRAME_SAMPLES) {
        size_t part = samples - done < FRAME_SAMPLES ? samples - done : FRAME_SAMPLES;

        bcg729Decoder(state, NULL, 0, 1, 0, 0, frame);
        memcpy(pcm + done, frame, part * sizeof *pcm);
    }
    return (int)samples;
}

static void *encoder_open(unsigned rate, const char *fmtp)
{
    return initBcg729EncoderChannel(0);
}

static void encoder_close(void *state)
{
    closeBcg729EncoderChannel(state);
}

static int encode(void *state, const int16_t *pcm, size_t samples, uint8_t *out, size_t room)
{
    size_t frames = samples / FRAME_SAMPLES;

    if (frames * FRAME_BYTES > room)
        return -EINVAL;
    for (size_t i = 0; i < frames; i++) {
        uint8_t bytes;

        bcg729Encoder(state, pcm + i * FRAME_SAMPLES, out + i * FRAME_BYTES, &bytes);
    }
    return (int)(frames * FRAME_BYTES);
}

extern const struct codec_kind tandem_codec_g729;
const struct codec_kind tandem_codec_g729 = {.abi = CODEC_ABI,
                                             .name = "G729",
                                             .clock = 8000,
                                             .channels = 1,
                                             .rates = {8000},
                                             .ptimes = {10, 20, 30, 40, 50, 60},
                                             .decoder_open = decoder_open,
                                             .decoder_close = decoder_close,
                                             .decode = decode,
                                             .conceal = conceal,
                                             .encoder_open = encoder_open,
                                             .encoder_close = encoder_close,
                                             .encode = encode};
