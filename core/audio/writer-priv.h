/* What a kind of recording is made of. Inside of the room. */
#ifndef AUDIO_WRITER_PRIV_H
#define AUDIO_WRITER_PRIV_H

#include "audio/writer.h"

#define WRITER_BLOCK 8192u /* bytes that are gathered for one call of the sink */

struct writer {
    const struct writer_ops *ops;
    struct writer_format format;
    struct writer_sink sink;
    bool pauses, finished;
    int error;
    uint64_t samples; /* of one channel */
    uint64_t at;      /* bytes that the sink has */
    size_t gathered;
    uint8_t block[WRITER_BLOCK];
    void *state; /* of its kind */
};

/* pcm: of all channels in turn. Errors of the sink are found in writer->error. */
struct writer_ops {
    int (*open)(struct writer *writer);
    void (*frame)(struct writer *writer, const int16_t *pcm, size_t samples);
    void (*finish)(struct writer *writer);
    void (*close)(struct writer *writer);
};

extern const struct writer_ops writer_wav, writer_ogg;

/* Adds to the block, which goes to the sink when it is full. */
void writer_put(struct writer *writer, const void *bytes, size_t len);
void writer_flush(struct writer *writer);
/* Past the block, for the header. */
void writer_put_at(struct writer *writer, uint64_t offset, const void *bytes, size_t len);

#endif
