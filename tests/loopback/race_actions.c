/* The actions of the races: what may happen to a call right after one of its messages. Test code on the loop's thread.
 */
#include "race.h"

#include <signal.h>
#include <stdio.h>

/* --- whom it means ----------------------------------------------------------------------------------------------- */

static struct race_phone *caller(struct race_run *run)
{
    return run->phones[0];
}

/* The callee's phone of message N; else the one that is in the call, else one that rings. */
static struct race_phone *callee(struct race_run *run, struct race_phone *at)
{
    if (at != run->phones[0])
        return at;
    for (enum race_state state = RACE_UP; state >= RACE_RINGING; state--)
        for (unsigned i = 1; i < run->phone_count; i++)
            if (race_dialog_in(run->phones[i], state))
                return run->phones[i];
    return run->phone_count > 1 ? run->phones[1] : NULL;
}

static struct race_dialog *ringing(struct race_run *run, struct race_phone *at)
{
    struct race_phone *phone = callee(run, at);
    struct race_dialog *d = phone ? race_dialog_in(phone, RACE_RINGING) : NULL;

    return d && !d->reliable.len ? d : NULL;
}

static struct race_dialog *talking(struct race_phone *phone)
{
    return phone ? race_dialog_in(phone, RACE_UP) : NULL;
}

static struct race_dialog *calling(struct race_run *run)
{
    return race_dialog_in(caller(run), RACE_CALLING);
}

/* --- ends -------------------------------------------------------------------------------------------------------- */

static bool caller_may_cancel(struct race_run *run, struct race_phone *at)
{
    struct race_dialog *d = calling(run);

    return d && !d->cancelled;
}

static void caller_cancels(struct race_run *run, struct race_phone *at)
{
    race_cancel(calling(run));
}

static struct race_dialog *hangable(struct race_run *run)
{
    struct race_dialog *d = talking(caller(run));

    if (!d && calling(run) && calling(run)->remote_tag[0] && !calling(run)->cancelled)
        d = calling(run); /* RFC 3261 §15: a caller may end an early dialog */
    return d;
}

static bool caller_may_hang_up(struct race_run *run, struct race_phone *at)
{
    return hangable(run) != NULL;
}

static void caller_hangs_up(struct race_run *run, struct race_phone *at)
{
    race_bye(hangable(run));
}

static bool callee_may_hang_up(struct race_run *run, struct race_phone *at)
{
    return talking(callee(run, at)) != NULL;
}

static void callee_hangs_up(struct race_run *run, struct race_phone *at)
{
    race_bye(talking(callee(run, at)));
}

static bool both_may_hang_up(struct race_run *run, struct race_phone *at)
{
    return talking(caller(run)) && talking(callee(run, at));
}

static void both_hang_up(struct race_run *run, struct race_phone *at)
{
    struct race_dialog *a = talking(caller(run)), *b = talking(callee(run, at));

    race_bye(a);
    race_bye(b);
}

static bool operator_may(struct race_run *run, struct race_phone *at)
{
    return race_call_of(run) != NULL;
}

static void operator_hangs_up(struct race_run *run, struct race_phone *at)
{
    call_end(race_call_of(run), CAUSE_OPERATOR, WHO_OPERATOR, NULL);
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static bool callee_may_answer(struct race_run *run, struct race_phone *at)
{
    return ringing(run, at) != NULL;
}

static void callee_answers(struct race_run *run, struct race_phone *at)
{
    race_answer(ringing(run, at), 200);
}

static void callee_is_busy(struct race_run *run, struct race_phone *at)
{
    race_answer(ringing(run, at), 486);
}

static void callee_answers_twice(struct race_run *run, struct race_phone *at)
{
    struct race_dialog *d = ringing(run, at);

    race_answer(d, 200);
    race_answer_again(d);
}

/* --- messages and connections ------------------------------------------------------------------------------------ */

static bool over_udp(struct race_run *run, struct race_phone *at)
{
    return at->ua->link.transport == UA_UDP; /* TCP loses, repeats and exchanges nothing */
}

static bool caller_on_tcp(struct race_run *run, struct race_phone *at)
{
    return caller(run)->ua->link.transport == UA_TCP;
}

static void caller_breaks(struct race_run *run, struct race_phone *at)
{
    caller(run)->hurt = true;
    race_reset(caller(run));
}

static bool callee_on_tcp(struct race_run *run, struct race_phone *at)
{
    struct race_phone *phone = callee(run, at);

    return phone && phone->ua->link.transport == UA_TCP;
}

static void callee_breaks(struct race_run *run, struct race_phone *at)
{
    callee(run, at)->hurt = true;
    race_reset(callee(run, at));
}

static void falls_silent(struct race_run *run, struct race_phone *at)
{
    at->hurt = true;
    race_silence(at);
}

/* --- offers ------------------------------------------------------------------------------------------------------ */

static bool caller_may_offer(struct race_run *run, struct race_phone *at)
{
    struct race_dialog *d = talking(caller(run));

    return d && !d->offer_pending;
}

static void caller_offers(struct race_run *run, struct race_phone *at)
{
    race_reoffer(talking(caller(run)), "INVITE", "sendonly");
}

static bool callee_may_offer(struct race_run *run, struct race_phone *at)
{
    struct race_dialog *d = talking(callee(run, at));

    return d && !d->offer_pending;
}

static void callee_offers(struct race_run *run, struct race_phone *at)
{
    race_reoffer(talking(callee(run, at)), "INVITE", "sendonly");
}

static bool caller_may_update(struct race_run *run, struct race_phone *at)
{
    struct race_dialog *d = hangable(run);

    return d && !d->offer_pending && (d->state == RACE_UP || d->answered_early);
}

static void caller_updates(struct race_run *run, struct race_phone *at)
{
    race_reoffer(hangable(run), "UPDATE", "sendonly");
}

static void callee_updates(struct race_run *run, struct race_phone *at)
{
    race_reoffer(talking(callee(run, at)), "UPDATE", "sendonly");
}

/* --- registrations ----------------------------------------------------------------------------------------------- */

static bool caller_may_go(struct race_run *run, struct race_phone *at)
{
    return caller(run)->registered;
}

static void caller_goes(struct race_run *run, struct race_phone *at)
{
    race_register(caller(run), 0);
}

static bool callee_may_go(struct race_run *run, struct race_phone *at)
{
    struct race_phone *phone = callee(run, at);

    return phone && phone->registered;
}

static void callee_goes(struct race_run *run, struct race_phone *at)
{
    race_register(callee(run, at), 0);
}

/* --- nonsense ---------------------------------------------------------------------------------------------------- */

static struct race_dialog *any_dialog(struct race_phone *at)
{
    struct race_dialog *d = race_dialog_in(at, RACE_UP);

    if (!d)
        d = race_dialog_in(at, RACE_CALLING);
    if (!d)
        d = race_dialog_in(at, RACE_RINGING);
    return d && d->remote_tag[0] ? d : NULL;
}

static bool may_talk_nonsense(struct race_run *run, struct race_phone *at)
{
    return any_dialog(at) != NULL;
}

static void send_text(struct race_dialog *d, const char *method, unsigned cseq, const char *headers, const char *body)
{
    char text[RACE_TEXT], branch[40];
    size_t len;

    race_branch(branch);
    len = race_build(d, method, cseq, branch, headers, body, text);
    race_send(d->phone, text, len);
}

static bool has_a_past(struct race_run *run, struct race_phone *at)
{
    struct race_dialog *d = any_dialog(at);

    return d && (d->uac || d->cseq > 100); /* who has sent nothing may begin with any number */
}

/* A CSeq that was used up long ago (RFC 3261 §12.2.2). */
static void old_cseq(struct race_run *run, struct race_phone *at)
{
    struct race_dialog *d = any_dialog(at);

    send_text(d, "BYE", d->uac ? 0 : 100, NULL, NULL);
}

/* Of a dialog that nobody knows. */
static void wrong_tag(struct race_run *run, struct race_phone *at)
{
    struct race_dialog *d = any_dialog(at);
    char tag[sizeof d->remote_tag];

    str_copy(tag, sizeof tag, d->remote_tag);
    str_copy(d->remote_tag, sizeof d->remote_tag, "nobody");
    send_text(d, "BYE", d->cseq + 1, NULL, NULL);
    send_text(d, "INVITE", d->cseq + 2, NULL, NULL);
    str_copy(d->remote_tag, sizeof d->remote_tag, tag);
}

static bool nonsense_over_udp(struct race_run *run, struct race_phone *at)
{
    return any_dialog(at) && over_udp(run, at); /* a stream is closed for it */
}

static void no_cseq(struct race_run *run, struct race_phone *at)
{
    struct race_dialog *d = any_dialog(at);
    char text[RACE_TEXT], branch[40], *line, *end;
    size_t len;

    race_branch(branch);
    len = race_build(d, "BYE", d->cseq + 1, branch, NULL, NULL, text);
    line = strstr(text, "CSeq:");
    end = strstr(line, "\r\n") + 2;
    memmove(line, end, strlen(end) + 1);
    race_send(at, text, len - (size_t)(end - line));
}

static bool may_offer_nonsense(struct race_run *run, struct race_phone *at)
{
    return talking(at) && !talking(at)->offer_pending;
}

/* Before its first offer is answered (RFC 3311 §5.1). */
static bool may_offer_too_early(struct race_run *run, struct race_phone *at)
{
    return calling(run) && calling(run)->remote_tag[0] && !calling(run)->answered_early;
}

static void offers_too_early(struct race_run *run, struct race_phone *at)
{
    struct race_dialog *d = calling(run);
    char sdp[1024];

    send_text(d, "UPDATE", ++d->cseq, at->policy->headers, race_sdp(d, NULL, "sendrecv", sdp));
}

static void bad_offer(struct race_run *run, struct race_phone *at)
{
    struct race_dialog *d = talking(at);

    if (race_ask(d, "INVITE", NULL, NULL, "v=0\r\nm=audio none\r\n"))
        d->offer_pending = true;
}

/* --- the switch -------------------------------------------------------------------------------------------------- */

static void everybody_is_lenient(struct race_run *run)
{
    for (unsigned i = 0; i < run->phone_count; i++)
        run->phones[i]->lenient = true;
}

static void media_dies(struct race_run *run, struct race_phone *at)
{
    struct media_status status;

    everybody_is_lenient(run);
    media_get_status(run->bed->pbx->media, &status);
    ck_assert_int_gt(status.pid, 1);
    kill(status.pid, SIGKILL);
}

static void drained(void *arg)
{
}

static void switch_drains(struct race_run *run, struct race_phone *at)
{
    everybody_is_lenient(run);
    pbx_drain(run->bed->pbx, drained, NULL);
}

#define GONE                                                                                                           \
    " connection-lost phone-silent no-ack no-answer unreachable cancelled normal operator session-expired "            \
    "far-failure unavailable contact-unreachable "

const struct race_action race_actions[] = {
    {.name = "the caller cancels",
     .possible = caller_may_cancel,
     .act = caller_cancels,
     .causes = " cancelled normal "},
    {.name = "the caller hangs up",
     .possible = caller_may_hang_up,
     .act = caller_hangs_up,
     .causes = " cancelled normal "},
    /* Who hangs up before its answer has arrived has rejected the call. */
    {.name = "the callee hangs up",
     .possible = callee_may_hang_up,
     .act = callee_hangs_up,
     .causes = " normal rejected "},
    {.name = "both hang up", .possible = both_may_hang_up, .act = both_hang_up, .causes = " normal rejected "},
    {.name = "the callee answers", .possible = callee_may_answer, .act = callee_answers, .causes = " normal "},
    {.name = "the callee is busy",
     .possible = callee_may_answer,
     .act = callee_is_busy,
     .causes = " busy normal no-answer "},
    {.name = "the callee answers twice",
     .possible = callee_may_answer,
     .act = callee_answers_twice,
     .causes = " normal "},
    /* When BYE is lost or late, an offer is answered with 481. */
    {.name = "lost", .fault = RACE_LOST, .possible = over_udp, .causes = " connection-lost phone-silent "},
    {.name = "repeated", .fault = RACE_TWICE, .possible = over_udp, .causes = ""},
    {.name = "delayed", .fault = RACE_LATE, .possible = over_udp, .causes = " connection-lost "},
    {.name = "the caller's connection breaks", .possible = caller_on_tcp, .act = caller_breaks, .causes = GONE},
    {.name = "the callee's connection breaks", .possible = callee_on_tcp, .act = callee_breaks, .causes = GONE},
    {.name = "silent for ever", .act = falls_silent, .causes = GONE},
    {.name = "the caller offers", .possible = caller_may_offer, .act = caller_offers, .causes = " normal "},
    {.name = "the callee offers", .possible = callee_may_offer, .act = callee_offers, .causes = " normal "},
    {.name = "the caller updates", .possible = caller_may_update, .act = caller_updates, .causes = " normal "},
    {.name = "the callee updates", .possible = callee_may_offer, .act = callee_updates, .causes = " normal "},
    {.name = "the caller unregisters", .possible = caller_may_go, .act = caller_goes, .causes = ""},
    {.name = "the callee unregisters",
     .possible = callee_may_go,
     .act = callee_goes,
     .causes = " unreachable unavailable "},
    {.name = "the operator hangs up", .possible = operator_may, .act = operator_hangs_up, .causes = " operator "},
    {.name = "a CSeq of the past", .possible = has_a_past, .act = old_cseq, .causes = ""},
    {.name = "requests of no dialog", .possible = may_talk_nonsense, .act = wrong_tag, .causes = ""},
    {.name = "a request without CSeq", .possible = nonsense_over_udp, .act = no_cseq, .causes = ""},
    {.name = "an offer that comes too early", .possible = may_offer_too_early, .act = offers_too_early, .causes = ""},
    {.name = "an offer that is none", .possible = may_offer_nonsense, .act = bad_offer, .causes = ""},
    {.name = "the media process dies", .act = media_dies, .causes = " media-lost no-media ", .alone = true},
    {.name = "the switch drains", .act = switch_drains, .causes = " switch-stopping ", .alone = true},
};
const unsigned race_action_count = COUNT_OF(race_actions);
