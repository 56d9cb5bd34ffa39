/* Preloaded into a switch under test: its wall clock is wrong by as many seconds as the file $CLOCK_STEP says, from the
 * moment at which it says so. No part of Tandem. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long step(void)
{
    const char *path = getenv("CLOCK_STEP");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    char text[24] = "";

    if (fd >= 0) {
        ssize_t n = read(fd, text, sizeof text - 1);

        close(fd);
        text[n > 0 ? n : 0] = '\0';
    }
    return strtol(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
    static int (*next)(clockid_t, struct timespec *);
    int result;

    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
    result = next(clock, ts);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
        ts->tv_sec += step();
    return result;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec ts;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    if (out)
        *out = ts.tv_sec;
    return ts.tv_sec;
}
