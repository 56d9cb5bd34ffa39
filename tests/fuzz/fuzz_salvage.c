/* Fuzzes what makes recordings whole that nobody finished: it changes sizes in a header and nothing else, and finds
 * nothing to do the second time. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "media/salvage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 128u /* sizes are within */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct salvaged first, again;
    uint8_t *back = malloc(size + 1);
    int fd = memfd_create("recording", MFD_CLOEXEC), err;

    if (fd < 0 || !back || write(fd, data, size) != (ssize_t)size)
        abort();
    err = salvage(fd, &first);
    if (err != 0 && err != -EINVAL)
        abort();
    if (pread(fd, back, size + 1, 0) != (ssize_t)size || first.bytes != size)
        abort();
    if (err && memcmp(back, data, size) != 0)
        abort();
    if (size > HEAD && memcmp(back + HEAD, data + HEAD, size - HEAD) != 0)
        abort();
    if (salvage(fd, &again) != err || again.ms != first.ms || again.bytes != size)
        abort();
    close(fd);
    free(back);
    return 0;
}
