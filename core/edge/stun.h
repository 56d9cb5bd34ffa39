/* The little of STUN (RFC 8489) that a client needs who only wants to know how the internet sees it. Pure functions. */
#ifndef EDGE_STUN_H
#define EDGE_STUN_H

#include "base/addr.h"

#define STUN_PORT 3478
#define STUN_ID_LEN 12
#define STUN_HEADER_LEN 20

/* A Binding request without attributes. id: random, of this transaction alone. */
void stun_request(const uint8_t id[STUN_ID_LEN], uint8_t out[STUN_HEADER_LEN]);
/* Reads the answer to the request of this id. 0 and *mapped; -EINVAL: it is no answer to it (drop it); -EPROTO: the
 * server refuses, or its answer has no address. */
int stun_answer(const uint8_t *data, size_t len, const uint8_t id[STUN_ID_LEN], union addr *mapped);

#endif
