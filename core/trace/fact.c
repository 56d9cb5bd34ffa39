/* Facts as bytes: tag, length, value. An unknown tag is passed over, so that a switch reads the files of a newer one.
 * Any thread. */
#include "trace/fact.h"

struct field {
    char tag;
    size_t at;
};

#define FIELD(letter, name)                                                                                            \
    {                                                                                                                  \
        letter, offsetof(struct fact, name)                                                                            \
    }

static const struct field texts[] = {
    FIELD('k', kind),    FIELD('c', cause),       FIELD('w', who),       FIELD('a', account),
    FIELD('d', detail),  FIELD('f', from),        FIELD('n', from_name), FIELD('t', to),
    FIELD('x', context), FIELD('b', answered_by), FIELD('p', party),     FIELD('u', leg_account),
    FIELD('i', call_id), FIELD('o', codec),       FIELD('e', srtp),      FIELD('m', made_by),
};
static const struct field numbers[] = {
    FIELD('S', started_us),    FIELD('A', answered_us), FIELD('Q', sip_status), FIELD('O', outbound),
    FIELD('s', leg_status),    FIELD('M', counted),     FIELD('R', rx_packets), FIELD('T', tx_packets),
    FIELD('L', lost),          FIELD('D', dropped),     FIELD('J', jitter_us),  FIELD('F', first_rx_ms),
    FIELD('E', rejected),      FIELD('I', mos_in),      FIELD('U', mos_out),    FIELD('l', far_lost),
    FIELD('j', far_jitter_us), FIELD('r', rtt_us),      FIELD('q', reports),    FIELD('y', bad_reports),
};
static const struct field ids[] = {FIELD('C', call), FIELD('G', leg), FIELD('V', conversation)};
static const struct field addrs[] = {FIELD('P', peer), FIELD('X', source)};

static void *value(const struct fact *fact, const struct field *field)
{
    return (char *)(uintptr_t)fact + field->at;
}

static void put(char *out, size_t *used, char tag, const void *data, size_t len)
{
    if (*used + 2 + len > FACT_MAX)
        return;
    out[(*used)++] = tag;
    out[(*used)++] = (char)len;
    memcpy(out + *used, data, len);
    *used += len;
}

static void put_text(char *out, size_t *used, char tag, const char *text)
{
    char cut[256];
    size_t len = strlen(text);

    if (len > 254) {
        str_copy(cut, 255, text);
        text = cut;
        len = 254;
    }
    put(out, used, tag, text, len + 1);
}

size_t fact_encode(const struct fact *fact, char out[FACT_MAX])
{
    size_t used = 0;

    for (size_t i = 0; i < COUNT_OF(ids); i++)
        if (!uuid_is_nil(value(fact, &ids[i])))
            put(out, &used, ids[i].tag, value(fact, &ids[i]), sizeof(struct uuid));
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const char *text = *(const char *const *)value(fact, &texts[i]);

        if (text)
            put_text(out, &used, texts[i].tag, text);
    }
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        const uint64_t *number = value(fact, &numbers[i]);

        if (*number)
            put(out, &used, numbers[i].tag, number, sizeof *number);
    }
    for (size_t i = 0; i < COUNT_OF(addrs); i++) {
        union addr addr;

        addr_copy(&addr, value(fact, &addrs[i]));
        if (addr_is_set(&addr))
            put(out, &used, addrs[i].tag, &addr, sizeof addr);
    }
    return used;
}

static const struct field *find(const struct field *fields, size_t count, char tag)
{
    for (size_t i = 0; i < count; i++)
        if (fields[i].tag == tag)
            return &fields[i];
    return NULL;
}

static void take(struct fact *fact, char tag, const char *data, size_t len)
{
    const struct field *field;

    if ((field = find(texts, COUNT_OF(texts), tag)) && len && data[len - 1] == '\0')
        *(const char **)value(fact, field) = data;
    else if ((field = find(numbers, COUNT_OF(numbers), tag)) && len == sizeof(uint64_t))
        memcpy(value(fact, field), data, len);
    else if ((field = find(ids, COUNT_OF(ids), tag)) && len == sizeof(struct uuid))
        memcpy(value(fact, field), data, len);
    else if ((field = find(addrs, COUNT_OF(addrs), tag)) && len == sizeof(union addr))
        memcpy(value(fact, field), data, len);
}

void fact_decode(const char *data, size_t len, struct fact *fact)
{
    memset(fact, 0, sizeof *fact);
    for (size_t at = 0; at + 2 <= len;) {
        size_t n = (unsigned char)data[at + 1];

        if (n > len - at - 2)
            break;
        take(fact, data[at], data + at + 2, n);
        at += 2 + n;
    }
    if (!fact->kind)
        fact->kind = "";
}
