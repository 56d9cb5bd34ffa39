/* What the automatic phone does by itself: ringing and answering by its policy, the steps of its plan in a call, and
 * giving up when it is left alone. Test code on the loop's thread. */
#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "race_phone.h"

#define WATCH_MS 100
#define APART_MS 6000 /* RFC 3261 §14.1: up to 4 s until an offer is tried again after glare */
#define ALONE_MS 800  /* in a call without anything left to do but refreshes, one a second: somebody has to hang up */

/* --- session descriptions ---------------------------------------------------------------------------------------- */

static bool listed(const char *formats, const char *format)
{
    size_t len = strcspn(format, " ");

    for (const char *p = formats; *p; p += strcspn(p, " "), p += *p == ' ')
        if (strcspn(p, " \r") == len && strncmp(p, format, len) == 0)
            return true;
    return false;
}

static const char *mirrored(const char *offer)
{
    return strstr(offer, "a=sendonly")   ? "recvonly"
           : strstr(offer, "a=recvonly") ? "sendonly"
           : strstr(offer, "a=inactive") ? "inactive"
                                         : "sendrecv";
}

static unsigned dir_of(const char *sdp)
{
    return strstr(sdp, "a=sendonly")   ? RACE_SENDS
           : strstr(sdp, "a=recvonly") ? RACE_HEARS
           : strstr(sdp, "a=inactive") ? 0
                                       : RACE_SENDS | RACE_HEARS;
}

static int codec_of(const char *sdp)
{
    const char *formats = strstr(sdp, "RTP/AVP ");

    return formats ? atoi(formats + 8) : -1;
}

void race_agreed(struct race_dialog *d, const char *answer)
{
    unsigned theirs = dir_of(answer);

    if (!*answer)
        return;
    d->dir = d->offered_dir & ((theirs & RACE_SENDS ? RACE_HEARS : 0) | (theirs & RACE_HEARS ? RACE_SENDS : 0));
    d->codec = codec_of(answer);
}

const char *race_sdp(struct race_dialog *d, const char *offer, const char *direction, char out[1024])
{
    const struct race_policy *policy = d->phone->policy;
    const char *own = policy->formats ? policy->formats : "0 8", *theirs = NULL;
    char formats[64] = "";
    size_t used = 0;

    if (offer && (theirs = strstr(offer, "RTP/AVP ")))
        theirs += 8;
    for (const char *p = own; *p; p += strcspn(p, " "), p += *p == ' ')
        if (!theirs || listed(theirs, p))
            str_append(formats, sizeof formats, &used, " %.*s", (int)strcspn(p, " "), p);
    snprintf(out, 1024,
             "v=0\r\no=- 7 %u IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %u RTP/AVP%s\r\n"
             "a=%s\r\n",
             ++d->sdp_version, addr_port(&d->phone->ua->rtp), formats[0] ? formats : " 0",
             direction ? direction : mirrored(offer));
    d->offered_dir = dir_of(out);
    if (offer) {
        d->dir = d->offered_dir;
        d->codec = codec_of(out);
    }
    return out;
}

/* --- an incoming call -------------------------------------------------------------------------------------------- */

static void finally(void *arg)
{
    struct race_dialog *d = arg;
    struct race_phone *phone = d->phone;

    race_enter(phone);
    if (d->reliable.len) /* RFC 3262 §3: not before its PRACK */
        loop_timer_start(phone->loop, &phone->ring_timer, 10, finally, d);
    else
        race_answer(d, phone->policy->status);
    race_leave(phone);
}

static void ring(void *arg)
{
    struct race_dialog *d = arg;
    struct race_phone *phone = d->phone;
    const struct race_policy *policy = phone->policy;
    char text[RACE_TEXT], headers[300], contact[200], sdp[1024];
    const char *body = strstr(d->invite, "\r\n\r\n") + 4;
    size_t len;

    race_enter(phone);
    race_contact(phone, contact);
    snprintf(headers, sizeof headers, "%s\r\n%s", contact, policy->reliable ? "Require: 100rel\r\nRSeq: 700\r\n" : "");
    len =
        race_reply(d, phone, d->invite, policy->ring, headers,
                   policy->ring == 183 ? race_sdp(d, *body ? body : NULL, *body ? NULL : "sendrecv", sdp) : NULL, text);
    if (policy->reliable)
        race_answer_start(&d->reliable, d, text, len, policy->ring, 700);
    if (policy->status)
        loop_timer_start(phone->loop, &phone->ring_timer, policy->answer_ms, finally, d);
    race_leave(phone);
}

void race_ring(struct race_dialog *d)
{
    const struct race_policy *policy = d->phone->policy;

    if (policy->ring)
        loop_timer_start(d->phone->loop, &d->phone->ring_timer, 1, ring, d);
    else if (policy->status)
        loop_timer_start(d->phone->loop, &d->phone->ring_timer, policy->answer_ms, finally, d);
}

/* --- its own call ------------------------------------------------------------------------------------------------ */

static void give_up(void *arg)
{
    struct race_phone *phone = arg;
    struct race_dialog *d = race_dialog_in(phone, RACE_CALLING);

    race_enter(phone);
    if (!d)
        d = race_dialog_in(phone, RACE_UP);
    if (d)
        race_cancel(d);
    race_leave(phone);
}

void race_rings(struct race_phone *phone)
{
    if (phone->policy->cancel_ms && !loop_timer_running(&phone->cancel_timer))
        loop_timer_start(phone->loop, &phone->cancel_timer, phone->policy->cancel_ms, give_up, phone);
}

/* --- in a call --------------------------------------------------------------------------------------------------- */

/* Before a phone hangs up, both sides have to believe the same; what is under way may take its time. */
static bool may_hang_up(struct race_phone *phone)
{
    const char *why = phone->disagrees(phone->arg, phone);

    if (!why) {
        phone->apart_ms = 0;
        return true;
    }
    if (!phone->apart_ms)
        phone->apart_ms = now_ms();
    if (now_ms() - phone->apart_ms < APART_MS)
        return false;
    race_complain(phone, "%s", why);
    return true;
}

static void take_step(void *arg)
{
    struct race_phone *phone = arg;
    struct race_dialog *d = race_dialog_in(phone, RACE_UP);
    struct race_request *r = NULL;

    if (!d)
        return;
    race_enter(phone);
    switch (phone->policy->plan[phone->step].kind) {
    case RACE_END:
        break;
    case RACE_HOLD:
        r = race_reoffer(d, "INVITE", "sendonly");
        break;
    case RACE_RESUME:
    case RACE_REOFFER:
        r = race_reoffer(d, "INVITE", "sendrecv");
        break;
    case RACE_HOLD_BY_UPDATE:
        r = race_reoffer(d, "UPDATE", "sendonly");
        break;
    case RACE_RESUME_BY_UPDATE:
        r = race_reoffer(d, "UPDATE", "sendrecv");
        break;
    case RACE_ASK:
        r = race_reoffer(d, "INVITE", NULL);
        break;
    case RACE_REFRESH:
        r = race_reoffer(d, "UPDATE", NULL);
        break;
    case RACE_REGISTER:
        r = race_register(phone, 600);
        break;
    case RACE_BYE:
        if (may_hang_up(phone))
            race_bye(d);
        break;
    }
    if (r)
        r->planned = true;
    else if (d->state == RACE_UP)
        loop_timer_start(phone->loop, &phone->plan_timer, 10, take_step, phone);
    race_leave(phone);
}

static void arm_step(struct race_phone *phone)
{
    const struct race_step *step = &phone->policy->plan[phone->step];

    if (step->kind != RACE_END)
        loop_timer_start(phone->loop, &phone->plan_timer, step->ms, take_step, phone);
}

void race_step_done(struct race_phone *phone, int status)
{
    uint16_t random;

    if (status == 491 && phone->step_tries++ < 3) {
        random_bytes(&random, sizeof random);
        loop_timer_start(phone->loop, &phone->plan_timer, 20 + random % 60, take_step, phone);
        return;
    }
    phone->step_tries = 0;
    phone->step++;
    arm_step(phone);
}

void race_in_call(struct race_dialog *d)
{
    if (!d->extra)
        arm_step(d->phone);
}

/* --- left alone -------------------------------------------------------------------------------------------------- */

static void look(void *arg)
{
    struct race_phone *phone = arg;
    uint64_t silent_ms = now_ms() - phone->heard_ms;
    bool peer = phone->has_peer(phone->arg, phone);

    race_enter(phone);
    for (unsigned i = 0; i < COUNT_OF(phone->dialogs); i++) {
        struct race_dialog *d = &phone->dialogs[i];
        bool long_ago = silent_ms > (peer ? ALONE_MS : RACE_PATIENCE_MS);

        if (!long_ago || (d->state != RACE_UP && d->state != RACE_RINGING && d->state != RACE_CALLING))
            continue;
        if (!peer)
            race_complain(phone, "left %s: nobody says that it is over", race_state_name(d->state));
        if (d->state == RACE_UP && may_hang_up(phone))
            race_bye(d);
        else if (d->state == RACE_RINGING)
            race_answer(d, 480);
        else if (d->state == RACE_CALLING && (!peer || silent_ms > RACE_PATIENCE_MS))
            race_cancel(d);
    }
    loop_timer_start(phone->loop, &phone->watch_timer, WATCH_MS, look, phone);
    race_leave(phone);
}

void race_watch(struct race_phone *phone)
{
    if (!loop_timer_running(&phone->watch_timer))
        loop_timer_start(phone->loop, &phone->watch_timer, WATCH_MS, look, phone);
}
