/* libFuzzer: any text as a Contact URI. A key is its own key, and equals what it was made from. */
#include <stdlib.h>

#include "modules/registrar/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char key[URI_KEY_MAX], again[URI_KEY_MAX], *text = mem_new(size + 1);

    memcpy(text, data, size);
    if (uri_key(text, key, sizeof key) == 0) {
        if (uri_key(key, again, sizeof again) < 0 || strcmp(key, again) != 0)
            abort();
        if (!strchr(text, '?') && !uri_same(text, key)) /* headers are no part of the key */
            abort();
    }
    free(text);
    return 0;
}
