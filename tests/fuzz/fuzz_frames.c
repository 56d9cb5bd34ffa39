/* libFuzzer: frames of the spool and the journals after damage. What stands before it is read, in order and as it was;
 * what is read after it is whole; and closing up what is closed up changes nothing. */
#include "db/frame.h"
#include "disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct disk_input in;
    uint8_t *file;
    size_t len = 0, whole, first, at = 0, expected = 0;
    uint64_t frames, damaged, again, none;

    disk_read(data, size, &in);
    for (unsigned i = 0; i < in.count; i++)
        len += FRAME_HEAD + in.item[i].len;
    file = mem_new(len + 1);
    for (unsigned i = 0; i < in.count; i++) {
        frame_head(file + at, in.item[i].data, in.item[i].len);
        memcpy(file + at + FRAME_HEAD, in.item[i].data, in.item[i].len);
        at += FRAME_HEAD + in.item[i].len;
    }
    file = mem_resize(file, len ? len : 1); /* a read behind the end is found */
    first = disk_damage(&in, file, &len);
    whole = frames_close_up(file, len, &frames, &damaged);
    disk_must(whole + damaged == len, "each byte is kept or counted");
    at = 0;
    for (unsigned i = 0; i < in.count; i++) {
        expected += FRAME_HEAD + in.item[i].len;
        if (expected > first)
            break;
        disk_must(frame_check(file + at, whole - at) == FRAME_HEAD + in.item[i].len &&
                      memcmp(file + at + FRAME_HEAD, in.item[i].data, in.item[i].len) == 0,
                  "what stands before the damage is read");
        at += FRAME_HEAD + in.item[i].len;
    }
    disk_must(frames_close_up(file, whole, &again, &none) == whole && again == frames && none == 0,
              "closing up twice is closing up once");
    free(file);
    return 0;
}
