/* The files of a dialplan: looked for in its directory, then in the library, each run once, and kept as they were read.
 * Any one thread at a time. */
#ifndef SCRIPT_FILES_H
#define SCRIPT_FILES_H

#include <lua.h>

#include "script/literals.h"

struct script_pretence;

struct script_file {
    char *name, *text; /* owned */
    size_t len;
    unsigned dir; /* which of the directories it came from */
};

struct script_files {
    char *dirs[2]; /* the dialplan's own, the library's (NULL: none); owned */
    struct script_file *items;
    size_t count;
    const struct script_pretence *pretence; /* NULL: files are on disk */
    struct literal_set sql;                 /* what db.query() may send */
    unsigned depth;                         /* of includes */
    bool no_main_file;
};

/* Runs a file of the running state in the dialplan's environment, unless that was done. Raises. */
void file_run(lua_State *L, const char *name);
void files_free(struct script_files *files);
/* A relative path that stays where it is looked for. */
bool file_name_is_inside(const char *name);
/* The whole file, or NULL and errno. Freed by the caller. Blocks. */
char *site_file_read(const char *dir, const char *name, size_t *len);

#endif
