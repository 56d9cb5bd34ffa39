/* Reads and writes the few elements of as-feature-event. Pure functions: no allocation, nothing outside of what they
 * are given. Knows of XML what these documents use: elements, text, the five entities. */
#include "feature_xml.h"

#include <ctype.h>
#include <strings.h>

#define DOCUMENT_MAX 4000
#define BOUNDARY "tandem-feature-events"

const char feature_content_type[] = "multipart/mixed;boundary=" BOUNDARY;

static const char *const forward_types[FEATURE_COUNT] = {
    [FEATURE_ALWAYS] = "forwardImmediate", [FEATURE_BUSY] = "forwardBusy", [FEATURE_NO_ANSWER] = "forwardNoAns"};

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* Behind the start tag of the first element of this local name; NULL: there is none. */
static const char *find_element(const char *xml, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = xml; (p = strchr(p, '<')); p++) {
        const char *tag = p + 1, *local = tag + strcspn(tag, " \t\r\n/>:");
        const char *end = strchr(tag, '>');

        local = *local == ':' ? local + 1 : tag; /* without its prefix */
        if (end && strncmp(local, name, len) == 0 && strchr(" \t\r\n/>", local[len]) && local[len])
            return end[-1] == '/' ? "" : end + 1;
    }
    return NULL;
}

static char entity(const char **p)
{
    static const struct {
        const char *name;
        char means;
    } entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};

    for (size_t i = 0; i < COUNT_OF(entities); i++)
        if (strncmp(*p, entities[i].name, strlen(entities[i].name)) == 0) {
            *p += strlen(entities[i].name);
            return entities[i].means;
        }
    return *(*p)++;
}

/* Its text without the white space around it; "" when there is no such element, or it is too long. */
static void element_text(const char *xml, const char *name, char *out, size_t size)
{
    const char *p = find_element(xml, name);
    size_t len = 0;

    out[0] = '\0';
    while (p && isspace((unsigned char)*p))
        p++;
    while (p && *p && *p != '<') {
        if (len + 1 == size) {
            out[0] = '\0';
            return;
        }
        out[len++] = entity(&p);
    }
    while (len && isspace((unsigned char)out[len - 1]))
        len--;
    out[len] = '\0';
}

static bool is_true(const char *xml, const char *name)
{
    char text[16];

    element_text(xml, name, text, sizeof text);
    return strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0;
}

/* "203", "tel:203", "sip:203@example.org". */
static void number_in(const char *xml, const char *name, char out[64])
{
    char text[200];
    const char *number = text;

    element_text(xml, name, text, sizeof text);
    if (strncasecmp(number, "sip:", 4) == 0 || strncasecmp(number, "tel:", 4) == 0)
        number += 4;
    else if (strncasecmp(number, "sips:", 5) == 0)
        number += 5;
    if (str_copy_n(out, 64, number, strcspn(number, "@;")) < 0)
        out[0] = '\0';
}

static int read_forward(const char *xml, enum feature_kind *feature, struct feature_state *out)
{
    char type[32], rings[8];
    uint64_t count;

    element_text(xml, "forwardingType", type, sizeof type);
    for (*feature = FEATURE_ALWAYS; *feature < FEATURE_COUNT && strcasecmp(type, forward_types[*feature]) != 0;)
        (*feature)++;
    if (*feature == FEATURE_COUNT)
        return -EOPNOTSUPP;
    out->on = is_true(xml, "activateForward");
    number_in(xml, "forwardDN", out->number);
    element_text(xml, "ringCount", rings, sizeof rings);
    if (str_to_u64(rings, 100, &count) == 0)
        out->rings = (unsigned)count;
    return 0;
}

int feature_read(const char *text, size_t len, enum feature_kind *feature, struct feature_state *out)
{
    char xml[DOCUMENT_MAX];

    memset(out, 0, sizeof *out);
    if (len >= sizeof xml || memchr(text, '\0', len))
        return -EINVAL;
    str_copy_n(xml, sizeof xml, text, len);
    if (find_element(xml, "SetForwarding"))
        return read_forward(xml, feature, out);
    if (!find_element(xml, "SetDoNotDisturb"))
        return strchr(xml, '<') ? -EOPNOTSUPP : -EINVAL;
    *feature = FEATURE_DND;
    out->on = is_true(xml, "doNotDisturbOn");
    return 0;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void escape(const char *text, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (; *text; text++)
        switch (*text) {
        case '&':
            str_append(out, size, &used, "&amp;");
            break;
        case '<':
            str_append(out, size, &used, "&lt;");
            break;
        case '>':
            str_append(out, size, &used, "&gt;");
            break;
        default:
            str_append(out, size, &used, "%c", *text);
        }
}

int feature_write(char *out, size_t size, size_t *used, const char *account, enum feature_kind feature,
                  const struct feature_state *state)
{
    static const char head[] = "--" BOUNDARY "\r\nContent-Type: application/x-as-feature-event+xml\r\n\r\n"
                               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n";
    static const char space[] = "xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\"";
    char device[330], number[330], rings[60] = "";
    size_t rings_used = 0;

    escape(account, device, sizeof device);
    escape(state->on ? state->number : "", number, sizeof number);
    if (feature == FEATURE_DND)
        return str_append(out, size, used,
                          "%s<DoNotDisturbEvent %s><device>%s</device><doNotDisturbOn>%s</doNotDisturbOn>"
                          "</DoNotDisturbEvent>\r\n",
                          head, space, device, state->on ? "true" : "false");
    if (feature == FEATURE_NO_ANSWER && state->rings)
        str_append(rings, sizeof rings, &rings_used, "<ringCount>%u</ringCount>", state->rings);
    return str_append(out, size, used,
                      "%s<ForwardingEvent %s><device>%s</device><forwardingType>%s</forwardingType>"
                      "<forwardStatus>%s</forwardStatus><forwardTo>%s</forwardTo>%s</ForwardingEvent>\r\n",
                      head, space, device, forward_types[feature], state->on ? "true" : "false", number, rings);
}

int feature_close(char *out, size_t size, size_t *used)
{
    return str_append(out, size, used, "--" BOUNDARY "--\r\n");
}
