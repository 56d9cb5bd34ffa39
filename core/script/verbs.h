/* What the verbs of the call object share. Signalling thread. */
#ifndef SCRIPT_VERBS_H
#define SCRIPT_VERBS_H

#include <jansson.h>
#include <lauxlib.h>

#include "script/script-priv.h"

#define CALL_TYPE "call"

/* Each adds names to the base table at the top: call_object.c, pbx_verb.c, log_verb.c, db_verb.c, store_verb.c. */
void call_object_add(lua_State *L);
void pbx_add(lua_State *L);
void log_add(lua_State *L);
void db_add(lua_State *L);
void store_add(lua_State *L);
/* originate_verb.c: adds to the table pbx at the top. */
void originate_add(lua_State *L);
/* Pushes a table of the verbs of verbs.c. */
void verbs_push(lua_State *L);
bool verbs_have(const char *name);
/* A field or a function that every call has. */
bool call_object_has(const char *name);

/* The run of the call object at index 1. Raises when that is another call's. */
struct script_run *verb_run(lua_State *L);
/* The run whose code runs now, for functions beside the call object. Raises while the dialplan is loaded, in on_hangup
 * handlers when `wait`, and when the script is being unwound. */
struct script_run *function_run(lua_State *L, const char *function, bool wait);
/* Answers, if that has not happened; ends the call when that is impossible. */
void verb_answer_first(lua_State *L, struct script_run *run, struct leg *leg);
/* The same for verbs that do something to the call: its caller's leg. Raises when the call has ended and when the
 * script is being unwound. */
struct leg *verb_leg(lua_State *L, struct script_run **run);
/* keys_verb.c */
int verb_send_keys(lua_State *L);
/* Raises when a yield is not possible here: ask before starting anything that would answer later. */
void verb_may_wait(lua_State *L, const struct script_run *run);
/* Yields to the loop; `then` runs when run_resume() was called. Use as `return verb_wait(…)`. */
int verb_wait(lua_State *L, struct script_run *run, lua_KFunction then);
/* The run again, in `then`. Raises when it was ended meanwhile. */
struct script_run *verb_resumed(lua_State *L, lua_KContext context);

/* call_object.c: a plain value as a new reference: JSON null for nil, NULL for what is none. */
json_t *json_at(lua_State *L, int arg);

/* record_verb.c */
int verb_record(lua_State *L);
int verb_record_start(lua_State *L);
int verb_record_stop(lua_State *L);
int verb_record_pause(lua_State *L);
int verb_record_resume(lua_State *L);

/* dial_verb.c */
int verb_dial(lua_State *L);
/* conference_verb.c */
int verb_conference(lua_State *L);
/* Leaves the running extension for another one; ends the call when there is none. Never returns. */
int verb_go(lua_State *L, struct script_run *run, const char *context, const char *extension);
/* module_verb.c: pushes the function of a verb that a module serves; false: there is none. */
bool module_verb_push(lua_State *L, const struct script_run *run, const char *name);
int module_verb_exists(lua_State *L);
/* Ends the leg and with it the script. Never returns. */
int verb_end_call(lua_State *L, struct script_run *run, enum cause cause, enum who who, const char *detail);
/* log_verb.c: call:log() for upvalue string.format */
int verb_log(lua_State *L);

#endif
