/* The ports of the media process: opened ahead, handed out, given to the least busy worker, moved when a bridge joins
 * two workers, closed. Control thread; a port's insides belong to its worker and are reached by jobs only. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/id.h"
#include "base/log.h"
#include "media/control-priv.h"
#include "media/port.h"

#define WANT_MAX 4096u

static struct range *range_of(struct control *control, int family)
{
    return &control->ranges[family == AF_INET6];
}

void port_post(struct control *control, const struct entry *entry, struct job *job)
{
    inbox_post(&control->workers[entry->worker]->inbox, job);
}

static void post_simple(struct control *control, const struct entry *entry, enum job_kind kind, uint64_t value)
{
    struct job *job = job_new(kind, entry->id, entry->port);

    job->value = value;
    port_post(control, entry, job);
}

/* --- opening and closing
 * ------------------------------------------------------------------------------------------------ */

static int open_entry(struct control *control, int family, struct entry **out)
{
    struct entry *entry = mem_new(sizeof *entry);
    int tiny = 1;
    int err = range_open(range_of(control, family), loop_now_us(control->loop), entry->fds, &entry->addr);

    if (err < 0) {
        free(entry);
        return err;
    }
    for (int i = 0; i < 2; i++) /* until it is taken, what comes to it is thrown away: it shall not fill memory */
        setsockopt(entry->fds[i], SOL_SOCKET, SO_RCVBUF, &tiny, sizeof tiny);
    entry->id = ++control->last_id;
    entry->family = family;
    idmap_put(&control->ids, entry->id, entry);
    list_append(&control->ready, &entry->node);
    control->ready_count++;
    *out = entry;
    return 0;
}

static void close_entry(struct control *control, struct entry *entry)
{
    if (entry->port) {
        port_free(entry->port);
        control->used_count--;
    } else {
        control->ready_count--;
    }
    close(entry->fds[0]);
    close(entry->fds[1]);
    range_rest(range_of(control, entry->family), addr_port(&entry->addr), loop_now_us(control->loop));
    idmap_remove(&control->ids, entry->id);
    list_unlink(&entry->node);
    free(entry);
}

void ports_unpair(struct entry *entry)
{
    if (entry->peer)
        entry->peer->peer = NULL;
    entry->peer = NULL;
}

/* --- what the controller asks
 * -------------------------------------------------------------------------------------------- */

static void grant(struct control *control, struct entry *entry)
{
    struct proto_port *m = wire_add(control_wire(control), PROTO_GRANT);

    m->id = entry->id;
    m->addr = entry->addr;
    entry->granted = true;
}

void ports_want(struct control *control, unsigned family, unsigned count)
{
    struct proto_count *m;
    struct entry *entry;
    unsigned given = 0;
    int err = 0;

    if (count > WANT_MAX)
        count = WANT_MAX;
    LIST_FOR_EACH(entry, &control->ready, node)
    { /* left by an earlier controller that had not taken them */
        if (given == count)
            break;
        if (entry->family == (int)family && !entry->granted) {
            grant(control, entry);
            given++;
        }
    }
    while (given < count && (err = open_entry(control, (int)family, &entry)) == 0) {
        grant(control, entry);
        given++;
    }
    if (err < 0 && err != -ENOENT)
        log_error("no more media ports can be opened: %s; check the bind address and the limit of open files",
                  strerror(-err));
    m = wire_add(control_wire(control), PROTO_GRANTED);
    m->family = family;
    m->count = given;
}

/* The least busy worker, but the last one again while it is only a little ahead: the two legs of a call are taken one
 * after the other and then need no move. */
static unsigned choose_worker(struct control *control)
{
    unsigned least = 0;

    for (unsigned i = 1; i < control->worker_count; i++)
        if (control->load[i] < control->load[least])
            least = i;
    if (control->load[control->last_worker] >= control->load[least] + 2)
        control->last_worker = least;
    return control->last_worker;
}

static void take(struct control *control, struct entry *entry)
{
    if (entry->port) { /* listed, and now adopted */
        post_simple(control, entry, JOB_LEFT, false);
        return;
    }
    entry->port = port_new(entry->id, entry->family, entry->fds[0], entry->fds[1]);
    entry->worker = choose_worker(control);
    control->load[entry->worker]++;
    list_unlink(&entry->node);
    list_append(&control->used, &entry->node);
    control->ready_count--;
    control->used_count++;
    post_simple(control, entry, JOB_ATTACH, true);
}

static void release(struct control *control, struct entry *entry)
{
    ports_unpair(entry);
    place_leave(control, entry);
    entry->releasing = true;
    post_simple(control, entry, JOB_RELEASE, 0);
}

static void post_bridge(struct control *control, struct entry *a, struct entry *b)
{
    struct job *job = job_new(JOB_BRIDGE, a->id, a->port);

    job->other = b->port;
    port_post(control, a, job);
}

/* Until it is there the controller's commands wait, so that their order stays; packets wait in the sockets. */
void ports_move(struct control *control, struct entry *entry, unsigned to, struct job *then)
{
    post_simple(control, entry, JOB_DETACH, 0);
    control->move.entry = entry;
    control->move.to = to;
    control->move.then = then;
    if (control_wire(control))
        wire_pause(control_wire(control), true);
}

static void bridge(struct control *control, struct entry *a, struct entry *b)
{
    ports_unpair(a);
    ports_unpair(b);
    place_leave(control, a);
    place_leave(control, b);
    a->peer = b;
    b->peer = a;
    if (a->worker == b->worker) {
        post_bridge(control, a, b);
        return;
    }
    post_simple(control, a, JOB_UNBRIDGE, 0);
    control->move.with = a;
    ports_move(control, b, a->worker, NULL);
}

static void moved(struct control *control, struct entry *entry)
{
    struct entry *with = control->move.with;

    control->load[entry->worker]--;
    entry->worker = control->move.to;
    control->load[entry->worker]++;
    post_simple(control, entry, JOB_ATTACH, false);
    if (with && with->peer == entry)
        post_bridge(control, with, entry);
    if (control->move.then)
        port_post(control, entry, control->move.then);
    memset(&control->move, 0, sizeof control->move);
    if (control_wire(control))
        wire_pause(control_wire(control), false);
}

struct entry *port_in_use(struct control *control, uint64_t id)
{
    struct entry *entry = idmap_get(&control->ids, id);

    return entry && entry->port && !entry->releasing ? entry : NULL;
}

void ports_command(struct control *control, const struct proto_command *m)
{
    struct entry *entry = idmap_get(&control->ids, m->id), *other;

    if (!entry || entry->releasing || (!entry->port && m->head.kind != PROTO_TAKE))
        return; /* it has ended by itself meanwhile */
    switch (m->head.kind) {
    case PROTO_TAKE:
        take(control, entry);
        break;
    case PROTO_RELEASE:
        release(control, entry);
        break;
    case PROTO_DIRECTION:
        post_simple(control, entry, JOB_DIRECTION, m->value);
        break;
    case PROTO_KEY_WAYS:
        post_simple(control, entry, JOB_KEY_WAYS, m->value);
        break;
    case PROTO_BRIDGE:
        other = port_in_use(control, m->value);
        if (other && other != entry && other->family)
            bridge(control, entry, other);
        break;
    case PROTO_NAME:
        post_simple(control, entry, JOB_NAME, m->value);
        break;
    case PROTO_UNBRIDGE:
        ports_unpair(entry);
        post_simple(control, entry, JOB_UNBRIDGE, 0);
        break;
    case PROTO_ECHO:
        if (m->value) {
            ports_unpair(entry);
            place_leave(control, entry);
            entry->peer = entry;
            post_bridge(control, entry, entry);
        } else if (entry->peer == entry) {
            entry->peer = NULL;
            post_simple(control, entry, JOB_UNBRIDGE, 0);
        }
        break;
    }
}

void ports_remote(struct control *control, const struct proto_remote *m)
{
    struct entry *entry = port_in_use(control, m->id);
    struct job *job;

    if (!entry)
        return;
    job = job_new(JOB_REMOTE, entry->id, entry->port);
    job->remote = *m;
    port_post(control, entry, job);
}

void ports_local(struct control *control, const struct proto_local *m)
{
    struct entry *entry = port_in_use(control, m->id);
    struct job *job;

    if (!entry)
        return;
    job = job_new(JOB_LOCAL, entry->id, entry->port);
    job->local = *m;
    port_post(control, entry, job);
}

void ports_keys(struct control *control, const struct proto_keys *m)
{
    struct entry *entry = port_in_use(control, m->id);
    struct job *job;

    if (!entry)
        return;
    job = job_new(JOB_KEYS, entry->id, entry->port);
    job->keys.in = m->in;
    job->keys.out = m->out;
    port_post(control, entry, job);
}

void ports_watch(struct control *control, const struct proto_watch *m)
{
    struct entry *entry = port_in_use(control, m->id);
    struct job *job;

    if (!entry)
        return;
    job = job_new(JOB_WATCH, entry->id, entry->port);
    job->watch.silent_ms = m->silent_ms;
    job->watch.lifeless_ms = m->lifeless_ms;
    port_post(control, entry, job);
}

void ports_press(struct control *control, const struct proto_key *m)
{
    struct entry *entry = port_in_use(control, m->id);
    struct job *job;

    if (!entry)
        return;
    job = job_new(JOB_PRESS, entry->id, entry->port);
    job->key = *m;
    port_post(control, entry, job);
}

void ports_new_controller(struct control *control)
{
    struct entry *entry;

    LIST_FOR_EACH(entry, &control->ready, node)
    entry->granted = false;
    LIST_FOR_EACH(entry, &control->used, node)
    if (!entry->releasing && entry != control->move.entry)
        post_simple(control, entry, JOB_LEFT, true);
}

void ports_list(struct control *control, struct wire *wire)
{
    struct proto_command *end;
    struct entry *entry;

    LIST_FOR_EACH(entry, &control->used, node)
    {
        struct proto_port *m = wire_add(wire, PROTO_LISTED);

        m->id = entry->id;
        m->bridged = entry->peer ? entry->peer->id : 0;
        m->addr = entry->addr;
    }
    end = wire_add(wire, PROTO_LIST_END);
    end->value = control->used_count;
}

/* --- what the workers say
 * -------------------------------------------------------------------------------------------------- */

static void tell(struct control *control, enum proto_kind kind, const struct job *job)
{
    struct proto_event *m;

    if (!control_wire(control))
        return;
    m = wire_add(control_wire(control), kind);
    m->id = job->id;
    m->kind = job->value;
    m->stats = job->stats;
}

static void tell_key(struct control *control, const struct job *job)
{
    struct proto_key *m;

    if (!control_wire(control))
        return;
    m = wire_add(control_wire(control), PROTO_KEY);
    m->id = job->id;
    m->ms = job->key.ms;
    m->key = job->key.key;
    m->up = job->key.up;
    m->way = job->key.way;
}

static void from_worker(struct control *control, const struct job *job)
{
    struct entry *entry = idmap_get(&control->ids, job->id);

    if (job->kind == JOB_RECORDED)
        records_ended(control, job);
    if (job->kind == JOB_RECORDED || !entry)
        return;
    switch (job->kind) {
    case JOB_EVENT:
        if (!entry->releasing)
            tell(control, PROTO_EVENT, job);
        break;
    case JOB_DTLS_NEWS:
        if (!entry->releasing)
            ports_dtls_news(control, job);
        break;
    case JOB_KEY:
        if (!entry->releasing)
            tell_key(control, job);
        break;
    case JOB_RELEASED:
        tell(control, PROTO_RELEASED, job);
        control->load[entry->worker]--;
        close_entry(control, entry);
        break;
    case JOB_PLAYED:
        if (!entry->releasing)
            play_over(control, job);
        break;
    case JOB_DETACHED:
        moved(control, entry);
        break;
    case JOB_SILENT:
        if (entry->releasing || entry == control->move.entry || entry == control->move.with)
            break;
        log_info("media port %u of an earlier controller has been silent for a minute and ends",
                 addr_port(&entry->addr));
        release(control, entry);
        break;
    default:
        bug_if(job->kind < JOB_DETACHED);
    }
}

static void inbox_ready(void *arg, int fd, unsigned what)
{
    struct control *control = arg;
    struct job *job;
    uint64_t count;

    if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN)
        log_error("the media threads cannot be heard: %s", strerror(errno));
    while ((job = inbox_take(&control->inbox)) != NULL) {
        from_worker(control, job);
        job_free(job);
    }
}

uint64_t ports_relayed(const struct control *control)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < control->worker_count; i++)
        sum += atomic_load_explicit(&control->workers[i]->relayed, memory_order_relaxed);
    return sum;
}

int ports_init(struct control *control)
{
    const struct control_options *options = control->options;
    uint32_t instance = 0;
    int err;

    list_init(&control->ready);
    list_init(&control->used);
    list_init(&control->places);
    err = inbox_init(&control->inbox);
    if (err < 0)
        return err;
    while (!instance) /* ids differ from those of an earlier process: a late message of it finds nothing */
        random_bytes(&instance, sizeof instance);
    control->last_id = (uint64_t)instance << 32;
    err = file_thread_start(&control->files, NULL);
    if (err < 0)
        return err;
    range_init(&control->ranges[0], &options->bind4, options->port_low, options->port_high);
    range_init(&control->ranges[1], &options->bind6, options->port_low, options->port_high);
    control->ranges[0].rest_us = control->ranges[1].rest_us = options->rest_ms * UINT64_C(1000);
    control->inbox_watch = loop_watch(control->loop, control->inbox.fd, LOOP_READ, inbox_ready, control);
    control->workers = mem_new(options->threads * sizeof *control->workers);
    control->load = mem_new(options->threads * sizeof *control->load);
    for (unsigned i = 0; i < options->threads && err == 0; i++) {
        control->workers[i] = mem_new(sizeof **control->workers);
        control->worker_count++;
        control->workers[i]->identity = options->identity;
        control->workers[i]->report_us = options->report_ms * UINT64_C(1000);
        err = worker_start(control->workers[i], &control->inbox, options->silence_ms * 1000u);
    }
    return err;
}

void ports_clear(struct control *control)
{
    struct entry *entry, *next;

    free(control->move.then);
    for (unsigned i = 0; i < control->worker_count; i++) {
        worker_stop(control->workers[i]);
        free(control->workers[i]);
    }
    LIST_FOR_EACH_SAFE(entry, next, &control->ready, node)
    close_entry(control, entry);
    LIST_FOR_EACH_SAFE(entry, next, &control->used, node)
    close_entry(control, entry);
    places_clear(control);
    free(control->workers);
    free(control->load);
    file_thread_stop(control->files); /* what recordings of the ports had left to write */
    idmap_clear(&control->ids);
    range_clear(&control->ranges[0]);
    range_clear(&control->ranges[1]);
    loop_unwatch(control->inbox_watch);
    inbox_clear(&control->inbox);
}
