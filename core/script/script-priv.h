/* What the files of the script room share and nobody else sees. */
#ifndef SCRIPT_SCRIPT_PRIV_H
#define SCRIPT_SCRIPT_PRIV_H

#include "call/conference.h"
#include "call/verb.h"
#include "script/extension.h"
#include "script/files.h"
#include "script/guard.h"
#include "script/script.h"

/* One loaded dialplan. Counted ("script-state"): held by the script and by every run in it, so that calls finish with
 * the dialplan they began with. */
struct script_state {
    struct script *script; /* not to be touched while loading: that may be on a worker */
    struct script_config limits;
    struct script_pretence pretence; /* zeroed: this is real */
    struct heap heap;
    lua_State *L;
    struct script_files files;
    struct extension_table extensions; /* fn is a reference in the Lua registry */
    struct script_run *running;        /* whose Lua code runs now; NULL: none, or the dialplan is being loaded */
    bool loading;
    int env_ref, base_ref, shared_ref; /* Lua tables: see state.c */
};

struct script {
    struct pbx *pbx;
    struct script_config config;
    char *dir, *library_dir, *copy_path;
    char problem[512]; /* why the copy is in force; "": it is not */
    struct script_state *state;
    struct script_load *load; /* under way on a worker; NULL: none */
    struct list runs;
    uint64_t serials;
};

struct ask;
struct leg_play;

/* The dialplan at work for one call. Counted ("script-run"): holders "call" and "start". */
struct script_run {
    struct script_state *state; /* ref "run" */
    struct call *call;          /* ref "script" */
    struct list node;
    uint64_t serial; /* what call objects and waits remember instead of a pointer */
    struct guard guard;
    lua_State *co;
    int co_ref, globals_ref, handlers_ref; /* in the registry */
    const struct extension *here;          /* extension that runs, or the one goto_ leads to */
    char context[64], extension[128];      /* where it was looked for, and as dialled */
    bool started, busy, over; /* busy: its Lua code is on the C stack; over: only on_hangup handlers still run */
    bool hung;                /* the call room knows: no call_script_done() */
    bool dialling;            /* it waits for its dial */
    bool moved;               /* its caller was handed over: it can only look and write, to its end */
    bool failed;
    char error[320];
    struct loop_timer sleep, life;
    struct {
        char keys[65]; /* never logged: they may be a PIN */
        unsigned at, ms, gap_ms;
        int result;
    } pressing;             /* keys_verb.c */
    struct ask *ask;        /* gather_verb.c: what it asks the caller; NULL: nothing */
    struct leg *listens;    /* ref "script": to the keys of this leg; NULL: to none */
    struct leg_play *play;  /* it waits for this, or it goes on behind its back; NULL: nothing plays */
    struct db_query *query; /* it waits for this; NULL: for none */
    struct {                /* its answer, while the script is resumed with it */
        int err;
        const char *message;
        const struct db_result *result;
    } answered;
    struct verb_run *verb;                 /* it waits for this of a module; NULL: for none */
    const struct verb_result *verb_result; /* while the script is resumed with it */
    bool in_conference;                    /* it waits for its caller to leave one */
    enum conference_why left;              /* and that is why */
    struct recording *recording;           /* it waits for the end of this; NULL: for none */
    struct {
        uint64_t ms;
        char *file; /* NULL: none */
        char why[16], terminators[8];
    } recorded;
    struct {
        uint64_t ms, from_us;
        unsigned missing;
        bool barged; /* a key ended it */
        char why[200];
    } played;
    struct {
        enum dial_status status;
        enum cause cause;
        char detail[128], answered_by[64], redirect[64], redirect_context[64];
        uint64_t talk_ms;
    } dialled;
};

/* state.c */
/* A state that is still empty. Signalling thread. */
struct script_state *state_new(struct script *script) MUST_USE;
/* Reads and runs the files of the dialplan; blocks. Any one thread. 0, -ENOENT (no init.lua), -EINVAL. */
int state_load(struct script_state *state, char *why, size_t why_size);
struct script_state *state_of(lua_State *L);
/* Runs fn(L) with arg as its light userdata, protected, on the bill of `guard`. 0, or -EIO with words in why. */
int state_protect(struct script_state *state, struct guard *guard, lua_CFunction fn, void *arg, char *why,
                  size_t why_size);
/* Message handler: text with a place in it, whatever value was raised. */
int state_error_text(lua_State *L);

/* declare.c: adds include(), extension() and context() to the base table at the top. */
void declare_add(lua_State *L);

/* run.c */
int run_start(void *script, struct call *call, const char *context, const char *extension);
void run_hangup(void *script, struct call *call);
void run_transferred(void *script, struct call *call);
/* Goes on after a wait; from callbacks of the loop only. */
void run_resume(struct script_run *run);
/* Asks the extension's `exists`, outside of any call; it cannot wait. One that fails says yes: who dials the number
 * learns more. */
bool run_exists(struct script_state *state, const struct extension *extension, const char *dialled);
/* Forgets it without a word to anybody. */
void run_abandon(struct script_run *run);
/* In a simulation: tells what the script does; and that it is about to ask for this account or destination. */
void run_step(const struct script_run *run, const char *fmt, ...) PRINTF_LIKE(2, 3);
void run_look(const struct script_state *state, const char *target);

/* Keys of the leg are told to fn(run) until it stops listening, or is over. */
void run_listen(struct script_run *run, struct leg *leg, leg_key_fn fn);
void run_stop_listening(struct script_run *run);
/* gather_verb.c; NULL is fine. */
void ask_free(struct ask *ask);

/* call_object.c */
void verbs_push_call(lua_State *L, const struct script_run *run);

#endif
