/* What accounts have set, as live rows: "forward" (a table of its own: live.forward), "dnd" and "call_waiting".
 * Signalling thread. Knows neither calls nor who asks. */
#include "forward.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const when_names[WHEN_COUNT] = {"always", "busy", "no-answer", "unreachable"};

enum forward_when forward_when_parse(const char *text)
{
    int when = 0;

    while (when < WHEN_COUNT && strcmp(when_names[when], text) != 0)
        when++;
    return (enum forward_when)when;
}

const struct account *account_of_target(const struct pbx *pbx, const char *target)
{
    static const char kind[] = "account:";

    if (strncmp(target, kind, sizeof kind - 1) == 0)
        target += sizeof kind - 1;
    return pbx->db && !strchr(target, ':') ? snapshot_account(db_snapshot(pbx->db), target) : NULL;
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

/* People changed a row in the database. */
static void changed(void *arg, const char *account, const char *key, const char *value)
{
    note_change(arg, account);
}

bool forward_get(const struct forward *f, const char *account, enum forward_when when, struct forward_to *out)
{
    const char *row = module_live_get(f->forwards, account, when_names[when]), *number;
    json_t *json = row ? json_loads(row, 0, NULL) : NULL;
    json_int_t seconds;

    if (!json)
        return false;
    number = json_string_value(json_object_get(json, "number"));
    seconds = json_integer_value(json_object_get(json, "seconds"));
    out->seconds = seconds > 0 && seconds <= 3600 ? (unsigned)seconds : FORWARD_RING_S;
    str_copy(out->number, sizeof out->number, number ? number : "");
    json_decref(json);
    return *out->number;
}

/* What a dialplan may look up. */
static bool is_number(const char *number)
{
    if (!*number || strlen(number) >= sizeof(struct forward_to){.seconds = 0}.number)
        return false;
    for (const char *p = number; *p; p++)
        if ((unsigned char)*p <= 0x20 || *p == 0x7F)
            return false;
    return true;
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
    if (!is_number(number)) {
        snprintf(why, why_size, "\"%.70s\" is no number that can be dialled", number);
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

    return value && strcmp(value, "off") != 0;
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
    f->forwards = module_live(f->ctx, "forward", changed, f);
    f->dnd = module_live(f->ctx, "dnd", changed, f);
    f->waiting = module_live(f->ctx, "call_waiting", changed, f);
    return f->forwards && f->dnd && f->waiting ? 0 : -EIO;
}
