/* call:gather{ prompt = …, max = … }: plays a prompt and takes the keys that the caller types. call/keys.h decides when
 * a number is complete; this plays, waits and gives the answer. Signalling thread. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/obj.h"
#include "script/sound_verbs.h"

#define SECONDS_MAX 3600
#define TRIES_MAX 100
#define VALID_MAX 64

struct names {
    unsigned count;
    char *items[SOUND_ITEMS_MAX];
};

struct ask {
    struct gather gather;
    struct script_run *run;
    struct leg *leg; /* ref "ask" */
    struct names prompt, invalid, valid;
    char language[16]; /* "": the leg's */
    bool typed;        /* since the prompt was played last: it was a wrong number, not silence */
};

static void go_on(struct ask *ask);

static void free_names(struct names *names)
{
    for (unsigned i = 0; i < names->count; i++)
        free(names->items[i]);
}

void ask_free(struct ask *ask)
{
    if (!ask)
        return;
    free_names(&ask->prompt);
    free_names(&ask->invalid);
    free_names(&ask->valid);
    obj_unref(ask->leg, "ask");
    free(ask);
}

static bool is_valid(void *arg, const char *digits)
{
    const struct ask *ask = arg;

    for (unsigned i = 0; i < ask->valid.count; i++)
        if (extension_matches(ask->valid.items[i], digits))
            return true;
    return ask->valid.count == 0;
}

/* --- while it goes on --------------------------------------------------------------------------------------------- */

static void prompt_over(void *arg, const struct play_result *result)
{
    struct ask *ask = arg;

    gather_played(&ask->gather, leg_keys_now(ask->leg));
    go_on(ask);
}

static unsigned add_items(struct play_item *items, unsigned count, const struct names *names)
{
    for (unsigned i = 0; i < names->count; i++)
        items[count++] = (struct play_item){.what = PLAY_FILE, .name = names->items[i]};
    return count;
}

static void stop_prompt(struct ask *ask)
{
    if (ask->run->play)
        leg_play_stop(ask->run->play);
}

/* A prompt that cannot be played is over at once. */
static void play_prompt(struct ask *ask)
{
    struct play_item items[2 * SOUND_ITEMS_MAX];
    struct play_request request = {.items = items, .loops = 1, .language = ask->language[0] ? ask->language : NULL};

    stop_prompt(ask);
    if (ask->typed)
        request.count = add_items(items, 0, &ask->invalid);
    ask->typed = false;
    request.count = add_items(items, request.count, &ask->prompt);
    if (!request.count || leg_play(ask->leg, &request, prompt_over, ask, &ask->run->play) < 0)
        gather_played(&ask->gather, leg_keys_now(ask->leg));
}

static void later(void *arg)
{
    go_on(((struct script_run *)arg)->ask);
}

/* False: the answer is there. */
static bool act(struct ask *ask)
{
    struct loop *loop = ask->leg->pbx->loop;
    uint64_t now, deadline;

    for (;;) {
        now = leg_keys_now(ask->leg);
        switch (gather_next(&ask->gather, now)) {
        case GATHER_PLAY:
            play_prompt(ask);
            break;
        case GATHER_STOP:
            stop_prompt(ask);
            break;
        case GATHER_WAIT:
            deadline = gather_deadline(&ask->gather);
            loop_timer_stop(loop, &ask->run->sleep);
            if (deadline != UINT64_MAX)
                loop_timer_start(loop, &ask->run->sleep, deadline > now ? deadline - now : 0, later, ask->run);
            return true;
        case GATHER_DONE:
            return false;
        }
    }
}

static void go_on(struct ask *ask)
{
    struct script_run *run = ask->run;

    if (act(ask))
        return;
    loop_timer_stop(ask->leg->pbx->loop, &run->sleep);
    stop_prompt(ask);
    run_stop_listening(run);
    run_resume(run);
}

static void pressed(void *arg, struct leg *leg)
{
    struct script_run *run = arg;

    run->ask->typed = true;
    go_on(run->ask);
}

static int gathered(lua_State *L, int status, lua_KContext context)
{
    static const char *const words[] = {[GATHER_GOING] = "",
                                        [GATHER_COMPLETE] = "complete",
                                        [GATHER_NOTHING] = "nothing",
                                        [GATHER_SHORT] = "short",
                                        [GATHER_INVALID] = "invalid"};
    struct script_run *run = verb_resumed(L, context);
    const struct gather *gather = &run->ask->gather;

    run_step(run, "→ %s%s%s", gather->len ? gather->digits : "nothing", gather->result == GATHER_COMPLETE ? "" : ", ",
             gather->result == GATHER_COMPLETE ? "" : words[gather->result]);
    if (gather->result == GATHER_COMPLETE)
        lua_pushstring(L, gather->digits);
    else
        luaL_pushfail(L);
    lua_pushstring(L, words[gather->result]);
    lua_pushstring(L, gather->digits);
    ask_free(run->ask);
    run->ask = NULL;
    return 3;
}

/* --- options ------------------------------------------------------------------------------------------------------ */

static lua_Integer read_count(lua_State *L, const char *option, lua_Integer otherwise, lua_Integer least,
                              lua_Integer most)
{
    lua_Integer value = otherwise;

    if (lua_getfield(L, 2, option) != LUA_TNIL) {
        value = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : least - 1;
        if (value < least || value > most)
            luaL_error(L, "gather: `%s` is a number from %d to %d", option, (int)least, (int)most);
    }
    lua_pop(L, 1);
    return value;
}

static uint64_t read_ms(lua_State *L, const char *option, lua_Number otherwise)
{
    lua_Number seconds = otherwise;

    if (lua_getfield(L, 2, option) != LUA_TNIL) {
        seconds = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : -1;
        if (!(seconds >= 0 && seconds <= SECONDS_MAX))
            luaL_error(L, "gather: `%s` has to be a time in seconds", option);
    }
    lua_pop(L, 1);
    return (uint64_t)ceil(seconds * 1000);
}

static bool read_flag(lua_State *L, const char *option, bool otherwise)
{
    bool on = otherwise;

    if (lua_getfield(L, 2, option) != LUA_TNIL)
        on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

/* The names stay on the stack: the caller copies them when nothing can be raised any more. */
static unsigned read_names(lua_State *L, const char *option, struct play_item items[SOUND_ITEMS_MAX])
{
    if (lua_getfield(L, 2, option) == LUA_TNIL)
        return 0;
    return sound_items(L, lua_gettop(L), "gather", items);
}

static void keep_names(struct names *names, const struct play_item *items, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        names->items[names->count++] = str_dup(items[i].name);
}

static void read_rules(lua_State *L, struct gather_rules *rules)
{
    rules->max = (unsigned)read_count(L, "max", KEYS_MAX, 1, KEYS_MAX);
    rules->min = (unsigned)read_count(L, "min", 1, 0, rules->max);
    rules->tries = (unsigned)read_count(L, "tries", 1, 1, TRIES_MAX);
    rules->timeout_ms = read_ms(L, "timeout", 5);
    rules->interdigit_ms = read_ms(L, "interdigit", 3);
    rules->no_barge_in = !read_flag(L, "barge", true);
    rules->no_type_ahead = !read_flag(L, "ahead", true);
    str_copy(rules->terminators, sizeof rules->terminators, "#");
    if (lua_getfield(L, 2, "terminator") != LUA_TNIL &&
        (!lua_isstring(L, -1) || str_copy(rules->terminators, sizeof rules->terminators, lua_tostring(L, -1)) < 0))
        luaL_error(L, "gather: `terminator` is up to %d keys", (int)sizeof rules->terminators - 1);
    lua_pop(L, 1);
}

static void check_patterns(lua_State *L, const struct play_item *items, unsigned count)
{
    const char *why;

    for (unsigned i = 0; i < count; i++)
        if (extension_check(items[i].name, &why) < 0)
            luaL_error(L, "gather: `valid` has \"%s\": %s", items[i].name, why);
}

/* In a simulation, the answer is there already. */
static void pretend_keys(const struct script_run *run, struct leg *leg)
{
    const struct script_pretence *pretence = &run->state->pretence;
    const char *keys = pretence->keys ? pretence->keys(pretence->arg) : NULL;

    for (; keys && *keys; keys++)
        keys_add(&leg->typed, *keys, leg_keys_now(leg));
}

int verb_gather(lua_State *L)
{
    static const char *const options[] = {"prompt", "invalid",    "min",   "max",   "timeout",  "interdigit", "tries",
                                          "valid",  "terminator", "barge", "ahead", "language", NULL};
    struct play_item prompt[SOUND_ITEMS_MAX], invalid[SOUND_ITEMS_MAX], valid[VALID_MAX];
    unsigned prompt_count, invalid_count, valid_count;
    struct gather_rules rules = {.valid = is_valid};
    const char *language = "";
    struct script_run *run;
    struct leg *leg = verb_leg(L, &run);
    struct ask *ask;

    luaL_checktype(L, 2, LUA_TTABLE);
    verb_may_wait(L, run);
    sound_check_options(L, 2, "gather", options);
    read_rules(L, &rules);
    prompt_count = read_names(L, "prompt", prompt);
    invalid_count = read_names(L, "invalid", invalid);
    valid_count = read_names(L, "valid", valid);
    check_patterns(L, valid, valid_count);
    if (lua_getfield(L, 2, "language") != LUA_TNIL)
        language = luaL_checkstring(L, -1);
    run_step(run, "gather %u to %u keys%s%s", rules.min, rules.max, prompt_count ? ", playing " : "",
             prompt_count ? prompt[0].name : "");
    verb_answer_first(L, run, leg);
    ask = mem_new(sizeof *ask);
    rules.arg = ask;
    if (gather_start(&ask->gather, &rules, &leg->typed, leg_keys_now(leg)) < 0) {
        free(ask);
        return luaL_error(L, "gather: `terminator` is made of keys: 0-9, *, #, A-D");
    }
    pretend_keys(run, leg);
    ask->run = run;
    ask->leg = obj_ref(leg, "ask");
    keep_names(&ask->prompt, prompt, prompt_count);
    keep_names(&ask->invalid, invalid, invalid_count);
    keep_names(&ask->valid, valid, valid_count);
    str_copy(ask->language, sizeof ask->language, language);
    run->ask = ask;
    run_listen(run, leg, pressed);
    loop_timer_start(run->call->pbx->loop, &run->sleep, 0, later, run); /* an answer may be there already */
    return verb_wait(L, run, gathered);
}
