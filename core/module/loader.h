/* The loader: opens modules, checks their ABI, orders them by need, starts and stops them. */
#ifndef MODULE_LOADER_H
#define MODULE_LOADER_H

#include "module/module.h"

struct console;
struct module_set;

struct module_spec {
    const char *name; /* "registrar": DIR/registrar.so, or a path when it has a slash */
    const char *instance; /* NULL: name; two instances of one module have two of these */
    const char *const *options; /* "key", "value", …, NULL; or NULL */
};

struct module_set_config {
    struct pbx *pbx;
    struct console *console; /* NULL: commands are not added */
    const char *dir;
    const struct module_spec *specs;
    unsigned count;
};

/* All or nothing: on error what started is stopped again, and `why` says which module and why (ABI, missing need, cycle,
 * unknown option, symbol). */
int modules_start(const struct module_set_config *config, struct module_set **out, char *why, size_t why_size);
void modules_drain(struct module_set *set);
/* In reverse order of start. */
void modules_stop(struct module_set *set);
/* For `tandem status`: [{"name","version","instance"}]. Caller owns it. */
json_t *modules_list(const struct module_set *set);

#endif
