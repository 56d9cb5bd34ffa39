/* What the verbs that make sound share: lists of names, playing and waiting for it. Signalling thread. */
#ifndef SCRIPT_SOUND_VERBS_H
#define SCRIPT_SOUND_VERBS_H

#include "call/play.h"
#include "script/verbs.h"

#define SOUND_ITEMS_MAX 64

/* The value at a place of the stack: a name, or a list of names. They stay on the stack, which grows by their number.
 * Raises when it is neither. */
unsigned sound_items(lua_State *L, int at, const char *verb, struct play_item items[SOUND_ITEMS_MAX]);
/* Answers, plays, waits, and gives a table of what became of it. barge: a key ends it. Use as `return sound_play(…)`.
 */
int sound_play(lua_State *L, struct script_run *run, struct leg *leg, const struct play_request *request, bool barge);
/* Raises at the first key of the table that is none of these; the list ends with NULL. */
void sound_check_options(lua_State *L, int at, const char *verb, const char *const *known);

/* gather_verb.c */
int verb_gather(lua_State *L);
/* say_verb.c */
int verb_say(lua_State *L);
/* play_verb.c */
int verb_play(lua_State *L);
int verb_tone(lua_State *L);

#endif
