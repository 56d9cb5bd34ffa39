/* A conference in the media process: ports of one worker that hear each other, each without himself. A port is in one
 * room at most. Worker's thread; allocates when somebody joins and when a rate or a codec is wanted first. */
#ifndef MEDIA_MIX_H
#define MEDIA_MIX_H

#include "media/media.h"

struct port;
struct worker;

/* Into this room of the port's worker, or other flags (enum media_mix) in the one where it is. The first makes the
 * room. It leaves another room. */
void mix_join(struct port *port, uint64_t room, unsigned flags);
/* The last one's leaving is the end of the room. Nothing when it is in none. */
void mix_leave(struct port *port);

/* Payload types were agreed on anew. */
void mix_refresh(struct port *port);

#endif
