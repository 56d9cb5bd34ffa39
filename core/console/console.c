/* The control socket: listening, clients, their buffers, and events to their subscribers. Runs on the signalling thread
 * and never waits for a client. Knows JSON lines, but no command: requests.c dispatches those. */
#include "config.h" /* first: it asks the C library for its extensions */

#include "console/console-priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

/* --- clients ------------------------------------------------------------------------------------------------------ */

static void client_free(void *arg)
{
    struct console_client *client = arg;

    free(client->in);
    free(client->out);
    free(client);
}

/* Detaches it from everything at once; its memory goes at the end of the turn, because its callbacks may be on the
 * stack. */
void client_cut(struct console_client *client, const char *why)
{
    struct console_request *request, *tmp;

    if (client->dead)
        return;
    if (why)
        log_info("console: a client was cut off: %s", why);
    client->dead = true;
    LIST_FOR_EACH_SAFE(request, tmp, &client->requests, node)
    {
        list_unlink(&request->node);
        request->client = NULL;
    }
    list_unlink(&client->node);
    client->console->client_count--;
    loop_unwatch(client->watch);
    close(client->fd);
    if (client->topic_count && client->console->followers)
        client->console->followers(client->console->followers_arg);
    loop_later(client->console->loop, client_free, client);
}

static void client_flush(struct console_client *client)
{
    while (!client->dead && client->out_at < client->out_len) {
        ssize_t n = send(client->fd, client->out + client->out_at, client->out_len - client->out_at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0)
            client->out_at += (size_t)n;
        else if (n < 0 && errno == EINTR)
            continue;
        else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        else
            client_cut(client, NULL); /* it went away: nothing to tell */
    }
    if (client->dead)
        return;
    if (client->out_at == client->out_len) {
        client->out_at = client->out_len = 0;
        if (client->out_room > LINE_LIMIT) { /* one long answer is no reason to keep its memory */
            free(client->out);
            client->out = NULL;
            client->out_room = 0;
        }
    }
    loop_watch_change(client->watch, LOOP_READ | (client->out_len ? LOOP_WRITE : 0));
}

static void client_write(struct console_client *client, const char *data, size_t len)
{
    size_t waiting = client->out_len - client->out_at;

    if (client->dead)
        return;
    if (waiting > BACKLOG_LIMIT) {
        client_cut(client, "it does not read what it asked for");
        return;
    }
    if (client->out_at) {
        memmove(client->out, client->out + client->out_at, waiting);
        client->out_at = 0;
        client->out_len = waiting;
    }
    if (client->out_room - client->out_len < len) {
        client->out_room = (client->out_len + len) * 3 / 2;
        client->out = mem_resize(client->out, client->out_room);
    }
    memcpy(client->out + client->out_len, data, len);
    client->out_len += len;
    if (waiting == 0)
        client_flush(client);
}

/* The text of one line with its newline; NULL when jansson has no memory or the value is not fit to print. */
static char *line_text(json_t *json, size_t *len)
{
    char *text = json_dumps(json, JSON_COMPACT);

    if (!text)
        return NULL;
    *len = strlen(text) + 1;
    text = mem_resize(text, *len + 1);
    text[*len - 1] = '\n';
    text[*len] = '\0';
    return text;
}

void client_send(struct console_client *client, json_t *json)
{
    size_t len;
    char *text = line_text(json, &len);

    json_decref(json);
    if (!text)
        return;
    client_write(client, text, len);
    free(text);
}

/* Takes complete lines out of the buffer. A line that is too long is answered once and then skipped to its end. */
static void client_lines(struct console_client *client)
{
    size_t at = 0;

    while (!client->dead && at < client->in_len) {
        char *end = memchr(client->in + at, '\n', client->in_len - at);

        if (!end)
            break;
        if (!client->skipping)
            client_line(client, client->in + at, (size_t)(end - client->in) - at);
        client->skipping = false;
        at = (size_t)(end - client->in) + 1;
    }
    if (client->dead)
        return;
    client->in_len -= at;
    memmove(client->in, client->in + at, client->in_len);
    if (client->skipping) {
        client->in_len = 0;
    } else if (client->in_len > LINE_LIMIT) {
        client->in_len = 0;
        client->skipping = true;
        console_answer_error(client, NULL, "too-long",
                             "A request is one line of at most 64 KiB; this one was dropped.");
    }
}

static void client_ready(void *arg, int fd, unsigned what)
{
    struct console_client *client = arg;
    ssize_t n;

    if (what & LOOP_WRITE)
        client_flush(client);
    if (client->dead || !(what & LOOP_READ))
        return;
    if (client->in_len == client->in_room) {
        client->in_room = client->in_room ? client->in_room * 4 : 1024;
        if (client->in_room > LINE_LIMIT + 1)
            client->in_room = LINE_LIMIT + 1;
        client->in = mem_resize(client->in, client->in_room);
    }
    n = recv(fd, client->in + client->in_len, client->in_room - client->in_len, MSG_DONTWAIT);
    if (n > 0) {
        client->in_len += (size_t)n;
        client_lines(client);
    } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        client_cut(client, NULL);
    }
}

struct console_client *console_adopt(struct console *console, int fd)
{
    struct console_client *client;

    if (console->client_count >= CLIENTS_LIMIT) {
        log_warn("console: %u clients are connected already; one more was turned away", console->client_count);
        close(fd);
        return NULL;
    }
    client = mem_new(sizeof *client);
    client->console = console;
    client->fd = fd;
    list_init(&client->requests);
    list_append(&console->clients, &client->node);
    console->client_count++;
    client->watch = loop_watch(console->loop, fd, LOOP_READ, client_ready, client);
    client_send(client,
                json_pack("{s:i,s:s,s:s}", "v", CONSOLE_PROTOCOL, "server", "tandemd", "version", PACKAGE_VERSION));
    return client->dead ? NULL : client;
}

static void listen_again(void *arg)
{
    struct console *console = arg;

    loop_watch_change(console->watch, LOOP_READ);
}

static void on_connect(void *arg, int listen_fd, unsigned what)
{
    struct console *console = arg;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        console_adopt(console, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
        /* The client stays in the backlog; asking again at once would only burn the CPU that calls need. */
        log_warn("console: a client cannot be taken: %s; trying again in a second", strerror(errno));
        loop_watch_change(console->watch, 0);
        loop_timer_start(console->loop, &console->retry, 1000, listen_again, console);
    }
}

/* --- events ------------------------------------------------------------------------------------------------------- */

bool client_wants(const struct console_client *client, const char *topic)
{
    for (unsigned i = 0; i < client->topic_count; i++) {
        if (strcmp(client->topics[i], topic) == 0)
            return true;
        if (strcmp(client->topics[i], TOPIC_ALL) == 0 && strcmp(topic, "log") != 0 && strcmp(topic, "trace") != 0)
            return true;
    }
    return false;
}

bool console_has_subscribers(const struct console *console, const char *topic)
{
    const struct console_client *client;

    LIST_FOR_EACH(client, &console->clients, node)
    {
        if (client_wants(client, topic))
            return true;
    }
    return false;
}

void console_emit(struct console *console, const char *topic, json_t *event)
{
    json_t *line = json_pack("{s:s,s:o}", "event", topic, "data", event ? event : json_null());
    struct console_client *client, *tmp;
    size_t len;
    char *text = line ? line_text(line, &len) : NULL;

    json_decref(line);
    if (!text)
        return;
    LIST_FOR_EACH_SAFE(client, tmp, &console->clients, node)
    {
        if (client_wants(client, topic))
            client_write(client, text, len);
    }
    free(text);
}

/* --- the socket -----------------------------------------------------------------------------------------------------
 */

/* 0 when nothing answers at this path (and then nothing is there any more), -EADDRINUSE when somebody does. */
static int clear_path(const struct sockaddr_un *addr)
{
    struct stat st;
    int fd, err;

    if (lstat(addr->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    err = connect(fd, (const struct sockaddr *)addr, sizeof *addr) == 0 ? 0 : errno;
    close(fd);
    if (err == 0 || err == EAGAIN)
        return -EADDRINUSE;
    if (err != ECONNREFUSED && err != ENOENT)
        return -err;
    return unlink(addr->sun_path) == 0 || errno == ENOENT ? 0 : -errno;
}

static int listen_at(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd, err;

    if (str_copy(addr.sun_path, sizeof addr.sun_path, path) < 0) {
        log_error("console: the path of the control socket is too long (at most %zu bytes): %s",
                  sizeof addr.sun_path - 1, path);
        return -ENAMETOOLONG;
    }
    err = clear_path(&addr);
    if (err == -EADDRINUSE)
        log_error("console: another switch listens on %s: stop it first, or give this one another run_dir", path);
    else if (err == -EEXIST)
        log_error("console: %s is in the way and is not a socket: remove it or choose another run_dir", path);
    else if (err)
        log_error("console: cannot use %s: %s", path, strerror(-err));
    if (err)
        return err;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    /* Linux takes a new socket file's mode from the descriptor (less the umask): at no moment is it open to everybody.
     */
    if (fchmod(fd, 0660) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || chmod(path, 0660) < 0 ||
        listen(fd, 64) < 0) {
        err = -errno;
        log_error("console: cannot listen on %s: %s", path, strerror(-err));
        close(fd);
        return err;
    }
    return fd;
}

int console_open(struct loop *loop, const char *path, struct console **out)
{
    struct console *console;
    struct stat st;
    int fd = listen_at(path);

    if (fd < 0)
        return fd;
    console = mem_new(sizeof *console);
    console->loop = loop;
    console->fd = fd;
    console->path = str_dup(path);
    if (lstat(path, &st) == 0) {
        console->dev = st.st_dev;
        console->ino = st.st_ino;
    }
    list_init(&console->clients);
    list_init(&console->commands);
    list_init(&console->parts);
    list_init(&console->statuses);
    console->watch = loop_watch(loop, fd, LOOP_READ, on_connect, console);
    *out = console;
    return 0;
}

void console_close(struct console *console)
{
    struct stat st;

    if (!console)
        return;
    while (!list_empty(&console->parts)) {
        struct console_part *part = LIST_ENTRY(console->parts.next, struct console_part, node);

        list_unlink(&part->node);
        part->close(part);
    }
    while (!list_empty(&console->clients))
        client_cut(LIST_ENTRY(console->clients.next, struct console_client, node), NULL);
    while (!list_empty(&console->commands))
        console_remove(LIST_ENTRY(console->commands.next, struct console_command, node));
    while (!list_empty(&console->statuses))
        console_remove_status(LIST_ENTRY(console->statuses.next, struct console_status, node));
    loop_timer_stop(console->loop, &console->retry);
    loop_unwatch(console->watch);
    close(console->fd);
    if (lstat(console->path, &st) == 0 && st.st_dev == console->dev && st.st_ino == console->ino)
        unlink(console->path);
    free(console->path);
    free(console);
}
