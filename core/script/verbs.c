/* The verbs of a call that answer, ring, wait and end. A verb that waits starts something, yields, and is continued by
 * a callback of the loop. Signalling thread. Knows legs by their verbs only. */
#include "script/verbs.h"

#include <math.h>
#include <stdio.h>

#include "call/headers.h"
#include "script/sound_verbs.h"

#define HANDLERS_MAX 16 /* each has a whole allowance of its own */
#define GOTO_STEPS 1000 /* unwinding a stack costs about as much as so many instructions */

/* --- common ------------------------------------------------------------------------------------------------------ */

/* Whom it served has been handed over: nothing more is to be done here. */
static void end_if_moved(lua_State *L, struct script_run *run)
{
    if (!run->moved)
        return;
    guard_doom(&run->guard, DOOM_HANGUP);
    guard_raise(L);
}

struct leg *verb_leg(lua_State *L, struct script_run **run)
{
    *run = verb_run(L);
    guard_check(L);
    if ((*run)->over)
        luaL_error(L, "the call has ended: on_hangup handlers can only look and write");
    end_if_moved(L, *run);
    if (!(*run)->call->caller)
        luaL_error(L, "this call has no caller to do that with");
    return (*run)->call->caller;
}

struct script_run *function_run(lua_State *L, const char *function, bool wait)
{
    struct script_run *run = state_of(L)->running;

    if (!run)
        luaL_error(L, "%s works only in a call, not while the dialplan is loaded", function);
    guard_check(L);
    if (wait && run->over)
        luaL_error(L, "%s: the call has ended, and on_hangup handlers cannot wait", function);
    if (wait)
        end_if_moved(L, run);
    if (wait)
        verb_may_wait(L, run);
    return run;
}

void verb_may_wait(lua_State *L, const struct script_run *run)
{
    if (run->guard.pinned || !lua_isyieldable(L))
        luaL_error(L, "this function cannot wait inside of a gsub, sort or similar function");
}

int verb_wait(lua_State *L, struct script_run *run, lua_KFunction then)
{
    guard_check(L); /* what was started may have ended the call at once */
    run->guard.waiting = true;
    return lua_yieldk(L, 0, (lua_KContext)run->serial, then);
}

struct script_run *verb_resumed(lua_State *L, lua_KContext context)
{
    struct script_run *run = state_of(L)->running;

    if (!run || run->serial != (uint64_t)context)
        luaL_error(L, "this coroutine waits in another call");
    guard_check(L);
    return run;
}

int verb_end_call(lua_State *L, struct script_run *run, enum cause cause, enum who who, const char *detail)
{
    call_refuse(run->call, cause, who, detail);
    guard_doom(&run->guard, DOOM_HANGUP);
    return guard_raise(L);
}

/* The text of a header of the INVITE that the dialplan may see, or nil. */
static int verb_header(lua_State *L)
{
    const struct script_run *run = verb_run(L);
    const char *name = luaL_checkstring(L, 2), *value;
    const struct leg *caller = run->call->caller;
    size_t len;

    if (!header_may_be_read(name))
        return luaL_error(L, "header: a dialplan cannot see \"%s\"", name);
    value = caller && caller->inbound ? headers_get(caller->headers, name, &len) : NULL;
    if (value)
        lua_pushlstring(L, value, len);
    else
        luaL_pushfail(L);
    return 1;
}

/* --- verbs ------------------------------------------------------------------------------------------------------- */

void verb_answer_first(lua_State *L, struct script_run *run, struct leg *leg)
{
    struct call *call = run->call;
    enum cause cause;

    if (leg->state == LEG_UP && call->answered_us && !call->transfer)
        return;
    cause = call_answer(call);
    guard_check(L);
    if (cause)
        verb_end_call(L, run, cause, WHO_SWITCH, NULL);
    call_answered(call);
    run_step(run, "answer");
}

static int verb_answer(lua_State *L)
{
    struct script_run *run;
    struct leg *leg = verb_leg(L, &run);

    verb_answer_first(L, run, leg);
    return 0;
}

static int verb_ring(lua_State *L)
{
    struct script_run *run;
    struct leg *leg = verb_leg(L, &run);

    run_step(run, "ring");
    leg_ring(leg, 180); /* an answered call cannot ring: that is no mistake of the script */
    guard_check(L);
    return 0;
}

static int verb_hangup(lua_State *L)
{
    struct script_run *run;
    const char *id = luaL_optstring(L, 2, "normal");
    enum cause cause = cause_by_id(id);

    verb_leg(L, &run);
    if (cause == CAUSE_NONE)
        return luaL_error(L, "hangup: there is no cause \"%s\"", id);
    run_step(run, "hangup: %s", id);
    return verb_end_call(L, run, cause, WHO_SCRIPT, NULL);
}

static int nothing_left(lua_State *L, int status, lua_KContext context)
{
    verb_resumed(L, context);
    return 0;
}

static void woken(void *arg)
{
    run_resume(arg);
}

static int verb_sleep(lua_State *L)
{
    struct script_run *run;
    lua_Number seconds = luaL_checknumber(L, 2);

    verb_leg(L, &run);
    verb_may_wait(L, run);
    if (!(seconds >= 0 && seconds <= 1e7))
        return luaL_error(L, "sleep: %f is not a time in seconds", seconds);
    run_step(run, "sleep %g s", seconds);
    loop_timer_start(run->call->pbx->loop, &run->sleep, (uint64_t)ceil(seconds * 1000), woken, run);
    return verb_wait(L, run, nothing_left);
}

static int verb_echo(lua_State *L)
{
    struct script_run *run;
    struct leg *leg = verb_leg(L, &run);

    verb_may_wait(L, run);
    verb_answer_first(L, run, leg);
    run_step(run, "echo, until the caller hangs up");
    leg_echo(leg, true);
    return verb_wait(L, run, nothing_left); /* until somebody hangs up */
}

int verb_go(lua_State *L, struct script_run *run, const char *context, const char *extension)
{
    const struct extension *there = extension_find(&run->state->extensions, context, extension);
    char detail[128];

    if (!there) {
        snprintf(detail, sizeof detail, "no extension %.50s in context %.40s", extension, context);
        run_step(run, "goto %s in %s: there is no such extension", extension, context);
        return verb_end_call(L, run, CAUSE_UNKNOWN_NUMBER, WHO_SCRIPT, detail);
    }
    guard_charge(L, GOTO_STEPS);
    run->here = there;
    str_copy(run->context, sizeof run->context, context);
    str_copy(run->extension, sizeof run->extension, extension);
    run_step(run, "goto %s in %s: extension %s of %s", extension, context, there->pattern, there->at);
    guard_doom(&run->guard, DOOM_GOTO); /* leaves the whole stack: menus that go round and round do not grow */
    return guard_raise(L);
}

static int verb_goto(lua_State *L)
{
    struct script_run *run;
    const char *context = luaL_checkstring(L, 2), *extension = luaL_checkstring(L, 3);

    verb_leg(L, &run);
    return verb_go(L, run, context, extension);
}

static int verb_on_hangup(lua_State *L)
{
    struct script_run *run = verb_run(L);
    lua_Integer count;

    luaL_checktype(L, 2, LUA_TFUNCTION);
    if (run->over)
        return luaL_error(L, "on_hangup: the call has ended");
    lua_settop(L, 2);
    if (run->handlers_ref == LUA_NOREF) {
        lua_newtable(L);
        run->handlers_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, run->handlers_ref);
    lua_insert(L, 2);
    count = (lua_Integer)lua_rawlen(L, 2);
    if (count == HANDLERS_MAX)
        return luaL_error(L, "on_hangup: more than %d functions for one call", HANDLERS_MAX);
    lua_rawseti(L, 2, count + 1);
    return 0;
}

static const luaL_Reg verbs[] = {
    {"answer", verb_answer},
    {"dial", verb_dial},
    {"echo", verb_echo},
    {"goto_", verb_goto},
    {"hangup", verb_hangup},
    {"header", verb_header},
    {"on_hangup", verb_on_hangup},
    {"ring", verb_ring},
    {"play", verb_play},
    {"sleep", verb_sleep},
    {"gather", verb_gather},
    {"send_keys", verb_send_keys},
    {"say", verb_say},
    {"tone", verb_tone},
    {"conference", verb_conference},
    {"record", verb_record},
    {"record_pause", verb_record_pause},
    {"record_resume", verb_record_resume},
    {"record_start", verb_record_start},
    {"record_stop", verb_record_stop},
    {NULL, NULL},
};

void verbs_push(lua_State *L)
{
    luaL_newlib(L, verbs);
}

bool verbs_have(const char *name)
{
    for (const luaL_Reg *verb = verbs; verb->name; verb++)
        if (strcmp(verb->name, name) == 0)
            return true;
    return false;
}
