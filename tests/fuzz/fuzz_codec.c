/* libFuzzer: the first byte chooses codec, rate and parameters; then any bytes as payloads (two length bytes, then the
 * payload), decoded, or lost and concealed from the next one. What is heard must fit, and the decoder must still work
 * behind it. */
#include "audio/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *name;
    unsigned clock, channels;
} codecs[] = {{"PCMU", 8000, 1},  {"PCMA", 8000, 1}, {"G722", 8000, 1},
              {"opus", 48000, 2}, {"CN", 8000, 1},   {"CN", 16000, 1}};
static const unsigned rates[] = {8000, 16000, 48000};

static void must_be(bool good)
{
    if (!good)
        __builtin_trap();
}

/* Any text as the parameters of a description, for whoever reads them. */
static void encode(const struct codec_kind *kind, unsigned rate, const uint8_t *data, size_t size)
{
    char fmtp[96];
    struct codec_encoder *encoder;
    int16_t pcm[960] = {1, 1000, -1000};
    uint8_t payload[CODEC_PAYLOAD_MAX];

    str_copy_n(fmtp, sizeof fmtp, (const char *)data, size < sizeof fmtp - 1 ? size : sizeof fmtp - 1);
    encoder = codec_encoder_new(kind, rate, fmtp);
    if (!encoder)
        return;
    must_be(codec_encode(encoder, pcm, rate / 50, payload, sizeof payload) >= 0);
    codec_encoder_loss(encoder, (unsigned)size);
    must_be(codec_encode(encoder, pcm, rate / 50, payload, sizeof payload) >= 0);
    codec_encoder_free(encoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int16_t pcm[CODEC_SAMPLES_MAX];
    const struct codec_kind *kind;
    struct codec_decoder *decoder;
    unsigned which, rate;

    if (size < 1)
        return 0;
    which = data[0] % COUNT_OF(codecs);
    rate = rates[data[0] / COUNT_OF(codecs) % COUNT_OF(rates)];
    kind = codec_find(codecs[which].name, codecs[which].clock, codecs[which].channels);
    decoder = codec_decoder_new(kind, rate, NULL);
    must_be(kind && decoder);
    data++;
    size--;
    encode(kind, rate, data, size);
    while (size >= 2) {
        size_t len = (size_t)(data[0] & 7) << 8 | data[1], room = data[0] & 8 ? CODEC_SAMPLES_MAX : rate / 50;
        bool lost = data[0] & 16;
        int made;

        data += 2;
        size -= 2;
        if (len > size)
            len = size;
        if (lost)
            must_be(codec_conceal(decoder, data, len, pcm, rate / 100) == (int)rate / 100);
        made = codec_decode(decoder, data, len, pcm, room);
        must_be(made == -EINVAL || (made > 0 && (size_t)made <= room));
        data += len;
        size -= len;
    }
    must_be(codec_conceal(decoder, NULL, 0, pcm, rate / 50) == (int)rate / 50);
    codec_decoder_free(decoder);
    return 0;
}
