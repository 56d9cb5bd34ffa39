/* The Lua dialplan: one coroutine a call on the signalling thread; functions look blocking and yield. The only room
 * that sees Lua. */
#ifndef SCRIPT_SCRIPT_H
#define SCRIPT_SCRIPT_H

#include <jansson.h>

#include "call/pbx.h"

struct script;

/* One thing that a script does, in words. Valid inside the callback. */
struct script_step {
    const struct call *call;
    const char *context, *extension; /* what is being run */
    const char *words;
};

#define SCRIPT_BY_MODULE                                                                                               \
    ": done by a module" /* ends the words of a verb that a module serves, for which nothing is done */

/* What a simulation is told and asked; each may be NULL. */
struct script_pretence {
    void *arg;
    uint64_t (*clock)(void *arg); /* s since 1970 */
    void (*step)(void *arg, const struct script_step *step);
    /* The script is about to ask for this account, or to dial this destination ("201", "kind:value"). */
    void (*look)(void *arg, const char *target);
    /* What the caller types when it is asked next, digits in order (borrowed); NULL: nothing. */
    const char *(*keys)(void *arg);
    /* The text of a file instead of what is on disk (borrowed until the dialplan is loaded); NULL: there is none. */
    const char *(*file)(void *arg, const char *name);
    /* Is this verb of a module there? */
    bool (*has_verb)(void *arg, const char *name);
    /* What the verb would do, as facts.h has it; NULL: nobody knows. The caller owns it. */
    json_t *(*verb)(void *arg, const struct call *call, const char *name, const json_t *argument);
};

struct script_config {
    const char *dir;                        /* dialplan directory; main file: init.lua */
    const char *library_dir;                /* Tandem's own Lua library, searched second by include */
    const char *copy_path;                  /* file that holds the dialplan that worked last; NULL: none is kept */
    size_t memory_limit;                    /* bytes for the whole state (default 64 MiB) */
    unsigned call_memory_limit;             /* bytes one call may hold (default 1 MiB) */
    unsigned instruction_limit;             /* Lua instructions between two yields (default 1,000,000) */
    unsigned max_run_s;                     /* wall time of a script (default 24 h) */
    const struct script_pretence *pretence; /* for simulations; NULL: this is real. Copied */
};

/* Loads the dialplan and puts itself into pbx->script/script_ops. Blocks: before the switch takes calls. Instead of a
 * broken one the one that worked last is taken (script_problem() tells); without that it is an error with file and line
 * in `why`: -EINVAL, -ENOENT. */
int script_open(struct pbx *pbx, const struct script_config *config, struct script **out, char *why, size_t why_size);

/* What a dialplan is that was loaded. `why` has file and line when result is negative: -EINVAL, -ENOENT. */
struct script_summary {
    int result; /* -ECANCELED: the script was closed before */
    const char *why;
    size_t extensions, contexts, files;
    const struct script_state *state; /* for script_summary_has() */
};
/* Why the files are not what is in force, in words; "" when they are. */
const char *script_problem(const struct script *script);
/* Of the dialplan in force. */
struct script_summary script_summary(const struct script *script);
/* Is there anything in this context of it? */
bool script_summary_has(const struct script_summary *summary, const char *context);
/* Calls fn with words for each place where it calls a verb that neither a call has nor a module of this switch serves
 * (pbx NULL: nor any of Tandem's). One that a file asks for by name (pbx.has_verb) is none. */
typedef void (*script_unserved_fn)(void *arg, const char *words);
void script_summary_unserved(const struct script_summary *summary, const struct pbx *pbx, script_unserved_fn fn,
                             void *arg);
typedef void (*script_loaded_fn)(void *arg, const struct script_summary *summary);
/* Loads anew on a worker; done runs once. keep: for later calls from then on, when
 * all is well (running ones keep what they have, and on error the old one stays); else it is only looked at. -EBUSY:
 * one is being loaded already. */
int script_load(struct script *script, bool keep, script_loaded_fn done, void *arg);
void script_close(struct script *script);
/* Is there an extension that matches? For the console and lamps. */
bool script_has_extension(const struct script *script, const char *context, const char *extension);

/* The dialplan in force, for people: each extension of each context, in the order in which they are tried; and each
 * include. Strings are valid inside the callback. */
struct script_visitor {
    void *arg;
    void (*extension)(void *arg, const char *context, const char *pattern, const char *at);
    void (*include)(void *arg, const char *context, const char *included, const char *at);
    void (*file)(void *arg, const char *name, bool library, const char *text, size_t len);
};
void script_visit(const struct script *script, const struct script_visitor *visitor);

#endif
