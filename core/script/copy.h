/* A copy of the dialplan that worked last. Signalling thread. */
#ifndef SCRIPT_COPY_H
#define SCRIPT_COPY_H

#include <jansson.h>

#include "base/loop.h"

struct script_files;

/* Writes it, on a worker. */
void copy_write(struct loop *loop, const char *path, const struct script_files *files);
/* The files as an object, name: text; NULL: there is no copy that can be used. Owned by the caller. Blocks. */
json_t *copy_read(const char *path);
/* One of them (script_pretence.file; arg: that object). */
const char *copy_file(void *arg, const char *name);

#endif
