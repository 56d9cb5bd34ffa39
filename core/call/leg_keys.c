/* Keys of a leg: those that its far side types, by whatever way, counted once and kept until somebody asks for them or
 * passed on to the other side of its bridge; and those that are sent to it, as its account wants them. What goes from
 * sound or packets to sound or packets the media process does by itself. Signalling thread; knows no SIP. No key is
 * ever logged or recorded: it may be of a PIN. */
#include "call/call-priv.h"

#include <strings.h>

#include "base/log.h"

/* A phone that sends a key in two ways does so within this time of each other, from the last that was heard of it. */
#define PAIR_MS 1500
/* Before a key in signalling goes on to the other side, the same one may come in another way, which does so by itself.
 */
#define WAIT_MS 250

uint64_t leg_keys_now(const struct leg *leg)
{
    return loop_now_us(leg->pbx->loop) / 1000;
}

void leg_watch_keys(struct leg *leg, leg_key_fn fn, void *arg)
{
    leg->key_fn = fn;
    leg->key_arg = arg;
    leg_keys_update(leg);
}

/* --- how keys go to its far side ---------------------------------------------------------------------------------- */

static enum dtmf_mode mode_of(const struct leg *leg)
{
    const struct db *db = leg->pbx->db;

    return dtmf_mode_resolve(db ? db_snapshot(db) : NULL, leg->account ? leg->account->dtmf : DTMF_AS_SWITCH);
}

static bool is_event(const struct codec *codec)
{
    return strcasecmp(codec->name, "telephone-event") == 0;
}

static bool has_events(const struct leg *leg)
{
    const struct stream_desc *audio = desc_audio(leg->remote);

    for (unsigned i = 0; audio && i < audio->codec_count; i++)
        if (is_event(&audio->codecs[i]))
            return true;
    return false;
}

static enum key_out out_of(const struct leg *leg)
{
    switch (mode_of(leg)) {
    case DTMF_INFO:
        return KEY_OUT_NOWHERE;
    case DTMF_INBAND:
        return KEY_OUT_TONES;
    case DTMF_RFC4733:
        return has_events(leg) ? KEY_OUT_EVENTS : KEY_OUT_NOWHERE;
    default:
        return KEY_OUT_EVENTS;
    }
}

/* Its far side may send keys as tones. */
static bool types_tones(const struct leg *leg)
{
    enum dtmf_mode mode = mode_of(leg);

    return mode == DTMF_INBAND || (mode == DTMF_AUTO && !has_events(leg));
}

/* Tones that come from the other side are what its far side wants, or all that it can get. */
static bool takes_tones(const struct leg *leg)
{
    return types_tones(leg) || (mode_of(leg) == DTMF_RFC4733 && !has_events(leg));
}

/* Somebody has to find keys in its sound: the dialplan that talks to the caller, or the other side, which wants them in
 * another way. */
static bool listens_for_tones(struct leg *leg)
{
    const struct leg *peer = bridge_peer(leg);

    if (!types_tones(leg))
        return false;
    if (peer)
        return !takes_tones(peer) || codes_kept(leg);
    return (leg == leg->call->caller || leg->key_fn) && (leg->state == LEG_UP || leg->early);
}

static void update(struct leg *leg)
{
    struct media_port *port = leg_audio_port(leg);
    enum key_out out;
    uint32_t kept;
    bool tones;

    if (!port || !leg_is_alive(leg) || !leg->remote)
        return;
    out = out_of(leg);
    tones = listens_for_tones(leg);
    kept = codes_kept(leg);
    if (out == leg->key_state.out && tones == leg->key_state.tones && kept == leg->codes.kept)
        return;
    leg->key_state.out = out;
    leg->key_state.tones = tones;
    leg->codes.kept = kept;
    media_port_key_ways(port, out, tones, kept);
}

void leg_keys_update(struct leg *leg)
{
    struct leg *peer = bridge_peer(leg);

    update(leg);
    if (peer)
        update(peer);
}

int leg_press(struct leg *leg, char key, unsigned ms)
{
    struct media_port *port = leg_audio_port(leg);

    if (!leg_is_alive(leg))
        return -ENOTCONN;
    if (mode_of(leg) == DTMF_INFO)
        return leg->ops->key ? leg->ops->key(leg, key, ms) : -EOPNOTSUPP;
    if (!port || !leg->remote)
        return -ENOTCONN;
    if (out_of(leg) == KEY_OUT_NOWHERE)
        return -EOPNOTSUPP;
    media_port_press(port, key, ms);
    return 0;
}

/* --- descriptions ------------------------------------------------------------------------------------------------- */

static void drop_events(struct stream_desc *stream)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < stream->codec_count; i++)
        if (!is_event(&stream->codecs[i]))
            stream->codecs[kept++] = stream->codecs[i];
    stream->codec_count = kept;
}

/* What the far side offered of them is taken, whether or not the other leg has any: those of the clock of the speech,
 * or of 8000, which many phones know alone. */
static void answer_events(struct stream_desc *stream, const struct stream_desc *offered)
{
    const struct codec *speech = desc_speech(stream), *found = NULL;
    struct codec codecs[MEDIA_CODECS_MAX];

    for (unsigned i = 0; i < offered->codec_count; i++) {
        const struct codec *codec = &offered->codecs[i];

        if (is_event(codec) && speech && (codec->rate == speech->rate || (codec->rate == 8000 && !found)))
            found = codec;
    }
    for (unsigned i = 0; i < stream->codec_count; i++)
        if (is_event(&stream->codecs[i]))
            return;
    if (!found || stream->codec_count == MEDIA_CODECS_MAX)
        return;
    memcpy(codecs, stream->codecs, stream->codec_count * sizeof codecs[0]);
    codecs[stream->codec_count] = *found;
    str_copy(codecs[stream->codec_count].fmtp, sizeof found->fmtp, "0-15");
    desc_set_codecs(stream, codecs, stream->codec_count + 1);
}

void leg_keys_fill(const struct leg *leg, struct media_desc *desc, const struct media_desc *answered)
{
    enum dtmf_mode mode = mode_of(leg);

    for (unsigned i = 0; i < desc->count; i++) {
        struct stream_desc *stream = &desc->streams[i];

        if (stream->kind != STREAM_AUDIO || stream->refused)
            continue;
        if (mode == DTMF_INFO || mode == DTMF_INBAND)
            drop_events(stream);
        else if (answered && i < answered->count)
            answer_events(stream, &answered->streams[i]);
    }
}

/* --- keys that come ----------------------------------------------------------------------------------------------- */

static const char *const way_words[] = {"rfc4733", "inband", "info"};

/* To the other side of the bridge, which wants it in signalling; or which gets it from there. */
static void pass_on(struct leg *leg, char key, unsigned ms)
{
    struct leg *peer = bridge_peer(leg);
    int result = peer ? leg_press(peer, key, ms) : 0;

    if (result < 0)
        log_debug("a key of %s cannot be sent to %s: %s", leg->number, peer->number, strerror(-result));
}

void leg_key_release(struct leg *leg, char key, enum key_way way, unsigned ms)
{
    const struct leg *peer = bridge_peer(leg);

    if (peer && !(way == KEY_BY_TONE && takes_tones(peer)))
        pass_on(leg, key, ms);
}

static void wait_over(void *arg)
{
    struct leg *leg = arg;
    struct leg_keys *keys = &leg->key_state;
    uint64_t now = leg_keys_now(leg);

    while (keys->waiting_count && keys->waiting[0].ms <= now) {
        struct leg_key first = keys->waiting[0];

        memmove(keys->waiting, keys->waiting + 1, --keys->waiting_count * sizeof keys->waiting[0]);
        pass_on(leg, first.key, first.length_ms);
    }
    if (keys->waiting_count)
        loop_timer_start(leg->pbx->loop, &keys->timer, keys->waiting[0].ms - now, wait_over, leg);
}

static void pass_on_later(struct leg *leg, char key, unsigned ms)
{
    struct leg_keys *keys = &leg->key_state;

    if (keys->waiting_count == COUNT_OF(keys->waiting))
        return;
    keys->waiting[keys->waiting_count++] =
        (struct leg_key){.key = key, .length_ms = ms, .ms = leg_keys_now(leg) + WAIT_MS};
    if (keys->waiting_count == 1)
        loop_timer_start(leg->pbx->loop, &keys->timer, WAIT_MS, wait_over, leg);
}

/* It came in another way meanwhile, and has gone on so. */
static void forget_waiting(struct leg_keys *keys, char key)
{
    for (unsigned i = 0; i < keys->waiting_count; i++)
        if (keys->waiting[i].key == key) {
            memmove(keys->waiting + i, keys->waiting + i + 1, (--keys->waiting_count - i) * sizeof keys->waiting[0]);
            return;
        }
}

/* Has this press come before, in another way? Each is matched once: "11" in two ways is two keys. */
static bool came_before(struct leg *leg, char key, enum key_way way)
{
    struct leg_keys *keys = &leg->key_state;
    uint64_t now = leg_keys_now(leg);

    for (unsigned i = 0; i < COUNT_OF(keys->recent); i++) {
        struct leg_key *one = &keys->recent[(keys->recent_next + i) % COUNT_OF(keys->recent)];

        if (one->key == key && one->way != way && now - one->ms <= PAIR_MS) {
            one->key = '\0';
            return true;
        }
    }
    keys->recent[keys->recent_next] = (struct leg_key){.key = key, .way = way, .ms = now};
    keys->recent_next = (keys->recent_next + 1) % COUNT_OF(keys->recent);
    return false;
}

/* A long one counts from when it came up. */
static void refresh(struct leg *leg, char key, enum key_way way)
{
    struct leg_keys *keys = &leg->key_state;

    for (unsigned i = 0; i < COUNT_OF(keys->recent); i++)
        if (keys->recent[i].key == key && keys->recent[i].way == way)
            keys->recent[i].ms = leg_keys_now(leg);
}

static void typed(struct leg *leg, char key, enum key_way way)
{
    struct event event = {
        .kind = EVENT_LEG_KEY,
        .call = leg->call,
        .leg = leg,
        .account = leg->account ? leg->account->name : NULL,
        .detail = way_words[way],
        .key = key,
    };

    bus_publish(leg->pbx->bus, &event);
    if (leg->bridge || !leg_is_alive(leg)) /* it is for the other side */
        return;
    if (keys_add(&leg->typed, key, leg_keys_now(leg)) == 0 && leg->key_fn)
        leg->key_fn(leg->key_arg, leg);
}

/* Counts it, unless it is one too many, or the same as another. */
static bool take(struct leg *leg, char key, enum key_way way)
{
    if (came_before(leg, key, way)) {
        forget_waiting(&leg->key_state, key);
        return false;
    }
    if (!key_rate_take(&leg->key_state.rate, leg_keys_now(leg)))
        return false;
    typed(leg, key, way);
    return true;
}

void leg_on_key(struct leg *leg, const struct key_report *report, enum key_way way)
{
    struct leg_keys *keys = &leg->key_state;
    struct leg *peer = bridge_peer(leg);

    if (!leg_is_alive(leg))
        return;
    if (!report->up) {
        bool talks = leg->bridge;

        keys->doubled[way] = !take(leg, report->key, way);
        if (!keys->doubled[way] && talks)
            codes_key_down(leg, report->key, way);
        else if (!keys->doubled[way] && leg->bridge) /* it has brought the two together: the rest of it is for nobody */
            codes_eat(leg, report->key, way);
        return;
    }
    refresh(leg, report->key, way);
    if (codes_key_up(leg, report->key, way, report->ms))
        return;
    if (!keys->doubled[way] && peer && mode_of(peer) == DTMF_INFO) /* how long it was is known only now */
        pass_on(leg, report->key, report->ms);
}

void leg_on_key_told(struct leg *leg, char key, unsigned ms)
{
    bool talks = leg->bridge, held;

    if (!leg_is_alive(leg) || !take(leg, key, KEY_BY_INFO) || !talks)
        return;
    held = codes_key_down(leg, key, KEY_BY_INFO); /* may be the end of its bridge */
    if (held)
        codes_key_up(leg, key, KEY_BY_INFO, ms);
    if (held || !leg->bridge)
        return;
    if (mode_of(leg) == DTMF_INFO)
        pass_on(leg, key, ms);
    else
        pass_on_later(leg, key, ms);
}

void leg_keys_forget(struct leg *leg)
{
    loop_timer_stop(leg->pbx->loop, &leg->key_state.timer);
    leg->key_state.waiting_count = 0;
    codes_forget(leg);
}
