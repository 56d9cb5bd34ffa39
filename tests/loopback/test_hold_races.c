/* Somebody hangs up after message N of hold and resume, for each N, each phone and each way in which holds come: all
 * legs, calls, dialogs and ports are gone afterwards. The phones answer by themselves. */
#include <string.h>

#include "holding.h"

#define QUIET_MS 60 /* nothing comes any more */
#define MESSAGES_MAX 30

struct step {
    enum { END, A_SAYS, B_SAYS } who;
    enum way way;
    enum how how;
};

static const struct flow {
    const char *name;
    bool served;
    const char *formats; /* of whoever speaks; NULL: what is in use */
    struct step steps[5];
} flows[] = {
    {"re-INVITEs, served", true, NULL, {{A_SAYS, SENDONLY, REINVITE}, {A_SAYS, RESUMED, REINVITE}}},
    {"re-INVITEs, passed on", false, NULL, {{A_SAYS, SENDONLY, REINVITE}, {A_SAYS, RESUMED, REINVITE}}},
    {"UPDATEs of the callee, served", true, NULL, {{B_SAYS, INACTIVE, UPDATE}, {B_SAYS, RESUMED, UPDATE}}},
    {"UPDATEs of the callee, passed on", false, NULL, {{B_SAYS, INACTIVE, UPDATE}, {B_SAYS, RESUMED, UPDATE}}},
    {"offers that are asked for, served", true, NULL, {{A_SAYS, SENDONLY, ASKED}, {A_SAYS, RESUMED, ASKED}}},
    {"offers that are asked for, passed on", false, NULL, {{A_SAYS, SENDONLY, ASKED}, {A_SAYS, RESUMED, ASKED}}},
    {"with another codec, served", true, "8 101", {{A_SAYS, SENDONLY, REINVITE}, {A_SAYS, RESUMED, UPDATE}}},
    {"both, served",
     true,
     NULL,
     {{A_SAYS, SENDONLY, REINVITE}, {B_SAYS, SENDONLY, REINVITE}, {A_SAYS, RESUMED, UPDATE}, {B_SAYS, RESUMED, ASKED}}},
    {"both, passed on",
     false,
     NULL,
     {{A_SAYS, ZERO_ADDRESS, REINVITE},
      {B_SAYS, INACTIVE, REINVITE},
      {B_SAYS, RESUMED, REINVITE},
      {A_SAYS, RESUMED, REINVITE}}},
};

struct stage {
    struct party p;
    const struct flow *flow;
    unsigned step, messages;
    bool waits; /* for the answer to what was said last */
    bool up[2], gone;
    enum way last[2]; /* what each said last */
    uint64_t last_ms;
};

static struct phone *phone_at(struct stage *s, int i)
{
    return i ? &s->p.b : &s->p.a;
}

static void next_step(struct stage *s)
{
    const struct step *step = &s->flow->steps[s->step];
    struct phone *phone = phone_at(s, step->who == B_SAYS);

    s->waits = step->who != END && !s->gone;
    if (!s->waits)
        return;
    s->last[step->who == B_SAYS] = step->way;
    ua_start(phone->ua, step->how == UPDATE ? "UPDATE" : "INVITE",
             step->how == ASKED ? "" : sdp_that(phone, step->way, s->flow->formats));
}

static void hang_up(struct stage *s, int i)
{
    s->gone = true;
    if (s->up[i])
        ua_start(phone_at(s, i)->ua, "BYE", NULL);
    s->up[i] = false;
}

/* A phone that holds answers that it does; one that does not, as it is told. */
static const char *answer_of(struct stage *s, int i, const struct message *m)
{
    struct phone *phone = phone_at(s, i);
    bool holds = s->last[i] != RESUMED,
         told = strstr(message_body(m), "a=sendonly") || strstr(message_body(m), "a=inactive");

    return sdp_that(phone, holds && told ? INACTIVE : holds ? SENDONLY : told ? RECVONLY : RESUMED, s->flow->formats);
}

static void request_came(struct stage *s, int i, const struct message *m)
{
    struct ua *ua = phone_at(s, i)->ua;

    if (strcmp(m->method, "ACK") == 0)
        return;
    if (strcmp(m->method, "BYE") == 0) {
        ua_reply(ua, m, 200, "OK", NULL);
        s->up[i] = false;
        s->gone = true;
    } else if (strcmp(m->method, "INVITE") == 0 || strcmp(m->method, "UPDATE") == 0) {
        ua_reply(ua, m, s->up[i] ? 200 : 481, s->up[i] ? "OK" : "Gone", s->up[i] ? answer_of(s, i, m) : NULL);
    } else {
        ua_reply(ua, m, 200, "OK", NULL);
    }
}

static void response_came(struct stage *s, int i, const struct message *m)
{
    const struct step *step = &s->flow->steps[s->step];
    struct phone *phone = phone_at(s, i);
    char cseq[64];
    bool invite = strstr(message_header(m, "CSeq", cseq, sizeof cseq), "INVITE") != NULL;

    if (m->status < 200 || strstr(cseq, "BYE"))
        return;
    if (invite && m->status >= 300)
        ua_ack_failure(phone->ua, m);
    else if (invite && step->how == ASKED)
        ua_ack_sdp(phone->ua, m, sdp_that(phone, step->way, s->flow->formats));
    else if (invite)
        ua_ack(phone->ua, m);
    if (!s->waits || i != (step->who == B_SAYS))
        return;
    s->step++;
    next_step(s);
}

/* One message of a phone, if there is one. */
static void look(struct stage *s)
{
    for (int i = 0; i < 2; i++) {
        struct ua *ua = phone_at(s, i)->ua;
        struct message m;

        ua_poll(ua);
        if (!ua->in_count)
            continue;
        m = *ua_take(ua, 0);
        s->messages++;
        s->last_ms = now_ms();
        if (m.method[0])
            request_came(s, i, &m);
        else
            response_came(s, i, &m);
        return;
    }
    loop_turn(s->p.bed->loop, 2);
}

/* False: hold and resume had no more than n messages. */
static bool walk(struct stage *s, int who, unsigned n)
{
    bool met = false;

    s->p.a.ua->in_count = s->p.b.ua->in_count = 0;
    party_talk(&s->p);
    s->up[0] = s->up[1] = true;
    s->last[0] = s->last[1] = RESUMED;
    s->step = s->messages = 0;
    s->gone = false;
    next_step(s);
    s->last_ms = now_ms();
    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until && (s->waits || now_ms() < s->last_ms + QUIET_MS);) {
        if (s->messages >= n && !met) {
            met = true;
            hang_up(s, who);
        }
        if (s->gone && !s->p.bed->pbx->call_count)
            break;
        look(s);
    }
    for (int i = 0; i < 2; i++)
        hang_up(s, i);
    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until && s->p.bed->pbx->call_count;)
        look(s);
    ck_assert_msg(s->p.bed->pbx->call_count == 0, "%s: phone %d hung up after message %u: %u calls are left",
                  s->flow->name, who, n, s->p.bed->pbx->call_count);
    ck_assert_str_eq(s->p.bed->last_cause, "normal");
    return met;
}

START_TEST(whoever_hangs_up_whenever_nothing_is_left)
{
    struct stage s = {.flow = &flows[_i]};

    party_open(&s.p, s.flow->served ? "[module hold]\n" : NULL);
    ua_bye(s.p.a.ua);
    ua_reply(s.p.b.ua, must(ua_wait(s.p.b.ua, "BYE")), 200, "OK", NULL);
    bed_until(s.p.bed, s.p.bed->pbx->call_count == 0);
    for (int who = 0; who < 2; who++) {
        unsigned n = 0;

        while (n < MESSAGES_MAX && walk(&s, who, n))
            n++;
        ck_assert_msg(n >= 3 && n < MESSAGES_MAX, "%s had %u messages", s.flow->name, n);
    }
    party_close(&s.p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hold races");
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
