/* call:play() and call:tone(): what the caller hears. They answer first, wait until it is over, and tell what became of
 * it. Signalling thread. Knows no files and no codecs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "call/play.h"
#include "script/verbs.h"

#define ITEMS_MAX 64
#define LOOPS_MAX 1000
#define SECONDS_MAX 86400

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static void over(void *arg, const struct play_result *result)
{
    struct script_run *run = arg;

    run->played.ms = result->ms;
    run->played.missing = result->missing;
    run->played.barged = false;
    str_copy(run->played.why, sizeof run->played.why, result->why);
    run_resume(run);
}

static int played(lua_State *L, int status, lua_KContext context)
{
    struct script_run *run = verb_resumed(L, context);

    lua_createtable(L, 0, 4);
    lua_pushnumber(L, (lua_Number)run->played.ms / 1000);
    lua_setfield(L, -2, "seconds");
    lua_pushinteger(L, run->played.missing);
    lua_setfield(L, -2, "missing");
    lua_pushboolean(L, run->played.barged);
    lua_setfield(L, -2, "barged");
    if (run->played.why[0]) {
        lua_pushstring(L, run->played.why);
        lua_setfield(L, -2, "why");
    }
    return 1;
}

static int play(lua_State *L, struct script_run *run, struct leg *leg, const char *verb,
                const struct play_request *request)
{
    int result;

    verb_answer_first(L, run, leg);
    result = leg_play(leg, request, over, run, &run->play);
    if (result == -EINVAL)
        return luaL_error(L, "%s: a name in it is neither a file nor a prompt", verb);
    if (result < 0) { /* it is being ended: nothing of the script matters any more */
        guard_doom(&run->guard, DOOM_HANGUP);
        return guard_raise(L);
    }
    return verb_wait(L, run, played);
}

/* --- options ------------------------------------------------------------------------------------------------------ */

static void check_options(lua_State *L, int at)
{
    lua_pushnil(L);
    while (lua_next(L, at)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "(not a name)";

        if (strcmp(key, "loop") != 0 && strcmp(key, "barge") != 0 && strcmp(key, "language") != 0)
            luaL_error(L, "play: there is no option \"%s\"", key);
        lua_pop(L, 1);
    }
}

/* true: till somebody hangs up, or presses a key with `barge`. */
static unsigned read_loops(lua_State *L, int at)
{
    lua_Integer loops = 1;

    lua_getfield(L, at, "loop");
    if (lua_isboolean(L, -1))
        loops = lua_toboolean(L, -1) ? 0 : 1;
    else if (!lua_isnil(L, -1))
        loops = lua_isinteger(L, -1) && lua_tointeger(L, -1) > 0 ? lua_tointeger(L, -1) : -1;
    if (loops < 0 || loops > LOOPS_MAX)
        luaL_error(L, "play: `loop` is true, or a number from 1 to %d", LOOPS_MAX);
    lua_pop(L, 1);
    return (unsigned)loops;
}

/* Leaves the strings on the stack: they live as long as this call of the verb. */
static unsigned read_items(lua_State *L, struct play_item *items)
{
    unsigned count = 0;

    if (lua_type(L, 2) == LUA_TSTRING) {
        items[0] = (struct play_item){.what = PLAY_FILE, .name = lua_tostring(L, 2)};
        return 1;
    }
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checkstack(L, ITEMS_MAX + 8, NULL);
    for (lua_Integer i = 1; lua_rawgeti(L, 2, i) != LUA_TNIL; i++) {
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "play: a name in the list is not a text but a %s", luaL_typename(L, -1));
        if (count == ITEMS_MAX)
            luaL_error(L, "play: more than %d names at once", ITEMS_MAX);
        items[count++] = (struct play_item){.what = PLAY_FILE, .name = lua_tostring(L, -1)};
    }
    lua_pop(L, 1);
    return count;
}

int verb_play(lua_State *L)
{
    struct play_item items[ITEMS_MAX];
    struct script_run *run;
    struct play_request request = {.items = items, .loops = 1};
    struct leg *leg = verb_leg(L, &run);

    verb_may_wait(L, run);
    if (!lua_isnoneornil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
        check_options(L, 3);
        request.loops = read_loops(L, 3);
        if (lua_getfield(L, 3, "language") != LUA_TNIL)
            request.language = luaL_checkstring(L, -1);
    }
    request.count = read_items(L, items);
    run_step(run, "play %s%s", request.count ? items[0].name : "nothing", request.count > 1 ? " and more" : "");
    return play(L, run, leg, "play", &request);
}

int verb_tone(lua_State *L)
{
    struct script_run *run;
    struct leg *leg = verb_leg(L, &run);
    const char *name = luaL_checkstring(L, 2);
    lua_Number seconds = luaL_optnumber(L, 3, 0);
    struct play_item item = {.what = PLAY_TONE};
    struct play_request request = {.items = &item, .count = 1, .loops = 1};

    verb_may_wait(L, run);
    if (tone_parse(name, &item.tone) < 0)
        return luaL_error(L, "tone: there is no tone \"%s\"", name);
    if (!(seconds >= 0 && seconds <= SECONDS_MAX))
        return luaL_error(L, "tone: %f is not a time in seconds", seconds);
    item.ms = (unsigned)ceil(seconds * 1000);
    run_step(run, "tone %s", name);
    return play(L, run, leg, "tone", &request);
}
