/* Identifiers: UUIDv7 (RFC 9562 §5.7) for calls, legs and records; random tokens and secrets. Any thread. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/base.h"

struct uuid {
    uint8_t b[16];
};

#define UUID_TEXT 37 /* 36 characters and NUL */

/* A new UUIDv7: 48 bits wall-clock ms, then a counter that keeps order within one ms, then random bits. */
struct uuid uuid_new(void);
void uuid_text(const struct uuid *id, char out[UUID_TEXT]);
/* Returns 0 or -EINVAL. */
int uuid_parse(const char *text, struct uuid *out);
bool uuid_same(const struct uuid *a, const struct uuid *b);
bool uuid_is_nil(const struct uuid *id);

/* Cryptographically random bytes; ends the program if the kernel gives none. */
void random_bytes(void *out, size_t len);

/* chars random characters of [a-z0-9] (5.17 bits each) and NUL; out holds chars + 1. For tags, branches and secrets. */
void random_token(char *out, size_t chars);

/* len bytes as 2*len lower-case hex digits and NUL. */
void hex_text(const void *bytes, size_t len, char *out);

/* SipHash-2-4 of len bytes under a 16-byte key: hash tables and unguessable ids. */
uint64_t siphash(const uint8_t key[16], const void *data, size_t len);

#endif
