/* A switch without SIP and media for tests of the dialplan: real calls with legs that only write down what is asked of
 * them, a clock that stands still, and a dialplan in a directory of its own. */
#ifndef TESTS_SCRIPT_FIXTURE_H
#define TESTS_SCRIPT_FIXTURE_H

#include <check.h>

#include "base/obj.h"
#include "call/pbx.h"
#include "call/route.h"
#include "script/script.h"

struct fixture {
    struct loop *loop;
    struct pbx *pbx;
    struct db *db;
    struct script *script;
    struct route_kind *kind;
    struct bus_subscription *listening;
    char dir[64];
    char heard[16384]; /* every log line and error of scripts, one a line */
    char why[512];
    unsigned dialled; /* how often a destination was asked for */
    char last_target[128];
    struct call *calls[32]; /* refs */
    unsigned call_count;
};

extern struct fixture fx;

void fixture_open(void);
void fixture_close(void);
/* Writes a file of the dialplan directory. */
void write_file(const char *name, const char *text);
/* Loads the text as init.lua, with default limits. */
void load(const char *text);
void load_with(const char *text, const struct script_config *limits);
/* The words with which the text is refused as init.lua. */
const char *refused(const char *text);
/* Loads anew what is in the files; 0 or what it ended with, words in fx.why. */
int reload(void);
/* The same without using it. */
int check(void);
void setting(const char *key, const char *value);
/* A new call from "100" in context "internal"; its script has run until it waits or ends. */
struct call *dial(const char *extension);
/* The same; the INVITE had these headers ("Name: value\n" each). */
struct call *dial_with_headers(const char *extension, const char *headers);
/* The caller hangs up. */
void caller_hangs_up(struct call *call);
void settle(void);
void advance_ms(uint64_t ms);
bool leg_over(const struct call *call);
#define heard(text) ck_assert_msg(strstr(fx.heard, (text)) != NULL, "\"%s\" was not heard in:\n%s", (text), fx.heard)
#define not_heard(text) ck_assert_msg(strstr(fx.heard, (text)) == NULL, "\"%s\" was heard in:\n%s", (text), fx.heard)

#endif
