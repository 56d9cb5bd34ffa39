/* Coroutines of scripts. A verb that waits inside of one yields through all of them up to the loop, and comes back the
 * same way; a hangup passes them like any other protected call. There is no close(): an ended coroutine has closed its
 * variables. Signalling thread. Knows no calls. */
#include <lauxlib.h>
#include <lualib.h>

#include "script/guard.h"
#include "script/sandbox.h"

static int body_done(lua_State *L, int status, lua_KContext context)
{
    if (status != LUA_OK && status != LUA_YIELD)
        return lua_error(L);
    return lua_gettop(L);
}

/* What a coroutine runs first: a protected call around its function, because Lua closes <close> variables (and counts
 * instructions meanwhile) only there. */
static int body(lua_State *L)
{
    return body_done(L, lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 0, body_done), 0);
}

static int co_create(lua_State *L)
{
    lua_State *co;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    guard_charge(L, GUARD_HOOK_STEPS); /* it may end before the hook looks at it */
    co = lua_newthread(L);
    lua_pushcfunction(co, body);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

/* Runs co until it ends, yields or fails: number of results on L, or -1 with the error value on L. */
static int go(lua_State *L, lua_State *co, int args, lua_KFunction again)
{
    struct guard *guard = heap_of(L)->guard;
    lua_State *outer = guard->thread;
    unsigned pinned = !lua_isyieldable(L);
    int status, results;

    guard->thread = co;
    guard->pinned += pinned;
    status = lua_resume(co, L, args, &results);
    guard->pinned -= pinned;
    guard->thread = outer;
    if (status == LUA_YIELD && guard->waiting)
        return lua_yieldk(L, 0, 0, again);
    guard_check(L);
    if (status == LUA_OK || status == LUA_YIELD) {
        luaL_checkstack(L, results + 1, "too many results to resume");
        lua_xmove(co, L, results);
        return results;
    }
    guard_charge(L, GUARD_HOOK_STEPS); /* as a protected call that failed */
    lua_xmove(co, L, 1);
    return -1;
}

static int fail(lua_State *L, const char *why)
{
    lua_pushstring(L, why);
    return -1;
}

static int start(lua_State *L, lua_State *co, int args, lua_KFunction again)
{
    lua_Debug ar;

    guard_check(L);
    if (co == L || (lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar)))
        return fail(L, "cannot resume a coroutine that is not suspended");
    if (lua_status(co) != LUA_YIELD && (lua_status(co) != LUA_OK || lua_gettop(co) == 0))
        return fail(L, "cannot resume a coroutine that has ended");
    if (!lua_checkstack(co, args))
        return fail(L, "too many arguments to resume");
    lua_xmove(L, co, args);
    return go(L, co, args + (lua_status(co) == LUA_OK), again); /* at first its function is an argument of body() */
}

static int resume_result(lua_State *L, int results)
{
    lua_pushboolean(L, results >= 0);
    lua_insert(L, results >= 0 ? -results - 1 : -2);
    return results >= 0 ? results + 1 : 2;
}

static int resume_again(lua_State *L, int status, lua_KContext context)
{
    return resume_result(L, go(L, lua_tothread(L, 1), 0, resume_again));
}

static int co_resume(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTHREAD);
    return resume_result(L, start(L, lua_tothread(L, 1), lua_gettop(L) - 1, resume_again));
}

static int wrap_result(lua_State *L, int results)
{
    return results >= 0 ? results : lua_error(L);
}

static int wrap_again(lua_State *L, int status, lua_KContext context)
{
    return wrap_result(L, go(L, lua_tothread(L, lua_upvalueindex(1)), 0, wrap_again));
}

static int wrap_call(lua_State *L)
{
    return wrap_result(L, start(L, lua_tothread(L, lua_upvalueindex(1)), lua_gettop(L), wrap_again));
}

static int co_wrap(lua_State *L)
{
    co_create(L);
    lua_pushcclosure(L, wrap_call, 1);
    return 1;
}

static int co_yield (lua_State *L)
{
    if (L == heap_of(L)->guard->root)
        return luaL_error(L, "coroutine.yield outside of a coroutine");
    return lua_yield(L, lua_gettop(L));
}

void sandbox_push_coroutine(lua_State *L)
{
    static const luaL_Reg own[] = {
        {"create", co_create}, {"resume", co_resume}, {"wrap", co_wrap}, {"yield", co_yield }, {NULL, NULL}};

    luaL_requiref(L, LUA_COLIBNAME, luaopen_coroutine, 0);
    lua_pushnil(L);
    lua_setfield(L, -2, "close");
    luaL_setfuncs(L, own, 0);
}
