/* The call object: its fields, its variables, and the table in which its verbs are found. It holds a number instead of
 * a pointer: what a call leaves behind in Lua can do nothing to another. Signalling thread. */
#include <jansson.h>

#include "call/forward.h"
#include "call/vars.h"
#include "script/lua_json.h"
#include "script/verbs.h"

#define VARS_TYPE "call.vars"

struct call_object {
    uint64_t serial;
};

/* --- whose it is ------------------------------------------------------------------------------------------------- */

static struct script_run *run_of(lua_State *L, const char *type)
{
    const struct call_object *object = luaL_checkudata(L, 1, type);
    struct script_run *run = state_of(L)->running;

    if (!run || run->serial != object->serial)
        luaL_error(L, "this call object belongs to another call");
    return run;
}

struct script_run *verb_run(lua_State *L)
{
    return run_of(L, CALL_TYPE);
}

static void push_object(lua_State *L, const struct script_run *run, const char *type)
{
    struct call_object *object = lua_newuserdatauv(L, sizeof *object, 0);

    object->serial = run->serial;
    luaL_setmetatable(L, type);
}

void verbs_push_call(lua_State *L, const struct script_run *run)
{
    push_object(L, run, CALL_TYPE);
}

/* --- variables: call.vars.name ----------------------------------------------------------------------------------- */

json_t *json_at(lua_State *L, int arg)
{
    return lua_istable(L, arg) ? NULL : lua_json_read(L, arg);
}

static int vars_index(lua_State *L)
{
    const struct script_run *run = run_of(L, VARS_TYPE);

    lua_json_push(L, call_var_get(run->call, luaL_checkstring(L, 2)));
    return 1;
}

static int vars_newindex(lua_State *L)
{
    struct script_run *run = run_of(L, VARS_TYPE);
    const char *name = luaL_checkstring(L, 2);
    json_t *value = json_at(L, 3);
    int result = value ? call_var_set(run->call, name, value) : -ERANGE;

    if (result == -EINVAL)
        return luaL_error(L, "call.vars: \"%s\" cannot be the name of a variable: up to %d letters, digits and _", name,
                          CALL_VAR_NAME_MAX);
    if (result == -ENOSPC)
        return luaL_error(L, "call.vars: a call has at most %d variables", CALL_VARS_MAX);
    if (result < 0)
        return luaL_error(L, "call.vars.%s: a variable is a text of up to %d bytes in UTF-8, a number, true or false",
                          name, CALL_VAR_TEXT_MAX);
    run_step(run, "call.vars.%s = %s", name, luaL_tolstring(L, 3, NULL));
    return 0;
}

/* pairs(call.vars) walks over a copy: the loop may change them. */
static int vars_pairs(lua_State *L)
{
    const struct script_run *run = run_of(L, VARS_TYPE);
    const char *name;
    json_t *value;

    lua_getglobal(L, "next");
    lua_createtable(L, 0, (int)json_object_size(run->call->vars));
    json_object_foreach(run->call->vars, name, value)
    {
        lua_json_push(L, value);
        lua_setfield(L, -2, name);
    }
    lua_pushnil(L);
    return 3;
}

/* --- fields ------------------------------------------------------------------------------------------------------ */

static const char *text_field(const struct script_run *run, const char *name, char id[UUID_TEXT])
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
        return run->context;
    if (strcmp(name, "id") == 0)
        return call_id_text(call, id);
    if (strcmp(name, "account") == 0)
        return call->caller && call->caller->account ? call->caller->account->name : NULL;
    if (strcmp(name, "forwarded_by") == 0)
        return call->redirect_count ? call->forwards[call->redirect_count - 1].by : NULL;
    if (strcmp(name, "forwarded_why") == 0)
        return call->redirect_count ? forward_why_name(call->forwards[call->redirect_count - 1].why) : NULL;
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
        if (module_verb_push(L, run, name))
            return 1;
        return luaL_error(L, "a call has no field or function \"%s\", and no module adds it", name);
    case LUA_TBOOLEAN:
        if (strcmp(name, "vars") == 0)
            push_object(L, run, VARS_TYPE);
        else if (strcmp(name, "anonymous") == 0)
            lua_pushboolean(L, run->call->anonymous);
        else
            lua_pushstring(L, text_field(run, name, id));
        return 1;
    default:
        return 1;
    }
}

static int call_newindex(lua_State *L)
{
    return luaL_error(L, "fields of a call cannot be set: use call.vars, or a variable of your own");
}

static int call_tostring(lua_State *L)
{
    char id[UUID_TEXT];

    lua_pushfstring(L, "call %s", call_id_text(verb_run(L)->call, id));
    return 1;
}

/* --- putting it together ----------------------------------------------------------------------------------------- */

static void new_type(lua_State *L, const char *type, const luaL_Reg *functions)
{
    luaL_newmetatable(L, type);
    luaL_setfuncs(L, functions, 0);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
}

static const char *const fields[] = {"account", "anonymous", "context", "extension", "forwarded_by", "forwarded_why",
                                     "from",    "from_name", "id",      "to",        "vars"};

bool call_object_has(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (strcmp(fields[i], name) == 0)
            return true;
    return strcmp(name, "log") == 0 || verbs_have(name);
}

void call_object_add(lua_State *L)
{
    static const luaL_Reg object[] = {{"__newindex", call_newindex}, {"__tostring", call_tostring}, {NULL, NULL}};
    static const luaL_Reg vars[] = {
        {"__index", vars_index}, {"__newindex", vars_newindex}, {"__pairs", vars_pairs}, {NULL, NULL}};

    lua_getfield(L, -1, "next");
    lua_setglobal(L, "next"); /* of the state, not of scripts: for vars_pairs() */
    new_type(L, VARS_TYPE, vars);
    lua_pop(L, 1);
    new_type(L, CALL_TYPE, object);
    verbs_push(L);
    lua_getfield(L, -3, "string");
    lua_getfield(L, -1, "format"); /* what log() is built on */
    lua_remove(L, -2);
    lua_pushcclosure(L, verb_log, 1);
    lua_setfield(L, -2, "log");
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, fields[i]);
    }
    lua_pushcclosure(L, call_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
