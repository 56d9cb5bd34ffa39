/* The list of those who sent a call on, and what ends it. Signalling thread. Knows no module and no SIP: who forwards
 * when is for hooks, what phones are told of it for the SIP room. */
#include "call/forward.h"

#include <stdio.h>

#include "base/obj.h"
#include "call/call-priv.h"
#include "call/talk.h"

const char *forward_why_name(enum forward_why why)
{
    static const char *const names[] = {
        [FORWARD_BY_PHONE] = "phone",      [FORWARD_ALWAYS] = "always",           [FORWARD_BUSY] = "busy",
        [FORWARD_NO_ANSWER] = "no-answer", [FORWARD_UNREACHABLE] = "unreachable", [FORWARD_SCREENED] = "screened",
    };

    return why >= 0 && why < (int)COUNT_OF(names) ? names[why] : "phone";
}

bool forward_why_of(enum cause cause, enum forward_why *out)
{
    switch (cause) {
    case CAUSE_NONE:
        *out = FORWARD_ALWAYS;
        return true;
    case CAUSE_BUSY:
    case CAUSE_DO_NOT_DISTURB:
    case CAUSE_TOO_MANY_CALLS:
    case CAUSE_REJECTED: /* the key of a phone that rings */
        *out = FORWARD_BUSY;
        return true;
    case CAUSE_NO_ANSWER:
        *out = FORWARD_NO_ANSWER;
        return true;
    case CAUSE_UNREACHABLE:
    case CAUSE_CONTACT_LOST:
    case CAUSE_PHONE_SILENT:
    case CAUSE_UNAVAILABLE:
        *out = FORWARD_UNREACHABLE;
        return true;
    default:
        return false;
    }
}

static void tell(struct call *call, const struct call_forward *forward)
{
    static const char *const words[] = {
        [FORWARD_BY_PHONE] = "the phone of %s sends the call on to %s",
        [FORWARD_ALWAYS] = "%s forwards all calls to %s",
        [FORWARD_BUSY] = "%s forwards to %s when busy",
        [FORWARD_NO_ANSWER] = "%s forwards to %s when nobody answers",
        [FORWARD_UNREACHABLE] = "%s forwards to %s when unreachable",
        [FORWARD_SCREENED] = "%s sends calls of this caller to %s",
    };
    char text[200];

    snprintf(text, sizeof text, words[forward->why], forward->by, forward->to);
    call_publish(call, EVENT_FORWARDED, text);
}

bool call_sent_on(struct call *call, struct account *by, const char *to, enum forward_why why, char *words,
                  size_t words_size)
{
    struct call_forward *forward = &call->forwards[call->redirect_count];

    for (unsigned i = 0; i < call->redirect_count; i++) {
        if (strcmp(call->forwards[i].by, by->name) == 0) {
            snprintf(words, words_size, "%s was asked twice: accounts forward to each other in a circle", by->name);
            return false;
        }
    }
    if (call->redirect_count == COUNT_OF(call->forwards)) {
        snprintf(words, words_size, "the call was sent on %u times, and %s would send it on again",
                 call->redirect_count, by->name);
        return false;
    }
    call->redirect_count++;
    str_copy(forward->by, sizeof forward->by, by->name);
    str_copy(forward->to, sizeof forward->to, to);
    forward->why = why;
    obj_unref(call->behalf, "call");
    call->behalf = obj_ref(by, "call");
    call_talks_forwarded(call, by->name);
    tell(call, forward);
    return true;
}
