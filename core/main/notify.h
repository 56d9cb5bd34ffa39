/* What a service manager wants to know (sd_notify(3)'s protocol). Without one, nothing happens. Signalling thread. */
#ifndef MAIN_NOTIFY_H
#define MAIN_NOTIFY_H

#include "base/loop.h"

struct notify;

/* Says that phones are served, and from now on, when a watchdog is set, that the loop turns. NULL: nobody asks. */
struct notify *notify_ready(struct loop *loop);
void notify_stopping(struct notify *notify);
void notify_free(struct notify *notify);

#endif
