/* call:say{ number = 21 }: numbers, digits, dates, times and durations as lists of prompts. Signalling thread. Knows no
 * grammar: audio/say.h does. */
#include <stdio.h>

#include "audio/say.h"
#include "script/sound_verbs.h"

static const char *text_of(lua_State *L, const char *option)
{
    if (!lua_isstring(L, -1))
        luaL_error(L, "say: `%s` is not a text or a number but a %s", option, luaL_typename(L, -1));
    return lua_tostring(L, -1);
}

static bool flag(lua_State *L, const char *option)
{
    bool on;

    lua_getfield(L, 2, option);
    on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

static int say_a_number(lua_State *L, struct say_list *list, const char *language)
{
    if (!lua_isinteger(L, -1))
        return -EINVAL;
    return say_number(list, language, lua_tointeger(L, -1), SAY_ALONE);
}

static int say_some_digits(lua_State *L, struct say_list *list, const char *language)
{
    return say_digits(list, language, text_of(L, "digits"));
}

static int say_letters(lua_State *L, struct say_list *list, const char *language)
{
    return say_spell(list, language, text_of(L, "spell"));
}

static int say_a_date(lua_State *L, struct say_list *list, const char *language)
{
    struct say_date date;
    char rest;

    if (sscanf(text_of(L, "date"), "%4d-%2u-%2u%c", &date.year, &date.month, &date.day, &rest) != 3)
        return -EINVAL;
    return say_date(list, language, &date, flag(L, "weekday"));
}

static int say_a_time(lua_State *L, struct say_list *list, const char *language)
{
    unsigned hour, minute;
    lua_Integer hours = 12;
    char rest;

    if (sscanf(text_of(L, "time"), "%2u:%2u%c", &hour, &minute, &rest) != 2)
        return -EINVAL;
    if (lua_getfield(L, 2, "hours") != LUA_TNIL)
        hours = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
    else if (strncmp(language, "en", 2) != 0)
        hours = 24;
    lua_pop(L, 1);
    if (hours != 12 && hours != 24)
        luaL_error(L, "say: `hours` is 12 or 24");
    return say_time(list, language, hour, minute, (unsigned)hours);
}

static int say_a_duration(lua_State *L, struct say_list *list, const char *language)
{
    if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 0)
        return -EINVAL;
    return say_duration(list, language, (uint64_t)lua_tointeger(L, -1));
}

static const struct {
    const char *option, *takes;
    int (*say)(lua_State *L, struct say_list *list, const char *language);
} kinds[] = {
    {"number", "a whole number up to 999,999,999", say_a_number},
    {"digits", "digits, * and #", say_some_digits},
    {"spell", "a text", say_letters},
    {"date", "a date as 2026-12-25", say_a_date},
    {"time", "a time as 14:30", say_a_time},
    {"duration", "seconds, without a fraction", say_a_duration},
};

/* What is said, in words for a simulation; the text stays on the stack. */
static const char *read_what(lua_State *L, struct say_list *list, const char *language)
{
    const char *words = NULL;

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        int err;

        if (lua_getfield(L, 2, kinds[i].option) == LUA_TNIL) {
            lua_pop(L, 1);
            continue;
        }
        if (words)
            luaL_error(L, "say: one thing at a time, not `%s` too", kinds[i].option);
        err = kinds[i].say(L, list, language);
        if (err == -ENOENT)
            luaL_error(L, "say: the language \"%s\" is not known", language);
        if (err < 0)
            luaL_error(L, "say: `%s` takes %s", kinds[i].option, err == -E2BIG ? "something shorter" : kinds[i].takes);
        words = lua_tostring(L, -1);
    }
    if (!words)
        luaL_error(L, "say: nothing to say: number, digits, spell, date, time or duration is needed");
    return words;
}

int verb_say(lua_State *L)
{
    static const char *const options[] = {"number",   "digits",  "spell", "date",  "time", "duration",
                                          "language", "weekday", "hours", "barge", NULL};
    struct play_item items[SAY_MAX];
    struct script_run *run;
    struct play_request request = {.items = items, .loops = 1};
    struct leg *leg = verb_leg(L, &run);
    struct say_list list = {.count = 0};
    const char *words;

    verb_may_wait(L, run);
    luaL_checktype(L, 2, LUA_TTABLE);
    sound_check_options(L, 2, "say", options);
    request.language = leg_language(leg);
    if (lua_getfield(L, 2, "language") != LUA_TNIL)
        request.language = luaL_checkstring(L, -1);
    words = read_what(L, &list, request.language);
    for (; request.count < list.count; request.count++)
        items[request.count] = (struct play_item){.what = PLAY_FILE, .name = list.names[request.count]};
    run_step(run, "say %s", words);
    return sound_play(L, run, leg, &request, flag(L, "barge"));
}
