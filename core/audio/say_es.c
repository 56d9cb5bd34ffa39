/* Spanish: "veintiuno", "veintiún mensajes", "doscientas horas", "miércoles veinticinco de noviembre de dos mil
 * veintiséis". Any thread. */
#include "audio/say-priv.h"

static void one_es(struct say_list *list, const char *prefix, enum say_gender gender)
{
    char name[24];
    size_t used = 0;

    str_append(name, sizeof name, &used, "%s%s", prefix,
               gender == SAY_ALONE       ? ""
               : gender == SAY_MASCULINE ? "-masculine"
                                         : "-feminine");
    say_add(list, name);
}

static void below_thousand(struct say_list *list, unsigned n, enum say_gender gender)
{
    unsigned rest = n % 100;

    if (n == 100) {
        say_add(list, "number/100");
    } else if (n > 100 && n < 200) {
        say_add(list, "number/100-and");
    } else if (n >= 200) {
        char name[24];
        size_t used = 0;

        str_append(name, sizeof name, &used, "number/%u%s", n / 100 * 100, gender == SAY_FEMININE ? "-feminine" : "");
        say_add(list, name);
    }
    if (rest >= 30) {
        say_add_number(list, "number/", rest / 10 * 10);
        rest %= 10;
        if (rest)
            say_add(list, "number/and");
    }
    if (rest == 1)
        one_es(list, "number/1", gender);
    else if (rest == 21)
        one_es(list, "number/21", gender);
    else if (rest)
        say_add_number(list, "number/", rest);
}

/* "mil" has no number before it when there is one of them, and shortens it ("veintiún mil"); hundreds agree with what
 * is counted. "millón" is masculine whatever is counted. */
static void number_es(struct say_list *list, unsigned n, enum say_gender gender)
{
    unsigned millions = n / 1000000, thousands = n / 1000 % 1000;

    if (n == 0)
        say_add(list, "number/0");
    if (millions) {
        below_thousand(list, millions, SAY_MASCULINE);
        say_add(list, millions == 1 ? "number/million" : "number/millions");
    }
    if (thousands > 1)
        below_thousand(list, thousands, gender == SAY_FEMININE ? SAY_FEMININE : SAY_MASCULINE);
    if (thousands)
        say_add(list, "number/thousand");
    below_thousand(list, n % 1000, gender);
}

static void ordinal_day_es(struct say_list *list, unsigned day)
{
    if (day == 1)
        say_add(list, "ordinal/1");
    else
        number_es(list, day, SAY_ALONE);
}

static void date_es(struct say_list *list, const struct say_date *date, int weekday)
{
    if (weekday >= 0)
        say_add_number(list, "weekday/", (unsigned)weekday);
    ordinal_day_es(list, date->day);
    say_add(list, "date/of");
    say_add_number(list, "month/", date->month);
    say_add(list, "date/of");
    number_es(list, (unsigned)date->year, SAY_ALONE);
}

static void time_es(struct say_list *list, unsigned hour, unsigned minute, bool half_days)
{
    if (!half_days) {
        say_counted(list, &say_es, hour, SAY_HOUR);
        if (minute) {
            say_add(list, "word/and");
            say_counted(list, &say_es, minute, SAY_MINUTE);
        }
        return;
    }
    number_es(list, say_twelve(hour), SAY_FEMININE);
    if (minute) {
        say_add(list, "word/and");
        number_es(list, minute, SAY_ALONE);
    } else {
        say_add(list, "time/oclock");
    }
    say_add(list, hour < 12 ? "time/am" : "time/pm");
}

static void messages_es(struct say_list *list, unsigned number, bool fresh)
{
    say_counted(list, &say_es, number, SAY_MESSAGE);
    if (number == 1)
        say_add(list, fresh ? "word/new" : "word/old");
    else
        say_add(list, fresh ? "word/new-plural" : "word/old-plural");
}

static void no_messages_es(struct say_list *list)
{
    say_add(list, "voicemail/you-have-no");
    say_add(list, "noun/messages");
}

const struct say_language say_es = {.name = "es",
                                    .feminine = {[SAY_HOUR] = true},
                                    .number = number_es,
                                    .ordinal_day = ordinal_day_es,
                                    .date = date_es,
                                    .time = time_es,
                                    .messages = messages_es,
                                    .no_messages = no_messages_es};
