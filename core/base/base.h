/* Small things that every room uses: lengths, string copies, broken-invariant checks. Knows no telephony. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define MUST_USE __attribute__((warn_unused_result))

/* Copies src (NULL counts as "") into dst, always ends it with NUL. Returns 0, or -E2BIG when it was cut. */
int str_copy(char *dst, size_t size, const char *src);

/* The same for a counted string. */
int str_copy_n(char *dst, size_t size, const char *src, size_t len);

/* Appends printf text at *used; keeps NUL at the end. Returns 0, or -E2BIG when the buffer is full (text is cut there).
 */
int str_append(char *dst, size_t size, size_t *used, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Parses an unsigned decimal that fills the whole string. Returns 0, or -EINVAL / -ERANGE. */
int str_to_u64(const char *text, uint64_t max, uint64_t *out);

/* strdup() that ends the program when memory is gone: configuration and start-up only. */
char *str_dup(const char *text);

/* Makes text valid UTF-8 in place: each broken byte becomes '?'; control characters except tab and
 * newline too, one for each byte. */
void str_clean_utf8(char *text);

/* Zeroed memory; ends the program with a message when there is none left (a PBX without memory cannot go on). */
void *mem_new(size_t size);
void *mem_resize(void *p, size_t size);

/* Constant-time comparison of secrets. */
bool mem_same_secret(const void *a, const void *b, size_t len);

/* An invariant of ours that does not hold: aborts in debug builds, logs with file and line and returns true in release
 * builds so that the caller can end just this call. Never for input from the network. */
#define bug_if(cond) ((cond) ? (bug_found(#cond, __FILE__, __LINE__), true) : false)
void bug_found(const char *what, const char *file, int line);

#endif
