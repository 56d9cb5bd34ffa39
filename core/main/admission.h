/* What ties the edge's admission to the rest of the switch: its bans are kept over a restart and shown to the database,
 * settings and access lists of the configuration come into force, and the bus hears of bans. Signalling thread. */
#ifndef MAIN_ADMISSION_H
#define MAIN_ADMISSION_H

#include "call/pbx.h"
#include "edge/edge.h"

struct admission;

/* Borrows both. Never NULL. */
struct admission *admission_open(struct pbx *pbx, struct edge *edge) MUST_USE;
void admission_close(struct admission *admission); /* NULL allowed */

#endif
