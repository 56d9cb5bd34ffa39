/* The control socket's lines: what a client may send, in the pieces that the input asks for. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "console/console-priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void echo(void *arg, struct console_request *request, json_t *params)
{
    if (json_object_get(params, "fail"))
        console_fail(request, "refused", "%s", json_string_value(json_object_get(params, "text")) ?: "no");
    else
        console_reply(request, json_incref(params));
}

/* Answers when the next one asks, or never. */
static void late(void *arg, struct console_request *request, json_t *params)
{
    struct console_request **kept = arg;

    if (*kept)
        console_reply(*kept, NULL);
    *kept = request;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct console console = {.fd = -1};
    struct console_request *kept = NULL;
    struct loop *loop = loop_new_fake();
    int pair[2];
    char sink[65536];

    log_set_level(LOG_LEVEL_ERROR);
    console.loop = loop;
    list_init(&console.clients);
    list_init(&console.commands);
    list_init(&console.parts);
    list_init(&console.statuses);
    console_add(&console, "echo", "", echo, NULL, NULL);
    console_add(&console, "late", "", late, &kept, NULL);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
        abort();
    console_adopt(&console, pair[0]);
    while (size) {
        size_t piece = data[0] ? (size_t)data[0] * 64 : 1;

        data++, size--;
        if (piece > size)
            piece = size;
        if (piece && send(pair[1], data, piece, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        data += piece;
        size -= piece;
        loop_turn(loop, 0);
        console_emit(&console, "call", json_object());
        while (recv(pair[1], sink, sizeof sink, MSG_DONTWAIT) > 0)
            ;
    }
    close(pair[1]);
    loop_turn(loop, 0);
    while (!list_empty(&console.clients))
        client_cut(LIST_ENTRY(console.clients.next, struct console_client, node), NULL);
    while (!list_empty(&console.commands))
        console_remove(LIST_ENTRY(console.commands.next, struct console_command, node));
    if (kept)
        console_reply(kept, NULL);
    loop_free(loop);
    return 0;
}
