/* What the files of the module room share: one loaded module, and the list of what it added. */
#ifndef MODULE_MODULE_PRIV_H
#define MODULE_MODULE_PRIV_H

#include "base/list.h"
#include "module/loader.h"

/* One thing that a module added. It stands at the beginning of a struct of its own; `take_back` revokes and frees it.
 */
struct undo {
    struct list node; /* ctx->added, newest first */
    void (*take_back)(struct undo *undo);
};

/* One running instance of one module; what a module knows as its context. */
struct module_ctx {
    struct list node; /* set->running, in order of start */
    struct module_set *set;
    const struct module *module;
    char instance[64];
    const char **values; /* one per option of the table; NULL: not set */
    char **texts;        /* copies behind `values` */
    void *state;
    bool started;
    struct list added;
    unsigned jobs; /* on a worker right now */
};

struct module_set {
    struct pbx *pbx;
    struct console *console;
    struct list running;
    struct list services;
};

/* open.c: maps the object and checks symbol, ABI, size and table before anything in it runs. `handle` is for
 * module_close(). 0, -ENOENT, -ENOEXEC, -EINVAL, with `why`. */
int module_open(const char *dir, const char *name, void **handle, const struct module **out, char *why,
                size_t why_size);
void module_close(void *handle);

/* options.c: fills ctx->values from "key", "value", …, NULL. 0 or -EINVAL with `why`. */
int module_options_read(struct module_ctx *ctx, const char *const *options, char *why, size_t why_size);
void module_options_free(struct module_ctx *ctx);
/* A value as its type says; flags are 0 or 1, seconds may carry s, m, h or d. 0 or -EINVAL. */
int module_option_parse(enum option_type type, const char *text, uint64_t *out);

/* ctx.c: puts one addition on the list of what will be taken back. */
void module_ctx_note(struct module_ctx *ctx, struct undo *undo, void (*take_back)(struct undo *undo));
/* Takes back everything that the module added, newest first, after its jobs on workers are done. */
void module_ctx_revoke(struct module_ctx *ctx);

#endif
