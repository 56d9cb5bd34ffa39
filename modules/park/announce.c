/* Who is about to park somebody hears the number of the slot, again and again, and has it until he has hung up and some
 * seconds more: his transfer comes before or after that. Signalling thread. */
#include <stdio.h>

#include "base/obj.h"
#include "call/play.h"
#include "park.h"

#define PAUSE_MS 6000
#define TIMES 10       /* then he has forgotten it */
#define GRACE_MS 10000 /* of phones that hang up first and transfer then */

static void nobody_came(void *arg)
{
    slot_free(arg);
}

static void keep_a_while(struct slot *slot)
{
    slot->run = NULL;
    slot->leg = obj_unref(slot->leg, "park");
    if (slot->state != SLOT_PROMISED) { /* it was used meanwhile */
        slot_free(slot);
        return;
    }
    loop_timer_start(slot->park->pbx->loop, &slot->timer, GRACE_MS, nobody_came, slot);
}

static void called_off(void *arg)
{
    struct slot *slot = arg;

    if (slot->play)
        leg_play_stop(slot->play);
    keep_a_while(slot);
}

static void said(void *arg, const struct play_result *result)
{
    struct slot *slot = arg;
    struct verb_run *run = slot->run;

    keep_a_while(slot);
    verb_run_done(run, json_string("told"));
}

void slot_promise(struct slot *slot, struct verb_run *run, struct leg *leg)
{
    struct play_item items[2 + SLOT_DIGITS + 1] = {{.what = PLAY_FILE, .name = "park/parked-at"}};
    const struct play_request request = {.items = items, .loops = TIMES};
    char digits[SLOT_DIGITS + 1], names[SLOT_DIGITS][16];
    struct play_request play = request;
    unsigned count = 1;

    snprintf(digits, sizeof digits, "%u", slot->number % 1000);
    for (unsigned i = 0; digits[i]; i++, count++) {
        snprintf(names[i], sizeof names[i], "number/%c", digits[i]);
        items[count] = (struct play_item){.what = PLAY_FILE, .name = names[i]};
    }
    items[count++] = (struct play_item){.what = PLAY_TONE, .tone = TONE_JOIN, .ms = 200}; /* where no prompts are */
    items[count++] = (struct play_item){.what = PLAY_SILENCE, .ms = PAUSE_MS};
    play.count = count;
    slot->state = SLOT_PROMISED;
    slot->run = run;
    slot->leg = obj_ref(leg, "park");
    verb_run_on_cancel(run, called_off, slot);
    if (leg_play(leg, &play, said, slot, &slot->play) < 0)
        said(slot, NULL);
}
