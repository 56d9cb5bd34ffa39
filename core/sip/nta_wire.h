/* The wire between the edge and NTA: datagrams cross it in memory, not over the loopback socket. Signalling thread. */
#ifndef SIP_NTA_WIRE_H
#define SIP_NTA_WIRE_H

#include <stddef.h>

struct agent;
struct nta_wire;
struct tport_s;
union addr;

/* Joins agent->edge with NTA's datagram transport `tp` (borrowed; it must live until nta_wire_close()), which is bound
 * to `at`, and returns the wire; the edge feeds it from now on. NULL: sofia does not call the functions that this needs
 * (another build of the library); datagrams go over the loopback socket then, which only costs more. */
struct nta_wire *nta_wire_open(struct agent *agent, struct tport_s *tp, const union addr *at);
/* What waits for NTA is dropped, what NTA wrote is sent. NULL does nothing. */
void nta_wire_close(struct nta_wire *wire);
/* Moves what waits, in both directions, until nothing does. Never from under sofia. NULL does nothing. */
void nta_wire_run(struct nta_wire *wire);
/* The same at the end of this loop turn, if anything waits. */
void nta_wire_run_later(struct nta_wire *wire);

#endif
