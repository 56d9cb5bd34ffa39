/* What is said, as the words of the prompts; and that there is a prompt for everything that may be said. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "audio/prompts.h"
#include "audio/say.h"

static const char *const languages[] = {"en", "es", "fr"};
static struct prompts *catalogues[3];

static struct prompts *load(const char *language)
{
    static char text[65536];
    char path[512], why[160] = "";
    struct prompts *prompts;
    size_t len;
    FILE *file;

    snprintf(path, sizeof path, "%s/dialplan/sounds/%s.txt", getenv("TANDEM_SRC") ? getenv("TANDEM_SRC") : "../..",
             language);
    file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s", path);
    len = fread(text, 1, sizeof text, file);
    ck_assert_uint_lt(len, sizeof text);
    fclose(file);
    ck_assert_msg(prompts_parse(&prompts, text, len, why, sizeof why) == 0, "%s: %s", path, why);
    return prompts;
}

static void setup(void)
{
    for (unsigned i = 0; i < 3; i++)
        catalogues[i] = load(languages[i]);
}

static void teardown(void)
{
    for (unsigned i = 0; i < 3; i++)
        prompts_free(catalogues[i]);
}

static const struct prompts *catalogue(const char *language)
{
    for (unsigned i = 0; i < 3; i++)
        if (strncmp(language, languages[i], 2) == 0)
            return catalogues[i];
    return NULL;
}

/* The words that are heard. Fails when there is no prompt for something. */
static const char *words(const char *language, const struct say_list *list)
{
    static char text[2000];
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < list->count; i++) {
        const char *said = prompts_words(catalogue(language), list->names[i]);

        ck_assert_msg(said != NULL, "%s has no prompt %s", language, list->names[i]);
        str_append(text, sizeof text, &used, "%s%s", i ? " " : "", said);
    }
    return text;
}

#define SAYS(language, call, want)                                                                                     \
    do {                                                                                                               \
        struct say_list list = {0};                                                                                    \
        ck_assert_int_eq(call, 0);                                                                                     \
        ck_assert_str_eq(words(language, &list), want);                                                                \
    } while (0)

static const struct {
    const char *language;
    int64_t number;
    enum say_gender gender;
    const char *words;
} numbers[] = {
    {"en", 0, SAY_ALONE, "zero"},
    {"en", 7, SAY_ALONE, "seven"},
    {"en", 20, SAY_ALONE, "twenty"},
    {"en", 21, SAY_ALONE, "twenty one"},
    {"en", 100, SAY_ALONE, "one hundred"},
    {"en", 115, SAY_ALONE, "one hundred fifteen"},
    {"en", 1000, SAY_ALONE, "one thousand"},
    {"en", 12345, SAY_ALONE, "twelve thousand three hundred forty five"},
    {"en", 1000001, SAY_ALONE, "one million one"},
    {"en", 999999999, SAY_ALONE,
     "nine hundred ninety nine million nine hundred ninety nine thousand nine hundred ninety nine"},
    {"en", -40, SAY_ALONE, "minus forty"},
    {"es", 0, SAY_ALONE, "cero"},
    {"es", 1, SAY_ALONE, "uno"},
    {"es", 1, SAY_MASCULINE, "un"},
    {"es", 1, SAY_FEMININE, "una"},
    {"es", 16, SAY_ALONE, "dieciséis"},
    {"es", 21, SAY_ALONE, "veintiuno"},
    {"es", 21, SAY_MASCULINE, "veintiún"},
    {"es", 21, SAY_FEMININE, "veintiuna"},
    {"es", 22, SAY_ALONE, "veintidós"},
    {"es", 30, SAY_ALONE, "treinta"},
    {"es", 31, SAY_ALONE, "treinta y uno"},
    {"es", 31, SAY_FEMININE, "treinta y una"},
    {"es", 99, SAY_ALONE, "noventa y nueve"},
    {"es", 100, SAY_ALONE, "cien"},
    {"es", 101, SAY_ALONE, "ciento uno"},
    {"es", 200, SAY_MASCULINE, "doscientos"},
    {"es", 200, SAY_FEMININE, "doscientas"},
    {"es", 555, SAY_ALONE, "quinientos cincuenta y cinco"},
    {"es", 1000, SAY_ALONE, "mil"},
    {"es", 1001, SAY_ALONE, "mil uno"},
    {"es", 2000, SAY_ALONE, "dos mil"},
    {"es", 2026, SAY_ALONE, "dos mil veintiséis"},
    {"es", 21000, SAY_ALONE, "veintiún mil"},
    {"es", 31000, SAY_ALONE, "treinta y un mil"},
    {"es", 100000, SAY_ALONE, "cien mil"},
    {"es", 200200, SAY_FEMININE, "doscientas mil doscientas"},
    {"es", 1000000, SAY_ALONE, "un millón"},
    {"es", 2000000, SAY_FEMININE, "dos millones"},
    {"es", 21000000, SAY_ALONE, "veintiún millones"},
    {"es", 200000000, SAY_FEMININE, "doscientos millones"},
    {"es", 999999999, SAY_ALONE,
     "novecientos noventa y nueve millones novecientos noventa y nueve mil novecientos noventa y nueve"},
    {"fr", 0, SAY_ALONE, "zéro"},
    {"fr", 1, SAY_ALONE, "un"},
    {"fr", 1, SAY_FEMININE, "une"},
    {"fr", 17, SAY_ALONE, "dix-sept"},
    {"fr", 21, SAY_ALONE, "vingt et un"},
    {"fr", 21, SAY_FEMININE, "vingt et une"},
    {"fr", 22, SAY_ALONE, "vingt deux"},
    {"fr", 61, SAY_FEMININE, "soixante et une"},
    {"fr", 69, SAY_ALONE, "soixante neuf"},
    {"fr", 70, SAY_ALONE, "soixante-dix"},
    {"fr", 71, SAY_ALONE, "soixante et onze"},
    {"fr", 71, SAY_FEMININE, "soixante et onze"},
    {"fr", 72, SAY_ALONE, "soixante douze"},
    {"fr", 77, SAY_ALONE, "soixante dix-sept"},
    {"fr", 80, SAY_ALONE, "quatre-vingt"},
    {"fr", 81, SAY_ALONE, "quatre-vingt un"},
    {"fr", 81, SAY_FEMININE, "quatre-vingt une"},
    {"fr", 90, SAY_ALONE, "quatre-vingt-dix"},
    {"fr", 91, SAY_ALONE, "quatre-vingt onze"},
    {"fr", 99, SAY_ALONE, "quatre-vingt dix-neuf"},
    {"fr", 100, SAY_ALONE, "cent"},
    {"fr", 101, SAY_FEMININE, "cent une"},
    {"fr", 200, SAY_ALONE, "deux cent"},
    {"fr", 1000, SAY_ALONE, "mille"},
    {"fr", 1001, SAY_ALONE, "mille un"},
    {"fr", 2000, SAY_ALONE, "deux mille"},
    {"fr", 21000, SAY_FEMININE, "vingt et un mille"},
    {"fr", 80000, SAY_ALONE, "quatre-vingt mille"},
    {"fr", 1000000, SAY_ALONE, "un million"},
    {"fr", 3000171, SAY_ALONE, "trois million cent soixante et onze"},
    {"fr", -5, SAY_ALONE, "moins cinq"},
};

START_TEST(numbers_are_said_as_the_language_has_them)
{
    SAYS(numbers[_i].language, say_number(&list, numbers[_i].language, numbers[_i].number, numbers[_i].gender),
         numbers[_i].words);
}
END_TEST

START_TEST(there_is_a_prompt_for_every_number)
{
    for (unsigned l = 0; l < 3; l++)
        for (int64_t n = 0; n <= 999999999; n = n < 3000 ? n + 1 : n * 7 / 5 + 13)
            for (enum say_gender gender = SAY_ALONE; gender <= SAY_FEMININE; gender++) {
                struct say_list list = {0};

                ck_assert_int_eq(say_number(&list, languages[l], n, gender), 0);
                ck_assert_uint_gt(list.count, 0);
                words(languages[l], &list);
            }
}
END_TEST

START_TEST(there_is_a_prompt_for_every_date_and_time)
{
    for (unsigned l = 0; l < 3; l++) {
        for (unsigned month = 1; month <= 12; month++)
            for (unsigned day = 1; day <= 31; day++) {
                struct say_date date = {1999 + (int)(day + month), month, day};
                struct say_list list = {0};

                if (say_date(&list, languages[l], &date, true) == 0)
                    words(languages[l], &list);
                else
                    ck_assert_uint_gt(day, 28);
            }
        for (unsigned minute = 0; minute < 24 * 60; minute++)
            for (unsigned hours = 12; hours <= 24; hours += 12) {
                struct say_list list = {0};

                ck_assert_int_eq(say_time(&list, languages[l], minute / 60, minute % 60, hours), 0);
                words(languages[l], &list);
            }
        for (enum say_noun noun = SAY_MESSAGE; noun <= SAY_CALLER; noun++)
            for (unsigned n = 0; n < 3; n++) {
                struct say_list list = {0};

                ck_assert_int_eq(say_count(&list, languages[l], n, noun), 0);
                words(languages[l], &list);
            }
    }
}
END_TEST

START_TEST(digits_are_said_one_by_one)
{
    struct say_list none = {0};

    SAYS("en", say_digits(&list, "en", "+1 (20)-3*#"), "plus one two zero three star pound");
    SAYS("es", say_digits(&list, "es", "201"), "dos cero uno");
    SAYS("fr", say_digits(&list, "fr-CA", "90"), "neuf zéro");
    ck_assert_int_eq(say_digits(&none, "en", "12a"), -EINVAL);
    ck_assert_uint_eq(none.count, 0);
}
END_TEST

START_TEST(letters_and_signs_are_spelled)
{
    SAYS("en", say_spell(&list, "en", "Bob-7@x.io"), "b o b dash seven at x dot i o");
    SAYS("es", say_spell(&list, "es", "a@b"), "a arroba b");
    SAYS("fr", say_spell(&list, "fr", "a\xc3\xa9~b"), "a b"); /* no names for these */
}
END_TEST

START_TEST(ordinal_days)
{
    SAYS("en", say_ordinal_day(&list, "en", 1), "first");
    SAYS("en", say_ordinal_day(&list, "en", 12), "twelfth");
    SAYS("en", say_ordinal_day(&list, "en", 20), "twentieth");
    SAYS("en", say_ordinal_day(&list, "en", 22), "twenty second");
    SAYS("en", say_ordinal_day(&list, "en", 30), "thirtieth");
    SAYS("en", say_ordinal_day(&list, "en", 31), "thirty first");
    SAYS("es", say_ordinal_day(&list, "es", 1), "primero");
    SAYS("es", say_ordinal_day(&list, "es", 21), "veintiuno");
    SAYS("fr", say_ordinal_day(&list, "fr", 1), "premier");
    SAYS("fr", say_ordinal_day(&list, "fr", 31), "trente et un");
}
END_TEST

START_TEST(dates)
{
    static const struct say_date date = {2026, 11, 25}, first = {2004, 2, 29}, old = {1905, 1, 1};

    SAYS("en", say_date(&list, "en", &date, true), "Wednesday November twenty fifth twenty twenty six");
    SAYS("en", say_date(&list, "en", &first, false), "February twenty ninth two thousand four");
    SAYS("en", say_date(&list, "en", &old, true), "Sunday January first nineteen oh five");
    SAYS("en", say_date(&list, "en", (&(struct say_date){1900, 3, 3}), false), "March third nineteen hundred");
    SAYS("en", say_date(&list, "en", (&(struct say_date){2010, 3, 3}), false), "March third twenty ten");
    SAYS("es", say_date(&list, "es", &date, true), "miércoles veinticinco de noviembre de dos mil veintiséis");
    SAYS("es", say_date(&list, "es", &old, false), "primero de enero de mil novecientos cinco");
    SAYS("fr", say_date(&list, "fr", &date, true), "mercredi vingt cinq novembre deux mille vingt six");
    SAYS("fr", say_date(&list, "fr", &old, true), "dimanche premier janvier mille neuf cent cinq");
}
END_TEST

START_TEST(dates_that_do_not_exist_are_not_said)
{
    static const struct say_date wrong[] = {{2026, 2, 29}, {1900, 2, 29}, {2026, 4, 31}, {2026, 13, 1},
                                            {2026, 0, 1},  {2026, 1, 0},  {999, 1, 1},   {10000, 1, 1}};
    struct say_list list = {0};

    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        ck_assert_int_eq(say_date(&list, "en", &wrong[i], true), -EINVAL);
    ck_assert_int_eq(say_date(&list, "en", &(struct say_date){2000, 2, 29}, true), 0);
    list.count = 0;
    ck_assert_int_eq(say_time(&list, "en", 24, 0, 24), -EINVAL);
    ck_assert_int_eq(say_time(&list, "en", 1, 60, 24), -EINVAL);
    ck_assert_int_eq(say_time(&list, "en", 1, 1, 13), -EINVAL);
    ck_assert_int_eq(say_ordinal_day(&list, "en", 32), -EINVAL);
    ck_assert_int_eq(say_number(&list, "en", 1000000000, SAY_ALONE), -EINVAL);
    ck_assert_int_eq(say_number(&list, "de", 1, SAY_ALONE), -ENOENT);
    ck_assert_int_eq(say_number(&list, "english", 1, SAY_ALONE), -ENOENT);
    ck_assert_int_eq(say_number(&list, "", 1, SAY_ALONE), -ENOENT);
    ck_assert_uint_eq(list.count, 0);
}
END_TEST

START_TEST(times)
{
    SAYS("en", say_time(&list, "en", 22, 5, 12), "ten oh five P.M.");
    SAYS("en", say_time(&list, "en", 0, 30, 12), "twelve thirty A.M.");
    SAYS("en", say_time(&list, "en", 12, 0, 12), "twelve o'clock P.M.");
    SAYS("en", say_time(&list, "en", 22, 44, 24), "twenty two forty four");
    SAYS("en", say_time(&list, "en", 14, 0, 24), "fourteen hundred hours");
    SAYS("es", say_time(&list, "es", 22, 44, 24), "veintidós horas y cuarenta y cuatro minutos");
    SAYS("es", say_time(&list, "es", 1, 1, 24), "una hora y un minuto");
    SAYS("es", say_time(&list, "es", 21, 0, 24), "veintiuna horas");
    SAYS("es", say_time(&list, "es", 13, 0, 12), "una en punto p.m.");
    SAYS("es", say_time(&list, "es", 9, 21, 12), "nueve y veintiuno a.m.");
    SAYS("fr", say_time(&list, "fr", 22, 44, 24), "vingt deux heures quarante quatre");
    SAYS("fr", say_time(&list, "fr", 1, 1, 24), "une heure une");
    SAYS("fr", say_time(&list, "fr", 0, 15, 24), "zéro heure quinze");
    SAYS("fr", say_time(&list, "fr", 21, 0, 24), "vingt et une heures");
    SAYS("fr", say_time(&list, "fr", 15, 0, 12), "trois heures p.m.");
}
END_TEST

START_TEST(durations)
{
    SAYS("en", say_duration(&list, "en", 0), "zero seconds");
    SAYS("en", say_duration(&list, "en", 1), "one second");
    SAYS("en", say_duration(&list, "en", 3600), "one hour");
    SAYS("en", say_duration(&list, "en", 7325), "two hours two minutes and five seconds");
    SAYS("en", say_duration(&list, "en", 3601), "one hour and one second");
    SAYS("es", say_duration(&list, "es", 75661), "veintiuna horas un minuto y un segundo");
    SAYS("fr", say_duration(&list, "fr", 4861), "une heure vingt et une minutes et une seconde");
    SAYS("fr", say_duration(&list, "fr", 0), "zéro seconde");
}
END_TEST

START_TEST(what_is_counted_agrees_with_its_number)
{
    SAYS("en", say_count(&list, "en", 1, SAY_MESSAGE), "one message");
    SAYS("en", say_count(&list, "en", 2, SAY_MESSAGE), "two messages");
    SAYS("en", say_count(&list, "en", 0, SAY_CALLER), "zero callers");
    SAYS("es", say_count(&list, "es", 1, SAY_MESSAGE), "un mensaje");
    SAYS("es", say_count(&list, "es", 21, SAY_MESSAGE), "veintiún mensajes");
    SAYS("es", say_count(&list, "es", 201, SAY_HOUR), "doscientas una horas");
    SAYS("fr", say_count(&list, "fr", 0, SAY_MESSAGE), "zéro message");
    SAYS("fr", say_count(&list, "fr", 1, SAY_MINUTE), "une minute");
    SAYS("fr", say_count(&list, "fr", 81, SAY_SECOND), "quatre-vingt une secondes");
}
END_TEST

START_TEST(a_mailbox_says_what_is_in_it)
{
    SAYS("en", say_messages(&list, "en", 2, 1), "You have two new messages and one old message");
    SAYS("en", say_messages(&list, "en", 0, 0), "You have no messages");
    SAYS("en", say_messages(&list, "en", 0, 5), "You have five old messages");
    SAYS("es", say_messages(&list, "es", 1, 21), "Usted tiene un mensaje nuevo y veintiún mensajes viejos");
    SAYS("es", say_messages(&list, "es", 0, 0), "Usted no tiene mensajes");
    SAYS("fr", say_messages(&list, "fr", 1, 3), "Vous avez un nouveau message et trois ancien messages");
    SAYS("fr", say_messages(&list, "fr", 0, 0), "Vous n'avez aucun message.");
}
END_TEST

START_TEST(a_list_that_is_full_says_so)
{
    struct say_list list = {0};
    int err = 0;

    for (unsigned i = 0; i < SAY_MAX && !err; i++)
        err = say_number(&list, "en", 777, SAY_ALONE);
    ck_assert_int_eq(err, -E2BIG);
    ck_assert_uint_eq(list.count, SAY_MAX);
    ck_assert_int_eq(say_number(&list, "en", 7, SAY_ALONE), -E2BIG);
}
END_TEST

START_TEST(languages_have_the_same_prompts_but_for_grammar)
{
    static const char *const grammar[] = {
        "number/", "ordinal/", "date/of", "time/oclock", "word/", "voicemail/you-have-no", "voicemail/no-messages"};

    for (unsigned l = 0; l < 3; l++)
        for (size_t i = 0; prompts_name(catalogues[l], i); i++)
            for (unsigned other = 0; other < 3; other++) {
                const char *name = prompts_name(catalogues[l], i);
                bool excused = false;

                for (size_t g = 0; g < COUNT_OF(grammar); g++)
                    excused = excused || strncmp(name, grammar[g], strlen(grammar[g])) == 0;
                ck_assert_msg(excused || prompts_words(catalogues[other], name), "%s lacks %s", languages[other], name);
            }
}
END_TEST

static bool path_is(const struct prompts *prompts, const struct prompt_places *places, const char *name, unsigned index,
                    const char *want)
{
    char path[200];

    return prompts_path(prompts, places, name, index, path, sizeof path) == 0 && strcmp(path, want) == 0;
}

START_TEST(a_sites_own_recordings_come_first_and_a_machine_last)
{
    static const struct prompt_places places = {.site = "/s", .recorded = "/r", .generated = "/g", .language = "en"};
    static const struct prompt_places bare = {.language = "en"};
    char path[200];
    unsigned last = 0;

    ck_assert(path_is(catalogues[0], &places, "number/7", 0, "/s/en/number/7.opus"));
    while (prompts_path(catalogues[0], &places, "number/7", last, path, sizeof path) == 0)
        last++;
    ck_assert(path_is(catalogues[0], &places, "number/7", last - 1, "/g/en/number/7.wav"));
    ck_assert(path_is(catalogues[0], &places, "number/7", last - 2, "/r/digits/7.wav"));
    ck_assert(path_is(catalogues[0], &places, "number/7", last - 3, "/r/digits/7.g722"));
    ck_assert(path_is(catalogues[0], &bare, "number/7", 0, "/usr/share/asterisk/sounds/en_US_f_Allison/digits/7.g722"));
    ck_assert_int_eq(prompts_path(catalogues[0], &bare, "number/7", 2, path, sizeof path), -ENOENT);
    /* What nobody recorded, and what only a site knows. */
    ck_assert(path_is(catalogues[0], &(struct prompt_places){.generated = "/g", .language = "en"}, "call/closed", 0,
                      "/g/en/call/closed.wav"));
    ck_assert(path_is(NULL, &places, "our-shop", 5, "/s/en/our-shop.wav"));
    ck_assert_int_eq(prompts_path(NULL, &bare, "our-shop", 0, path, sizeof path), -ENOENT);
    ck_assert_int_eq(prompts_path(catalogues[0], &places, "number/7", 0, path, 10), -E2BIG);
}
END_TEST

START_TEST(no_name_leads_out_of_its_directory)
{
    static const char *const names[] = {"../secret", "/etc/passwd", "a/../b", "a//b", "a/",
                                        "",          ".hidden",     "a b",    "a\n"};
    static const struct prompt_places places = {.site = "/s", .language = "en"};
    char path[200];

    for (size_t i = 0; i < COUNT_OF(names); i++)
        ck_assert_int_eq(prompts_path(NULL, &places, names[i], 0, path, sizeof path), -EINVAL);
}
END_TEST

START_TEST(a_broken_catalogue_is_refused_with_its_line)
{
    static const struct {
        const char *text, *why;
    } broken[] = {{"number/1 | digits/1 | one\n\nnumber/2 | two\n", "line 3"},
                  {"number/1 | digits/1 | \n", "line 1"},
                  {"a | b | c | d\n", "line 1"},
                  {"# fine\n../a | b | c\n", "line 2"},
                  {"a | ../b | c\n", "recorded"},
                  {"a | b | c\na | d | e\n", "twice"}};
    struct prompts *prompts;
    char why[160];

    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        ck_assert_int_eq(prompts_parse(&prompts, broken[i].text, strlen(broken[i].text), why, sizeof why), -EINVAL);
        ck_assert_msg(strstr(why, broken[i].why) != NULL, "%s", why);
        ck_assert_ptr_null(prompts);
    }
    ck_assert_int_eq(prompts_parse(&prompts, "", 0, why, sizeof why), 0);
    ck_assert_uint_eq(prompts_count(prompts), 0);
    ck_assert_ptr_null(prompts_words(prompts, "a"));
    prompts_free(prompts);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("say");
    TCase *tc = tcase_create("say");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, numbers_are_said_as_the_language_has_them, 0, (int)COUNT_OF(numbers));
    tcase_add_test(tc, there_is_a_prompt_for_every_number);
    tcase_add_test(tc, there_is_a_prompt_for_every_date_and_time);
    tcase_add_test(tc, digits_are_said_one_by_one);
    tcase_add_test(tc, letters_and_signs_are_spelled);
    tcase_add_test(tc, ordinal_days);
    tcase_add_test(tc, dates);
    tcase_add_test(tc, dates_that_do_not_exist_are_not_said);
    tcase_add_test(tc, times);
    tcase_add_test(tc, durations);
    tcase_add_test(tc, what_is_counted_agrees_with_its_number);
    tcase_add_test(tc, a_mailbox_says_what_is_in_it);
    tcase_add_test(tc, a_list_that_is_full_says_so);
    tcase_add_test(tc, languages_have_the_same_prompts_but_for_grammar);
    tcase_add_test(tc, a_sites_own_recordings_come_first_and_a_machine_last);
    tcase_add_test(tc, no_name_leads_out_of_its_directory);
    tcase_add_test(tc, a_broken_catalogue_is_refused_with_its_line);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
