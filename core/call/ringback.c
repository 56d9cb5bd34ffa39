/* The ringing that the switch makes for a caller whose phone does not ring by itself. Signalling thread; dial.c says
 * when it is due. */
#include "base/log.h"
#include "call/call-priv.h"
#include "call/play.h"

#define PROMISED_MS 400 /* promised sound comes sooner than this, or is a tone's gap late */

static void start(void *arg)
{
    struct ringback *ringback = arg;
    const struct play_item tone = {.what = PLAY_TONE, .tone = TONE_RINGBACK};
    const struct play_request request = {.items = &tone, .count = 1, .loops = 1};

    if (leg_play(ringback->leg, &request, NULL, NULL, &ringback->play) < 0)
        log_info("%s hears no ringing: there is no audio to it", ringback->leg->number);
}

void ringback_stop(struct ringback *ringback, const struct leg *caller)
{
    loop_timer_stop(caller->pbx->loop, &ringback->patience);
    if (ringback->play)
        leg_play_stop(ringback->play);
}

void ringback_update(struct ringback *ringback, struct leg *caller, bool due, bool promised)
{
    struct pbx *pbx = caller->pbx;
    const struct snapshot *snapshot = pbx->db ? db_snapshot(pbx->db) : NULL;

    if (!due) {
        ringback_stop(ringback, caller);
        return;
    }
    if (ringback->play || loop_timer_running(&ringback->patience) ||
        (snapshot && strcmp(snapshot_setting(snapshot, "ringback", "on"), "off") == 0))
        return;
    ringback->leg = caller;
    loop_timer_start(pbx->loop, &ringback->patience, promised ? PROMISED_MS : 0, start, ringback);
}
