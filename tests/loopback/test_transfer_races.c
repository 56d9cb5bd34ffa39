/* Somebody hangs up, or changes his media, after message N of a transfer, for each N and each party of each kind of
 * transfer: whatever it meets, all legs, calls, dialogs and ports are gone when everybody has hung up, and all their
 * records are closed. The phones answer by themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "bed.h"
#include "sip/agent.h"
#include "wire.h"

#define PARTIES 4
#define QUIET_MS 120 /* nothing comes any more */
#define MESSAGES_MAX 24

enum party { A, B, C, B2 };

struct flow {
    const char *name;
    enum party by;
    bool held, target_busy, consulted, ringing; /* ringing: the target has not answered who consults it */
    const char *keys;                           /* that ask for the transfer; NULL: a REFER does */
    bool holds, all_hold; /* nobody hangs up: the party holds the other one; all of them at once */
};

static const struct flow flows[] = {
    {.name = "the callee transfers", .by = B},
    {.name = "the caller transfers", .by = A},
    {.name = "out of hold", .by = B, .held = true},
    {.name = "to who is busy", .by = B, .target_busy = true},
    {.name = "out of hold to who is busy", .by = B, .held = true, .target_busy = true},
    {.name = "with consultation", .by = B, .consulted = true},
    {.name = "with consultation, out of hold", .by = B, .held = true, .consulted = true},
    {.name = "while the target rings", .by = B, .consulted = true, .ringing = true},
    {.name = "by keys", .by = B, .keys = "*1203#"},
    {.name = "by keys, with consultation", .by = B, .keys = "*2203#"},
    {.name = "by keys to who is busy", .by = A, .keys = "*2203#", .target_busy = true},
    {.name = "while somebody holds", .by = B, .holds = true},
    {.name = "while all hold", .by = A, .holds = true, .all_hold = true},
    {.name = "by keys while all hold", .by = B, .keys = "*2203#", .holds = true, .all_hold = true},
};

struct stage {
    struct bed *bed;
    const struct flow *flow;
    struct ua *phone[PARTIES];
    bool up[PARTIES], gone[PARTIES], rings[PARTIES]; /* gone: has hung up and takes no calls */
    bool offers[PARTIES];                            /* its own re-INVITE waits for an answer */
    unsigned messages;                               /* that came since the transfer was asked for */
    int calls, legs;                                 /* whose records are open */
    unsigned odd;                                    /* records that say what nobody has done */
    uint64_t last_ms;
};

/* The parts of a REFER that names a dialog. */
static void ask_for_transfer(struct stage *s)
{
    struct ua *by = s->phone[s->flow->by], *line = s->phone[B2];
    struct ask ask = {.method = "REFER", .in_dialog = true};
    char headers[700];

    for (const char *key = s->flow->keys; key && *key; key++) {
        snprintf(headers, sizeof headers, "Signal=%c\r\nDuration=100\r\n", *key);
        wire_send(
            by, &(struct ask){.method = "INFO", .in_dialog = true, .type = "application/dtmf-relay", .body = headers});
    }
    if (s->flow->keys)
        return;
    if (s->flow->consulted)
        snprintf(headers, sizeof headers,
                 "Refer-To: <sip:203@tandem?Replaces=%s%%3Bto-tag%%3D%s%%3Bfrom-tag%%3D%s>\r\n", line->call_id,
                 line->remote_tag, line->local_tag);
    else
        snprintf(headers, sizeof headers, "Refer-To: <sip:203@tandem>\r\n");
    ask.headers = headers;
    wire_send(by, &ask);
}

static void hang_up(struct stage *s, int party)
{
    s->gone[party] = true;
    if (!s->up[party])
        return;
    s->up[party] = false;
    ua_start(s->phone[party], "BYE", NULL);
}

static void sdp_holding(struct ua *ua, const char *dir, char *sdp, size_t size)
{
    char *at;

    ua_sdp(ua, sdp, size);
    at = strstr(sdp, "a=sendrecv");
    snprintf(at, size - (size_t)(at - sdp), "a=%s\r\n", dir);
}

static void hold_now(struct stage *s, int party)
{
    char sdp[1200];

    if (!s->phone[party] || !s->up[party] || s->offers[party])
        return;
    sdp_holding(s->phone[party], "sendonly", sdp, sizeof sdp);
    s->offers[party] = true;
    ua_start(s->phone[party], "INVITE", sdp);
}

static void act(struct stage *s, int party)
{
    if (!s->flow->holds)
        hang_up(s, party);
    for (int i = 0; s->flow->holds && i < PARTIES; i++)
        if (i == party || s->flow->all_hold)
            hold_now(s, i);
}

/* What a phone hears of its own re-INVITE: it is refused while another is under way. */
static void offer_answered(struct stage *s, int party, const struct message *m)
{
    s->offers[party] = false;
    if (m->status < 300)
        ua_ack(s->phone[party], m);
    else
        ua_ack_failure(s->phone[party], m);
}

static void new_call(struct stage *s, int party, const struct message *m)
{
    struct ua *ua = s->phone[party];

    if (s->gone[party] || s->up[party] || (party == C && s->flow->target_busy)) {
        struct ua kept = *ua; /* a refusal is no dialog of the phone's */

        ua_reply(ua, m, 486, "Busy Here", NULL);
        str_copy(ua->call_id, sizeof ua->call_id, kept.call_id);
        str_copy(ua->local_tag, sizeof ua->local_tag, kept.local_tag);
        str_copy(ua->remote_tag, sizeof ua->remote_tag, kept.remote_tag);
        str_copy(ua->target, sizeof ua->target, kept.target);
        str_copy(ua->from, sizeof ua->from, kept.from);
        str_copy(ua->to, sizeof ua->to, kept.to);
        ua->uac = kept.uac;
        return;
    }
    ua_reply(ua, m, 180, "Ringing", NULL);
    ua_reply(ua, &ua->invite, 200, "OK", NULL);
    s->up[party] = true;
}

static void request_came(struct stage *s, int party, const struct message *m)
{
    struct ua *ua = s->phone[party];
    char to[512];

    if (strcmp(m->method, "ACK") == 0)
        return;
    if (strcmp(m->method, "INVITE") == 0) {
        if (!strstr(message_header(m, "To", to, sizeof to), ";tag="))
            new_call(s, party, m);
        else if (s->offers[party]) /* glare: RFC 3261 §14.2 */
            ua_reply(ua, m, 491, "Request Pending", NULL);
        else
            ua_reply(ua, m, s->up[party] ? 200 : 481, s->up[party] ? "OK" : "Gone", NULL);
        return;
    }
    ua_reply(ua, m, 200, "OK", NULL);
    if (strcmp(m->method, "BYE") == 0)
        s->up[party] = false;
    if (strcmp(m->method, "CANCEL") == 0 && s->rings[party])
        ua_reply(ua, &ua->invite, 487, "Request Terminated", NULL);
    if (strcmp(m->method, "CANCEL") == 0)
        s->rings[party] = false;
}

/* One message of any phone, if there is one. */
static bool look(struct stage *s)
{
    for (int i = 0; i < PARTIES; i++) {
        struct message m;
        char cseq[64];

        if (!s->phone[i])
            continue;
        ua_poll(s->phone[i]);
        if (!s->phone[i]->in_count)
            continue;
        m = *ua_take(s->phone[i], 0);
        s->messages++;
        s->last_ms = now_ms();
        if (m.method[0])
            request_came(s, i, &m);
        else if (m.status >= 200 && s->offers[i] && strstr(message_header(&m, "CSeq", cseq, sizeof cseq), "INVITE"))
            offer_answered(s, i, &m);
        else if (m.status >= 300 && strstr(message_header(&m, "CSeq", cseq, sizeof cseq), "INVITE")) {
            ua_ack(s->phone[i], &m); /* the attempt of who consulted has ended */
            s->up[i] = false;
        }
        return true;
    }
    loop_turn(s->bed->loop, 2);
    return false;
}

static void talk(struct ua *from, struct ua *to)
{
    ua_invite(from, to->user, NULL);
    ua_reply(to, must(ua_wait(to, "INVITE")), 200, "OK", NULL);
    must(ua_wait(to, "ACK"));
    ua_ack(from, must(ua_wait(from, "200")));
}

static void hold(struct ua *holder, struct ua *other)
{
    char sdp[1200];
    struct message m;

    sdp_holding(holder, "sendonly", sdp, sizeof sdp);
    ua_start(holder, "INVITE", sdp);
    m = *must(ua_wait(other, "INVITE"));
    sdp_holding(other, "recvonly", sdp, sizeof sdp);
    ua_reply(other, &m, 200, "OK", sdp);
    must(ua_wait(other, "ACK"));
    ua_ack(holder, must(ua_wait(holder, "200")));
}

static void set_the_scene(struct stage *s)
{
    struct ua **p = s->phone;

    memset(s->up, 0, sizeof s->up);
    memset(s->gone, 0, sizeof s->gone);
    memset(s->rings, 0, sizeof s->rings);
    memset(s->offers, 0, sizeof s->offers);
    for (int i = 0; i < PARTIES; i++)
        if (p[i])
            p[i]->in_count = 0;
    talk(p[A], p[B]);
    s->up[A] = s->up[B] = true;
    if (s->flow->held)
        hold(p[B], p[A]);
    if (s->flow->ringing) {
        struct message m;

        ua_invite(p[B2], "203", NULL);
        ua_reply(p[C], must(ua_wait(p[C], "INVITE")), 180, "Ringing", NULL);
        m = *must(ua_wait(p[B2], "180"));
        ua_learn(p[B2], &m);
        s->rings[C] = true;
    } else if (s->flow->consulted) {
        talk(p[B2], p[C]);
        s->up[B2] = s->up[C] = true;
        if (s->flow->held)
            hold(p[B2], p[C]);
    }
    s->messages = 0;
}

/* What goes into the records. */
static void recorded(void *arg, const struct event *event)
{
    struct stage *s = arg;
    bool call = event->kind == EVENT_CALL_NEW || event->kind == EVENT_CALL_ENDED;
    bool ends = event->kind == EVENT_CALL_ENDED || event->kind == EVENT_LEG_RECORDED;
    enum cause cause = event->kind == EVENT_CALL_ENDED ? event->cause : event->leg ? event->leg->cause : CAUSE_NONE;

    *(call ? &s->calls : &s->legs) += ends ? -1 : 1;
    s->odd += ends && (cause == CAUSE_NONE || cause == CAUSE_INTERNAL || cause == CAUSE_SCRIPT_ERROR);
}

/* Calls, and dialogs: somebody may still be told how his transfer went. */
static unsigned left(const struct stage *s)
{
    struct agent_stats stats;

    agent_get_stats(s->bed->pbx->sip, &stats);
    return s->bed->pbx->call_count + (unsigned)stats.dialogs;
}

/* False: the transfer had no more than n messages. */
static bool walk(struct stage *s, int party, unsigned n)
{
    bool met = false;

    set_the_scene(s);
    ck_assert_msg(s->calls >= 1 && s->legs >= 2, "%d calls, %d legs", s->calls, s->legs);
    ask_for_transfer(s);
    s->last_ms = now_ms();
    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until && now_ms() < s->last_ms + QUIET_MS;) {
        if (s->messages >= n && !met) {
            met = true;
            act(s, party);
        }
        look(s);
    }
    for (int i = 0; i < PARTIES; i++)
        hang_up(s, i);
    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until && left(s);)
        look(s);
    ck_assert_msg(left(s) == 0, "%s: party %d acted after message %u: %u calls and dialogs are left", s->flow->name,
                  party, n, left(s));
    bed_until(s->bed, s->calls == 0 && s->legs == 0);
    ck_assert_msg(s->odd == 0 && list_empty(&s->bed->pbx->talks),
                  "%s: party %d acted after message %u: the records say what was not", s->flow->name, party, n);
    return met;
}

START_TEST(whoever_hangs_up_whenever_nothing_is_left)
{
    struct stage s = {.bed = bed_open("[module transfer]\n", NULL), .flow = &flows[_i]};
    struct bus_subscription *listens = bus_subscribe(s.bed->pbx->bus,
                                                     EVENT_BIT(EVENT_CALL_NEW) | EVENT_BIT(EVENT_CALL_ENDED) |
                                                         EVENT_BIT(EVENT_LEG_NEW) | EVENT_BIT(EVENT_LEG_RECORDED),
                                                     recorded, &s);

    s.phone[A] = bed_registered(s.bed, "201");
    s.phone[B] = bed_registered(s.bed, "202");
    s.phone[C] = bed_registered(s.bed, "203");
    if (s.flow->consulted)
        s.phone[B2] = bed_phone(s.bed, "202");
    for (int party = A; party < (s.flow->consulted ? PARTIES : B2); party++)
        for (unsigned n = 0; n < MESSAGES_MAX && walk(&s, party, n); n++)
            ;
    for (int i = 0; i < PARTIES; i++)
        if (s.phone[i])
            ua_close(s.phone[i]);
    bus_unsubscribe(listens);
    bed_close(s.bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transfer races");
    TCase *tc = tcase_create("hang up");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, whoever_hangs_up_whenever_nothing_is_left, 0, (int)COUNT_OF(flows));
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
