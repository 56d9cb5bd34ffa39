/* The a=fingerprint (RFC 8122) and a=setup lines (RFC 4145, RFC 5763): who the far side of a DTLS handshake is, and who
 * begins it. Any thread; knows no offer and no answer. */
#include "sip/sdp-priv.h"

#include <strings.h>

static const char *const hash_names[HASH_COUNT] = {
    [HASH_SHA1] = "sha-1", [HASH_SHA256] = "sha-256", [HASH_SHA384] = "sha-384", [HASH_SHA512] = "sha-512"};
static const char *const setup_words[] = {
    [SETUP_ACTIVE] = "active", [SETUP_PASSIVE] = "passive", [SETUP_ACTPASS] = "actpass"};

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

static enum fingerprint_hash hash_by_name(const char *name, size_t len)
{
    for (unsigned i = HASH_NONE + 1; i < HASH_COUNT; i++)
        if (strlen(hash_names[i]) == len && strncasecmp(hash_names[i], name, len) == 0)
            return (enum fingerprint_hash)i;
    return HASH_NONE;
}

/* "AB:CD:…", as many bytes as the hash has. RFC 8122 wants capitals; not all phones write them. */
static bool read_bytes(const char *text, uint8_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++, text += 3) {
        int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);

        if (low < 0 || text[2] != (i + 1 < count ? ':' : '\0'))
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static const char *read_fingerprint(const char *value, struct fingerprint *out)
{
    struct fingerprint print = {.hash = HASH_NONE};
    size_t len = strcspn(value, " \t");

    print.hash = (uint8_t)hash_by_name(value, len);
    if (!print.hash)
        return "its fingerprint is by a hash that is not supported";
    value += len;
    if (!read_bytes(value + strspn(value, " \t"), print.bytes, hash_len((enum fingerprint_hash)print.hash)))
        return "its fingerprint has the wrong length for its hash, or is not hexadecimal";
    if (print.hash > out->hash)
        *out = print; /* of several, the strongest (RFC 8122 §5) */
    return NULL;
}

static enum dtls_setup setup_by_word(const char *word)
{
    for (unsigned i = SETUP_ACTIVE; i < COUNT_OF(setup_words); i++)
        if (strcasecmp(setup_words[i], word) == 0)
            return (enum dtls_setup)i;
    return SETUP_NONE;
}

/* The first fault; a line that can be used makes up for it. */
static const char *read_lines(const struct sdp_attribute *attributes, unsigned count, struct dtls_side *out)
{
    const char *fault = NULL;

    for (const struct sdp_attribute *a = attributes; a < attributes + count; a++) {
        if (!a->value)
            continue;
        if (strcasecmp(a->name, "fingerprint") == 0) {
            const char *wrong = read_fingerprint(a->value, &out->print);

            if (!fault)
                fault = wrong;
        } else if (strcasecmp(a->name, "setup") == 0 && out->setup == SETUP_NONE) {
            out->setup = setup_by_word(a->value);
        }
    }
    return out->print.hash ? NULL : fault;
}

const char *sdp_dtls_read(const struct sdp *sdp, const struct sdp_media *media, struct dtls_side *out)
{
    struct dtls_side session = {.setup = SETUP_NONE};
    const char *fault = read_lines(media->attributes, media->attribute_count, out);
    const char *session_fault = read_lines(sdp->attributes, sdp->attribute_count, &session);

    if (!out->print.hash && !fault) {
        out->print = session.print;
        fault = session_fault;
    }
    if (out->setup == SETUP_NONE)
        out->setup = session.setup;
    return fault;
}

void sdp_fingerprint_write(const struct fingerprint *print, char out[SDP_FINGERPRINT_MAX])
{
    size_t used = 0;

    str_append(out, SDP_FINGERPRINT_MAX, &used, "%s ", hash_names[print->hash]);
    for (size_t i = 0; i < hash_len((enum fingerprint_hash)print->hash); i++)
        str_append(out, SDP_FINGERPRINT_MAX, &used, "%s%02X", i ? ":" : "", print->bytes[i]);
}

const char *sdp_setup_word(enum dtls_setup setup)
{
    return setup_words[setup];
}
