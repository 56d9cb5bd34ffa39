/* The control socket: protocol, limits, events, and clients that come and go at bad moments. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "console/console.h"

static struct loop *loop;
static struct console *console;
static char dir[64], path[100];
static struct console_request *kept;

static void run_echo(void *arg, struct console_request *request, json_t *params)
{
    console_reply(request, json_incref(params));
}

static void run_fail(void *arg, struct console_request *request, json_t *params)
{
    console_fail(request, "not-found", "There is no %s.", "thing");
}

static void run_later(void *arg, struct console_request *request, json_t *params)
{
    kept = request;
}

static void run_never(void *arg, struct console_request *request, json_t *params)
{
    console_reply(request, NULL);
}

static void setup(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    str_copy(dir, sizeof dir, "/tmp/tandem-console-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/control.sock", dir);
    loop = loop_new_fake();
    ck_assert_int_eq(console_open(loop, path, &console), 0);
    ck_assert_int_eq(console_add(console, "echo", "says it back", run_echo, NULL, NULL), 0);
    ck_assert_int_eq(console_add(console, "fail", "fails", run_fail, NULL, NULL), 0);
    ck_assert_int_eq(console_add(console, "later", "answers later", run_later, NULL, NULL), 0);
    kept = NULL;
}

static void teardown(void)
{
    console_close(console);
    loop_free(loop);
    unlink(path);
    rmdir(dir);
}

struct peer {
    int fd;
    size_t len;
    char in[256 * 1024];
};

static struct peer *dial(void)
{
    struct peer *peer = mem_new(sizeof *peer);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    str_copy(addr.sun_path, sizeof addr.sun_path, path);
    peer->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(peer->fd, 0);
    ck_assert_int_eq(connect(peer->fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return peer;
}

static void hang_up(struct peer *peer)
{
    close(peer->fd);
    free(peer);
    for (int i = 0; i < 3; i++)
        loop_turn(loop, 0);
}

static void say(struct peer *peer, const char *text)
{
    size_t len = strlen(text);

    while (len) {
        ssize_t n = send(peer->fd, text, len, MSG_NOSIGNAL);

        if (n > 0) {
            text += n;
            len -= (size_t)n;
        } else {
            ck_assert_int_eq(errno, EAGAIN);
        }
        loop_turn(loop, 0);
    }
}

/* The next line as JSON; NULL when the server closed. Turns the loop until there is one. */
static json_t *hear(struct peer *peer)
{
    for (int turns = 0; turns < 2000; turns++) {
        char *end = memchr(peer->in, '\n', peer->len);
        ssize_t n;

        if (end) {
            json_t *json = json_loadb(peer->in, (size_t)(end - peer->in), 0, NULL);

            peer->len -= (size_t)(end + 1 - peer->in);
            memmove(peer->in, end + 1, peer->len);
            ck_assert_ptr_nonnull(json);
            return json;
        }
        n = recv(peer->fd, peer->in + peer->len, sizeof peer->in - peer->len, 0);
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return NULL;
        if (n > 0)
            peer->len += (size_t)n;
        else
            loop_turn(loop, 5);
    }
    ck_abort_msg("no line came");
    return NULL;
}

static struct peer *dial_and_greet(void)
{
    struct peer *peer = dial();
    json_t *greeting = hear(peer);

    ck_assert_int_eq(json_integer_value(json_object_get(greeting, "v")), CONSOLE_PROTOCOL);
    ck_assert_str_eq(json_string_value(json_object_get(greeting, "server")), "tandemd");
    json_decref(greeting);
    return peer;
}

static void expect_error(struct peer *peer, const char *code)
{
    json_t *line = hear(peer), *error = json_object_get(line, "error");

    ck_assert(json_is_false(json_object_get(line, "ok")));
    ck_assert_str_eq(json_string_value(json_object_get(error, "code")), code);
    ck_assert_uint_gt(json_string_length(json_object_get(error, "text")), 10);
    json_decref(line);
}

static void expect_ok(struct peer *peer, int id)
{
    json_t *line = hear(peer);

    ck_assert(json_is_true(json_object_get(line, "ok")));
    ck_assert_int_eq(json_integer_value(json_object_get(line, "id")), id);
    json_decref(line);
}

START_TEST(a_command_is_answered_with_its_id_and_result)
{
    struct peer *peer = dial_and_greet();
    json_t *line;

    say(peer, "{\"v\":1,\"id\":\"x7\",\"cmd\":\"echo\",\"params\":{\"name\":\"Zoë\"}}\n");
    line = hear(peer);
    ck_assert_str_eq(json_string_value(json_object_get(line, "id")), "x7");
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(line, "result"), "name")), "Zoë");
    json_decref(line);
    say(peer, "{\"id\":2,\"cmd\":\"fail\"}\r\n");
    expect_error(peer, "not-found");
    hang_up(peer);
}
END_TEST

START_TEST(bad_lines_get_a_clear_error_and_the_connection_lives)
{
    static const struct {
        const char *line, *code;
    } bad[] = {
        {"hello\n", "bad-json"},
        {"[1,2]\n", "bad-json"},
        {"{\"id\":1,\"cmd\":\"echo\"\n", "bad-json"},
        {"{\"id\":1,\"id\":2,\"cmd\":\"echo\"}\n", "bad-json"},
        {"{\"id\":1}\n", "bad-request"},
        {"{\"id\":[],\"cmd\":\"echo\"}\n", "bad-request"},
        {"{\"id\":1,\"cmd\":\"echo\",\"params\":3}\n", "bad-request"},
        {"{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"topics\":\"call\"}}\n", "bad-request"},
        {"{\"v\":2,\"id\":1,\"cmd\":\"echo\"}\n", "version"},
        {"{\"id\":1,\"cmd\":\"fly\"}\n", "unknown-command"},
    };
    struct peer *peer = dial_and_greet();

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        say(peer, bad[i].line);
        expect_error(peer, bad[i].code);
    }
    say(peer, "\n{\"id\":5,\"cmd\":\"echo\"}\n");
    expect_ok(peer, 5);
    hang_up(peer);
}
END_TEST

START_TEST(a_line_that_is_too_long_is_dropped_and_the_next_one_works)
{
    struct peer *peer = dial_and_greet();
    char *flood = mem_new(200 * 1024);

    memset(flood, 'x', 200 * 1024 - 1);
    say(peer, flood);
    say(peer, "\n{\"id\":6,\"cmd\":\"echo\"}\n");
    expect_error(peer, "too-long");
    expect_ok(peer, 6);
    free(flood);
    hang_up(peer);
}
END_TEST

START_TEST(lines_may_come_in_pieces_and_several_at_once)
{
    struct peer *peer = dial_and_greet();
    const char *text = "{\"id\":1,\"cmd\":\"echo\"}\n{\"id\":2,\"cmd\":\"echo\"}\n";

    for (const char *p = text; *p; p++)
        say(peer, (char[]){*p, '\0'});
    expect_ok(peer, 1);
    expect_ok(peer, 2);
    say(peer, text);
    expect_ok(peer, 1);
    expect_ok(peer, 2);
    hang_up(peer);
}
END_TEST

START_TEST(an_answer_may_come_later_and_after_others)
{
    struct peer *peer = dial_and_greet();

    say(peer, "{\"id\":1,\"cmd\":\"later\"}\n{\"id\":2,\"cmd\":\"echo\"}\n");
    expect_ok(peer, 2);
    ck_assert_ptr_nonnull(kept);
    console_reply(kept, json_object());
    expect_ok(peer, 1);
    hang_up(peer);
}
END_TEST

START_TEST(an_answer_for_a_client_that_has_gone_does_no_harm)
{
    struct peer *peer = dial_and_greet();

    say(peer, "{\"id\":1,\"cmd\":\"later\"}\n");
    loop_turn(loop, 0);
    ck_assert_ptr_nonnull(kept);
    hang_up(peer);
    console_reply(kept, json_pack("{s:i}", "too", 1));
}
END_TEST

START_TEST(an_answer_after_the_console_has_closed_does_no_harm)
{
    struct peer *peer = dial_and_greet();

    say(peer, "{\"id\":1,\"cmd\":\"later\"}\n");
    loop_turn(loop, 0);
    ck_assert_ptr_nonnull(kept);
    console_close(console);
    console = NULL;
    console_fail(kept, "unavailable", "too late");
    hang_up(peer);
}
END_TEST

START_TEST(too_many_waiting_requests_are_refused)
{
    struct peer *peer = dial_and_greet();
    struct console_request *all[64];

    for (int i = 0; i < 64; i++) {
        say(peer, "{\"id\":1,\"cmd\":\"later\"}\n");
        loop_turn(loop, 0);
        all[i] = kept;
    }
    say(peer, "{\"id\":2,\"cmd\":\"later\"}\n");
    expect_error(peer, "busy");
    for (int i = 0; i < 64; i++)
        console_reply(all[i], NULL);
    hang_up(peer);
}
END_TEST

START_TEST(events_reach_only_those_who_follow_their_topic)
{
    struct peer *follower = dial_and_greet(), *other = dial_and_greet();
    json_t *line;

    ck_assert(!console_has_subscribers(console, "call"));
    say(follower, "{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"topics\":[\"call\"]}}\n");
    expect_ok(follower, 1);
    ck_assert(console_has_subscribers(console, "call"));
    ck_assert(!console_has_subscribers(console, "leg"));
    console_emit(console, "leg", json_pack("{s:i}", "n", 1));
    console_emit(console, "call", json_pack("{s:i}", "n", 2));
    line = hear(follower);
    ck_assert_str_eq(json_string_value(json_object_get(line, "event")), "call");
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(line, "data"), "n")), 2);
    json_decref(line);
    say(follower, "{\"id\":2,\"cmd\":\"unsubscribe\",\"params\":{\"topics\":[\"call\"]}}\n");
    expect_ok(follower, 2);
    ck_assert(!console_has_subscribers(console, "call"));
    say(other, "{\"id\":3,\"cmd\":\"echo\"}\n");
    expect_ok(other, 3); /* the first line it hears: no event came before */
    hang_up(follower);
    hang_up(other);
}
END_TEST

START_TEST(following_everything_leaves_out_the_log)
{
    struct peer *peer = dial_and_greet();

    say(peer, "{\"id\":1,\"cmd\":\"subscribe\"}\n");
    expect_ok(peer, 1);
    ck_assert(console_has_subscribers(console, "anything"));
    ck_assert(!console_has_subscribers(console, "log"));
    hang_up(peer);
    ck_assert(!console_has_subscribers(console, "anything"));
}
END_TEST

START_TEST(a_client_that_does_not_read_is_cut_off_and_others_go_on)
{
    struct peer *deaf = dial_and_greet(), *other = dial_and_greet();
    char *big = mem_new(8192);

    memset(big, 'y', 8191);
    say(deaf, "{\"id\":1,\"cmd\":\"subscribe\"}\n");
    expect_ok(deaf, 1);
    for (int i = 0; i < 1000 && console_has_subscribers(console, "call"); i++)
        console_emit(console, "call", json_string(big));
    ck_assert(!console_has_subscribers(console, "call"));
    say(other, "{\"id\":3,\"cmd\":\"echo\"}\n");
    expect_ok(other, 3);
    free(big);
    hang_up(deaf);
    hang_up(other);
}
END_TEST

START_TEST(a_long_answer_arrives_whole_when_the_client_reads)
{
    struct peer *peer = dial_and_greet();
    json_t *list = json_array(), *line;

    for (int i = 0; i < 20000; i++)
        json_array_append_new(list, json_integer(100000 + i));
    say(peer, "{\"id\":1,\"cmd\":\"later\"}\n");
    loop_turn(loop, 0);
    console_reply(kept, json_pack("{s:o}", "list", list));
    line = hear(peer);
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(line, "result"), "list")), 20000);
    json_decref(line);
    hang_up(peer);
}
END_TEST

START_TEST(text_that_is_not_utf8_still_makes_an_error_line)
{
    struct peer *peer = dial_and_greet();

    say(peer, "{\"id\":1,\"cmd\":\"later\"}\n");
    loop_turn(loop, 0);
    console_fail(kept, "refused", "the phone said \xff\xfe to us");
    expect_error(peer, "refused");
    hang_up(peer);
}
END_TEST

START_TEST(a_name_is_taken_once_and_help_lists_what_is_there)
{
    struct peer *peer = dial_and_greet();
    struct console_command *command;
    json_t *line;

    ck_assert_int_eq(console_add(console, "echo", "", run_echo, NULL, &command), -EEXIST);
    ck_assert_int_eq(console_add(console, "more", "one more", run_never, NULL, &command), 0);
    say(peer, "{\"id\":1,\"cmd\":\"help\"}\n");
    line = hear(peer);
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(line, "result"), "commands")), 4);
    json_decref(line);
    console_remove(command);
    say(peer, "{\"id\":1,\"cmd\":\"more\"}\n");
    expect_error(peer, "unknown-command");
    hang_up(peer);
}
END_TEST

START_TEST(a_second_switch_on_the_same_path_is_refused)
{
    struct console *second = NULL;

    log_set_level(LOG_LEVEL_ERROR);
    ck_assert_int_eq(console_open(loop, path, &second), -EADDRINUSE);
    hang_up(dial_and_greet());
}
END_TEST

START_TEST(a_stale_path_is_replaced_and_a_plain_file_is_not)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct stat st;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    console_close(console);
    console = NULL;
    ck_assert_int_lt(lstat(path, &st), 0); /* a closed console takes its path along */
    str_copy(addr.sun_path, sizeof addr.sun_path, path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    close(fd); /* as after a crash: the path stays, nobody listens */
    ck_assert_int_eq(console_open(loop, path, &console), 0);
    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0660);
    console_close(console);
    console = NULL;
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(console_open(loop, path, &console), -EEXIST);
    ck_assert_int_eq(lstat(path, &st), 0);
    unlink(path);
}
END_TEST

START_TEST(the_hundred_and_twenty_ninth_client_is_turned_away)
{
    struct peer *peers[128], *late;

    for (size_t i = 0; i < COUNT_OF(peers); i++)
        peers[i] = dial_and_greet();
    late = dial();
    ck_assert_ptr_null(hear(late));
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        hang_up(peers[i]);
    hang_up(late);
    hang_up(dial_and_greet());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("console");
    TCase *tcase = tcase_create("console");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_command_is_answered_with_its_id_and_result);
    tcase_add_test(tcase, bad_lines_get_a_clear_error_and_the_connection_lives);
    tcase_add_test(tcase, a_line_that_is_too_long_is_dropped_and_the_next_one_works);
    tcase_add_test(tcase, lines_may_come_in_pieces_and_several_at_once);
    tcase_add_test(tcase, an_answer_may_come_later_and_after_others);
    tcase_add_test(tcase, an_answer_for_a_client_that_has_gone_does_no_harm);
    tcase_add_test(tcase, an_answer_after_the_console_has_closed_does_no_harm);
    tcase_add_test(tcase, too_many_waiting_requests_are_refused);
    tcase_add_test(tcase, events_reach_only_those_who_follow_their_topic);
    tcase_add_test(tcase, following_everything_leaves_out_the_log);
    tcase_add_test(tcase, a_client_that_does_not_read_is_cut_off_and_others_go_on);
    tcase_add_test(tcase, a_long_answer_arrives_whole_when_the_client_reads);
    tcase_add_test(tcase, text_that_is_not_utf8_still_makes_an_error_line);
    tcase_add_test(tcase, a_name_is_taken_once_and_help_lists_what_is_there);
    tcase_add_test(tcase, a_second_switch_on_the_same_path_is_refused);
    tcase_add_test(tcase, a_stale_path_is_replaced_and_a_plain_file_is_not);
    tcase_add_test(tcase, the_hundred_and_twenty_ninth_client_is_turned_away);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
