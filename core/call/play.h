/* What a leg's far side hears beside its bridge: files, prompts, tones. Signalling thread. */
#ifndef CALL_PLAY_H
#define CALL_PLAY_H

#include "call/leg.h"
#include "media/media_play.h"

struct leg_play;

struct play_item {
    enum play_what what;
    const char *name;    /* FILE: a file or a prompt, as voices.h says; TONE: the country; NULL: that of the setting */
    enum tone_kind tone; /* TONE */
    unsigned ms;         /* no longer than this; 0: as long as it is */
};

struct play_request {
    const struct play_item *items;
    unsigned count;
    unsigned loops;       /* how often the whole is played; 0: till it is stopped */
    const char *language; /* of prompts; NULL: that of the leg */
};

struct play_result {
    uint64_t ms;      /* that were heard */
    unsigned missing; /* items that could not be played, or not to their end */
    const char *why;  /* in words; "" when none is missing */
};
/* Runs once, never from inside leg_play(); not after leg_play_stop() and not when the leg ends. What is missing has
 * been published (EVENT_SOUND_MISSING) and is in the log. */
typedef void (*leg_played_fn)(void *arg, const struct play_result *result);

/* Plays to a leg that has media, beside what it hears already. *out is the play as long as there is one: it becomes
 * NULL by itself when it is over, before `done`, and when the leg ends; it must live until then; out may be
 * NULL. 0, or -ENOTCONN (it has none,
 * or has ended). */
int leg_play(struct leg *leg, const struct play_request *request, leg_played_fn done, void *arg, struct leg_play **out);
void leg_play_stop(struct leg_play *play);

/* The language of what is said to it: its account's, or the setting's. */
const char *leg_language(const struct leg *leg);
/* The country of whose tones it hears. */
const char *leg_country(const struct leg *leg);

#endif
