/* Codec plug-ins. The dynamic linker itself is the list of what was loaded: a plug-in exports its description as
 * tandem_codec_ with its name in small letters. plugin_load() belongs to the start of the program, the rest to any
 * thread. */
#include "audio/plugin.h"

#include <ctype.h>
#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>

#include "audio/codec-priv.h"

#define PREFIX "tandem_codec_"

/* The symbol that a plug-in for `name` has; false: no codec is called so. */
static bool symbol_of(const char *name, size_t len, char *out, size_t size)
{
    size_t at = strlen(PREFIX);

    if (!len || at + len >= size)
        return false;
    memcpy(out, PREFIX, at);
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)name[i]))
            return false;
        out[at++] = (char)tolower((unsigned char)name[i]);
    }
    out[at] = '\0';
    return true;
}

const struct codec_kind *plugin_find(const char *name)
{
    const struct codec_kind *kind;
    char symbol[sizeof PREFIX + 16];

    if (!symbol_of(name, strlen(name), symbol, sizeof symbol))
        return NULL;
    kind = dlsym(RTLD_DEFAULT, symbol);
    return kind && kind->abi == CODEC_ABI ? kind : NULL;
}

bool plugin_speaks(const char *name, unsigned clock, unsigned channels)
{
    const struct codec_kind *kind = plugin_find(name);

    return kind && kind->clock == clock && kind->channels == channels && kind->encoder_open;
}

/* Returns 1, or 0 when there is a reason not to have it. */
static int load(const char *path, void (*say)(bool bad, const char *line))
{
    const char *base = strrchr(path, '/') + 1, *name = base + strlen("codec_");
    char symbol[sizeof PREFIX + 16], line[512];
    const struct codec_kind *kind = NULL;
    void *object = dlopen(path, RTLD_NOW | RTLD_GLOBAL);

    if (object && symbol_of(name, strcspn(name, "."), symbol, sizeof symbol))
        kind = dlsym(object, symbol);
    if (kind && kind->abi == CODEC_ABI) {
        snprintf(line, sizeof line, "codec %s: from %s", kind->name, path);
        say(false, line);
        return 1;
    }
    snprintf(line, sizeof line, "codec plug-in %s is left out: %s", path,
             !object ? dlerror()
             : !kind ? "it holds no codec of the name that the file has"
                     : "it was built for another version");
    say(true, line);
    if (object)
        dlclose(object);
    return 0;
}

int plugin_load(const char *directory, void (*say)(bool bad, const char *line))
{
    char pattern[4096];
    glob_t found = {0};
    int loaded = 0;

    if ((size_t)snprintf(pattern, sizeof pattern, "%s/codec_*.so", directory) < sizeof pattern &&
        glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            loaded += load(found.gl_pathv[i], say);
    globfree(&found);
    return loaded;
}
