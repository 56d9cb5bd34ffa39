/* The port numbers of one address family: even/odd pairs, picked at random, resting after use. Control thread. */
#ifndef MEDIA_RANGE_H
#define MEDIA_RANGE_H

#include "base/addr.h"

#define RANGE_REST_US 5000000u /* packets of the old call must have stopped before a number is used again */

struct range_rest {
    uint16_t number;
    uint64_t until_us;
};

struct range {
    union addr bind; /* AF_UNSPEC: no ports of this family */
    uint16_t *free;
    unsigned free_count, pairs;
    struct range_rest *rest; /* ring of `pairs`, by time */
    unsigned rest_first, rest_count;
    uint64_t rest_us; /* RANGE_REST_US, or what is written here after range_init() */
};

/* Even numbers from low with their odd neighbour up to high. */
void range_init(struct range *range, const union addr *bind, unsigned low, unsigned high);
void range_clear(struct range *range);
/* Binds an RTP (fds[0], even) and an RTCP socket (fds[1], odd). Numbers that some other program holds are left resting.
 * Returns 0, -ENOENT (all in use or resting), or a negative errno of socket() or bind(). */
int range_open(struct range *range, uint64_t now_us, int fds[2], union addr *addr);
/* The pair of this even number is closed and may come again after its rest. */
void range_rest(struct range *range, uint16_t number, uint64_t now_us);

#endif
