/* Hold music: whom a phone puts on hold hears the class of that phone's account; who waits alone in a conference that
 * of his own. Signalling thread. */
#ifndef CALL_HOLD_MUSIC_H
#define CALL_HOLD_MUSIC_H

#include "call/leg.h"

struct hold_music;

/* Puts itself into pbx->hold_music. Needs pbx->sounds. */
void hold_music_open(struct pbx *pbx);
/* No call is left. NULL is fine. */
void hold_music_close(struct hold_music *music);

/* Is there music for those whom this leg holds? No: none is configured for it, or nothing of it can be played. */
bool hold_music_has(const struct leg *leg);
/* Which class that is; NULL: none. Valid for this turn of the loop. */
const char *hold_music_of(const struct leg *leg);

#endif
