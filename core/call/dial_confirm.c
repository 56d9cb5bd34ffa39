/* Who answers is asked to press a key before he is connected, so that a voicemail or another switch takes no call away
 * from people. Signalling thread. */
#include "base/obj.h"
#include "call/dial-priv.h"

#define PATIENCE_MS 20000
#define PAUSE_MS 2000
#define BEEP_MS 500 /* is heard where no prompts are installed, too */
#define KEY_YES '1'
#define KEY_NO '2'

void dial_confirm_stop(struct dial *dial, struct dial_branch *branch)
{
    if (!branch->confirming)
        return;
    branch->confirming = false;
    loop_timer_stop(dial->call->pbx->loop, &branch->timer);
    if (branch->question)
        leg_play_stop(branch->question);
    leg_watch_keys(branch->leg, NULL, NULL);
}

static void refuse(struct dial_branch *branch, enum cause cause, const char *detail)
{
    struct dial *dial = branch->attempt->dial;

    dial_note_failure(dial, cause, WHO_CALLEE, detail);
    dial_branch_end(dial, branch->leg, cause, WHO_CALLEE, detail);
    dial_check_over(dial);
    dial_ringback(dial);
}

static void no_key_came(void *arg)
{
    refuse(arg, CAUSE_NO_ANSWER, "it was answered, but nobody pressed 1");
}

static void key_came(void *arg, struct leg *leg)
{
    struct dial_branch *branch = arg;
    char key;
    uint64_t ms;

    while (keys_take(&leg->typed, &key, &ms)) {
        if (key == KEY_YES) {
            struct dial *dial = branch->attempt->dial;

            dial_connect(dial, leg);
            dial_ringback(dial);
            return;
        }
        if (key == KEY_NO) {
            refuse(branch, CAUSE_REJECTED, "who answered pressed 2: no");
            return;
        }
    }
}

void dial_confirm(struct dial *dial, struct dial_branch *branch)
{
    static const struct play_item question[] = {{.what = PLAY_TONE, .tone = TONE_RECORD, .ms = BEEP_MS},
                                                {.what = PLAY_FILE, .name = "feature/accept-or-reject"},
                                                {.what = PLAY_SILENCE, .ms = PAUSE_MS}};
    const struct play_request request = {.items = question, .count = COUNT_OF(question)};
    struct loop *loop = dial->call->pbx->loop;

    if (branch->confirming)
        return;
    branch->confirming = true;
    loop_timer_start(loop, &branch->timer, PATIENCE_MS, no_key_came, branch);
    if (leg_play(branch->leg, &request, NULL, NULL, &branch->question) < 0)
        call_publish(dial->call, EVENT_SOUND_MISSING, "who answered cannot be asked whether he takes the call");
    leg_watch_keys(branch->leg, key_came, branch);
}
