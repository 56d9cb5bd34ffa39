/* G.711, both laws (RFC 3551 §4.5.14): a table to read, the position of the highest bit to write, SpanDSP's concealment
 * for what is lost. Any thread; knows no packets but their payload. */
#include "audio/codec-priv.h"

#include <stdlib.h>

#include "audio/conceal.h"

static const int16_t from_ulaw[256] = {
    -32124, -31100, -30076, -29052, -28028, -27004, -25980, -24956, -23932, -22908, -21884, -20860, -19836, -18812,
    -17788, -16764, -15996, -15484, -14972, -14460, -13948, -13436, -12924, -12412, -11900, -11388, -10876, -10364,
    -9852,  -9340,  -8828,  -8316,  -7932,  -7676,  -7420,  -7164,  -6908,  -6652,  -6396,  -6140,  -5884,  -5628,
    -5372,  -5116,  -4860,  -4604,  -4348,  -4092,  -3900,  -3772,  -3644,  -3516,  -3388,  -3260,  -3132,  -3004,
    -2876,  -2748,  -2620,  -2492,  -2364,  -2236,  -2108,  -1980,  -1884,  -1820,  -1756,  -1692,  -1628,  -1564,
    -1500,  -1436,  -1372,  -1308,  -1244,  -1180,  -1116,  -1052,  -988,   -924,   -876,   -844,   -812,   -780,
    -748,   -716,   -684,   -652,   -620,   -588,   -556,   -524,   -492,   -460,   -428,   -396,   -372,   -356,
    -340,   -324,   -308,   -292,   -276,   -260,   -244,   -228,   -212,   -196,   -180,   -164,   -148,   -132,
    -120,   -112,   -104,   -96,    -88,    -80,    -72,    -64,    -56,    -48,    -40,    -32,    -24,    -16,
    -8,     0,      32124,  31100,  30076,  29052,  28028,  27004,  25980,  24956,  23932,  22908,  21884,  20860,
    19836,  18812,  17788,  16764,  15996,  15484,  14972,  14460,  13948,  13436,  12924,  12412,  11900,  11388,
    10876,  10364,  9852,   9340,   8828,   8316,   7932,   7676,   7420,   7164,   6908,   6652,   6396,   6140,
    5884,   5628,   5372,   5116,   4860,   4604,   4348,   4092,   3900,   3772,   3644,   3516,   3388,   3260,
    3132,   3004,   2876,   2748,   2620,   2492,   2364,   2236,   2108,   1980,   1884,   1820,   1756,   1692,
    1628,   1564,   1500,   1436,   1372,   1308,   1244,   1180,   1116,   1052,   988,    924,    876,    844,
    812,    780,    748,    716,    684,    652,    620,    588,    556,    524,    492,    460,    428,    396,
    372,    356,    340,    324,    308,    292,    276,    260,    244,    228,    212,    196,    180,    164,
    148,    132,    120,    112,    104,    96,     88,     80,     72,     64,     56,     48,     40,     32,
    24,     16,     8,      0};

static const int16_t from_alaw[256] = {
    -5504,  -5248,  -6016,  -5760,  -4480,  -4224,  -4992,  -4736,  -7552,  -7296,  -8064,  -7808,  -6528,  -6272,
    -7040,  -6784,  -2752,  -2624,  -3008,  -2880,  -2240,  -2112,  -2496,  -2368,  -3776,  -3648,  -4032,  -3904,
    -3264,  -3136,  -3520,  -3392,  -22016, -20992, -24064, -23040, -17920, -16896, -19968, -18944, -30208, -29184,
    -32256, -31232, -26112, -25088, -28160, -27136, -11008, -10496, -12032, -11520, -8960,  -8448,  -9984,  -9472,
    -15104, -14592, -16128, -15616, -13056, -12544, -14080, -13568, -344,   -328,   -376,   -360,   -280,   -264,
    -312,   -296,   -472,   -456,   -504,   -488,   -408,   -392,   -440,   -424,   -88,    -72,    -120,   -104,
    -24,    -8,     -56,    -40,    -216,   -200,   -248,   -232,   -152,   -136,   -184,   -168,   -1376,  -1312,
    -1504,  -1440,  -1120,  -1056,  -1248,  -1184,  -1888,  -1824,  -2016,  -1952,  -1632,  -1568,  -1760,  -1696,
    -688,   -656,   -752,   -720,   -560,   -528,   -624,   -592,   -944,   -912,   -1008,  -976,   -816,   -784,
    -880,   -848,   5504,   5248,   6016,   5760,   4480,   4224,   4992,   4736,   7552,   7296,   8064,   7808,
    6528,   6272,   7040,   6784,   2752,   2624,   3008,   2880,   2240,   2112,   2496,   2368,   3776,   3648,
    4032,   3904,   3264,   3136,   3520,   3392,   22016,  20992,  24064,  23040,  17920,  16896,  19968,  18944,
    30208,  29184,  32256,  31232,  26112,  25088,  28160,  27136,  11008,  10496,  12032,  11520,  8960,   8448,
    9984,   9472,   15104,  14592,  16128,  15616,  13056,  12544,  14080,  13568,  344,    328,    376,    360,
    280,    264,    312,    296,    472,    456,    504,    488,    408,    392,    440,    424,    88,     72,
    120,    104,    24,     8,      56,     40,     216,    200,    248,    232,    152,    136,    184,    168,
    1376,   1312,   1504,   1440,   1120,   1056,   1248,   1184,   1888,   1824,   2016,   1952,   1632,   1568,
    1760,   1696,   688,    656,    752,    720,    560,    528,    624,    592,    944,    912,    1008,   976,
    816,    784,    880,    848};

/* Segments of the law above the lowest: the place of the highest bit of v, counted from bit 7. */
static unsigned segment(unsigned v)
{
    return 24u - (unsigned)__builtin_clz(v | 0xff);
}

static uint8_t to_ulaw(int v)
{
    unsigned sign = v < 0 ? 0x7f : 0xff, size = (unsigned)abs(v) + 0x84, seg;

    if (size > 0x7fff)
        size = 0x7fff;
    seg = segment(size);
    return (uint8_t)((seg << 4 | (size >> (seg + 3) & 0xf)) ^ sign);
}

static uint8_t to_alaw(int v)
{
    unsigned sign = v < 0 ? 0x55 : 0xd5, size = (unsigned)(v < 0 ? ~v : v), seg = segment(size);

    return (uint8_t)((seg << 4 | (size >> (seg ? seg + 3 : 4) & 0xf)) ^ sign);
}

static void *decoder_open(unsigned rate, const char *fmtp)
{
    struct conceal *gaps = malloc(sizeof *gaps);

    if (gaps)
        conceal_init(gaps, rate);
    return gaps;
}

static void decoder_close(void *state)
{
    free(state);
}

static int decode(struct conceal *gaps, const int16_t table[256], const uint8_t *payload, size_t len, int16_t *pcm,
                  size_t room)
{
    if (len > room)
        return -EINVAL;
    for (size_t i = 0; i < len; i++)
        pcm[i] = table[payload[i]];
    conceal_heard(gaps, pcm, len);
    return (int)len;
}

static int decode_pcmu(void *state, const uint8_t *payload, size_t len, int16_t *pcm, size_t room)
{
    return decode(state, from_ulaw, payload, len, pcm, room);
}

static int decode_pcma(void *state, const uint8_t *payload, size_t len, int16_t *pcm, size_t room)
{
    return decode(state, from_alaw, payload, len, pcm, room);
}

static int conceal(void *state, const uint8_t *next, size_t len, int16_t *pcm, size_t samples)
{
    conceal_fill(state, pcm, samples);
    return (int)samples;
}

/* Writing needs no state. */
static void *encoder_open(unsigned rate, const char *fmtp)
{
    return (void *)(uintptr_t)from_ulaw;
}

static void encoder_close(void *state)
{
}

static int encode_pcmu(void *state, const int16_t *pcm, size_t samples, uint8_t *out, size_t room)
{
    if (samples > room)
        return -EINVAL;
    for (size_t i = 0; i < samples; i++)
        out[i] = to_ulaw(pcm[i]);
    return (int)samples;
}

static int encode_pcma(void *state, const int16_t *pcm, size_t samples, uint8_t *out, size_t room)
{
    if (samples > room)
        return -EINVAL;
    for (size_t i = 0; i < samples; i++)
        out[i] = to_alaw(pcm[i]);
    return (int)samples;
}

#define G711_COMMON                                                                                                    \
    .abi = CODEC_ABI, .clock = 8000, .channels = 1, .rates = {8000}, .ptimes = {10, 20, 30, 40, 50, 60},               \
    .decoder_open = decoder_open, .decoder_close = decoder_close, .conceal = conceal, .encoder_open = encoder_open,    \
    .encoder_close = encoder_close

const struct codec_kind codec_pcmu = {.name = "PCMU", .decode = decode_pcmu, .encode = encode_pcmu, G711_COMMON};
const struct codec_kind codec_pcma = {.name = "PCMA", .decode = decode_pcma, .encode = encode_pcma, G711_COMMON};
