/* Who controls the media process: the socket it listens on, one controller at a time, and the end when nobody comes.
 * Control thread; knows ports only through control_ports.c. */
#include "config.h"

#include "media/control.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "media/control-priv.h"
#include "media/dtls.h"

#define CONNECTIONS_MAX 8 /* who has not said hello yet */
#define STATUS_MS 1000

struct wire *control_wire(const struct control *control)
{
    return control->controller ? control->controller->wire : NULL;
}

static void orphaned(void *arg)
{
    struct control *control = arg;

    log_warn("no controller came for %u seconds: the media process ends with %u ports in use",
             control->options->orphan_seconds, control->used_count);
    loop_stop(control->loop);
}

static void wait_for_controller(struct control *control)
{
    loop_timer_start(control->loop, &control->orphan, control->options->orphan_seconds * 1000u, orphaned, control);
}

static void drop(struct connection *connection)
{
    struct control *control = connection->control;

    if (control->controller == connection) {
        control->controller = NULL;
        loop_timer_stop(control->loop, &control->status);
        wait_for_controller(control);
    }
    wire_free(connection->wire);
    list_unlink(&connection->node);
    free(connection);
}

static void bye(struct connection *connection, enum proto_bye reason)
{
    struct proto_bye_message *m = wire_add(connection->wire, PROTO_BYE);

    m->reason = reason;
    wire_flush(connection->wire);
    drop(connection);
}

static void report(void *arg)
{
    struct control *control = arg;
    uint64_t packets = ports_relayed(control);
    struct proto_status *m;

    loop_timer_start(control->loop, &control->status, STATUS_MS, report, control);
    if (packets == control->told_packets && control->used_count == control->told_used)
        return;
    m = wire_add(control_wire(control), PROTO_STATUS);
    m->packets = control->told_packets = packets;
    m->used = control->told_used = control->used_count;
    m->ready = control->ready_count;
}

static void hello(struct connection *connection, const struct proto_hello *m)
{
    struct control *control = connection->control;
    struct proto_hello *welcome;

    if (m->version != PROTO_VERSION) {
        log_error("a controller (pid %d) speaks media protocol %u, this process %u: it is refused; "
                  "run tandemd and tandem-media of the same version",
                  m->pid, m->version, PROTO_VERSION);
        bye(connection, PROTO_BYE_VERSION);
        return;
    }
    if (control->controller == connection)
        return;
    if (control->controller) {
        log_warn("a new controller (pid %d) takes over; the old one is dropped", m->pid);
        bye(control->controller, PROTO_BYE_REPLACED);
    }
    control->controller = connection;
    control->told_packets = control->told_used = 0;
    loop_timer_stop(control->loop, &control->orphan);
    loop_timer_start(control->loop, &control->status, STATUS_MS, report, control);
    if (control->move.entry)
        wire_pause(connection->wire, true);
    play_forget(control);
    ports_new_controller(control);
    welcome = wire_add(connection->wire, PROTO_WELCOME);
    welcome->version = PROTO_VERSION;
    welcome->pid = getpid();
    welcome->ip4 = control->ranges[0].pairs > 0;
    welcome->ip6 = control->ranges[1].pairs > 0;
    welcome->listed = control->used_count;
    welcome->threads = control->worker_count;
    if (control->options->identity)
        welcome->print = *dtls_identity_print(control->options->identity);
    welcome->recordings = control->recordings;
    ports_list(control, connection->wire);
}

static void message(void *arg, const struct proto_head *m)
{
    struct connection *connection = arg;
    struct control *control = connection->control;
    const struct proto_count *want;

    if (m->kind == PROTO_HELLO) {
        hello(connection, (const void *)m);
        return;
    }
    if (control->controller != connection)
        return;
    switch (m->kind) {
    case PROTO_WANT:
        want = (const void *)m;
        if (want->family == AF_INET || want->family == AF_INET6)
            ports_want(control, want->family, want->count);
        break;
    case PROTO_REMOTE:
        ports_remote(control, (const void *)m);
        break;
    case PROTO_LOCAL:
        ports_local(control, (const void *)m);
        break;
    case PROTO_KEYS:
        ports_keys(control, (const void *)m);
        break;
    case PROTO_DTLS:
        ports_dtls(control, (const void *)m);
        break;
    case PROTO_MIX:
        ports_mix(control, (const void *)m);
        break;
    case PROTO_WATCH:
        ports_watch(control, (const void *)m);
        break;
    case PROTO_PRESS:
        ports_press(control, (const void *)m);
        break;
    case PROTO_RECORD:
        records_start(control, (const void *)m, wire_take_fd(connection->wire));
        break;
    case PROTO_RECORD_STOP:
    case PROTO_RECORD_PAUSE:
    case PROTO_RECORD_RESUME:
        records_command(control, (const void *)m);
        break;
    case PROTO_PIECE:
        play_piece(control, connection->wire, (const void *)m);
        break;
    case PROTO_PLAY:
        play_list(control, (const void *)m);
        break;
    case PROTO_PLAY_STOP:
        play_no_more(control, (const void *)m);
        break;
    case PROTO_MUSIC:
        play_music(control, (const void *)m);
        break;
    case PROTO_END:
        log_info("the controller asks the media process to end");
        loop_stop(control->loop);
        break;
    case PROTO_TAKE:
    case PROTO_RELEASE:
    case PROTO_DIRECTION:
    case PROTO_KEY_WAYS:
    case PROTO_BRIDGE:
    case PROTO_NAME:
    case PROTO_UNBRIDGE:
    case PROTO_ECHO:
        ports_command(control, (const void *)m);
        break;
    }
}

static void closed(void *arg, const char *why)
{
    struct connection *connection = arg;

    if (connection->control->controller == connection)
        log_warn("the controller has gone (%s); calls carry on for %u seconds", why,
                 connection->control->options->orphan_seconds);
    drop(connection);
}

static void incoming(void *arg, int fd, unsigned what)
{
    struct control *control = arg;
    int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct connection *connection;

    if (client < 0)
        return;
    if (list_length(&control->connections) >= CONNECTIONS_MAX) {
        close(client);
        return;
    }
    connection = mem_new(sizeof *connection);
    connection->control = control;
    connection->wire = wire_new(control->loop, client, message, closed, connection);
    list_append(&control->connections, &connection->node);
}

/* --- start and end
 * ---------------------------------------------------------------------------------------------------- */

/* The lock says whether the process that made the socket still lives; asking the socket itself would make us its
 * controller. The file stays: removing it would race with the next start. */
static int lock_path(struct control *control)
{
    char path[128]; /* a socket path has at most 107 characters */
    size_t used = 0;

    if (str_append(path, sizeof path, &used, "%s.lock", control->options->socket_path) < 0)
        return -ENAMETOOLONG;
    control->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (control->lock_fd < 0) {
        log_error("%s cannot be opened: %s; the directory of the media socket must exist and be writable", path,
                  strerror(errno));
        return -errno;
    }
    if (flock(control->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        log_error("another media process listens on %s: stop it or use another --socket",
                  control->options->socket_path);
        return -EADDRINUSE;
    }
    return 0;
}

static int listen_on_path(struct control *control)
{
    const char *path = control->options->socket_path;
    struct sockaddr_un addr;
    mode_t mask;
    int err = wire_address(path, &addr);

    if (err < 0) {
        log_error("the socket path %s is too long: at most %zu characters", path, sizeof addr.sun_path - 1);
        return err;
    }
    err = lock_path(control);
    if (err < 0)
        return err;
    unlink(path); /* of a process that has died: we hold the lock */
    control->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mask = umask(0177);
    err = control->listen_fd < 0 || bind(control->listen_fd, (struct sockaddr *)&addr, sizeof addr) < 0 ||
                  listen(control->listen_fd, CONNECTIONS_MAX) < 0
              ? -errno
              : 0;
    umask(mask);
    if (err < 0) {
        log_error("the media process cannot listen on %s: %s", path, strerror(-err));
        return err;
    }
    control->listen_watch = loop_watch(control->loop, control->listen_fd, LOOP_READ, incoming, control);
    return 0;
}

int control_start(struct loop *loop, const struct control_options *options, struct control **out)
{
    struct control *control = mem_new(sizeof *control);
    int err;

    control->loop = loop;
    control->options = options;
    control->lock_fd = control->listen_fd = -1;
    list_init(&control->connections);
    list_init(&control->music);
    err = ports_init(control);
    if (err < 0)
        log_error("the media threads cannot be started: %s", strerror(-err));
    else
        err = listen_on_path(control);
    if (err < 0) {
        control_stop(control);
        return err;
    }
    wait_for_controller(control);
    *out = control;
    return 0;
}

void control_stop(struct control *control)
{
    if (control->controller)
        bye(control->controller, PROTO_BYE_ENDING);
    while (!list_empty(&control->connections))
        drop(LIST_ENTRY(control->connections.next, struct connection, node));
    loop_timer_stop(control->loop, &control->orphan);
    loop_unwatch(control->listen_watch);
    if (control->listen_fd >= 0) {
        close(control->listen_fd);
        unlink(control->options->socket_path);
    }
    play_forget(control);
    ports_clear(control);
    if (control->lock_fd >= 0)
        close(control->lock_fd);
    free(control);
}
