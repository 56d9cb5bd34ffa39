/* What the files of the dial share: dial.c (its life), dial_branch.c (who is called), dial_connect.c (what the caller
 * hears and with whom it is connected). */
#ifndef CALL_DIAL_PRIV_H
#define CALL_DIAL_PRIV_H

#include "call/call-priv.h"
#include "call/play.h"

struct dial_attempt {
    struct dial *dial;
    struct attempt_run *run; /* NULL: judged */
    bool pending;
    bool waiting;              /* it is not its time yet */
    struct dial_target target; /* its text is owned */
    struct loop_timer timer;   /* until it is called; then, of its ringing */
};

/* A leg that rings, or whose far side has answered and is to confirm that. */
struct dial_branch {
    struct leg *leg; /* ref "dial" */
    struct dial_attempt *attempt;
    bool confirming;
    struct leg_play *question; /* what it hears then */
    struct loop_timer timer;   /* of its patience */
};

struct dial {
    struct call *call;  /* ref "dial" */
    struct leg *leg;    /* the caller; ref "dial" */
    struct leg *winner; /* ref "dial"; NULL: nobody yet */
    leg_control_fn old_control;
    void *old_control_arg;
    struct dial_branch *branches[ROUTE_ENDPOINTS_MAX]; /* live ones; owned */
    unsigned branch_count, attempt_count, attempts_pending, attempts_started;
    struct dial_attempt *attempts; /* one a target */
    struct leg *early;             /* the branch that owns early media; borrowed, it is among the branches */
    unsigned timeout_ms, max_ms;
    bool in_order, no_redirect, first_forwards;
    char *headers; /* for the INVITEs; NULL: none */
    char *label;   /* before the name that they show; NULL: none */
    char redirect[64], redirect_context[64];
    struct account *redirect_by; /* ref */
    enum forward_why redirect_why;
    struct loop_timer deadline; /* of ringing; then, of the conversation */
    dial_done_fn done;
    void *arg;
    struct ringback ringback;
    bool starting, finished, cancelled, reoffer;
    enum dial_status status;
    enum cause cause;
    enum who who;
    char detail[128];
    char answered_by[64];
    uint64_t talk_from_us, talk_ms;
};

/* dial.c */
/* The dial is over: whoever dialled is told at the end of this turn. */
void dial_finish(struct dial *dial, enum dial_status status);
/* Is nobody left who rings, or might? Then the next one is called, or the dial is over. */
void dial_check_over(struct dial *dial);
/* The time to ring is over (loop_fn). */
void dial_rang_too_long(void *arg);

/* dial_branch.c */
/* Of all failures the one that tells the most is kept. */
void dial_note_failure(struct dial *dial, enum cause cause, enum who who, const char *detail);
/* The branch of this leg is forgotten; its reference goes to the caller of this. NULL: it has none. */
struct leg *dial_branch_take(struct dial *dial, struct leg *leg) MUST_USE;
/* The branch is over, for this cause. */
void dial_branch_end(struct dial *dial, struct leg *leg, enum cause cause, enum who who, const char *detail);
/* The time to ring is over for one attempt, or for all (NULL): who is to confirm has his own time. */
void dial_end_ringing(struct dial *dial, struct dial_attempt *attempt);
/* Ends whoever rings, and the attempts that have not come to that. */
void dial_end_branches(struct dial *dial, enum cause cause, enum who who, const char *detail);
/* The control of the dial's legs, the caller's as well (leg_control_fn). */
void dial_changed(void *arg, struct leg *leg, enum leg_change change);
void dial_start_attempt(struct dial *dial, struct dial_attempt *attempt);
/* It is called when its time comes. */
void dial_await_attempt(struct dial *dial, struct dial_attempt *attempt);

/* dial_confirm.c */
/* The branch has answered: asks whoever that is whether he takes the call. */
void dial_confirm(struct dial *dial, struct dial_branch *branch);
/* It is over, whatever was asked. */
void dial_confirm_stop(struct dial *dial, struct dial_branch *branch);

/* dial_forward.c */
/* The first account that sends the call elsewhere, with its own rights, when nobody else takes it. */
void dial_goes_elsewhere(struct dial *dial, struct account *by, const char *to, enum forward_why why);
/* Asks modules whether the call goes elsewhere than to its only target, before that is called or when it could not be
 * had. True: it does, or its phone has said so. */
bool dial_ask_forward(struct dial *dial, const char *target);
/* It goes there; the cause of the dial says whether it can. */
void dial_take_redirect(struct dial *dial);

/* dial_connect.c */
/* Who rings has changed: does the caller hear ringing from us? */
void dial_ringback(struct dial *dial);
/* The caller hears music until somebody has answered, where that is wanted and can be had. */
void dial_music_start(struct dial *dial, const char *class);
void dial_music_stop(struct dial *dial);
/* plain: the caller hears that somebody rings, whatever the branch says. */
void dial_branch_rings(struct dial *dial, const struct leg *branch, bool plain);
void dial_early_media(struct dial *dial, struct leg *branch);
void dial_hear_another(struct dial *dial);
void dial_reoffer(struct dial *dial);
void dial_connect(struct dial *dial, struct leg *winner);
/* Does this branch ring, so that somebody else might have the call in its place? */
bool dial_rings(const struct dial *dial, const struct leg *branch);
/* Somebody who was not called takes the call: a leg of the call that has been answered. */
void dial_pick(struct dial *dial, struct leg *leg);
void dial_winner_ended(struct dial *dial);

#endif
