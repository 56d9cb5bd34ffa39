/* The keys that a port's far side presses, told to the controller as they go down and come up. Worker's thread. */
#ifndef MEDIA_KEYS_H
#define MEDIA_KEYS_H

#include "media/port.h"

/* Payload types were agreed on anew. */
void keys_refresh(struct port *port);
/* Now and then: a key whose end got lost is up. */
void keys_tick(struct port *port, uint64_t now_us);

#endif
