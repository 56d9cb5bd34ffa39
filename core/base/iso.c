/* Times as text in UTC. Any thread; pure functions. */
#include "config.h" /* first: it asks the C library for its extensions */

#include "base/iso.h"

#include <stdio.h>
#include <time.h>

const char *iso_text(uint64_t us, char out[ISO_TEXT])
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    size_t used = 0;

    if (!gmtime_r(&seconds, &tm))
        return "1970-01-01T00:00:00Z";
    used = strftime(out, ISO_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    str_append(out, ISO_TEXT, &used, ".%06uZ", (unsigned)(us % 1000000));
    return out;
}

uint64_t iso_us(const char *text)
{
    struct tm tm = {0};
    double seconds;
    time_t whole;

    if (!text || sscanf(text, "%d-%d-%dT%d:%d:%lf", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
                        &seconds) != 6)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    whole = timegm(&tm);
    return whole < 0 ? 0 : (uint64_t)whole * 1000000 + (uint64_t)(seconds * 1e6 + 0.5);
}
