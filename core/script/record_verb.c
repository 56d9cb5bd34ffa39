/* call:record{ … } waits for its end, as for a message that a caller leaves; call:record_start{ … } goes on beside what
 * the script does. Signalling thread. Knows recordings by recording.h only. */
#include <math.h>
#include <stdlib.h>

#include "base/key.h"
#include "call/recording.h"
#include "script/verbs.h"

#define SECONDS_MAX 86400

static const char *const options[] = {"file", "format", "what", "max", "silence", "terminator", "beep"};

static void check_options(lua_State *L, const char *verb, bool waits)
{
    lua_pushnil(L);
    while (lua_next(L, 2)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "(not a name)";
        bool found = false;

        for (size_t i = 0; i < COUNT_OF(options); i++)
            found = found || strcmp(options[i], key) == 0;
        if (!found)
            luaL_error(L, "%s: there is no option \"%s\"", verb, key);
        if (!waits && strcmp(key, "terminator") == 0)
            luaL_error(L, "%s: keys end only what call:record{} waits for", verb);
        lua_pop(L, 1);
    }
}

/* NULL: not there. Stays on the stack, and in the table. */
static const char *text_option(lua_State *L, const char *verb, const char *name)
{
    if (lua_getfield(L, 2, name) == LUA_TNIL)
        return NULL;
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "%s: `%s` has to be a text", verb, name);
    return lua_tostring(L, -1);
}

static uint32_t ms_option(lua_State *L, const char *verb, const char *name)
{
    lua_Number seconds = 0;

    if (lua_getfield(L, 2, name) != LUA_TNIL) {
        seconds = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
        if (!(seconds > 0 && seconds <= SECONDS_MAX))
            luaL_error(L, "%s: `%s` has to be a time in seconds", verb, name);
    }
    lua_pop(L, 1);
    return (uint32_t)ceil(seconds * 1000);
}

static void read_options(lua_State *L, const char *verb, struct recording_request *request)
{
    const char *format = text_option(L, verb, "format"), *what = text_option(L, verb, "what"), *why;

    if (format && recording_format_parse(format, &request->plan.format) < 0)
        luaL_error(L, "%s: there is no format \"%s\": wav, ulaw, alaw or opus", verb, format);
    if (what && recording_what_parse(what, &request->plan.what) < 0)
        luaL_error(L, "%s: `what` is leg, both or stereo, not \"%s\"", verb, what);
    request->plan.max_ms = ms_option(L, verb, "max");
    request->plan.silence_ms = ms_option(L, verb, "silence");
    lua_getfield(L, 2, "beep");
    request->plan.beep = lua_toboolean(L, -1);
    request->file = text_option(L, verb, "file");
    why = request->file ? recording_file_why(request->file) : NULL;
    if (why)
        luaL_error(L, "%s: \"%s\" cannot be the name of a recording: %s", verb, request->file, why);
}

static int start(lua_State *L, const char *verb, const struct recording_request *request, struct recording **out)
{
    switch (recording_start(request, out)) {
    case 0:
        return 0;
    case -EMFILE:
        return luaL_error(L, "%s: this call has eight recordings already", verb);
    case -ENOSYS:
        return luaL_error(L, "%s: nothing can be recorded here", verb);
    default:
        return luaL_error(L, "%s: the call has ended", verb);
    }
}

/* Keys of a phone; "" when there is none. */
static void terminator_option(lua_State *L, char out[static 8])
{
    const char *keys = text_option(L, "record", "terminator");

    if (str_copy(out, 8, keys) < 0)
        luaL_error(L, "record: `terminator` has at most seven keys");
    for (const char *key = out; *key; key++)
        if (key_event(*key) < 0)
            luaL_error(L, "record: \"%s\" are not keys of a phone", out);
}

/* --- record ------------------------------------------------------------------------------------------------------- */

static void ended(void *arg, const struct recording_end *end)
{
    struct script_run *run = arg;

    leg_watch_keys(run->call->caller, NULL, NULL);
    run->recording = NULL;
    run->recorded.ms = end->ms;
    free(run->recorded.file);
    run->recorded.file = end->path ? str_dup(end->path) : NULL;
    str_copy(run->recorded.why, sizeof run->recorded.why, end->why);
    run_resume(run);
}

/* Keys that end nothing are nothing: who speaks a message types no number. */
static void typed(void *arg, struct leg *leg)
{
    const struct script_run *run = arg;
    uint64_t ms;
    char key;

    while (keys_take(&leg->typed, &key, &ms))
        if (run->recording && strchr(run->recorded.terminators, key))
            recording_stop(run->recording, "terminator");
}

static int push_recorded(lua_State *L, const char *file, uint64_t ms, const char *why)
{
    lua_createtable(L, 0, 3);
    if (file) {
        lua_pushstring(L, file);
        lua_setfield(L, -2, "file");
    }
    lua_pushnumber(L, (lua_Number)ms / 1000);
    lua_setfield(L, -2, "seconds");
    lua_pushstring(L, why);
    lua_setfield(L, -2, "why");
    return 1;
}

static int recorded(lua_State *L, int status, lua_KContext context)
{
    const struct script_run *run = verb_resumed(L, context);

    leg_expect_sound(run->call->caller, false);
    return push_recorded(L, run->recorded.file, run->recorded.ms, run->recorded.why);
}

int verb_record(lua_State *L)
{
    struct script_run *run;
    struct leg *leg = verb_leg(L, &run);
    struct recording_request request = {.leg = leg, .plan = {.what = MEDIA_RECORD_LEG}, .ended = ended};

    if (lua_isnoneornil(L, 2)) {
        lua_settop(L, 1);
        lua_newtable(L);
    }
    luaL_checktype(L, 2, LUA_TTABLE);
    verb_may_wait(L, run);
    check_options(L, "record", true);
    read_options(L, "record", &request);
    terminator_option(L, run->recorded.terminators);
    verb_answer_first(L, run, leg);
    request.arg = run;
    run_step(run, "record%s%s", request.file ? " to " : "", request.file ? request.file : "");
    if (run->state->pretence.step)
        return push_recorded(L, NULL, 0, "silence");
    leg_expect_sound(leg, true);
    start(L, "record", &request, &run->recording);
    if (run->recorded.terminators[0]) {
        keys_clear(&leg->typed); /* what was typed ahead of the beep is no end of it */
        leg_watch_keys(leg, typed, run);
    }
    return verb_wait(L, run, recorded);
}

/* --- record_start and what follows -------------------------------------------------------------------------------- */

int verb_record_start(lua_State *L)
{
    struct script_run *run;
    struct recording_request request = {.leg = verb_leg(L, &run), .plan = {.what = MEDIA_RECORD_BOTH}};

    if (lua_isnoneornil(L, 2)) {
        lua_settop(L, 1);
        lua_newtable(L);
    }
    luaL_checktype(L, 2, LUA_TTABLE);
    check_options(L, "record_start", false);
    read_options(L, "record_start", &request);
    run_step(run, "record_start%s%s", request.file ? ": " : "", request.file ? request.file : "");
    if (!run->state->pretence.step)
        start(L, "record_start", &request, NULL);
    return 0;
}

/* All that were started beside the script; how many there were. */
static int for_each(lua_State *L, const char *verb, void (*fn)(struct recording *recording))
{
    struct script_run *run;
    struct recording *recording = NULL;
    lua_Integer count = 0;

    verb_leg(L, &run);
    run_step(run, "%s", verb);
    while ((recording = recording_next(run->call, recording)) != NULL) {
        fn(recording);
        count++;
    }
    lua_pushinteger(L, count);
    return 1;
}

static void stop(struct recording *recording)
{
    recording_stop(recording, "stopped");
}

static void pause_it(struct recording *recording)
{
    recording_pause(recording, true);
}

static void resume(struct recording *recording)
{
    recording_pause(recording, false);
}

int verb_record_stop(lua_State *L)
{
    return for_each(L, "record_stop", stop);
}

int verb_record_pause(lua_State *L)
{
    return for_each(L, "record_pause", pause_it);
}

int verb_record_resume(lua_State *L)
{
    return for_each(L, "record_resume", resume);
}
