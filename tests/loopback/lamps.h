/* The sample module lamp, and phones that watch lamps. */
#ifndef LOOPBACK_LAMPS_H
#define LOOPBACK_LAMPS_H

#include "bed.h"
#include "wire.h"

#define LAMP "Event: lamp\r\n"

/* The bed with the sample; lines: more options of it. */
struct bed *with_lamps(const char *lines, struct config_sip_timers timers);
extern const struct config_sip_timers usual;
/* A command of the sample; what it counts. */
unsigned lamp(struct bed *bed, const char *name, const char *shines, const char *what);
unsigned subscriptions(struct bed *bed);
/* SUBSCRIBE outside of dialogs; a 200 becomes the dialog of the phone's next verbs. */
const struct message *subscribe(struct ua *ua, const char *name, const char *headers);
/* SUBSCRIBE in that dialog; its status. */
int again(struct ua *ua, const char *headers);
/* The next NOTIFY: answered with 200 when it says so, whose state begins like this, with this body. */
void expect(struct ua *ua, const char *state, const char *body);

#endif
