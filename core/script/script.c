/* The dialplan as the rest of the switch sees it: opened, loaded anew, asked, closed. Signalling thread. */
#include "script/script.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "script/script-priv.h"

static bool knows(void *arg, const char *context, const char *dialled)
{
    const struct script *script = arg;
    const struct extension *found = extension_find(&script->state->extensions, context, dialled);

    return found && strcmp(found->pattern, "_.") != 0 && strcmp(found->pattern, "_!") != 0;
}

static const struct script_ops ops = {.start = run_start, .hangup = run_hangup, .knows = knows};

/* Calls from now on are recorded with it. */
static void name_dialplan(struct script *script)
{
    hex_text(script->state->hash, (sizeof script->pbx->dialplan - 1) / 2, script->pbx->dialplan);
}

int script_open(struct pbx *pbx, const struct script_config *config, struct script **out, char *why, size_t why_size)
{
    struct script *script = mem_new(sizeof *script);
    struct script_config *c = &script->config;
    int result;

    *c = *config;
    c->dir = script->dir = str_dup(config->dir);
    c->library_dir = script->library_dir = config->library_dir ? str_dup(config->library_dir) : NULL;
    c->memory_limit = c->memory_limit ? c->memory_limit : 64 * 1024 * 1024;
    c->call_memory_limit = c->call_memory_limit ? c->call_memory_limit : 1024 * 1024;
    c->instruction_limit = c->instruction_limit ? c->instruction_limit : 1000000;
    c->max_run_s = c->max_run_s ? c->max_run_s : 24 * 3600;
    script->pbx = pbx;
    list_init(&script->runs);
    result = state_open(script, &script->state, why, why_size);
    if (result < 0) {
        free(script->dir);
        free(script->library_dir);
        free(script);
        return result;
    }
    log_info("dialplan of %s loaded: %zu extensions", script->dir, script->state->extensions.count);
    name_dialplan(script);
    pbx->script = script;
    pbx->script_ops = &ops;
    *out = script;
    return 0;
}

int script_reload(struct script *script, char *why, size_t why_size)
{
    struct script_state *state;
    int result = state_open(script, &state, why, why_size);

    if (result < 0) {
        log_error("the dialplan stays as it was, the new one is broken: %s", why);
        return result;
    }
    obj_unref(script->state, "script"); /* running calls keep it alive */
    script->state = state;
    name_dialplan(script);
    log_info("dialplan of %s loaded anew: %zu extensions", script->dir, state->extensions.count);
    return 0;
}

void script_close(struct script *script)
{
    if (!script)
        return;
    while (!list_empty(&script->runs))
        run_abandon(LIST_ENTRY(script->runs.next, struct script_run, node));
    obj_unref(script->state, "script");
    script->pbx->script = NULL;
    script->pbx->script_ops = NULL;
    free(script->dir);
    free(script->library_dir);
    free(script);
}

bool script_has_extension(const struct script *script, const char *context, const char *extension)
{
    return extension_find(&script->state->extensions, context, extension) != NULL;
}
