/* Requests of the control socket: the protocol's envelope, the table of commands, and answers that may come later.
 * Signalling thread. Knows no telephony. */
#include "console/console-priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* --- the table of commands ---------------------------------------------------------------------------------------- */

static struct console_command *find_command(struct console *console, const char *name)
{
    struct console_command *command;

    LIST_FOR_EACH(command, &console->commands, node)
    {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}

int console_add(struct console *console, const char *name, const char *summary, console_fn fn, void *arg,
                struct console_command **out)
{
    struct console_command *command;

    if (find_command(console, name))
        return -EEXIST;
    command = mem_new(sizeof *command);
    command->console = console;
    command->name = str_dup(name);
    command->summary = str_dup(summary ? summary : "");
    command->fn = fn;
    command->arg = arg;
    list_append(&console->commands, &command->node);
    if (out)
        *out = command;
    return 0;
}

void console_remove(struct console_command *command)
{
    if (!command)
        return;
    list_unlink(&command->node);
    free(command->name);
    free(command->summary);
    free(command);
}

struct console_status *console_add_status(struct console *console, const char *name, json_t *(*fn)(void *), void *arg)
{
    struct console_status *status = mem_new(sizeof *status);

    status->name = str_dup(name);
    status->fn = fn;
    status->arg = arg;
    list_append(&console->statuses, &status->node);
    return status;
}

void console_remove_status(struct console_status *status)
{
    if (!status)
        return;
    list_unlink(&status->node);
    free(status->name);
    free(status);
}

/* --- answers --------------------------------------------------------------------------------------------------------
 */

/* Takes over id. */
void console_answer_error(struct console_client *client, json_t *id, const char *code, const char *text)
{
    client_send(client, json_pack("{s:o,s:b,s:{s:s,s:o}}", "id", id ? id : json_null(), "ok", 0, "error", "code", code,
                                  "text", json_text(text)));
}

/* Frees the request; returns its client, or NULL when that has gone. *id passes to the caller. */
static struct console_client *request_end(struct console_request *request, json_t **id)
{
    struct console_client *client = request->client;

    *id = request->id;
    if (client) {
        list_unlink(&request->node);
        client->waiting--;
    }
    free(request);
    return client;
}

void console_reply(struct console_request *request, json_t *result)
{
    json_t *id;
    struct console_client *client = request_end(request, &id);

    if (client) {
        client_send(client, json_pack("{s:o,s:b,s:o}", "id", id, "ok", 1, "result", result ? result : json_object()));
    } else {
        json_decref(id);
        json_decref(result);
    }
}

void console_fail(struct console_request *request, const char *code, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    json_t *id;
    struct console_client *client = request_end(request, &id);

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (client)
        console_answer_error(client, id, code, text);
    else
        json_decref(id);
}

/* --- requests of the protocol itself
 * ---------------------------------------------------------------------------------- */

static void answer_help(struct console_client *client, json_t *id)
{
    json_t *list = json_array();
    struct console_command *command;

    LIST_FOR_EACH(command, &client->console->commands, node)
    {
        json_array_append_new(list, json_pack("{s:s,s:s}", "name", command->name, "summary", command->summary));
    }
    client_send(client, json_pack("{s:O,s:b,s:{s:o}}", "id", id, "ok", 1, "result", "commands", list));
}

static int topic_index(const struct console_client *client, const char *topic)
{
    for (unsigned i = 0; i < client->topic_count; i++)
        if (strcmp(client->topics[i], topic) == 0)
            return (int)i;
    return -1;
}

/* Adds or removes params.topics and answers with what the client follows now. No topics: all of them but the log. */
static void answer_subscribe(struct console_client *client, json_t *id, json_t *params, bool add)
{
    json_t *topics = json_object_get(params, "topics"), *now, *item;
    size_t i;
    unsigned kept = 0;

    if (topics && !json_is_array(topics)) {
        console_answer_error(client, json_incref(id), "bad-request",
                             "\"topics\" is a list of words: [\"call\",\"leg\"].");
        return;
    }
    if (!add && !topics)
        client->topic_count = 0; /* none of them any more */
    if (add && json_array_size(topics) == 0) {
        str_copy(client->topics[0], sizeof client->topics[0], TOPIC_ALL);
        client->topic_count = 1;
    }
    json_array_foreach(topics, i, item)
    {
        const char *topic = json_string_value(item);
        int at;

        if (!topic || !*topic || strlen(topic) >= sizeof client->topics[0]) {
            console_answer_error(client, json_incref(id), "bad-request", "A topic is a word of 1 to 31 characters.");
            return;
        }
        at = topic_index(client, topic);
        if (!add && at >= 0) {
            client->topics[at][0] = '\0';
        } else if (add && at < 0) {
            if (client->topic_count == TOPICS_LIMIT) {
                console_answer_error(client, json_incref(id), "bad-request",
                                     "One client can follow at most 16 topics.");
                return;
            }
            str_copy(client->topics[client->topic_count++], sizeof client->topics[0], topic);
        }
    }
    now = json_array();
    for (unsigned t = 0; t < client->topic_count; t++) {
        if (!client->topics[t][0])
            continue;
        if (kept != t)
            memcpy(client->topics[kept], client->topics[t], sizeof client->topics[0]);
        json_array_append_new(now, json_string(client->topics[kept++]));
    }
    client->topic_count = kept;
    if (client->console->followers)
        client->console->followers(client->console->followers_arg);
    client_send(client, json_pack("{s:O,s:b,s:{s:o}}", "id", id, "ok", 1, "result", "topics", now));
}

/* --- dispatch -------------------------------------------------------------------------------------------------------
 */

static void run_command(struct console_client *client, struct console_command *command, json_t *id, json_t *params)
{
    struct console_request *request;

    if (client->waiting >= WAITING_LIMIT) {
        console_answer_error(client, json_incref(id), "busy",
                             "64 requests of this client wait for their answers already.");
        return;
    }
    request = mem_new(sizeof *request);
    request->client = client;
    request->id = json_incref(id);
    client->waiting++;
    list_append(&client->requests, &request->node);
    command->fn(command->arg, request, params);
}

static void dispatch(struct console_client *client, json_t *line, json_t *id)
{
    json_t *version = json_object_get(line, "v"), *params = json_object_get(line, "params"), *none = NULL;
    const char *name = json_string_value(json_object_get(line, "cmd"));
    struct console_command *command;
    char text[160];

    if (version && json_integer_value(version) != CONSOLE_PROTOCOL) {
        snprintf(text, sizeof text, "This switch speaks version %d of the protocol only.", CONSOLE_PROTOCOL);
        console_answer_error(client, json_incref(id), "version", text);
    } else if (!name) {
        console_answer_error(client, json_incref(id), "bad-request",
                             "\"cmd\" is missing: {\"v\":1,\"id\":1,\"cmd\":\"help\"} lists the commands.");
    } else if (params && !json_is_object(params)) {
        console_answer_error(client, json_incref(id), "bad-request", "\"params\" is an object: {\"name\":\"201\"}.");
    } else {
        if (!params)
            params = none = json_object();
        command = find_command(client->console, name);
        if (strcmp(name, "help") == 0) {
            answer_help(client, id);
        } else if (strcmp(name, "subscribe") == 0 || strcmp(name, "unsubscribe") == 0) {
            answer_subscribe(client, id, params, name[0] == 's');
        } else if (command) {
            run_command(client, command, id, params);
        } else {
            snprintf(text, sizeof text, "There is no command \"%.60s\"; the module that brings it may not be loaded.",
                     name);
            console_answer_error(client, json_incref(id), "unknown-command", text);
        }
        json_decref(none);
    }
}

void client_line(struct console_client *client, const char *line, size_t len)
{
    json_error_t error;
    json_t *json, *id;
    char text[JSON_ERROR_TEXT_LENGTH + 80];

    if (len && line[len - 1] == '\r') /* somebody types into socat */
        len--;
    if (!len)
        return;
    json = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(json)) {
        if (json)
            snprintf(text, sizeof text, "A request is a JSON object: {\"v\":1,\"id\":1,\"cmd\":\"status\"}.");
        else
            snprintf(text, sizeof text, "This is not JSON: %s (at byte %d).", error.text, error.position);
        console_answer_error(client, NULL, "bad-json", text);
        json_decref(json);
        return;
    }
    id = json_object_get(json, "id");
    if (id && !json_is_integer(id) && !json_is_string(id) && !json_is_null(id))
        console_answer_error(client, NULL, "bad-request", "\"id\" is a number or a string.");
    else
        dispatch(client, json, id ? id : json_null());
    json_decref(json);
}
