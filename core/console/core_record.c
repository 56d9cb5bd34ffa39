/* The commands record, record.stop, record.pause and record.resume. Signalling thread. */
#include <stdlib.h>

#include "base/log.h"
#include "call/recording.h"
#include "console/core.h"

struct waiting {
    struct console_request *request;
    struct recording *recording;
};

static void began(void *arg, const char *path)
{
    struct waiting *waiting = arg;

    console_reply(waiting->request, json_pack("{s:o}", "path", json_text(path)));
    recording_forget(waiting->recording);
    free(waiting);
}

static void ended(void *arg, const struct recording_end *end)
{
    struct waiting *waiting = arg;

    console_fail(waiting->request, "unavailable", "The call is not recorded: %s.", end->words);
    free(waiting);
}

/* Whose side: the caller's; of a call that the switch made, the first party's that is there. */
static struct leg *leg_of(const struct call *call)
{
    struct leg *leg;

    if (call->caller && leg_is_alive(call->caller))
        return call->caller;
    LIST_FOR_EACH(leg, &call->legs, in_call)
    if (leg_is_alive(leg))
        return leg;
    return NULL;
}

static bool read_plan(struct console_request *request, json_t *params, struct recording_request *wanted)
{
    const char *format = param_text(params, "format"), *what = param_text(params, "what"), *why;
    json_int_t max = json_integer_value(json_object_get(params, "max"));

    wanted->plan.what = MEDIA_RECORD_BOTH;
    wanted->file = param_text(params, "file");
    why = wanted->file ? recording_file_why(wanted->file) : NULL;
    if (format && recording_format_parse(format, &wanted->plan.format) < 0)
        console_fail(request, "bad-request", "There is no format \"%.40s\": wav, ulaw, alaw or opus.", format);
    else if (what && recording_what_parse(what, &wanted->plan.what) < 0)
        console_fail(request, "bad-request", "What is leg, both or stereo, not \"%.40s\".", what);
    else if (why)
        console_fail(request, "bad-request", "\"%.200s\" cannot be the name of a recording: %s.", wanted->file, why);
    else if (max < 0 || max > 86400)
        console_fail(request, "bad-request", "max takes seconds, up to a day.");
    else {
        wanted->plan.max_ms = (uint32_t)max * 1000;
        return true;
    }
    return false;
}

static void fail_start(struct console_request *request, int err)
{
    if (err == -EMFILE)
        console_fail(request, "refused", "This call has eight recordings already.");
    else if (err == -ENOSYS)
        console_fail(request, "unavailable", "Nothing can be recorded here.");
    else
        console_fail(request, "not-found", "The call has just ended.");
}

static void run_record(struct core_part *core, struct console_request *request, json_t *params)
{
    struct recording_request wanted = {.began = began, .ended = ended};
    struct waiting *waiting;
    struct call *call = core_live_call(core, request, params);
    int err;

    if (!call || !read_plan(request, params, &wanted))
        return;
    wanted.leg = leg_of(call);
    wanted.arg = waiting = mem_new(sizeof *waiting);
    waiting->request = request;
    err = wanted.leg ? recording_start(&wanted, &waiting->recording) : -ENOTCONN;
    if (err < 0) {
        fail_start(request, err);
        free(waiting);
    } else if (wanted.leg->state != LEG_UP) {
        recording_forget(waiting->recording);
        console_reply(request, json_pack("{s:b}", "waits", true));
        free(waiting);
    }
}

static void tell_all(struct core_part *core, struct console_request *request, json_t *params,
                     void (*fn)(struct recording *recording))
{
    struct call *call = core_live_call(core, request, params);
    struct recording *recording = NULL;
    json_int_t count = 0;

    if (!call)
        return;
    while ((recording = recording_next(call, recording)) != NULL) {
        fn(recording);
        count++;
    }
    if (count)
        console_reply(request, json_pack("{s:I}", "recordings", count));
    else
        console_fail(request, "not-found", "This call is not being recorded.");
}

static void stop(struct recording *recording)
{
    recording_stop(recording, "stopped");
}

static void pause_it(struct recording *recording)
{
    recording_pause(recording, true);
}

static void resume(struct recording *recording)
{
    recording_pause(recording, false);
}

static void run_stop(struct core_part *core, struct console_request *request, json_t *params)
{
    tell_all(core, request, params, stop);
}

static void run_pause(struct core_part *core, struct console_request *request, json_t *params)
{
    tell_all(core, request, params, pause_it);
}

static void run_resume(struct core_part *core, struct console_request *request, json_t *params)
{
    tell_all(core, request, params, resume);
}

json_t *core_recordings_json(const struct call *call)
{
    struct recording *recording = NULL;
    json_t *all = NULL;

    while ((recording = recording_next(call, recording)) != NULL) {
        const char *path = recording_path(recording);
        json_t *one = json_pack("{s:b}", "paused", recording_paused(recording));

        if (path)
            json_object_set_new(one, "path", json_text(path));
        if (!all)
            all = json_array();
        json_array_append_new(all, one);
    }
    return all;
}

const struct core_command core_record_commands[] = {
    {"record", "records a live call: id, what = leg, both, stereo; format = wav, ulaw, alaw, opus; file, max",
     run_record},
    {"record.stop", "ends the recordings of a call: id", run_stop},
    {"record.pause", "nothing is recorded until record.resume: id", run_pause},
    {"record.resume", "recordings go on: id", run_resume},
    {NULL, NULL, NULL},
};
