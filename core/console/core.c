/* Puts the core's commands and events on a console. Signalling thread. The tables live beside their functions in
 * core_*.c; this file only walks them. */
#include "console/core.h"

#include <stdlib.h>

struct bound_command {
    struct core_part *core;
    const struct core_command *command;
    struct bound_command *next;
};

struct core_holder {
    struct core_part core;
    struct bound_command *commands;
};

const char *param_text(json_t *params, const char *key)
{
    const char *text = json_string_value(json_object_get(params, key));

    return text && text[0] ? text : NULL;
}

static void run(void *arg, struct console_request *request, json_t *params)
{
    struct bound_command *bound = arg;

    bound->command->fn(bound->core, request, params);
}

static void close_part(struct console_part *part)
{
    struct core_holder *holder = CONTAINER_OF(part, struct core_holder, core.part);

    core_trace_stop(&holder->core);
    core_events_stop(&holder->core);
    log_tap_close(holder->core.log);
    while (holder->commands) {
        struct bound_command *bound = holder->commands;

        holder->commands = bound->next;
        free(bound);
    }
    free(holder);
}

static int add_table(struct core_holder *holder, const struct core_command *command)
{
    for (; command->name; command++) {
        struct bound_command *bound = mem_new(sizeof *bound);
        int err;

        bound->core = &holder->core;
        bound->command = command;
        bound->next = holder->commands;
        holder->commands = bound;
        err = console_add(holder->core.console, command->name, command->summary, run, bound, NULL);
        if (err)
            return err;
    }
    return 0;
}

int console_add_core(struct console *console, const struct console_core *core)
{
    const struct core_command *const tables[] = {
        core_status_commands,      core_call_commands,      core_account_commands, core_trace_commands,
        core_dialplan_commands,    core_originate_commands, core_ban_commands,     core_tls_commands,
        core_conference_commands,  core_record_commands,    core_play_commands,    core_notify_commands,
        core_subscription_commands};
    struct core_holder *holder = mem_new(sizeof *holder);

    holder->core.console = console;
    holder->core.core = *core;
    holder->core.part.close = close_part;
    list_append(&console->parts, &holder->core.part.node);
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        int err = add_table(holder, tables[i]);

        if (err)
            return err; /* what was added goes with the console */
    }
    core_events_start(&holder->core);
    core_trace_start(&holder->core);
    holder->core.log = log_tap_open(console);
    return 0;
}
