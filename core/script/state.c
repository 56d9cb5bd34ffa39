/* One loaded dialplan: a Lua state with the sandbox, the files of the dialplan run once, and the extensions they
 * declared. Names that functions of the dialplan use are looked up in three tables: what this call has set (only it
 * sees that), what the files set while loading, and the locked base. Loaded on a worker or the signalling thread; run
 * on the latter. Knows calls only as "one is running". */
#include <lauxlib.h>
#include <stdio.h>

#include "base/obj.h"
#include "script/sandbox.h"
#include "script/script-priv.h"
#include "script/verbs.h"

#define LOAD_CPU_MS 1000 /* on a worker, or before the first call */

struct script_state *state_of(lua_State *L)
{
    return *(struct script_state **)lua_getextraspace(L);
}

/* --- global names ------------------------------------------------------------------------------------------------ */

/* Pushes the value that the name at index 2 has in the table behind ref; false (nothing pushed) when it has none. */
static bool lookup(lua_State *L, int ref)
{
    if (ref == LUA_NOREF)
        return false;
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) != LUA_TNIL)
        return true;
    lua_pop(L, 2);
    return false;
}

static int env_get(lua_State *L)
{
    const struct script_state *state = state_of(L);

    return (state->running && lookup(L, state->running->globals_ref)) || lookup(L, state->shared_ref) ||
           lookup(L, state->base_ref);
}

static int env_set(lua_State *L)
{
    struct script_state *state = state_of(L);
    struct script_run *run = state->running;

    if (!run && !state->loading)
        return luaL_error(L, "outside of a call no global can be set");
    if (run && run->globals_ref == LUA_NOREF) {
        lua_newtable(L);
        run->globals_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    if (lua_isnil(L, 2))
        return luaL_error(L, "a global cannot have the name nil");
    lua_rawgeti(L, LUA_REGISTRYINDEX, run ? run->globals_ref : state->shared_ref);
    lua_insert(L, 2);
    lua_rawset(L, 2);
    return 0;
}

/* --- setting up -------------------------------------------------------------------------------------------------- */

static int new_table_ref(lua_State *L)
{
    lua_newtable(L);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

static void make_environment(lua_State *L, struct script_state *state)
{
    static const luaL_Reg access[] = {{"__index", env_get}, {"__newindex", env_set}, {NULL, NULL}};

    state->shared_ref = new_table_ref(L);
    lua_newtable(L); /* the environment itself stays empty, so that every access asks the functions */
    luaL_newlib(L, access);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    sandbox_push(L);
    declare_add(L);
    call_object_add(L);
    log_add(L);
    pbx_add(L);
    db_add(L);
    store_add(L);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "_G");
    state->base_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    state->env_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

static int load_dialplan(lua_State *L)
{
    struct script_state *state = lua_touserdata(L, 1);
    char why[320];

    make_environment(L, state);
    file_run(L, "init.lua");
    literals_sort(&state->files.sql);
    if (extension_table_sort(&state->extensions, why, sizeof why) < 0)
        return luaL_error(L, "%s", why);
    return 0;
}

int state_error_text(lua_State *L)
{
    const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : NULL, *colon;
    char at[128];

    if (heap_of(L)->guard->doom != DOOM_NONE)
        return 1;
    colon = text ? strchr(text, ':') : NULL;
    if (colon && colon[1] >= '0' && colon[1] <= '9')
        return 1; /* it has its place already */
    guard_where(L, at, sizeof at);
    if (text)
        lua_pushfstring(L, "%s%s", at, text);
    else
        lua_pushfstring(L, "%serror with a %s instead of a text", at, luaL_typename(L, 1));
    return 1;
}

int state_protect(struct script_state *state, struct guard *guard, lua_CFunction fn, void *arg, char *why,
                  size_t why_size)
{
    lua_State *L = state->L;
    struct guard *outer = state->heap.guard;
    int status, top = lua_gettop(L); /* a handler may be on this stack, and its verb have led here */

    guard->root = guard->thread = L;
    guard_begin(guard);
    state->heap.guard = guard;
    if (!lua_checkstack(L, LUA_MINSTACK)) {
        str_copy(why, why_size, "no memory for Lua");
        state->heap.guard = outer;
        return -EIO;
    }
    lua_pushcfunction(L, state_error_text); /* light functions: this takes no memory */
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, arg);
    status = lua_pcall(L, 1, 0, -3);
    if (status == LUA_OK)
        why[0] = '\0';
    else if (guard->doom == DOOM_LIMIT)
        str_copy(why, why_size, guard->why);
    else
        snprintf(why, why_size, "%s%s", status == LUA_ERRMEM ? guard->memory_at : "",
                 lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "failed without a message");
    lua_settop(L, top);
    state->heap.guard = outer;
    return status == LUA_OK ? 0 : -EIO;
}

static void state_destroy(void *obj)
{
    struct script_state *state = obj;

    if (state->L)
        lua_close(state->L);
    extension_table_free(&state->extensions);
    files_free(&state->files);
}

struct script_state *state_new(struct script *script)
{
    struct script_state *state = obj_new(sizeof *state, "script-state", state_destroy, "script");

    state->script = script;
    state->files.dirs[0] = str_dup(script->config.dir);
    state->files.dirs[1] = script->config.library_dir ? str_dup(script->config.library_dir) : NULL;
    state->limits = script->config;
    state->limits.pretence = NULL; /* its own copy counts */
    if (script->config.pretence)
        state->pretence = *script->config.pretence;
    state->files.pretence = &state->pretence;
    state->heap.clock = state->pretence.clock;
    state->heap.clock_arg = state->pretence.arg;
    return state;
}

int state_load(struct script_state *state, char *why, size_t why_size)
{
    struct guard loader = {
        .budget = &state->heap.shared, .limit = state->limits.instruction_limit, .cpu_ms = LOAD_CPU_MS};
    int result;

    state->L = heap_open(&state->heap, state->limits.memory_limit, state);
    if (!state->L) {
        str_copy(why, why_size, "no memory for Lua: raise the script memory limit");
        return -EINVAL;
    }
    state->loading = true;
    result = state_protect(state, &loader, load_dialplan, state, why, why_size);
    state->loading = false;
    if (result < 0)
        return state->files.no_main_file ? -ENOENT : -EINVAL;
    return 0;
}
