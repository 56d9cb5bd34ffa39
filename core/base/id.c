/* UUIDv7, random tokens, SipHash. Any thread: the UUID counter is thread-local. Knows no telephony. */
#include "base/id.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static void kernel_random(uint8_t *p, size_t len)
{
    while (len) {
        ssize_t n = getrandom(p, len, 0);

        if (n < 0) {
            if (errno == EINTR)
                continue;
            perror("tandem: getrandom");
            abort();
        }
        p += n;
        len -= (size_t)n;
    }
}

/* A call draws a dozen ids: one system call for many of them. What was handed out is wiped, and nothing here forks
 * without exec, so no two processes ever share what is left. */
void random_bytes(void *out, size_t len)
{
    static _Thread_local uint8_t pool[512];
    static _Thread_local size_t left;

    if (len > sizeof pool / 4) {
        kernel_random(out, len);
        return;
    }
    if (left < len) {
        kernel_random(pool, sizeof pool);
        left = sizeof pool;
    }
    left -= len;
    memcpy(out, pool + left, len);
    explicit_bzero(pool + left, len);
}

void random_token(char *out, size_t chars)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t done = 0;

    while (done < chars) {
        uint8_t pool[64];

        random_bytes(pool, sizeof pool);
        for (size_t i = 0; i < sizeof pool && done < chars; i++)
            if (pool[i] < 252) /* 7 * 36: no character is likelier than another */
                out[done++] = alphabet[pool[i] % 36];
    }
    out[chars] = '\0';
}

void hex_text(const void *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes;

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len] = '\0';
}

struct uuid uuid_new(void)
{
    static _Thread_local uint64_t last_ms;
    static _Thread_local uint16_t sequence;
    struct timespec now;
    struct uuid id;
    uint64_t ms;

    clock_gettime(CLOCK_REALTIME, &now);
    ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    random_bytes(id.b, sizeof id.b);
    if (ms > last_ms) {
        last_ms = ms;
        sequence = (uint16_t)((id.b[6] << 8 | id.b[7]) & 0x07FF); /* half the room left to count up */
    } else {
        ms = last_ms; /* the clock stood still or went back: order matters more than the last ms */
        if (++sequence > 0x0FFF) {
            ms = ++last_ms;
            sequence = 0;
        }
    }
    for (int i = 0; i < 6; i++)
        id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
    id.b[6] = (uint8_t)(0x70 | sequence >> 8);
    id.b[7] = (uint8_t)sequence;
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3F));
    return id;
}

void uuid_text(const struct uuid *id, char out[UUID_TEXT])
{
    char hex[33];
    size_t at = 0;

    hex_text(id->b, sizeof id->b, hex);
    for (size_t i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            out[at++] = '-';
        out[at++] = hex[i];
    }
    out[at] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int uuid_parse(const char *text, struct uuid *out)
{
    struct uuid id;
    size_t nibble = 0;

    for (size_t i = 0; text[i]; i++) {
        int digit = hex_digit(text[i]);

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i] != '-')
                return -EINVAL;
            continue;
        }
        if (digit < 0 || nibble >= 32)
            return -EINVAL;
        if (nibble % 2)
            id.b[nibble / 2] = (uint8_t)(id.b[nibble / 2] | digit);
        else
            id.b[nibble / 2] = (uint8_t)(digit << 4);
        nibble++;
    }
    if (nibble != 32)
        return -EINVAL;
    *out = id;
    return 0;
}

bool uuid_same(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool uuid_is_nil(const struct uuid *id)
{
    static const struct uuid nil;

    return uuid_same(id, &nil);
}

static uint64_t rotl(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotl(v[1], 13), v[1] ^= v[0], v[0] = rotl(v[0], 32);
    v[2] += v[3], v[3] = rotl(v[3], 16), v[3] ^= v[2];
    v[0] += v[3], v[3] = rotl(v[3], 21), v[3] ^= v[0];
    v[2] += v[1], v[1] = rotl(v[1], 17), v[1] ^= v[2], v[2] = rotl(v[2], 32);
}

static uint64_t load64(const uint8_t *p, size_t len)
{
    uint64_t x = 0;

    for (size_t i = 0; i < len; i++)
        x |= (uint64_t)p[i] << (8 * i);
    return x;
}

uint64_t siphash(const uint8_t key[16], const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t k0 = load64(key, 8), k1 = load64(key + 8, 8);
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                     k1 ^ 0x7465646279746573u};
    uint64_t last = (uint64_t)len << 56;

    for (; len >= 8; p += 8, len -= 8) {
        uint64_t m = load64(p, 8);

        v[3] ^= m;
        sip_round(v), sip_round(v);
        v[0] ^= m;
    }
    last |= load64(p, len);
    v[3] ^= last;
    sip_round(v), sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
