/* Reads and writes the two bodies in which phones send a key by INFO. Neither has an RFC: dtmf-relay is lines of
 * "name=value", dtmf the bare key. Any thread; knows no dialog and no sofia. */
#include "sip/key_info.h"

#include <ctype.h>
#include <strings.h>

#define RELAY "application/dtmf-relay"
#define PLAIN "application/dtmf"

/* A piece of the body. */
struct span {
    const char *at;
    size_t len;
};

static struct span trim(const char *at, size_t len)
{
    while (len && (*at == ' ' || *at == '\t'))
        at++, len--;
    while (len && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    return (struct span){at, len};
}

static bool is(struct span span, const char *word)
{
    return span.len == strlen(word) && strncasecmp(span.at, word, span.len) == 0;
}

/* The next line that is not empty; a line ends with CR, LF or both. */
static bool next_line(const char **at, const char *end, struct span *line)
{
    while (*at < end) {
        const char *from = *at;

        while (*at < end && **at != '\r' && **at != '\n')
            ++*at;
        *line = trim(from, (size_t)(*at - from));
        if (*at < end)
            ++*at;
        if (line->len)
            return true;
    }
    return false;
}

static bool number(struct span span, unsigned most, unsigned *out)
{
    unsigned value = 0;

    if (!span.len)
        return false;
    for (size_t i = 0; i < span.len; i++) {
        if (!isdigit((unsigned char)span.at[i]))
            return false;
        value = value * 10 + (unsigned)(span.at[i] - '0');
        if (value > most)
            value = most;
    }
    *out = value;
    return true;
}

/* "5", "*", "a", "11", "hf": NUL when it is none. */
static char read_key(struct span span)
{
    unsigned event;
    int found = span.len == 1 ? key_event(*span.at) : -EINVAL;

    if (found >= 0)
        return KEYS_OF_PHONES[found];
    if (is(span, "hf") || is(span, "flash"))
        return '!';
    if (span.len == 2 && number(span, 99, &event) && event < sizeof KEYS_OF_PHONES - 1)
        return KEYS_OF_PHONES[event];
    return '\0';
}

/* One line of dtmf-relay. Returns 0, or -EINVAL. */
static int relay_line(struct span line, struct key_info *out)
{
    const char *equals = memchr(line.at, '=', line.len);
    struct span name, value;
    unsigned ms;
    char key;

    if (!equals)
        return 0;
    name = trim(line.at, (size_t)(equals - line.at));
    value = trim(equals + 1, line.len - (size_t)(equals + 1 - line.at));
    if (is(name, "Signal")) {
        key = read_key(value);
        if (!key || (out->key && out->key != key))
            return -EINVAL;
        out->key = key;
    } else if (is(name, "Duration") && number(value, KEY_INFO_MS_MOST, &ms) && ms) {
        out->ms = ms;
    }
    return 0;
}

int key_info_read(const char *type, const char *body, size_t len, struct key_info *out)
{
    bool relay = strcasecmp(type, RELAY) == 0;
    const char *at = body, *end = body + len;
    struct span line;

    if (!relay && strcasecmp(type, PLAIN) != 0)
        return -ENOTSUP;
    *out = (struct key_info){.ms = KEY_MS};
    while (next_line(&at, end, &line)) {
        /* Some phones send the lines of the one under the name of the other. */
        if (relay || memchr(line.at, '=', line.len)) {
            if (relay_line(line, out) < 0)
                return -EINVAL;
        } else {
            char key = read_key(line);

            if (!key || (out->key && out->key != key))
                return -EINVAL;
            out->key = key;
        }
    }
    return out->key ? 0 : -EINVAL;
}

int key_info_write(const char *type, const struct key_info *info, char *out, size_t size)
{
    int event = key_event(info->key);
    unsigned ms = !info->ms ? KEY_MS : info->ms > KEY_INFO_MS_MOST ? KEY_INFO_MS_MOST : info->ms;
    size_t used = 0;

    if (event < 0)
        return -EINVAL;
    if (strcasecmp(type, RELAY) == 0 && event >= KEYS_WITH_TONE)
        return str_append(out, size, &used, "Signal=hf\r\nDuration=%u\r\n", ms);
    if (strcasecmp(type, RELAY) == 0)
        return str_append(out, size, &used, "Signal=%c\r\nDuration=%u\r\n", KEYS_OF_PHONES[event], ms);
    if (strcasecmp(type, PLAIN) != 0)
        return -ENOTSUP;
    if (event >= KEYS_WITH_TONE)
        return -EINVAL;
    return str_append(out, size, &used, "%c\r\n", KEYS_OF_PHONES[event]);
}
