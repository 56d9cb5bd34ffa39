/* Recordings that nobody finished: the disk was full, or the program that wrote them died. Any thread that may wait for
 * a disk. */
#ifndef MEDIA_SALVAGE_H
#define MEDIA_SALVAGE_H

#include "base/base.h"

struct salvaged {
    uint64_t bytes, ms;
};

/* Makes a file of audio/writer.h whole: the sizes in a WAV's header say what is there; Opus in Ogg may end anywhere.
 * fd is open for reading and writing. Returns 0, -EINVAL (no recording; nothing is changed), or what the disk says. */
int salvage(int fd, struct salvaged *out);

#endif
