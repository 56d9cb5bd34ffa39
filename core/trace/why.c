/* Words for registrations and for attempts of which no call was made, and what both kinds of explanation are made of.
 * Any thread. */
#include "trace/why-priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "trace/json_text.h"

void why_init(struct why *why, const json_t *report)
{
    memset(why, 0, sizeof *why);
    why->report = report;
    why->legs = json_object_get(report, "legs");
    why->lines = json_object_get(report, "lines");
    why->facts = json_array();
}

void why_say(struct why *why, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (why->used && why->used + 1 < sizeof why->sentence)
        why->sentence[why->used++] = ' ';
    va_start(ap, fmt);
    n = vsnprintf(why->sentence + why->used, sizeof why->sentence - why->used, fmt, ap);
    va_end(ap);
    if (n > 0)
        why->used += (size_t)n;
    if (why->used > sizeof why->sentence - 1)
        why->used = sizeof why->sentence - 1;
}

void why_do(struct why *why, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why->remedy, sizeof why->remedy, fmt, ap);
    va_end(ap);
}

void why_fact(struct why *why, json_int_t at_us, const char *fmt, ...)
{
    char text[500], clock[16];
    size_t used = 0;
    va_list ap;

    if (at_us)
        used = (size_t)snprintf(text, sizeof text, "%s.%03d ", why_clock(at_us, clock), (int)(at_us / 1000 % 1000));
    va_start(ap, fmt);
    vsnprintf(text + used, sizeof text - used, fmt, ap);
    va_end(ap);
    json_array_append_new(why->facts, json_text(text));
}

json_t *why_done(struct why *why, json_t *report, const char *about, const char *cause)
{
    json_t *json = json_pack("{s:o,s:o,s:o,s:o,s:s}", "about", json_text(about), "sentence", json_text(why->sentence),
                             "facts", why->facts, "remedy", json_text(why->remedy), "cause", cause);

    if (json_object_get(report, "id"))
        json_object_set(json, "call", json_object_get(report, "id"));
    json_decref(report);
    return json;
}

const char *why_str(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

json_int_t why_num(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

const char *why_clock(json_int_t at_us, char out[16])
{
    time_t seconds = (time_t)(at_us / 1000000);
    struct tm tm;

    localtime_r(&seconds, &tm);
    strftime(out, 16, "%H:%M:%S", &tm);
    return out;
}

/* --- attempts --------------------------------------------------------------------------------------------------
 */

/* How the latest attempt went, as far as the messages and events tell. */
struct attempt {
    const char *doing;     /* "tries to register as 201" */
    const char *trace;     /* what shows its messages, behind `tandem trace ` */
    const json_t *asked;   /* REGISTER or INVITE of the phone */
    const json_t *answer;  /* what the switch answered last */
    const json_t *failed;  /* auth-failed */
    const json_t *bound;   /* registered */
    const json_t *unbound; /* unregistered */
    const json_t *lost;    /* unreachable; forgotten when it came back */
    const json_t *alg;     /* sip-alg */
    unsigned challenges;   /* 401 since the last success */
};

static void take_line(struct attempt *a, const json_t *line)
{
    const char *kind = why_str(line, "kind"), *event = why_str(line, "event"), *text = why_str(line, "text");

    if (strcmp(kind, "request") == 0) {
        if (strcmp(text, "ACK") != 0 && strcmp(text, "CANCEL") != 0)
            a->asked = line;
    } else if (strcmp(kind, "response") == 0) {
        a->answer = line;
        a->challenges = strncmp(text, "401", 3) == 0 ? a->challenges + 1 : 0;
    } else if (strcmp(event, "auth-failed") == 0) {
        a->failed = line;
    } else if (strcmp(event, "registered") == 0) {
        a->bound = line;
        a->failed = a->lost = NULL;
    } else if (strcmp(event, "unreachable") == 0) {
        a->lost = line;
    } else if (strcmp(event, "reachable") == 0) {
        a->lost = NULL;
    } else if (strcmp(event, "sip-alg") == 0) {
        a->alg = line;
    } else if (strcmp(event, "unregistered") == 0) {
        a->unbound = line;
    }
}

static const char *phone_of(const json_t *legs, const json_t *line)
{
    return why_str(json_array_get(legs, (size_t)why_num(line, "leg")), "peer");
}

static const char *say_refused(struct why *why, const char *account, const struct attempt *a)
{
    const char *detail = why_str(a->failed, "detail"), *reason = strstr(detail, ": ");
    const char *login = why_str(a->failed, "account");
    bool device;
    char peer[80];

    reason = reason ? reason + 2 : detail;
    login = *login ? login : account;
    device = strcmp(login, account) != 0;
    str_copy_n(peer, sizeof peer, strncmp(detail, "from ", 5) == 0 ? detail + 5 : detail,
               reason > detail + 7 ? (size_t)(reason - detail) - 7 : 0);
    if (strcmp(reason, "wrong password") == 0 && device) {
        why_say(why, "The phone at %s %s with the user name %s, but with a wrong password.", peer, a->doing, login);
        why_do(why,
               "Type the secret of device %s into the phone again, or give it a new one: "
               "tandem device password %s",
               login, login);
        return "wrong-password";
    }
    if (strcmp(reason, "the device is disabled") == 0) {
        why_say(why, "The phone at %s %s, but its device %s is disabled.", peer, a->doing, login);
        why_do(why, "If it shall work again: tandem device enable %s", login);
        return "device-disabled";
    }
    if (strcmp(reason, "wrong password") == 0) {
        why_say(why, "The phone at %s %s, but with a wrong password.", peer, a->doing);
        why_do(why,
               "Type the secret of account %s into the phone again, or give it a new one: "
               "tandem account password %s",
               account, account);
        return "wrong-password";
    }
    if (strcmp(reason, "there is no such account") == 0) {
        why_say(why, "The phone at %s %s, but there is no account with that name", peer, a->doing);
        why_say(why, device ? "(it sends the user name %s)." : "(%s).", login);
        why_do(why, "Check the user name in the phone, or add the account: tandem account add %s", login);
        return "no-account";
    }
    if (strcmp(reason, "the account is disabled") == 0) {
        why_say(why, "The phone at %s %s, but that account is disabled.", peer, a->doing);
        why_do(why, "If it shall work again: tandem account enable %s", account);
        return "account-disabled";
    }
    why_say(why, "The phone at %s %s and is refused: %s.", peer, a->doing, reason);
    why_do(why, "Leave the fields for realm and authentication domain in the phone empty, so that it takes what the "
                "switch asks for.");
    return "refused";
}

/* Neither refused for its credentials nor successful. */
static const char *say_unfinished(struct why *why, const struct attempt *a)
{
    const char *peer = phone_of(why->legs, a->asked), *lost = strstr(why_str(a->asked, "text"), ", dropped: ");

    if (lost) {
        why_say(why, "The phone at %s %s, and the switch did not listen to it: %s.", peer, a->doing, lost + 11);
        why_do(why, "See what the phone sends: tandem trace %s --raw", a->trace);
        return "dropped";
    }
    if (a->challenges) {
        why_say(why, "The phone at %s %s, was asked for its password and never sent it.", peer, a->doing);
        why_do(why, "Set the secret in the phone; if it is set, the answers of the switch do not reach the phone: look "
                    "for a firewall or a router with SIP ALG between.");
        return "no-password";
    }
    why_say(why, "The phone at %s %s and got the answer %s.", peer, a->doing,
            a->answer ? why_str(a->answer, "text") : "of nobody");
    why_do(why, "See the messages: tandem trace %s --raw", a->trace);
    return "refused";
}

static void take_lines(struct why *why, struct attempt *a)
{
    for (size_t i = 0; i < json_array_size(why->lines); i++)
        take_line(a, json_array_get(why->lines, i));
}

/* The latest lines are enough to see the pattern. */
static void add_lines(struct why *why)
{
    size_t count = json_array_size(why->lines);

    for (size_t i = count > 12 ? count - 12 : 0; i < count; i++) {
        const json_t *line = json_array_get(why->lines, i);

        if (strcmp(why_str(line, "kind"), "event") == 0)
            why_fact(why, why_num(line, "at_us"), "%s", why_str(line, "text"));
        else
            why_fact(why, why_num(line, "at_us"), "%s %s: %s",
                     strcmp(why_str(line, "to"), "tandem") == 0 ? "from" : "to", phone_of(why->legs, line),
                     why_str(line, "text"));
    }
}

/* As why_done(), with the phone's address, which may be banned. */
static json_t *attempt_done(struct why *why, const struct attempt *a, json_t *report, const char *about,
                            const char *cause)
{
    json_t *peer = a->asked ? json_text(phone_of(why->legs, a->asked)) : NULL;
    json_t *answer = why_done(why, report, about, cause);

    if (peer)
        json_object_set_new(answer, "peer", peer);
    return answer;
}

/* --- registrations --------------------------------------------------------------------------------------------------
 */

/* It is registered; what may be wrong all the same? */
static const char *say_bound(struct why *why, const char *account, const struct attempt *a)
{
    const char *remedy = strstr(why_str(a->alg, "detail"), "Switch off");
    char clock[16];

    why_say(why, "%s registered at %s, and that went well.", account, why_clock(why_num(a->bound, "at_us"), clock));
    if (a->lost) {
        why_say(why, "Since %s it has not answered keep-alives, so calls to it fail at once: %s.",
                why_clock(why_num(a->lost, "at_us"), clock), why_str(a->lost, "detail"));
        why_do(why, "Check the phone's power and network. It is called again as soon as it answers or registers%s%s.",
               remedy ? ". " : "", remedy ? remedy : "");
        return "unreachable";
    }
    if (remedy) {
        why_say(why, "Its router rewrites SIP (SIP ALG), which often breaks incoming calls and sound.");
        why_do(why, "%s.", remedy);
        return "sip-alg";
    }
    why_do(why, "Nothing. `tandem registrations` shows whether it is still valid.");
    return "registered";
}

static const char *say_outcome(struct why *why, const char *account, const struct attempt *a)
{
    char clock[16];

    if (!a->asked && !a->failed && !a->bound) {
        why_say(why, "No phone has tried to register as %s, as far back as messages are kept.", account);
        why_do(why,
               "Check that the phone is on and connected, that this switch is its server (address, port, "
               "transport), that its user name is %s, and that no firewall stands between.",
               account);
        return "never-seen";
    }
    if (a->failed)
        return say_refused(why, account, a);
    if (a->unbound && (!a->bound || why_num(a->unbound, "at_us") > why_num(a->bound, "at_us"))) {
        why_say(why, "%s was registered until %s and is not any more.", account,
                why_clock(why_num(a->unbound, "at_us"), clock));
        why_do(why, "The phone logged out, or it did not renew its registration in time: check its power and network.");
        return "gone";
    }
    if (a->bound)
        return say_bound(why, account, a);
    return say_unfinished(why, a);
}

json_t *why_register(const char *account, json_t *report)
{
    char about[100], doing[100], trace[100];
    struct attempt attempt = {.doing = doing, .trace = trace};
    struct why why;
    const char *cause;

    snprintf(doing, sizeof doing, "tries to register as %s", account);
    snprintf(trace, sizeof trace, "--register %s", account);
    why_init(&why, report);
    take_lines(&why, &attempt);
    cause = say_outcome(&why, account, &attempt);
    add_lines(&why);
    snprintf(about, sizeof about, "Registration of %s", account);
    return attempt_done(&why, &attempt, report, about, cause);
}

/* --- calls that were none -------------------------------------------------------------------------------------------
 */

json_t *why_attempt(const char *from, const char *to, const char *call, json_t *report)
{
    char about[180], doing[200], trace[100], clock[16];
    struct attempt attempt = {.doing = doing, .trace = trace};
    struct why why;
    const char *cause;
    size_t used;

    why_init(&why, report);
    take_lines(&why, &attempt);
    snprintf(doing, sizeof doing, "tried to call %s as %s at %s", to, from,
             why_clock(why_num(attempt.asked, "at_us"), clock));
    snprintf(trace, sizeof trace, "last %s", from);
    cause = attempt.failed ? say_refused(&why, from, &attempt) : say_unfinished(&why, &attempt);
    used = strlen(why.remedy);
    if (*call)
        str_append(why.remedy, sizeof why.remedy, &used, " (The latest call before: tandem why %s)", call);
    add_lines(&why);
    snprintf(about, sizeof about, "Attempt of %s to call %s", from, to);
    return attempt_done(&why, &attempt, report, about, cause);
}
