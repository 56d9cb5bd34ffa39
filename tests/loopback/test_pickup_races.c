/* Somebody hangs up after message N of a pickup, of parking and of fetching, for each N and each party: whatever it
 * meets, all legs, calls, slots, dialogs and ports are gone when everybody has hung up. The phones answer by
 * themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "pickup_bed.h"

#define QUIET_MS 60 /* nothing comes any more */
#define MESSAGES_MAX 24

enum party { A, B, C, D, PARTIES };

enum state { IDLE, CALLING, RINGING, UP };

struct phone {
    struct ua *ua;
    enum state state;
    bool gone;      /* has hung up and takes no calls */
    bool cancelled; /* its call is to end, whatever comes */
    bool answers;   /* a call that comes; else it rings */
};

struct stage {
    struct bed *bed;
    struct phone phones[PARTIES];
    unsigned messages; /* since the act began */
    uint64_t last_ms;
};

static void call(struct stage *s, enum party party, const char *number)
{
    ua_invite(s->phones[party].ua, number, NULL);
    s->phones[party].state = CALLING;
}

/* --- acts --------------------------------------------------------------------------------------------------------- */

static void by_code(struct stage *s)
{
    call(s, C, "*8");
}

static void by_replaces(struct stage *s)
{
    static char headers[400]; /* ua_invite() has sent it when it returns */
    const struct ua *rings = s->phones[B].ua;

    snprintf(headers, sizeof headers, "Replaces: %s;to-tag=%s;from-tag=%s\r\n", rings->call_id, rings->local_tag,
             rings->remote_tag);
    s->phones[C].ua->extra = headers;
    call(s, C, "202");
    s->phones[C].ua->extra = NULL;
}

static void both_by_code(struct stage *s)
{
    call(s, C, "*8202");
    call(s, D, "*8");
}

static void while_it_is_answered(struct stage *s)
{
    call(s, C, "*8");
    ua_reply(s->phones[B].ua, &s->phones[B].ua->invite, 200, "OK", NULL);
    s->phones[B].state = UP;
}

static void parks(struct stage *s)
{
    const struct ask ask = {.method = "REFER", .in_dialog = true, .headers = "Refer-To: <sip:*71@tandem>\r\n"};

    wire_send(s->phones[B].ua, &ask);
}

static void fetches(struct stage *s)
{
    call(s, C, "*71");
}

static void both_fetch(struct stage *s)
{
    call(s, C, "*71");
    call(s, D, "*71");
}

struct flow {
    const char *name;
    void (*act)(struct stage *s);
    bool talk;   /* A and B talk before; else it rings at B */
    bool parked; /* and B has parked A in slot 1 */
    int parties;
};

static const struct flow flows[] = {
    {"picks up by code", by_code, false, false, C + 1},
    {"picks up by Replaces", by_replaces, false, false, C + 1},
    {"two pick up", both_by_code, false, false, D + 1},
    {"picks up while it is answered", while_it_is_answered, false, false, C + 1},
    {"parks", parks, true, false, B + 1},
    {"fetches", fetches, true, true, C + 1},
    {"two fetch", both_fetch, true, true, D + 1},
};

/* --- phones ------------------------------------------------------------------------------------------------------- */

static void hang_up(struct phone *phone)
{
    phone->gone = true;
    switch (phone->state) {
    case IDLE:
        return;
    case CALLING:
        if (!phone->cancelled)
            ua_cancel(phone->ua);
        phone->cancelled = true;
        return;
    case RINGING:
        ua_reply(phone->ua, &phone->ua->invite, 486, "Busy Here", NULL);
        break;
    case UP:
        ua_start(phone->ua, "BYE", NULL);
        break;
    }
    phone->state = IDLE;
}

static void response_came(struct phone *phone, const struct message *m)
{
    char cseq[64];

    if (!strstr(message_header(m, "CSeq", cseq, sizeof cseq), "INVITE") || m->status < 200)
        return;
    if (m->status >= 300) {
        ua_ack_failure(phone->ua, m);
        phone->state = IDLE;
        return;
    }
    ua_ack(phone->ua, m);
    if (phone->state != CALLING) /* said again */
        return;
    phone->state = UP;
    if (phone->cancelled)
        hang_up(phone);
}

static void call_came(struct phone *phone, const struct message *m)
{
    if (phone->gone || phone->state != IDLE) {
        ua_reply(phone->ua, m, 486, "Busy Here", NULL);
        return;
    }
    ua_reply(phone->ua, m, 180, "Ringing", NULL);
    phone->state = RINGING;
    if (!phone->answers)
        return;
    ua_reply(phone->ua, &phone->ua->invite, 200, "OK", NULL);
    phone->state = UP;
}

static void request_came(struct phone *phone, const struct message *m)
{
    char to[512];

    if (strcmp(m->method, "ACK") == 0)
        return;
    if (strcmp(m->method, "INVITE") == 0 && !strstr(message_header(m, "To", to, sizeof to), ";tag=")) {
        call_came(phone, m);
        return;
    }
    ua_reply(phone->ua, m, 200, "OK", NULL);
    if (strcmp(m->method, "BYE") == 0)
        phone->state = IDLE;
    if (strcmp(m->method, "CANCEL") == 0 && phone->state == RINGING) {
        ua_reply(phone->ua, &phone->ua->invite, 487, "Request Terminated", NULL);
        phone->state = IDLE;
    }
}

/* One message of any phone, if there is one. */
static bool look(struct stage *s)
{
    for (int i = 0; i < PARTIES; i++) {
        struct message m;

        ua_poll(s->phones[i].ua);
        if (!s->phones[i].ua->in_count)
            continue;
        m = *ua_take(s->phones[i].ua, 0);
        s->messages++;
        s->last_ms = now_ms();
        if (m.method[0])
            request_came(&s->phones[i], &m);
        else
            response_came(&s->phones[i], &m);
        return true;
    }
    loop_turn(s->bed->loop, 2);
    return false;
}

#define look_until(s, condition)                                                                                       \
    do {                                                                                                               \
        for (uint64_t until_ = now_ms() + UA_WAIT_MS; now_ms() < until_ && !(condition);)                              \
            look(s);                                                                                                   \
        ck_assert(condition);                                                                                          \
    } while (0)

/* --- the walk ----------------------------------------------------------------------------------------------------- */

static void set_the_scene(struct stage *s, const struct flow *flow)
{
    for (int i = 0; i < PARTIES; i++) {
        s->phones[i] = (struct phone){.ua = s->phones[i].ua};
        s->phones[i].ua->in_count = 0;
    }
    s->phones[B].answers = flow->talk;
    call(s, A, "202");
    look_until(s, s->phones[B].state == (flow->talk ? UP : RINGING) && (!flow->talk || s->phones[A].state == UP));
    if (!flow->parked)
        return;
    parks(s);
    look_until(s, s->phones[B].state == IDLE);
    s->phones[B].answers = false;
}

/* False: there were no more than n messages. */
static bool walk(struct stage *s, const struct flow *flow, int party, unsigned n)
{
    bool met = false;

    set_the_scene(s, flow);
    s->messages = 0;
    flow->act(s);
    s->last_ms = now_ms();
    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until && now_ms() < s->last_ms + QUIET_MS;) {
        if (s->messages >= n && !met) {
            met = true;
            hang_up(&s->phones[party]);
        }
        look(s);
    }
    for (int i = 0; i < PARTIES; i++)
        hang_up(&s->phones[i]);
    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until && s->bed->pbx->call_count;)
        look(s);
    ck_assert_msg(s->bed->pbx->call_count == 0, "%s: party %d hung up after message %u: %u calls are left", flow->name,
                  party, n, s->bed->pbx->call_count);
    return met;
}

START_TEST(whoever_hangs_up_whenever_nothing_is_left)
{
    static const char *const users[] = {"201", "202", "203", "204"};
    struct stage s = {.bed = bed_open(pickup_modules, pickup_dialplan)};
    const struct flow *flow = &flows[_i];
    json_t *answer;

    for (int i = 0; i < PARTIES; i++)
        s.phones[i].ua = bed_registered(s.bed, users[i]);
    for (int party = A; party < flow->parties; party++)
        for (unsigned n = 0; n < MESSAGES_MAX && walk(&s, flow, party, n); n++)
            ;
    answer = bed_ask(s.bed, "parked", "{}");
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(answer, "result"), "parked")), 0);
    json_decref(answer);
    for (int i = 0; i < PARTIES; i++)
        ua_close(s.phones[i].ua);
    bed_close(s.bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pickup races");
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
