/* Codecs there and back: how much of the sound is left, what stands in for lost packets, what damaged ones do, and what
 * the parameters of a description change. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/codec.h"
#include "audio/plugin.h"
#include "audio/resample.h"
#include "audio/stretch.h"
#include "sound.h"

#define FRAMES 150u

static const struct way {
    const char *name;
    unsigned clock, channels, rate;
    double tone, voice; /* dB of the sound above what the codec did to it, at least */
    unsigned top;       /* Hz up to which tones come through as loud as they were */
} ways[] = {
    {"PCMU", 8000, 1, 8000, 35, 35, 3800},   {"PCMA", 8000, 1, 8000, 35, 35, 3800},
    {"PCMU", 8000, 1, 16000, 35, 35, 3300},  {"PCMA", 8000, 1, 16000, 35, 35, 3300},
    {"PCMU", 8000, 1, 48000, 35, 35, 3300},  {"PCMA", 8000, 1, 48000, 35, 35, 3300},
    {"G722", 8000, 1, 8000, 40, 30, 3600},   {"G722", 8000, 1, 16000, 40, 30, 7000},
    {"G722", 8000, 1, 48000, 40, 30, 6600},  {"opus", 48000, 2, 8000, 12, 12, 3000},
    {"opus", 48000, 2, 16000, 14, 13, 6000}, {"opus", 48000, 2, 48000, 14, 14, 10000},
    {"G729", 8000, 1, 8000, 5, 3, 0},
};

static struct codec_encoder *encoder;
static struct codec_decoder *decoder;
static const struct codec_kind *kind;
static int16_t said[48000 * 4], heard[48000 * 4 + CODEC_SAMPLES_MAX];
static size_t count, at;
static double phase;
static uint32_t seed;
static char told[8][512];
static unsigned told_count;

static void say(bool bad, const char *line)
{
    snprintf(told[told_count++ % 8], sizeof told[0], "%s%s", bad ? "bad: " : "", line);
}

/* False: it is a plug-in that this build does not have. */
static bool opens(const struct way *way, const char *fmtp)
{
    kind = codec_find(way->name, way->clock, way->channels);
#ifndef HAVE_BCG729
    if (strcmp(way->name, "G729") == 0) {
        ck_assert_ptr_null(kind);
        return false;
    }
#endif
    ck_assert_ptr_nonnull(kind);
    encoder = codec_encoder_new(kind, way->rate, fmtp);
    decoder = codec_decoder_new(kind, way->rate, fmtp);
    ck_assert_ptr_nonnull(encoder);
    ck_assert_ptr_nonnull(decoder);
    count = at = 0;
    phase = 0;
    seed = 1;
    return true;
}

static void closes(void)
{
    codec_encoder_free(encoder);
    codec_decoder_free(decoder);
}

/* 20 ms of what was put at said[count] go through; returns the bytes. */
static int goes_through(const struct way *way)
{
    uint8_t payload[CODEC_PAYLOAD_MAX];
    size_t frame = way->rate / 50;
    int len = codec_encode(encoder, said + count, frame, payload, sizeof payload);

    ck_assert_int_gt(len, 0);
    ck_assert_int_eq(codec_decode(decoder, payload, (size_t)len, heard + count, CODEC_SAMPLES_MAX), (int)frame);
    count += frame;
    return len;
}

/* Behind the first second, when codecs have found their levels. */
static double snr(const struct way *way)
{
    return sound_snr(said + way->rate, heard + way->rate, count - way->rate, way->rate / 50, NULL);
}

START_TEST(codecs_are_found_as_descriptions_name_them)
{
    ck_assert_str_eq(codec_name(codec_find("pcmu", 8000, 1)), "PCMU");
    ck_assert_str_eq(codec_name(codec_find("PCMA", 8000, 1)), "PCMA");
    ck_assert_str_eq(codec_name(codec_find("OPUS", 48000, 2)), "opus");
    ck_assert_ptr_null(codec_find("PCMU", 16000, 1));
    ck_assert_ptr_null(codec_find("PCMU", 8000, 2));
    ck_assert_ptr_null(codec_find("G722", 16000, 1));
    ck_assert_ptr_null(codec_find("opus", 48000, 1));
    ck_assert_ptr_null(codec_find("", 8000, 1));
    ck_assert_ptr_null(codec_find("no such codec; at all", 8000, 1));
    ck_assert_ptr_null(codec_find("thisnameislongerthananycodecscouldeverbe", 8000, 1));
    ck_assert_uint_eq(codec_clock(codec_find("G722", 8000, 1)), 8000);
    ck_assert_uint_eq(codec_rate(codec_find("G722", 8000, 1)), 16000);
    ck_assert_uint_eq(codec_rate(codec_find("opus", 48000, 2)), 48000);
    ck_assert_uint_eq(codec_clock(codec_find("CN", 16000, 1)), 16000);
    ck_assert_ptr_null(codec_encoder_new(codec_find("CN", 8000, 1), 8000, NULL));
    ck_assert_ptr_null(codec_decoder_new(codec_find("PCMU", 8000, 1), 44100, NULL));
}
END_TEST

START_TEST(packets_are_as_long_as_is_asked_for_or_a_little_shorter)
{
    const struct codec_kind *pcmu = codec_find("PCMU", 8000, 1), *opus = codec_find("opus", 48000, 2);

    ck_assert_uint_eq(codec_ptime(pcmu, 0), 20);
    ck_assert_uint_eq(codec_ptime(pcmu, 30), 30);
    ck_assert_uint_eq(codec_ptime(pcmu, 5), 10);
    ck_assert_uint_eq(codec_ptime(pcmu, 200), 60);
    ck_assert_uint_eq(codec_ptime(opus, 30), 20);
    ck_assert_uint_eq(codec_ptime(opus, 50), 40);
    ck_assert_uint_eq(codec_ptime(opus, 60), 60);
}
END_TEST

static const char *const g711_names[] = {"PCMU", "PCMA"};

START_TEST(g711_gives_each_byte_back)
{
    uint8_t bytes[320], back[320];
    int16_t pcm[320];

    opens(&ways[_i], NULL);
    for (unsigned i = 0; i < 320; i++)
        bytes[i] = (uint8_t)i;
    ck_assert_int_eq(codec_decode(decoder, bytes, 320, pcm, 320), 320);
    ck_assert_int_eq(codec_encode(encoder, pcm, 320, back, sizeof back), 320);
    for (unsigned i = 0; i < 320; i++)
        if (strcmp(g711_names[_i], "PCMA") == 0 || bytes[i] != 0x7f) /* the other zero of µ-law */
            ck_assert_uint_eq(back[i], bytes[i]);
    closes();
}
END_TEST

START_TEST(g711_is_off_by_a_thirtieth_at_most)
{
    int16_t values[256];
    uint8_t bytes[256];

    opens(&ways[_i], NULL);
    for (unsigned i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    ck_assert_int_eq(codec_decode(decoder, bytes, 256, values, 256), 256);
    for (int from = INT16_MIN; from <= INT16_MAX; from += 80) {
        int16_t pcm[80];

        for (int i = 0; i < 80; i++)
            pcm[i] = (int16_t)(from + i > INT16_MAX ? INT16_MAX : from + i);
        ck_assert_int_eq(codec_encode(encoder, pcm, 80, bytes, sizeof bytes), 80);
        for (int i = 0; i < 80; i++)
            ck_assert_int_le(abs(pcm[i] - values[bytes[i]]), abs(pcm[i]) / 32 + 9);
    }
    closes();
}
END_TEST

START_TEST(tones_of_every_pitch_come_through)
{
    const struct way *way = &ways[_i];

    if (!opens(way, NULL))
        return;
    for (unsigned hz = 200; hz <= way->top; hz += way->top / 16) {
        double before, after;

        count = 0;
        for (unsigned i = 0; i < 50; i++) {
            sound_sine(said + count, way->rate / 50, hz, way->rate, 6000, &phase);
            goes_through(way);
        }
        before = sound_tone(said + count / 2, count / 2, hz, way->rate);
        after = sound_tone(heard + count / 2, count / 2, hz, way->rate);
        ck_assert_double_ge(20 * log10(after / before), -2);
        ck_assert_double_le(20 * log10(after / before), 1);
    }
    closes();
}
END_TEST

START_TEST(a_tone_and_a_voice_keep_their_shape)
{
    const struct way *way = &ways[_i];

    if (!opens(way, NULL))
        return;
    for (unsigned i = 0; i < FRAMES; i++) {
        sound_sine(said + count, way->rate / 50, 1000, way->rate, 8000, &phase);
        goes_through(way);
    }
    ck_assert_double_ge(snr(way), way->tone);
    count = 0;
    for (unsigned i = 0; i < FRAMES; i++) {
        sound_voice(said + count, way->rate / 50, way->rate, 20000, &at);
        goes_through(way);
    }
    ck_assert_double_ge(snr(way), way->voice);
    closes();
}
END_TEST

START_TEST(noise_is_as_loud_as_it_was_within_the_band)
{
    const struct way *way = &ways[_i];
    struct resample *down = NULL;
    int16_t narrow[48000 * 4];
    double before, after;

    if (!opens(way, NULL))
        return;
    for (unsigned i = 0; i < FRAMES; i++) {
        sound_noise(said + count, way->rate / 50, 8000, &seed);
        goes_through(way);
    }
    before = sound_rms(said + way->rate, count - way->rate);
    after = sound_rms(heard + way->rate, count - way->rate);
    if (way->rate != 8000) {
        down = resample_new(way->rate, 8000);
        before = sound_rms(narrow, resample_run(down, said, count, narrow));
        after = sound_rms(narrow, resample_run(down, heard, count, narrow));
    }
    ck_assert_double_ge(after, before * 0.55);
    ck_assert_double_le(after, before * 1.3);
    resample_free(down);
    closes();
}
END_TEST

START_TEST(one_lost_packet_in_twenty_leaves_the_voice_as_loud)
{
    const struct way *way = &ways[_i];
    size_t frame = way->rate / 50;
    double before, after;

    if (!opens(way, NULL))
        return;
    for (unsigned i = 0; i < FRAMES; i++) {
        sound_voice(said + count, frame, way->rate, 20000, &at);
        if (i % 20 == 10) {
            uint8_t payload[CODEC_PAYLOAD_MAX];

            ck_assert_int_gt(codec_encode(encoder, said + count, frame, payload, sizeof payload), 0);
            ck_assert_int_eq(codec_conceal(decoder, NULL, 0, heard + count, frame), (int)frame);
            ck_assert_double_ge(sound_rms(heard + count, frame), 1);
            count += frame;
        } else {
            goes_through(way);
        }
    }
    before = sound_rms(said + way->rate, count - way->rate);
    after = sound_rms(heard + way->rate, count - way->rate);
    ck_assert_double_ge(after, before * 0.8);
    ck_assert_double_le(after, before * 1.2);
    closes();
}
END_TEST

START_TEST(what_stays_away_fades_to_silence)
{
    const struct way *way = &ways[_i];
    size_t frame = way->rate / 50;

    if (!opens(way, NULL))
        return;
    for (unsigned i = 0; i < 50; i++) {
        sound_sine(said + count, frame, 440, way->rate, 8000, &phase);
        goes_through(way);
    }
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_int_eq(codec_conceal(decoder, NULL, 0, heard, frame), (int)frame);
        if (i == 0)
            ck_assert_double_ge(sound_rms(heard, frame), 1000);
    }
    ck_assert_double_le(sound_rms(heard, frame), 50);
    closes();
}
END_TEST

START_TEST(payloads_of_any_length_and_content_do_no_harm)
{
    const struct way *way = &ways[_i];
    uint8_t payload[2000];

    if (!opens(way, NULL))
        return;
    for (unsigned i = 0; i < 20000; i++) {
        size_t len, room;
        int made;

        seed = seed * 1664525u + 1013904223u;
        len = (seed >> 16) % (i % 10 ? 100 : sizeof payload + 1);
        room = i % 3 ? CODEC_SAMPLES_MAX : (seed >> 8) % 400;
        for (size_t b = 0; b < len; b++) {
            seed = seed * 1664525u + 1013904223u;
            payload[b] = (uint8_t)(seed >> 24);
        }
        made = codec_decode(decoder, payload, len, heard, room);
        ck_assert(made == -EINVAL || (made > 0 && (size_t)made <= room));
        if (i % 5 == 0)
            ck_assert_int_eq(codec_conceal(decoder, payload, len, heard, way->rate / 100), (int)way->rate / 100);
    }
    ck_assert_int_eq(codec_decode(decoder, payload, 0, heard, CODEC_SAMPLES_MAX), -EINVAL);
    /* And it still works. */
    count = 0;
    for (unsigned i = 0; i < FRAMES; i++) {
        sound_voice(said + count, way->rate / 50, way->rate, 20000, &at);
        goes_through(way);
    }
    ck_assert_double_ge(snr(way), way->voice - 1);
    closes();
}
END_TEST

START_TEST(lengths_that_no_packet_has_are_refused)
{
    const struct way *way = &ways[_i];
    uint8_t payload[CODEC_PAYLOAD_MAX];

    if (!opens(way, NULL))
        return;
    ck_assert_int_eq(codec_encode(encoder, said, 0, payload, sizeof payload), -EINVAL);
    ck_assert_int_eq(codec_encode(encoder, said, 7, payload, sizeof payload), -EINVAL);
    ck_assert_int_eq(codec_encode(encoder, said, way->rate / 10, payload, sizeof payload), -EINVAL);
    ck_assert_int_eq(codec_encode(encoder, said, way->rate / 50, payload, 0), -EINVAL);
    ck_assert_int_eq(codec_conceal(decoder, NULL, 0, heard, 0), -EINVAL);
    ck_assert_int_eq(codec_conceal(decoder, NULL, 0, heard, CODEC_SAMPLES_MAX + 1), -EINVAL);
    for (unsigned ms = 10; ms <= 60; ms += 10) {
        int len = codec_encode(encoder, said, (size_t)way->rate * ms / 1000, payload, sizeof payload);

        if (codec_ptime(kind, ms) == ms)
            ck_assert_int_gt(len, 0);
        else
            ck_assert_int_eq(len, -EINVAL);
    }
    closes();
}
END_TEST

/* Bits a second of the voice. */
static double opus_bits(unsigned rate, const char *fmtp, bool quiet)
{
    const struct way way = {"opus", 48000, 2, rate, 0, 0, 0};
    uint8_t payload[CODEC_PAYLOAD_MAX];
    double bytes = 0;

    opens(&way, fmtp);
    for (unsigned i = 0; i < 200; i++) {
        int len;

        if (quiet)
            memset(said, 0, sizeof said[0] * rate / 50);
        else
            sound_voice(said, rate / 50, rate, 20000, &at);
        len = codec_encode(encoder, said, rate / 50, payload, sizeof payload);
        ck_assert_int_ge(len, 0);
        bytes += len;
    }
    closes();
    return bytes * 8 / 4;
}

START_TEST(opus_sends_no_more_than_the_other_side_permits)
{
    double usual = opus_bits(48000, NULL, false);

    ck_assert_double_ge(usual, 20000);
    ck_assert_double_le(opus_bits(48000, "maxaveragebitrate=12000", false), 14000);
    ck_assert_double_le(opus_bits(48000, "stereo=0; MaxAverageBitRate = 12000 ;usedtx=0", false), 14000);
    ck_assert_double_le(opus_bits(48000, "maxaveragebitrate=1", false), 9000);
    ck_assert_double_ge(opus_bits(48000, "maxaveragebitrate=x", false), 20000);
    ck_assert_double_ge(opus_bits(48000, "maxaveragebitrate=99999999999999999999", false), 20000);
    ck_assert_double_ge(opus_bits(48000, "notmaxaveragebitrate=12000;;;=;maxaveragebitrate", false), 20000);
    ck_assert_double_le(opus_bits(48000, "maxplaybackrate=8000", false), usual * 0.7);
}
END_TEST

START_TEST(opus_sends_packets_of_one_size_when_asked)
{
    const struct way way = {"opus", 48000, 2, 16000, 0, 0, 0};
    uint8_t payload[CODEC_PAYLOAD_MAX];
    int first = 0;

    opens(&way, "cbr=1");
    for (unsigned i = 0; i < 100; i++) {
        int len;

        sound_voice(said, 320, 16000, 20000, &at);
        len = codec_encode(encoder, said, 320, payload, sizeof payload);
        if (!first)
            first = len;
        ck_assert_int_eq(len, first);
    }
    closes();
}
END_TEST

START_TEST(opus_sends_nothing_of_silence_only_when_asked)
{
    ck_assert_double_le(opus_bits(16000, "usedtx=1", true) * 4, opus_bits(16000, NULL, true));
}
END_TEST

START_TEST(opus_is_wideband_no_further_than_the_other_side_plays)
{
    const struct way way = {"opus", 48000, 2, 48000, 0, 0, 0};
    double high;

    opens(&way, _i ? "maxplaybackrate=8000" : NULL);
    for (unsigned i = 0; i < 100; i++) {
        sound_noise(said + count, 960, 8000, &seed);
        goes_through(&way);
    }
    /* What is left above the band of 8000. */
    for (size_t i = 1; i < count; i++)
        said[i] = (int16_t)((heard[i] - heard[i - 1]) / 2);
    high = sound_rms(said + count / 2, count / 2) / sound_rms(heard + count / 2, count / 2);
    if (_i)
        ck_assert_double_le(high, 0.2);
    else
        ck_assert_double_ge(high, 0.3);
    closes();
}
END_TEST

/* dB of what is heard without loss above the difference that loss makes. */
static double with_loss(const char *fmtp, unsigned rate, bool repairs)
{
    const struct way way = {"opus", 48000, 2, rate, 0, 0, 0};
    uint8_t payload[2][CODEC_PAYLOAD_MAX];
    struct codec_decoder *whole;
    size_t frame = rate / 50, all = 0;
    int len[2] = {0};

    opens(&way, fmtp);
    whole = codec_decoder_new(kind, rate, NULL);
    for (unsigned i = 0; i < FRAMES; i++) {
        bool lost = i % 10 == 5, was_lost = i % 10 == 6;
        unsigned now = i & 1;

        sound_voice(said, frame, rate, 20000, &at);
        len[now] = codec_encode(encoder, said, frame, payload[now], sizeof payload[now]);
        ck_assert_int_eq(codec_decode(whole, payload[now], (size_t)len[now], said + all, frame), (int)frame);
        all += frame;
        if (was_lost) {
            ck_assert_int_eq(codec_conceal(decoder, repairs ? payload[now] : NULL, repairs ? (size_t)len[now] : 0,
                                           heard + count, frame),
                             (int)frame);
            count += frame;
        }
        if (!lost) {
            codec_decode(decoder, payload[now], (size_t)len[now], heard + count, frame);
            count += frame;
        }
    }
    codec_decoder_free(whole);
    closes();
    return sound_snr(said, heard, count, 0, NULL);
}

static const unsigned rates[] = {8000, 16000, 48000};

START_TEST(opus_finds_a_lost_packet_in_the_next_one)
{
    double without = with_loss("useinbandfec=1", rates[_i], false), with = with_loss("useinbandfec=1", rates[_i], true);

    ck_assert_double_ge(with, without + 3);
}
END_TEST

START_TEST(opus_hears_stereo_as_mono)
{
    /* TOC: fullband CELT of 20 ms, stereo, one frame (RFC 6716 §3.1); the rest is any noise. */
    const struct way way = {"opus", 48000, 2, 16000, 0, 0, 0};
    uint8_t payload[80];

    opens(&way, NULL);
    for (unsigned i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 37);
    payload[0] = 31 << 3 | 4;
    ck_assert_int_eq(codec_decode(decoder, payload, sizeof payload, heard, CODEC_SAMPLES_MAX), 320);
    closes();
}
END_TEST

START_TEST(comfort_noise_has_the_level_that_is_said)
{
    static const uint8_t levels[] = {30, 50, 70};
    struct codec_decoder *noise = codec_decoder_new(codec_find("CN", 8000, 1), rates[_i], NULL);
    /* Colour: reflection coefficients that make it dark, with many more than are used. */
    uint8_t dark[] = {40, 20, 150, 120, 130, 127, 127, 127, 127, 127, 127, 127, 127, 255, 0, 3};

    for (unsigned coloured = 0; coloured < 2; coloured++)
        for (unsigned i = 0; i < COUNT_OF(levels); i++) {
            double wanted = 32768 * pow(10, -levels[i] / 20.0), rms;
            size_t frame = rates[_i] / 50;

            dark[0] = levels[i];
            ck_assert_int_eq(codec_decode(noise, dark, coloured ? sizeof dark : 1, heard, CODEC_SAMPLES_MAX),
                             (int)frame);
            for (count = 0; count < rates[_i];) {
                ck_assert_int_eq(codec_conceal(noise, NULL, 0, heard + count, frame), (int)frame);
                count += frame;
            }
            rms = sound_rms(heard + count / 2, count / 2);
            ck_assert_double_ge(rms, wanted * (rates[_i] == 8000 ? 0.85 : 0.8));
            ck_assert_double_le(rms, wanted * 1.15);
        }
    codec_decoder_free(noise);
}
END_TEST

static const unsigned pairs[][2] = {{8000, 16000},  {16000, 8000}, {16000, 48000},
                                    {48000, 16000}, {8000, 48000}, {48000, 8000}};

START_TEST(resampling_keeps_the_band_and_nothing_else)
{
    unsigned from = pairs[_i][0], to = pairs[_i][1], low = from < to ? from : to;

    for (unsigned hz = 100; hz < from / 2; hz += hz < low ? low / 40 : low / 5) {
        struct resample *resample = resample_new(from, to);
        double level;

        phase = 0;
        sound_sine(said, from, hz, from, 10000, &phase);
        count = 0;
        /* In pieces of odd lengths. */
        for (size_t done = 0, part; done < from; done += part) {
            part = from - done < 331 ? from - done : 331;
            count += resample_run(resample, said + done, part, heard + count);
        }
        ck_assert_uint_eq(count, to);
        level = 20 * log10(sound_rms(heard + count / 4, count / 2) * sqrt(2) / 10000 + 1e-9);
        if (hz <= 0.42 * low) {
            ck_assert_double_ge(level, -0.1);
            ck_assert_double_le(level, 0.1);
            ck_assert_double_ge(sound_purity(heard + count / 4, count / 2, hz, to), 60);
        } else if (hz >= 0.51 * low) {
            ck_assert_double_le(level, -70);
        }
        resample_free(resample);
    }
    ck_assert_ptr_null(resample_new(8000, 8000));
    ck_assert_ptr_null(resample_new(8000, 44100));
    ck_assert_ptr_null(resample_new(44100, 48000));
}
END_TEST

START_TEST(a_tone_is_stretched_without_a_click)
{
    unsigned rate = rates[_i];
    size_t frame = rate / 50, long_one, short_one;

    phase = 0;
    sound_sine(said, 4 * frame, 200, rate, 8000, &phase);
    memcpy(heard, said, 4 * frame * sizeof said[0]);
    short_one = stretch_shorter(heard, 2 * frame, rate, false);
    ck_assert_uint_lt(short_one, 2 * frame);
    ck_assert_double_ge(sound_purity(heard, short_one, 200, rate), 30);
    memcpy(heard, said, 4 * frame * sizeof said[0]);
    long_one = stretch_longer(heard, frame, rate, false);
    ck_assert_uint_gt(long_one, frame);
    ck_assert_double_ge(sound_purity(heard, long_one, 200, rate), 30);
    /* Noise is nowhere like itself: it is left alone, unless it must be. */
    seed = 1;
    sound_noise(heard, 2 * frame, 8000, &seed);
    ck_assert_uint_eq(stretch_shorter(heard, 2 * frame, rate, false), 2 * frame);
    ck_assert_uint_eq(stretch_longer(heard, frame, rate, false), frame);
    ck_assert_uint_lt(stretch_shorter(heard, 2 * frame, rate, true), 2 * frame);
    /* Silence may always be. */
    memset(heard, 0, 2 * frame * sizeof heard[0]);
    ck_assert_uint_lt(stretch_shorter(heard, 2 * frame, rate, false), 2 * frame);
}
END_TEST

START_TEST(a_plug_in_that_is_none_is_left_out_and_named)
{
    char directory[] = "/tmp/tandem-codecs-XXXXXX", path[64];
    FILE *file;

    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/codec_bad.so", directory);
    file = fopen(path, "w");
    fputs("no shared object", file);
    fclose(file);
    told_count = 0;
    ck_assert_int_eq(plugin_load(directory, say), 0);
    ck_assert_uint_eq(told_count, 1);
    ck_assert_ptr_nonnull(strstr(told[0], "bad: "));
    ck_assert_ptr_nonnull(strstr(told[0], "codec_bad.so"));
    ck_assert_int_eq(plugin_load("/nonexistent", say), 0);
    ck_assert_uint_eq(told_count, 1);
    unlink(path);
    rmdir(directory);
}
END_TEST

/* As at the start of a program. */
static void load_plug_ins(void)
{
    char directory[4096];

    snprintf(directory, sizeof directory, "%s/core/audio/.libs", getenv("TANDEM_BUILD") ? getenv("TANDEM_BUILD") : ".");
    plugin_load(directory, say);
}

int main(void)
{
    Suite *suite = suite_create("codec");
    TCase *tc = tcase_create("codec");
    SRunner *runner = srunner_create(suite);
    int failed;

    load_plug_ins();
    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, codecs_are_found_as_descriptions_name_them);
    tcase_add_test(tc, packets_are_as_long_as_is_asked_for_or_a_little_shorter);
    tcase_add_loop_test(tc, g711_gives_each_byte_back, 0, 2);
    tcase_add_loop_test(tc, g711_is_off_by_a_thirtieth_at_most, 0, 2);
    tcase_add_loop_test(tc, tones_of_every_pitch_come_through, 0, COUNT_OF(ways) - 1);
    tcase_add_loop_test(tc, a_tone_and_a_voice_keep_their_shape, 0, COUNT_OF(ways));
    tcase_add_loop_test(tc, noise_is_as_loud_as_it_was_within_the_band, 0, COUNT_OF(ways) - 1);
    tcase_add_loop_test(tc, one_lost_packet_in_twenty_leaves_the_voice_as_loud, 0, COUNT_OF(ways));
    tcase_add_loop_test(tc, what_stays_away_fades_to_silence, 0, COUNT_OF(ways));
    tcase_add_loop_test(tc, payloads_of_any_length_and_content_do_no_harm, 0, COUNT_OF(ways));
    tcase_add_loop_test(tc, lengths_that_no_packet_has_are_refused, 0, COUNT_OF(ways));
    tcase_add_test(tc, opus_sends_no_more_than_the_other_side_permits);
    tcase_add_test(tc, opus_sends_packets_of_one_size_when_asked);
    tcase_add_test(tc, opus_sends_nothing_of_silence_only_when_asked);
    tcase_add_loop_test(tc, opus_is_wideband_no_further_than_the_other_side_plays, 0, 2);
    tcase_add_loop_test(tc, opus_finds_a_lost_packet_in_the_next_one, 0, 3);
    tcase_add_test(tc, opus_hears_stereo_as_mono);
    tcase_add_loop_test(tc, comfort_noise_has_the_level_that_is_said, 0, 3);
    tcase_add_loop_test(tc, resampling_keeps_the_band_and_nothing_else, 0, COUNT_OF(pairs));
    tcase_add_loop_test(tc, a_tone_is_stretched_without_a_click, 0, 3);
    tcase_add_test(tc, a_plug_in_that_is_none_is_left_out_and_named);
#ifdef TANDEM_SANITIZED
    /* In children of a program that has loaded a plug-in, LeakSanitizer takes for lost what Check itself holds. */
    srunner_set_fork_status(runner, CK_NOFORK);
#endif
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
