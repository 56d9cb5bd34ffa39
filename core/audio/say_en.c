/* English: "one hundred twenty-three", "Wednesday, November twenty-fifth", "ten oh five p.m.". Any thread. */
#include "audio/say-priv.h"

static void below_thousand(struct say_list *list, unsigned n)
{
    if (n >= 100) {
        say_add_number(list, "number/", n / 100);
        say_add(list, "number/hundred");
        n %= 100;
    }
    if (n > 20) {
        say_add_number(list, "number/", n / 10 * 10);
        n %= 10;
    }
    if (n)
        say_add_number(list, "number/", n);
}

static void number_en(struct say_list *list, unsigned n, enum say_gender gender)
{
    if (n == 0)
        say_add(list, "number/0");
    if (n >= 1000000) {
        below_thousand(list, n / 1000000);
        say_add(list, "number/million");
    }
    if (n % 1000000 >= 1000) {
        below_thousand(list, n / 1000 % 1000);
        say_add(list, "number/thousand");
    }
    below_thousand(list, n % 1000);
}

static void ordinal_day_en(struct say_list *list, unsigned day)
{
    if (day > 20 && day % 10) {
        say_add_number(list, "number/", day / 10 * 10);
        day %= 10;
    }
    say_add_number(list, "ordinal/", day);
}

/* "nineteen eighty-four", "nineteen oh five", "nineteen hundred", "two thousand six", "twenty twenty-six". */
static void year_en(struct say_list *list, unsigned year)
{
    unsigned rest = year % 100;

    if (year % 1000 < 10) {
        number_en(list, year, SAY_ALONE);
        return;
    }
    below_thousand(list, year / 100);
    if (rest == 0) {
        say_add(list, "number/hundred");
        return;
    }
    if (rest < 10)
        say_add(list, "number/oh");
    below_thousand(list, rest);
}

static void date_en(struct say_list *list, const struct say_date *date, int weekday)
{
    if (weekday >= 0)
        say_add_number(list, "weekday/", (unsigned)weekday);
    say_add_number(list, "month/", date->month);
    ordinal_day_en(list, date->day);
    year_en(list, (unsigned)date->year);
}

static void time_en(struct say_list *list, unsigned hour, unsigned minute, bool half_days)
{
    number_en(list, half_days ? say_twelve(hour) : hour, SAY_ALONE);
    if (minute == 0 && half_days) {
        say_add(list, "time/oclock");
    } else if (minute == 0) {
        say_add(list, "number/hundred");
        say_add(list, "noun/hours");
    } else {
        if (minute < 10)
            say_add(list, "number/oh");
        below_thousand(list, minute);
    }
    if (half_days)
        say_add(list, hour < 12 ? "time/am" : "time/pm");
}

static void messages_en(struct say_list *list, unsigned number, bool fresh)
{
    number_en(list, number, SAY_MASCULINE);
    say_add(list, fresh ? "word/new" : "word/old");
    say_add(list, number == 1 ? "noun/message" : "noun/messages");
}

static void no_messages_en(struct say_list *list)
{
    say_add(list, "voicemail/you-have");
    say_add(list, "word/no");
    say_add(list, "noun/messages");
}

const struct say_language say_en = {.name = "en",
                                    .number = number_en,
                                    .ordinal_day = ordinal_day_en,
                                    .date = date_en,
                                    .time = time_en,
                                    .messages = messages_en,
                                    .no_messages = no_messages_en};
