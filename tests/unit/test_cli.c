/* What the command line prints: tables that line up, ladders, and nothing that could steer a terminal. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <check.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/entity.h"
#include "cli/statements.h"
#include "cli/tar.h"

static struct cli cli;
static char *text;
static size_t text_len;

static void setup(void)
{
    memset(&cli, 0, sizeof cli);
    text = NULL;
    cli.out = open_memstream(&text, &text_len);
    ck_assert_ptr_nonnull(cli.out);
}

static void teardown(void)
{
    fclose(cli.out);
    free(text);
}

static const char *printed(void)
{
    fflush(cli.out);
    return text;
}

START_TEST(width_counts_columns_not_bytes)
{
    ck_assert_uint_eq(text_width("Zoë"), 3);
    ck_assert_uint_eq(text_width("日本"), 4);
    ck_assert_uint_eq(text_width("e\xcc\x81"), 1);
    ck_assert_uint_eq(text_width("\xff\xfe"), 2);
    ck_assert_uint_eq(text_width("a\x1b[2J"), 5);
    ck_assert_uint_eq(text_width(""), 0);
    ck_assert_uint_eq(text_width("\xe6\x97"), 1); /* cut in the middle */
}
END_TEST

START_TEST(control_characters_of_a_phone_never_reach_the_terminal)
{
    print_clean(cli.out, "a\x1b]0;x\x07\n\xc2\x9b"
                         "31m\xe2\x80\xaez");
    ck_assert_str_eq(printed(), "a?]0;x???31m?z");
}
END_TEST

START_TEST(columns_line_up_whatever_is_in_them)
{
    static const char *const heads[] = {"NAME", ">N", "END"};
    struct table table;

    table_init(&table, heads, 3);
    table_row(&table, (const char *const[]){"Zoë", "1", "x"});
    table_row(&table, (const char *const[]){"日本", "100", NULL});
    table_print(&table, &cli);
    ck_assert_str_eq(printed(), "NAME    N  END\n"
                                "Zoë     1  x\n"
                                "日本  100  \n");
}
END_TEST

START_TEST(durations_read_like_people_say_them)
{
    char out[32];

    ck_assert_str_eq(duration_text(0, out), "0 s");
    ck_assert_str_eq(duration_text(185, out), "3 min 5 s");
    ck_assert_str_eq(duration_text(7800, out), "2 h 10 min");
    ck_assert_str_eq(duration_text(4 * 86400 + 3 * 3600, out), "4 d 3 h");
    ck_assert_str_eq(duration_text(-5, out), "0 s");
}
END_TEST

static json_t *sample(const char *end)
{
    char json[4096];
    json_t *call;

    snprintf(
        json, sizeof json,
        "{\"id\":\"0198f3a2-1b2c-7000-8000-000000000001\",\"from\":\"201\",\"to\":\"202\",\"started_us\":1000000,%s,"
        "\"legs\":[{\"party\":\"201\",\"inbound\":true,\"peer\":\"192.0.2.10:5060\"},{\"party\":\"202\",\"inbound\":"
        "false}],"
        "\"lines\":["
        "{\"at_us\":1000000,\"kind\":\"request\",\"from\":\"201\",\"to\":\"tandem\",\"leg\":0,\"text\":\"INVITE\","
        "\"sdp\":true},"
        "{\"at_us\":1001500,\"kind\":\"response\",\"from\":\"tandem\",\"to\":\"201\",\"leg\":0,\"text\":\"100 "
        "Trying\"},"
        "{\"at_us\":1002000,\"kind\":\"event\",\"from\":\"tandem\",\"to\":null,\"text\":\"tries 202\"},"
        "{\"at_us\":1003000,\"kind\":\"request\",\"from\":\"tandem\",\"to\":\"202\",\"leg\":1,\"text\":\"INVITE\"},"
        "{\"at_us\":2003000,\"kind\":\"response\",\"from\":\"202\",\"to\":\"tandem\",\"leg\":1,\"text\":\"180 "
        "Ringing\"}]}",
        end);
    call = json_loads(json, 0, NULL);
    ck_assert_ptr_nonnull(call);
    return call;
}

static void expect_line(const char *line)
{
    ck_assert_msg(strstr(printed(), line) != NULL, "no \"%s\" in:\n%s", line, printed());
}

START_TEST(a_ladder_shows_parties_arrows_and_events_in_their_columns)
{
    json_t *call = sample("\"state\":\"talking\"");

    ladder_print(&cli, call);
    expect_line("                         201                         Tandem                          202\n");
    expect_line("    0.000                 |------- INVITE (SDP) ------->|                             |\n");
    expect_line("    0.001                 |<------- 100 Trying ---------|                             |\n");
    expect_line("    0.002                 |                             | * tries 202                 |\n");
    expect_line("    0.003                 |                             |---------- INVITE ---------->|\n");
    expect_line("    1.003                 |                             |<------- 180 Ringing --------|\n");
    json_decref(call);
}
END_TEST

START_TEST(a_failed_call_ends_with_its_cause_and_what_to_do)
{
    json_t *call = sample("\"state\":\"ended\",\"cause\":\"unreachable\",\"cause_text\":\"No phone is registered.\","
                          "\"remedy\":\"Switch it on.\",\"ended_by\":\"switch\"");

    ladder_print(&cli, call);
    expect_line("Not answered. No phone is registered. It was ended by the switch.\n");
    expect_line("What to do: Switch it on.\n");
    json_decref(call);
}
END_TEST

START_TEST(a_ladder_fits_any_width_and_any_number_of_legs)
{
    json_t *call = sample("\"state\":\"talking\""), *legs = json_object_get(call, "legs");

    for (int i = 0; i < 60; i++) {
        json_array_append_new(legs, json_pack("{s:s}", "party", "a party with a rather long name 日本日本日本日本"));
        json_array_append_new(json_object_get(call, "lines"),
                              json_pack("{s:i,s:s,s:s,s:s,s:i,s:s}", "at_us", 3000000, "kind", "response", "from", "x",
                                        "to", "tandem", "leg", i + 2, "text",
                                        "407 Proxy Authentication Required 日本日本日本日本日本日本"));
    }
    for (unsigned width = 0; width < 300; width += 7) {
        cli.width = width;
        cli.utf8 = width & 1;
        ladder_print(&cli, call);
    }
    json_decref(call);
}
END_TEST

START_TEST(a_ladder_of_nothing_is_no_accident)
{
    json_t *call = json_object();

    ladder_print(&cli, call);
    ladder_print_raw(&cli, call);
    json_decref(call);
    call = json_pack("{s:s,s:i,s:[s]}", "legs", "no list", "id", 5, "lines", "no object");
    ladder_print(&cli, call);
    ladder_print_raw(&cli, call);
    json_decref(call);
}
END_TEST

/* --- CSV -----------------------------------------------------------------------------------------------------------
 */

static const char *row_text(struct csv *csv)
{
    static char out[512];
    char *fields[8];
    size_t used = 0;
    int count = csv_row(csv, fields, COUNT_OF(fields));

    str_copy(out, sizeof out, count < 0 ? "(broken)" : "");
    for (int i = 0; i < count; i++)
        str_append(out, sizeof out, &used, "[%s]", fields[i]);
    return out;
}

START_TEST(what_csv_writes_it_reads_again)
{
    static const char *const fields[] = {"a;b;c", "\xEF\xBB\xBF" "name", "two\n;lines;", "d"};
    char *again[4];
    struct csv csv;

    for (int at = 0; at < 4; at++) { /* each of them first */
        teardown();
        setup();
        for (int i = 0; i < 4; i++)
            csv_write(cli.out, fields[(at + i) % 4], i == 3);
        csv_open(&csv, str_dup(printed()));
        ck_assert_int_eq(csv_row(&csv, again, 4), 4);
        for (int i = 0; i < 4; i++)
            ck_assert_str_eq(again[i], fields[(at + i) % 4]);
        csv_close(&csv);
    }
}
END_TEST

START_TEST(csv_is_read_as_spreadsheets_write_it)
{
    struct csv csv;

    csv_open(&csv,
             str_dup("\xEF\xBB\xBFname,text\r\n201,\"a \"\"b\"\", c\"\r\n\r\n202,\"two\nlines\"\n\"203\",\n204,last"));
    ck_assert_str_eq(row_text(&csv), "[name][text]");
    ck_assert_str_eq(row_text(&csv), "[201][a \"b\", c]");
    ck_assert_uint_eq(csv.line, 2);
    ck_assert_str_eq(row_text(&csv), "[202][two\nlines]");
    ck_assert_uint_eq(csv.line, 4);
    ck_assert_str_eq(row_text(&csv), "[203][]");
    ck_assert_uint_eq(csv.line, 6);
    ck_assert_str_eq(row_text(&csv), "[204][last]");
    ck_assert_str_eq(row_text(&csv), "");
    csv_close(&csv);
    csv_open(&csv, str_dup("name;a,b;c\n1;\"x;y\";,\n"));
    ck_assert_str_eq(row_text(&csv), "[name][a,b][c]");
    ck_assert_str_eq(row_text(&csv), "[1][x;y][,]");
    csv_close(&csv);
    csv_open(&csv, str_dup("a\tb\n1\t\n"));
    ck_assert_str_eq(row_text(&csv), "[a][b]");
    ck_assert_str_eq(row_text(&csv), "[1][]");
    csv_close(&csv);
}
END_TEST

START_TEST(csv_that_is_none_is_not_guessed_at)
{
    char *fields[2];
    struct csv csv;

    csv_open(&csv, str_dup("a,\"b\nc,d\n"));
    ck_assert_int_eq(csv_row(&csv, fields, 2), -EINVAL);
    csv_close(&csv);
    csv_open(&csv, str_dup("a,b,c\n"));
    ck_assert_int_eq(csv_row(&csv, fields, 2), -E2BIG);
    csv_close(&csv);
    csv_open(&csv, str_dup(""));
    ck_assert_int_eq(csv_row(&csv, fields, 2), 0);
    csv_close(&csv);
}
END_TEST

START_TEST(csv_that_was_written_reads_the_same)
{
    static const char *const values[] = {"plain", "a,b", "say \"so\"", "two\nlines", " blank", "", "Zoë;"};
    struct csv csv;
    char *fields[8];

    for (size_t i = 0; i < COUNT_OF(values); i++)
        csv_write(cli.out, values[i], i + 1 == COUNT_OF(values));
    csv_open(&csv, str_dup(printed()));
    ck_assert_int_eq(csv_row(&csv, fields, 8), (int)COUNT_OF(values));
    for (size_t i = 0; i < COUNT_OF(values); i++)
        ck_assert_str_eq(fields[i], values[i]);
    csv_close(&csv);
}
END_TEST

/* --- SQL in files ---------------------------------------------------------------------------------------------------
 */

START_TEST(a_file_of_sql_comes_apart_where_psql_would_take_it_apart)
{
    static const struct {
        unsigned line;
        const char *text;
    } wanted[] = {
        {2, "SELECT 'a;''b', \"c;d\""},
        {3, "DO $$ BEGIN; END; $$"},
        {4, "SELECT $tag$ ; $$ ; $tag$, $1, a$b$c"},
        {6, "SELECT E'it\\'s;', 'back\\'"},
        {7, "SELECT 1 /* ; /* ; */ ; */\n  -- ;\n  , 2"},
        {10, "SELECT 'never ends; "},
    };
    struct statements s = {
        "-- a comment;\nSELECT 'a;''b', \"c;d\";;\nDO $$ BEGIN; END; $$;\nSELECT $tag$ ; $$ ; $tag$, $1, a$b$c;\n"
        " ; /* nothing; */\nSELECT E'it\\'s;', 'back\\';\nSELECT 1 /* ; /* ; */ ; */\n  -- ;\n  , 2;\nSELECT 'never "
        "ends; ",
        1};
    unsigned line;
    char *statement;

    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        statement = statement_next(&s, &line);
        ck_assert_ptr_nonnull(statement);
        ck_assert_str_eq(statement, wanted[i].text);
        ck_assert_uint_eq(line, wanted[i].line);
        free(statement);
    }
    ck_assert_ptr_null(statement_next(&s, &line));
    ck_assert(statement_is("/* x */ -- y\n commit", "COMMIT") && statement_is("COMMIT;", "COMMIT"));
    ck_assert(!statement_is("committed", "COMMIT") && !statement_is("SELECT 'commit'", "COMMIT"));
}
END_TEST

/* --- archives -------------------------------------------------------------------------------------------------------
 */

START_TEST(an_archive_gives_back_what_went_in)
{
    static const char *const texts[] = {"", "a", "exactly"};
    char long_name[200], big[1500];
    FILE *out = tmpfile();
    struct tar_file file = {.mode = 0640, .modified = 1700000000};

    memset(long_name, 'd', sizeof long_name);
    long_name[120] = '/';
    long_name[199] = '\0';
    memset(big, 'x', sizeof big);
    for (size_t i = 0; i < 4; i++) {
        const char *bytes = i < 3 ? texts[i] : big;
        FILE *content;

        file.size = i < 3 ? strlen(bytes) : sizeof big;
        content = fmemopen((void *)(uintptr_t)bytes, file.size ? file.size : 1, "r");
        if (i == 1)
            str_copy(file.name, sizeof file.name, long_name);
        else
            snprintf(file.name, sizeof file.name, "dir/Grüße %zu.txt", i);
        ck_assert_int_eq(tar_write(out, &file, content), 0);
        fclose(content);
    }
    ck_assert_int_eq(tar_end(out), 0);
    ck_assert_int_eq(ftell(out) % 512, 0);
    rewind(out);
    for (size_t i = 0; i < 4; i++) {
        char got[1500];

        ck_assert_int_eq(tar_next(out, &file), 1);
        if (i == 1)
            ck_assert_str_eq(file.name, long_name);
        else
            ck_assert_int_eq(strncmp(file.name, "dir/Grüße", 11), 0);
        ck_assert_uint_eq(file.mode, 0640);
        ck_assert_int_eq(file.modified, 1700000000);
        ck_assert_uint_eq(fread(got, 1, file.size, out), file.size);
        ck_assert_mem_eq(got, i < 3 ? texts[i] : big, file.size);
        ck_assert_int_eq(tar_skip(out, file.size, 0), 0);
    }
    ck_assert_int_eq(tar_next(out, &file), 0);
    fclose(out);
}
END_TEST

START_TEST(a_size_with_a_sign_is_no_size)
{
    struct tar_file file = {.name = "a", .size = 1, .mode = 0644, .modified = 1};
    char *archive = NULL, sum_text[9];
    size_t len = 0;
    unsigned sum = 0;
    FILE *content = fmemopen((char[]){'x'}, 1, "r"), *out = open_memstream(&archive, &len), *in;

    ck_assert_int_eq(tar_write(out, &file, content), 0);
    ck_assert_int_eq(tar_end(out), 0);
    fclose(out);
    fclose(content);
    memcpy(archive + 124, "-0000000001", 12);
    memset(archive + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += (unsigned char)archive[i];
    snprintf(sum_text, sizeof sum_text, "%06o", sum);
    memcpy(archive + 148, sum_text, 7);
    in = fmemopen(archive, len, "r");
    ck_assert_int_eq(tar_next(in, &file), -EINVAL);
    fclose(in);
    free(archive);
}
END_TEST

START_TEST(an_archive_never_leads_out_of_its_directory)
{
    static const char *const bad[] = {"",    "/etc/passwd", "..", "../x", "a/../b", "a/..",
                                      "./a", "a//b",        "a/", "a\nb", "a\\b"};
    static const char *const good[] = {"a", "a/b.c", "..a", "a..", "a/..b", "Grüße.wav"};
    char garbage[1024];
    FILE *in;
    struct tar_file file;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(!tar_name_is_safe(bad[i]), "%s", bad[i]);
    for (size_t i = 0; i < COUNT_OF(good); i++)
        ck_assert_msg(tar_name_is_safe(good[i]), "%s", good[i]);
    memset(garbage, 'g', sizeof garbage);
    in = fmemopen(garbage, sizeof garbage, "r");
    ck_assert_int_eq(tar_next(in, &file), -EINVAL);
    fclose(in);
    in = fmemopen(garbage, 100, "r");
    ck_assert_int_eq(tar_next(in, &file), -EINVAL);
    fclose(in);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli");
    TCase *tcase = tcase_create("cli");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, width_counts_columns_not_bytes);
    tcase_add_test(tcase, what_csv_writes_it_reads_again);
    tcase_add_test(tcase, csv_is_read_as_spreadsheets_write_it);
    tcase_add_test(tcase, csv_that_is_none_is_not_guessed_at);
    tcase_add_test(tcase, csv_that_was_written_reads_the_same);
    tcase_add_test(tcase, an_archive_gives_back_what_went_in);
    tcase_add_test(tcase, a_size_with_a_sign_is_no_size);
    tcase_add_test(tcase, an_archive_never_leads_out_of_its_directory);
    tcase_add_test(tcase, a_file_of_sql_comes_apart_where_psql_would_take_it_apart);
    tcase_add_test(tcase, control_characters_of_a_phone_never_reach_the_terminal);
    tcase_add_test(tcase, columns_line_up_whatever_is_in_them);
    tcase_add_test(tcase, durations_read_like_people_say_them);
    tcase_add_test(tcase, a_ladder_shows_parties_arrows_and_events_in_their_columns);
    tcase_add_test(tcase, a_failed_call_ends_with_its_cause_and_what_to_do);
    tcase_add_test(tcase, a_ladder_fits_any_width_and_any_number_of_legs);
    tcase_add_test(tcase, a_ladder_of_nothing_is_no_accident);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
