/* The command play: a sound to whoever is in a call. Signalling thread. */
#include <stdlib.h>

#include "call/play.h"
#include "call/voices.h"
#include "console/core.h"
#include "media/sounds.h"

struct waiting {
    struct console_request *request;
    struct pbx *pbx;
    char id[UUID_TEXT];
    char *name;
};

/* To each party that has audio; how many. */
static unsigned play_to_all(const struct call *call, const char *name)
{
    const struct play_item item = {.what = PLAY_FILE, .name = name};
    const struct play_request request = {.items = &item, .count = 1, .loops = 1};
    struct leg *leg;
    unsigned count = 0;

    LIST_FOR_EACH(leg, &call->legs, in_call)
    if ((leg->state == LEG_UP || leg->early) && leg_play(leg, &request, NULL, NULL, NULL) == 0)
        count++;
    return count;
}

/* The file is there, and kept: it is found again at once when it is played. */
static void found(void *arg, const struct sound_found *list, unsigned count)
{
    struct waiting *waiting = arg;
    const struct call *call = call_find(waiting->pbx, waiting->id);
    unsigned heard = call && count && list->fd >= 0 ? play_to_all(call, waiting->name) : 0;

    if (count && list->fd < 0)
        console_fail(waiting->request, "not-found", "Nothing is played: %s.", list->why);
    else if (!heard)
        console_fail(waiting->request, "not-found", "Nobody in this call has audio.");
    else
        console_reply(waiting->request, json_pack("{s:i}", "legs", (int)heard));
    free(waiting->name);
    free(waiting);
}

static void run_play(struct core_part *core, struct console_request *request, json_t *params)
{
    const char *name = param_text(params, "name");
    struct call *call = core_live_call(core, request, params);
    struct sounds_fetch *fetch;
    struct waiting *waiting;

    if (!call)
        return;
    if (!name || !*name) {
        console_fail(request, "bad-request", "Which file or prompt? name is missing.");
        return;
    }
    if (!call->pbx->sounds || !call->pbx->voices) {
        console_fail(request, "unavailable", "Nothing can be played here.");
        return;
    }
    waiting = mem_new(sizeof *waiting);
    waiting->request = request;
    waiting->pbx = call->pbx;
    call_id_text(call, waiting->id);
    waiting->name = str_dup(name);
    fetch = sounds_begin(call->pbx->sounds);
    voices_want(call->pbx->voices, fetch, call->caller ? leg_language(call->caller) : "en", name);
    sounds_go(fetch, found, waiting);
}

const struct core_command core_play_commands[] = {
    {"play", "plays a file or prompt to all parties of a live call: id, name", run_play},
    {NULL, NULL, NULL},
};
