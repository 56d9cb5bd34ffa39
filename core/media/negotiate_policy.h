/* Which codecs one side of a call may use and in which order, and which Tandem can convert into each other. Whoever has
 * a phone or a carrier at the far side says its policy; here nobody knows accounts. Pure functions. */
#ifndef MEDIA_NEGOTIATE_POLICY_H
#define MEDIA_NEGOTIATE_POLICY_H

#include "media/desc.h"

/* Names as SDP has them, case apart, best first. Telephone events and comfort noise need no permission. */
struct codec_policy {
    unsigned count;
    char names[MEDIA_CODECS_MAX][sizeof((struct codec *)0)->name];
    bool others; /* and behind them whatever the two sides speak, in the order of who offers */
};

/* "opus,G722 pcma": commas or blanks between; "any" is what others says. 0, or -EINVAL: empty, too many or too long. */
int codec_policy_parse(const char *text, struct codec_policy *out);
bool codec_policy_allows(const struct codec_policy *policy, const struct codec *codec);

/* Speech that Tandem can both decode and encode, plug-ins included. */
bool codec_is_convertible(const struct codec *codec);
/* The parameters under which Tandem wants to receive a codec that it decodes; "": none. */
const char *codec_own_fmtp(const struct codec *codec);
/* All that Tandem speaks itself: negotiate_default_codecs and what plug-ins brought. Returns how many. */
unsigned codec_own_list(struct codec out[MEDIA_CODECS_MAX]);

/* What a far side offers, without the audio codecs that it may not use; those of in_use (NULL: nothing is) it may keep.
 * 0; -ENOENT: it offers speech, and none of it is allowed: offer is as it was. */
int policy_admit(struct media_desc *offer, const struct codec_policy *policy, const struct stream_desc *in_use);

/* An offer that was made of what the other side speaks, as it goes to a far side with this policy: of the audio codecs,
 * those that are allowed, in the order of the policy; behind them, when Tandem can convert what the other side speaks,
 * those that are allowed and that it can convert into; then telephone events for all that, whether or not the other
 * side has them. Nothing is added for conversion where the far side is known (its description, or NULL) to speak one of
 * the former: it might prefer what was added. Numbers that it has already stay. 0; -ENOENT: no speech is left. */
int policy_offer(struct media_desc *offer, const struct codec_policy *policy, struct media_desc *known);
/* Moves the codecs that are in use (NULL: none are) to the front of the offer's audio. */
void policy_prefer(struct media_desc *offer, const struct stream_desc *in_use);

/* Do the two sides speak a codec in common? NULL: that side speaks none. */
bool codecs_meet(const struct stream_desc *a, const struct stream_desc *b);
/* Can what one says be made into what the other understands, both ways? */
bool codecs_convert(const struct stream_desc *a, const struct stream_desc *b);
/* "opus, PCMA": the speech of a stream (NULL: "nothing"), for people. Returns out. */
const char *codecs_text(const struct stream_desc *stream, char *out, size_t size);
const char *codec_policy_text(const struct codec_policy *policy, char *out, size_t size);

#endif
