/* Words for registrations, and what both kinds of explanation are made of. Any thread. */
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

/* --- registrations --------------------------------------------------------------------------------------------------
 */

/* How the latest attempt went, as far as the messages and events tell. */
struct attempt {
    const json_t *asked;   /* REGISTER of the phone */
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
    char peer[80];

    reason = reason ? reason + 2 : detail;
    login = *login ? login : account;
    str_copy_n(peer, sizeof peer, strncmp(detail, "from ", 5) == 0 ? detail + 5 : detail,
               reason > detail + 7 ? (size_t)(reason - detail) - 7 : 0);
    if (strcmp(reason, "wrong password") == 0 && strcmp(login, account) != 0) {
        why_say(why, "The phone at %s tries to register as %s with the user name %s, but with a wrong password.", peer,
                account, login);
        why_do(why,
               "Type the secret of device %s into the phone again, or give it a new one: "
               "tandem device set %s --new-secret",
               login, login);
        return "wrong-password";
    }
    if (strcmp(reason, "the device is disabled") == 0) {
        why_say(why, "The phone at %s tries to register as %s, but its device %s is disabled.", peer, account, login);
        why_do(why, "If it shall work again: tandem device enable %s", login);
        return "device-disabled";
    }
    if (strcmp(reason, "wrong password") == 0) {
        why_say(why, "The phone at %s tries to register as %s, but with a wrong password.", peer, account);
        why_do(why,
               "Type the secret of account %s into the phone again, or give it a new one: "
               "tandem account password %s",
               account, account);
        return "wrong-password";
    }
    if (strcmp(reason, "there is no such account") == 0) {
        why_say(why, "The phone at %s tries to register as %s, but there is no account with that name.", peer, account);
        why_do(why, "Check the user name in the phone, or add the account: tandem account add %s", account);
        return "no-account";
    }
    if (strcmp(reason, "the account is disabled") == 0) {
        why_say(why, "The phone at %s tries to register as %s, but that account is disabled.", peer, account);
        why_do(why, "If it shall work again: tandem account enable %s", account);
        return "account-disabled";
    }
    why_say(why, "The phone at %s tries to register as %s and is refused: %s.", peer, account, reason);
    why_do(why, "Leave the fields for realm and authentication domain in the phone empty, so that it takes what the "
                "switch asks for.");
    return "refused";
}

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
    if (a->challenges) {
        why_say(why, "The phone at %s asked to register as %s, was asked for its password and never sent it.",
                phone_of(why->legs, a->asked), account);
        why_do(why, "Set the secret in the phone; if it is set, the answers of the switch do not reach the phone: look "
                    "for a firewall or a router with SIP ALG between.");
        return "no-password";
    }
    why_say(why, "The phone at %s asked to register as %s and got the answer %s.", phone_of(why->legs, a->asked),
            account, a->answer ? why_str(a->answer, "text") : "of nobody");
    why_do(why, "See the messages: tandem trace --register %s --raw", account);
    return "refused";
}

json_t *why_register(const char *account, json_t *report)
{
    struct attempt attempt = {0};
    struct why why;
    const json_t *line;
    size_t i, count;
    const char *cause;
    char about[100];
    json_t *peer, *answer;

    why_init(&why, report);
    count = json_array_size(why.lines);
    for (i = 0; i < count; i++)
        take_line(&attempt, json_array_get(why.lines, i));
    cause = say_outcome(&why, account, &attempt);
    for (i = count > 12 ? count - 12 : 0; i < count; i++) { /* the latest are enough to see the pattern */
        line = json_array_get(why.lines, i);
        if (strcmp(why_str(line, "kind"), "event") == 0)
            why_fact(&why, why_num(line, "at_us"), "%s", why_str(line, "text"));
        else
            why_fact(&why, why_num(line, "at_us"), "%s %s: %s",
                     strcmp(why_str(line, "to"), "tandem") == 0 ? "from" : "to", phone_of(why.legs, line),
                     why_str(line, "text"));
    }
    snprintf(about, sizeof about, "Registration of %s", account);
    peer = attempt.asked ? json_text(phone_of(why.legs, attempt.asked)) : NULL;
    answer = why_done(&why, report, about, cause);
    if (peer)
        json_object_set_new(answer, "peer", peer);
    return answer;
}
