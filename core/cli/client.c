/* The control socket from the client's side: one request, one answer, or a stream of events. Blocking, with a limit. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"

#define ANSWER_MS 30000
#define REQUEST_ID 1

/* The next line as JSON; timeout_ms -1: as long as it takes. NULL: closed, too slow (*slow) or not JSON. */
static json_t *next_line(struct cli *cli, int timeout_ms, bool *slow)
{
    size_t looked = 0;

    *slow = false;
    for (;;) {
        char *end = memchr(cli->in + looked, '\n', cli->in_len - looked);
        struct pollfd wait = {.fd = cli->fd, .events = POLLIN};
        ssize_t n;

        if (end) {
            json_t *json = json_loadb(cli->in, (size_t)(end - cli->in), 0, NULL);

            cli->in_len -= (size_t)(end + 1 - cli->in);
            memmove(cli->in, end + 1, cli->in_len);
            return json;
        }
        looked = cli->in_len;
        if (cli->in_len == cli->in_room) {
            cli->in_room *= 2;
            cli->in = mem_resize(cli->in, cli->in_room);
        }
        n = poll(&wait, 1, timeout_ms);
        if (n == 0) {
            *slow = true;
            return NULL;
        }
        if (n < 0 && errno == EINTR)
            continue;
        n = recv(cli->fd, cli->in + cli->in_len, cli->in_room - cli->in_len, 0);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            return NULL;
        if (n > 0)
            cli->in_len += (size_t)n;
    }
}

static void explain_connect(const struct cli *cli, int err)
{
    const char *path = cli->socket_path;

    if (cli->quiet)
        return;
    if (err == ENOENT || err == ECONNREFUSED)
        cli_error("no switch listens on %s: is tandemd running? (-s PATH names another control socket)", path);
    else if (err == EACCES)
        cli_error("%s may not be opened by you: it is for the switch's user and group (try sudo, or join the group)",
                  path);
    else
        cli_error("cannot connect to %s: %s", path, strerror(err));
}

static bool connect_switch(struct cli *cli)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    json_t *greeting;
    bool slow;

    if (cli->fd >= 0)
        return true;
    if (str_copy(addr.sun_path, sizeof addr.sun_path, cli->socket_path) < 0) {
        cli_error("the path of the control socket is too long: %s", cli->socket_path);
        return false;
    }
    cli->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (cli->fd < 0 || connect(cli->fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
        explain_connect(cli, errno);
        cli_hang_up(cli);
        return false;
    }
    cli->in_room = 4096;
    cli->in = mem_new(cli->in_room);
    greeting = next_line(cli, ANSWER_MS, &slow);
    if (json_num(greeting, "v") != 1) {
        if (!greeting)
            cli_error(slow ? "the switch on %s does not answer" : "the switch on %s turned us away: see its log",
                      cli->socket_path);
        else
            cli_error(
                "the switch on %s speaks version %lld of the protocol, this program version 1: update the older one",
                cli->socket_path, (long long)json_num(greeting, "v"));
        json_decref(greeting);
        cli_hang_up(cli);
        return false;
    }
    json_decref(greeting);
    return true;
}

static bool send_request(struct cli *cli, const char *cmd, json_t *params)
{
    json_t *request =
        json_pack("{s:i,s:i,s:s,s:o}", "v", 1, "id", REQUEST_ID, "cmd", cmd, "params", params ? params : json_object());
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    size_t len, sent = 0;

    json_decref(request);
    if (!text) {
        cli_error("the arguments are not valid UTF-8 text");
        return false;
    }
    len = strlen(text);
    text[len] = '\n'; /* over the NUL: the length is known */
    while (sent <= len) {
        ssize_t n = send(cli->fd, text + sent, len + 1 - sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    explicit_bzero(text, len + 1); /* it may hold a secret */
    free(text);
    if (sent <= len)
        cli_error("the switch closed the connection");
    return sent > len;
}

enum cli_exit cli_ask(struct cli *cli, const char *cmd, json_t *params, json_t **result)
{
    json_t *answer = NULL;
    bool slow = false;

    *result = NULL;
    if (!connect_switch(cli)) {
        json_decref(params);
        return CLI_FAILED;
    }
    if (!send_request(cli, cmd, params))
        return CLI_FAILED;
    do { /* events may come between */
        json_decref(answer);
        answer = next_line(cli, ANSWER_MS, &slow);
    } while (answer && json_object_get(answer, "event"));
    if (!answer) {
        cli_error(slow ? "the switch did not answer within 30 s" : "the switch closed the connection");
        return CLI_FAILED;
    }
    if (json_yes(answer, "ok")) {
        *result = json_incref(json_object_get(answer, "result"));
    } else if (!cli->quiet) {
        const char *text = json_str(json_object_get(answer, "error"), "text");

        if (cli->json)
            print_json(cli, json_object_get(answer, "error"));
        fputs("tandem: ", stderr);
        print_clean(stderr, *text ? text : "the switch said no, without a reason");
        putc('\n', stderr);
    }
    json_decref(answer);
    return *result ? CLI_OK : CLI_FAILED;
}

enum cli_exit cli_tell(struct cli *cli, const char *cmd, json_t *params, const char *text)
{
    json_t *result;
    enum cli_exit status = cli_ask(cli, cmd, params, &result);

    if (status == CLI_OK && cli->json)
        print_json(cli, result);
    else if (status == CLI_OK && text)
        fprintf(cli->out, "%s\n", text);
    json_decref(result);
    return status;
}

json_t *cli_next_event(struct cli *cli)
{
    bool slow;

    return next_line(cli, -1, &slow);
}

void cli_hang_up(struct cli *cli)
{
    if (cli->fd >= 0)
        close(cli->fd);
    cli->fd = -1;
    free(cli->in);
    cli->in = NULL;
    cli->in_len = cli->in_room = 0;
}
