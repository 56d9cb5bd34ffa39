/* Digest authentication on OpenSSL's digests. Signalling thread. Knows no SIP messages: it gets parameters as text. */
#include "sip/digest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/id.h"

#define SLOT_S 60 /* how long a source sees the same nonce */
#define REPLAY_SLOTS 4096
#define REPLAY_PROBES 8

struct replay {
    uint64_t key;  /* of (nonce, cnonce); 0: free */
    uint64_t seen; /* bit n: count `highest - n` was used */
    uint32_t highest;
    uint32_t expires_s;
};

struct digest {
    struct loop *loop;
    uint8_t key[16];
    struct replay *replays;
};

struct digest *digest_new(struct loop *loop)
{
    struct digest *digest = mem_new(sizeof *digest);

    digest->loop = loop;
    random_bytes(digest->key, sizeof digest->key);
    digest->replays = mem_new(REPLAY_SLOTS * sizeof *digest->replays);
    return digest;
}

void digest_free(struct digest *digest)
{
    if (!digest)
        return;
    free(digest->replays);
    free(digest);
}

static uint32_t now_s(const struct digest *digest)
{
    return (uint32_t)(loop_now_us(digest->loop) / 1000000);
}

#define NONCE_TEXT 33

/* salt 0 is what everybody behind this address gets; a stale answer gets a salt of its own, so that a phone which
 * starts again with the same cnonce and count is not refused for ever. */
static void nonce_make(const struct digest *digest, uint32_t slot, uint32_t salt, const union addr *source,
                       char out[NONCE_TEXT])
{
    char text[ADDR_TEXT + 16];
    int len = snprintf(text, sizeof text, "%08x%08x ", slot, salt);
    char ip[ADDR_TEXT];

    len += snprintf(text + len, sizeof text - (size_t)len, "%s", addr_ip_text(source, ip));
    snprintf(out, NONCE_TEXT, "%08x%08x%016llx", slot, salt,
             (unsigned long long)siphash(digest->key, text, (size_t)len));
}

int digest_challenge(const struct digest *digest, enum digest_algorithm algorithm, const char *realm,
                     const union addr *source, bool stale, char *out, size_t size)
{
    char nonce[NONCE_TEXT];
    uint32_t salt = 0;
    size_t used = 0;

    for (const char *p = realm; *p; p++)
        if (*p == '"' || *p == '\\' || (unsigned char)*p < 0x20 || *p == 0x7F)
            return -EINVAL;
    if (stale)
        random_bytes(&salt, sizeof salt);
    nonce_make(digest, now_s(digest) / SLOT_S, salt, source, nonce);
    return str_append(out, size, &used, "Digest realm=\"%s\", nonce=\"%s\", algorithm=%s, qop=\"auth\"%s", realm, nonce,
                      algorithm == DIGEST_MD5 ? "MD5" : "SHA-256", stale ? ", stale=true" : "");
}

static bool nonce_fresh(const struct digest *digest, const char *nonce, const union addr *source)
{
    char expected[NONCE_TEXT];
    uint32_t slot, salt, current = now_s(digest) / SLOT_S;

    if (strlen(nonce) != NONCE_TEXT - 1 || sscanf(nonce, "%8x%8x", &slot, &salt) != 2)
        return false;
    if (slot > current || (current - slot) * SLOT_S > DIGEST_NONCE_LIFETIME_S)
        return false;
    nonce_make(digest, slot, salt, source, expected);
    return mem_same_secret(nonce, expected, NONCE_TEXT - 1);
}

/* name=value or name="value" with backslash escapes. */
static int unquote(const char *text, char *out, size_t size)
{
    size_t at = 0;

    if (*text != '"')
        return str_copy(out, size, text);
    for (text++; *text && *text != '"'; text++) {
        if (*text == '\\' && text[1])
            text++;
        if (at + 1 >= size)
            return -E2BIG;
        out[at++] = *text;
    }
    out[at] = '\0';
    return 0;
}

int digest_parse(const char *const *params, struct digest_credentials *out)
{
    char algorithm[24] = "MD5";
    const struct {
        const char *name;
        char *to;
        size_t size;
    } fields[] = {
        {"username", out->username, sizeof out->username},
        {"realm", out->realm, sizeof out->realm},
        {"nonce", out->nonce, sizeof out->nonce},
        {"uri", out->uri, sizeof out->uri},
        {"response", out->response, sizeof out->response},
        {"cnonce", out->cnonce, sizeof out->cnonce},
        {"nc", out->nc, sizeof out->nc},
        {"qop", out->qop, sizeof out->qop},
        {"algorithm", algorithm, sizeof algorithm},
    };

    memset(out, 0, sizeof *out);
    for (; params && *params; params++) {
        const char *equals = strchr(*params, '=');
        size_t len = equals ? (size_t)(equals - *params) : 0;

        while (len && (*params)[len - 1] == ' ')
            len--;
        for (size_t i = 0; len && i < COUNT_OF(fields); i++) {
            const char *value = equals + 1;

            if (strlen(fields[i].name) != len || strncasecmp(fields[i].name, *params, len) != 0)
                continue;
            while (*value == ' ')
                value++;
            if (unquote(value, fields[i].to, fields[i].size) < 0)
                return -EINVAL;
        }
    }
    if (strcasecmp(algorithm, "MD5") == 0)
        out->algorithm = DIGEST_MD5;
    else if (strcasecmp(algorithm, "SHA-256") == 0)
        out->algorithm = DIGEST_SHA256;
    else
        return -EINVAL;
    if (!out->username[0] || !out->nonce[0] || !out->uri[0] || !out->response[0])
        return -EINVAL;
    if (strcasecmp(out->qop, "auth") != 0 || !out->cnonce[0] || strspn(out->nc, "0123456789abcdefABCDEF") != 8 ||
        out->nc[8])
        return -EINVAL; /* RFC 8760 §2.6: we always offer qop, so an answer without it is a downgrade */
    return 0;
}

static size_t hash(enum digest_algorithm algorithm, const char *text, size_t len, uint8_t out[32])
{
    unsigned size = 0;

    EVP_Digest(text, len, out, &size, algorithm == DIGEST_MD5 ? EVP_md5() : EVP_sha256(), NULL);
    return size;
}

/* RFC 7616 §3.4.1: H(HA1:nonce:nc:cnonce:qop:HA2), as lower-case hex. */
size_t digest_response(const struct digest_credentials *given, const char *method, const uint8_t *ha1, char out[65])
{
    char text[1024], hex[65];
    uint8_t raw[32];
    size_t used = 0, size;

    str_append(text, sizeof text, &used, "%s:%s", method, given->uri);
    size = hash(given->algorithm, text, used, raw);
    hex_text(raw, size, hex);
    used = 0;
    hex_text(ha1, size, text);
    used = size * 2;
    str_append(text, sizeof text, &used, ":%s:%s:%s:%s:%s", given->nonce, given->nc, given->cnonce, given->qop, hex);
    size = hash(given->algorithm, text, used, raw);
    hex_text(raw, size, out);
    return size * 2;
}

/* Has this count been used with this (nonce, user, cnonce)? Notes it. The user is part of it because phones behind one
 * address share a nonce and some choose poor cnonces. A 64-wide window lets requests overtake each other. */
static bool count_is_new(struct digest *digest, const struct digest_credentials *given)
{
    char text[256];
    size_t used = 0;
    uint64_t key;
    uint32_t now = now_s(digest);
    uint32_t count = (uint32_t)strtoul(given->nc, NULL, 16), behind;
    struct replay *slot = NULL;

    str_append(text, sizeof text, &used, "%s %s %s", given->nonce, given->username, given->cnonce);
    key = siphash(digest->key, text, used) | 1;
    for (size_t i = 0; i < REPLAY_PROBES; i++) {
        struct replay *r = &digest->replays[(key / 2 + i) % REPLAY_SLOTS];

        if (r->key == key && r->expires_s > now) {
            slot = r;
            break;
        }
        if (!slot || r->expires_s < slot->expires_s) /* else the one that expires first */
            slot = r;
    }
    if (slot->key != key || slot->expires_s <= now) {
        *slot = (struct replay){.key = key, .seen = 1, .highest = count};
        slot->expires_s = now + DIGEST_NONCE_LIFETIME_S + SLOT_S;
        return true;
    }
    if (count > slot->highest) {
        uint32_t ahead = count - slot->highest;

        slot->seen = ahead >= 64 ? 1 : slot->seen << ahead | 1;
        slot->highest = count;
        return true;
    }
    behind = slot->highest - count;
    if (behind >= 64 || slot->seen & (uint64_t)1 << behind)
        return false;
    slot->seen |= (uint64_t)1 << behind;
    return true;
}

enum digest_verdict digest_check(struct digest *digest, const struct digest_credentials *given, const char *method,
                                 const uint8_t *ha1, const union addr *source)
{
    static const uint8_t nobody[32];
    char expected[65];
    char lower[72];
    size_t len = digest_response(given, method, ha1 ? ha1 : nobody, expected);
    bool same;

    str_copy(lower, sizeof lower, given->response);
    for (char *p = lower; *p; p++)
        if (*p >= 'A' && *p <= 'F')
            *p = (char)(*p + 'a' - 'A');
    same = strlen(lower) == len && mem_same_secret(lower, expected, len);
    /* Whether the password is right is told about a nonce of ours only: its owner is known not to be forged, and every
     * wrong answer counts against him. */
    if (!nonce_fresh(digest, given->nonce, source))
        return DIGEST_STALE;
    if (!same || !ha1)
        return DIGEST_WRONG;
    return count_is_new(digest, given) ? DIGEST_OK : DIGEST_STALE;
}
