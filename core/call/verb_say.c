/* Verbs that end with words to the caller: "Do not disturb. Enabled." Signalling thread. */
#include <stdlib.h>

#include "call/call-priv.h"
#include "call/play.h"
#include "call/verb.h"

#define SAY_MAX 8
#define TONE_MS 1000

struct saying {
    struct verb_run *run;
    struct leg *leg;
    json_t *value;
    struct leg_play *play;
    bool toned;
};

static void finish(struct saying *saying)
{
    struct verb_run *run = saying->run;
    json_t *value = saying->value;

    free(saying);
    verb_run_done(run, value);
}

static void called_off(void *arg)
{
    struct saying *saying = arg;

    if (saying->play)
        leg_play_stop(saying->play);
    json_decref(saying->value);
    free(saying);
}

static void said(void *arg, const struct play_result *result);

static int say(struct saying *saying, const struct play_item *items, unsigned count)
{
    const struct play_request request = {.items = items, .count = count, .loops = 1};

    return leg_play(saying->leg, &request, said, saying, &saying->play);
}

/* Nobody is left in silence where no prompts are installed. */
static void said(void *arg, const struct play_result *result)
{
    struct saying *saying = arg;
    const struct play_item tone = {.what = PLAY_TONE, .tone = TONE_JOIN, .ms = TONE_MS};

    if (result->missing && !saying->toned) {
        saying->toned = true;
        if (say(saying, &tone, 1) == 0)
            return;
    }
    finish(saying);
}

void verb_run_say(struct verb_run *run, struct call *call, const char *const *prompts, json_t *value)
{
    struct play_item items[SAY_MAX];
    struct saying *saying;
    unsigned count = 0;

    for (; prompts[count] && count < SAY_MAX; count++)
        items[count] = (struct play_item){.what = PLAY_FILE, .name = prompts[count]};
    if (!call->caller || !leg_is_alive(call->caller) || call_answer(call)) {
        verb_run_done(run, value);
        return;
    }
    call_answered(call);
    saying = mem_new(sizeof *saying);
    saying->run = run;
    saying->leg = call->caller;
    saying->value = value;
    verb_run_on_cancel(run, called_off, saying);
    if (say(saying, items, count) < 0)
        finish(saying);
}
