/* When a clock on the wall shows a time: by the C library's time zone, which is looked at anew each time. Pure. */
#include "wakeup_clock.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

bool wakeup_time_parse(const char *text, unsigned *hour, unsigned *minute)
{
    unsigned digits[4] = {0}, count = 0;
    const char *colon = strchr(text, ':');

    for (const char *p = text; *p; p++) {
        if (p == colon)
            continue;
        if (!isdigit((unsigned char)*p) || count == 4)
            return false;
        digits[count++] = (unsigned)(*p - '0');
    }
    if (count < 3 || (colon && strlen(colon) != 3))
        return false;
    *hour = count == 3 ? digits[0] : digits[0] * 10 + digits[1];
    *minute = digits[count - 2] * 10 + digits[count - 1];
    return *hour < 24 && *minute < 60;
}

int64_t wakeup_after(int64_t since, unsigned hour, unsigned minute)
{
    time_t from = (time_t)since;

    tzset(); /* the zone may have been changed */
    for (int days = 0; days < 3; days++) {
        struct tm tm;
        time_t at;

        if (!localtime_r(&from, &tm))
            break;
        if (days == 0 && tm.tm_hour * 60 + tm.tm_min >= (int)(hour * 60 + minute))
            continue; /* it has been today, and where it comes twice, once is enough */
        tm.tm_mday += days;
        tm.tm_hour = (int)hour;
        tm.tm_min = (int)minute;
        tm.tm_sec = 0;
        tm.tm_isdst = -1;
        at = mktime(&tm);
        if (at > from)
            return at;
    }
    return since + 86400;
}
