/* Strings, memory and broken invariants. Any thread; knows no telephony. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

int str_copy_n(char *dst, size_t size, const char *src, size_t len)
{
    int result = 0;

    if (!size)
        return -E2BIG;
    if (len >= size) {
        len = size - 1;
        result = -E2BIG;
    }
    if (len)
        memcpy(dst, src, len);
    dst[len] = '\0';
    return result;
}

int str_copy(char *dst, size_t size, const char *src)
{
    return str_copy_n(dst, size, src ? src : "", src ? strlen(src) : 0);
}

int str_append(char *dst, size_t size, size_t *used, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (*used >= size)
        return -E2BIG;
    va_start(ap, fmt);
    n = vsnprintf(dst + *used, size - *used, fmt, ap);
    va_end(ap);
    if (n < 0)
        return -EINVAL;
    if ((size_t)n >= size - *used) {
        *used = size - 1;
        return -E2BIG;
    }
    *used += (size_t)n;
    return 0;
}

int str_to_u64(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (!text || !*text)
        return -EINVAL;
    for (; *text; text++) {
        unsigned digit = (unsigned char)*text - '0';

        if (digit > 9)
            return -EINVAL;
        if (digit > max || value > (max - digit) / 10)
            return -ERANGE;
        value = value * 10 + digit;
    }
    *out = value;
    return 0;
}

char *str_dup(const char *text)
{
    size_t len = strlen(text) + 1;
    char *copy = mem_new(len);

    memcpy(copy, text, len);
    return copy;
}

/* Length of the valid UTF-8 sequence at p (RFC 3629), or 0; also 0 for a control character. */
static size_t utf8_sequence(const unsigned char *p)
{
    static const struct {
        unsigned char lo, hi, second_lo, second_hi, len;
    } forms[] = {
        {0xC2, 0xC2, 0xA0, 0xBF, 2}, /* below are the control characters U+0080 to U+009F: CSI is one */
        {0xC3, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
        {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
        {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };

    if (*p < 0x80)
        return (*p >= 0x20 && *p != 0x7F) || *p == '\t' || *p == '\n' ? 1 : 0;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        if (*p < forms[i].lo || *p > forms[i].hi)
            continue;
        if (p[1] < forms[i].second_lo || p[1] > forms[i].second_hi)
            return 0;
        for (size_t k = 2; k < forms[i].len; k++)
            if ((p[k] & 0xC0) != 0x80)
                return 0;
        return forms[i].len;
    }
    return 0;
}

void str_clean_utf8(char *text)
{
    unsigned char *p = (unsigned char *)text;

    while (*p) {
        size_t len = utf8_sequence(p);

        if (!len)
            *p++ = '?';
        else
            p += len;
    }
}

static void out_of_memory(size_t size)
{
    fprintf(stderr, "tandem: no memory left for %zu bytes\n", size);
    abort();
}

void *mem_new(size_t size)
{
    void *p = calloc(1, size ? size : 1);

    if (!p)
        out_of_memory(size);
    return p;
}

void *mem_resize(void *p, size_t size)
{
    p = realloc(p, size ? size : 1);
    if (!p)
        out_of_memory(size);
    return p;
}

bool mem_same_secret(const void *a, const void *b, size_t len)
{
    const volatile unsigned char *x = a, *y = b;
    unsigned char differs = 0;

    for (size_t i = 0; i < len; i++)
        differs |= x[i] ^ y[i];
    return differs == 0;
}

void bug_found(const char *what, const char *file, int line)
{
    log_error("%s:%d: this must never be true: %s. Please report it with the log around it", file, line, what);
#ifdef TANDEM_DEBUG
    abort();
#endif
}
