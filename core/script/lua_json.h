/* Lua values as JSON and back, for what crosses between two Lua states or into the switch. */
#ifndef SCRIPT_LUA_JSON_H
#define SCRIPT_LUA_JSON_H

#include <jansson.h>
#include <lua.h>

/* The value at `index` (absolute); a table whose keys are 1 … n is a list, one with names an object. NULL: functions,
 * other keys, no UTF-8, or more than 20 tables inside each other. Does not raise; a new reference. */
json_t *lua_json_read(lua_State *L, int index);
/* Pushes it. JSON null is nil. May raise for want of memory. */
void lua_json_push(lua_State *L, const json_t *value);

#endif
