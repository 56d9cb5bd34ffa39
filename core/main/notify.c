/* Tells systemd that the switch serves, stops, and lives: a loop that hangs is restarted. One datagram each to the
 * socket that the environment names. Signalling thread. Knows no telephony. */
#include "main/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

struct notify {
    struct loop *loop;
    struct loop_timer timer;
    struct sockaddr_un to;
    socklen_t to_len;
    int fd;
    unsigned every_ms; /* 0: no watchdog */
};

static void tell(const struct notify *n, const char *what)
{
    if (sendto(n->fd, what, strlen(what), MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&n->to, n->to_len) < 0)
        log_debug("the service manager does not listen: %s", strerror(errno));
}

static void alive(void *arg)
{
    struct notify *n = arg;

    tell(n, "WATCHDOG=1");
    loop_timer_start(n->loop, &n->timer, n->every_ms, alive, n);
}

/* The environment names another process's watchdog when it was inherited. */
static unsigned watchdog_ms(void)
{
    const char *pid = getenv("WATCHDOG_PID"), *usec = getenv("WATCHDOG_USEC");
    uint64_t value;

    if (!usec || str_to_u64(usec, UINT32_MAX, &value) < 0)
        return 0;
    if (pid && strtol(pid, NULL, 10) != (long)getpid())
        return 0;
    return (unsigned)(value / 1000 / 3);
}

struct notify *notify_ready(struct loop *loop)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct notify *n;

    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof n->to.sun_path)
        return NULL;
    n = mem_new(sizeof *n);
    n->loop = loop;
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, path, strlen(path));
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (path[0] == '@')
        n->to.sun_path[0] = '\0'; /* the abstract namespace */
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (n->fd < 0) {
        log_warn("the service manager cannot be told anything: %s", strerror(errno));
        free(n);
        return NULL;
    }
    n->every_ms = watchdog_ms();
    tell(n, "READY=1");
    if (n->every_ms)
        alive(n);
    return n;
}

void notify_stopping(struct notify *n)
{
    if (n)
        tell(n, "STOPPING=1");
}

void notify_free(struct notify *n)
{
    if (!n)
        return;
    loop_timer_stop(n->loop, &n->timer);
    close(n->fd);
    free(n);
}
