/* The Lua library that scripts see: the harmless part of the standard one, with everything that runs long in C replaced
 * or guarded. Signalling thread. */
#ifndef SCRIPT_SANDBOX_H
#define SCRIPT_SANDBOX_H

#include <lauxlib.h>

/* Pushes the base: the table of all names a script sees before it defines its own. Raises on lack of memory. */
void sandbox_push(lua_State *L);
/* Replaces the table at the top by a read-only stand-in that nobody can look behind. */
void sandbox_lock(lua_State *L);

/* The parts. Each pushes a table of functions, not locked. */
void sandbox_push_string(lua_State *L);
void sandbox_push_utf8(lua_State *L);
void sandbox_push_table(lua_State *L);
void sandbox_push_coroutine(lua_State *L);
/* Clock and dates; what "now" is, the heap says. */
void sandbox_push_os(lua_State *L);

/* Puts each function around the one of that name in the table at the top: the old one is its upvalue. */
void sandbox_wrap(lua_State *L, const luaL_Reg *wrappers);

#endif
