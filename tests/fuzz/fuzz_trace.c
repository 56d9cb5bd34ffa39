/* The flight recorder's look at messages: any bytes, in a buffer of exactly their size. */
#include <stdlib.h>

#include "trace/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message_info info;
    char title[160], *copy = malloc(size ? size : 1);

    if (!copy)
        return 0;
    memcpy(copy, data, size);
    message_scan(copy, size, &info);
    message_title(copy, size, &info, title, sizeof title);
    message_mask(copy, size);
    free(copy);
    return 0;
}
