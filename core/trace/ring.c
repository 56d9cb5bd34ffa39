/* Frames of the recent past in bounded memory. Signalling thread; one allocation per 64 KiB until the ring has its
 * size, then none. Knows no SIP. */
#include "trace/ring.h"

#include <stdlib.h>

void ring_init(struct ring *ring, size_t bytes)
{
    ring->chunk_count = (unsigned)(bytes / RING_CHUNK);
    if (ring->chunk_count < 2) /* with one, the newest message would throw away all others at once */
        ring->chunk_count = 2;
    ring->chunks = mem_new(ring->chunk_count * sizeof *ring->chunks);
    ring->ends = mem_new(ring->chunk_count * sizeof *ring->ends);
    ring->head = 0;
    ring->written = RING_NONE;
    for (unsigned i = 0; i < RING_BUCKETS; i++)
        ring->newest[i] = RING_NONE;
}

void ring_free(struct ring *ring)
{
    for (unsigned i = 0; i < ring->chunk_count; i++)
        free(ring->chunks[i]);
    free(ring->chunks);
    free(ring->ends);
}

static unsigned slot(const struct ring *ring, uint64_t position)
{
    return (unsigned)(position / RING_CHUNK % ring->chunk_count);
}

static char *place(const struct ring *ring, uint64_t position)
{
    return ring->chunks[slot(ring, position)] + position % RING_CHUNK;
}

/* Would a frame at `position` stand in a chunk that still has to be written? */
static bool in_the_way(const struct ring *ring, uint64_t position)
{
    return ring->written != RING_NONE && position / RING_CHUNK >= ring->written / RING_CHUNK + ring->chunk_count;
}

struct frame *ring_add(struct ring *ring, enum frame_kind kind, uint64_t hash, size_t len, uint64_t *position)
{
    size_t kept = len < FRAME_TEXT_MAX ? len : FRAME_TEXT_MAX;
    size_t need = (sizeof(struct frame) + kept + 7) & ~(size_t)7;
    uint64_t head = ring->head;
    struct frame *frame;
    char **chunk;

    if (head % RING_CHUNK + need > RING_CHUNK) /* a frame lies in one chunk */
        head += RING_CHUNK - head % RING_CHUNK;
    if (in_the_way(ring, head))
        return NULL;
    chunk = &ring->chunks[slot(ring, head)];
    if (!*chunk)
        *chunk = mem_new(RING_CHUNK);
    frame = (struct frame *)place(ring, head);
    memset((char *)frame + need - 8, 0, 8); /* what is written to a file is all ours */
    memset(frame, 0, sizeof *frame);
    frame->size = (uint32_t)need;
    frame->len = (uint32_t)kept;
    frame->cut = (uint32_t)(len - kept);
    frame->kind = (uint8_t)kind;
    frame->hash = hash;
    if (kind == FRAME_MESSAGE) {
        frame->prev = ring->newest[hash % RING_BUCKETS];
        ring->newest[hash % RING_BUCKETS] = head;
    }
    ring->ends[slot(ring, head)] = (uint32_t)(head % RING_CHUNK + need);
    ring->head = head + need;
    *position = head;
    return frame;
}

/* A chunk is lost as a whole once the head has come round into it; the last byte written decides where the head is. */
static bool is_there(const struct ring *ring, uint64_t position)
{
    return position < ring->head && (ring->head - 1) / RING_CHUNK - position / RING_CHUNK < ring->chunk_count;
}

struct frame *ring_get(const struct ring *ring, uint64_t position)
{
    return is_there(ring, position) ? (struct frame *)place(ring, position) : NULL;
}

uint64_t ring_newest(const struct ring *ring, uint64_t hash)
{
    return ring->newest[hash % RING_BUCKETS];
}

const char *ring_run(const struct ring *ring, uint64_t *at, size_t *len)
{
    uint64_t newest = ring->head ? (ring->head - 1) / RING_CHUNK : 0;

    if (*at < ring->head && newest - *at / RING_CHUNK >= ring->chunk_count)
        *at = (newest - ring->chunk_count + 1) * RING_CHUNK;
    while (*at < ring->head) {
        const char *from = place(ring, *at);
        uint32_t end = ring->ends[slot(ring, *at)], offset = (uint32_t)(*at % RING_CHUNK);

        if (offset < end) {
            *len = end - offset;
            *at += *len;
            return from;
        }
        *at += RING_CHUNK - offset; /* the gap before a frame that did not fit */
    }
    return NULL;
}
