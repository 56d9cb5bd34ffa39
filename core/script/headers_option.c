/* Reads headers that a dialplan wants to add to an INVITE, by the allow-list of the call room. Signalling thread. */
#include "script/headers_option.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "call/headers.h"

/* NULL: not a text, or one that goes on behind a NUL. */
static const char *plain_text(lua_State *L, int index)
{
    size_t len;
    const char *text = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &len) : NULL;

    return text && strlen(text) == len ? text : NULL;
}

static int add_header(char **list, const char *name, const char *value)
{
    if (!name || !header_may_be_sent(name))
        return -EACCES;
    return value ? headers_add(list, name, value) : -EINVAL;
}

char *headers_option(lua_State *L, int index, const char *verb)
{
    char *list = NULL;
    int result = 0;

    if (lua_getfield(L, index, "headers") == LUA_TNIL) {
        lua_pop(L, 1);
        return NULL;
    }
    if (!lua_istable(L, -1))
        luaL_error(L, "%s: `headers` has to be a table like { [\"Alert-Info\"] = \"…\" }", verb);
    lua_pushnil(L);
    while (result == 0 && lua_next(L, -2)) { /* nothing here raises: the list is not Lua's */
        result = add_header(&list, plain_text(L, -2), plain_text(L, -1));
        if (result == 0)
            lua_pop(L, 1);
    }
    if (result < 0) {
        free(list);
        if (result == -EACCES)
            luaL_error(L, "%s: a dialplan cannot send the header \"%s\"", verb, luaL_tolstring(L, -2, NULL));
        luaL_error(L, "%s: the header \"%s\" is not one line of text, too long, or one too many", verb,
                   luaL_tolstring(L, -2, NULL));
    }
    lua_pop(L, 1);
    return list;
}
