/* Times as ISO 8601 text in UTC, as PostgreSQL reads and writes them in JSON. Any thread. */
#ifndef BASE_ISO_H
#define BASE_ISO_H

#include "base/base.h"

#define ISO_TEXT 40

/* µs since 1970 as "2025-03-04T05:06:07.891000Z". Returns out. */
const char *iso_text(uint64_t us, char out[ISO_TEXT]);
/* "2025-03-04T05:06:07.891+00:00", in UTC, as µs since 1970; 0: it is no time, or NULL. */
uint64_t iso_us(const char *text);

#endif
