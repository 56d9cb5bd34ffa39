/* What the files of a dialplan may say while they are loaded: include(), extension(), context(). Any one thread at a
 * time. Knows no calls. */
#include <lauxlib.h>

#include "call/call.h"
#include "script/script-priv.h"

#define CONTEXT_TYPE "context"
#define CONTEXT_MAX sizeof(((struct call *)0)->context) /* with its NUL */

static struct script_state *while_loading(lua_State *L, const char *function)
{
    struct script_state *state = state_of(L);

    if (!state->loading)
        luaL_error(L, "%s works only while the dialplan is loaded, not in a call", function);
    return state;
}

static const char *context_name(lua_State *L, int arg)
{
    size_t len;
    const char *name = luaL_checklstring(L, arg, &len);

    if (len == 0 || len >= CONTEXT_MAX || strlen(name) != len)
        luaL_error(L, "the name of the context, \"%s\", is empty or too long", name);
    return name;
}

/* "file:line" of the Lua code that called us. */
static void place(lua_State *L, char at[80])
{
    size_t len;

    guard_where(L, at, 80);
    len = strlen(at);
    at[len > 2 ? len - 2 : 0] = '\0'; /* without ": " */
}

static int include(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);

    while_loading(L, "include()");
    if (!file_name_is_inside(name))
        return luaL_error(L, "include(\"%s\"): only files inside the dialplan directory can be included", name);
    file_run(L, name);
    return 0;
}

/* The pattern and the function are the two arguments from `first` on; behind them may stand one that says of a number
 * whether there is anything. */
static void declare(lua_State *L, const char *context, int first)
{
    struct script_state *state = while_loading(L, "extension()");
    const char *pattern = luaL_checkstring(L, first), *why;
    struct extension *made;
    char at[80];
    int exists;

    luaL_checktype(L, first + 1, LUA_TFUNCTION);
    lua_settop(L, first + 2);
    if (!lua_isnil(L, first + 2))
        luaL_checktype(L, first + 2, LUA_TFUNCTION);
    if (extension_check(pattern, &why) < 0)
        luaL_error(L, "extension \"%s\" in context \"%s\": %s", pattern, context, why);
    place(L, at);
    exists = lua_isnil(L, first + 2) ? 0 : luaL_ref(L, LUA_REGISTRYINDEX);
    lua_settop(L, first + 1);
    made = extension_table_add(&state->extensions, context, pattern, luaL_ref(L, LUA_REGISTRYINDEX), at);
    made->exists = exists;
}

static int extension(lua_State *L)
{
    declare(L, context_name(L, 1), 2);
    return 0;
}

/* --- context objects: the name is their user value --------------------------------------------------------------- */

static const char *context_self(lua_State *L)
{
    luaL_checkudata(L, 1, CONTEXT_TYPE);
    lua_getiuservalue(L, 1, 1);
    lua_replace(L, 1); /* the name stays on the stack as long as it is used */
    return lua_tostring(L, 1);
}

static int context_extension(lua_State *L)
{
    declare(L, context_self(L), 2);
    return 0;
}

/* context("a"):include("b", …): what is dialled in a may be in b as well. */
static int context_include(lua_State *L)
{
    struct script_state *state = while_loading(L, "context():include()");
    const char *self = context_self(L);
    char at[80];

    place(L, at);
    luaL_checkstring(L, 2);
    for (int i = 2; i <= lua_gettop(L); i++) {
        const char *other = context_name(L, i);

        if (strcmp(self, other) == 0)
            return luaL_error(L, "context \"%s\" cannot include itself", self);
        extension_table_include(&state->extensions, self, other, at);
    }
    return 0;
}

static int context(lua_State *L)
{
    context_name(L, 1);
    while_loading(L, "context()");
    lua_newuserdatauv(L, 0, 1);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, CONTEXT_TYPE);
    return 1;
}

void declare_add(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"context", context}, {"extension", extension}, {"include", include}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"extension", context_extension}, {"include", context_include}, {NULL, NULL}};

    luaL_newmetatable(L, CONTEXT_TYPE);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
