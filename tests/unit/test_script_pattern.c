/* Which extension a dialled string means, and Lua's string patterns with their budget. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "script/extension.h"
#include "script/literals.h"
#include "script/pattern.h"

/* --- extensions -------------------------------------------------------------------------------------------------- */

START_TEST(patterns_mean_what_their_letters_say)
{
    static const struct {
        const char *pattern, *dialled;
        bool matches;
    } cases[] = {
        {"201", "201", true},     {"201", "2011", false},  {"_2XX", "200", true},    {"_2XX", "299", true},
        {"_2XX", "20", false},    {"_2XX", "2000", false}, {"_2XX", "2a0", false},   {"_Z", "0", false},
        {"_Z", "1", true},        {"_N", "1", false},      {"_N", "2", true},        {"_[1-5]0", "50", true},
        {"_[1-5]0", "60", false}, {"_[*#7-9]", "#", true}, {"_[*#7-9]", "6", false}, {"_0.", "0", false},
        {"_0.", "01", true},      {"_0!", "0", true},      {"_0!", "0123", true},    {"_.", "anna.b", true},
        {"_.", "", false},        {"_!", "", true},        {"_+44X", "+445", true},  {"_a-b", "a-b", true},
        {"_[a-]", "-", true},     {"_x", "x", true},       {"_x", "1", false},       {"_.", "\xc3\xa4rger", true},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *why;

        ck_assert_msg(extension_check(cases[i].pattern, &why) == 0, "%s: %s", cases[i].pattern, why);
        ck_assert_msg(extension_matches(cases[i].pattern, cases[i].dialled) == cases[i].matches, "%s and %s",
                      cases[i].pattern, cases[i].dialled);
    }
}
END_TEST

START_TEST(malformed_patterns_are_refused_with_a_reason)
{
    static const char *const bad[] = {"", "_", "_.1", "_!!", "_[12", "_[]", "_[9-1]"};

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *why = NULL;

        ck_assert_msg(extension_check(bad[i], &why) == -EINVAL, "%s", bad[i]);
        ck_assert_ptr_nonnull(why);
        extension_matches(bad[i], "123"); /* must not read past its end either */
    }
}
END_TEST

START_TEST(the_most_specific_extension_wins_in_whatever_order_they_are_declared)
{
    static const char *const ordered[] = {"2012", "_2012", "_201[1-5]", "_201N", "_201Z", "_201X", "_2X12",
                                          "_2X.", "_2.",   "_2!",       "_X!",   "_.",    "_!"};
    struct extension_table table = {0};
    char why[200];

    for (size_t i = 0; i < COUNT_OF(ordered); i++) /* 7 and 13 have no common divisor: every one, in disorder */
        extension_table_add(&table, "c", ordered[i * 7 % COUNT_OF(ordered)], (int)(i * 7 % COUNT_OF(ordered)), "f:1");
    extension_table_add(&table, "b", "_.", 100, "f:1");
    extension_table_add(&table, "d", "_.", 100, "f:1");
    ck_assert_int_eq(extension_table_sort(&table, why, sizeof why), 0);
    for (size_t i = 0; i < COUNT_OF(ordered); i++) {
        const struct extension *found = extension_find(&table, "c", "2012");

        ck_assert_ptr_nonnull(found);
        ck_assert_str_eq(found->pattern, ordered[i]);
        for (size_t k = 0; k < table.count; k++) { /* take it out: the next one must be found */
            if (&table.items[k] == found) {
                free(table.items[k].context);
                free(table.items[k].pattern);
                memmove(&table.items[k], &table.items[k + 1], (table.count - k - 1) * sizeof *table.items);
                table.count--;
                break;
            }
        }
    }
    ck_assert_ptr_null(extension_find(&table, "c", "2012"));
    ck_assert_ptr_null(extension_find(&table, "a", "2012"));
    ck_assert_int_eq(extension_find(&table, "b", "2012")->fn, 100);
    extension_table_free(&table);
}
END_TEST

START_TEST(every_literal_of_many_is_found)
{
    struct extension_table table = {0};
    char why[200];
    char name[16];

    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "%d", i * 7919 % 2000);
        extension_table_add(&table, i % 2 ? "odd" : "even", name, i, "f:1");
    }
    ck_assert_int_eq(extension_table_sort(&table, why, sizeof why), 0);
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "%d", i * 7919 % 2000);
        ck_assert_int_eq(extension_find(&table, i % 2 ? "odd" : "even", name)->fn, i);
        ck_assert_ptr_null(extension_find(&table, i % 2 ? "even" : "odd", name));
    }
    extension_table_free(&table);
}
END_TEST

START_TEST(a_pattern_declared_twice_is_found)
{
    struct extension_table table = {0};
    char why[200] = "";

    extension_table_add(&table, "c", "_2X", 1, "f:1");
    extension_table_add(&table, "d", "_2X", 2, "f:2");
    extension_table_add(&table, "c", "_2X", 3, "f:3");
    ck_assert_int_eq(extension_table_sort(&table, why, sizeof why), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "extension \"_2X\" in context \"c\" is defined a second time"));
    ck_assert_ptr_nonnull(strstr(why, "f:1"));
    ck_assert_ptr_nonnull(strstr(why, "f:3"));
    extension_table_free(&table);
}
END_TEST

START_TEST(a_dialled_underscore_does_not_name_a_pattern)
{
    struct extension_table table = {0};
    char why[200];

    extension_table_add(&table, "c", "_2X", 1, "f:1");
    ck_assert_int_eq(extension_table_sort(&table, why, sizeof why), 0);
    ck_assert_ptr_null(extension_find(&table, "c", "_2X"));
    extension_table_free(&table);
}
END_TEST

static int dialled(const struct extension_table *table, const char *context, const char *number)
{
    const struct extension *found = extension_find(table, context, number);

    return found ? found->fn : -1;
}

START_TEST(what_a_context_includes_is_found_in_it_and_the_most_specific_wins)
{
    struct extension_table table = {0};
    char why[200];

    extension_table_add(&table, "internal", "_.", 1, "f:1");
    extension_table_add(&table, "internal", "*43", 2, "f:1");
    extension_table_add(&table, "internal", "_2X", 3, "f:1");
    extension_table_add(&table, "features", "_*X", 4, "f:1");
    extension_table_add(&table, "features", "*43", 5, "f:1");
    extension_table_add(&table, "features", "_X2", 6, "f:1");
    extension_table_add(&table, "outside", "_0.", 7, "f:1");
    extension_table_include(&table, "internal", "features", "f:2");
    extension_table_include(&table, "internal", "features", "f:2");
    extension_table_include(&table, "features", "outside", "f:3");
    extension_table_include(&table, "outside", "internal", "f:4"); /* round and round */
    extension_table_include(&table, "alias", "outside", "f:5");    /* has nothing of its own */
    ck_assert_int_eq(extension_table_sort(&table, why, sizeof why), 0);
    ck_assert_int_eq(dialled(&table, "internal", "*43"), 2); /* the same in both: the nearer */
    ck_assert_int_eq(dialled(&table, "features", "*43"), 5);
    ck_assert_int_eq(dialled(&table, "internal", "*1"), 4); /* before the nearer one that takes everything */
    ck_assert_int_eq(dialled(&table, "internal", "22"), 3);
    ck_assert_int_eq(dialled(&table, "internal", "32"), 6);
    ck_assert_int_eq(dialled(&table, "internal", "0123"), 7); /* over two includes */
    ck_assert_int_eq(dialled(&table, "alias", "*43"), 2);
    ck_assert_int_eq(dialled(&table, "alias", "abc"), 1);
    ck_assert_int_eq(dialled(&table, "nowhere", "*43"), -1);
    extension_table_free(&table);
}
END_TEST

START_TEST(an_included_context_without_extensions_is_a_mistake)
{
    struct extension_table table = {0};
    char why[200];

    extension_table_add(&table, "internal", "_.", 1, "f:1");
    extension_table_include(&table, "internal", "featuers", "f:2");
    ck_assert_int_eq(extension_table_sort(&table, why, sizeof why), -EINVAL);
    ck_assert_str_eq(why, "f:2: context \"internal\" includes \"featuers\", and no extension is in that");
    extension_table_free(&table);
}
END_TEST

/* --- string literals --------------------------------------------------------------------------------------------- */

static void collect(void *arg, const char *text, size_t len)
{
    char *all = arg;
    size_t used = strlen(all);

    str_append(all, 1000, &used, "%s|", text);
}

START_TEST(the_texts_of_a_source_are_found_as_lua_reads_them)
{
    static const struct {
        const char *source, *texts;
    } cases[] = {
        {"f('a', \"b\")", "a|b|"},
        {"-- 'no'\nf 'yes' --[[ 'no'\n'no' ]] f'too'--[==[ ]] 'no' ]==]'end'", "yes|too|end|"},
        {"[[long]] [==[with ]] and ]=] in it]==]", "long|with ]] and ]=] in it|"},
        {"[[\nfirst line end is no part\n]] [[\r\nx]]", "first line end is no part\n|x|"},
        {"[[a\r\nb\rc\n\rd]]", "a\nb\nc\nd|"},
        {"'it\\'s' \"say \\\"x\\\"\"", "it's|say \"x\"|"},
        {"'a\\tb\\65\\x42\\0671\\\\'", "a\tbAB"
                                       "C1\\|"},
        {"'a\\z  \n  b' 'c\\\nd'", "ab|c\nd|"},
        {"a[b[1]] = 'x' .. t[ [[k]] ]", "x|k|"},
        {"'no end\n' 'x'", " |"}, /* what is no Lua is not loaded either */
        {"[[no end", ""},
        {"'no end", ""},
        {"'\\", ""},
        {"--[[", ""},
        {"", ""},
    };
    char all[1000];

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        all[0] = '\0';
        literals_each(cases[i].source, strlen(cases[i].source), collect, all);
        ck_assert_msg(strcmp(all, cases[i].texts) == 0, "%s gives %s", cases[i].source, all);
    }
}
END_TEST

static void collect_call(void *arg, const char *name, unsigned line)
{
    char *all = arg;
    size_t used = strlen(all);

    str_append(all, 1000, &used, "%s %u|", name, line);
}

static void count_calls(void *arg, const char *name, unsigned line)
{
    unsigned *last = arg;

    ck_assert_uint_eq(line, *last + 1);
    *last = line;
}

START_TEST(calls_of_methods_are_found_with_their_lines)
{
    static const char text[] = "call:dial{ to = '1' } -- call:no()\n"
                               "x.call:no() local s = [[\ncall:no()\n]] call : hangup ()\n"
                               "\n  call:play'a' if a..call:say(1) then goto call ::no:: end";
    static const char line[] = "call:x()\n";
    unsigned lines = 100000, last = 0;
    char all[1000] = "", *source = mem_new(lines * strlen(line));

    methods_each(text, strlen(text), "call", collect_call, all);
    ck_assert_str_eq(all, "dial 1|hangup 4|play 6|say 6|");
    for (unsigned i = 0; i < lines; i++)
        memcpy(source + i * strlen(line), line, strlen(line));
    methods_each(source, lines * strlen(line), "call", count_calls, &last); /* the loop waits for it */
    ck_assert_uint_eq(last, lines);
    free(source);
}
END_TEST

START_TEST(sql_of_a_source_is_what_begins_like_a_statement)
{
    static const char source[] =
        "q('SELECT a') q(' \\n with x as (select 1) select') q('insert') q('selection') q('SET x') "
        "q('DROP TABLE a') q('COPY a TO PROGRAM') q('(values (1))') q('SELECT 1\\0 more')";
    struct literal_set set = {0};

    literals_add(&set, source, strlen(source));
    literals_sort(&set);
    ck_assert_uint_eq(set.count, 4);
    ck_assert(literals_have(&set, "SELECT a"));
    ck_assert(literals_have(&set, "insert"));
    ck_assert(literals_have(&set, "(values (1))"));
    ck_assert(!literals_have(&set, "SELECT b"));
    ck_assert(!literals_have(&set, "SELECT 1"));
    ck_assert(!literals_have(&set, "DROP TABLE a"));
    literals_free(&set);
}
END_TEST

/* --- Lua's string patterns --------------------------------------------------------------------------------------- */

/* The whole match, or what went wrong. */
static const char *matched(const char *subject, const char *pattern)
{
    static char text[256];
    struct pattern_match m;
    int found;

    pattern_init(&m, subject, strlen(subject), pattern, strlen(pattern), 100000);
    found = pattern_find(&m, subject, true);
    if (found < 0)
        return m.error;
    if (!found)
        return "(none)";
    str_copy_n(text, sizeof text, m.start, (size_t)(m.end - m.start));
    return text;
}

START_TEST(string_patterns_match_as_the_manual_says)
{
    static const char *const cases[][3] = {
        {"hello world", "o w", "o w"},
        {"hello", "^h", "h"},
        {"hello", "^e", "(none)"},
        {"hello", "l+", "ll"},
        {"hello", "l-o", "llo"},
        {"hello", "lx*o", "lo"},
        {"hello", "hx?e", "he"},
        {"hello", "o$", "o"},
        {"a$b", "a$b", "a$b"},
        {"tel 0301234 x", "%d+", "0301234"},
        {"abc123", "%D+", "abc"},
        {"key = value", "(%w+)%s*=%s*(%w+)", "key = value"},
        {"f(a(b)c)d", "%b()", "(a(b)c)"},
        {"THE (quick) fox", "%f[%a]%a+", "THE"},
        {"x]y", "[]]", "]"},
        {"x]y", "[^]]+", "x"},
        {"a-z", "[a%-z]+", "a-z"},
        {"m", "[a-z]", "m"},
        {"-", "[a-]", "-"},
        {"say \"hi\" now", "([\"'])(.-)%1", "\"hi\""},
        {"", "", ""},
        {"abc", ".-", ""},
        {"abc", "()b()", "b"},
        {"aXb", "%u", "X"},
        {"100%", "%%", "%"},
        {"x", "%f[%z]", "(none)"},
        {"x", "[a", "malformed pattern (missing ']')"},
        {"x", "%", "malformed pattern (ends with '%')"},
        {"x", "(x", "unfinished capture"},
        {"x", "x)", "invalid pattern capture"},
        {"x", "%1", "invalid capture index in the pattern"},
        {"x", "%b", "malformed pattern (missing arguments to '%b')"},
        {"x", "%fx", "malformed pattern (missing '[' after '%f')"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_msg(strcmp(matched(cases[i][0], cases[i][1]), cases[i][2]) == 0, "%s in %s gives %s", cases[i][1],
                      cases[i][0], matched(cases[i][0], cases[i][1]));
}
END_TEST

START_TEST(captures_are_given_back_after_a_wrong_way)
{
    struct pattern_match m;

    pattern_init(&m, "aaab", 4, "(a*)(a)b", 8, 1000);
    ck_assert_int_eq(pattern_find(&m, m.subject, true), 1);
    ck_assert_uint_eq(m.capture_count, 2);
    ck_assert_int_eq(m.captures[0].len, 2);
    ck_assert_int_eq(m.captures[1].len, 1);
}
END_TEST

START_TEST(an_exponential_pattern_ends_with_its_budget)
{
    char subject[2000];
    struct pattern_match m;
    static const char pattern[] = ".-.-.-.-.-.-.-.-.-.-x";

    memset(subject, 'a', sizeof subject);
    pattern_init(&m, subject, sizeof subject, pattern, strlen(pattern), 100000);
    ck_assert_int_eq(pattern_find(&m, subject, true), -E2BIG);
    ck_assert_uint_eq(m.steps, 0);
}
END_TEST

START_TEST(a_deep_pattern_is_refused_before_the_stack_ends)
{
    char subject[1000], pattern[3000];
    struct pattern_match m;

    memset(subject, 'a', sizeof subject);
    for (size_t i = 0; i < sizeof pattern; i += 2)
        memcpy(pattern + i, "a?", 2);
    pattern_init(&m, subject, sizeof subject, pattern, sizeof pattern, 1000000);
    ck_assert_int_eq(pattern_find(&m, subject, true), -EINVAL);
    ck_assert_str_eq(m.error, "pattern too complex");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("script_pattern");
    TCase *extensions = tcase_create("extensions"), *patterns = tcase_create("string patterns");
    SRunner *runner;
    int failed;

    tcase_add_test(extensions, patterns_mean_what_their_letters_say);
    tcase_add_test(extensions, malformed_patterns_are_refused_with_a_reason);
    tcase_add_test(extensions, the_most_specific_extension_wins_in_whatever_order_they_are_declared);
    tcase_add_test(extensions, every_literal_of_many_is_found);
    tcase_add_test(extensions, a_pattern_declared_twice_is_found);
    tcase_add_test(extensions, what_a_context_includes_is_found_in_it_and_the_most_specific_wins);
    tcase_add_test(extensions, an_included_context_without_extensions_is_a_mistake);
    tcase_add_test(extensions, the_texts_of_a_source_are_found_as_lua_reads_them);
    tcase_add_test(extensions, calls_of_methods_are_found_with_their_lines);
    tcase_add_test(extensions, sql_of_a_source_is_what_begins_like_a_statement);
    tcase_add_test(extensions, a_dialled_underscore_does_not_name_a_pattern);
    suite_add_tcase(suite, extensions);
    tcase_add_test(patterns, string_patterns_match_as_the_manual_says);
    tcase_add_test(patterns, captures_are_given_back_after_a_wrong_way);
    tcase_add_test(patterns, an_exponential_pattern_ends_with_its_budget);
    tcase_add_test(patterns, a_deep_pattern_is_refused_before_the_stack_ends);
    suite_add_tcase(suite, patterns);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
