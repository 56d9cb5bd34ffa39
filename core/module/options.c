/* Options of modules: checks what the bootstrap file says against the module's table, and turns the same table into
 * documentation, so that neither can say what the other does not know. Signalling thread, at start. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "module/module-priv.h"

static const struct {
    const char *name, *wants;
} types[] = {
    [OPTION_STRING] = {"text", "text"},
    [OPTION_NUMBER] = {"number", "a number"},
    [OPTION_FLAG] = {"yes or no", "yes or no"},
    [OPTION_SECONDS] = {"time", "a time in seconds, or like 90s, 5m, 1h, 1d"},
};

static int parse_flag(const char *text, uint64_t *out)
{
    static const char *const words[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *out = i % 2;
            return 0;
        }
    }
    return -EINVAL;
}

static int parse_seconds(const char *text, uint64_t *out)
{
    static const char units[] = "smhd";
    static const uint64_t seconds[] = {1, 60, 3600, 86400};
    char digits[24];
    size_t len = strspn(text, "0123456789");
    const char *unit = text[len] ? strchr(units, text[len]) : units;

    if (!unit || (text[len] && text[len + 1]) || str_copy_n(digits, sizeof digits, text, len) < 0 ||
        str_to_u64(digits, UINT32_MAX, out) < 0)
        return -EINVAL;
    *out *= seconds[unit - units];
    return 0;
}

int module_option_parse(enum option_type type, const char *text, uint64_t *out)
{
    switch (type) {
    case OPTION_STRING:
        *out = 0;
        return 0;
    case OPTION_NUMBER:
        return str_to_u64(text, UINT64_MAX, out) < 0 ? -EINVAL : 0;
    case OPTION_FLAG:
        return parse_flag(text, out);
    case OPTION_SECONDS:
        return parse_seconds(text, out);
    }
    return -EINVAL;
}

static unsigned option_count(const struct module *module)
{
    unsigned count = 0;

    while (module->options && module->options[count].name)
        count++;
    return count;
}

/* Index in the table, or -1. */
static int option_index(const struct module *module, const char *name)
{
    for (unsigned i = 0; i < option_count(module); i++)
        if (strcmp(module->options[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int unknown(const struct module_ctx *ctx, const char *key, char *why, size_t why_size)
{
    size_t used = 0;

    str_append(why, why_size, &used, "module %s has no option \"%s\"", ctx->instance, key);
    for (unsigned i = 0; i < option_count(ctx->module); i++)
        str_append(why, why_size, &used, "%s%s", i ? ", " : "; there are ", ctx->module->options[i].name);
    return -EINVAL;
}

int module_options_read(struct module_ctx *ctx, const char *const *options, char *why, size_t why_size)
{
    const struct module *module = ctx->module;
    unsigned count = option_count(module);

    ctx->values = mem_new((count + 1) * sizeof *ctx->values);
    ctx->texts = mem_new((count + 1) * sizeof *ctx->texts);
    for (unsigned i = 0; i < count; i++)
        ctx->values[i] = module->options[i].otherwise;
    for (; options && options[0]; options += 2) {
        int i = option_index(module, options[0]);
        uint64_t number;

        if (i < 0)
            return unknown(ctx, options[0], why, why_size);
        if (module_option_parse(module->options[i].type, options[1], &number) < 0) {
            snprintf(why, why_size, "module %s: option %s takes %s, not \"%s\"", ctx->instance, options[0],
                     types[module->options[i].type].wants, options[1]);
            return -EINVAL;
        }
        free(ctx->texts[i]);
        ctx->values[i] = ctx->texts[i] = str_dup(options[1]);
    }
    return 0;
}

void module_options_free(struct module_ctx *ctx)
{
    for (unsigned i = 0; ctx->texts && i < option_count(ctx->module); i++)
        free(ctx->texts[i]);
    free(ctx->texts);
    free(ctx->values);
    ctx->texts = NULL;
    ctx->values = NULL;
}

const char *module_option(const struct module_ctx *ctx, const char *name)
{
    int i = option_index(ctx->module, name);

    return bug_if(i < 0) ? NULL : ctx->values[i];
}

uint64_t module_option_number(const struct module_ctx *ctx, const char *name)
{
    int i = option_index(ctx->module, name);
    uint64_t number = 0;

    if (bug_if(i < 0) || bug_if(ctx->module->options[i].type == OPTION_STRING))
        return 0;
    if (ctx->values[i])
        module_option_parse(ctx->module->options[i].type, ctx->values[i], &number); /* was checked at start */
    return number;
}

/* --- documentation
 * ---------------------------------------------------------------------------------------------------- */

static void write_help(const struct module *module, FILE *out)
{
    fprintf(out, "[module %s]    # %s\n", module->name, module->summary);
    for (const struct module_option *o = module->options; o && o->name; o++)
        fprintf(out, "#%s = %s\n#    %s (%s)\n", o->name, o->otherwise ? o->otherwise : "", o->summary,
                types[o->type].name);
    for (const char *const *need = module->needs; need && *need; need++)
        fprintf(out, "# needs [module %s]\n", *need);
}

int module_help(const char *dir, const char *name, FILE *out, char *why, size_t why_size)
{
    const struct module *module;
    void *handle;
    int err = module_open(dir, name, &handle, &module, why, why_size);

    if (err)
        return err;
    write_help(module, out);
    module_close(handle);
    return 0;
}
