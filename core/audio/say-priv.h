/* What a language is made of. Inside of the room. */
#ifndef AUDIO_SAY_PRIV_H
#define AUDIO_SAY_PRIV_H

#include "audio/say.h"

/* Appends one name; the list remembers by its count that it is full. */
void say_add(struct say_list *list, const char *name);
/* number/NUMBER, and other names that end with one. */
void say_add_number(struct say_list *list, const char *prefix, unsigned number);

struct say_language {
    char name[3];
    bool feminine[SAY_CALLER + 1]; /* nouns; the others are masculine */
    bool zero_is_one;              /* "zéro message": no plural */
    void (*number)(struct say_list *list, unsigned number, enum say_gender gender);
    void (*ordinal_day)(struct say_list *list, unsigned day);
    void (*date)(struct say_list *list, const struct say_date *date, int weekday); /* -1: without */
    void (*time)(struct say_list *list, unsigned hour, unsigned minute, bool half_days);
    /* "two new messages"; number is not 0 */
    void (*messages)(struct say_list *list, unsigned number, bool fresh);
    void (*no_messages)(struct say_list *list); /* the whole sentence */
};

extern const struct say_language say_en, say_es, say_fr;

/* Of half_days: 13 is 1. */
unsigned say_twelve(unsigned hour);
/* A number with its noun, as the language has it. */
void say_counted(struct say_list *list, const struct say_language *language, unsigned number, enum say_noun noun);

#endif
