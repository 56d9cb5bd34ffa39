/* One face for all kinds of recordings: puts both sides together, gathers bytes, keeps the first error. Any thread;
 * opens and writes no files. */
#include "audio/writer-priv.h"

#include <stdlib.h>

#define PIECE 480u /* samples that are put together at once */

int writer_new(struct writer **writer, const struct writer_format *format, const struct writer_sink *sink)
{
    bool g711 = format->kind == WRITER_WAV_ULAW || format->kind == WRITER_WAV_ALAW;
    struct writer *w;
    int err;

    *writer = NULL;
    if ((format->rate != 8000 && (g711 || (format->rate != 16000 && format->rate != 48000))) || format->channels < 1 ||
        format->channels > 2)
        return -EINVAL;
    w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->ops = format->kind == WRITER_OPUS ? &writer_ogg : &writer_wav;
    w->format = *format;
    w->sink = *sink;
    err = w->ops->open(w);
    if (!err) {
        writer_flush(w);
        err = w->error;
    }
    if (err) {
        writer_free(w);
        return err;
    }
    *writer = w;
    return 0;
}

void writer_free(struct writer *writer)
{
    if (!writer)
        return;
    writer->ops->close(writer);
    free(writer);
}

void writer_put_at(struct writer *writer, uint64_t offset, const void *bytes, size_t len)
{
    if (!writer->error)
        writer->error = writer->sink.write(writer->sink.arg, offset, bytes, len);
}

void writer_flush(struct writer *writer)
{
    if (!writer->gathered)
        return;
    writer_put_at(writer, writer->at, writer->block, writer->gathered);
    writer->at += writer->gathered;
    writer->gathered = 0;
}

void writer_put(struct writer *writer, const void *bytes, size_t len)
{
    while (len) {
        size_t part = WRITER_BLOCK - writer->gathered;

        if (part > len)
            part = len;
        memcpy(writer->block + writer->gathered, bytes, part);
        writer->gathered += part;
        bytes = (const uint8_t *)bytes + part;
        len -= part;
        if (writer->gathered == WRITER_BLOCK)
            writer_flush(writer);
    }
}

static int16_t sum(int a, int b)
{
    int both = a + b;

    return (int16_t)(both > INT16_MAX ? INT16_MAX : both < INT16_MIN ? INT16_MIN : both);
}

int writer_frame(struct writer *writer, const int16_t *left, const int16_t *right, size_t samples)
{
    int16_t pcm[2 * PIECE];

    if (writer->finished || samples > WRITER_FRAME_MAX)
        return -EINVAL;
    for (size_t from = 0, part; from < samples && !writer->pauses && !writer->error; from += part) {
        part = samples - from < PIECE ? samples - from : PIECE;
        for (size_t i = 0; i < part; i++) {
            int16_t l = left ? left[from + i] : 0, r = right ? right[from + i] : 0;

            if (writer->format.channels == 1) {
                pcm[i] = sum(l, r);
            } else {
                pcm[2 * i] = l;
                pcm[2 * i + 1] = r;
            }
        }
        writer->samples += part;
        writer->ops->frame(writer, pcm, part);
    }
    return writer->error;
}

void writer_pause(struct writer *writer, bool pause)
{
    writer->pauses = pause;
}

int writer_finish(struct writer *writer)
{
    if (!writer->finished && !writer->error)
        writer->ops->finish(writer);
    writer->finished = true;
    return writer->error;
}

uint64_t writer_length_ms(const struct writer *writer)
{
    return writer->samples * 1000 / writer->format.rate;
}

const char *writer_extension(enum writer_kind kind)
{
    return kind == WRITER_OPUS ? "opus" : "wav";
}
