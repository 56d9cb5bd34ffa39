/* When a clock on the wall shows a time. Pure. */
#ifndef DIALING_WAKEUP_CLOCK_H
#define DIALING_WAKEUP_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* "07:30", "0730", "730". */
bool wakeup_time_parse(const char *text, unsigned *hour, unsigned *minute);
/* The first moment after `since` (seconds since 1970) at which clocks in the time zone of this machine show that time,
 * as the zone is now. Each day has one: where the clock is put forward over it, it is an hour off; where it comes
 * twice, one of the two is taken. */
int64_t wakeup_after(int64_t since, unsigned hour, unsigned minute);

#endif
