/* Keys as RTP packets: telephone-event (RFC 4733). A reader for one stream that comes and a sender for one that goes;
 * values without memory of their own, any thread, each by one at a time. */
#ifndef AUDIO_TELEPHONE_EVENT_H
#define AUDIO_TELEPHONE_EVENT_H

#include "base/key.h"

#define EVENT_BYTES 4
/* Zeroed memory, given its clock by event_reader_init(). */
struct event_reader {
    unsigned clock;
    unsigned
        speech_clock; /* set by whoever knows it: some phones count by this one, whatever they said; 0: not known */
    bool known;       /* a key has come on this stream */
    bool down;        /* and is not up yet */
    bool closed;      /* its end has been read, rather than guessed */
    uint32_t ssrc;
    uint32_t timestamp; /* of its newest segment */
    uint16_t units;     /* that this segment has lasted */
    uint64_t before;    /* units of the segments before */
    uint64_t began_ms;  /* when its first packet came */
    uint64_t heard_ms;  /* when its last packet came */
    uint8_t event;
};

/* clock: of the payload type, as SDP names it (8000, 16000, 48000 …). */
void event_reader_init(struct event_reader *reader, unsigned clock);

/* No packet gives more reports: the key before comes up, this goes down and up, for each block of a packet. */
#define EVENT_BLOCKS 4
#define EVENT_REPORTS (3 * EVENT_BLOCKS)

/* One packet of the payload type. Packets may be lost, doubled and late: a key is one key by its timestamp, it goes
 * down with whichever of its packets comes first, and up by its end, by the next key, or by event_quiet(). Pieces of a
 * long event (§2.5.1.3) are one. Events that are no keys are ignored. Returns the number of reports (0 …
 * EVENT_REPORTS), or -EBADMSG: no payload of this kind. */
int event_read(struct event_reader *reader, uint32_t ssrc, uint32_t timestamp, bool marker, const uint8_t *payload,
               size_t len, uint64_t now_ms, struct key_report reports[EVENT_REPORTS]);

/* To be asked at times: a key of which nothing has come for EVENT_QUIET_MS is up, all of its ends were lost. Returns
 * true and fills report then. */
#define EVENT_QUIET_MS 300
bool event_quiet(struct event_reader *reader, uint64_t now_ms, struct key_report *report);

/* The key that is down now comes up: the stream is over or gets another clock. True when there was one. */
bool event_reader_end(struct event_reader *reader, struct key_report *report);

#define EVENT_QUEUE 32
#define EVENT_ENDS 3    /* times that the end of a key, or of a segment of it, is sent (§2.5.1.4) */
#define EVENT_GAP_MS 50 /* least rest between two keys: others make sound of them, and a detector needs 40 */
#define EVENT_MS_LEAST 40

struct event_sender {
    unsigned clock, slot; /* slot: units of one packet time */
    unsigned update;      /* units between two updates */
    uint8_t queue[EVENT_QUEUE];
    uint32_t units[EVENT_QUEUE]; /* wanted; 0: till released */
    unsigned first, count;
    bool sending, held; /* held: the newest key waits for its release */
    uint8_t event;
    uint32_t timestamp; /* of the segment */
    uint32_t wanted;    /* units of the whole key; 0: till released */
    uint64_t before;    /* units in segments before */
    uint32_t said;      /* units at the last update */
    bool begun;         /* its first packet is out */
    unsigned ends;      /* still to be sent */
    unsigned again;     /* times that the last packet of a segment is still to be sent */
    uint16_t last;      /* units of its last segment */
    uint32_t rest;      /* units before the next key may begin */
};

struct event_packet {
    uint32_t timestamp;
    bool marker;
    uint8_t payload[EVENT_BYTES];
};

enum event_slot {
    EVENT_SOUND,  /* this packet time is for sound */
    EVENT_PACKET, /* for the packet that was filled in */
    EVENT_HOLD,   /* for neither: a key is down, and its next update is not due */
};

/* packet_ms: time between two calls of event_next(), that of the sound's packets (10 … 60). update_ms: time between
 * updates of a key, 50 by the RFC, 0: each packet. */
void event_sender_init(struct event_sender *sender, unsigned clock, unsigned packet_ms, unsigned update_ms);

/* Queues a key behind those that wait. ms 0: it stays down until event_release(). Returns 0, -EINVAL (no key), -ENOBUFS
 * (too many wait), -EBUSY (one before it is still held). */
int event_press(struct event_sender *sender, char key, unsigned ms) MUST_USE;
/* The held key was down for ms in all. It ends at once when it was sent for so long; nothing happens without one. */
void event_release(struct event_sender *sender, unsigned ms);

/* What to do with this packet time. now: the timestamp that sound would have, going on through keys. The caller gives
 * each packet that it sends the next sequence number, of sound or not. */
enum event_slot event_next(struct event_sender *sender, uint32_t now, struct event_packet *out);

/* Nothing is queued or under way. */
bool event_idle(const struct event_sender *sender);

#endif
