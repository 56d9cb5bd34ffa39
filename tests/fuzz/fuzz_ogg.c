/* Fuzzes Opus in Ogg. Checksums of pages are put right first: otherwise next to nothing would come through. */
#include "play.h"

#include <ogg/ogg.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_checksums(uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at + 27 <= size;) {
        size_t header = 27, body = 0;
        ogg_page page;

        if (memcmp(bytes + at, "OggS", 4) != 0) {
            at++;
            continue;
        }
        header += bytes[at + 26];
        if (header > size - at)
            return;
        for (size_t i = 27; i < header; i++)
            body += bytes[at + i];
        if (body > size - at - header)
            return;
        page = (ogg_page){bytes + at, (long)header, bytes + at + header, (long)body};
        ogg_page_checksum_set(&page);
        at += header + body;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    if (!size || data[size - 1] != 'x') /* damaged pages too */
        put_checksums(copy, size);
    play_bytes(SOUND_OGG, copy, size, 16000);
    free(copy);
    return 0;
}
