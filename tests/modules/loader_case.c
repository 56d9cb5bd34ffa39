/* Modules for the loader's test: one source, built once for each case (tests/modules are named in core/module/room.am).
 * What they do is up to the test program, which they call back. Never installed. */
#include "module/module.h"

#ifndef CASE_ABI
#define CASE_ABI TANDEM_MODULE_ABI
#endif
#ifndef CASE_SIZE
#define CASE_SIZE sizeof(struct module)
#endif
#ifndef CASE_NEEDS
#define CASE_NEEDS NULL
#endif

/* In the test program. */
int case_start(struct module_ctx *ctx, const char *name, void **state);
void case_drain(void *state);
bool case_flush(void *state);
void case_stop(void *state);

#ifdef CASE_NO_SYMBOL
extern const int something_else;
const int something_else = 1;
#else
static int start(struct module_ctx *ctx, void **state)
{
    return case_start(ctx, CASE_NAME, state);
}

static const struct module_option options[] = {
    {"text", OPTION_STRING, "hello", "any text"}, {"nothing", OPTION_STRING, NULL, "text without a default"},
    {"number", OPTION_NUMBER, "7", "a number"},   {"flag", OPTION_FLAG, "no", "yes or no"},
    {"time", OPTION_SECONDS, "2m", "a time"},     {NULL, OPTION_STRING, NULL, NULL},
};

static const char *const needs[] = {CASE_NEEDS, NULL};

const struct module tandem_module = {
    .abi = CASE_ABI,
    .size = CASE_SIZE,
    .name = CASE_NAME,
    .version = "0.1",
    .summary = "a case of the loader's test",
    .needs = needs,
    .options = options,
    .start = start,
    .drain = case_drain,
    .flush = case_flush,
    .stop = case_stop,
};
#endif
