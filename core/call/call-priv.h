/* What the files of the call room share and nobody else sees. */
#ifndef CALL_CALL_PRIV_H
#define CALL_CALL_PRIV_H

#include "call/bridge.h"
#include "call/pbx.h"
#include "call/route.h"

/* leg.c → call.c: the leg has ended (ENDING); later: its row can be written; last: it left the call. */
void call_leg_ended(struct call *call, struct leg *leg);
void call_leg_recorded(struct call *call);
void call_leg_finished(struct call *call);
/* dial.c: lets go of the two who talk, without a word to them or to whoever dialled. */
void dial_release(struct call *call);
/* dial.c: a leg of the dial's call has ended; for the case that somebody else controls it meanwhile. */
void dial_leg_ended(struct dial *dial, struct leg *leg);
/* Ends a call in which nobody lives and nothing dials any more. */
void call_check_over(struct call *call);

/* leg.c */
void leg_replace_desc(struct media_desc **slot, struct media_desc *desc); /* takes over desc */
/* Both sides agree: `remote` keeps its address but only the codecs of `agreed`. Takes over `local`. */
void leg_agree(struct leg *leg, const struct media_desc *remote, struct media_desc *local,
               const struct media_desc *agreed);
/* leg.c: to another call. */
void leg_move_to(struct leg *leg, struct call *call);
/* leg_offer.c: the leg ends; whoever waits for the answer to its re-offer is told 481. */
void leg_offer_forget(struct leg *leg);

/* leg_told.c: what one far side of a bridge knows of the other leg's media */
/* The first stream of this kind that is not refused, or NULL. desc NULL: none. */
struct stream_desc *leg_live_stream(struct media_desc *desc, enum stream_kind kind);
/* Would the other side see any difference? Addresses and places do not count: it talks to us. */
bool leg_same_session(struct media_desc *a, struct media_desc *b);
/* The same streams in the same codecs, whatever else they could speak. */
bool leg_same_use(struct media_desc *a, struct media_desc *b);
/* It holds, and the switch serves that. */
bool leg_hides_hold(const struct leg *leg);
/* What the leg has agreed to (or this answer of its) as the other side is to know it: without a hold that the switch
 * serves; *out belongs to the caller. 0, -ENOENT. */
int leg_shown(const struct leg *leg, const struct media_desc *desc, struct media_desc **out);
/* The same of the offer that it makes. */
int leg_offer_shown(const struct leg *leg, struct media_desc **out);
/* Nobody has told its far side of a hold: it is offered or allowed all that it wants. */
bool leg_is_told_nothing(const struct leg *leg);
/* The open offer of `from` begins or ends a hold that the switch serves, or says it again, or is a word from who is so
 * held; and no more: the other side is told nothing. */
bool leg_serves_offer(const struct leg *from, const struct leg *to);
/* The other leg of the bridge is offered what this leg has agreed to, since it knows something else. */
void leg_tell_peer(struct leg *leg);
/* The caller changed who hears whom while it rang, and who answered was offered something else; or who
 * answered prefers a codec that must be converted to one that both have. */
void leg_tell_change(struct leg *leg);
/* Whoever held the leg has been taken away: it is offered sound in both directions. done as by
 * leg_offer(); -EALREADY: it is not held. */
int leg_take_off_hold(struct leg *leg, leg_offered_fn done, void *arg);
/* The leg has another peer now: it is offered what that one speaks, in both directions but for what that
 * one itself holds, unless it knows all that. done as by leg_offer(); -EALREADY: there is nothing to say. */
int leg_introduce(struct leg *leg, leg_offered_fn done, void *arg);
/* That for both sides of its bridge, one after the other: their offers would meet. */
void legs_introduce(struct leg *leg);
/* The leg is back with somebody whom it knew differently: its far side is told what that one says now. */
void leg_tell_again(struct leg *leg);

/* dial_status.c */
enum dial_status dial_status_of(enum cause cause);
int dial_rank(enum cause cause);

/* leg_crypto.c */
/* What the far side offers, as its account may take it. 0, or -EACCES with why, in words. */
int leg_crypto_admit(struct leg *leg, struct media_desc *offer, char *why, size_t why_size);
/* Keys for what we say: an offer (answered NULL) or the answer to `answered`. 0, or -EACCES (leg_crypto_no_tls). */
int leg_crypto_fill(struct leg *leg, struct media_desc *desc, const struct media_desc *answered);
/* leg->local and leg->remote are agreed: only the keys in force stay in them. */
void leg_crypto_agree(struct leg *leg);
/* MEDIA_KEYED, MEDIA_KEYLESS. */
void leg_crypto_news(struct leg *leg, const struct media_event *event);
extern const char leg_crypto_no_tls[];

/* leg_codecs.c */
/* What the far side offers, as its account may use it. 0, or -ENOENT with why, in words. */
int leg_codecs_admit(struct leg *leg, struct media_desc *offer, char *why, size_t why_size);
/* An offer made of what the other side speaks becomes one for this leg, whose far side is known to speak this (NULL:
 * not known). 0, or -ENOENT: nothing is left. */
int leg_codecs_offer(struct leg *leg, struct media_desc *offer, struct media_desc *known);
/* Why nothing of `offer` was left for this leg, in words. */
void leg_codecs_why(const struct leg *leg, const struct media_desc *offer, char *why, size_t why_size);
/* Have two legs agreed to the same codec? Can Tandem convert between them? */
bool legs_meet(const struct leg *a, const struct leg *b);
bool legs_convert(const struct leg *a, const struct leg *b);
/* The legs of a bridge have agreed to something: says when the audio is converted from now on, or no longer is. */
void bridge_note_codecs(struct leg *leg);

/* leg_media.c */
/* Ports, addresses and keys for the live streams of an offer of ours (answered NULL), or of our answer to `answered`.
 * 0, -EAGAIN (no port), -EACCES (leg_crypto_fill()). */
int leg_media_fill(struct leg *leg, struct media_desc *desc, const struct media_desc *answered);
void leg_media_apply(struct leg *leg);   /* remote and local are agreed: tell the media process */
void leg_media_release(struct leg *leg); /* all ports back; leg_recorded() follows */
void leg_recorded(struct leg *leg);

/* ringback.c: what a caller hears from us while somebody rings. Zeroed memory: nothing. */
struct ringback {
    struct leg *leg;
    struct leg_play *play;
    struct loop_timer patience; /* for sound that was promised */
};
/* due: it is to be heard; promised: sound of the callee's side may be on its way. */
void ringback_update(struct ringback *ringback, struct leg *caller, bool due, bool promised);
void ringback_stop(struct ringback *ringback, const struct leg *caller);

/* play.c: the leg's media ends; who played something is not told. */
void leg_plays_end(struct leg *leg);

/* hold.c */
/* Would this direction of the audio be a hold? offers: the far side offers it; else it answers what we said last. */
bool leg_would_hold(const struct leg *leg, enum stream_dir dir, bool offers);
/* Agreed: it says this now. Keeps leg->held. */
void leg_note_hold(struct leg *leg, enum stream_dir dir);
/* Publishes who is held by this leg, if it holds: again when that is somebody else. */
void leg_say_hold(struct leg *leg);
/* It holds, and the other phone is told what it says. */
bool leg_hold_is_told(const struct leg *leg);

/* hold_music.c: who holds, or who is in its bridge, has changed: what do both sides hear? */
void leg_music_update(struct leg *leg);

/* leg_keys.c */
/* Ways of keys in a description of ours: an offer (answered NULL), or the answer to `answered`. */
void leg_keys_fill(const struct leg *leg, struct media_desc *desc, const struct media_desc *answered);
/* Its media, its state or its bridge has changed: tells the media process how keys come and go. */
void leg_keys_update(struct leg *leg);
/* Its media end. */
void leg_keys_forget(struct leg *leg);

/* leg_codes.c: what a party types in a bridge may be a code. */
/* Which of its keys the media process is to keep: 1 << key_event(). */
uint32_t codes_kept(struct leg *leg);
/* Its key goes down; comes up after ms. True: it is held here, or was eaten, and goes nowhere else by itself. */
bool codes_key_down(struct leg *leg, char key, enum key_way way);
bool codes_key_up(struct leg *leg, char key, enum key_way way, unsigned ms);
/* A key that is down goes nowhere else any more. */
void codes_eat(struct leg *leg, char key, enum key_way way);
void codes_forget(struct leg *leg);
/* leg_keys.c: a key that was held goes to the other side of its bridge, unless that has heard it as a tone. */
void leg_key_release(struct leg *leg, char key, enum key_way way, unsigned ms);

/* leg_silence.c */
/* State, media, bridge or settings have changed: is sound due from it, and from the other leg of its bridge? */
void leg_silence_update(struct leg *leg);
/* What the media process says of the leg's audio port. May end the leg. */
void leg_silence_news(struct leg *leg, const struct media_event *event);

/* leg_quality.c */
/* The media process says of the leg's audio port how it is. */
void leg_quality_news(struct leg *leg, const struct media_event *event);
#define LEG_PHONE_MAX 64
/* "202's phone", or the number of who has no account. Returns out. */
const char *leg_phone(const struct leg *leg, char out[LEG_PHONE_MAX]);

/* limit.c */
/* Answered, or other limits are configured: (re)starts the call's clock. */
void call_limit_update(struct call *call);

/* transfer.c. The caller's call->transfer: somebody rings; somebody has answered; the dialplan came to an end without
 * that, for this cause; a leg of the call has ended. */
void transfer_rings(struct call *call);
void transfer_answered(struct call *call);
void transfer_failed(struct call *call, enum cause cause, const char *detail);
void transfer_leg_ended(struct call *call, struct leg *leg);

/* call_transfer() of one whose bridge with the other has ended already; `by` may be ending. */
int transfer_of(struct leg *by, struct leg *who, const char *context, const char *extension, struct account *behalf);
/* The two of a bridge stop hearing each other; nothing else follows from that. */
void call_part(struct leg *by, struct leg *who);
/* Who talks in it goes on without what brought them together: dial and script. */
void call_let_alone(struct call *call);
/* This account answers for what follows; NULL: the caller's own. */
void call_answers(struct call *call, struct account *behalf);
/* The dialplan serves this leg from now on, and this account answers for it. */
void call_serve(struct call *call, struct leg *who, struct account *behalf);

/* consult.c. While call->consult: the transfer that it began goes so; somebody has answered who calls; the dialplan
 * came to an end for it; a leg hangs up: true: it has left who waits to somebody else; a leg has ended. */
void consult_told(struct call *call, int status);
void consult_answered(struct call *call);
void consult_failed(struct call *call, enum cause cause);
bool consult_hangs_up(struct leg *leg);
void consult_leg_ended(struct call *call, struct leg *leg);

/* talk.c */
/* The leg has been answered, or bridged: do two talk now? */
void leg_talk_update(struct leg *leg);
/* It has joined this conference. */
void leg_talk_conference(struct leg *leg, const char *room);
/* It talks no more. Nothing, when it did not. */
void leg_talk_ends(struct leg *leg);

/* pickup.c: an INVITE that is to take the place of a phone that rings (RFC 3891): its leg in that phone's call,
 * OFFERED; it takes the call at the end of this turn. NULL with *refused: nothing has changed. */
struct leg *pickup_incoming(struct leg *ringing, const struct call_incoming *in, enum cause *refused, char *why,
                            size_t why_size);

/* fallback.c */
/* The call's dialplan has failed: does somebody else take care of it? */
bool call_fallback(struct call *call);

/* call.c */
/* At the end of this turn its hooks are asked and the dialplan starts for its caller. */
void call_start(struct call *call);
/* The leg of an INVITE that came, OFFERED. */
struct leg *call_incoming_leg(struct call *call, const struct call_incoming *in);
struct call *call_make(struct pbx *pbx, const struct uuid *id); /* id NULL: a new one */
void leg_publish(struct leg *leg, enum event_kind kind, const char *detail);
void call_publish(struct call *call, enum event_kind kind, const char *detail);

/* dial_codec.c. The caller has agreed to something before: can it be had in a codec of the winner's? Not when it
 * offered none. */
bool dial_caller_may_fit(struct leg *caller, const struct leg *winner);
/* Answers the caller with what the winner takes, if that is still to be done. *reoffer: it had been told of another
 * codec by early media, and is to be offered the winner's when it has acknowledged. Returns 0 or as leg_answer(). */
int dial_answer_caller(struct leg *caller, const struct leg *winner, bool *reoffer);
/* Offers the winner's codecs to the caller, so that nothing need be converted; ends it when nothing else can be done.
 */
void dial_reoffer_caller(struct call *call, struct leg *caller, const struct leg *winner);
/* "the caller offers …, 202 answered with …". */
void dial_say_codecs(const struct leg *caller, const struct leg *winner, char *why, size_t why_size);

#endif
