/* The dialplan as the rest of the switch sees it: opened, loaded anew, asked, closed. Signalling thread. */
#include "script/script.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "script/copy.h"
#include "script/script-priv.h"

#define FILE_LANE 2 /* of the workers */

static bool knows(void *arg, const char *context, const char *dialled)
{
    const struct script *script = arg;
    const struct extension *found = extension_find(&script->state->extensions, context, dialled);

    if (found && found->exists)
        return run_exists(script->state, found, dialled);
    return found && strcmp(found->pattern, "_.") != 0 && strcmp(found->pattern, "_!") != 0;
}

static bool has(void *arg, const char *context, const char *dialled)
{
    const struct script *script = arg;
    const struct extension *found = extension_find(&script->state->extensions, context, dialled);

    return found && (!found->exists || run_exists(script->state, found, dialled));
}

static const struct script_ops ops = {
    .start = run_start, .hangup = run_hangup, .transferred = run_transferred, .knows = knows, .has = has};

/* Calls from now on are recorded with what it is made of. */
static void name_dialplan(struct script *script)
{
    const struct script_files *files = &script->state->files;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t hash[EVP_MAX_MD_SIZE];

    EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
    for (size_t i = 0; i < files->count; i++) {
        EVP_DigestUpdate(ctx, files->items[i].name, strlen(files->items[i].name) + 1);
        EVP_DigestUpdate(ctx, files->items[i].text, files->items[i].len);
    }
    EVP_DigestFinal_ex(ctx, hash, NULL);
    EVP_MD_CTX_free(ctx);
    hex_text(hash, (sizeof script->pbx->dialplan - 1) / 2, script->pbx->dialplan);
}

/* The dialplan that worked last, instead of the one that does not. */
static int take_copy(struct script *script)
{
    json_t *files = copy_read(script->copy_path);
    struct script_state *state = files ? state_new(script) : NULL;
    char why[256];
    int result;

    if (!files)
        return -ENOENT;
    state->pretence.file = copy_file;
    state->pretence.arg = files;
    state->files.pretence = &state->pretence;
    result = state_load(state, why, sizeof why);
    memset(&state->pretence, 0, sizeof state->pretence);
    json_decref(files);
    if (result < 0) {
        log_error("the copy of the dialplan in %s cannot be used either: %s", script->copy_path, why);
        obj_unref(state, "script");
        return result;
    }
    obj_unref(script->state, "script");
    script->state = state;
    return 0;
}

int script_open(struct pbx *pbx, const struct script_config *config, struct script **out, char *why, size_t why_size)
{
    struct script *script = mem_new(sizeof *script);
    struct script_config *c = &script->config;
    int result;

    *c = *config;
    c->dir = script->dir = str_dup(config->dir);
    c->library_dir = script->library_dir = config->library_dir ? str_dup(config->library_dir) : NULL;
    c->copy_path = script->copy_path = config->copy_path ? str_dup(config->copy_path) : NULL;
    c->memory_limit = c->memory_limit ? c->memory_limit : 64 * 1024 * 1024;
    c->call_memory_limit = c->call_memory_limit ? c->call_memory_limit : 1024 * 1024;
    c->instruction_limit = c->instruction_limit ? c->instruction_limit : 1000000;
    c->max_run_s = c->max_run_s ? c->max_run_s : 24 * 3600;
    script->pbx = pbx;
    list_init(&script->runs);
    script->state = state_new(script);
    result = state_load(script->state, why, why_size);
    if (result < 0 && script->copy_path && take_copy(script) == 0) {
        str_copy(script->problem, sizeof script->problem, why);
        log_error(
            "the dialplan cannot be loaded: %s. The one that worked last is in force; `tandem dialplan reload` when "
            "it is corrected",
            why);
        result = 0;
    } else if (result == 0 && script->copy_path) {
        copy_write(pbx->loop, script->copy_path, &script->state->files);
    }
    if (result < 0) {
        script_close(script);
        return result;
    }
    log_info("dialplan of %s loaded: %zu extensions", script->dir, script->state->extensions.count);
    name_dialplan(script);
    pbx->script = script;
    pbx->script_ops = &ops;
    *out = script;
    return 0;
}

/* --- loading anew ------------------------------------------------------------------------------------------------ */

struct script_load {
    struct script *script; /* NULL: it was closed meanwhile */
    struct script_state *state;
    bool keep;
    int result;
    char why[512];
    script_loaded_fn done;
    void *arg;
};

static void load_work(void *arg)
{
    struct script_load *load = arg;

    load->result = state_load(load->state, load->why, sizeof load->why);
}

static struct script_summary summarise(const struct script_state *state, int result, const char *why)
{
    return (struct script_summary){.result = result,
                                   .why = why,
                                   .extensions = state->extensions.count,
                                   .contexts = state->extensions.context_count,
                                   .files = state->files.count,
                                   .state = state};
}

struct script_summary script_summary(const struct script *script)
{
    return summarise(script->state, 0, "");
}

static void load_done(void *arg)
{
    struct script_load *load = arg;
    struct script *script = load->script;
    struct script_summary summary = summarise(load->state, load->result, load->why);

    if (script) {
        script->load = NULL;
        if (load->keep && load->result == 0) {
            struct script_state *old = script->state;

            script->state = load->state;
            load->state = old; /* running calls keep it alive */
            name_dialplan(script);
            script->problem[0] = '\0';
            if (script->copy_path)
                copy_write(script->pbx->loop, script->copy_path, &script->state->files);
            log_info("dialplan of %s loaded anew: %zu extensions", script->dir, summary.extensions);
        } else if (load->keep) {
            log_error("the dialplan stays as it was, the new one is broken: %s", load->why);
        }
        load->done(load->arg, &summary);
    }
    obj_unref(load->state, "script");
    free(load);
}

int script_load(struct script *script, bool keep, script_loaded_fn done, void *arg)
{
    struct script_load *load;

    if (script->load)
        return -EBUSY;
    load = script->load = mem_new(sizeof *load);
    load->script = script;
    load->state = state_new(script);
    load->keep = keep;
    load->done = done;
    load->arg = arg;
    loop_work(script->pbx->loop, FILE_LANE, load_work, load_done, load);
    return 0;
}

void script_close(struct script *script)
{
    if (!script)
        return;
    if (script->load) { /* the worker goes on with what is its own */
        struct script_summary summary = {.result = -ECANCELED, .why = "the switch is stopping"};

        script->load->script = NULL;
        script->load->done(script->load->arg, &summary);
    }
    while (!list_empty(&script->runs))
        run_abandon(LIST_ENTRY(script->runs.next, struct script_run, node));
    obj_unref(script->state, "script");
    if (script->pbx->script == script) {
        script->pbx->script = NULL;
        script->pbx->script_ops = NULL;
    }
    free(script->dir);
    free(script->library_dir);
    free(script->copy_path);
    free(script);
}

const char *script_problem(const struct script *script)
{
    return script->problem;
}

bool script_has_extension(const struct script *script, const char *context, const char *extension)
{
    return extension_find(&script->state->extensions, context, extension) != NULL;
}

bool script_summary_has(const struct script_summary *summary, const char *context)
{
    const struct extension_table *table = &summary->state->extensions;

    for (size_t i = 0; i < table->context_count; i++)
        if (strcmp(table->contexts[i].name, context) == 0)
            return true;
    return false;
}

void script_visit(const struct script *script, const struct script_visitor *visitor)
{
    const struct script_state *state = script->state;
    const struct extension_table *table = &state->extensions;

    for (size_t i = 0; visitor->extension && i < table->count; i++)
        visitor->extension(visitor->arg, table->items[i].context, table->items[i].pattern, table->items[i].at);
    for (size_t i = 0; visitor->include && i < table->context_count; i++)
        for (size_t k = 0; k < table->contexts[i].include_count; k++)
            visitor->include(visitor->arg, table->contexts[i].name, table->contexts[i].includes[k],
                             table->contexts[i].at);
    for (size_t i = 0; visitor->file && i < state->files.count; i++) {
        const struct script_file *file = &state->files.items[i];

        visitor->file(visitor->arg, file->name, file->dir != 0, file->text, file->len);
    }
}
