/* Tones that a call makes: call progress (ITU-T E.180) as each country knows it, and beeps of our own. Tables and a
 * generator; any thread, each player by one at a time, nothing is allocated. */
#ifndef AUDIO_TONE_H
#define AUDIO_TONE_H

#include "base/base.h"

enum tone_kind {
    TONE_RINGBACK,
    TONE_BUSY,
    TONE_CONGESTION, /* "reorder" in North America */
    TONE_DIAL,
    TONE_CALL_WAITING,
    TONE_INFORMATION, /* special information: this number will not do */
    TONE_COUNTRY_KINDS,
    /* The same everywhere. */
    TONE_JOIN = TONE_COUNTRY_KINDS, /* somebody comes into a conference */
    TONE_LEAVE,
    TONE_RECORD, /* speak now */
    TONE_KINDS,
};

/* Of the whole tone while it sounds, in dBm0 (ITU-T G.711: a full sine is +3.14). */
#define TONE_LEVEL (-13)

#define TONE_SEGMENTS 8

struct tone_segment {
    uint16_t ms;    /* 0: for ever */
    uint16_t hz[2]; /* both 0: a pause; the second 0: a pure tone */
    bool modulated; /* hz[0] times hz[1], 90 % deep; else their sum */
    int8_t level;   /* dB above that of the tone */
    int8_t twist;   /* of a sum: dB of hz[1] above hz[0] */
};

struct tone {
    struct tone_segment segments[TONE_SEGMENTS];
    uint8_t count;
    bool once; /* else it begins again */
};

/* country: two letters of ISO 3166, case apart; "uk" is "gb". For kinds that are the same everywhere it may be NULL.
 * Returns the tone, which lives as long as the program, or NULL: no such country. */
const struct tone *tone_find(const char *country, enum tone_kind kind);

/* The countries of the table, in the order of their codes; NULL behind the last. */
const char *tone_country(size_t index);

/* "ringback", "busy", "congestion", "dial", "waiting", "information", "join", "leave", "record". */
const char *tone_name(enum tone_kind kind);
/* Returns 0, or -EINVAL: no such name. */
int tone_parse(const char *name, enum tone_kind *out);

/* A tone being played. What is in it belongs to tone.c. */
struct tone_player {
    const struct tone *tone;
    unsigned rate, ramp; /* ramp: samples of a rise or fall */
    double gain;         /* amplitude of a pure tone of level 0 dB */
    unsigned at;         /* segment */
    unsigned done, left; /* samples of it: done counts to `ramp` only; left is UINT_MAX when it lasts for ever */
    bool stopping, ended;
    double amplitude[2];
    struct {
        double re, im, step_re, step_im;
    } wave[2]; /* two turning pointers */
};

/* rate: 8000, 16000 or 48000; level in dBm0, from -60 to 0. The tone must outlive the player. Returns 0, or -EINVAL. */
int tone_start(struct tone_player *player, const struct tone *tone, unsigned rate, int level) MUST_USE;

/* Makes up to `count` samples. Fewer mean that the tone is over (what is behind them is not written). Pauses are
 * silence and count. The phase runs on from call to call; each sound rises and falls in 5 ms, inside of its own time.
 */
size_t tone_play(struct tone_player *player, int16_t *pcm, size_t count);

/* The segment that plays lasts so many samples more, and at least for its fall; what is behind it follows. */
void tone_end_in(struct tone_player *player, unsigned samples);

/* The sound falls from here on, and then the tone is over. */
void tone_stop(struct tone_player *player);

#endif
