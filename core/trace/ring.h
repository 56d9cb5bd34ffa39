/* Raw messages of the recent past in bounded memory: a ring of chunks that are taken as needed, chained by the hash of
 * their Call-ID. A position only grows and is never used twice; what it names may be gone. Signalling thread. */
#ifndef TRACE_RING_H
#define TRACE_RING_H

#include "base/addr.h"

struct ring_message {
    uint64_t at_us; /* wall clock */
    uint64_t hash;  /* of the Call-ID */
    uint64_t prev;  /* position of the message before it in its chain, or RING_NONE */
    union addr peer;
    uint32_t len; /* bytes kept in text */
    uint32_t cut; /* bytes that were not */
    uint32_t cseq;
    bool inbound;
    bool dropped; /* the edge kept it from going further */
    char text[];  /* not NUL-terminated */
};

#define RING_NONE UINT64_MAX
#define RING_BUCKETS 4096u
#define RING_CHUNK (64u * 1024)
#define RING_MESSAGE_MAX (20u * 1024) /* longer ones are cut */

struct ring {
    char **chunks;
    unsigned chunk_count;
    uint64_t head; /* where the next message goes */
    uint64_t newest[RING_BUCKETS];
};

void ring_init(struct ring *ring, size_t bytes);
void ring_free(struct ring *ring);
/* Room for a message of len bytes (cut to RING_MESSAGE_MAX), linked into its chain; the caller fills in the rest. */
struct ring_message *ring_add(struct ring *ring, uint64_t hash, size_t len, uint64_t *position);
/* NULL: its place was used again since. */
struct ring_message *ring_get(const struct ring *ring, uint64_t position);
/* The newest message of the hash's chain (others with another hash may be in it), or RING_NONE. */
uint64_t ring_newest(const struct ring *ring, uint64_t hash);

#endif
