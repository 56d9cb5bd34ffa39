/* What accounts have set, as live rows: "forward" (a table of its own: live.forward), "dnd" and "call_waiting".
 * Signalling thread. Knows neither calls nor who asks. */
#include "forward.h"

#include <stdio.h>
#include <stdlib.h>

#include "call/number.h"

static const char *const when_names[WHEN_COUNT] = {"always", "busy", "no-answer", "unreachable"};

enum forward_when forward_when_parse(const char *text)
{
    int when = 0;

    while (when < WHEN_COUNT && strcmp(when_names[when], text) != 0)
        when++;
    return (enum forward_when)when;
}

struct changed_account {
    struct list node;
    char name[64];
};

static void tell_phones(void *arg)
{
    struct forward *f = arg;

    while (!list_empty(&f->changed)) {
        struct changed_account *account = LIST_ENTRY(f->changed.next, struct changed_account, node);

        list_unlink(&account->node);
        event_changed(f->features, account->name);
        free(account);
    }
}

/* Not at once: the change may come from a SUBSCRIBE that has not been answered yet. */
static void note_change(struct forward *f, const char *name)
{
    struct changed_account *account = mem_new(sizeof *account);

    str_copy(account->name, sizeof account->name, name);
    list_append(&f->changed, &account->node);
    module_timer_start(f->tell, 0);
}

void state_close(struct forward *f)
{
    while (!list_empty(&f->changed)) {
        struct changed_account *account = LIST_ENTRY(f->changed.next, struct changed_account, node);

        list_unlink(&account->node);
        free(account);
    }
}

/* --- rows: people may have written anything into them; what makes no sense is not there ------------------------- */

static bool read_forward(const char *row, struct forward_to *out)
{
    json_t *json = json_loads(row, 0, NULL);
    const char *number = json_string_value(json_object_get(json, "number"));
    json_int_t seconds = json_integer_value(json_object_get(json, "seconds"));
    bool ok = number && number_is_dialable(number);

    out->seconds = seconds > 0 && seconds <= 3600 ? (unsigned)seconds : FORWARD_RING_S;
    str_copy(out->number, sizeof out->number, ok ? number : "");
    json_decref(json);
    return ok;
}

static void check_forward(void *arg, const char *account, const char *key, const char *value)
{
    struct forward_to to;

    if (value && (forward_when_parse(key) == WHEN_COUNT || !read_forward(value, &to)))
        log_warn("forward: what the database says of %s when \"%s\" is no forward, and ignored: %s", account, key,
                 value);
}

static void check_switch(const char *what, const char *account, const char *key, const char *value)
{
    if (value && (*key || (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)))
        log_warn("forward: %s of %s is \"%s\", which is neither on nor off, and ignored", what, account, value);
}

static void check_dnd(void *arg, const char *account, const char *key, const char *value)
{
    check_switch("do not disturb", account, key, value);
}

static void check_waiting(void *arg, const char *account, const char *key, const char *value)
{
    check_switch("call waiting", account, key, value);
}

/* People changed a row in the database. */
static void forward_changed(void *arg, const char *account, const char *key, const char *value)
{
    check_forward(NULL, account, key, value);
    note_change(arg, account);
}

static void dnd_changed(void *arg, const char *account, const char *key, const char *value)
{
    check_dnd(NULL, account, key, value);
    note_change(arg, account);
}

/* --- what is set -------------------------------------------------------------------------------------------------- */

bool forward_get(const struct forward *f, const char *account, enum forward_when when, struct forward_to *out)
{
    const char *row = module_live_get(f->forwards, account, when_names[when]);

    return row && read_forward(row, out);
}

int forward_set(struct forward *f, const char *account, enum forward_when when, const char *number, unsigned seconds,
                char *why, size_t why_size)
{
    json_t *json;
    char *text;

    if (!*number) {
        module_live_set(f->forwards, account, when_names[when], NULL);
        note_change(f, account);
        return 0;
    }
    if (!number_is_dialable(number)) {
        snprintf(why, why_size, "\"%.70s\" is no number that can be dialled: 1 to %d characters without blanks", number,
                 NUMBER_LONGEST);
        return -EINVAL;
    }
    if (strcmp(number, account) == 0) {
        snprintf(why, why_size, "%s cannot forward to itself", account);
        return -EINVAL;
    }
    if (seconds > 3600) {
        snprintf(why, why_size, "it can ring for 3600 seconds at most");
        return -EINVAL;
    }
    json = json_pack("{s:s}", "number", number);
    if (!json) {
        snprintf(why, why_size, "the number is no valid text");
        return -EINVAL;
    }
    if (when == WHEN_NO_ANSWER)
        json_object_set_new(json, "seconds", json_integer(seconds ? seconds : FORWARD_RING_S));
    text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    module_live_set(f->forwards, account, when_names[when], text);
    free(text);
    note_change(f, account);
    return 0;
}

bool dnd_is_on(const struct forward *f, const char *account)
{
    const char *value = module_live_get(f->dnd, account, "");

    return value && strcmp(value, "on") == 0;
}

void dnd_set(struct forward *f, const char *account, bool on)
{
    module_live_set(f->dnd, account, "", on ? "on" : NULL);
    note_change(f, account);
}

bool waiting_is_on(const struct forward *f, const char *account)
{
    const char *value = module_live_get(f->waiting, account, "");

    return !value || strcmp(value, "off") != 0;
}

void waiting_set(struct forward *f, const char *account, bool on)
{
    module_live_set(f->waiting, account, "", on ? NULL : "off");
}

int state_open(struct forward *f)
{
    list_init(&f->changed);
    f->tell = module_timer_new(f->ctx, tell_phones, f);
    f->forwards = module_live(f->ctx, "forward", forward_changed, f);
    f->dnd = module_live(f->ctx, "dnd", dnd_changed, f);
    f->waiting = module_live(f->ctx, "call_waiting", check_waiting, f);
    if (!f->forwards || !f->dnd || !f->waiting)
        return -EIO;
    module_live_each(f->forwards, NULL, check_forward, NULL);
    module_live_each(f->dnd, NULL, check_dnd, NULL);
    module_live_each(f->waiting, NULL, check_waiting, NULL);
    return 0;
}
