/* Lua values as JSON and back. Single thread; knows neither calls nor guards. */
#include "script/lua_json.h"

#include <lauxlib.h>
#include <stdio.h>

#include "base/base.h"

#define DEPTH_MAX 20

static json_t *read_value(lua_State *L, int index, unsigned depth);

static json_t *read_list(lua_State *L, int index, unsigned depth)
{
    json_t *list = json_array();
    lua_Integer count = (lua_Integer)lua_rawlen(L, index);

    for (lua_Integer i = 1; i <= count; i++) {
        json_t *item;

        lua_rawgeti(L, index, i);
        item = read_value(L, lua_gettop(L), depth);
        lua_pop(L, 1);
        if (!item || json_array_append_new(list, item) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* Names and numbers mixed: numbers are names of what they are ("1" for the first). */
static json_t *read_object(lua_State *L, int index, unsigned depth)
{
    json_t *object = json_object();

    lua_pushnil(L);
    while (lua_next(L, index)) {
        json_t *item = read_value(L, lua_gettop(L), depth);
        char number[32];
        const char *key = NULL;

        if (lua_type(L, -2) == LUA_TSTRING) {
            key = lua_tostring(L, -2);
        } else if (lua_isinteger(L, -2)) {
            snprintf(number, sizeof number, "%lld", (long long)lua_tointeger(L, -2));
            key = number;
        }
        lua_pop(L, 1);
        if (!key || !item || json_object_set_new(object, key, item) < 0) {
            if (!key)
                json_decref(item);
            json_decref(object);
            lua_pop(L, 1);
            return NULL;
        }
    }
    return object;
}

static bool is_list(lua_State *L, int index)
{
    lua_Integer count = (lua_Integer)lua_rawlen(L, index), seen = 0;
    bool list = true;

    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_Integer key = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;

        list = list && key >= 1 && key <= count;
        seen++;
        lua_pop(L, 1);
    }
    return list && seen == count;
}

static json_t *read_value(lua_State *L, int index, unsigned depth)
{
    size_t len;
    const char *text;

    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return json_null();
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(L, index));
    case LUA_TNUMBER:
        return lua_isinteger(L, index) ? json_integer((json_int_t)lua_tointeger(L, index))
                                       : json_real((double)lua_tonumber(L, index));
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &len);
        return json_stringn(text, len);
    case LUA_TTABLE:
        if (depth == DEPTH_MAX || !lua_checkstack(L, 6))
            return NULL;
        return is_list(L, index) ? read_list(L, index, depth + 1) : read_object(L, index, depth + 1);
    default:
        return NULL;
    }
}

json_t *lua_json_read(lua_State *L, int index)
{
    return read_value(L, index, 0);
}

void lua_json_push(lua_State *L, const json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;

    luaL_checkstack(L, 6, "too deep");
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        lua_createtable(L, 0, (int)json_object_size(value));
        json_object_foreach((json_t *)(uintptr_t)value, key, item)
        {
            lua_json_push(L, item);
            lua_setfield(L, -2, key);
        }
        break;
    case JSON_ARRAY:
        lua_createtable(L, (int)json_array_size(value), 0);
        json_array_foreach(value, i, item)
        {
            lua_json_push(L, item);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, (lua_Integer)json_integer_value(value));
        break;
    case JSON_REAL:
        lua_pushnumber(L, (lua_Number)json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(value));
        break;
    default:
        lua_pushnil(L);
        break;
    }
}
