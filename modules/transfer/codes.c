/* Transfer by keys, for phones without a key for it: which codes there are, the dial tone and the number behind them,
 * and what who transfers hears till he is rid of the call or has it back. Signalling thread. Who waits and who is
 * connected is the core's (call/consult.h). */
#include <stdlib.h>

#include "base/key.h"
#include "call/bridge.h"
#include "call/play.h"
#include "transfer.h"

#define BLIND "*1"
#define ATTENDED "*2"
#define BACK "*0"
#define DIAL_TONE_MS 10000 /* of thinking */
#define NUMBER_MAX 32

/* What a phone is at; private data of its leg. */
struct asking {
    struct leg *by;
    bool attended;
    struct gather gather;
    struct leg_play *play;
    struct loop_timer timer;
    char last; /* key, while somebody rings */
};

/* What an account may type; "": there is no such code. */
struct codes {
    char blind[8], attended[8];
};

static void code_of(char out[8], const char *text, size_t len)
{
    if ((len == 4 && strncmp(text, "none", 4) == 0) || str_copy_n(out, 8, text, len) < 0)
        out[0] = '\0';
}

static void setting(char out[8], const struct pbx *pbx, const char *key, const char *otherwise)
{
    const char *code = pbx->db ? snapshot_setting(db_snapshot(pbx->db), key, otherwise) : otherwise;

    code_of(out, code, strlen(code));
}

/* Its own, "BLIND,ATTENDED" or "none"; else those of the switch. */
static void codes_of(const struct leg *leg, struct codes *out)
{
    const struct account *account =
        leg->pbx->db ? snapshot_account(db_snapshot(leg->pbx->db), leg->account->name) : NULL;
    const char *own = account ? account->transfer_codes : "", *comma = strchr(own, ',');

    if (*own) {
        code_of(out->blind, own, strcspn(own, ","));
        code_of(out->attended, comma ? comma + 1 : "", comma ? strlen(comma + 1) : 0);
    } else {
        setting(out->blind, leg->pbx, "transfer_code_blind", BLIND);
        setting(out->attended, leg->pbx, "transfer_code_attended", ATTENDED);
    }
}

/* --- what is heard ------------------------------------------------------------------------------------------------ */

static void hush(struct asking *a)
{
    if (a->play)
        leg_play_stop(a->play);
}

static void play_tone(struct asking *a, enum tone_kind tone, unsigned ms, leg_played_fn done)
{
    struct play_item item = {.what = PLAY_TONE, .tone = tone, .ms = ms};
    struct play_request request = {.items = &item, .count = 1, .loops = ms ? 1 : 0};

    hush(a);
    leg_play(a->by, &request, done, a, &a->play);
}

/* Beside the party that is back. */
static void say(struct leg *by, const char *prompt)
{
    struct play_item item = {.what = PLAY_FILE, .name = prompt};
    struct play_request request = {.items = &item, .count = 1, .loops = 1};

    leg_play(by, &request, NULL, NULL, NULL);
}

static void say_why(struct leg *by, enum cause cause)
{
    switch (cause) {
    case CAUSE_NONE:
    case CAUSE_NORMAL: /* he wanted it, or the target has hung up */
        break;
    case CAUSE_UNKNOWN_NUMBER:
    case CAUSE_FORBIDDEN:
        say(by, "ivr/invalid-extension");
        break;
    case CAUSE_BUSY:
        say(by, "call/all-busy");
        break;
    case CAUSE_NO_ANSWER:
        say(by, "call/no-answer");
        break;
    default:
        say(by, "signal/error");
        break;
    }
}

/* --- its life ----------------------------------------------------------------------------------------------------- */

static void key_while_it_rings(void *arg, struct leg *leg);

static void asking_free(void *value)
{
    struct asking *a = value;

    if (consult_other(a->by)) /* the module stops; by now somebody else of the call may have who waits for him */
        consult_end(a->by->call);
    consult_forget(a->by);
    loop_timer_stop(a->by->pbx->loop, &a->timer);
    hush(a);
    free(a);
}

static void go_on(void *arg);

static void key_typed(void *arg, struct leg *leg)
{
    go_on(arg);
}

static void stop_listening(struct asking *a)
{
    loop_timer_stop(a->by->pbx->loop, &a->timer);
    if (a->by->key_fn == key_typed || a->by->key_fn == key_while_it_rings)
        leg_watch_keys(a->by, NULL, NULL);
}

static void forget(struct asking *a)
{
    stop_listening(a);
    hush(a);
}

static void news(void *arg, struct leg *by, enum consult_news what, enum cause cause)
{
    struct asking *a = arg;

    if (what == CONSULT_RINGS) {
        play_tone(a, TONE_RINGBACK, 0, NULL);
        return;
    }
    forget(a);
    if (what == CONSULT_BACK)
        say_why(by, cause);
}

/* --- the number --------------------------------------------------------------------------------------------------- */

static void tone_over(void *arg, const struct play_result *result)
{
    struct asking *a = arg;

    gather_played(&a->gather, leg_keys_now(a->by));
    go_on(a);
}

/* Only `*0`, which takes the other party back. */
static void key_while_it_rings(void *arg, struct leg *leg)
{
    struct asking *a = arg;
    char key;
    uint64_t ms;

    while (keys_take(&leg->typed, &key, &ms)) {
        if (a->last == BACK[0] && key == BACK[1]) {
            consult_end(leg->call);
            return;
        }
        a->last = key;
    }
}

static void decide(struct asking *a)
{
    struct leg *by = a->by, *who = consult_other(by);
    struct call *call = by->call;
    const char *number = a->gather.digits;
    char why[TRANSFER_WORDS];

    stop_listening(a);
    hush(a);
    if (!who || a->gather.result != GATHER_COMPLETE || strcmp(number, BACK) == 0) {
        consult_end(call);
    } else if (*transfer_forbidden(by, who, by->account->context, number, why)) {
        transfer_note(by, why);
        consult_end(call);
        say_why(by, CAUSE_FORBIDDEN);
    } else if (a->attended) {
        a->last = '\0';
        leg_watch_keys(by, key_while_it_rings, a);
        consult_call(call, by->account->context, number, by->account);
    } else {
        consult_hand_over(call, by->account->context, number, by->account);
    }
}

static void go_on(void *arg)
{
    struct asking *a = arg;
    uint64_t now, deadline;

    for (;;) {
        now = leg_keys_now(a->by);
        switch (gather_next(&a->gather, now)) {
        case GATHER_PLAY:
            play_tone(a, TONE_DIAL, DIAL_TONE_MS, tone_over);
            if (!a->play)
                gather_played(&a->gather, now);
            break;
        case GATHER_STOP:
            hush(a);
            break;
        case GATHER_WAIT:
            deadline = gather_deadline(&a->gather);
            loop_timer_stop(a->by->pbx->loop, &a->timer);
            if (deadline != UINT64_MAX)
                loop_timer_start(a->by->pbx->loop, &a->timer, deadline > now ? deadline - now : 0, go_on, a);
            return;
        case GATHER_DONE:
            decide(a);
            return;
        }
    }
}

static struct asking *asking_of(struct module_ctx *ctx, struct leg *by)
{
    struct asking *a = module_leg_data(ctx, by);

    if (a)
        return a;
    a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->by = by;
    module_set_leg_data(ctx, by, a, asking_free);
    return a;
}

static bool ask(struct module_ctx *ctx, struct leg *by, bool attended)
{
    struct asking *a = asking_of(ctx, by);
    struct gather_rules rules = {.min = 1, .max = NUMBER_MAX, .terminators = "#", .timeout_ms = 1};

    rules.interdigit_ms = (uint64_t)pbx_seconds(by->pbx, "transfer_pause", 3) * 1000;
    if (!a || by->key_fn || consult_begin(by, news, a) < 0)
        return false;
    a->attended = attended;
    keys_clear(&by->typed);
    if (gather_start(&a->gather, &rules, &by->typed, leg_keys_now(by)) < 0) {
        consult_end(by->call);
        return true;
    }
    leg_watch_keys(by, key_typed, a);
    go_on(a);
    return true;
}

/* --- codes -------------------------------------------------------------------------------------------------------- */

static void begins_with(struct typed_code *code, const char *text)
{
    size_t len = strlen(code->begins);

    if (*text && !strchr(code->begins, *text) && len + 1 < sizeof code->begins)
        code->begins[len] = *text;
}

/* True: this is it. */
static bool is_code(struct typed_code *code, const char *text)
{
    size_t len = strlen(code->keys);

    if (!*text)
        return false;
    if (!len)
        begins_with(code, text);
    else if (strncmp(code->keys, text, len) == 0 && text[len])
        code->more = true;
    return len && strcmp(code->keys, text) == 0;
}

static enum verdict typed(void *arg, struct hook_walk *walk, void *subject)
{
    struct module_ctx *ctx = arg;
    struct typed_code *code = subject;
    struct leg *leg = code->leg;
    struct codes codes;

    codes_of(leg, &codes);
    if (consult_calls(leg)) { /* he talks to the target */
        bool back = is_code(code, BACK) | is_code(code, codes.attended);

        if (back)
            consult_end(leg->call);
        return back ? VERDICT_HANDLED : VERDICT_PASS;
    }
    if (leg->call->consult || leg->call->transfer)
        return VERDICT_PASS;
    if (is_code(code, codes.blind))
        return ask(ctx, leg, false) ? VERDICT_HANDLED : VERDICT_PASS;
    if (is_code(code, codes.attended))
        return ask(ctx, leg, true) ? VERDICT_HANDLED : VERDICT_PASS;
    return VERDICT_PASS;
}

int codes_start(struct module_ctx *ctx)
{
    return module_option_number(ctx, "codes") ? module_on_hook(ctx, HOOK_KEYS, 100, typed, ctx) : 0;
}
