/* libFuzzer: a stream of bytes, cut into SIP messages. The first byte is the largest message that is taken, in units of
 * 64 bytes; the second one says how the stream comes in pieces. However it comes, the same messages are found; and
 * whoever reads one of them sees its end where the stream has it. */
#include <stdio.h>
#include <stdlib.h>

#include "edge/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FOUND_MAX 256

struct found {
    enum edge_frame kind; /* why a stream is refused depends on how much of it has come */
    size_t end, len;      /* where it ends in the stream; how long it is */
};

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

static void look_at(struct slice message, size_t max)
{
    struct edge_text text;

    must(message.len && message.len <= max, "a message is as large as is allowed");
    if (edge_text_scan(&text, message.at, message.len, 1000) == NULL)
        must(text.data == message.at && text.len == message.len, "it ends where its reader thinks");
}

/* The bytes in pieces of 1 … most (0: all at once). Returns how many were found. */
static unsigned cut(const uint8_t *data, size_t size, size_t max, unsigned most, struct found *found)
{
    struct edge_framer framer = {0};
    size_t begin = 0, come = 0; /* what has been taken off, what has come */
    unsigned count = 0, dice = 1;

    while (count < FOUND_MAX) {
        struct slice message, bytes;
        enum edge_frame kind;
        const char *why;
        char *copy = mem_new(come - begin + 1); /* exactly as long: a read behind the end is found */

        if (come > begin)
            memcpy(copy, data + begin, come - begin);
        copy = mem_resize(copy, come > begin ? come - begin : 1);
        bytes = (struct slice){copy, come - begin};
        kind = edge_framer_next(&framer, &bytes, max, &message, &why);
        must((why != NULL) == (kind == EDGE_FRAME_BAD || kind == EDGE_FRAME_LARGE), "a refusal has words");
        if (kind == EDGE_FRAME_MESSAGE)
            look_at(message, max);
        begin = come - bytes.len;
        if (kind != EDGE_FRAME_MORE)
            found[count++] = (struct found){why ? EDGE_FRAME_BAD : kind, why ? 0 : begin,
                                            kind == EDGE_FRAME_MESSAGE ? message.len : 0};
        free(copy);
        if (why)
            break;
        if (kind != EDGE_FRAME_MORE)
            continue;
        if (come == size)
            break;
        dice = dice * 1103515245 + 12345;
        come += most ? 1 + (dice >> 16) % most : size;
        if (come > size)
            come = size;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct found once[FOUND_MAX], pieces[FOUND_MAX];
    unsigned count;
    size_t max;

    if (size < 2 || size > 4096)
        return 0;
    max = 64 * (size_t)(data[0] + 1);
    count = cut(data + 2, size - 2, max, 0, once);
    must(cut(data + 2, size - 2, max, 1 + data[1], pieces) == count, "as many are found in pieces");
    for (unsigned i = 0; i < count; i++)
        must(once[i].kind == pieces[i].kind && once[i].end == pieces[i].end && once[i].len == pieces[i].len,
             "and the same ones");
    return 0;
}
