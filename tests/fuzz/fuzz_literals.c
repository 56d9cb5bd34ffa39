/* libFuzzer: a Lua source, of which the string literals are taken. Whatever it is, they are no longer than it, and end
 * with a NUL; and the same in a second run. */
#include <stdlib.h>

#include "script/literals.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    size_t source, count, bytes;
};

static void found(void *arg, const char *text, size_t len)
{
    struct seen *seen = arg;

    if (len > seen->source || text[len] != '\0')
        abort();
    seen->count++;
    for (size_t i = 0; i < len; i++)
        seen->bytes += (unsigned char)text[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen once = {.source = size}, again = {.source = size};
    struct literal_set set = {0};

    literals_each((const char *)data, size, found, &once);
    literals_each((const char *)data, size, found, &again);
    if (once.count != again.count || once.bytes != again.bytes)
        abort();
    literals_add(&set, (const char *)data, size);
    literals_sort(&set);
    for (size_t i = 0; i < set.count; i++)
        if (!literals_have(&set, set.items[i]))
            abort();
    literals_free(&set);
    return 0;
}
