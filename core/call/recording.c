/* Recordings from the wish to the row: a worker opens the file, the media process writes it, a worker completes it.
 * Signalling thread. Knows the media client; the files are recording_file.c's. */
#include "call/recording.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"
#include "call/recording-priv.h"

#define OF_A_CALL_MAX 8u

/* --- the row and the events --------------------------------------------------------------------------------------- */

static const char *row_path(struct recording *r)
{
    if (r->file.path[0])
        str_copy(r->row_path, sizeof r->row_path, r->file.path);
    return r->row_path;
}

static void write_row(struct recording *r, const char *why)
{
    const struct record_recording row = {
        .id = r->id,
        .call_id = r->call->id,
        .leg_id = r->leg->id,
        .path = row_path(r),
        .kind = recording_whats[r->request.plan.what],
        .channels = r->request.plan.what == MEDIA_RECORD_STEREO ? 2 : 1,
        .started_us = r->began_us,
        .ms = r->recorded.ms,
        .bytes = r->recorded.bytes,
        .left_out_ms = r->recorded.left_out_ms,
        .ended_why = why,
    };

    if (r->recordings->pbx->db && row.path[0])
        db_record_recording(r->recordings->pbx->db, &row);
}

static void publish(struct recording *r, enum event_kind kind, const char *detail)
{
    const struct event event = {.kind = kind, .call = r->call, .leg = r->leg, .detail = detail};

    bus_publish(r->recordings->pbx->bus, &event);
}

static void tell_going(struct recording *r, const char *what)
{
    static const char *const words[MEDIA_RECORD_WHATS] = {[MEDIA_RECORD_LEG] = "what the party says",
                                                          [MEDIA_RECORD_BOTH] = "both sides",
                                                          [MEDIA_RECORD_STEREO] = "both sides, stereo"};
    char text[RECORDING_PATH_MAX + 100];

    snprintf(text, sizeof text, "%s: %s (%s)", what, r->file.path, words[r->request.plan.what]);
    publish(r, EVENT_RECORDING, text);
}

/* --- its life ----------------------------------------------------------------------------------------------------- */

static void forget(struct recording *r)
{
    list_unlink(&r->node);
    if (r->file.fd >= 0)
        close(r->file.fd);
    obj_unref(r->leg, "recording");
    obj_unref(r->call, "recording");
    free(r);
}

static void tell_end(struct recording *r, const char *why, const char *words)
{
    const struct recording_end end = {.path = r->file.path[0] ? r->file.path : NULL,
                                      .ms = r->recorded.ms,
                                      .bytes = r->recorded.bytes,
                                      .why = why,
                                      .words = words};

    if (r->request.ended)
        r->request.ended(r->request.arg, &end);
}

static void completed(void *arg)
{
    struct recording *r = arg;
    char words[RECORDING_PATH_MAX + 200];

    if (!r->file.keep) {
        r->recorded.ms = r->file.ms;
        r->recorded.bytes = r->file.bytes;
    }
    if (r->file.err && r->recorded.why != MEDIA_RECORD_FAILED) {
        r->recorded.why = MEDIA_RECORD_FAILED;
        r->recorded.err = r->file.err;
    }
    recording_words(r, words, sizeof words);
    if (r->recorded.why == MEDIA_RECORD_FAILED || r->recorded.why == MEDIA_RECORD_LOST)
        log_warn("%s", words);
    publish(r, EVENT_RECORDED, words);
    write_row(r, recording_why(r));
    tell_end(r, recording_why(r), words);
    forget(r);
}

static void work_finish(void *arg)
{
    struct recording *r = arg;

    recording_file_finish(&r->file);
}

static void work_drop(void *arg)
{
    struct recording *r = arg;

    recording_file_drop(&r->file);
}

static void complete(struct recording *r)
{
    r->state = RECORDING_COMPLETES;
    r->file.keep = r->recorded.why != MEDIA_RECORD_FAILED && r->recorded.why != MEDIA_RECORD_LOST && r->recorded.ms;
    loop_work(r->recordings->pbx->loop, RECORDING_LANE, work_finish, completed, r);
}

static void media_ended(void *arg, const struct media_recorded *recorded)
{
    struct recording *r = arg;

    r->media = NULL;
    r->recorded = *recorded;
    if (recorded->why == MEDIA_RECORD_LEFT)
        forget(r);
    else
        complete(r);
}

/* No file, so there is nothing that anybody could hear. */
static void fail(struct recording *r, int err)
{
    char words[RECORDING_PATH_MAX + 200];

    r->recorded = (struct media_recorded){.why = MEDIA_RECORD_FAILED, .err = err};
    snprintf(words, sizeof words, "cannot be recorded: %.900s: %s", r->file.path,
             recording_is_full(err) ? "disk full" : strerror(-err));
    r->file.path[0] = '\0';
    log_warn("%s", words);
    publish(r, EVENT_RECORDED, words);
    tell_end(r, recording_why(r), words);
    forget(r);
}

static void opened(void *arg)
{
    struct recording *r = arg;
    struct media_port *port = leg_audio_port(r->leg);
    int fd = r->file.err ? -1 : dup(r->file.fd);

    if (fd < 0) {
        fail(r, r->file.err ? r->file.err : -errno);
        return;
    }
    if (!port || r->stopping || !leg_is_alive(r->leg)) {
        close(fd);
        r->recorded.why = r->stopping ? MEDIA_RECORD_STOPPED : MEDIA_RECORD_PORT_ENDED;
        r->state = RECORDING_COMPLETES;
        loop_work(r->recordings->pbx->loop, RECORDING_LANE, work_drop, completed, r);
        return;
    }
    r->state = RECORDING_GOES_ON;
    r->began_us = loop_wall_us(r->recordings->pbx->loop);
    r->media = media_record(port, &r->request.plan, fd, media_ended, r);
    if (r->paused)
        media_record_pause(r->media, true);
    write_row(r, NULL);
    tell_going(r, "recording");
    if (r->request.began)
        r->request.began(r->request.arg, r->file.path);
}

static void work_open(void *arg)
{
    struct recording *r = arg;

    recording_file_open(&r->file);
}

static void begin(struct recording *r)
{
    r->state = RECORDING_OPENS;
    if (recording_name(r) < 0) /* the worker says so: longer than a path can be */
        r->file.path[0] = '\0';
    loop_work(r->recordings->pbx->loop, RECORDING_LANE, work_open, opened, r);
}

static void ended_before_it_began(void *arg)
{
    struct recording *r = arg;

    tell_end(r, recording_why(r), "nothing was recorded");
    forget(r);
}

static void give_up(struct recording *r, enum media_record_why why)
{
    r->recorded.why = why;
    r->state = RECORDING_COMPLETES;
    loop_later(r->recordings->pbx->loop, ended_before_it_began, r);
}

static void happened(void *arg, const struct event *event)
{
    struct recordings *all = arg;
    struct recording *r, *next;

    LIST_FOR_EACH_SAFE(r, next, &all->all, node)
    {
        if (r->leg != event->leg || r->state != RECORDING_WAITS)
            continue;
        if (event->kind == EVENT_LEG_ANSWERED)
            begin(r);
        else
            give_up(r, MEDIA_RECORD_PORT_ENDED);
    }
}

/* --- the face ----------------------------------------------------------------------------------------------------- */

int recording_start(const struct recording_request *request, struct recording **out)
{
    struct leg *leg = request->leg;
    struct recordings *all = leg->pbx->recordings;
    struct recording *r;
    unsigned count = 0;

    if (!all)
        return -ENOSYS;
    if (!leg_is_alive(leg))
        return -ENOTCONN;
    if (request->file && recording_file_why(request->file))
        return -EINVAL;
    LIST_FOR_EACH(r, &all->all, node)
    count += r->call == leg->call;
    if (count >= OF_A_CALL_MAX)
        return -EMFILE;
    r = mem_new(sizeof *r);
    r->recordings = all;
    r->call = obj_ref(leg->call, "recording");
    r->leg = obj_ref(leg, "recording");
    r->id = uuid_new();
    r->request = *request;
    r->request.file = NULL;
    r->file.fd = -1;
    str_copy(r->wanted, sizeof r->wanted, request->file);
    list_append(&all->all, &r->node);
    if (leg->state == LEG_UP)
        begin(r);
    if (out)
        *out = r;
    return 0;
}

void recording_stop(struct recording *r, const char *why)
{
    if (r->stopping || r->state == RECORDING_COMPLETES)
        return;
    r->stopping = true;
    r->stopped_as = why;
    if (r->state == RECORDING_WAITS)
        give_up(r, MEDIA_RECORD_STOPPED);
    else if (r->media)
        media_record_stop(r->media);
}

void recording_pause(struct recording *r, bool pause)
{
    if (r->paused == pause || r->state == RECORDING_COMPLETES)
        return;
    r->paused = pause;
    if (!r->media)
        return;
    media_record_pause(r->media, pause);
    tell_going(r, pause ? "recording pauses" : "recording goes on");
}

bool recording_paused(const struct recording *r)
{
    return r->paused;
}

void recording_forget(struct recording *r)
{
    r->request.began = NULL;
    r->request.ended = NULL;
}

struct recording *recording_next(const struct call *call, const struct recording *after)
{
    struct recordings *all = call->pbx->recordings;

    if (!all)
        return NULL;
    for (struct list *node = after ? after->node.next : all->all.next; node != &all->all; node = node->next) {
        struct recording *r = LIST_ENTRY(node, struct recording, node);

        if (r->call == call && !r->stopping && r->state != RECORDING_COMPLETES)
            return r;
    }
    return NULL;
}

const char *recording_path(const struct recording *r)
{
    return r->state == RECORDING_GOES_ON ? r->file.path : NULL;
}

/* --- the room's part of the switch ---------------------------------------------------------------------------------
 */

void recordings_open(struct pbx *pbx, const char *dir)
{
    struct recordings *all = mem_new(sizeof *all);

    all->pbx = pbx;
    list_init(&all->all);
    str_copy(all->dir, sizeof all->dir, dir);
    all->subscription =
        bus_subscribe(pbx->bus, EVENT_BIT(EVENT_LEG_ANSWERED) | EVENT_BIT(EVENT_LEG_ENDED), happened, all);
    pbx->recordings = all;
    recordings_search(all);
}

/* The worker is waited for: it has these very structs. */
void recordings_close(struct pbx *pbx)
{
    struct recordings *all = pbx->recordings;
    struct recording *r, *next;

    if (!all)
        return;
    LIST_FOR_EACH_SAFE(r, next, &all->all, node)
    {
        if (r->state == RECORDING_WAITS)
            give_up(r, MEDIA_RECORD_PORT_ENDED);
    }
    while (!list_empty(&all->all) || all->searching)
        loop_turn(pbx->loop, 10);
    recordings_left_free(all);
    bus_unsubscribe(all->subscription);
    pbx->recordings = NULL;
    free(all);
}
