/* Speed dials: the numbers 0 to 99 of an account, and those of the whole switch for whoever has none of his own there.
 * Live rows; the account "" is the switch. Signalling thread. */
#include <stdio.h>
#include <stdlib.h>

#include "dialing.h"

#define SLOT_MAX 99

struct speed {
    struct module_live *live; /* key: the slot, without leading zeros; value: the number */
};

static const char *find(const struct speed *speed, const char *account, const char *slot)
{
    const char *own = module_live_get(speed->live, account, slot);

    return own && number_is_dialable(own) ? own : module_live_get(speed->live, "", slot);
}

/* A number or digits, also "07". */
static bool slot_of(const json_t *value, char out[4])
{
    uint64_t slot = json_is_integer(value) ? (uint64_t)json_integer_value(value) : SLOT_MAX + 1;

    if (json_is_string(value) && str_to_u64(json_string_value(value), SLOT_MAX, &slot) < 0)
        return false;
    if (slot > SLOT_MAX)
        return false;
    snprintf(out, 4, "%u", (unsigned)slot);
    return true;
}

/* speed_dial{ slot = 5 } dials; with a number it sets the caller's own; with "" for one it removes it. */
static void speed_dial(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    struct dialing *d = arg;
    const json_t *number = json_object_get(argument, "number");
    const struct account *account = dialing_account(run, call);
    const char *known;
    char slot[4];

    if (!account)
        return;
    if (!slot_of(json_object_get(argument, "slot"), slot)) {
        dialing_word(run, "invalid");
    } else if (number) {
        const char *text = json_string_value(number);

        if (text && (!*text || number_is_dialable(text)))
            module_live_set(d->speed->live, account->name, slot, *text ? text : NULL);
        dialing_word(run, !text || (*text && !number_is_dialable(text)) ? "invalid" : *text ? "set" : "removed");
    } else {
        known = find(d->speed, account->name, slot);
        if (known && number_is_dialable(known))
            dialing_go(d, run, call, known);
        else
            dialing_word(run, "empty");
    }
}

/* --- the command ------------------------------------------------------------------------------------------------- */

static void add_row(void *arg, const char *account, const char *key, const char *value)
{
    uint64_t slot;

    if (str_to_u64(key, SLOT_MAX, &slot) == 0 && number_is_dialable(value))
        json_array_append_new(
            arg, json_pack("{s:s,s:I,s:s}", "account", account, "slot", (json_int_t)slot, "number", value));
}

static int by_account_and_slot(const void *x, const void *y)
{
    const json_t *a = *(json_t *const *)x, *b = *(json_t *const *)y;
    int order =
        strcmp(json_string_value(json_object_get(a, "account")), json_string_value(json_object_get(b, "account")));

    return order
               ? order
               : (int)(json_integer_value(json_object_get(a, "slot")) - json_integer_value(json_object_get(b, "slot")));
}

static json_t *sorted(json_t *list)
{
    size_t count = json_array_size(list);
    json_t **rows = mem_new((count + 1) * sizeof(json_t *)), *out = json_array();

    for (size_t i = 0; i < count; i++)
        rows[i] = json_array_get(list, i);
    qsort(rows, count, sizeof(json_t *), by_account_and_slot);
    for (size_t i = 0; i < count; i++)
        json_array_append(out, rows[i]);
    free(rows);
    json_decref(list);
    return out;
}

/* {account ("": the switch; missing: all), slot, number (null: removes it)} */
static void command(void *arg, struct console_request *request, json_t *params)
{
    struct dialing *d = arg;
    const char *account = json_string_value(json_object_get(params, "account"));
    const json_t *wanted = json_object_get(params, "slot"), *given = json_object_get(params, "number");
    const char *number = json_string_value(given);
    char slot[4];
    json_t *list;

    if (account && *account && !dialing_named(d, request, params))
        return;
    if (wanted && (!account || !given || !slot_of(wanted, slot))) {
        module_fail(request, "bad-request",
                    "a speed dial has an account or is the switch's, a number from 0 to %d, and what it dials",
                    SLOT_MAX);
        return;
    }
    if (wanted && !json_is_null(given) && (!number || !number_is_dialable(number))) {
        module_fail(request, "bad-request", "\"%.60s\" cannot be dialled: 1 to %d characters without blanks",
                    number ? number : "", NUMBER_LONGEST);
        return;
    }
    if (wanted) {
        module_live_set(d->speed->live, account, slot, number);
        module_reply(request, json_pack("{s:s,s:s,s:s?}", "account", account, "slot", slot, "number", number));
        return;
    }
    list = json_array();
    module_live_each(d->speed->live, account, add_row, list);
    module_reply(request, json_pack("{s:o}", "speed_dials", sorted(list)));
}

/* People may write anything into a row: what cannot be dialled is not there. */
static void check(void *arg, const char *account, const char *key, const char *value)
{
    uint64_t slot;

    if (value && (str_to_u64(key, SLOT_MAX, &slot) < 0 || !number_is_dialable(value)))
        log_warn("speed dial %s of %s is \"%s\", which cannot be dialled, and ignored", key,
                 *account ? account : "the switch", value);
}

int speed_open(struct dialing *d)
{
    int err;

    d->speed = mem_new(sizeof *d->speed);
    d->speed->live = module_live(d->ctx, "speed_dial", check, NULL);
    if (!d->speed->live)
        return -EEXIST;
    module_live_each(d->speed->live, NULL, check, NULL);
    err = module_add_verb(d->ctx, "speed_dial", "dials or sets a speed dial of the caller", speed_dial, d);
    if (!err)
        err = module_add_command(d->ctx, "speeddial", "speed dials of accounts and of the switch", command, d);
    return err;
}

void speed_close(struct dialing *d)
{
    free(d->speed);
}
