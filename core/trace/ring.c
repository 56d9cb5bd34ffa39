/* Raw messages of the recent past in bounded memory. Signalling thread; one allocation per 64 KiB until the ring has
 * its size, then none. Knows no SIP. */
#include "trace/ring.h"

#include <stdlib.h>

void ring_init(struct ring *ring, size_t bytes)
{
    ring->chunk_count = (unsigned)(bytes / RING_CHUNK);
    if (ring->chunk_count < 2) /* with one, the newest message would throw away all others at once */
        ring->chunk_count = 2;
    ring->chunks = mem_new(ring->chunk_count * sizeof *ring->chunks);
    ring->head = 0;
    for (unsigned i = 0; i < RING_BUCKETS; i++)
        ring->newest[i] = RING_NONE;
}

void ring_free(struct ring *ring)
{
    for (unsigned i = 0; i < ring->chunk_count; i++)
        free(ring->chunks[i]);
    free(ring->chunks);
}

static char *place(const struct ring *ring, uint64_t position)
{
    return ring->chunks[position / RING_CHUNK % ring->chunk_count] + position % RING_CHUNK;
}

struct ring_message *ring_add(struct ring *ring, uint64_t hash, size_t len, uint64_t *position)
{
    size_t kept = len < RING_MESSAGE_MAX ? len : RING_MESSAGE_MAX;
    size_t need = (sizeof(struct ring_message) + kept + 7) & ~(size_t)7;
    struct ring_message *message;
    char **chunk;

    if (ring->head % RING_CHUNK + need > RING_CHUNK) /* a message lies in one chunk */
        ring->head += RING_CHUNK - ring->head % RING_CHUNK;
    chunk = &ring->chunks[ring->head / RING_CHUNK % ring->chunk_count];
    if (!*chunk)
        *chunk = mem_new(RING_CHUNK);
    message = (struct ring_message *)place(ring, ring->head);
    message->hash = hash;
    message->prev = ring->newest[hash % RING_BUCKETS];
    message->len = (uint32_t)kept;
    message->cut = (uint32_t)(len - kept);
    ring->newest[hash % RING_BUCKETS] = *position = ring->head;
    ring->head += need;
    return message;
}

struct ring_message *ring_get(const struct ring *ring, uint64_t position)
{
    /* A chunk is lost as a whole once the head has come round into it; the last byte written decides where the head is.
     */
    if (position >= ring->head || (ring->head - 1) / RING_CHUNK - position / RING_CHUNK >= ring->chunk_count)
        return NULL;
    return (struct ring_message *)place(ring, position);
}

uint64_t ring_newest(const struct ring *ring, uint64_t hash)
{
    return ring->newest[hash % RING_BUCKETS];
}
