/* The flight recorder's look at messages, and at its own files when they come out of the disk other than they went in:
 * any bytes, in a buffer of exactly their size. */
#include <stdlib.h>

#include "trace/fact.h"
#include "trace/message.h"
#include "trace/recorder-priv.h"
#include "trace/sdp_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_frame(void *arg, const struct frame *frame)
{
    struct fact fact;

    fact_decode(frame->text, frame->len, &fact);
    *(size_t *)arg += frame_message_len(frame) + strlen(fact.kind);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message_info info;
    struct sdp_view view;
    struct fact fact;
    size_t seen = 0;
    char title[160], user[32], words[160], *copy = malloc(size ? size : 1);

    if (!copy)
        return 0;
    memcpy(copy, data, size);
    message_scan(copy, size, &info);
    message_title(copy, size, &info, title, sizeof title);
    message_user(copy, size, 'f', user, sizeof user);
    message_user(copy, size, 't', user, sizeof user);
    if (sdp_view(copy, size, &view))
        sdp_words(&view, NULL, words, sizeof words);
    fact_decode(copy, size, &fact);
    frames_each(copy, size, on_frame, &seen);
    message_mask(copy, size);
    free(copy);
    return 0;
}
