/* One call's way through the dialplan: its coroutine from the first resume to the end, whatever ends it. It is resumed
 * from callbacks of the loop only; a hangup that comes while its own code is on the stack is acted upon when that code
 * returns. Signalling thread. Knows calls, but no verbs. */
#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/recording.h"
#include "call/play.h"
#include "script/script-priv.h"

#define STOPPED_OFTEN 3 /* from then on an extension gets a tenth of the allowance: its calls come again and again */

static void set_allowance(struct script_run *run)
{
    unsigned share = run->here->stopped >= STOPPED_OFTEN ? 10 : 1;

    run->guard.limit = run->state->limits.instruction_limit / share;
    run->guard.cpu_ms = GUARD_CPU_MS / share;
}

/* How this extension's run has ended. */
static void note_end(const struct script_run *run)
{
    struct extension *extension = (struct extension *)(uintptr_t)run->here; /* the count is not part of its value */

    if (run->guard.doom == DOOM_LIMIT)
        extension->stopped++;
    else
        extension->stopped = 0;
}

/* --- inside the coroutine ---------------------------------------------------------------------------------------- */

static int main_done(lua_State *L, int status, lua_KContext context);

/* Calls the function of run->here with the call object, which stays at the bottom. */
static int call_extension(lua_State *L, const struct script_run *run)
{
    lua_settop(L, 1);
    lua_pushcfunction(L, state_error_text);
    lua_rawgeti(L, LUA_REGISTRYINDEX, run->here->fn);
    lua_pushvalue(L, 1);
    return lua_pcallk(L, 1, 0, 2, 0, main_done);
}

static void note_error(lua_State *L, struct script_run *run, int status)
{
    run->failed = true;
    if (run->guard.doom == DOOM_LIMIT)
        str_copy(run->error, sizeof run->error, run->guard.why);
    else
        snprintf(run->error, sizeof run->error, "%s%s", status == LUA_ERRMEM ? run->guard.memory_at : "",
                 lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "failed without a message");
}

/* The extension's function has ended: goes on with the next one after a goto_. */
static int main_done(lua_State *L, int status, lua_KContext context)
{
    struct script_run *run = state_of(L)->running;

    while (run->guard.doom == DOOM_GOTO) {
        run->guard.doom = DOOM_NONE;
        set_allowance(run);
        status = call_extension(L, run);
    }
    note_end(run);
    if (run->guard.doom != DOOM_HANGUP && ((status != LUA_OK && status != LUA_YIELD) || run->guard.doom == DOOM_LIMIT))
        note_error(L, run, status);
    return 0;
}

static int main_begin(lua_State *L)
{
    return main_done(L, call_extension(L, state_of(L)->running), 0);
}

static int prepare(lua_State *L)
{
    struct script_run *run = lua_touserdata(L, 1);

    run->co = lua_newthread(L);
    run->co_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushcfunction(run->co, main_begin);
    verbs_push_call(run->co, run);
    return 0;
}

void run_step(const struct script_run *run, const char *fmt, ...)
{
    const struct script_pretence *pretence = &run->state->pretence;
    char words[512];
    struct script_step step = {.call = run->call, .context = run->context, .extension = run->extension, .words = words};
    va_list ap;

    if (!pretence->step)
        return;
    va_start(ap, fmt);
    vsnprintf(words, sizeof words, fmt, ap);
    va_end(ap);
    pretence->step(pretence->arg, &step);
}

void run_look(const struct script_state *state, const char *target)
{
    if (state->pretence.look)
        state->pretence.look(state->pretence.arg, target);
}

/* --- is there anything? ------------------------------------------------------------------------------------------- */

#define EXISTS_STEPS 100000
#define EXISTS_CPU_MS 5

struct question {
    const struct extension *extension;
    const char *dialled;
    bool yes;
};

static int ask_exists(lua_State *L)
{
    struct question *q = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, q->extension->exists);
    lua_pushstring(L, q->dialled);
    lua_call(L, 1, 1);
    q->yes = lua_toboolean(L, -1);
    return 0;
}

bool run_exists(struct script_state *state, const struct extension *extension, const char *dialled)
{
    struct question q = {.extension = extension, .dialled = dialled};
    struct script_run *outer = state->running;
    struct guard guard = {.budget = budget_new(state->limits.call_memory_limit),
                          .limit = EXISTS_STEPS,
                          .cpu_ms = EXISTS_CPU_MS,
                          .pinned = 1};
    char why[320];

    state->running = NULL;
    if (state_protect(state, &guard, ask_exists, &q, why, sizeof why) < 0) {
        log_error("whether there is an extension %.60s cannot be told: %s (extension %s of %s)", dialled, why,
                  extension->pattern, extension->at);
        q.yes = true;
    }
    state->running = outer;
    budget_drop(guard.budget);
    return q.yes;
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

static void report(struct script_run *run, const char *what)
{
    char id[UUID_TEXT];
    struct event event = {.kind = EVENT_SCRIPT,
                          .call = run->call,
                          .leg = run->call->caller,
                          .cause = CAUSE_SCRIPT_ERROR,
                          .who = WHO_SCRIPT,
                          .detail = what};

    log_error("call %s: %s (extension %s in context %s)", call_id_text(run->call, id), what, run->extension,
              run->context);
    bus_publish(run->call->pbx->bus, &event);
}

/* Calls the handlers that call:on_hangup() collected, one after another; next is the number of the one to call. */
struct handler_walk {
    struct script_run *run;
    lua_Integer next;
    bool more;
};

static int call_handler(lua_State *L)
{
    struct handler_walk *walk = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, walk->run->handlers_ref);
    walk->more = lua_rawgeti(L, -1, walk->next++) != LUA_TNIL;
    if (walk->more)
        lua_call(L, 0, 0);
    return 0;
}

static void run_handlers(struct script_run *run)
{
    struct script_run *outer = run->state->running;
    struct handler_walk walk = {.run = run, .next = 1, .more = run->handlers_ref != LUA_NOREF};
    char why[sizeof run->error];

    run->state->running = run;
    run->guard.pinned = 1;
    while (walk.more) {
        run->guard.doom = DOOM_NONE;
        if (state_protect(run->state, &run->guard, call_handler, &walk, why, sizeof why) < 0)
            report(run, why);
    }
    run->state->running = outer;
}

void run_listen(struct script_run *run, struct leg *leg, leg_key_fn fn)
{
    run->listens = obj_ref(leg, "script");
    leg_watch_keys(leg, fn, run);
}

void run_stop_listening(struct script_run *run)
{
    if (!run->listens)
        return;
    leg_watch_keys(run->listens, NULL, NULL);
    run->listens = obj_unref(run->listens, "script");
}

/* Lets go of everything that belongs to Lua. Takes no memory, so nothing can fail. */
static void release(struct script_run *run)
{
    struct script_state *state = run->state;
    struct loop *loop = state->script->pbx->loop;

    run->over = true;
    loop_timer_stop(loop, &run->sleep);
    loop_timer_stop(loop, &run->life);
    if (run->query)
        db_query_cancel(run->query);
    run->query = NULL;
    verb_run_cancel(run->verb);
    run->verb = NULL;
    run_stop_listening(run);
    if (run->in_conference && run->call->caller)
        conference_leave(run->call->caller, CONFERENCE_GONE);
    if (run->recording)
        recording_forget(run->recording);
    if (run->recording && run->call->caller)
        leg_watch_keys(run->call->caller, NULL, NULL);
    run->recording = NULL;
    free(run->recorded.file);
    run->recorded.file = NULL;
    if (run->play)
        leg_play_stop(run->play);
    ask_free(run->ask);
    run->ask = NULL;
    list_unlink(&run->node);
    luaL_unref(state->L, LUA_REGISTRYINDEX, run->co_ref);
    luaL_unref(state->L, LUA_REGISTRYINDEX, run->globals_ref);
    luaL_unref(state->L, LUA_REGISTRYINDEX, run->handlers_ref);
    budget_drop(run->guard.budget);
    run->guard.budget = NULL;
    run->state = NULL;
    obj_unref(state, "run");
}

static void finish(struct script_run *run)
{
    struct call *call = run->call;
    struct loop *loop = call->pbx->loop;

    run->over = true;
    loop_timer_stop(loop, &run->sleep);
    loop_timer_stop(loop, &run->life);
    if (run->failed)
        report(run, run->error);
    run_handlers(run);
    release(run);
    if (!run->hung)
        call_script_done(call, run->failed ? CAUSE_SCRIPT_ERROR : CAUSE_NONE, run->failed ? run->error : NULL);
    run->call = NULL;
    obj_unref(call, "script");
    obj_unref(run, "call");
}

void run_abandon(struct script_run *run)
{
    struct call *call = run->call;

    if (!run->hung)
        call->script = NULL;
    release(run);
    run->call = NULL;
    obj_unref(call, "script");
    obj_unref(run, "call");
}

/* --- from the loop ----------------------------------------------------------------------------------------------- */

void run_resume(struct script_run *run)
{
    struct script_state *state = run->state;
    struct script_run *outer_run = state->running; /* another call's verb may have ended this one's leg */
    struct guard *outer_guard = state->heap.guard;
    int results, status;

    if (bug_if(run->busy || run->over))
        return;
    state->running = run;
    state->heap.guard = &run->guard;
    run->guard.root = run->guard.thread = run->co;
    run->guard.waiting = false;
    if (run->guard.doom == DOOM_NONE)
        guard_begin(&run->guard);
    run->busy = true;
    status = lua_resume(run->co, NULL, run->started ? 0 : 1, &results);
    run->started = true;
    run->busy = false;
    if (status != LUA_OK && status != LUA_YIELD)
        note_error(run->co, run, status);
    state->running = outer_run;
    state->heap.guard = outer_guard;
    if (status != LUA_YIELD)
        finish(run);
}

static void begin(void *arg)
{
    struct script_run *run = arg;

    if (!run->over) {
        run_step(run, "extension %s of %s", run->here->pattern, run->here->at);
        run_resume(run);
    }
    obj_unref(run, "start");
}

static void ran_too_long(void *arg)
{
    struct script_run *run = arg;
    char at[128];

    guard_where(run->co, at, sizeof at);
    snprintf(run->guard.why, sizeof run->guard.why, "%sthe script ran longer than %u s", at,
             run->state->script->config.max_run_s);
    guard_doom(&run->guard, DOOM_LIMIT);
    run_resume(run);
}

int run_start(void *arg, struct call *call, const char *context, const char *extension)
{
    struct script *script = arg;
    struct loop *loop = script->pbx->loop;
    const struct extension *here = extension_find(&script->state->extensions, context, extension);
    struct script_run *run;
    char why[200], id[UUID_TEXT];

    if (!here)
        return -ENOENT;
    run = obj_new(sizeof *run, "script-run", NULL, "call");
    run->state = obj_ref(script->state, "run");
    run->call = obj_ref(call, "script");
    run->serial = ++script->serials;
    run->here = here;
    str_copy(run->context, sizeof run->context, context);
    str_copy(run->extension, sizeof run->extension, extension);
    run->co_ref = run->globals_ref = run->handlers_ref = LUA_NOREF;
    run->guard.budget = budget_new(script->config.call_memory_limit);
    set_allowance(run);
    list_append(&script->runs, &run->node);
    call->script = run;
    if (state_protect(run->state, &run->guard, prepare, run, why, sizeof why) < 0) {
        log_error("call %s: the dialplan could not be started: %s", call_id_text(call, id), why);
        run_abandon(run);
        return -EIO;
    }
    loop_timer_start(loop, &run->life, (uint64_t)script->config.max_run_s * 1000, ran_too_long, run);
    loop_later(loop, begin, obj_ref(run, "start")); /* never inside of the call room's own code */
    return 0;
}

void run_hangup(void *arg, struct call *call)
{
    struct script_run *run = call->script;

    call->script = NULL;
    if (!run)
        return;
    run->hung = true;
    guard_doom(&run->guard, DOOM_HANGUP);
    if (run->busy || run->over)
        return; /* its verb raises when it returns; or it is at its end anyway */
    if (run->started)
        run_resume(run);
    else
        finish(run);
}

void run_transferred(void *arg, struct call *call)
{
    struct script_run *run = call->script;

    if (!run || run->busy || run->over || !run->dialling) {
        run_hangup(arg, call);
        return;
    }
    call->script = NULL;
    run->hung = true;
    run->moved = true;
    run->dialled.status = DIAL_TRANSFERRED;
    run->dialled.cause = CAUSE_TRANSFERRED;
    run->dialled.talk_ms = call->answered_us ? (loop_now_us(call->pbx->loop) - call->answered_us) / 1000 : 0;
    str_copy(run->dialled.detail, sizeof run->dialled.detail, "");
    str_copy(run->dialled.answered_by, sizeof run->dialled.answered_by, call->answered_by);
    run_resume(run);
}
