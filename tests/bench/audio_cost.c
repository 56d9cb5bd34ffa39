/* audio_cost [SECONDS]: what sound costs, as JSON: µs of this thread's CPU for each packet of 20 ms, of a voice, in
 * memory alone (no sockets). SECONDS of sound are worked on for each row (default 60). */
#include "config.h"

#include <stdio.h>
#include <time.h>

#include "audio/ear.h"
#include "audio/resample.h"
#include "sound.h"

#define LOOP 200u /* packets that are prepared and used again */

struct side {
    const char *name;
    unsigned clock, channels;
    const char *fmtp;
};

static const struct side pcmu = {"PCMU", 8000, 1, NULL}, g722 = {"G722", 8000, 1, NULL},
                         opus = {"opus", 48000, 2, "useinbandfec=1"};
static unsigned packets = 3000;
static bool first = true;

static struct {
    uint8_t payload[LOOP][CODEC_PAYLOAD_MAX];
    int len[LOOP];
} from;
static int16_t voice[LOOP * EAR_FRAME_MAX];

static double cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void tell(const char *name, double began)
{
    printf("%s\n \"%s\": %.3f", first ? "{" : ",", name, (cpu_us() - began) / packets);
    first = false;
}

static const struct codec_kind *kind_of(const struct side *side)
{
    return codec_find(side->name, side->clock, side->channels);
}

/* Packets of a voice. */
static void prepare(const struct side *side, unsigned rate)
{
    struct codec_encoder *encoder = codec_encoder_new(kind_of(side), rate, side->fmtp);
    size_t at = 0;

    sound_voice(voice, LOOP * rate / 50, rate, 20000, &at);
    for (unsigned i = 0; i < LOOP; i++)
        from.len[i] = codec_encode(encoder, voice + i * rate / 50, rate / 50, from.payload[i], sizeof from.payload[i]);
    codec_encoder_free(encoder);
}

/* One codec to another: decoded, and encoded anew. */
static void transcode(const char *name, const struct side *a, const struct side *b, unsigned rate)
{
    struct codec_decoder *decoder = codec_decoder_new(kind_of(a), rate, a->fmtp);
    struct codec_encoder *encoder = codec_encoder_new(kind_of(b), rate, b->fmtp);
    uint8_t out[CODEC_PAYLOAD_MAX];
    int16_t pcm[CODEC_SAMPLES_MAX];
    double began;

    prepare(a, rate);
    began = cpu_us();
    for (unsigned i = 0; i < packets; i++) {
        int made = codec_decode(decoder, from.payload[i % LOOP], (size_t)from.len[i % LOOP], pcm, CODEC_SAMPLES_MAX);

        if (made <= 0 || codec_encode(encoder, pcm, (size_t)made, out, sizeof out) < 0)
            fprintf(stderr, "%s: a packet failed\n", name);
    }
    tell(name, began);
    codec_decoder_free(decoder);
    codec_encoder_free(encoder);
}

static void encode(const char *name, const struct side *side, unsigned rate)
{
    struct codec_encoder *encoder = codec_encoder_new(kind_of(side), rate, side->fmtp);
    uint8_t out[CODEC_PAYLOAD_MAX];
    double began;

    prepare(side, rate);
    began = cpu_us();
    for (unsigned i = 0; i < packets; i++)
        if (codec_encode(encoder, voice + i % LOOP * rate / 50, rate / 50, out, sizeof out) < 0)
            fprintf(stderr, "%s: a packet failed\n", name);
    tell(name, began);
    codec_encoder_free(encoder);
}

static void decode(const char *name, const struct side *side, unsigned rate)
{
    struct codec_decoder *decoder = codec_decoder_new(kind_of(side), rate, side->fmtp);
    int16_t pcm[CODEC_SAMPLES_MAX];
    double began;

    prepare(side, rate);
    began = cpu_us();
    for (unsigned i = 0; i < packets; i++)
        if (codec_decode(decoder, from.payload[i % LOOP], (size_t)from.len[i % LOOP], pcm, CODEC_SAMPLES_MAX) < 0)
            fprintf(stderr, "%s: a packet failed\n", name);
    tell(name, began);
    codec_decoder_free(decoder);
}

static void convert(const char *name, unsigned a, unsigned b)
{
    struct resample *resample = resample_new(a, b);
    int16_t out[EAR_FRAME_MAX];
    double began = cpu_us();

    for (unsigned i = 0; i < packets; i++)
        resample_run(resample, voice + i % LOOP * a / 50, a / 50, out);
    tell(name, began);
    resample_free(resample);
}

static struct jitter_packet packet_of(unsigned i, uint64_t *now_us)
{
    *now_us = 1000000 + i * UINT64_C(20000) + (i * 2654435761u >> 18); /* up to 16 ms of jitter */
    return (struct jitter_packet){.ssrc = 1,
                                  .seq = (uint16_t)i,
                                  .timestamp = i * 160,
                                  .payload = from.payload[i % LOOP],
                                  .len = (size_t)from.len[i % LOOP]};
}

static void jitter_alone(void)
{
    struct jitter *jitter = jitter_new(8000, 480, 0, 0);
    struct jitter_turn turn;
    double began;

    prepare(&pcmu, 8000);
    began = cpu_us();
    for (unsigned i = 0; i < packets; i++) {
        uint64_t now_us;
        struct jitter_packet packet = packet_of(i, &now_us);

        jitter_put(jitter, &packet, now_us);
        jitter_next(jitter, 1016000 + i * UINT64_C(20000), &turn);
        if (turn.what == JITTER_SOUND)
            jitter_played(jitter, 160);
    }
    tell("jitter buffer alone", began);
    if (jitter_count(jitter)->played < packets * 9 / 10)
        fprintf(stderr, "jitter buffer: only %llu packets were heard\n",
                (unsigned long long)jitter_count(jitter)->played);
    jitter_free(jitter);
}

static void ear_whole(void)
{
    struct ear *ear = ear_new(8000, 0, 0);
    int16_t pcm[EAR_FRAME_MAX];
    double began;

    if (!ear || ear_codec(ear, 0, kind_of(&pcmu), NULL) < 0)
        return;
    began = cpu_us();
    for (unsigned i = 0; i < packets; i++) {
        uint64_t now_us;
        struct jitter_packet packet = packet_of(i, &now_us);

        ear_packet(ear, &packet, now_us);
        ear_frame(ear, 1016000 + i * UINT64_C(20000), pcm);
    }
    tell("ear: jitter buffer, G.711 decoded, in frames", began);
    ear_free(ear);
}

int main(int argc, char **argv)
{
    uint64_t seconds;

    if (argc > 1 && str_to_u64(argv[1], 3600, &seconds) == 0 && seconds)
        packets = (unsigned)seconds * 50;
    transcode("G.711 to G.722, narrowband", &pcmu, &g722, 8000);
    transcode("G.722 to G.711, narrowband", &g722, &pcmu, 8000);
    transcode("G.711 to Opus", &pcmu, &opus, 8000);
    transcode("Opus to G.711", &opus, &pcmu, 8000);
    transcode("G.722 to Opus, wideband", &g722, &opus, 16000);
    transcode("Opus to G.722, wideband", &opus, &g722, 16000);
    decode("G.722 decode at 16000", &g722, 16000);
    encode("G.722 encode at 16000", &g722, 16000);
    decode("Opus decode at 48000", &opus, 48000);
    encode("Opus encode at 48000", &opus, 48000);
    convert("resample 8000 to 16000", 8000, 16000);
    convert("resample 16000 to 8000", 16000, 8000);
    convert("resample 16000 to 48000", 16000, 48000);
    convert("resample 48000 to 8000", 48000, 8000);
    jitter_alone();
    ear_whole();
    puts("\n}");
    return 0;
}
