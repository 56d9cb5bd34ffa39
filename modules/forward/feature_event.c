/* The event package as-feature-event: a phone with keys for forwards and do not disturb subscribes to its own account,
 * sets them in the body of a SUBSCRIBE, and hears by NOTIFY how they are, whoever has changed them. Signalling thread.
 */
#include "forward.h"

#include <stdlib.h>
#include <strings.h>

#include "feature_xml.h"

#define BODY_MAX 4000

static const char type[] = "application/x-as-feature-event+xml";

static const enum forward_when when_of[FEATURE_COUNT] = {
    [FEATURE_DND] = WHEN_COUNT,
    [FEATURE_ALWAYS] = WHEN_ALWAYS,
    [FEATURE_BUSY] = WHEN_BUSY,
    [FEATURE_NO_ANSWER] = WHEN_NO_ANSWER,
};

static enum event_verdict authorize(void *arg, const struct subscription *s)
{
    return strcmp(s->account, s->resource) == 0 ? EVENT_ALLOWED : EVENT_FORBIDDEN;
}

static void look(const struct forward *f, const char *account, enum feature_kind feature, struct feature_state *out)
{
    struct forward_to to;

    memset(out, 0, sizeof *out);
    if (feature == FEATURE_DND) {
        out->on = dnd_is_on(f, account);
        return;
    }
    out->on = forward_get(f, account, when_of[feature], &to);
    if (!out->on)
        return;
    str_copy(out->number, sizeof out->number, to.number);
    out->rings = (to.seconds + FEATURE_RING_S / 2) / FEATURE_RING_S;
    if (!out->rings)
        out->rings = 1;
}

static char *body(void *arg, const struct subscription *s)
{
    char text[BODY_MAX];
    struct feature_state state;
    size_t used = 0;
    int err = 0;

    for (int feature = 0; feature < FEATURE_COUNT && !err; feature++) {
        look(arg, s->resource, (enum feature_kind)feature, &state);
        err = feature_write(text, sizeof text, &used, s->resource, (enum feature_kind)feature, &state);
    }
    if (!err)
        err = feature_close(text, sizeof text, &used);
    return err ? NULL : str_dup(text);
}

/* A phone may switch a forward on again and leave the number to us. */
static void set(struct forward *f, const char *account, enum feature_kind feature, struct feature_state *wish)
{
    struct forward_to to;
    char why[200];

    if (wish->on && !*wish->number && forward_get(f, account, when_of[feature], &to))
        str_copy(wish->number, sizeof wish->number, to.number);
    if (wish->on && !*wish->number) {
        log_info("forward: the phone of %s wants to forward, but says to no number", account);
        return;
    }
    if (forward_set(f, account, when_of[feature], wish->on ? wish->number : "", wish->rings * FEATURE_RING_S, why,
                    sizeof why) < 0)
        log_info("forward: the phone of %s wants what cannot be: %s", account, why);
}

/* Whatever comes of it, the NOTIFY tells the phone how it is. */
static void told(void *arg, const struct subscription *s, const char *its_type, const char *text, size_t len)
{
    struct forward *f = arg;
    enum feature_kind feature;
    struct feature_state wish;

    if (strncasecmp(its_type, type, sizeof type - 1) != 0)
        return;
    if (feature_read(text, len, &feature, &wish) < 0)
        log_info("forward: the phone of %s sets something that there is not here", s->account);
    else if (feature == FEATURE_DND)
        dnd_set(f, s->account, wish.on);
    else
        set(f, s->account, feature, &wish);
}

int feature_event_open(struct forward *f)
{
    static const char *const types[] = {type, NULL};
    const struct event_package package = {.name = "as-feature-event",
                                          .types = types,
                                          .expires_default = 3600,
                                          .expires_min = 60,
                                          .expires_max = 86400,
                                          .interval_ms = 0,
                                          .authorize = authorize,
                                          .state = body,
                                          .told = told,
                                          .content_type = feature_content_type,
                                          .arg = f};

    return module_add_events(f->ctx, &package, &f->features);
}
