/* What the tests of ring groups, follow-me and pages share: an office of up to five phones, a group of its own, and
 * what phones do. */
#ifndef LOOPBACK_GROUPS_BED_H
#define LOOPBACK_GROUPS_BED_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "bed.h"
#include "module/loader.h"
#include "wire.h"

#define GROUP "[module group]\n[module forward]\n"

struct office {
    struct bed *bed;
    struct ua *phones[6]; /* 201 … 205 at 1 … 5; NULL: not registered */
    struct bus_subscription *subscription;
    char said[4000]; /* events of calls in words, with a line end behind each */
};

static inline void said(void *arg, const struct event *event)
{
    struct office *o = arg;
    size_t used = strlen(o->said);

    str_append(o->said, sizeof o->said, &used, "%s\n", event->detail);
}

/* 201 and so many more are registered. */
static inline struct office *office_open_with(const char *modules, unsigned count, const char *dialplan)
{
    struct office *o = mem_new(sizeof *o);

    o->bed = bed_open(modules, dialplan);
    o->subscription = bus_subscribe(o->bed->pbx->bus, EVENT_BIT(EVENT_SCRIPT), said, o);
    for (unsigned i = 1; i <= count; i++) {
        char name[8];

        snprintf(name, sizeof name, "%u", 200 + i);
        o->phones[i] = bed_registered(o->bed, name);
    }
    return o;
}

static inline struct office *office_open(unsigned count, const char *dialplan)
{
    return office_open_with(GROUP, count, dialplan);
}

/* The module, in a switch that runs without it until now; to be taken out again by modules_stop(). */
static inline struct module_set *office_add_groups(const struct office *o)
{
    static const struct module_spec spec = {.name = "group"};
    char dir[300], why[300] = "";
    const struct module_set_config config = {.pbx = o->bed->pbx, .dir = dir, .specs = &spec, .count = 1};
    struct module_set *set = NULL;

    snprintf(dir, sizeof dir, "%s/modules/.libs", getenv("TANDEM_BUILD"));
    ck_assert_msg(modules_start(&config, &set, why, sizeof why) == 0, "%s", why);
    return set;
}

static inline void office_close(struct office *o)
{
    for (unsigned i = 1; i < 6; i++)
        if (o->phones[i])
            ua_close(o->phones[i]);
    bus_unsubscribe(o->subscription);
    bed_close(o->bed);
    free(o);
}

/* members: JSON objects. more: further properties of the group. */
static inline void group(struct office *o, const char *strategy, const char *members, const char *more)
{
    char text[1000];

    snprintf(text, sizeof text,
             "{\"number\":\"600\",\"strategy\":\"%s\",\"ring_time\":20,\"skip_busy\":true,\"context\":\"internal\","
             "\"members\":[%s]%s%s}",
             strategy, members, more ? "," : "", more ? more : "");
    bed_feature(o->bed, "ring_group", "sales", text);
}

#define MEMBER(name) "{\"member\":\"" name "\",\"delay\":0,\"ring_time\":null,\"confirm\":null}"

static inline void rings(struct ua *ua)
{
    ua_reply(ua, must(ua_wait(ua, "INVITE")), 180, "Ringing", NULL);
}

static inline void stops_ringing(struct ua *ua)
{
    ua_reply(ua, must(ua_wait(ua, "CANCEL")), 200, "OK", NULL);
    ua_reply(ua, &ua->invite, 487, "Request Terminated", NULL);
    must(ua_wait(ua, "ACK"));
}

static inline void refuses(struct ua *ua, int status)
{
    ua_reply(ua, must(ua_wait(ua, "INVITE")), status, "No", NULL);
    must(ua_wait(ua, "ACK"));
}

static inline void answers(struct ua *ua)
{
    ua_reply(ua, &ua->invite, 200, "OK", NULL);
    must(ua_wait(ua, "ACK"));
}

static inline void is_connected(struct ua *caller)
{
    ua_ack(caller, must(ua_wait(caller, "200")));
}

static inline void hangs_up(struct office *o, struct ua *who, struct ua *other)
{
    unsigned before = o->bed->calls_ended;

    ua_bye(who);
    if (other)
        ua_reply(other, must(ua_wait(other, "BYE")), 200, "OK", NULL);
    bed_until(o->bed, o->bed->calls_ended == before + 1);
}

/* The caller gets this final status. */
static inline void is_refused(struct office *o, struct ua *caller, int status)
{
    unsigned before = o->bed->calls_ended;
    char text[8];

    snprintf(text, sizeof text, "%d", status);
    must(ua_wait(caller, text));
    bed_until(o->bed, o->bed->calls_ended == before + 1);
}

static inline void was_said(const struct office *o, const char *words)
{
    ck_assert_msg(strstr(o->said, words), "nobody said \"%s\", but: %s", words, o->said);
}

static inline bool nothing_for(struct ua *ua)
{
    return ua_wait_ms(ua, "INVITE", 300) == NULL;
}

/* What a busy machine has sent twice is not taken for another call. */
static inline void forget(struct office *o)
{
    for (unsigned i = 1; i < 6; i++) {
        if (!o->phones[i])
            continue;
        ua_poll(o->phones[i]);
        o->phones[i]->in_count = 0;
    }
}

/* One call of the group, which this member answers first. */
static inline void one_call(struct office *o, struct ua *first)
{
    forget(o);
    ua_invite(o->phones[1], "sales", NULL);
    rings(first);
    answers(first);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], first);
}

static inline void presses(struct ua *ua, const char *key)
{
    char body[64];

    snprintf(body, sizeof body, "Signal=%s\r\nDuration=160\r\n", key);
    ck_assert_int_eq(
        wire_status(ua,
                    &(struct ask){.method = "INFO", .in_dialog = true, .type = "application/dtmf-relay", .body = body}),
        200);
}

static inline void forward(struct office *o, const char *cmd, const char *params)
{
    json_t *answer = bed_ask(o->bed, cmd, params);

    ck_assert_msg(json_is_true(json_object_get(answer, "ok")), "%s %s was refused", cmd, params);
    json_decref(answer);
}

static inline unsigned char heard_by(struct ua *ua, unsigned char mark)
{
    unsigned char packet[2048], last = 0;
    ssize_t n;

    while ((n = recv(ua->rtp_fd, packet, sizeof packet, 0)) > 0)
        if (n > 12 && packet[12] == mark)
            last = mark;
    return last;
}

/* Numbers that begin with 0 are outside: the phone of 203. */
#define OUTSIDE                                                                                                        \
    "include('accounts.lua')\n"                                                                                        \
    "extension('internal', '_0X.', function(call)\n"                                                                   \
    "  call:log('%s dials %s', call.account or 'nobody', call.extension)\n"                                            \
    "  call:dial{ to = 'account:203' }\n"                                                                              \
    "end)\n"                                                                                                           \
    "extension('internal', '_.', function(call) dial_account(call, call.extension) end)\n"

static inline bool hears(struct office *o, struct ua *speaker, const struct message *to_speaker, struct ua *listener)
{
    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until;) {
        ua_talk(speaker, message_body(to_speaker), 1, 0x31);
        for (uint64_t beat = now_ms() + 20; now_ms() < beat;)
            loop_turn(o->bed->loop, 2);
        if (heard_by(listener, 0x31))
            return true;
    }
    return false;
}

#endif
