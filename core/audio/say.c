/* What all languages have in common when they say something: checks, digits, letters, durations, the plural. Their
 * grammar is in say_en.c, say_es.c and say_fr.c. Any thread; knows names of prompts, no sounds. */
#include "audio/say-priv.h"

#include <ctype.h>
#include <stdio.h>

static const struct say_language *const languages[] = {&say_en, &say_es, &say_fr};

static const char *const nouns[][2] = {
    [SAY_MESSAGE] = {"noun/message", "noun/messages"}, [SAY_DAY] = {"noun/day", "noun/days"},
    [SAY_HOUR] = {"noun/hour", "noun/hours"},          [SAY_MINUTE] = {"noun/minute", "noun/minutes"},
    [SAY_SECOND] = {"noun/second", "noun/seconds"},    [SAY_PARTICIPANT] = {"noun/participant", "noun/participants"},
    [SAY_CALLER] = {"noun/caller", "noun/callers"},
};

static const struct say_language *find(const char *name)
{
    for (size_t i = 0; name && i < COUNT_OF(languages); i++)
        if (strncmp(name, languages[i]->name, 2) == 0 && !isalpha((unsigned char)name[2]))
            return languages[i];
    return NULL;
}

void say_add(struct say_list *list, const char *name)
{
    if (list->count < SAY_MAX)
        str_copy(list->names[list->count], sizeof list->names[0], name);
    if (list->count <= SAY_MAX)
        list->count++; /* SAY_MAX + 1: full */
}

void say_add_number(struct say_list *list, const char *prefix, unsigned number)
{
    char name[24];

    snprintf(name, sizeof name, "%s%u", prefix, number);
    say_add(list, name);
}

static int done(struct say_list *list)
{
    if (list->count <= SAY_MAX)
        return 0;
    list->count = SAY_MAX;
    return -E2BIG;
}

unsigned say_twelve(unsigned hour)
{
    return hour % 12 ? hour % 12 : 12;
}

void say_counted(struct say_list *list, const struct say_language *language, unsigned number, enum say_noun noun)
{
    bool one = number == 1 || (number == 0 && language->zero_is_one);

    language->number(list, number, language->feminine[noun] ? SAY_FEMININE : SAY_MASCULINE);
    say_add(list, nouns[noun][!one]);
}

int say_number(struct say_list *list, const char *language, int64_t number, enum say_gender gender)
{
    const struct say_language *l = find(language);

    if (!l)
        return -ENOENT;
    if (number < -(int64_t)SAY_NUMBER_MAX || number > (int64_t)SAY_NUMBER_MAX)
        return -EINVAL;
    if (number < 0)
        say_add(list, "number/minus");
    l->number(list, (unsigned)(number < 0 ? -number : number), gender);
    return done(list);
}

/* NULL: it has no name. */
static const char *sign_name(char c)
{
    static const struct {
        char c;
        const char *name;
    } signs[] = {{'*', "key/star"},      {'#', "key/pound"},     {'+', "letter/plus"},       {'@', "letter/at"},
                 {'-', "letter/dash"},   {'.', "letter/dot"},    {'/', "letter/slash"},      {' ', "letter/space"},
                 {'=', "letter/equals"}, {'$', "letter/dollar"}, {'!', "letter/exclamation"}};

    for (size_t i = 0; i < COUNT_OF(signs); i++)
        if (signs[i].c == c)
            return signs[i].name;
    return NULL;
}

static void spell_one(struct say_list *list, char c)
{
    char letter[] = "letter/?";
    const char *sign = sign_name(c);

    if (c >= '0' && c <= '9') {
        say_add_number(list, "number/", (unsigned)(c - '0'));
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') {
        letter[7] = (char)(c | 0x20);
        say_add(list, letter);
    } else if (sign) {
        say_add(list, sign);
    }
}

int say_digits(struct say_list *list, const char *language, const char *digits)
{
    if (!find(language))
        return -ENOENT;
    if (digits[strspn(digits, "0123456789*#+ .-()/")])
        return -EINVAL;
    for (; *digits; digits++)
        if (!strchr(" .-()/", *digits))
            spell_one(list, *digits);
    return done(list);
}

int say_spell(struct say_list *list, const char *language, const char *text)
{
    if (!find(language))
        return -ENOENT;
    for (; *text; text++)
        spell_one(list, *text);
    return done(list);
}

int say_ordinal_day(struct say_list *list, const char *language, unsigned day)
{
    const struct say_language *l = find(language);

    if (!l)
        return -ENOENT;
    if (day < 1 || day > 31)
        return -EINVAL;
    l->ordinal_day(list, day);
    return done(list);
}

static bool is_date(const struct say_date *date)
{
    static const unsigned char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = date->year % 4 == 0 && (date->year % 100 != 0 || date->year % 400 == 0);

    return date->year >= 1000 && date->year <= 9999 && date->month >= 1 && date->month <= 12 && date->day >= 1 &&
           date->day <= days[date->month - 1] && (date->month != 2 || date->day <= 28 || leap);
}

/* 0 is Sunday. Years begin with March here, so that the day that may be missing is the last. */
static int weekday_of(const struct say_date *date)
{
    static const int before[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
    int year = date->year - (date->month < 3);

    return (year + year / 4 - year / 100 + year / 400 + before[date->month - 1] + (int)date->day) % 7;
}

int say_date(struct say_list *list, const char *language, const struct say_date *date, bool weekday)
{
    const struct say_language *l = find(language);

    if (!l)
        return -ENOENT;
    if (!is_date(date))
        return -EINVAL;
    l->date(list, date, weekday ? weekday_of(date) : -1);
    return done(list);
}

int say_time(struct say_list *list, const char *language, unsigned hour, unsigned minute, unsigned hours)
{
    const struct say_language *l = find(language);

    if (!l)
        return -ENOENT;
    if (hour > 23 || minute > 59 || (hours != 12 && hours != 24))
        return -EINVAL;
    l->time(list, hour, minute, hours == 12);
    return done(list);
}

int say_duration(struct say_list *list, const char *language, uint64_t seconds)
{
    static const enum say_noun units[] = {SAY_HOUR, SAY_MINUTE, SAY_SECOND};
    const struct say_language *l = find(language);
    uint64_t parts[] = {seconds / 3600, seconds / 60 % 60, seconds % 60};
    unsigned said = 0, last = 2;

    if (!l)
        return -ENOENT;
    if (parts[0] > SAY_NUMBER_MAX)
        return -EINVAL;
    while (last > 0 && !parts[last])
        last--;
    if (!seconds)
        last = 2; /* "zero seconds" */
    for (unsigned i = 0; i <= last; i++) {
        if (!parts[i] && (seconds || i != last))
            continue;
        if (said++ && i == last)
            say_add(list, "word/and");
        say_counted(list, l, (unsigned)parts[i], units[i]);
    }
    return done(list);
}

int say_count(struct say_list *list, const char *language, uint64_t number, enum say_noun noun)
{
    const struct say_language *l = find(language);

    if (!l)
        return -ENOENT;
    if (number > SAY_NUMBER_MAX || noun > SAY_CALLER)
        return -EINVAL;
    say_counted(list, l, (unsigned)number, noun);
    return done(list);
}

int say_messages(struct say_list *list, const char *language, unsigned fresh, unsigned old)
{
    const struct say_language *l = find(language);

    if (!l)
        return -ENOENT;
    if (fresh > SAY_NUMBER_MAX || old > SAY_NUMBER_MAX)
        return -EINVAL;
    if (!fresh && !old) {
        l->no_messages(list);
        return done(list);
    }
    say_add(list, "voicemail/you-have");
    if (fresh)
        l->messages(list, fresh, true);
    if (fresh && old)
        say_add(list, "word/and");
    if (old)
        l->messages(list, old, false);
    return done(list);
}
