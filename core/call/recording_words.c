/* Recordings in words: formats and sides, why one ended, and how its file is called. Signalling thread; touches no
 * file. */
#include <stdio.h>
#include <time.h>

#include "call/call-priv.h"
#include "call/recording-priv.h"

static const char *const formats[MEDIA_RECORD_FORMATS] = {[MEDIA_RECORD_WAV] = "wav",
                                                          [MEDIA_RECORD_ULAW] = "ulaw",
                                                          [MEDIA_RECORD_ALAW] = "alaw",
                                                          [MEDIA_RECORD_OPUS] = "opus"};
const char *const recording_whats[MEDIA_RECORD_WHATS] = {
    [MEDIA_RECORD_LEG] = "leg", [MEDIA_RECORD_BOTH] = "both", [MEDIA_RECORD_STEREO] = "stereo"};

static int word_parse(const char *const *words, int count, const char *text)
{
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    return -EINVAL;
}

int recording_format_parse(const char *text, enum media_record_format *out)
{
    int found = word_parse(formats, MEDIA_RECORD_FORMATS, text);

    if (found >= 0)
        *out = (enum media_record_format)found;
    return found < 0 ? found : 0;
}

int recording_what_parse(const char *text, enum media_record_what *out)
{
    int found = word_parse(recording_whats, MEDIA_RECORD_WHATS, text);

    if (found >= 0)
        *out = (enum media_record_what)found;
    return found < 0 ? found : 0;
}

bool recording_is_full(int err)
{
    return err == -ENOSPC || err == -EDQUOT || err == -EFBIG;
}

const char *recording_why(const struct recording *r)
{
    const struct media_recorded *recorded = &r->recorded;

    if (recorded->why == MEDIA_RECORD_STOPPED && r->stopped_as)
        return r->stopped_as;
    switch (recorded->why) {
    case MEDIA_RECORD_MAX:
        return "max";
    case MEDIA_RECORD_SILENCE:
        return "silence";
    case MEDIA_RECORD_PORT_ENDED:
        return "hangup";
    case MEDIA_RECORD_FAILED:
        return recording_is_full(recorded->err) ? "disk-full" : "error";
    case MEDIA_RECORD_LOST:
        return "media-lost";
    default:
        return "stopped";
    }
}

void recording_words(const struct recording *r, char *out, size_t size)
{
    const struct media_recorded *recorded = &r->recorded;
    size_t used = 0;

    out[0] = '\0';
    if (recorded->why == MEDIA_RECORD_LOST)
        str_append(out, size, &used, "recording stopped: the media process is gone; ");
    else if (recorded->why == MEDIA_RECORD_FAILED)
        str_append(out, size, &used, "recording stopped: %s; ",
                   recording_is_full(recorded->err) ? "disk full" : strerror(-recorded->err));
    if (!r->file.path[0])
        str_append(out, size, &used, "nothing was recorded");
    else
        str_append(out, size, &used, "%s, %.1f s", r->file.path, (double)recorded->ms / 1000);
    if (recorded->left_out_ms)
        str_append(out, size, &used, "; %.1f s left out: the disk is too slow", (double)recorded->left_out_ms / 1000);
}

const char *recording_file_why(const char *file)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+/ ";
    size_t len = strlen(file);

    if (!len || len > RECORDING_FILE_MAX)
        return "it has to have 1 to 200 characters";
    if (file[strspn(file, allowed)])
        return "only letters, digits, blanks and the characters - _ . + / may be in it";
    if (file[0] == '/')
        return "it is relative to the directory of the recordings, so it does not begin with /";
    if (file[len - 1] == '/')
        return "it ends with a name, not with /";
    for (const char *part = file; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
        if (*part == '.' || *part == '/')
            return "no part of it is empty or begins with a dot";
    return NULL;
}

static const char *extension(enum media_record_format format)
{
    return format == MEDIA_RECORD_OPUS ? ".opus" : ".wav";
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

/* By the day and the time (of the machine's clock and zone), and the call. */
int recording_name(struct recording *r)
{
    const char *end = extension(r->request.plan.format);
    time_t now = (time_t)(loop_wall_us(r->recordings->pbx->loop) / 1000000);
    char id[UUID_TEXT], when[64];
    size_t used = 0;
    struct tm tm;

    if (r->wanted[0])
        return str_append(r->file.path, sizeof r->file.path, &used, "%s/%s%s", r->recordings->dir, r->wanted,
                          ends_with(r->wanted, end) ? "" : end);
    localtime_r(&now, &tm);
    strftime(when, sizeof when, "%Y/%m/%d/%H%M%S", &tm);
    return str_append(r->file.path, sizeof r->file.path, &used, "%s/%s-%s%s", r->recordings->dir, when,
                      call_id_text(r->call, id), end);
}
