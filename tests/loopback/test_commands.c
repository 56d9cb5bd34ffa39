/* The commands of the core against the real switch: what they say about calls that scripted phones make, and what the
 * program `tandem` prints of it. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bed.h"

static json_t *result(struct bed *bed, const char *cmd, const char *params)
{
    json_t *answer = bed_ask(bed, cmd, params), *value = json_incref(json_object_get(answer, "result"));

    ck_assert_msg(json_is_true(json_object_get(answer, "ok")), "%s: %s", cmd,
                  json_string_value(json_object_get(json_object_get(answer, "error"), "text")));
    json_decref(answer);
    return value;
}

static void refused(struct bed *bed, const char *cmd, const char *params, const char *code)
{
    json_t *answer = bed_ask(bed, cmd, params);

    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(answer, "error"), "code")), code);
    json_decref(answer);
}

/* Runs `tandem` with these words while the switch goes on. Returns its exit status; out has what it printed. */
static int run_tandem(struct bed *bed, const char *words, char *out, size_t size)
{
    char command[600], path[100];
    int fd, status;
    ssize_t n;
    pid_t pid;

    snprintf(path, sizeof path, "%s/output", bed->dir);
    snprintf(command, sizeof command, "exec '%s/core/tandem' -s '%s/run/control.sock' %s >'%s' 2>&1",
             getenv("TANDEM_BUILD"), bed->dir, words, path);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    for (uint64_t until_ = now_ms() + 5 * UA_WAIT_MS; waitpid(pid, &status, WNOHANG) == 0;) {
        ck_assert_msg(now_ms() < until_, "tandem %s does not end", words);
        loop_turn(bed->loop, 2);
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = read(fd, out, size - 1);
    close(fd);
    ck_assert_int_ge(n, 0);
    out[n] = '\0';
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void connect_call(struct bed *bed, struct ua *a, struct ua *b)
{
    const struct message *m;

    ua_invite(a, b->user, NULL);
    m = must(ua_wait(b, "INVITE"));
    ua_reply(b, m, 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    ua_reply(b, &b->invite, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(a, "200"));
    ua_ack(a, m);
}

static const char *text_at(json_t *list, size_t i, const char *key)
{
    const char *text = json_string_value(json_object_get(json_array_get(list, i), key));

    return text ? text : "";
}

/* Is there a line of the ladder that begins like this, from `from`? */
static bool has_line(json_t *call, const char *from, const char *begin)
{
    json_t *lines = json_object_get(call, "lines");

    for (size_t i = 0; i < json_array_size(lines); i++)
        if (strcmp(text_at(lines, i, "from"), from) == 0 &&
            strncmp(text_at(lines, i, "text"), begin, strlen(begin)) == 0)
            return true;
    return false;
}

START_TEST(status_tells_of_calls_database_media_and_messages)
{
    struct bed *bed = bed_open(NULL, NULL);
    json_t *status = result(bed, "status", "{}");
    char text[4000];

    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(status, "calls"), "now")), 0);
    ck_assert(json_is_true(json_object_get(json_object_get(status, "media"), "up")));
    ck_assert_ptr_nonnull(json_object_get(json_object_get(status, "database"), "state"));
    ck_assert_ptr_nonnull(json_object_get(json_object_get(status, "edge"), "in"));
    ck_assert_int_gt(json_integer_value(json_object_get(status, "memory_bytes")), 1000000);
    json_decref(status);
    ck_assert_int_eq(run_tandem(bed, "status", text, sizeof text), 0);
    ck_assert_ptr_nonnull(strstr(text, "media      up"));
    ck_assert_int_eq(run_tandem(bed, "calls", text, sizeof text), 0);
    ck_assert_ptr_nonnull(strstr(text, "There are no calls right now."));
    bed_close(bed);
}
END_TEST

START_TEST(a_call_is_listed_drawn_and_remembered)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;
    json_t *list, *call;
    char id[64], params[100], words[100], text[60000];

    connect_call(bed, a, b);
    list = result(bed, "calls", "{}");
    ck_assert_uint_eq(json_array_size(json_object_get(list, "calls")), 1);
    str_copy(id, sizeof id, text_at(json_object_get(list, "calls"), 0, "id"));
    ck_assert_str_eq(text_at(json_object_get(list, "calls"), 0, "from"), "201");
    ck_assert_str_eq(text_at(json_object_get(list, "calls"), 0, "to"), "202");
    ck_assert_str_eq(text_at(json_object_get(list, "calls"), 0, "state"), "talking");
    ck_assert_int_eq(strncmp(text_at(json_object_get(list, "calls"), 0, "codec"), "PCMU", 4), 0);
    json_decref(list);
    ua_bye(a);
    m = must(ua_wait(b, "BYE"));
    ua_reply(b, m, 200, "OK", NULL);
    bed_until(bed, bed->legs_recorded == 2);

    snprintf(params, sizeof params, "{\"id\":\"%.18s\",\"raw\":true}", id);
    call = result(bed, "call", params);
    ck_assert(has_line(call, "201", "INVITE"));
    ck_assert(has_line(call, "tandem", "100 "));
    ck_assert(has_line(call, "tandem", "INVITE"));
    ck_assert(has_line(call, "202", "180"));
    ck_assert(has_line(call, "tandem", "180"));
    ck_assert(has_line(call, "202", "200 OK"));
    ck_assert(has_line(call, "201", "BYE"));
    ck_assert(has_line(call, "tandem", "BYE"));
    ck_assert(has_line(call, "202", "200 OK (BYE)"));
    ck_assert_str_eq(json_string_value(json_object_get(call, "cause")), "normal");
    ck_assert_str_eq(json_string_value(json_object_get(call, "ended_by")), "caller");
    ck_assert_ptr_nonnull(json_object_get(json_array_get(json_object_get(call, "legs"), 1), "media"));
    json_decref(call);

    snprintf(words, sizeof words, "call --raw %.18s", id);
    ck_assert_int_eq(run_tandem(bed, words, text, sizeof text), 0);
    ck_assert_ptr_nonnull(strstr(text, "180 Ringing"));
    ck_assert_ptr_nonnull(strstr(text, "The call ended normally."));
    ck_assert_ptr_nonnull(strstr(text, "Call-ID:"));
    if (strstr(text, "uthorization: Digest"))
        ck_assert_ptr_nonnull(strstr(text, "response=\"****"));
    if (getenv("TANDEM_TEST_VERBOSE"))
        fputs(text, stderr);
    ck_assert_int_eq(run_tandem(bed, "calls --last", text, sizeof text), 0);
    ck_assert_ptr_nonnull(strstr(text, "normal"));
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(hangup_ends_a_call_on_both_phones)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    json_t *list;
    char params[100];
    const struct message *m;

    connect_call(bed, a, b);
    refused(bed, "hangup", "{\"id\":\"ffff\"}", "not-found");
    refused(bed, "hangup", "{}", "bad-request");
    list = result(bed, "calls", "{}");
    snprintf(params, sizeof params, "{\"id\":\"%s\"}", text_at(json_object_get(list, "calls"), 0, "id"));
    json_decref(list);
    json_decref(result(bed, "hangup", params));
    m = must(ua_wait(a, "BYE"));
    ua_reply(a, m, 200, "OK", NULL);
    m = must(ua_wait(b, "BYE"));
    ua_reply(b, m, 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "operator");
    ck_assert_str_eq(bed->last_who, "operator");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(events_tell_the_story_of_a_call)
{
    static const char *const wanted[] = {"call-new", "leg-new", "leg-ringing", "leg-answered", "bridge-joined"};
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const char *request = "{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"topics\":[\"call\",\"leg\"]}}\n";
    int fd = bed_dial(bed);
    const struct message *m;
    unsigned seen = 0;

    json_decref(bed_hear(bed, fd));
    ck_assert_int_gt(send(fd, request, strlen(request), 0), 0);
    json_decref(bed_hear(bed, fd));
    connect_call(bed, a, b);
    ua_bye(a);
    m = must(ua_wait(b, "BYE"));
    ua_reply(b, m, 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    for (;;) {
        json_t *event = bed_hear(bed, fd);
        json_t *data = json_object_get(event, "data");
        const char *kind = json_string_value(json_object_get(data, "kind"));

        ck_assert_ptr_nonnull(kind);
        for (size_t i = 0; i < COUNT_OF(wanted); i++)
            if (strcmp(kind, wanted[i]) == 0)
                seen |= 1u << i;
        if (strcmp(kind, "call-ended") == 0) {
            ck_assert_str_eq(json_string_value(json_object_get(data, "cause")), "normal");
            json_decref(event);
            break;
        }
        json_decref(event);
    }
    ck_assert_uint_eq(seen, (1u << COUNT_OF(wanted)) - 1);
    close(fd);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(accounts_in_force_are_told_by_the_switch_and_changed_in_the_database)
{
    struct bed *bed = bed_open(NULL, NULL);
    char text[4000];

    ck_assert_int_eq(run_tandem(bed, "accounts", text, sizeof text), 0);
    ck_assert_ptr_nonnull(strstr(text, "205"));
    ck_assert_int_eq(run_tandem(bed, "run account.show name=203", text, sizeof text), 0);
    ck_assert_ptr_nonnull(strstr(text, "203"));
    refused(bed, "account.show", "{\"name\":\"nobody\"}", "not-found");
    refused(bed, "account.add", "{\"name\":\"300\"}", "unknown-command");
    ck_assert_int_eq(run_tandem(bed, "-d host=/nonexistent account add 300 --name New", text, sizeof text), 1);
    ck_assert_ptr_nonnull(strstr(text, "/nonexistent"));
    bed_close(bed);
}
END_TEST

START_TEST(a_wrong_command_line_ends_with_2_and_a_refusal_with_1)
{
    struct bed *bed = bed_open(NULL, NULL);
    char text[8000];

    ck_assert_int_eq(run_tandem(bed, "cals", text, sizeof text), 2);
    ck_assert_ptr_nonnull(strstr(text, "Did you mean: tandem calls"));
    ck_assert_int_eq(run_tandem(bed, "call", text, sizeof text), 2);
    ck_assert_int_eq(run_tandem(bed, "account add", text, sizeof text), 2);
    ck_assert_int_eq(run_tandem(bed, "call ffff", text, sizeof text), 1);
    ck_assert_int_eq(run_tandem(bed, "--help", text, sizeof text), 0);
    ck_assert_ptr_nonnull(strstr(text, "registrations"));
    ck_assert_int_eq(run_tandem(bed, "help call", text, sizeof text), 0);
    ck_assert_ptr_nonnull(strstr(text, "--raw"));
    ck_assert_int_eq(run_tandem(bed, "-s /nonexistent/x status", text, sizeof text), 1);
    ck_assert_ptr_nonnull(strstr(text, "no switch listens on /nonexistent/x: is tandemd running?"));
    ck_assert_int_eq(run_tandem(bed, "run echo oops", text, sizeof text), 2);
    ck_assert_int_eq(run_tandem(bed, "run", text, sizeof text), 0);
    ck_assert_ptr_nonnull(strstr(text, "account.show"));
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commands");
    TCase *tcase = tcase_create("commands");
    SRunner *runner = srunner_create(suite);
    int failed;

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, status_tells_of_calls_database_media_and_messages);
    tcase_add_test(tcase, a_call_is_listed_drawn_and_remembered);
    tcase_add_test(tcase, hangup_ends_a_call_on_both_phones);
    tcase_add_test(tcase, events_tell_the_story_of_a_call);
    tcase_add_test(tcase, accounts_in_force_are_told_by_the_switch_and_changed_in_the_database);
    tcase_add_test(tcase, a_wrong_command_line_ends_with_2_and_a_refusal_with_1);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
