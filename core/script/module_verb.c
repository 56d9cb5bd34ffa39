/* call:NAME(argument) for the verbs that modules add: hands the argument over, waits, and gives back what came of it.
 * In a simulation, where there are no modules, it does what is known of the verb: the dial that it amounts to, or
 * nothing. Signalling thread. */
#include "call/verb.h"
#include "script/lua_json.h"
#include "script/verbs.h"

#define WORDS_MAX 200 /* of an argument, told in a simulation */

static void over(void *arg, const struct verb_result *result)
{
    struct script_run *run = arg;

    run->verb = NULL;
    run->verb_result = result;
    run_resume(run); /* reads it before anything else: it is gone after this */
    /* run may be gone as well */
}

static int ended(lua_State *L, int status, lua_KContext context)
{
    struct script_run *run = verb_resumed(L, context);
    const struct verb_result *result = run->verb_result;

    run->verb_result = NULL;
    switch (result->end) {
    case VERB_GO:
        return verb_go(L, run, result->context, result->extension);
    case VERB_FAILED:
        return luaL_error(L, "%s: %s", lua_tostring(L, lua_upvalueindex(1)), result->why);
    case VERB_REFUSED:
        return verb_end_call(L, run, result->cause, WHO_SWITCH, result->why);
    case VERB_DONE:
        break;
    }
    if (!result->value)
        luaL_pushfail(L);
    else
        lua_json_push(L, result->value);
    return 1;
}

/* {"to": [{"to": "202", "delay": 5}]} as the table that call:dial{} takes: {to = {{"202", delay = 5}}}. */
static void push_dial(lua_State *L, const json_t *dial)
{
    lua_json_push(L, dial);
    if (lua_getfield(L, -1, "to") == LUA_TTABLE)
        for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TTABLE; i++) {
            lua_getfield(L, -1, "to");
            lua_rawseti(L, -2, 1);
            lua_pushnil(L);
            lua_setfield(L, -2, "to");
            lua_pop(L, 1);
        }
    lua_settop(L, 2);
}

static int pretend(lua_State *L, const struct script_run *run, const char *name, json_t *argument)
{
    const struct script_pretence *pretence = &run->state->pretence;
    char *words = argument ? json_dumps(argument, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
    json_t *facts = pretence->verb ? pretence->verb(pretence->arg, run->call, name, argument) : NULL, *sentence;
    bool dials = json_is_object(json_object_get(facts, "dial"));
    size_t i;

    run_step(run, "%s%s%.*s" SCRIPT_BY_MODULE, name, words ? " " : "", WORDS_MAX, words ? words : "");
    json_array_foreach(json_object_get(facts, "words"), i, sentence)
    {
        run_step(run, "  %s", json_string_value(sentence));
    }
    lua_settop(L, 1);
    if (dials)
        push_dial(L, json_object_get(facts, "dial"));
    else
        lua_json_push(L, json_object_get(facts, "value"));
    free(words);
    json_decref(argument);
    json_decref(facts);
    return dials ? verb_dial(L) : 1;
}

/* Upvalue: its name. */
static int start(lua_State *L)
{
    const char *name = lua_tostring(L, lua_upvalueindex(1));
    struct script_run *run;
    json_t *argument = NULL;

    verb_leg(L, &run);
    verb_may_wait(L, run);
    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) {
        argument = lua_json_read(L, 2);
        if (!argument)
            return luaL_error(L, "%s: takes texts, numbers, true, false, and tables of those", name);
    }
    if (run->state->pretence.step)
        return pretend(L, run, name, argument);
    run->verb = verb_start(run->call, name, argument, over, run);
    if (!run->verb) /* its module has gone since */
        return luaL_error(L, "%s: no module serves this any more", name);
    return verb_wait(L, run, ended);
}

static bool is_there(const struct script_run *run, const char *name)
{
    const struct script_pretence *pretence = &run->state->pretence;

    return pretence->has_verb ? pretence->has_verb(pretence->arg, name) : verb_exists(run->call->pbx, name);
}

bool module_verb_push(lua_State *L, const struct script_run *run, const char *name)
{
    if (!is_there(run, name))
        return false;
    lua_pushstring(L, name);
    lua_pushcclosure(L, start, 1);
    return true;
}

int module_verb_exists(lua_State *L)
{
    const struct script_run *run = function_run(L, "pbx.has_verb()", false);
    const char *name = luaL_checkstring(L, 1);

    lua_pushboolean(L, is_there(run, name));
    return 1;
}
