/* The Lua library that scripts see: the harmless part of the standard one, with everything that runs long in C replaced
 * or guarded. Signalling thread. */
#ifndef SCRIPT_SANDBOX_H
#define SCRIPT_SANDBOX_H

#include <lua.h>

#define SANDBOX_STRING_MAX (256 * 1024) /* bytes of one string that a library function may make */

/* Pushes the base: the table of all names a script sees before it defines its own. Raises on lack of memory. */
void sandbox_push(lua_State *L);
/* Replaces the table at the top by a read-only stand-in that nobody can look behind. */
void sandbox_lock(lua_State *L);

/* The parts. Each pushes a table of functions, not locked. */
void sandbox_push_string(lua_State *L);
void sandbox_push_table(lua_State *L);
void sandbox_push_coroutine(lua_State *L);

#endif
