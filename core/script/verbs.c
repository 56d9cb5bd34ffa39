/* The call object: its fields and the verbs that answer, ring, wait and end. A verb that waits starts something,
 * yields, and is continued by a callback of the loop. Signalling thread. Knows legs by their verbs only. */
#include "script/verbs.h"

#include <math.h>
#include <stdio.h>

#include "script/sandbox.h"

#define HANDLERS_MAX 16 /* each has a whole allowance of its own */
#define GOTO_STEPS 1000 /* unwinding a stack costs about as much as so many instructions */

struct call_object {
    uint64_t serial;
};

/* --- common ------------------------------------------------------------------------------------------------------ */

struct script_run *verb_run(lua_State *L)
{
    const struct call_object *object = luaL_checkudata(L, 1, CALL_TYPE);
    struct script_run *run = state_of(L)->running;

    if (!run || run->serial != object->serial)
        luaL_error(L, "this call object belongs to another call");
    return run;
}

struct leg *verb_leg(lua_State *L, struct script_run **run)
{
    *run = verb_run(L);
    guard_check(L);
    if ((*run)->over)
        luaL_error(L, "the call has ended: on_hangup handlers can only look and write");
    if (!(*run)->call->caller)
        luaL_error(L, "this call has no caller to do that with");
    return (*run)->call->caller;
}

void verb_may_wait(lua_State *L, const struct script_run *run)
{
    if (run->guard.pinned || !lua_isyieldable(L))
        luaL_error(L, "this function of the call cannot wait inside of a gsub, sort or similar function");
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

/* Ends the leg and with it the script. */
static int end_call(lua_State *L, struct script_run *run, enum cause cause, enum who who, const char *detail)
{
    leg_end(run->call->caller, cause, who, detail);
    guard_doom(&run->guard, DOOM_HANGUP);
    return guard_raise(L);
}

/* --- verbs ------------------------------------------------------------------------------------------------------- */

static void answer(lua_State *L, struct script_run *run, struct leg *leg)
{
    struct call *call = run->call;
    int result;

    if (leg->state == LEG_UP)
        return;
    result = leg_answer(leg, NULL);
    guard_check(L);
    if (result < 0) {
        enum cause cause = result == -ENOENT   ? CAUSE_NO_COMMON_CODEC
                           : result == -EAGAIN ? CAUSE_NO_MEDIA
                                               : CAUSE_INTERNAL;

        end_call(L, run, cause, WHO_SWITCH, NULL);
    }
    call_answered(call);
    if (call->state != CALL_TALKING)
        call_set_state(call, CALL_TALKING);
}

static int verb_answer(lua_State *L)
{
    struct script_run *run;
    struct leg *leg = verb_leg(L, &run);

    answer(L, run, leg);
    return 0;
}

static int verb_ring(lua_State *L)
{
    struct script_run *run;
    struct leg *leg = verb_leg(L, &run);

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
    return end_call(L, run, cause, WHO_SCRIPT, NULL);
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
    loop_timer_start(run->call->pbx->loop, &run->sleep, (uint64_t)ceil(seconds * 1000), woken, run);
    return verb_wait(L, run, nothing_left);
}

static int verb_echo(lua_State *L)
{
    struct script_run *run;
    struct leg *leg = verb_leg(L, &run);

    verb_may_wait(L, run);
    answer(L, run, leg);
    leg_echo(leg, true);
    return verb_wait(L, run, nothing_left); /* until somebody hangs up */
}

int verb_go(lua_State *L, struct script_run *run, const char *context, const char *extension)
{
    const struct extension *there = extension_find(&run->state->extensions, context, extension);
    char detail[128];

    if (!there) {
        snprintf(detail, sizeof detail, "no extension %.50s in context %.40s", extension, context);
        return end_call(L, run, CAUSE_UNKNOWN_NUMBER, WHO_SCRIPT, detail);
    }
    guard_charge(L, GOTO_STEPS);
    run->here = there;
    str_copy(run->extension, sizeof run->extension, extension);
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

/* --- the object -------------------------------------------------------------------------------------------------- */

static const char *field(const struct script_run *run, const char *name, char id[UUID_TEXT])
{
    const struct call *call = run->call;

    if (strcmp(name, "from") == 0)
        return call->from_number;
    if (strcmp(name, "from_name") == 0)
        return call->from_name;
    if (strcmp(name, "to") == 0)
        return call->dialled;
    if (strcmp(name, "extension") == 0)
        return run->extension;
    if (strcmp(name, "context") == 0)
        return run->here->context;
    if (strcmp(name, "id") == 0)
        return call_id_text(call, id);
    if (strcmp(name, "account") == 0)
        return call->caller && call->caller->account ? call->caller->account->name : NULL;
    return "";
}

/* Upvalue: the table of verbs; a field's name stands in it with the value true. */
static int call_index(lua_State *L)
{
    struct script_run *run = verb_run(L);
    const char *name = luaL_checkstring(L, 2);
    char id[UUID_TEXT];

    lua_pushvalue(L, 2);
    switch (lua_rawget(L, lua_upvalueindex(1))) {
    case LUA_TNIL:
        return luaL_error(L, "a call has no field or function \"%s\"", name);
    case LUA_TBOOLEAN:
        lua_pushstring(L, field(run, name, id));
        return 1;
    default:
        return 1;
    }
}

static int call_newindex(lua_State *L)
{
    return luaL_error(L, "fields of a call cannot be set: use a variable of your own");
}

static int call_tostring(lua_State *L)
{
    char id[UUID_TEXT];

    lua_pushfstring(L, "call %s", call_id_text(verb_run(L)->call, id));
    return 1;
}

void verbs_push_call(lua_State *L, const struct script_run *run)
{
    struct call_object *object = lua_newuserdatauv(L, sizeof *object, 0);

    object->serial = run->serial;
    luaL_setmetatable(L, CALL_TYPE);
}

/* --- pbx --------------------------------------------------------------------------------------------------------- */

static int pbx_account(lua_State *L)
{
    const struct pbx *pbx = state_of(L)->script->pbx;
    const char *name = luaL_checkstring(L, 1);
    const struct account *account = pbx->db ? snapshot_account(db_snapshot(pbx->db), name) : NULL;

    if (!account) {
        luaL_pushfail(L);
        return 1;
    }
    lua_createtable(L, 0, 3); /* values only: the account itself may go at any turn of the loop */
    lua_pushstring(L, account->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, account->display_name);
    lua_setfield(L, -2, "display_name");
    lua_pushboolean(L, account->enabled);
    lua_setfield(L, -2, "enabled");
    return 1;
}

void verbs_add(lua_State *L)
{
    static const luaL_Reg verbs[] = {
        {"answer", verb_answer}, {"dial", verb_dial}, {"echo", verb_echo},           {"goto_", verb_goto},
        {"hangup", verb_hangup}, {"log", NULL},       {"on_hangup", verb_on_hangup}, {"ring", verb_ring},
        {"sleep", verb_sleep},   {NULL, NULL},
    };
    static const char *const fields[] = {"account", "context", "extension", "from", "from_name", "id", "to"};
    static const luaL_Reg object[] = {{"__newindex", call_newindex}, {"__tostring", call_tostring}, {NULL, NULL}};
    static const luaL_Reg pbx[] = {{"account", pbx_account}, {NULL, NULL}};

    lua_getfield(L, -1, "string");
    lua_getfield(L, -1, "format"); /* what log() is built on */
    lua_remove(L, -2);

    luaL_newmetatable(L, CALL_TYPE);
    luaL_setfuncs(L, object, 0);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    luaL_newlib(L, verbs);
    lua_pushvalue(L, -3);
    lua_pushcclosure(L, verb_log, 1);
    lua_setfield(L, -2, "log");
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, fields[i]);
    }
    lua_pushcclosure(L, call_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);

    lua_pushcclosure(L, dialplan_log, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "print");
    lua_setfield(L, -2, "log");
    luaL_newlib(L, pbx);
    sandbox_lock(L);
    lua_setfield(L, -2, "pbx");
}
