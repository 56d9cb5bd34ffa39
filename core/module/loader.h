/* The loader: opens modules, checks their ABI, orders them by need, starts and stops them. */
#ifndef MODULE_LOADER_H
#define MODULE_LOADER_H

#include <stdio.h>

#include "module/module.h"

struct console;
struct module_set;

struct module_spec {
    const char *name;           /* "registrar": DIR/registrar.so, or a path when it has a slash */
    const char *instance;       /* NULL: name; two instances of one module have two of these */
    const char *const *options; /* "key", "value", …, NULL; or NULL */
};

struct module_set_config {
    struct pbx *pbx;
    struct console *console; /* NULL: commands are not added */
    const char *dir;
    const struct module_spec *specs;
    unsigned count;
};

/* All or nothing: on error what started is stopped again, and `why` says which module and why (ABI, missing need,
 * cycle, unknown option, symbol). */
int modules_start(const struct module_set_config *config, struct module_set **out, char *why, size_t why_size);
/* Opens and checks all of it (files, ABI, needs, options) without starting anything: `tandemd --check-config`. */
int modules_check(const struct module_set_config *config, char *why, size_t why_size);
void modules_drain(struct module_set *set); /* NULL allowed */
/* In reverse order of start. Before pbx, console and db are closed, and outside of callbacks of the loop: it turns the
 * loop until the modules' work on workers is done. NULL allowed. */
void modules_stop(struct module_set *set);
/* Writes a commented section for the bootstrap file: summary, options with defaults, needs. Errors as modules_start().
 */
int module_help(const char *dir, const char *name, FILE *out, char *why, size_t why_size);
/* For `tandem status`: [{"name","version","instance","summary"}]. Caller owns it. */
json_t *modules_list(const struct module_set *set);

#endif
