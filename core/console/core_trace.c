/* The commands trace and why, the topic "trace", and the recorder's section of status. Signalling thread; the search
 * runs on a worker, and its answer comes later. */
#include <stdlib.h>

#include "console/core.h"
#include "trace/trace.h"

static bool take_filter(struct trace_query *query, json_t *params)
{
    static const struct {
        const char *key;
        enum trace_wanted wanted;
    } filters[] = {{"id", TRACE_CALL}, {"last", TRACE_LAST}, {"register", TRACE_REGISTER}, {"address", TRACE_ADDRESS}};
    unsigned found = 0;

    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        const char *text = json_string_value(json_object_get(params, filters[i].key));

        if (!text || (!*text && filters[i].wanted != TRACE_LAST))
            continue;
        query->wanted = filters[i].wanted;
        if (str_copy(query->text, sizeof query->text, text) < 0)
            return false;
        found++;
    }
    return found == 1;
}

/* Somebody who waits for a search. */
struct asked {
    struct core_part *core;
    struct console_request *request;
    char account[64]; /* of `why register` and `why last`; "" otherwise */
};

static void found(void *arg, int error, json_t *result)
{
    struct asked *asked = arg;
    struct console_request *request = asked->request;

    if (!error && asked->account[0] &&
        !json_object_get(result, "call")) /* of a call that was one, no ban kept it away */
        core_bans_explain(asked->core, asked->account, result);
    free(asked);
    if (error == -ENOTUNIQ)
        console_fail(request, "ambiguous", "Several calls begin like this: give more characters of the id.");
    else if (error == -EINVAL)
        console_fail(request, "bad-request", "An address is like 192.0.2.7, 192.0.2.7:5060 or [2001:db8::1]:5060.");
    else if (error)
        console_fail(request, "not-found",
                     "Nothing of it is recorded. `tandem status` says how far back the recorder goes.");
    else
        console_reply(request, result);
}

static void search(struct core_part *core, struct console_request *request, json_t *params, bool explain)
{
    struct trace_query query = {.raw = json_is_true(json_object_get(params, "raw")), .explain = explain};
    json_int_t count = json_integer_value(json_object_get(params, "count"));
    json_int_t skip = json_integer_value(json_object_get(params, "skip"));
    json_int_t until_us = json_integer_value(json_object_get(params, "until_us"));
    struct asked *asked;

    query.count = count > 0 && count < 100000 ? (unsigned)count : 0;
    query.skip = skip > 0 && skip < 1000000 ? (unsigned)skip : 0;
    query.until_us = until_us > 0 ? (uint64_t)until_us : 0;
    if (!core->core.trace) {
        console_fail(request, "unavailable", "The flight recorder is not running.");
        return;
    }
    if (!take_filter(&query, params)) {
        console_fail(
            request, "bad-request",
            "Say one of: id (the beginning of a call's id), last (an account or number; \"\": anybody), register "
            "(an account), address.");
        return;
    }
    asked = mem_new(sizeof *asked);
    asked->core = core;
    asked->request = request;
    if (explain && (query.wanted == TRACE_REGISTER || query.wanted == TRACE_LAST))
        str_copy(asked->account, sizeof asked->account, query.text);
    trace_search(core->core.trace, &query, found, asked);
}

static void run_trace(struct core_part *core, struct console_request *request, json_t *params)
{
    search(core, request, params, false);
}

static void run_why(struct core_part *core, struct console_request *request, json_t *params)
{
    if (json_object_get(params, "address"))
        console_fail(request, "bad-request", "why takes id, last or register.");
    else
        search(core, request, params, true);
}

const struct core_command core_trace_commands[] = {
    {"trace",
     "recorded messages: id, last, register or address; raw = true for whole messages, in "
     "parts: \"next\" of one is skip of the next, with its until_us",
     run_trace},
    {"why", "in words why a call or registration went as it did: id, last or register", run_why},
    {NULL, NULL, NULL},
};

static bool is_followed(void *arg)
{
    const struct core_part *core = arg;

    return console_has_subscribers(core->console, "trace");
}

static void on_message(void *arg, json_t *message)
{
    const struct core_part *core = arg;

    console_emit(core->console, "trace", message);
}

static json_t *recorder_json(void *arg)
{
    const struct core_part *core = arg;

    return trace_status(core->core.trace);
}

void core_trace_start(struct core_part *core)
{
    if (!core->core.trace)
        return;
    trace_follow(core->core.trace, is_followed, on_message, core);
    core->recorder = console_add_status(core->console, "recorder", recorder_json, core);
}

void core_trace_stop(struct core_part *core)
{
    if (!core->core.trace)
        return;
    trace_follow(core->core.trace, NULL, NULL, NULL);
    console_remove_status(core->recorder);
}
