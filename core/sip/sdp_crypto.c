/* The a=crypto line (RFC 4568 §9.1): keys for SRTP, read and written. What cannot be used is refused with words that
 * hold nothing of the line: it has a secret in it. Any thread; knows no offer and no answer. */
#include "sip/sdp-priv.h"

#include <inttypes.h>
#include <strings.h>

#define TAG_MAX 999999999u /* 1*9DIGIT */
#define LIFETIME_BITS_MAX 48

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Exactly want bytes, with or without padding (RFC 4568 §6.1 wants it, not all phones write it). */
static bool read_base64(const char *text, size_t len, uint8_t *out, size_t want)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t got = 0;

    for (int i = 0; i < 2 && len && text[len - 1] == '='; i++)
        len--;
    for (size_t i = 0; i < len; i++) {
        const char *at = text[i] ? strchr(alphabet, text[i]) : NULL;

        if (!at)
            return false;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        if (got == want)
            return false;
        out[got++] = (uint8_t)(bits >> have);
    }
    return got == want && have < 6;
}

static void write_base64(const uint8_t *data, size_t len, char *out)
{
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits =
            (uint32_t)data[i] << 16 | (i + 1 < len ? (uint32_t)data[i + 1] << 8 : 0) | (i + 2 < len ? data[i + 2] : 0);

        for (unsigned k = 0; k < 4; k++)
            *out++ = k > len - i ? '=' : alphabet[bits >> (18 - 6 * k) & 63];
    }
    *out = '\0';
}

/* "2^20" or "1048576": how many packets the key is good for. It is never used for longer than that: 2^31 packets are
 * four hundred days of speech, and who sets less sends a new key in time. */
static bool read_lifetime(const char *text, size_t len)
{
    uint64_t value = 0;
    bool power = len > 2 && text[0] == '2' && text[1] == '^';

    for (size_t i = power ? 2 : 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || value > UINT64_C(1) << LIFETIME_BITS_MAX)
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    return len && value && value <= (power ? LIFETIME_BITS_MAX : UINT64_C(1) << LIFETIME_BITS_MAX);
}

/* "1:4": the identifier and how many bytes of a packet it takes. */
static bool read_mki(const char *text, size_t len, struct srtp_key *key)
{
    const char *colon = memchr(text, ':', len);
    uint64_t value = 0, bytes = 0;

    for (const char *p = text; p < text + len; p++) {
        uint64_t *number = p < colon ? &value : &bytes;

        if (p == colon)
            continue;
        if (*p < '0' || *p > '9' || *number > (UINT64_MAX - 9) / 10)
            return false;
        *number = *number * 10 + (uint64_t)(*p - '0');
    }
    if (colon == text || !bytes || bytes > MKI_MAX || (bytes < 8 && value >> (8 * bytes)))
        return false;
    key->mki = value;
    key->mki_len = (uint8_t)bytes;
    return true;
}

/* "inline:KEY|LIFETIME|MKI:LENGTH"; the last two may be missing. */
static const char *read_key(const char *text, size_t len, struct srtp_key *key)
{
    const char *end = text + len, *bar;

    if (memchr(text, ';', len))
        return "it has several keys";
    if (len < 7 || strncasecmp(text, "inline:", 7) != 0)
        return "its key is not inline";
    text += 7;
    bar = memchr(text, '|', (size_t)(end - text));
    if (!read_base64(text, (size_t)((bar ? bar : end) - text), key->key, suite_key_len((enum suite)key->suite)))
        return "its key has the wrong length for its suite, or is no base64";
    for (int part = 0; bar; part++) {
        const char *next;

        text = bar + 1;
        next = memchr(text, '|', (size_t)(end - text));
        len = (size_t)((next ? next : end) - text);
        if (memchr(text, ':', len) ? key->mki_len || !read_mki(text, len, key) : part > 0 || !read_lifetime(text, len))
            return "the lifetime or the identifier (MKI) of its key makes no sense";
        bar = next;
    }
    return NULL;
}

/* RFC 4568 §6.3. What weakens the protection is refused; what is not known too, unless it says that it may be passed
 * over; the window of the replay check (WSH) is ours to choose. */
static const char *check_parameter(const char *text, size_t len)
{
    if (text[0] == '-' || (len > 4 && strncasecmp(text, "WSH=", 4) == 0) ||
        (len == 5 && strncasecmp(text, "KDR=0", 5) == 0))
        return NULL;
    if (len >= 15 && strncasecmp(text, "UNENCRYPTED_SRT", 15) == 0)
        return "it is to be sent unencrypted";
    if (len >= 15 && strncasecmp(text, "UNAUTHENTICATED", 15) == 0)
        return "it is to be sent without authentication";
    return "it has a parameter that is not supported";
}

static const char *word(const char **p, size_t *len)
{
    const char *start = *p + strspn(*p, " \t");

    *len = strcspn(start, " \t");
    *p = start + *len;
    return start;
}

const char *sdp_crypto_read(const char *value, struct crypto *out)
{
    const char *p = value, *fault, *at;
    uint64_t tag;
    size_t len;

    memset(out, 0, sizeof *out);
    if (!sdp_number(&p, " \t", TAG_MAX, &tag))
        return "it has no tag";
    out->tag = (uint32_t)tag;
    at = word(&p, &len);
    out->key.suite = (uint8_t)suite_by_name(at, len);
    if (out->key.suite == SUITE_NONE)
        return "its suite is not supported";
    at = word(&p, &len);
    fault = read_key(at, len, &out->key);
    for (at = word(&p, &len); len && !fault; at = word(&p, &len))
        fault = check_parameter(at, len);
    if (fault)
        explicit_bzero(&out->key, sizeof out->key);
    return fault;
}

int sdp_crypto_write(const struct crypto *crypto, char out[SDP_CRYPTO_MAX])
{
    char key[(SUITE_KEY_MAX + 2) / 3 * 4 + 1];
    size_t used = 0;

    write_base64(crypto->key.key, suite_key_len((enum suite)crypto->key.suite), key);
    str_append(out, SDP_CRYPTO_MAX, &used, "%" PRIu32 " %s inline:%s", crypto->tag,
               suite_name((enum suite)crypto->key.suite), key);
    if (crypto->key.mki_len)
        str_append(out, SDP_CRYPTO_MAX, &used, "|%" PRIu64 ":%u", crypto->key.mki, crypto->key.mki_len);
    explicit_bzero(key, sizeof key);
    return (int)used;
}
