/* See call_fixture.h. The media client's functions and the snapshot of the database are replaced here: this object is
 * linked before the library. */
#include "call_fixture.h"
#include "media/media_play.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "media/negotiate.h"

struct fixture fx;
static char journal[8192], taken[8192];
static unsigned ports;

void note(const char *fmt, ...)
{
    size_t used = strlen(journal);
    char text[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    str_append(journal, sizeof journal, &used, "%s%s", used ? " " : "", text);
}

const char *noted(void)
{
    str_copy(taken, sizeof taken, journal);
    journal[0] = '\0';
    return taken;
}

void turn(void)
{
    loop_turn(fx.loop, 0);
}

/* --- the media client ------------------------------------------------------------------------------------------- */

struct media_port {
    union addr addr;
    media_event_fn on_event;
    void *event_arg;
    uint32_t silent_ms, lifeless_ms;
    enum key_out out;
    bool tones;
    uint32_t kept;
    media_released_fn done;
    void *arg;
    uint64_t name;
};

bool media_is_up(const struct media *media)
{
    return true;
}

struct media_port *media_port_take(struct media *media, int family, media_event_fn on_event, void *arg)
{
    struct media_port *port;

    if (fx.no_media)
        return NULL;
    port = mem_new(sizeof *port);
    addr_parse("127.0.0.1:20000", 0, &port->addr);
    port->on_event = on_event;
    port->event_arg = arg;
    ports++;
    return port;
}

static void released(void *arg)
{
    struct media_port *port = arg;

    ports--;
    if (port->done)
        port->done(port->arg, NULL);
    free(port);
}

void media_port_release(struct media_port *port, media_released_fn done, void *arg)
{
    port->done = done;
    port->arg = arg;
    loop_later(fx.loop, released, port);
}

uint64_t media_port_id(const struct media_port *port)
{
    return 1;
}

const union addr *media_port_addr(const struct media_port *port)
{
    return &port->addr;
}

void media_port_remote(struct media_port *port, const struct stream_desc *remote, const union addr *signalling)
{
}

void media_port_local(struct media_port *port, const struct stream_desc *local)
{
}

void media_port_direction(struct media_port *port, enum stream_dir dir)
{
}

void media_port_keys(struct media_port *port, const struct srtp_key *in, const struct srtp_key *out)
{
}

void media_port_name(struct media_port *port, uint64_t name)
{
    port->name = name;
}

void media_port_dtls(struct media_port *port, const struct fingerprint *theirs, bool active)
{
}

const struct fingerprint *media_fingerprint(const struct media *media)
{
    return NULL;
}

void media_port_watch(struct media_port *port, uint32_t silent_ms, uint32_t lifeless_ms)
{
    port->silent_ms = silent_ms;
    port->lifeless_ms = lifeless_ms;
}

void media_port_key_ways(struct media_port *port, enum key_out out, bool tones, uint32_t kept)
{
    port->kept = kept;
    port->out = out;
    port->tones = tones;
}

void media_port_press(struct media_port *port, char key, unsigned ms)
{
    note("press:%c:%u", key, ms);
}

const char *key_ways(const struct leg *leg)
{
    static const char *const outs[] = {
        [KEY_OUT_EVENTS] = "events", [KEY_OUT_TONES] = "tones", [KEY_OUT_NOWHERE] = "nowhere"};
    static char text[32];

    snprintf(text, sizeof text, "%s%s", outs[leg->ports[0]->out], leg->ports[0]->tones ? ", listens" : "");
    return text;
}

void media_hears_key(struct leg *leg, char key, unsigned ms, enum key_way way)
{
    struct media_event event = {.kind = MEDIA_KEY, .key = {.key = key, .up = ms > 0, .ms = ms}, .way = way};

    leg->ports[0]->on_event(leg->ports[0]->event_arg, &event);
}

const char *watched(const struct leg *leg)
{
    static char text[32];

    snprintf(text, sizeof text, "%u %u", (unsigned)leg->ports[0]->silent_ms, (unsigned)leg->ports[0]->lifeless_ms);
    return text;
}

void media_tells(struct leg *leg, enum media_event_kind kind, const struct media_stats *stats)
{
    struct media_event event = {.kind = kind, .stats = *stats};

    leg->ports[0]->on_event(leg->ports[0]->event_arg, &event);
}

void media_says(struct leg *leg, enum media_event_kind kind, uint64_t rx_packets, uint64_t dropped)
{
    media_tells(leg, kind, &(struct media_stats){.rx_packets = rx_packets, .dropped = dropped});
}

const struct snapshot *db_snapshot(const struct db *db)
{
    return fx.snapshot;
}

void setting(const char *key, const char *value)
{
    struct event event = {.kind = EVENT_CONFIG};

    snapshot_put_setting(fx.snapshot, key, value);
    bus_publish(fx.pbx->bus, &event);
}

void media_bridge(struct media_port *a, struct media_port *b)
{
    note("bridge");
}

void media_unbridge(struct media_port *port)
{
}

void media_mix(struct media_port *port, uint64_t room, unsigned flags)
{
    note("mix:%u", flags);
}

void media_unmix(struct media_port *port)
{
    note("unmix");
}

struct media_play *media_play(struct media_port *port, const struct media_piece *pieces, unsigned count, unsigned loops,
                              media_played_fn done, void *arg)
{
    fx.plays++;
    return (struct media_play *)(uintptr_t)port;
}

struct media_play *media_play_music(struct media_port *port, uint64_t music)
{
    return media_play(port, NULL, 0, 0, NULL, NULL);
}

void media_play_stop(struct media_play *play)
{
    fx.plays_stopped++;
}

uint64_t media_music_new(struct media *media, const struct media_piece *pieces, unsigned count, bool shuffle)
{
    return count;
}

void media_music_forget(struct media *media, uint64_t music)
{
    if (music)
        note("music-forgotten");
}

unsigned media_up_count(const struct media *media)
{
    return 1;
}

void media_port_echo(struct media_port *port, bool on)
{
    note("echo:%d", on);
}

/* --- phones ----------------------------------------------------------------------------------------------------- */

static int phone_usage; /* only its address is used */

static int op_prepare(struct leg *leg, const struct endpoint *to)
{
    leg->usage = &phone_usage;
    addr_parse_ip("127.0.0.1", 0, &leg->media_host);
    return 0;
}

static int op_dial(struct leg *leg, const struct endpoint *to, const struct media_desc *offer)
{
    note("dial:%s", leg->number);
    return fx.dial_error;
}

static int op_ring(struct leg *leg, int status, const struct media_desc *early)
{
    note("ring:%s:%d", leg->number, status);
    return 0;
}

static int op_answer(struct leg *leg, const struct media_desc *answer)
{
    note("answer:%s", leg->number);
    return 0;
}

static int op_answer_offer(struct leg *leg, const struct media_desc *answer, enum cause refused)
{
    note("reoffer:%s:%s", leg->number, answer ? "ok" : cause_info(refused)->id);
    return 0;
}

static int op_offer(struct leg *leg, const struct media_desc *offer)
{
    note("offer:%s", leg->number);
    return 0;
}

static int op_key(struct leg *leg, char key, unsigned ms)
{
    note("info:%s:%c:%u", leg->number, key, ms);
    return 0;
}

static void op_end(struct leg *leg, enum cause cause, const char *detail)
{
    note("end:%s:%s", leg->number, cause_info(cause)->id);
    if (fx.gone_at_once)
        leg_on_gone(leg);
}

static void op_detach(struct leg *leg)
{
}

static int op_save(const struct leg *leg, void *json)
{
    return 0;
}

static const struct leg_ops phone_ops = {
    .kind = "test",
    .prepare = op_prepare,
    .dial = op_dial,
    .ring = op_ring,
    .answer = op_answer,
    .answer_offer = op_answer_offer,
    .offer = op_offer,
    .key = op_key,
    .end = op_end,
    .detach = op_detach,
    .save = op_save,
};

/* Every number is a phone, but for some words. */
static int resolve(void *arg, struct pbx *pbx, const char *value, struct endpoint *out, unsigned max)
{
    static const char *const fork[] = {"desk", "soft", "lobby"};

    if (strcmp(value, "absent") == 0)
        return 0;
    if (strcmp(value, "nobody") == 0)
        return -ENOENT;
    if (strcmp(value, "forbidden") == 0)
        return -EACCES;
    if (strcmp(value, "broken") == 0)
        return -EIO;
    if (strcmp(value, "fork") == 0) {
        for (unsigned i = 0; i < COUNT_OF(fork); i++)
            str_copy(out[i].number, sizeof out[i].number, fork[i]);
        return (int)COUNT_OF(fork);
    }
    return 1;
}

struct leg *leg_of(const char *number)
{
    struct call *call;
    struct leg *leg, *found = NULL;

    LIST_FOR_EACH(call, &fx.pbx->calls, in_pbx)
    {
        LIST_FOR_EACH(leg, &call->legs, in_call)
        {
            if (strcmp(leg->number, number) == 0)
                found = leg;
        }
    }
    return found ? found : (ck_abort_msg("no leg of %s", number), NULL);
}

bool has_leg(const char *number)
{
    struct call *call;
    struct leg *leg;

    LIST_FOR_EACH(call, &fx.pbx->calls, in_pbx)
    {
        LIST_FOR_EACH(leg, &call->legs, in_call)
        {
            if (strcmp(leg->number, number) == 0)
                return true;
        }
    }
    return false;
}

struct media_desc *offer_new(void)
{
    struct media_desc *offer = negotiate_local_offer(negotiate_default_codecs, negotiate_default_codec_count);

    addr_parse("192.0.2.1:4000", 0, &offer->streams[0].rtp);
    addr_parse("192.0.2.1:4001", 0, &offer->streams[0].rtcp);
    return offer;
}

struct leg *incoming(const char *dialled)
{
    struct media_desc *offer = offer_new();
    struct call_incoming in = {.account = fx.account,
                               .from_number = "201",
                               .from_name = "Ada",
                               .dialled = dialled,
                               .context = "internal",
                               .sip_call_id = "id",
                               .contact = "sip:201@192.0.2.1",
                               .offer = offer,
                               .ops = &phone_ops,
                               .usage = &phone_usage,
                               .hops = 69};
    enum cause refused = CAUSE_NONE;
    struct leg *leg;

    addr_parse_ip("127.0.0.1", 0, &in.media_host);
    addr_parse("192.0.2.1:5060", 0, &in.signalling);
    leg = call_incoming(fx.pbx, &in, &refused);
    desc_free(offer);
    if (!leg)
        note("refused:%s", cause_info(refused)->id);
    turn();
    return leg;
}

void phone_rings(struct leg *leg)
{
    leg_on_ringing(leg, 180);
}

void phone_answers(struct leg *leg)
{
    struct media_desc *answer = desc_copy(leg->our_offer);

    ck_assert_ptr_nonnull(answer);
    addr_parse("192.0.2.2:4000", 0, &answer->streams[0].rtp);
    leg_on_answer(leg, answer);
    desc_free(answer);
}

void phone_answers_offer(struct leg *leg, enum stream_dir dir)
{
    struct media_desc *answer = desc_copy(leg->our_offer);

    ck_assert_ptr_nonnull(answer);
    answer->streams[0].dir = dir;
    leg_on_offer_answered(leg, answer);
    desc_free(answer);
}

void phone_gone(struct leg *leg)
{
    leg_on_gone(leg);
}

void phone_refuses(struct leg *leg, int status)
{
    leg_on_ended(leg, cause_from_sip(status), WHO_CALLEE, status, NULL);
    phone_gone(leg);
}

void phone_hangs_up(struct leg *leg, enum who who)
{
    leg_on_ended(leg, CAUSE_NORMAL, who, 0, NULL);
    phone_gone(leg);
}

static struct leg *ending_leg(void)
{
    struct call *call;
    struct leg *leg;

    LIST_FOR_EACH(call, &fx.pbx->calls, in_pbx)
    {
        LIST_FOR_EACH(leg, &call->legs, in_call)
        {
            if (leg->state == LEG_ENDING)
                return leg;
        }
    }
    return NULL;
}

void all_phones_gone(void)
{
    for (struct leg *leg = ending_leg(); leg; leg = ending_leg())
        phone_gone(leg);
    turn();
}

/* --- dial and script -------------------------------------------------------------------------------------------- */

static void dial_done(void *arg, const struct dial_result *result)
{
    fx.dials_done++;
    fx.dialled = *result;
    str_copy(fx.dialled_detail, sizeof fx.dialled_detail, result->detail);
    str_copy(fx.answered_by, sizeof fx.answered_by, result->answered_by);
    note("dialled:%s", dial_status_name(result->status));
}

/* Cuts the word. */
static struct dial_target target_of(char *word)
{
    struct dial_target target = {.to = strsep(&word, ",")};

    for (const char *option = strsep(&word, ","); option; option = strsep(&word, ",")) {
        if (strncmp(option, "delay:", 6) == 0)
            target.delay_ms = (unsigned)atoi(option + 6) * 1000;
        if (strncmp(option, "ring:", 5) == 0)
            target.ring_ms = (unsigned)atoi(option + 5) * 1000;
        target.confirm |= strcmp(option, "confirm") == 0;
        target.skip_busy |= strcmp(option, "skip-busy") == 0;
    }
    return target;
}

int dial(struct leg *leg, const char *targets, unsigned timeout_ms)
{
    char text[400], *save = NULL;
    struct dial_target list[16];
    struct dial_request request = {.leg = leg,
                                   .targets = list,
                                   .timeout_ms = timeout_ms,
                                   .max_ms = fx.max_ms,
                                   .in_order = fx.in_order,
                                   .no_redirect = fx.no_redirect};

    str_copy(text, sizeof text, targets);
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
        list[request.target_count++] = target_of(word);
    return call_dial(leg->call, &request, dial_done, NULL);
}

struct leg *connected(struct leg **callee)
{
    struct leg *caller = incoming("202");

    ck_assert_int_eq(dial(caller, "202", 0), 0);
    *callee = leg_of("202");
    phone_rings(*callee);
    phone_answers(*callee);
    ck_assert_int_eq(caller->call->state, CALL_TALKING);
    noted();
    return caller;
}

static int script_start(void *script, struct call *call, const char *context, const char *extension)
{
    note("script:%s", extension);
    if (fx.start_result == 0)
        call->script = (struct script_run *)&phone_usage;
    return fx.start_result;
}

static void script_hangup(void *script, struct call *call)
{
    note("hangup");
    call->script = NULL;
}

static const struct script_ops script_ops = {.start = script_start, .hangup = script_hangup};

/* --- the bed ---------------------------------------------------------------------------------------------------- */

static void happened(void *arg, const struct event *event)
{
    fx.events[event->kind]++;
    if (event->kind == EVENT_LEG_SILENT || event->kind == EVENT_LEG_HEARD || event->kind == EVENT_LEG_POOR ||
        event->kind == EVENT_LEG_CLEAR)
        str_copy(fx.last_words, sizeof fx.last_words, event->detail);
    if (event->kind != EVENT_CALL_ENDED)
        return;
    fx.last_cause = event->call->cause;
    fx.last_who = event->call->who;
    str_copy(fx.last_detail, sizeof fx.last_detail, event->call->detail);
}

static struct bus_subscription *subscription;
static struct route_kind *kind;

void fixture_setup(void)
{
    memset(&fx, 0, sizeof fx);
    journal[0] = '\0';
    log_setup("test", LOG_LEVEL_ERROR);
    fx.loop = loop_new_fake();
    fx.snapshot = snapshot_new(1);
    fx.pbx = pbx_new(fx.loop, NULL, (struct db *)&phone_usage, 1);
    fx.pbx->leg_ops = &phone_ops;
    fx.pbx->script_ops = &script_ops;
    subscription = bus_subscribe(fx.pbx->bus, EVENT_ALL, happened, NULL);
    ck_assert_int_eq(route_kind_add(fx.pbx, "account", resolve, NULL, &kind), 0);
}

void fixture_teardown(void)
{
    turn();
    all_phones_gone();
    ck_assert_uint_eq(fx.pbx->call_count, 0);
    ck_assert_uint_eq(fx.pbx->leg_count, 0);
    ck_assert_uint_eq(ports, 0);
    ck_assert_uint_eq(obj_live("call"), 0);
    ck_assert_uint_eq(obj_live("leg"), 0);
    ck_assert_uint_eq(obj_live("bridge"), 0);
    ck_assert_uint_eq(fx.events[EVENT_CALL_NEW], fx.events[EVENT_CALL_ENDED]);
    ck_assert_uint_eq(fx.events[EVENT_LEG_ENDED], fx.events[EVENT_LEG_RECORDED]);
    bus_unsubscribe(subscription);
    route_kind_remove(kind);
    pbx_free(fx.pbx);
    snapshot_free(fx.snapshot);
    loop_free(fx.loop);
}
