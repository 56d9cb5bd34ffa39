/* Offer/answer (RFC 3264) over stream descriptions: what of one leg's offer goes into the other leg's, and how an
 * answer comes back. One audio and one video stream are relayed. Pure functions; know neither SDP text nor calls. Every
 * result belongs to the caller (desc_free). A description that is not there (NULL: an INVITE without SDP) has no
 * streams: nothing fits it, -ENOENT. */
#ifndef MEDIA_NEGOTIATE_H
#define MEDIA_NEGOTIATE_H

#include "media/desc.h"

/* Does Tandem relay this codec? (PCMU PCMA G722 opus G729 GSM iLBC speex telephone-event CN …: any static or named
 * audio codec that may be relayed unseen.) */
bool codec_known(const struct codec *codec);

/* The offer for another leg: the first audio and the first video stream over RTP (plain or encrypted; offered on as
 * RTP/AVP without keys: what that leg does about encryption is its own, negotiate_crypto.h) that have a known codec, in
 * the order of their m-lines, with their known codecs, payload types, fmtp, ptime and direction. Other streams are left
 * out: what cannot be relayed is nothing that the other leg need know of. Addresses are left unset: the caller puts its
 * own ports there. Returns 0, or -ENOENT when there is no audio in it (488). */
int negotiate_relay_offer(const struct media_desc *offer, struct media_desc **out);

/* `relay` (of negotiate_relay_offer()) as it goes to a leg that has talked before: m-lines keep their place and kind
 * for the life of a dialog (RFC 3264 §8), new kinds come behind; a payload type keeps its codec (§8.3.2), so codecs
 * have the numbers that the leg knows them by, and new ones get free numbers. layout: what we last said to it (NULL: as
 * it is); heard: its own last offer, or NULL. */
struct media_desc *negotiate_arrange_offer(const struct media_desc *relay, const struct media_desc *layout,
                                           const struct media_desc *heard) MUST_USE;

/* The answer for the leg that offered, from the answer that another leg gave to what was made of it: m-lines as in
 * `offer`; a stream that was relayed is accepted when the other leg accepted it, codecs are those of the other answer
 * that the offer has, with the payload types of the offer; when there is none of audio, the first of the offer's that
 * Tandem can convert into one of the answer's; telephone events that were offered in any case; direction as the other
 * leg answered, narrowed to what the offer allows (RFC 3264 §6.1). Addresses unset. Returns 0, or -ENOENT (no common
 * audio codec). */
int negotiate_relay_answer(const struct media_desc *offer, const struct media_desc *other_answer,
                           struct media_desc **out);
/* The same for an offer inside a call, which goes on whatever comes back: all streams may be refused. */
struct media_desc *negotiate_relay_reanswer(const struct media_desc *offer,
                                            const struct media_desc *other_answer) MUST_USE;

/* An answer of our own (a leg alone: echo, prompts; or a re-INVITE answered locally): the first audio stream accepted
 * with the first speech codec of `offer` that is in `allowed` (NULL: any known one) plus telephone-event when offered;
 * the rest refused; direction: what we want (`want`) within what the offer allows. Addresses unset. Returns 0 or
 * -ENOENT. */
int negotiate_local_answer(const struct media_desc *offer, const struct codec *allowed, unsigned allowed_count,
                           enum stream_dir want, struct media_desc **out);

/* An offer of our own: one audio stream with these codecs, sendrecv. */
struct media_desc *negotiate_local_offer(const struct codec *codecs, unsigned count) MUST_USE;

/* The list for local offers, which Tandem speaks itself: best for desk phones first (G722, PCMA, PCMU, opus), and
 * telephone events. */
extern const struct codec negotiate_default_codecs[];
extern const unsigned negotiate_default_codec_count;

/* Is `answer` a valid answer to `offer`? 0, -EPROTO with why, or -EACCES with why (its keys do not fit). It may name
 * more codecs than were offered (RFC 3264 §6.1); they are not in use. */
int negotiate_check_answer(const struct media_desc *offer, const struct media_desc *answer, char *why, size_t why_size);

#endif
