/* See lamps.h. */
#include "lamps.h"

#include <stdio.h>
#include <stdlib.h>

const struct config_sip_timers usual;

struct bed *with_lamps(const char *lines, struct config_sip_timers timers)
{
    char text[500];
    struct bed_options options = {.modules = text, .sip_timers = timers};

    snprintf(text, sizeof text, "[module lamp]\npath = %s/tests/modules/.libs/lamp.so\n%s", getenv("TANDEM_BUILD"),
             lines);
    return bed_open_with(&options);
}

unsigned lamp(struct bed *bed, const char *name, const char *shines, const char *what)
{
    char params[200];
    json_t *answer;
    unsigned count;

    snprintf(params, sizeof params, shines ? "{\"lamp\":\"%s\",\"shines\":\"%s\"}" : "{\"lamp\":\"%s\"}", name, shines);
    answer = bed_ask(bed, "lamp", params);
    ck_assert(json_is_true(json_object_get(answer, "ok")));
    count = (unsigned)json_integer_value(json_object_get(json_object_get(answer, "result"), what));
    json_decref(answer);
    return count;
}

unsigned subscriptions(struct bed *bed)
{
    return lamp(bed, "none", NULL, "subscriptions");
}

const struct message *subscribe(struct ua *ua, const char *name, const char *headers)
{
    char uri[ADDR_TEXT + 80], host[ADDR_TEXT], value[300];
    struct ask ask = {.method = "SUBSCRIBE", .uri = uri, .headers = headers, .account = true};
    const struct message *m;
    const char *tag;

    snprintf(uri, sizeof uri, "sip:%s@%s", name, addr_text(&ua->proxy, host));
    m = must(wire_ask(ua, &ask));
    if (m->status != 200)
        return m;
    message_header(m, "Call-ID", ua->call_id, sizeof ua->call_id);
    message_header(m, "From", value, sizeof value);
    tag = strstr(value, ";tag=");
    str_copy(ua->local_tag, sizeof ua->local_tag, tag + 5);
    str_copy_n(ua->from, sizeof ua->from, value, (size_t)(tag - value));
    message_header(m, "To", value, sizeof value);
    str_copy_n(ua->to, sizeof ua->to, value, (size_t)(strstr(value, ";tag=") - value));
    ua_learn(ua, m);
    return m;
}

int again(struct ua *ua, const char *headers)
{
    struct ask ask = {.method = "SUBSCRIBE", .in_dialog = true, .headers = headers};

    return wire_status(ua, &ask);
}

void expect(struct ua *ua, const char *state, const char *body)
{
    struct message m = *must(ua_wait(ua, "NOTIFY"));
    char value[200];

    message_header(&m, "Subscription-State", value, sizeof value);
    ck_assert_msg(strncmp(value, state, strlen(state)) == 0, "%s\n%s", state, m.text);
    ck_assert_str_eq(message_body(&m), body);
    ck_assert_str_eq(message_header(&m, "Call-ID", value, sizeof value), ua->call_id);
    ck_assert_str_eq(message_header(&m, "Event", value, sizeof value), "lamp");
    ua_reply(ua, &m, 200, "OK", NULL);
}
