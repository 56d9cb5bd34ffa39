/* libFuzzer: a pattern, a zero byte, a text: as a string pattern of Lua and as an extension. Whatever they are, a match
 * stays inside of the text and within its budget. */
#include <stdlib.h>

#include "script/extension.h"
#include "script/pattern.h"

#define STEPS 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_string_pattern(const char *pattern, size_t pattern_len, const char *text, size_t len)
{
    struct pattern_match m;

    pattern_init(&m, text, len, pattern, pattern_len, STEPS);
    if (pattern_find(&m, text, true) != 1)
        return;
    if (m.start < text || m.end < m.start || m.end > text + len || m.steps > STEPS)
        abort();
    for (unsigned i = 0; i < m.capture_count; i++) {
        const struct pattern_capture *c = &m.captures[i];

        if (c->start < text || c->start > text + len || c->len < PATTERN_POSITION || c->len > text + len - c->start)
            abort();
    }
}

static void try_extension(const char *pattern, const char *dialled)
{
    const char *why;
    int order = extension_compare(pattern, dialled);

    if ((order < 0) != (extension_compare(dialled, pattern) > 0))
        abort(); /* sorting needs one order */
    if (extension_check(pattern, &why) == 0)
        extension_matches(pattern, dialled);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = memchr(data, 0, size);
    size_t pattern_len = zero ? (size_t)(zero - data) : size;
    size_t text_len = zero ? size - pattern_len - 1 : 0;
    char *pattern = mem_new(pattern_len + 1), *text = mem_new(text_len + 1);

    memcpy(pattern, data, pattern_len);
    if (text_len)
        memcpy(text, zero + 1, text_len);
    try_string_pattern(pattern, pattern_len, text, text_len);
    try_extension(pattern, text);
    free(pattern);
    free(text);
    return 0;
}
