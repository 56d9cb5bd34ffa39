/* tandemd's media ports: taken from the pool, told what to do by messages that nobody waits for, released with their
 * counters. Signalling thread; knows calls only as callbacks. */
#include <stdlib.h>

#include "base/log.h"
#include "media/client-priv.h"

#define RELEASE_MS 1000

struct media_port *media_port_take(struct media *media, int family, media_event_fn on_event, void *arg)
{
    struct pool *pool = &media->pools[family == AF_INET6];
    struct media_port *port;
    struct proto_command *m;

    if (media->pretend)
        return media_pretend_port(media, family);
    if (media->state != MEDIA_UP || media->closing || pool->family != family || list_empty(&pool->ready))
        return NULL;
    port = LIST_ENTRY(pool->ready.next, struct media_port, node);
    list_unlink(&port->node);
    pool->count--;
    list_append(&media->taken, &port->node);
    media->taken_count++;
    port->state = PORT_TAKEN;
    port->on_event = on_event;
    port->arg = arg;
    m = wire_add(media->wire, PROTO_TAKE);
    m->id = port->id;
    media_pool_check(media);
    return port;
}

uint64_t media_port_id(const struct media_port *port)
{
    return port->id;
}

const union addr *media_port_addr(const struct media_port *port)
{
    return &port->addr;
}

static void command(struct media_port *port, enum proto_kind kind, uint64_t value)
{
    struct proto_command *m;

    if (port->state != PORT_TAKEN)
        return;
    m = wire_add(port->media->wire, kind);
    m->id = port->id;
    m->value = value;
}

/* Parameters of speech, as many as fit: the media process encodes by them. Those of keys and pictures are not for it.
 */
static uint16_t put_fmtp(char fmtps[PROTO_FMTPS], size_t *used, const struct codec *codec)
{
    size_t at = *used, len = strlen(codec->fmtp);

    if (!len || strcasecmp(codec->name, "telephone-event") == 0 || at + len + 1 > PROTO_FMTPS)
        return 0;
    memcpy(fmtps + at, codec->fmtp, len + 1);
    *used += len + 1;
    return (uint16_t)at;
}

static unsigned put_codecs(struct proto_codec out[MEDIA_CODECS_MAX], char fmtps[PROTO_FMTPS],
                           const struct stream_desc *stream)
{
    unsigned count = 0;
    size_t used = 1;

    for (; count < stream->codec_count && count < MEDIA_CODECS_MAX; count++) {
        const struct codec *codec = &stream->codecs[count];

        str_copy(out[count].name, sizeof out[count].name, codec->name);
        out[count].rate = codec->rate;
        out[count].channels = codec->channels;
        out[count].pt = codec->pt;
        if (stream->kind == STREAM_AUDIO)
            out[count].fmtp = put_fmtp(fmtps, &used, codec);
    }
    return count;
}

void media_port_remote(struct media_port *port, const struct stream_desc *remote, const union addr *signalling)
{
    struct proto_remote *m;

    if (port->state != PORT_TAKEN)
        return;
    m = wire_add(port->media->wire, PROTO_REMOTE);
    m->id = port->id;
    if (!remote->refused)
        addr_copy(&m->rtp, &remote->rtp);
    addr_copy(&m->rtcp, &remote->rtcp);
    if (signalling)
        addr_copy(&m->signalling, signalling);
    m->rtcp_mux = remote->rtcp_mux;
    m->dir = (uint8_t)remote->dir;
    m->ptime = remote->ptime < UINT8_MAX ? (uint8_t)remote->ptime : UINT8_MAX;
    m->codec_count = (uint8_t)put_codecs(m->codecs, m->fmtps, remote);
}

void media_port_local(struct media_port *port, const struct stream_desc *local)
{
    struct proto_local *m;

    if (port->state != PORT_TAKEN)
        return;
    m = wire_add(port->media->wire, PROTO_LOCAL);
    m->id = port->id;
    m->codec_count = put_codecs(m->codecs, m->fmtps, local);
}

void media_port_keys(struct media_port *port, const struct srtp_key *in, const struct srtp_key *out)
{
    struct proto_keys *m;

    if (port->state != PORT_TAKEN || (!in && !out && !port->has_keys))
        return;
    port->has_keys = in || out;
    m = wire_add(port->media->wire, PROTO_KEYS);
    m->id = port->id;
    if (in)
        m->in = *in;
    if (out)
        m->out = *out;
}

void media_port_direction(struct media_port *port, enum stream_dir dir)
{
    command(port, PROTO_DIRECTION, dir);
}

void media_port_key_ways(struct media_port *port, enum key_out out, bool tones, uint32_t kept)
{
    command(port, PROTO_KEY_WAYS, out | (tones ? PROTO_LISTEN_FOR_TONES : 0) | (uint64_t)kept << PROTO_KEPT_SHIFT);
}

void media_port_press(struct media_port *port, char key, unsigned ms)
{
    struct proto_key *m;

    if (port->state != PORT_TAKEN)
        return;
    m = wire_add(port->media->wire, PROTO_PRESS);
    m->id = port->id;
    m->key = key;
    m->ms = ms;
}

void media_port_watch(struct media_port *port, uint32_t silent_ms, uint32_t lifeless_ms)
{
    struct proto_watch *m;

    if (port->state != PORT_TAKEN)
        return;
    m = wire_add(port->media->wire, PROTO_WATCH);
    m->id = port->id;
    m->silent_ms = silent_ms;
    m->lifeless_ms = lifeless_ms;
}

void media_mix(struct media_port *port, uint64_t room, unsigned flags)
{
    struct proto_mix *m;

    if (port->state != PORT_TAKEN)
        return;
    m = wire_add(port->media->wire, PROTO_MIX);
    m->id = port->id;
    m->room = room;
    m->flags = flags;
}

void media_unmix(struct media_port *port)
{
    media_mix(port, 0, 0);
}

void media_bridge(struct media_port *a, struct media_port *b)
{
    if (a != b && b->state == PORT_TAKEN)
        command(a, PROTO_BRIDGE, b->id);
}

void media_port_name(struct media_port *port, uint64_t name)
{
    command(port, PROTO_NAME, name);
}

void media_unbridge(struct media_port *port)
{
    command(port, PROTO_UNBRIDGE, 0);
}

void media_port_echo(struct media_port *port, bool on)
{
    command(port, PROTO_ECHO, on);
}

/* --- release
 * ---------------------------------------------------------------------------------------------------------- */

static void finish(struct media_port *port, const struct media_stats *stats)
{
    media_released_fn done = port->done;
    void *arg = port->done_arg;

    loop_timer_stop(port->media->loop, &port->deadline);
    idmap_remove(&port->media->ids, port->id);
    list_unlink(&port->node);
    media_port_plays_forget(port);
    free(port);
    if (done)
        done(arg, stats);
}

static void too_slow(void *arg)
{
    struct media_port *port = arg;

    log_warn("the media process does not say what became of port %u: its counters are missing", addr_port(&port->addr));
    finish(port, NULL);
}

static void was_lost(void *arg)
{
    finish(arg, NULL);
}

void media_port_release(struct media_port *port, media_released_fn done, void *arg)
{
    struct media *media = port->media;
    bool lost = port->state != PORT_TAKEN;

    if (!lost)
        command(port, PROTO_RELEASE, 0);
    port->state = PORT_RELEASING;
    port->on_event = NULL;
    media_port_plays_forget(port);
    port->done = done;
    port->done_arg = arg;
    list_unlink(&port->node);
    list_append(&media->releasing, &port->node);
    media->taken_count--;
    /* A lost port is released at the next turn, as if it had been asked: callers are never called back from under
     * themselves. */
    loop_timer_start(media->loop, &port->deadline, lost ? 0 : RELEASE_MS, lost ? was_lost : too_slow, port);
}

/* --- what the process says
 * --------------------------------------------------------------------------------------------- */

void media_port_granted(struct media *media, const struct proto_port *m)
{
    struct pool *pool = &media->pools[m->addr.sa.sa_family == AF_INET6];
    struct media_port *port;

    if (!m->id || idmap_get(&media->ids, m->id))
        return;
    port = mem_new(sizeof *port);
    port->media = media;
    port->id = m->id;
    port->addr = m->addr;
    port->family = m->addr.sa.sa_family;
    port->state = PORT_READY;
    list_init(&port->plays);
    idmap_put(&media->ids, port->id, port);
    list_append(&pool->ready, &port->node);
    pool->count++;
}

void media_port_event(struct media *media, const struct proto_event *m)
{
    struct media_port *port = idmap_get(&media->ids, m->id);
    struct media_event event = {.kind = (enum media_event_kind)m->kind, .port = port, .stats = m->stats};

    if (port && port->state == PORT_TAKEN && port->on_event)
        port->on_event(port->arg, &event);
}

void media_port_key(struct media *media, const struct proto_key *m)
{
    struct media_port *port = idmap_get(&media->ids, m->id);
    struct media_event event = {
        .kind = MEDIA_KEY,
        .key = {.key = m->key, .up = m->up, .ms = m->ms},
        .way = (enum key_way)m->way,
    };

    if (port && port->state == PORT_TAKEN && port->on_event && key_event(m->key) >= 0)
        port->on_event(port->arg, &event);
}

void media_port_released(struct media *media, const struct proto_event *m)
{
    struct media_port *port = idmap_get(&media->ids, m->id);

    if (port && port->state == PORT_RELEASING)
        finish(port, &m->stats);
}

static void move_all(struct list *to, struct list *from)
{
    while (!list_empty(from)) {
        struct list *node = from->next;

        list_unlink(node);
        list_append(to, node);
    }
}

static void empty_pool(struct media *media, struct pool *pool)
{
    struct media_port *port, *next;

    LIST_FOR_EACH_SAFE(port, next, &pool->ready, node)
    {
        idmap_remove(&media->ids, port->id);
        list_unlink(&port->node);
        free(port);
    }
    pool->count = 0;
}

void media_ports_lost(struct media *media)
{
    struct media_event event = {.kind = MEDIA_LOST};
    struct media_port *port;

    empty_pool(media, &media->pools[0]);
    empty_pool(media, &media->pools[1]);
    LIST_FOR_EACH(port, &media->taken, node)
    port->state = PORT_LOST; /* before anybody is told: nobody may talk to the others any more */
    LIST_FOR_EACH(port, &media->releasing, node)
    loop_timer_start(media->loop, &port->deadline, 0, was_lost, port);
    move_all(&media->dying, &media->taken);
    while (!list_empty(&media->dying)) { /* whoever is told may release any of them */
        port = LIST_ENTRY(media->dying.next, struct media_port, node);
        list_unlink(&port->node);
        list_append(&media->taken, &port->node);
        event.port = port;
        if (port->on_event)
            port->on_event(port->arg, &event);
    }
}

void media_ports_free(struct media *media)
{
    struct media_port *port, *next;

    empty_pool(media, &media->pools[0]);
    empty_pool(media, &media->pools[1]);
    while (!list_empty(&media->releasing))
        finish(LIST_ENTRY(media->releasing.next, struct media_port, node), NULL);
    LIST_FOR_EACH_SAFE(port, next, &media->taken, node)
    {
        list_unlink(&port->node);
        media_port_plays_forget(port);
        free(port);
    }
    idmap_clear(&media->ids);
}
