/* What the two files of explanations share: reading reports, making paragraphs. */
#ifndef TRACE_WHY_PRIV_H
#define TRACE_WHY_PRIV_H

#include "base/base.h"
#include "trace/why.h"

#define SENTENCE_MAX 1200u

struct why {
    const json_t *report, *legs, *lines;
    char sentence[SENTENCE_MAX];
    size_t used;
    char remedy[600];
    json_t *facts;
};

void why_init(struct why *why, const json_t *report);
/* Appends to the paragraph. */
void why_say(struct why *why, const char *fmt, ...) PRINTF_LIKE(2, 3);
void why_do(struct why *why, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A line of the facts; at_us 0: without a time. */
void why_fact(struct why *why, json_int_t at_us, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The answer; takes over report. */
json_t *why_done(struct why *why, json_t *report, const char *about, const char *cause);

const char *why_str(const json_t *object, const char *key);
json_int_t why_num(const json_t *object, const char *key);
/* "14:03:59" of local time. Returns out. */
const char *why_clock(json_int_t at_us, char out[16]);

#endif
