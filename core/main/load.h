/* Watches what the switch uses up (memory, transactions), and tells the edge, which turns new work away when it is too
 * much. Signalling thread. */
#ifndef MAIN_LOAD_H
#define MAIN_LOAD_H

#include <jansson.h>

#include "call/pbx.h"
#include "edge/edge.h"
#include "sip/agent.h"

struct load;

struct load *load_open(struct pbx *pbx, struct edge *edge, const struct agent *agent) MUST_USE;
void load_close(struct load *load); /* NULL allowed */
/* For `tandem status`: how much of what is allowed is used, and whom that hits. */
json_t *load_status(void *load);

#endif
