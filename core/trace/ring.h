/* Frames (messages and facts) of the recent past in bounded memory: a ring of chunks that are taken as needed; messages
 * are chained by the hash of their Call-ID. A frame lies in the recorder's files as it lies here, so that a chunk is
 * written as it is. A position only grows and is never used twice; what it names may be gone. Signalling thread; a
 * range that ring_written() has not given back may be read by the recorder's worker. */
#ifndef TRACE_RING_H
#define TRACE_RING_H

#include "base/addr.h"

enum frame_kind {
    FRAME_MESSAGE, /* as it was on the wire, secrets masked; behind it why it went no further */
    FRAME_FACT,    /* an event of the bus; fact.h */
    FRAME_START,   /* the switch started: calls of before have ended */
};

struct frame {
    uint32_t size;  /* bytes to the next frame, this head counted; a multiple of 8 */
    uint32_t len;   /* bytes in text */
    uint64_t at_us; /* wall clock */
    uint64_t hash;  /* of the Call-ID under the recorder's key; 0: it has none */
    uint64_t prev;  /* position of the message before it in its chain, or RING_NONE; means nothing in a file */
    union addr peer, local;
    uint32_t cut; /* bytes that were not kept */
    uint32_t cseq;
    uint16_t why_len;           /* the last bytes of text: why the edge kept it from going further */
    uint8_t kind;               /* enum frame_kind */
    uint8_t inbound, transport; /* transport: enum edge_transport */
    char text[];                /* not NUL-terminated */
};

#define RING_NONE UINT64_MAX
#define RING_BUCKETS 4096u
#define RING_CHUNK (64u * 1024)
#define FRAME_TEXT_MAX (20u * 1024) /* longer ones are cut */

struct ring {
    char **chunks;
    uint32_t *ends; /* of each chunk: behind its last frame */
    unsigned chunk_count;
    uint64_t head;    /* where the next frame goes */
    uint64_t written; /* what is before it may be used again; RING_NONE: everything may */
    uint64_t newest[RING_BUCKETS];
};

void ring_init(struct ring *ring, size_t bytes);
void ring_free(struct ring *ring);
/* Room for a frame with len bytes of text (cut to FRAME_TEXT_MAX), a message linked into its chain; the caller fills in
 * the rest. NULL: what stands in its place is not written yet. */
struct frame *ring_add(struct ring *ring, enum frame_kind kind, uint64_t hash, size_t len, uint64_t *position);
/* NULL: its place was used again since. */
struct frame *ring_get(const struct ring *ring, uint64_t position);
/* The newest message of the hash's chain (others with another hash may be in it), or RING_NONE. */
uint64_t ring_newest(const struct ring *ring, uint64_t hash);
/* Frames from *at on that lie in one chunk: their bytes, *len of them; moves *at behind them. NULL: there are none.
 * What is gone already is passed over. */
const char *ring_run(const struct ring *ring, uint64_t *at, size_t *len);

static inline size_t frame_message_len(const struct frame *frame)
{
    return frame->len - frame->why_len;
}

#endif
