/* The Lua dialplan: one coroutine a call on the signalling thread; functions look blocking and yield. The only room
 * that sees Lua. */
#ifndef SCRIPT_SCRIPT_H
#define SCRIPT_SCRIPT_H

#include "call/pbx.h"

struct script;

struct script_config {
    const char *dir;            /* dialplan directory; main file: init.lua */
    const char *library_dir;    /* Tandem's own Lua library, searched second by include */
    size_t memory_limit;        /* bytes for the whole state (default 64 MiB) */
    unsigned call_memory_limit; /* bytes one call may hold (default 1 MiB) */
    unsigned instruction_limit; /* Lua instructions between two yields (default 1,000,000) */
    unsigned max_run_s;         /* wall time of a script (default 24 h) */
};

/* Loads the dialplan and puts itself into pbx->script/script_ops. A broken dialplan is an error with file and line in
 * `why`: -EINVAL, -ENOENT. */
int script_open(struct pbx *pbx, const struct script_config *config, struct script **out, char *why, size_t why_size);
/* Loads anew for later calls; running ones keep what they have. On error the old one stays. */
int script_reload(struct script *script, char *why, size_t why_size);
void script_close(struct script *script);
/* Is there an extension that matches? For the console and lamps. */
bool script_has_extension(const struct script *script, const char *context, const char *extension);

#endif
