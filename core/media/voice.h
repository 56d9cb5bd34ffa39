/* What a port says of its own: the sum of its sources (the other side of a bridge that transcodes, prompts, music, a
 * conference), encoded as its far side wants it, as one speaker of the stream that it hears (numbers.h). It runs only
 * while there are sources; then packets of a bridge do not go out as they are. Worker's thread; allocates nothing per
 * packet. */
#ifndef MEDIA_VOICE_H
#define MEDIA_VOICE_H

#include "base/list.h"
#include "media/media.h"

struct port;
struct codec_kind;

#define VOICE_SAMPLES_MAX 320u /* of 20 ms at 16000 */

struct source {
    struct list node;
    bool alone;    /* while it is there, no other is heard, and nothing of a bridge */
    unsigned rate; /* that its sound is good for: 8000 or 16000 */
    /* Adds 20 ms to pcm, rate / 50 samples, by sound_add(). The rate is the port's, whatever its own is. Returns
     * whether it had anything to say. It may remove itself, or any other source. */
    bool (*frame)(struct source *source, int16_t *pcm, unsigned rate, uint64_t due_us);
    /* May be NULL. The same sound for many: the ready payload of this beat for this codec (20 ms), asked for instead of
     * frame() when it is the only source. Returns its bytes; 0: ask frame(). It is valid until the next call. */
    size_t (*payload)(struct source *source, const struct codec_kind *kind, const uint8_t **payload, uint64_t due_us);
};

/* Adds with saturation. */
void sound_add(int16_t *pcm, const int16_t *more, size_t samples);

void voice_add(struct port *port, struct source *source);
/* One that was not added may be removed. */
void voice_remove(struct port *port, struct source *source);
/* Is there any source but this one (NULL: any at all)? */
bool voice_has_other(const struct port *port, const struct source *source);

/* Is there one that wants to be alone? */
bool voice_is_taken(const struct port *port);

/* Whether its far side takes anything that we can encode. */
bool voice_can_speak(const struct port *port);

/* Of the speech that its far side likes best; 0: of none that we can make. */
uint32_t voice_clock(const struct port *port);

/* In which way its far side gets keys: what was commanded, within what it has. KEY_OUT_EVENTS: it has telephone-event.
 */
enum key_out voice_key_out(const struct port *port);
/* A key, for ms (0: until voice_release(), at which ms are what it lasted): as telephone-event or as tones in the
 * sound, whatever voice_key_out() says. Needs a source that runs. Returns 0, -EOPNOTSUPP (its far
 * side takes nothing that we can make), or as event_press() and dtmf_send() say. */
int voice_press(struct port *port, char key, unsigned ms);
void voice_release(struct port *port, unsigned ms);
/* All keys have been sent. */
bool voice_keys_done(const struct port *port);

/* What is sent in this beat, after all sources: for a recorder of what the far side is told. At the rate of the voice.
 * NULL: nothing in this beat. */
const int16_t *voice_frame(const struct port *port, uint64_t due_us, unsigned *rate);

/* Payload types were agreed on anew. */
void voice_refresh(struct port *port);
/* Around a port's move to another thread; sources stay. */
void voice_suspend(struct port *port);
void voice_resume(struct port *port);
/* Of the port's end; sources are forgotten. */
void voice_free(struct port *port);

#endif
