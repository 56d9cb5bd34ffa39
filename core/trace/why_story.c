/* The story of a conversation: who talked to whom, in order of time, and what brought that about, out of the lines of
 * all its calls. Any thread. */
#include "trace/why-priv.h"

#include <stdlib.h>

#define STORY_MAX 12u /* steps of it in the paragraph; the facts have them all */

/* What became of people, beside their phones' messages. */
static bool is_step(const json_t *line)
{
    static const char *const kinds[] = {"talk", "transfer", "forwarded", "pickup", "parked", "unparked"};

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (why_is(line, "event", kinds[i]))
            return true;
    return false;
}

/* Of one moment, what brought a talk about comes first, whichever call tells of it. */
static bool comes_after(const json_t *line, const json_t *other)
{
    json_int_t at_us = why_num(line, "at_us"), other_us = why_num(other, "at_us");

    return at_us > other_us || (at_us == other_us && why_is(line, "event", "talk") && !why_is(other, "event", "talk"));
}

#define SAME_US 20000 /* of one turn of the loop */

static bool is_same(const json_t *line, const json_t *other)
{
    return llabs(why_num(line, "at_us") - why_num(other, "at_us")) < SAME_US &&
           why_is(line, "text", why_str(other, "text"));
}

json_t *story_of(const json_t *reports)
{
    json_t *steps = json_array(), *report, *line;
    size_t i, k;

    json_array_foreach(reports, i, report)
    {
        json_array_foreach(json_object_get(report, "lines"), k, line)
        {
            size_t at = json_array_size(steps);
            bool known = false;

            if (!is_step(line))
                continue;
            while (at && comes_after(json_array_get(steps, at - 1), line))
                at--;
            for (size_t n = 0; n < json_array_size(steps) && !known; n++)
                known = is_same(line, json_array_get(steps, n));
            if (!known)
                json_array_insert(steps, at, line);
        }
    }
    return steps;
}

bool story_is_one(const json_t *steps)
{
    const json_t *first = json_array_get(steps, 0);

    return json_array_size(steps) > 1 ||
           (first && (!why_is(first, "event", "talk") || strchr(why_str(first, "text"), '(') ||
                      strstr(why_str(first, "text"), " conference ")));
}

void story_tell(struct why *why, const json_t *steps)
{
    size_t count = json_array_size(steps), i;
    json_t *step;
    char clock[16];

    json_array_foreach(steps, i, step)
    {
        if (i == STORY_MAX / 2 && count > STORY_MAX) { /* the beginning and the end matter most */
            why_say(why, "(%zu more)", count - STORY_MAX);
            i = count - STORY_MAX / 2;
            step = json_array_get(steps, i);
        }
        why_say(why, "%s: %s%s", why_clock(why_num(step, "at_us"), clock), why_str(step, "text"),
                i + 1 < count ? ";" : ".");
    }
}

/* Its end is not that of the conversation. */
static bool is_let_go(const json_t *report)
{
    return why_is_part(report) || why_is(report, "cause", "transferred") || why_is(report, "cause", "picked-up");
}

json_t *story_last(json_t *reports)
{
    json_t *report, *last = json_array_get(reports, 0);
    size_t i;

    json_array_foreach(reports, i, report)
    {
        if (why_is(report, "state", "ended") && why_is(last, "state", "ended") && !is_let_go(report) &&
            (is_let_go(last) || why_num(report, "ended_us") > why_num(last, "ended_us")))
            last = report;
        else if (!why_is(report, "state", "ended") && why_is(last, "state", "ended"))
            last = report;
    }
    return last;
}
