/* Keys of a port: those that its far side presses, in packets of their own or as tones in its sound, and those that it
 * is sent for somebody else. One press is one key, whatever becomes of its packets. Worker's thread; allocates only
 * when keys are listened for in the sound. */
#ifndef MEDIA_KEYS_H
#define MEDIA_KEYS_H

#include "audio/dtmf.h"
#include "audio/telephone_event.h"
#include "media/media.h"
#include "media/pace.h"
#include "media/voice.h"

struct port;
struct rtp_head;

/* Behind a key, a relay goes on decoded for so long: more may follow, and whoever listens there hears a jump in time
 * each time that it changes. */
#define KEYS_REST_US 3000000u

struct port_keys {
    enum key_out out;   /* how its far side is told of the keys of others */
    uint32_t kept;      /* keys of its far side that do not go over its bridge: 1 << key_event() */
    bool is_event[128]; /* payload types of the far side that are keys */
    struct event_reader reader;
    struct key_rate rate;
    bool ignored;                   /* the key that is down is one too many */
    struct beat beat;               /* while a key is down, or tones are listened for */
    struct source presses;          /* silence, which keeps the voice going while keys are pressed */
    uint64_t pressed_us;            /* when one of these was sent last; 0: not yet */
    struct dtmf_detector *detector; /* NULL: nobody listens for tones */
    char tone_down;                 /* the key that is heard now, or NUL */
    uint64_t due_us;                /* of the frame that was listened to last */
    bool heard, muted;              /* in it: anything at all; a tone, in which case it is to be left out */
    int16_t pcm[160];               /* it, without the tone */
    size_t report_count;            /* of what was heard in it */
    struct key_report reports[4];
};

void keys_init(struct port *port);
/* Payload types were agreed on anew. */
void keys_refresh(struct port *port);
/* As media_port_key_ways() says. */
void keys_set_ways(struct port *port, enum key_out out, bool tones, uint32_t kept);
/* Does this packet of a payload type that is_event belong to a key that is kept from the other side? */
bool keys_is_kept(const struct port *port, const uint8_t *packet, size_t len);
/* As media_port_press() says. */
void keys_press(struct port *port, char key, unsigned ms);

/* A packet of a payload type that is_event. */
void keys_packet(struct port *port, const uint8_t *packet, size_t len, const struct rtp_head *head);

/* As hearing_frame(), without the tones of keys, when they are listened for. Whoever asks has opened the hearing. */
const int16_t *keys_frame(struct port *port, unsigned rate, uint64_t due_us);

/* Around a port's move to another thread. */
void keys_suspend(struct port *port);
void keys_resume(struct port *port);
/* Of the port's end, on any thread. */
void keys_free(struct port *port);

#endif
