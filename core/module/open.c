/* Maps a module's shared object and decides whether it may run. Nothing of it is called before its ABI number and size
 * fit. Signalling thread, at start. */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#include "module/module-priv.h"

static bool plain_name(const char *name)
{
    return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")];
}

static int check(const char *path, const char *name, const struct module *m, char *why, size_t why_size)
{
    if (m->abi != TANDEM_MODULE_ABI) {
        snprintf(why, why_size,
                 "%s was built for module ABI %u, this switch has %u: build it again against its headers", path,
                 (unsigned)m->abi, TANDEM_MODULE_ABI);
        return -ENOEXEC;
    }
    if (m->size != sizeof *m) {
        snprintf(why, why_size, "%s: its struct module has %u bytes, this switch's has %zu: build it again", path,
                 (unsigned)m->size, sizeof *m);
        return -ENOEXEC;
    }
    if (!m->name || !plain_name(m->name) || !m->version || !m->summary || !m->start) {
        snprintf(why, why_size, "%s: a module needs a name, a version, a summary and start()", path);
        return -EINVAL;
    }
    if (name && strcmp(m->name, name) != 0) {
        snprintf(why, why_size, "%s calls itself \"%s\": file and module have the same name", path, m->name);
        return -EINVAL;
    }
    for (const struct module_option *o = m->options; o && o->name; o++) {
        uint64_t number;

        if (!o->summary || (o->otherwise && module_option_parse(o->type, o->otherwise, &number) < 0)) {
            snprintf(why, why_size, "%s: option %s has no summary, or its default does not fit its type", path,
                     o->name);
            return -EINVAL;
        }
    }
    return 0;
}

int module_open(const char *dir, const char *name, void **handle, const struct module **out, char *why, size_t why_size)
{
    char path[512];
    bool is_path = strchr(name, '/') != NULL;
    int n = is_path ? snprintf(path, sizeof path, "%s", name) : snprintf(path, sizeof path, "%s/%s.so", dir, name);
    const struct module *module;
    int err;

    if (n < 0 || (size_t)n >= sizeof path || (!is_path && !plain_name(name))) {
        snprintf(why, why_size, "\"%.80s\" cannot be a module's name", name);
        return -EINVAL;
    }
    if (access(path, F_OK) < 0) {
        snprintf(why, why_size, "module %s is not there: no file %s", name, path);
        return -ENOENT;
    }
    *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!*handle) {
        snprintf(why, why_size, "module %s cannot be loaded: %s", name, dlerror());
        return -ENOEXEC;
    }
    module = dlsym(*handle, TANDEM_MODULE_SYMBOL);
    if (module) {
        err = check(path, is_path ? NULL : name, module, why, why_size);
    } else {
        snprintf(why, why_size, "%s is no Tandem module: it has no symbol %s", path, TANDEM_MODULE_SYMBOL);
        err = -ENOEXEC;
    }
    if (err)
        dlclose(*handle);
    else
        *out = module;
    return err;
}

void module_close(void *handle)
{
    if (handle)
        dlclose(handle);
}
