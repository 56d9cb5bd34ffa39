/* call:NAME(argument) for the verbs that modules add: hands the argument over, waits, and gives back what came of it.
 * In a simulation, where there are no modules, every name is one, does nothing and gives nil. Signalling thread. */
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

static int pretend(lua_State *L, const struct script_run *run, const char *name, json_t *argument)
{
    char *words = argument ? json_dumps(argument, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;

    run_step(run, "%s%s%.*s" SCRIPT_BY_MODULE, name, words ? " " : "", WORDS_MAX, words ? words : "");
    free(words);
    json_decref(argument);
    luaL_pushfail(L);
    return 1;
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

bool module_verb_push(lua_State *L, const struct script_run *run, const char *name)
{
    if (!run->state->pretence.step && !verb_exists(run->call->pbx, name))
        return false;
    lua_pushstring(L, name);
    lua_pushcclosure(L, start, 1);
    return true;
}

int module_verb_exists(lua_State *L)
{
    const struct script_run *run = function_run(L, "pbx.has_verb()", false);
    const char *name = luaL_checkstring(L, 1);

    lua_pushboolean(L, run->state->pretence.step || verb_exists(run->call->pbx, name));
    return 1;
}
