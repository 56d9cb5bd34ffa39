/* The allow-lists of headers, and lists of them as text. Signalling thread. Knows no SIP beyond what a header line
 * looks like. */
#include "call/headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static bool is_listed(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcasecmp(*list, name) == 0)
            return true;
    return false;
}

/* Own headers (X-…) carry what two sides have agreed on. Those that others use for identities and addresses stay out.
 */
static bool is_private(const char *name)
{
    static const char *const taken[] = {"X-Real-IP",           "X-Forwarded-For",      "X-Original-To",
                                        "X-Asserted-Identity", "X-Preferred-Identity", NULL};

    return strncasecmp(name, "X-", 2) == 0 && name[2] && !is_listed(taken, name);
}

bool header_may_be_read(const char *name)
{
    static const char *const list[] = {"Accept-Language", "Alert-Info", "Call-Info",  "Organization",
                                       "Priority",        "Subject",    "User-Agent", NULL};

    return is_listed(list, name) || is_private(name);
}

bool header_may_be_sent(const char *name)
{
    static const char *const list[] = {"Alert-Info", "Call-Info", "Organization", "Priority", "Subject", NULL};

    return is_listed(list, name) || is_private(name);
}

/* RFC 3261 §25.1: a token; the value on one line. */
static bool is_header(const char *name, const char *value)
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~";

    if (!*name || strspn(name, token) != strlen(name))
        return false;
    for (const unsigned char *p = (const unsigned char *)value; *p; p++)
        if (*p < 0x20 || *p == 0x7F)
            return false;
    return value[strspn(value, " ")] != '\0';
}

int headers_add(char **list, const char *name, const char *value)
{
    size_t used = *list ? strlen(*list) : 0, more = strlen(name) + strlen(value) + 4;
    unsigned count = 0;

    if (!is_header(name, value))
        return -EINVAL;
    for (const char *p = *list; p && *p; p = strchr(p, '\n') + 1)
        count++;
    if (strlen(name) > HEADER_NAME_MAX || strlen(value) > HEADER_VALUE_MAX || count >= HEADERS_MAX)
        return -E2BIG;
    *list = mem_resize(*list, used + more);
    snprintf(*list + used, more, "%s: %s\n", name, value);
    return 0;
}

const char *headers_get(const char *list, const char *name, size_t *len)
{
    size_t name_len = strlen(name);

    for (const char *p = list; p && *p; p = strchr(p, '\n') + 1) {
        if (strncasecmp(p, name, name_len) == 0 && p[name_len] == ':') {
            p += name_len + 2;
            *len = strcspn(p, "\n");
            return p;
        }
    }
    return NULL;
}
