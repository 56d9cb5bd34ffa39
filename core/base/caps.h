/* Linux capabilities of the calling thread (capabilities(7)). Any thread. */
#ifndef BASE_CAPS_H
#define BASE_CAPS_H

#include <stdint.h>

/* Keeps only these (bits 1 << CAP_…) of what the thread has, as permitted and effective; 0: none. Threads that it
 * starts afterwards have the same. Returns 0 or negative errno. */
int caps_keep(uint64_t keep);
/* What a service manager has given to this user to pass on (the ambient set). */
uint64_t caps_ambient(void);

#endif
