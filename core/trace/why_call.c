/* Words for calls: who wanted what, what came of it, whose fault it was as far as can be known, what to do. Any thread.
 * The table of causes has the general words; here stands what only this call's messages and counters can add. */
#include <ctype.h>
#include <stdio.h>

#include "call/cause.h"
#include "trace/why-priv.h"

static const char *caller_of(const struct why *why)
{
    return *why_str(why->report, "from") ? why_str(why->report, "from") : "The switch";
}

/* Who had the switch make it, unless it is part of another call; "": it was dialled. */
static const char *made_by(const struct why *why)
{
    return why_is_part(why->report) ? "" : why_str(why->report, "made_by");
}

/* Whom nobody could reach: of a call that the switch makes, it may be the one for whom it is. */
static const char *called_of(const struct why *why)
{
    return *made_by(why) && strstr(why_str(why->report, "detail"), "for whom the call was made")
               ? caller_of(why)
               : why_str(why->report, "to");
}

/* The leg to blame: the called one that ended like the call, else any that did, else the last one called. */
static const json_t *guilty_leg(const struct why *why)
{
    const json_t *leg, *found = NULL, *called = NULL;

    for (size_t i = 0; i < json_array_size(why->legs); i++) {
        leg = json_array_get(why->legs, i);
        if (!json_is_true(json_object_get(leg, "inbound")))
            called = leg;
        if (why_is(leg, "cause", why_str(why->report, "cause")) && (!found || leg == called))
            found = leg;
    }
    return found ? found : called ? called : json_array_get(why->legs, 0);
}

/* What the side at `leg` last said it can speak; "" when it said nothing. */
static const char *codecs_of(const struct why *why, const json_t *leg, bool inbound)
{
    const char *found = "";

    for (size_t i = 0; i < json_array_size(why->lines); i++) {
        const json_t *line = json_array_get(why->lines, i);

        if (json_array_get(why->legs, (size_t)why_num(line, "leg")) == leg && json_object_get(line, "leg") &&
            why_is(line, "to", "tandem") == inbound && *why_str(line, "codecs"))
            found = why_str(line, "codecs");
    }
    return found;
}

static json_int_t first_us(const struct why *why, const char *text)
{
    for (size_t i = 0; i < json_array_size(why->lines); i++) {
        const json_t *line = json_array_get(why->lines, i);

        if (strncmp(why_str(line, "text"), text, strlen(text)) == 0)
            return why_num(line, "at_us");
    }
    return 0;
}

static json_int_t rang_s(const struct why *why)
{
    json_int_t from = first_us(why, "180"), end = why_num(why->report, "ended_us");

    return from && end > from ? (end - from + 500000) / 1000000 : 0;
}

static void open_words(struct why *why)
{
    const char *to = why_str(why->report, "to"), *by = made_by(why);
    char clock[16];

    why_clock(why_num(why->report, "started_us"), clock);
    if (!*by)
        why_say(why, "%s called %s at %s.", caller_of(why), to, clock);
    else if (strcmp(to, by) == 0)
        why_say(why, "The switch called %s at %s (%s).", caller_of(why), clock, by);
    else
        why_say(why, "The switch called %s at %s, to connect it with %s (%s).", caller_of(why), clock, to, by);
}

/* --- one cause each -------------------------------------------------------------------------------------------------
 */

static void no_common_codec(struct why *why)
{
    const json_t *leg = guilty_leg(why), *caller = json_array_get(why->legs, 0);
    const char *offered = codecs_of(why, caller, true), *theirs = codecs_of(why, leg, true);
    const char *party = why_str(leg, "party"), *ours = codecs_of(why, leg, false), *detail = why_str(leg, "detail");

    if (strstr(detail, "may use only")) {
        why_say(why, "The call failed because %s.", detail);
        why_do(why,
               "Allow a codec that the phone has (`tandem account set %s --codecs LIST`), or enable an allowed one in "
               "the phone.",
               party);
        return;
    }
    if (leg == caller || json_is_true(json_object_get(leg, "inbound"))) {
        why_say(why,
                "The call failed because the phone of %s offers only audio codecs that the switch or the other "
                "side does not speak: %s.",
                caller_of(why), *offered ? offered : "(none)");
    } else {
        why_say(why, "The call failed because the two phones have no audio codec in common. %s offers %s; %s",
                caller_of(why), *offered ? offered : "(nothing)", party);
        if (*theirs)
            why_say(why, "speaks %s.", theirs);
        else
            why_say(why, "refused %s and did not say what it speaks.", *ours ? ours : "that");
    }
    why_do(why, "Enable one codec on both phones: PCMA (G.711) works everywhere.");
}

static void no_encryption(struct why *why)
{
    static const char prefix[] = "no common encryption: ";
    const json_t *leg = guilty_leg(why);
    const char *detail = why_str(leg, "detail"), *party = why_str(leg, "party");

    if (strncmp(detail, prefix, sizeof prefix - 1) == 0)
        detail += sizeof prefix - 1;
    why_say(why, "The call failed because the audio of %s could not be encrypted as it should: %s.", party,
            *detail ? detail : "the phone and the switch have no common encryption");
    if (strstr(detail, "(TLS)"))
        why_do(why,
               "Let the phone register over TLS: else everybody on the way reads the keys. Where nobody can listen, "
               "`tandem account set %s --srtp-without-tls yes` allows it all the same.",
               party);
    else if (strstr(detail, "srtp is off"))
        why_do(why, "Switch SRTP off in the phone, or allow it: `tandem account set %s --srtp optional`.", party);
    else
        why_do(why,
               "Switch SRTP with SDES (AES_CM_128_HMAC_SHA1_80 works everywhere) or DTLS on in the phone, or require "
               "it no "
               "longer: `tandem account set %s --srtp optional`.",
               party);
}

static void phone_silent(struct why *why)
{
    const json_t *leg = guilty_leg(why);

    why_say(why, "The phone of %s is registered at %s, but answered nothing that was sent there.",
            why_str(leg, "party"), *why_str(leg, "peer") ? why_str(leg, "peer") : "an address that is not known");
    why_do(why,
           "The phone is off or lost its network, or a router closed the path to it. Restart the phone or let it "
           "register more often; `tandem why register %s` shows when it last did.",
           why_str(leg, "party"));
}

static void unreachable(struct why *why)
{
    why_say(why, "It failed because no phone is registered for %s.", called_of(why));
    why_do(why, "`tandem why register %s` says why not.", called_of(why));
}

static void contact_unreachable(struct why *why)
{
    why_say(why, "It failed at once because the phone of %s is registered, but has stopped answering keep-alives.",
            called_of(why));
    why_do(why,
           "The phone is off or lost its network, or its router closed the path to it. `tandem why register %s` says "
           "since "
           "when; it is called again as soon as it answers or registers.",
           called_of(why));
}

static bool was_sent_on(const struct why *why)
{
    const json_t *line;
    size_t i;

    json_array_foreach(why->lines, i, line)
    {
        if (why_is(line, "event", "forwarded"))
            return true;
    }
    return false;
}

static void unknown_number(struct why *why)
{
    if (was_sent_on(why)) {
        why_say(why,
                "It failed because the number to which it was sent on does not exist for who sent it on: there is no "
                "such account, and the dialplan has no extension for it.");
        why_do(
            why,
            "Correct it where that was set: `tandem forward` lists the forwards of all accounts, `tandem block list` "
            "whose calls are sent elsewhere; a phone may forward by itself, too.");
        return;
    }
    why_say(why,
            "It failed because the number %s does not exist here: no account has that name, and the dialplan's "
            "context \"%s\" has no extension for it.",
            why_str(why->report, "to"), why_str(why->report, "context"));
    why_do(why, "Check the number. If it should exist: tandem account add %s, or add an extension to the dialplan.",
           why_str(why->report, "to"));
}

static void busy(struct why *why)
{
    why_say(why, "The phone of %s said that it is busy.", why_str(guilty_leg(why), "party"));
    why_do(why,
           "Try again later. If nobody is on the phone there: look for do-not-disturb or a call limit in the phone.");
}

/* What an account has set, or its list of callers: the detail says whose and which. */
static void not_taken(struct why *why)
{
    const struct cause_info *cause = cause_info(cause_by_id(why_str(why->report, "cause")));
    const char *detail = why_str(why->report, "detail");

    if (*detail)
        why_say(why, "It was refused because %s.", detail);
    else
        why_say(why, "%s", cause->words);
    why_do(why, "%s", cause->remedy);
}

/* As the table of causes has it. */
static void in_general(struct why *why)
{
    const struct cause_info *cause = cause_info(cause_by_id(why_str(why->report, "cause")));

    why_say(why, "%s", cause->words);
    if (*why_str(why->report, "detail"))
        why_say(why, "(%s)", why_str(why->report, "detail"));
    why_do(why, "%s", *cause->remedy ? cause->remedy : "Nothing is broken.");
}

static void forbidden(struct why *why)
{
    if (!strstr(why_str(why->report, "detail"), "a feature code")) {
        in_general(why);
        return;
    }
    why_say(why, "It was refused because %s.", why_str(why->report, "detail"));
    why_do(why, "Forward or transfer to a phone, a group or a number; `tandem forward` shows what is set.");
}

static void no_answer(struct why *why)
{
    why_say(why, "The phone of %s rang for %lld seconds, but nobody answered.", why_str(guilty_leg(why), "party"),
            (long long)rang_s(why));
    why_do(why, "Nothing is broken. How long it rings is the timeout in the dialplan.");
}

static void cancelled(struct why *why)
{
    json_int_t rang = rang_s(why);

    if (rang)
        why_say(why, "The caller gave up after it had rung for %lld second%s, before anybody answered.",
                (long long)rang, rang == 1 ? "" : "s");
    else
        why_say(why, "The caller gave up before anybody answered.");
    why_do(why, "Nothing is broken.");
}

static void script_error(struct why *why)
{
    why_say(why, "It failed because the dialplan script has an error: %s", why_str(why->report, "detail"));
    why_do(why, "Correct the file at that line, then: tandem dialplan reload");
}

static void lost_phone(struct why *why)
{
    const json_t *leg = guilty_leg(why);
    const struct cause_info *cause = cause_info(cause_by_id(why_str(why->report, "cause")));

    why_say(why, "The call was ended because of the phone of %s. %s", why_str(leg, "party"), cause->words);
    why_do(why, "%s", cause->remedy);
}

static void switch_stopped(struct why *why)
{
    char clock[16];

    why_say(why, "The switch itself stopped during the call; it was running again at %s.",
            why_clock(why_num(why->report, "ended_us"), clock));
    why_do(why, "See the log of the switch before that time: journalctl -u tandemd");
}

static const struct {
    const char *cause;
    void (*say)(struct why *why);
} special[] = {
    {"no-common-codec", no_common_codec},
    {"no-encryption", no_encryption},
    {"phone-silent", phone_silent},
    {"unreachable", unreachable},
    {"contact-unreachable", contact_unreachable},
    {"unknown-number", unknown_number},
    {"busy", busy},
    {"do-not-disturb", not_taken},
    {"too-many-calls", not_taken},
    {"blocked", not_taken},
    {"forbidden", forbidden},
    {"no-answer", no_answer},
    {"cancelled", cancelled},
    {"script-error", script_error},
    {"connection-lost", lost_phone},
    {"session-expired", lost_phone},
    {"media-timeout", lost_phone},
    {"no-ack", lost_phone},
    {"switch-stopped", switch_stopped},
};

static void say_cause(struct why *why)
{
    for (size_t i = 0; i < COUNT_OF(special); i++)
        if (why_is(why->report, "cause", special[i].cause)) {
            special[i].say(why);
            return;
        }
    in_general(why);
}

/* --- facts ----------------------------------------------------------------------------------------------------------
 */

static bool is_telling(const json_t *line)
{
    const char *text = why_str(line, "text");

    if (why_is(line, "kind", "event"))
        return !why_is(line, "event", "call-new") && !why_is(line, "event", "bridge-joined");
    if (json_is_true(json_object_get(line, "again")))
        return false;
    if (why_is(line, "kind", "request"))
        return strcmp(text, "INVITE") == 0 || strcmp(text, "CANCEL") == 0 || strcmp(text, "BYE") == 0;
    return text[0] >= '2' && strncmp(text, "401", 3) != 0 && strncmp(text, "407", 3) != 0 && !strchr(text, '(');
}

static void line_fact(struct why *why, const json_t *line)
{
    const char *media = why_is(line, "media", "no change") ? "" : why_str(line, "media");

    if (why_is(line, "kind", "event"))
        why_fact(why, why_num(line, "at_us"), "%s", why_str(line, "text"));
    else
        why_fact(why, why_num(line, "at_us"), "%s to %s: %s%s%s", why_str(line, "from"), why_str(line, "to"),
                 why_str(line, "text"), *media ? ", " : "", media);
}

static void leg_fact(struct why *why, const json_t *leg)
{
    const json_t *media = json_object_get(leg, "media");

    why_fact(why, 0, "%s, phone at %s%s%s", why_str(leg, "party"),
             *why_str(leg, "peer") ? why_str(leg, "peer") : "(no address)", *why_str(leg, "cause") ? ", ended: " : "",
             why_str(leg, "cause"));
    if (media)
        why_fact(why, 0, "%s: %lld audio packets received, %lld lost, %lld sent, codec %s", why_str(leg, "party"),
                 (long long)why_num(media, "rx_packets"), (long long)why_num(media, "lost"),
                 (long long)why_num(media, "tx_packets"), *why_str(leg, "codec") ? why_str(leg, "codec") : "none");
    if (why_score(leg, "mos_in") > 0)
        why_fact(why, 0, "%s: sounds %.1f of 5", why_str(leg, "party"), why_score(leg, "mos_in"));
    if (why_score(leg, "mos_out") > 0)
        why_fact(why, 0, "%s: hears %.1f of 5; its phone reports %lld lost", why_str(leg, "party"),
                 why_score(leg, "mos_out"), (long long)why_num(media, "lost_out"));
}

static void add_facts(struct why *why)
{
    size_t told = 0;

    for (size_t i = 0; i < json_array_size(why->legs) && i < 12; i++)
        leg_fact(why, json_array_get(why->legs, i));
    for (size_t i = 0; i < json_array_size(why->lines) && told < 40; i++) {
        const json_t *line = json_array_get(why->lines, i);

        if (is_telling(line)) {
            line_fact(why, line);
            told++;
        }
    }
}

/* --- the whole -----------------------------------------------------------------------------------------------------
 */

static void say_end(struct why *why, const json_t *steps)
{
    const char *by = *why_str(why->report, "ended_by") ? why_str(why->report, "ended_by") : "switch";
    json_int_t talked = (why_num(why->report, "talk_ms") + 500) / 1000;
    char clock[16];

    if (json_array_size(steps))
        why_say(why, "At %s the %s hung up. Nothing went wrong.", why_clock(why_num(why->report, "ended_us"), clock),
                by);
    else if (!*why_str(why->report, "answered_by")) /* nobody else was called */
        why_say(why, "%s answered, and after %lld second%s the %s hung up. Nothing went wrong.",
                *made_by(why) ? caller_of(why) : "The switch", (long long)talked, talked == 1 ? "" : "s", by);
    else
        why_say(why, "%s answered, they talked for %lld second%s, and the %s hung up. Nothing went wrong.",
                why_str(why->report, "answered_by"), (long long)talked, talked == 1 ? "" : "s", by);
    why_hold(why, true);
    why_do(why, "Nothing is broken.");
}

static json_t *finish_call(struct why *why, json_t *reports, json_t *steps, const char *cause)
{
    json_t *first = json_incref(json_array_get(reports, 0));
    char about[100];
    json_t *step, *answer;
    size_t i;

    if (json_array_size(reports) > 1) { /* those of one call are in its lines */
        json_array_foreach(steps, i, step)
        {
            why_fact(why, why_num(step, "at_us"), "%s", why_str(step, "text"));
        }
    }
    add_facts(why);
    snprintf(about, sizeof about, "Call %s", why_str(first, "id"));
    answer = why_done(why, first, about, cause);
    json_decref(steps);
    json_decref(reports);
    return answer;
}

/* What modules have said: who rang for a group, why nobody could be picked up. */
static void module_words(struct why *why)
{
    static const struct {
        const char *begin;
        unsigned left_out; /* characters of it */
    } words[] = {
        {"dialplan: ring group ", 10}, {"dialplan: page ", 10},     {"dialplan: follow-me of ", 10},
        {"dialplan: pickup: ", 18},    {"dialplan: parking: ", 19},
    };

    for (size_t i = 0; i < json_array_size(why->lines); i++) {
        const char *text = why_str(json_array_get(why->lines, i), "text");

        for (size_t k = 0; k < COUNT_OF(words); k++)
            if (strncmp(text, words[k].begin, strlen(words[k].begin)) == 0 && text[words[k].left_out])
                why_say(why, "%c%s.", toupper((unsigned char)text[words[k].left_out]), text + words[k].left_out + 1);
    }
}

json_t *why_call(json_t *reports)
{
    bool ended, fine, poor, story;
    const json_t *report;
    json_t *steps;
    struct why why;

    if (json_is_object(reports))
        reports = json_pack("[o]", reports);
    steps = story_of(reports);
    story = story_is_one(steps);
    why_init(&why, json_array_get(reports, 0));
    open_words(&why);
    module_words(&why);
    report = story_last(reports);
    why.report = report;
    why.legs = json_object_get(report, "legs");
    why.lines = json_object_get(report, "lines");
    ended = why_is(report, "state", "ended");
    fine = !ended || why_is(report, "cause", "normal");
    if (story)
        story_tell(&why, steps);
    if (!ended) {
        why_say(&why, "The call is still running (%s).", why_str(report, "state"));
        why_do(&why, "Nothing is known to be broken.");
        why_hold(&why, false);
    }
    if ((fine || why_is(report, "cause", "media-timeout")) && why_keyless(&why))
        return finish_call(&why, reports, steps, "no-keys");
    if (fine && why_silence(&why))
        return finish_call(&why, reports, steps, "no-audio");
    poor = fine && why_quality(&why);
    if (ended && fine && poor)
        why_say(&why, "They talked for %lld seconds, and the %s hung up.",
                (long long)(why_num(report, "talk_ms") + 500) / 1000,
                *why_str(report, "ended_by") ? why_str(report, "ended_by") : "switch");
    else if (ended && fine && why_num(report, "answered_us"))
        say_end(&why, story ? steps : NULL);
    else if (ended)
        say_cause(&why);
    return finish_call(&why, reports, steps, poor ? "poor-audio" : ended ? why_str(report, "cause") : "none");
}
