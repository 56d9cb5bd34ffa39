/* Reads and runs the files of a dialplan. Blocks: on a worker, or before the switch takes calls. Knows no extensions.
 */
#include "script/files.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#include "script/script-priv.h"

#define FILE_SIZE_MAX (1024 * 1024)
#define INCLUDE_DEPTH_MAX 16
#define FILES_MAX 500

char *site_file_read(const char *dir, const char *name, size_t *len)
{
    char path[1024], *text;
    FILE *file;
    int error;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    file = fopen(path, "re");
    if (!file)
        return NULL;
    text = mem_new(FILE_SIZE_MAX + 1);
    *len = fread(text, 1, FILE_SIZE_MAX + 1, file);
    error = ferror(file) ? EIO : *len > FILE_SIZE_MAX ? EFBIG : 0;
    fclose(file);
    if (!error)
        return mem_resize(text, *len + 1);
    free(text);
    errno = error;
    return NULL;
}

bool file_name_is_inside(const char *name)
{
    if (!*name || *name == '/' || strlen(name) > 200)
        return false;
    for (const char *p = name; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
            return false;
    return true;
}

/* The text of a file and in which directory it was; NULL and errno. Freed by the caller. */
static char *look_up(const struct script_files *files, const char *name, size_t *len, unsigned *dir)
{
    errno = ENOENT;
    *dir = 0;
    if (files->pretence && files->pretence->file) {
        const char *given = files->pretence->file(files->pretence->arg, name);

        *len = given ? strlen(given) : 0;
        return given ? str_dup(given) : NULL;
    }
    for (; *dir < COUNT_OF(files->dirs) && files->dirs[*dir]; ++*dir) {
        char *text = site_file_read(files->dirs[*dir], name, len);

        if (text || errno != ENOENT)
            return text;
    }
    return NULL;
}

static const struct script_file *take(struct script_files *files, const char *name)
{
    struct script_file *file;
    size_t len;
    unsigned dir;
    char *text = look_up(files, name, &len, &dir);

    if (!text)
        return NULL;
    files->items = mem_resize(files->items, (files->count + 1) * sizeof *files->items);
    file = &files->items[files->count++];
    *file = (struct script_file){.name = str_dup(name), .text = text, .len = len, .dir = dir};
    literals_add(&files->sql, text, len);
    return file;
}

void file_run(lua_State *L, const char *name)
{
    struct script_state *state = state_of(L);
    struct script_files *files = &state->files;
    const struct script_file *file;
    char chunk[256];

    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->items[i].name, name) == 0)
            return; /* once is enough */
    if (files->depth > INCLUDE_DEPTH_MAX || files->count == FILES_MAX)
        luaL_error(L, "include(\"%s\"): more than %d files include each other, or more than %d in all", name,
                   INCLUDE_DEPTH_MAX, FILES_MAX);
    file = take(files, name);
    if (!file) {
        files->no_main_file = files->depth == 0 && errno == ENOENT;
        luaL_error(L, "%s cannot be read: %s (looked in %s)", name, strerror(errno), files->dirs[0]);
    }
    snprintf(chunk, sizeof chunk, "@%s", name);
    if (luaL_loadbufferx(L, file->text, file->len, chunk, "t") != LUA_OK)
        lua_error(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->env_ref);
    lua_setupvalue(L, -2, 1); /* _ENV */
    files->depth++;
    lua_call(L, 0, 0);
    files->depth--;
}

void files_free(struct script_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].name);
        free(files->items[i].text);
    }
    free(files->items);
    literals_free(&files->sql);
    for (size_t i = 0; i < COUNT_OF(files->dirs); i++)
        free(files->dirs[i]);
    memset(files, 0, sizeof *files);
}
