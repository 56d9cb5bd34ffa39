/* Parking: the verb `park`, as somebody means it who is handed over to it, who dials it, or whom the dialplan parks;
 * the list of slots, and who may have which. Signalling thread. What becomes of who is in a slot is slot.c's. */
#include "park.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/obj.h"
#include "call/pickup.h"

/* --- slots -------------------------------------------------------------------------------------------------------- */

static const char *setting(const struct park *park, const char *key, const char *otherwise)
{
    return snapshot_setting(db_snapshot(park->pbx->db), key, otherwise);
}

static unsigned slots_of_lot(const struct park *park)
{
    unsigned count = pbx_seconds(park->pbx, "park_slots", 99);

    return count < 1 ? 1 : count > 999 ? 999 : count;
}

struct slot *park_find(const struct park *park, const char *lot, unsigned number)
{
    struct slot *slot;

    LIST_FOR_EACH(slot, &park->slots, node)
    {
        if (slot->number == number && strcmp(slot->lot, lot) == 0)
            return slot;
    }
    return NULL;
}

struct slot *park_promised(const struct park *park, const char *lot, const struct account *by)
{
    struct slot *slot;

    LIST_FOR_EACH(slot, &park->slots, node)
    {
        if (slot->state == SLOT_PROMISED && slot->by && by && strcmp(slot->by->name, by->name) == 0 &&
            strcmp(slot->lot, lot) == 0)
            return slot;
    }
    return NULL;
}

static bool before(const struct slot *x, const struct slot *y)
{
    int order = strcmp(x->lot, y->lot);

    return order < 0 || (order == 0 && x->number < y->number);
}

static void enlist(struct park *park, struct slot *slot)
{
    struct list *at = &park->slots;
    struct slot *other;

    LIST_FOR_EACH(other, &park->slots, node)
    {
        if (before(slot, other)) {
            at = &other->node;
            break;
        }
    }
    list_insert_before(at, &slot->node);
}

struct slot *park_take(struct park *park, const char *lot, unsigned number)
{
    unsigned last = slots_of_lot(park);
    struct slot *slot;

    for (unsigned i = 1; !number && i <= last; i++)
        if (!park_find(park, lot, i))
            number = i;
    if (!number || park_find(park, lot, number))
        return NULL;
    slot = mem_new(sizeof *slot);
    slot->park = park;
    slot->number = number;
    str_copy(slot->lot, sizeof slot->lot, lot);
    slot->state = SLOT_WAITS;
    enlist(park, slot);
    return slot;
}

static struct slot *slot_with(const struct park *park, const struct call *call)
{
    struct slot *slot;

    LIST_FOR_EACH(slot, &park->slots, node)
    {
        if (slot->state != SLOT_PROMISED && slot->leg->call == call)
            return slot;
    }
    return NULL;
}

/* --- the wish ----------------------------------------------------------------------------------------------------- */

struct wish {
    struct park *park;
    struct verb_run *run;
    struct call *call;
    unsigned number; /* 0: any */
    bool caller;     /* the caller himself is to be parked */
    struct account *by;
    char lot[64], context[64], back[64];
    unsigned timeout_s, ring_s;
};

static void called_off(void *arg)
{
}

/* For `tandem why`, since a prompt is all that the caller gets. */
static void say_why(const struct wish *wish, const char *word)
{
    const char *who = wish->call->caller->number;
    char words[200];
    const struct event event = {.kind = EVENT_SCRIPT, .call = wish->call, .who = WHO_MODULE, .detail = words};

    if (strcmp(word, "busy") == 0)
        snprintf(words, sizeof words, "parking: %.50s talks to somebody already", who);
    else if (strcmp(word, "full") == 0)
        snprintf(words, sizeof words, "parking: all slots are taken");
    else if (strcmp(word, "nobody-there") == 0 && !wish->number)
        snprintf(words, sizeof words, "parking: %.50s talks to nobody whom it could park", who);
    else
        snprintf(words, sizeof words, "parking: %s slot %u%s",
                 strcmp(word, "nobody-there") == 0   ? "nobody waits in"
                 : strcmp(word, "no-such-slot") == 0 ? "there is no"
                                                     : "somebody is in",
                 wish->number, strcmp(word, "taken") == 0 ? " already" : "");
    bus_publish(wish->call->pbx->bus, &event);
}

/* Whoever is handed over goes back to who did it, and that one is told. */
static void refuse(struct wish *wish, const char *word, const char *prompt)
{
    const char *const prompts[] = {prompt, NULL};

    say_why(wish, word);

    if (wish->call->transfer)
        verb_run_done(wish->run, json_string(word));
    else
        verb_run_say(wish->run, wish->call, prompts, json_string(word));
}

static bool read_number(const json_t *value, uint64_t most, unsigned *out)
{
    uint64_t number;

    if (json_is_integer(value) && json_integer_value(value) >= 0)
        number = (uint64_t)json_integer_value(value);
    else if (!json_is_string(value) || str_to_u64(json_string_value(value), most, &number) < 0)
        return false;
    *out = (unsigned)number;
    return number <= most;
}

/* NULL, or what is wrong. */
static const char *read_options(struct wish *wish, const json_t *options)
{
    const struct snapshot *snapshot = db_snapshot(wish->park->pbx->db);
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)options, key, value)
    {
        if (strcmp(key, "slot") == 0) {
            if (!read_number(value, 999, &wish->number))
                return "`slot` is a number from 1 to 999";
        } else if (strcmp(key, "caller") == 0) {
            wish->caller = json_is_true(value);
        } else if (strcmp(key, "timeout") == 0) {
            if (!read_number(value, 604800, &wish->timeout_s))
                return "`timeout` is a number of seconds, 0: never";
        } else if (strcmp(key, "ring") == 0) {
            if (!read_number(value, 600, &wish->ring_s) || !wish->ring_s)
                return "`ring` is a number of seconds";
        } else if (strcmp(key, "back") == 0) {
            if (!json_is_string(value) || str_copy(wish->back, sizeof wish->back, json_string_value(value)) < 0)
                return "`back` is a number to dial";
        } else if (strcmp(key, "context") == 0) {
            if (!json_is_string(value) || str_copy(wish->context, sizeof wish->context, json_string_value(value)) < 0)
                return "`context` is that of the accounts that may fetch him";
        } else if (strcmp(key, "recall") == 0) {
            wish->by = (struct account *)(uintptr_t)(json_is_string(value)
                                                         ? snapshot_account(snapshot, json_string_value(value))
                                                         : NULL);
            if (!wish->by)
                return "`recall` is the name of an account";
            str_copy(wish->lot, sizeof wish->lot, wish->by->context);
        } else {
            return "takes slot, caller, timeout, ring, back, recall and context";
        }
    }
    return NULL;
}

static const char *read_wish(struct wish *wish, const json_t *argument)
{
    struct call *call = wish->call;
    const struct account *account = call->caller->account;

    wish->timeout_s = pbx_seconds(wish->park->pbx, "park_timeout", 120);
    wish->ring_s = pbx_seconds(wish->park->pbx, "park_ring", 30);
    str_copy(wish->back, sizeof wish->back, setting(wish->park, "park_return", ""));
    wish->by = call->transfer ? call->behalf : (struct account *)(uintptr_t)account;
    str_copy(wish->lot, sizeof wish->lot, wish->by ? wish->by->context : call->context);
    if (json_is_object(argument)) {
        const char *wrong = read_options(wish, argument);

        if (wrong)
            return wrong;
        if (wish->caller && wish->by == account) /* nobody has parked him */
            wish->by = NULL;
        if (*wish->context)
            str_copy(wish->lot, sizeof wish->lot, wish->context);
        return NULL;
    }
    if (argument && !json_is_null(argument) && !read_number(argument, 999, &wish->number))
        return "takes a slot from 1 to 999, or nothing";
    return NULL;
}

/* --- what it means ------------------------------------------------------------------------------------------------ */

/* False: it has ended. */
static bool answer(struct call *call)
{
    struct leg *leg = call->caller;
    enum cause cause = call_answer(call);

    if (cause)
        leg_end(leg, cause, WHO_SWITCH, NULL);
    return leg_is_alive(leg);
}

static void own(struct slot *slot, const struct wish *wish)
{
    slot->by = wish->by ? obj_ref(wish->by, "park") : NULL;
    slot->timeout_s = wish->timeout_s;
    slot->ring_s = wish->ring_s;
    str_copy(slot->back, sizeof slot->back, wish->back);
}

/* The slot that he was told, if he was: what was a promise is over. */
static struct slot *take_slot(struct wish *wish, bool *told)
{
    struct slot *promised = park_promised(wish->park, wish->lot, wish->by);

    *told = promised && (!wish->number || promised->number == wish->number);
    if (*told) {
        wish->number = promised->number;
        if (promised->run)
            slot_release(promised, "");
        else
            slot_free(promised);
    }
    return park_take(wish->park, wish->lot, wish->number);
}

static void park_caller(struct wish *wish)
{
    struct leg *leg = wish->call->caller;
    bool told, chosen = wish->number != 0;
    struct slot *slot;

    if (wish->number > slots_of_lot(wish->park)) {
        refuse(wish, "no-such-slot", "park/failed");
        return;
    }
    verb_run_on_cancel(wish->run, called_off, NULL);
    if (!answer(wish->call))
        return;
    slot = take_slot(wish, &told);
    if (!slot) {
        refuse(wish, chosen ? "taken" : "full", "park/failed");
        return;
    }
    own(slot, wish);
    slot_put(slot, wish->run, leg, !told && !chosen);
}

/* Has the account of who dials a call elsewhere that it could park? */
static bool has_somebody(const struct wish *wish)
{
    struct call *call;
    struct leg *leg;

    if (wish->call->consult) /* who waits in this very call */
        return true;
    LIST_FOR_EACH(call, &wish->park->pbx->calls, in_pbx)
    LIST_FOR_EACH(leg, &call->legs, in_call)
    if (call != wish->call && leg->state == LEG_UP && bridge_peer(leg) && leg->account && wish->by &&
        strcmp(leg->account->name, wish->by->name) == 0)
        return true;
    return false;
}

static void promise(struct wish *wish)
{
    struct leg *leg = wish->call->caller;
    bool told, chosen = wish->number != 0;
    struct slot *slot;

    if (!has_somebody(wish) || wish->number > slots_of_lot(wish->park)) {
        refuse(wish, "nobody-there", chosen ? "park/nobody-there" : "park/failed");
        return;
    }
    verb_run_on_cancel(wish->run, called_off, NULL);
    if (!answer(wish->call))
        return;
    slot = take_slot(wish, &told);
    if (!slot) {
        refuse(wish, chosen ? "taken" : "full", "park/failed");
        return;
    }
    own(slot, wish);
    call_answered(wish->call);
    slot_promise(slot, wish->run, leg);
}

static struct leg *ringing_for(const struct leg *who)
{
    struct leg *leg;

    LIST_FOR_EACH(leg, &who->call->legs, in_call)
    {
        if (call_rings_at(leg))
            return leg;
    }
    return NULL;
}

/* The slot hears of it as everybody does, and may be gone when this has been tried. */
static void fetch(struct wish *wish, struct slot *slot)
{
    struct leg *by = wish->call->caller, *ringing = slot->state == SLOT_RECALLS ? ringing_for(slot->leg) : NULL;
    int result = -ENOENT;

    verb_run_on_cancel(wish->run, called_off, NULL);
    if (slot->state == SLOT_WAITS)
        result = call_fetch(by, slot->leg);
    else if (ringing)
        result = call_pickup(by, ringing);
    if (result == 0)
        return;
    if (result == -ENOENT)
        refuse(wish, "nobody-there", "park/nobody-there");
    else if (result == -EBUSY) /* he is with somebody, who waits */
        refuse(wish, "busy", "call/not-allowed");
    else
        leg_end(by, pickup_refusal(result), WHO_SWITCH, "who is parked could not be fetched");
}

/* The argument: a slot, or nothing, or a table of options. */
static void park(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    struct wish wish = {.park = arg, .run = run, .call = call};
    const char *wrong = read_wish(&wish, argument);
    struct slot *slot;

    if (wrong) {
        verb_run_fail(run, "%s", wrong);
        return;
    }
    slot = wish.number ? park_find(wish.park, wish.lot, wish.number) : NULL;
    if (call->transfer || wish.caller)
        park_caller(&wish);
    else if (slot && slot->state != SLOT_PROMISED)
        fetch(&wish, slot);
    else
        promise(&wish);
}

/* --- what happens to who is in a slot ----------------------------------------------------------------------------- */

static void happened(void *arg, const struct event *event)
{
    struct park *p = arg;
    struct slot *slot = event->call ? slot_with(p, event->call) : NULL;

    if (!slot)
        return;
    if (event->kind == EVENT_PICKUP)
        snprintf(slot->taker, sizeof slot->taker, "%.60s fetches him", event->leg->number);
    else if (event->kind == EVENT_BRIDGE_JOINED && event->leg == slot->leg)
        slot_left(slot);
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static json_t *slot_json(const struct slot *slot)
{
    char id[UUID_TEXT];
    uint64_t waits_us = loop_wall_us(slot->park->pbx->loop) - slot->since_us;

    return json_pack("{s:I,s:s,s:s,s:s,s:s,s:I,s:b,s:s}", "slot", (json_int_t)slot->number, "context", slot->lot,
                     "number", slot->leg->number, "name", slot->leg->name, "parked_by", slot->by ? slot->by->name : "",
                     "seconds", (json_int_t)(waits_us / 1000000), "recalling", slot->state == SLOT_RECALLS, "call",
                     call_id_text(slot->leg->call, id));
}

static void parked(void *arg, struct console_request *request, json_t *params)
{
    const struct park *p = arg;
    json_t *list = json_array();
    const struct slot *slot;

    LIST_FOR_EACH(slot, &p->slots, node)
    {
        if (slot->state != SLOT_PROMISED)
            json_array_append_new(list, slot_json(slot));
    }
    module_reply(request, json_pack("{s:o}", "parked", list));
}

/* --- the module --------------------------------------------------------------------------------------------------- */

static struct slot *slot_of_row(const struct park *p, const char *account, const char *key)
{
    struct slot *slot;
    char its[80];

    LIST_FOR_EACH(slot, &p->slots, node)
    {
        snprintf(its, sizeof its, "%s/%u", slot->lot, slot->number);
        if (slot->state != SLOT_PROMISED && strcmp(its, key) == 0 &&
            strcmp(slot->by ? slot->by->name : "", account) == 0)
            return slot;
    }
    return NULL;
}

/* Rows are there to be read: the switch knows who waits where, and says so again. */
static void changed(void *arg, const char *account, const char *key, const char *value)
{
    struct park *p = arg;
    struct slot *slot = slot_of_row(p, account, key);

    if (slot)
        slot_show(slot);
    else if (value)
        module_live_set(p->live, account, key, NULL);
}

/* Of calls that an earlier run of the switch has lost. */
static void forget(void *arg, const char *account, const char *key, const char *value)
{
    struct park *p = arg;

    module_live_set(p->live, account, key, NULL);
}

static int start(struct module_ctx *ctx, void **state)
{
    struct park *p = mem_new(sizeof *p);
    int result = -EEXIST;

    p->pbx = module_pbx(ctx);
    list_init(&p->slots);
    *state = p;
    p->live = module_live(ctx, "parked", changed, p);
    if (p->live) {
        module_live_each(p->live, NULL, forget, p);
        result = module_on_event(ctx, EVENT_BIT(EVENT_PICKUP) | EVENT_BIT(EVENT_BRIDGE_JOINED), happened, p);
    }
    if (result == 0)
        result = module_add_command(ctx, "parked", "who is parked, in which slot", parked, p);
    if (result == 0)
        result = module_add_verb(ctx, "park", "parks a call in a slot, or fetches who is in one", park, p);
    if (result < 0)
        free(p);
    return result;
}

/* Verbs were called off: nobody is in a slot any more. Promises may be left. */
static void stop(void *state)
{
    struct park *p = state;

    while (!list_empty(&p->slots))
        slot_free(LIST_ENTRY(p->slots.next, struct slot, node));
    free(p);
}

const struct module tandem_module = {
    .abi = TANDEM_MODULE_ABI,
    .size = sizeof(struct module),
    .name = "park",
    .version = "1.0",
    .summary = "parks calls in slots",
    .start = start,
    .stop = stop,
};
