/* Keys as tones in the sound (ITU-T Q.23, Q.24): made at any rate, heard at 8000 samples a second. Any thread, each
 * object by one at a time; nothing is allocated between the making of a detector and its end. */
#ifndef AUDIO_DTMF_H
#define AUDIO_DTMF_H

#include "base/key.h"
#include "audio/tone.h"

/* Both tones together, in dBm0, and how much louder the high one is: lines weaken it more. */
#define DTMF_LEVEL (-7)
#define DTMF_TWIST 2
#define DTMF_QUEUE 32

/* Digits being sent. Zeroed memory sends nothing. */
struct dtmf_sender {
    char queue[DTMF_QUEUE];
    uint16_t ms[DTMF_QUEUE];
    unsigned first, count;
    bool held; /* the newest key waits for its release */
    bool playing;
    bool open;        /* what plays has no end yet */
    unsigned played;  /* samples of it */
    struct tone tone; /* of the digit that is under way, its pause with it */
    struct tone_player player;
};

/* Queues one key for ms (at least 40; 0: until dtmf_release()) and a pause of KEY_GAP_MS. Returns 0, -EINVAL (no such
 * tone), -ENOBUFS, or -EBUSY (one before it is still held). */
int dtmf_send(struct dtmf_sender *sender, char key, unsigned ms) MUST_USE;
/* The held key was down for ms in all; it ends at once when it has sounded for so long. Nothing happens without one. */
void dtmf_release(struct dtmf_sender *sender, unsigned ms);
/* Nothing is queued or sounds. */
bool dtmf_idle(const struct dtmf_sender *sender);

/* Makes up to `count` samples at rate (8000, 16000 or 48000; the same until all is sent). Fewer: there is no more. */
size_t dtmf_play(struct dtmf_sender *sender, unsigned rate, int16_t *pcm, size_t count);

/* Hears keys from 45 ms on, down to -26 dBm0 a tone (and a little below), with the high tone 7 dB weaker to 4 dB
 * stronger than the low one, each tone up to 1.5 % off its frequency, or both 1 %. */
struct dtmf_detector;

/* NULL: no memory. mute: take the keys out of the sound that passes, so that whoever gets them in another way does not
 * hear them twice: every piece in which a key may be becomes silent as a whole, lest who conceals a loss behind it
 * makes it longer. Of a key up to 26 ms before the first of these pieces stay, too short for any detector (Q.24);
 * nothing is delayed. */
struct dtmf_detector *dtmf_detector_new(bool mute) MUST_USE;
void dtmf_detector_free(struct dtmf_detector *detector); /* NULL is fine */

/* Listens to `count` samples, 8000 a second, and mutes them in place. Returns how many reports there are; at most
 * `room` are written, more than 1 + count / 100 never come. A key is down 25 to 40 ms after it began. */
size_t dtmf_detect(struct dtmf_detector *detector, int16_t *pcm, size_t count, struct key_report *reports, size_t room);

/* There may be a key in what it has heard last: it is muted, and reported or found to be none with what follows. */
bool dtmf_suspects(const struct dtmf_detector *detector);

/* In place of samples that were lost: a key that is down stays so. */
void dtmf_detect_lost(struct dtmf_detector *detector, size_t count);

#endif
