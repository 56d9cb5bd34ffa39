/* What the far side of a port says, as sound: decoded once a beat, for however many listen (a bridge that transcodes,
 * a conference, a recorder). There is one for a port while anybody listens. Worker's thread; allocates when somebody
 * begins to listen and when a codec is heard first. */
#ifndef MEDIA_HEARING_H
#define MEDIA_HEARING_H

#include "base/base.h"

struct port;

#define HEARING_SAMPLES_MAX 320u /* of 20 ms at 16000 */

/* Somebody listens from now on who wants sound at rate: 8000 or 16000. Each call needs its hearing_close(). Returns 0
 * or -ENOMEM. */
int hearing_open(struct port *port, unsigned rate) MUST_USE;
/* With the same rate. */
void hearing_close(struct port *port, unsigned rate);

/* The 20 ms of this beat, rate / 50 samples, for who has opened it at that rate; valid until the next beat. NULL:
 * nobody has said anything. */
const int16_t *hearing_frame(struct port *port, unsigned rate, uint64_t due_us);

/* Whether what the far side was told to send can be decoded. */
bool hearing_can_hear(const struct port *port);
/* 16000 when what the far side was told to send can carry it, else 8000. */
unsigned hearing_best_rate(const struct port *port);

/* Payload types were agreed on anew, or the far side is another one. */
void hearing_refresh(struct port *port);
/* Of the port's end, on any thread; nobody listens any more, or ever will. */
void hearing_free(struct port *port);

/* Adds the packets that came too late and those that came again, as far as the ear of now has counted them; those of
 * earlier ears are in the port's stats. */
void hearing_count(const struct port *port, uint32_t *late, uint32_t *doubled);

#endif
