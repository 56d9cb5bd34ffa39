/* call:play() and call:tone(): what the caller hears. They answer first, wait until it is over, and tell what became of
 * it. Signalling thread. Knows no files and no codecs. */
#include <math.h>
#include <stdio.h>

#include "base/obj.h"
#include "script/sound_verbs.h"

#define LOOPS_MAX 1000
#define SECONDS_MAX 86400

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static void over(void *arg, const struct play_result *result)
{
    struct script_run *run = arg;

    run_stop_listening(run);
    run->played.ms = result->ms;
    run->played.missing = result->missing;
    run->played.barged = false;
    str_copy(run->played.why, sizeof run->played.why, result->why);
    run_resume(run);
}

/* The key stays where it is: whoever asks next gets it. */
static void pressed(void *arg, struct leg *leg)
{
    struct script_run *run = arg;

    run_stop_listening(run);
    if (run->play)
        leg_play_stop(run->play);
    run->played.barged = true;
    run->played.why[0] = '\0';
    run->played.ms = (loop_now_us(leg->pbx->loop) - run->played.from_us) / 1000;
    run->played.missing = 0;
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

static void skipped(void *arg)
{
    struct script_run *run = arg;

    pressed(run, run->call->caller);
}

int sound_play(lua_State *L, struct script_run *run, struct leg *leg, const struct play_request *request, bool barge)
{
    struct loop *loop = run->call->pbx->loop;
    int result;

    verb_answer_first(L, run, leg);
    run->played.from_us = loop_now_us(loop);
    if (barge && leg->typed.count) { /* who types ahead does not want to hear it */
        loop_timer_start(loop, &run->sleep, 0, skipped, run);
        return verb_wait(L, run, played);
    }
    result = leg_play(leg, request, over, run, &run->play);
    if (result < 0) { /* it is being ended: nothing of the script matters any more */
        guard_doom(&run->guard, DOOM_HANGUP);
        return guard_raise(L);
    }
    if (barge)
        run_listen(run, leg, pressed);
    return verb_wait(L, run, played);
}

/* --- options ------------------------------------------------------------------------------------------------------ */

void sound_check_options(lua_State *L, int at, const char *verb, const char *const *known)
{
    lua_pushnil(L);
    while (lua_next(L, at)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "(not a name)";
        const char *const *found = known;

        while (*found && strcmp(*found, key) != 0)
            found++;
        if (!*found)
            luaL_error(L, "%s: there is no option \"%s\"", verb, key);
        lua_pop(L, 1);
    }
}

unsigned sound_items(lua_State *L, int at, const char *verb, struct play_item items[SOUND_ITEMS_MAX])
{
    unsigned count = 0;

    luaL_checkstack(L, SOUND_ITEMS_MAX + 8, NULL);
    if (lua_type(L, at) == LUA_TSTRING) {
        items[0] = (struct play_item){.what = PLAY_FILE, .name = lua_tostring(L, at)};
        return 1;
    }
    if (!lua_istable(L, at))
        luaL_error(L, "%s: the name of a sound is needed, or a list of them, not a %s", verb, luaL_typename(L, at));
    for (lua_Integer i = 1; lua_rawgeti(L, at, i) != LUA_TNIL; i++) {
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "%s: a name in the list is not a text but a %s", verb, luaL_typename(L, -1));
        if (count == SOUND_ITEMS_MAX)
            luaL_error(L, "%s: more than %d names at once", verb, SOUND_ITEMS_MAX);
        items[count++] = (struct play_item){.what = PLAY_FILE, .name = lua_tostring(L, -1)};
    }
    lua_pop(L, 1);
    return count;
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

int verb_play(lua_State *L)
{
    static const char *const options[] = {"loop", "barge", "language", NULL};
    struct play_item items[SOUND_ITEMS_MAX];
    struct script_run *run;
    struct play_request request = {.items = items, .loops = 1};
    struct leg *leg = verb_leg(L, &run);
    bool barge = false;

    verb_may_wait(L, run);
    if (!lua_isnoneornil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
        sound_check_options(L, 3, "play", options);
        request.loops = read_loops(L, 3);
        lua_getfield(L, 3, "barge");
        barge = lua_toboolean(L, -1);
        if (lua_getfield(L, 3, "language") != LUA_TNIL)
            request.language = luaL_checkstring(L, -1);
    }
    request.count = sound_items(L, 2, "play", items);
    run_step(run, "play %s%s", request.count ? items[0].name : "nothing", request.count > 1 ? " and more" : "");
    return sound_play(L, run, leg, &request, barge);
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
    return sound_play(L, run, leg, &request, false);
}
