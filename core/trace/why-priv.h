/* What the files of explanations share: reading reports, making paragraphs. */
#ifndef TRACE_WHY_PRIV_H
#define TRACE_WHY_PRIV_H

#include "base/base.h"
#include "call/call.h"
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

static inline bool why_is(const json_t *object, const char *key, const char *text)
{
    return strcmp(why_str(object, key), text) == 0;
}

/* What a leg's audio was to listen to: "mos_in", "mos_out"; 0: not known. */
static inline double why_score(const json_t *leg, const char *key)
{
    return json_number_value(json_object_get(json_object_get(leg, "media"), key));
}

/* Another call has made it: it is a part of that. */
static inline bool why_is_part(const json_t *report)
{
    return why_is(report, "made_by", CALL_MADE_BY_ANOTHER);
}

/* why_audio.c: each says what there is to say, if anything, and returns whether it did. */
bool why_keyless(struct why *why); /* encrypted, and no keys came */
bool why_silence(struct why *why);
bool why_quality(struct why *why);
/* Who is on hold; of a call that has ended: who was, at its end. */
void why_hold(struct why *why, bool ended);

/* why_story.c */
/* What became of people, out of the reports of all calls of a conversation: lines in order of time, each once (of two
 * calls that take part both may tell of it). Caller owns it. */
json_t *story_of(const json_t *reports);
/* Is it more than that two talked because one had dialled the other? */
bool story_is_one(const json_t *steps);
void story_tell(struct why *why, const json_t *steps);
/* The report (borrowed) of the call whose end was the end of all: not one that was let go for another. */
json_t *story_last(json_t *reports);

#endif
