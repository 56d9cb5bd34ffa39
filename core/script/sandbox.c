/* The base library of scripts. Left out: everything that reaches files, programs, bytecode or Lua's own insides;
 * guarded: what runs long in C, and the protected calls, which must let a hangup pass. Signalling thread. Knows no
 * calls. */
#include "script/sandbox.h"

#include <lauxlib.h>
#include <lualib.h>
#include <time.h>

#include "script/guard.h"

/* --- protected calls --------------------------------------------------------------------------------------------- */

/* context: how many values lie below the results. */
static int protected_done(lua_State *L, int status, lua_KContext context)
{
    guard_check(L); /* a hangup goes on upwards, whatever became of this call */
    if (status != LUA_OK && status != LUA_YIELD) {
        guard_charge(L, GUARD_HOOK_STEPS); /* it may have failed for want of memory, which is much work for Lua */
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    return lua_gettop(L) - (int)context;
}

static int base_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    guard_check(L);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    return protected_done(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, protected_done), 0);
}

/* Runs a script's message handler, but not while it is being unwound: the hook does not count then. */
static int guarded_handler(lua_State *L)
{
    const struct guard *guard = heap_of(L)->guard;

    lua_settop(L, 1);
    if (guard->doom != DOOM_NONE)
        return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

static int base_xpcall(lua_State *L)
{
    int args = lua_gettop(L) - 2;

    luaL_checktype(L, 2, LUA_TFUNCTION);
    guard_check(L);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, guarded_handler, 1);
    lua_replace(L, 2);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2); /* function, handler, true, function, arguments */
    return protected_done(L, lua_pcallk(L, args, LUA_MULTRET, 2, 2, protected_done), 2);
}

/* --- tables ------------------------------------------------------------------------------------------------------ */

static int base_setmetatable(lua_State *L)
{
    if (lua_istable(L, 2)) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL) /* would run inside some other call, and uncounted */
            return luaL_error(L, "__gc is not available in a dialplan: use call:on_hangup or <close>");
        lua_pop(L, 1);
    }
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int base_rawset(lua_State *L)
{
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "this table is read-only");
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

#define LIST_MAX 1000000

static void charge_range(lua_State *L, lua_Integer first, lua_Integer last, unsigned steps_each)
{
    lua_Unsigned count;

    if (first > last)
        return;
    count = (lua_Unsigned)last - (lua_Unsigned)first;
    if (count >= LIST_MAX)
        luaL_error(L, "more than %d elements at once", LIST_MAX);
    guard_charge(L, ((size_t)count + 1) * steps_each);
}

/* A list whose true length is known beforehand: these functions loop in C. */
static lua_Integer check_list(lua_State *L, int arg, unsigned steps_each)
{
    lua_Integer len;

    luaL_checktype(L, arg, LUA_TTABLE);
    if (luaL_getmetafield(L, arg, "__len") != LUA_TNIL)
        luaL_argerror(L, arg, "a table with __len is not allowed here");
    len = (lua_Integer)lua_rawlen(L, arg);
    charge_range(L, 1, len, steps_each);
    return len;
}

static int table_shift(lua_State *L) /* insert, remove */
{
    check_list(L, 1, 1);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int table_sort(lua_State *L)
{
    check_list(L, 1, 20);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int table_concat(lua_State *L)
{
    lua_Integer len = check_list(L, 1, 1);

    charge_range(L, luaL_optinteger(L, 3, 1), luaL_optinteger(L, 4, len), 1);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int table_unpack(lua_State *L)
{
    lua_Integer len = check_list(L, 1, 1);

    charge_range(L, luaL_optinteger(L, 2, 1), luaL_optinteger(L, 3, len), 1);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int table_move(lua_State *L)
{
    charge_range(L, luaL_checkinteger(L, 2), luaL_checkinteger(L, 3), 1);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void sandbox_wrap(lua_State *L, const luaL_Reg *wrappers)
{
    for (; wrappers->name; wrappers++) {
        lua_getfield(L, -1, wrappers->name);
        lua_pushcclosure(L, wrappers->func, 1);
        lua_setfield(L, -2, wrappers->name);
    }
}

void sandbox_push_table(lua_State *L)
{
    static const luaL_Reg wrappers[] = {
        {"insert", table_shift},  {"remove", table_shift}, {"sort", table_sort}, {"concat", table_concat},
        {"unpack", table_unpack}, {"move", table_move},    {NULL, NULL}};

    luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 0);
    sandbox_wrap(L, wrappers);
}

/* --- clock and dates --------------------------------------------------------------------------------------------- */

#define DATE_FORMAT_MAX 200

static void push_now(lua_State *L)
{
    const struct heap *heap = heap_of(L);

    lua_pushinteger(L, (lua_Integer)(heap->clock ? heap->clock(heap->clock_arg) : (uint64_t)time(NULL)));
}

static int os_time(lua_State *L)
{
    if (!lua_isnoneornil(L, 1))
        return lua_tocfunction(L, lua_upvalueindex(1))(L);
    push_now(L);
    return 1;
}

static int os_date(lua_State *L)
{
    size_t len;

    luaL_optlstring(L, 1, "%c", &len);
    luaL_argcheck(L, len <= DATE_FORMAT_MAX, 1, "the format is too long");
    if (lua_isnoneornil(L, 2)) {
        if (lua_isnone(L, 1))
            lua_pushliteral(L, "%c");
        lua_settop(L, 1);
        push_now(L);
    }
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* --- putting it together ----------------------------------------------------------------------------------------- */

static int refuse_write(lua_State *L)
{
    return luaL_error(L, "this table is read-only");
}

void sandbox_lock(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 3);
    lua_rotate(L, -3, -1); /* stand-in, metatable, real one */
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

/* Copies the named functions of the library at the top into a new table, which replaces it. */
static void keep_only(lua_State *L, const char *const *names)
{
    lua_newtable(L);
    for (; *names; names++) {
        lua_getfield(L, -2, *names);
        lua_setfield(L, -2, *names);
    }
    lua_remove(L, -2);
}

void sandbox_push_os(lua_State *L)
{
    static const char *const names[] = {"clock", "date", "difftime", "time", NULL};
    static const luaL_Reg wrappers[] = {{"date", os_date}, {"time", os_time}, {NULL, NULL}};

    luaL_requiref(L, LUA_OSLIBNAME, luaopen_os, 0);
    keep_only(L, names);
    sandbox_wrap(L, wrappers);
}

static void add_locked(lua_State *L, const char *name)
{
    sandbox_lock(L);
    lua_setfield(L, -2, name);
}

void sandbox_push(lua_State *L)
{
    static const char *const base_names[] = {
        "assert", "error",  "getmetatable", "ipairs",   "next",     "pairs", "rawequal", "rawget", "rawlen",
        "rawset", "select", "setmetatable", "tonumber", "tostring", "type",  "_VERSION", NULL};
    static const luaL_Reg wrappers[] = {{"setmetatable", base_setmetatable}, {"rawset", base_rawset}, {NULL, NULL}};
    static const luaL_Reg own[] = {{"pcall", base_pcall}, {"xpcall", base_xpcall}, {NULL, NULL}};

    luaL_requiref(L, LUA_GNAME, luaopen_base, 0);
    keep_only(L, base_names);
    sandbox_wrap(L, wrappers);
    luaL_setfuncs(L, own, 0);
    sandbox_push_string(L);
    add_locked(L, LUA_STRLIBNAME);
    sandbox_push_table(L);
    add_locked(L, LUA_TABLIBNAME);
    sandbox_push_coroutine(L);
    add_locked(L, LUA_COLIBNAME);
    sandbox_push_utf8(L);
    add_locked(L, LUA_UTF8LIBNAME);
    luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 0);
    lua_pushnil(L); /* would change the numbers of all calls */
    lua_setfield(L, -2, "randomseed");
    add_locked(L, LUA_MATHLIBNAME);
    sandbox_push_os(L);
    add_locked(L, LUA_OSLIBNAME);
}
