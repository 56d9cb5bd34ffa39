/* Decisions about subscriptions: how long, how often, what an answer means. Any thread. Knows no messages, keeps
 * nothing. */
#include "sip/event_rules.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define HOUR 3600
#define RETRY_MS 2000
#define LOSSES_MAX 4 /* after the last of them nearly a minute has gone by, over UDP more than two */

int event_grant(const struct event_package *package, int64_t asked, unsigned *granted)
{
    *granted = package->expires_default;
    if (asked < 0)
        return 0;
    /* RFC 6665 §4.2.1.1: nobody who asks for an hour is told that it is too little. */
    if (asked > 0 && asked < package->expires_min && asked < HOUR)
        return -ERANGE;
    *granted = asked > package->expires_max ? package->expires_max : (unsigned)asked;
    return 0;
}

uint64_t event_wait_ms(uint64_t now_us, uint64_t sent_us, unsigned interval_ms)
{
    uint64_t at_us = sent_us + interval_ms * UINT64_C(1000);

    if (!sent_us || now_us >= at_us)
        return 0;
    return (at_us - now_us + 999) / 1000;
}

enum event_fate event_fate(int status)
{
    static const int over[] = {404, 405, 410, 416, 481, 482, 483, 484, 485, 489, 501, 604};

    if (status < 300)
        return EVENT_TOLD;
    for (size_t i = 0; i < COUNT_OF(over); i++)
        if (status == over[i])
            return EVENT_OVER;
    return status == 430 ? EVENT_AWAY : EVENT_LOST;
}

unsigned event_retry_ms(unsigned losses, enum event_fate fate)
{
    if (fate == EVENT_AWAY && losses >= LOSSES_MAX)
        losses = LOSSES_MAX - 1;
    return losses && losses < LOSSES_MAX ? RETRY_MS << 2 * (losses - 1) : 0;
}

const char *event_type(const struct event_package *package, const char *range)
{
    const char *slash = strchr(range, '/');
    bool all = strcmp(range, "*/*") == 0, family = slash && strcmp(slash, "/*") == 0;

    for (const char *const *type = package->types; *type; type++) {
        size_t len = strcspn(*type, "; "); /* its parameters are not part of the question */

        if (all || (strlen(range) == len && strncasecmp(*type, range, len) == 0) ||
            (family && strncasecmp(*type, range, (size_t)(slash - range) + 1) == 0))
            return *type;
    }
    return NULL;
}
