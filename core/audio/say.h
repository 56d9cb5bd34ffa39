/* What is said, as lists of prompts: numbers, digits, dates, times, durations and counts by the grammar of a language.
 * Pure functions, any thread. The names are those of dialplan/sounds. Languages: en, es, fr; of "en-GB" the first two
 * letters count. */
#ifndef AUDIO_SAY_H
#define AUDIO_SAY_H

#include "base/base.h"

#define SAY_MAX 64 /* prompts of one list */
#define SAY_NUMBER_MAX 999999999u

struct say_list {
    unsigned count;
    char names[SAY_MAX][24];
};

/* What a number counts: "uno" alone, "un" mensaje, "una" hora. */
enum say_gender { SAY_ALONE, SAY_MASCULINE, SAY_FEMININE };

enum say_noun {
    SAY_MESSAGE,
    SAY_DAY,
    SAY_HOUR,
    SAY_MINUTE,
    SAY_SECOND,
    SAY_PARTICIPANT,
    SAY_CALLER,
};

struct say_date {
    int year;       /* 1000 to 9999 */
    unsigned month; /* 1 to 12 */
    unsigned day;   /* 1 to 31 */
};

/* All of these append to the list and return 0, -ENOENT (no such language), -EINVAL (no such value), -E2BIG (the list
 * is full; what fitted is there). */

/* 0 to SAY_NUMBER_MAX, and down to its negative. */
int say_number(struct say_list *list, const char *language, int64_t number, enum say_gender gender);
/* One by one: 0–9, *, # and +; spaces, dots, hyphens and brackets are passed over. */
int say_digits(struct say_list *list, const char *language, const char *digits);
/* The same with letters and signs; what has no name is passed over. */
int say_spell(struct say_list *list, const char *language, const char *text);
/* "first", "twenty-first"; Spanish and French count on from "dos". */
int say_ordinal_day(struct say_list *list, const char *language, unsigned day);
/* With the weekday, when it is wanted, and the year. */
int say_date(struct say_list *list, const char *language, const struct say_date *date, bool weekday);
/* hours: 24, or 12 with a.m. and p.m. */
int say_time(struct say_list *list, const char *language, unsigned hour, unsigned minute, unsigned hours);
/* Hours, minutes and seconds, without those of which there are none. */
int say_duration(struct say_list *list, const char *language, uint64_t seconds);
/* "one message", "dos mensajes". */
int say_count(struct say_list *list, const char *language, uint64_t number, enum say_noun noun);
/* The whole sentence: "you have two new messages and one old message". */
int say_messages(struct say_list *list, const char *language, unsigned fresh, unsigned old);

#endif
