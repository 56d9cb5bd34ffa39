/* French: "soixante et onze", "quatre-vingts", "quatre-vingt-une minutes", "le premier", "vingt-deux heures cinq". Any
 * thread. Plurals that sound like the singular ("cents", "millions") have one prompt. */
#include "audio/say-priv.h"

static void one_fr(struct say_list *list, enum say_gender gender)
{
    say_add(list, gender == SAY_FEMININE ? "number/1-feminine" : "number/1");
}

/* Tens go in twenties from 60 on: 71 is "soixante et onze", 97 "quatre-vingt-dix-sept". 70 and 90 have prompts. */
static void below_hundred(struct say_list *list, unsigned n, enum say_gender gender)
{
    unsigned tens = n < 60 ? n / 10 * 10 : n / 20 * 20, rest = n - tens;

    if (n == 1) {
        one_fr(list, gender);
    } else if (n <= 20 || n % 10 == 0) {
        say_add_number(list, "number/", n);
    } else {
        say_add_number(list, "number/", tens);
        if (n != 81 && n != 91 && (rest == 1 || rest == 11))
            say_add(list, "number/and");
        if (rest == 1)
            one_fr(list, gender);
        else
            say_add_number(list, "number/", rest);
    }
}

static void below_thousand(struct say_list *list, unsigned n, enum say_gender gender)
{
    if (n >= 200)
        say_add_number(list, "number/", n / 100);
    if (n >= 100)
        say_add(list, "number/hundred");
    if (n % 100)
        below_hundred(list, n % 100, gender);
}

/* Only the last one agrees: "vingt et un mille" whatever is counted. */
static void number_fr(struct say_list *list, unsigned n, enum say_gender gender)
{
    unsigned millions = n / 1000000, thousands = n / 1000 % 1000;

    if (n == 0)
        say_add(list, "number/0");
    if (millions) {
        below_thousand(list, millions, SAY_MASCULINE);
        say_add(list, "number/million");
    }
    if (thousands > 1)
        below_thousand(list, thousands, SAY_MASCULINE);
    if (thousands)
        say_add(list, "number/thousand");
    below_thousand(list, n % 1000, gender);
}

static void ordinal_day_fr(struct say_list *list, unsigned day)
{
    if (day == 1)
        say_add(list, "ordinal/1");
    else
        number_fr(list, day, SAY_MASCULINE);
}

static void date_fr(struct say_list *list, const struct say_date *date, int weekday)
{
    if (weekday >= 0)
        say_add_number(list, "weekday/", (unsigned)weekday);
    ordinal_day_fr(list, date->day);
    say_add_number(list, "month/", date->month);
    number_fr(list, (unsigned)date->year, SAY_ALONE);
}

static void time_fr(struct say_list *list, unsigned hour, unsigned minute, bool half_days)
{
    say_counted(list, &say_fr, half_days ? say_twelve(hour) : hour, SAY_HOUR);
    if (minute)
        number_fr(list, minute, SAY_FEMININE);
    if (half_days)
        say_add(list, hour < 12 ? "time/am" : "time/pm");
}

static void messages_fr(struct say_list *list, unsigned number, bool fresh)
{
    number_fr(list, number, SAY_MASCULINE);
    say_add(list, fresh ? "word/new" : "word/old");
    say_add(list, number == 1 ? "noun/message" : "noun/messages");
}

static void no_messages_fr(struct say_list *list)
{
    say_add(list, "voicemail/no-messages");
}

const struct say_language say_fr = {.name = "fr",
                                    .feminine = {[SAY_HOUR] = true, [SAY_MINUTE] = true, [SAY_SECOND] = true},
                                    .zero_is_one = true,
                                    .number = number_fr,
                                    .ordinal_day = ordinal_day_fr,
                                    .date = date_fr,
                                    .time = time_fr,
                                    .messages = messages_fr,
                                    .no_messages = no_messages_fr};
