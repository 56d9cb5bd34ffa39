/* Plays to a leg: finds the files of what is wanted on a worker, then has the media process play them. What cannot be
 * found is told, and the rest is played. Signalling thread; knows no codec. */
#include "call/play.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "call/call-priv.h"
#include "call/voices.h"
#include "media/sounds.h"

struct item {
    enum play_what what;
    enum tone_kind tone;
    unsigned ms;
    char country[3];
};

struct leg_play {
    struct list node; /* leg.plays */
    struct leg *leg;
    struct leg_play *unknown; /* the handle when nobody wants it */
    struct leg_play **handle; /* whoever started it knows it by this */
    struct item *items;
    unsigned count, loops;
    struct sounds_fetch *fetch; /* under way */
    struct media_play *media;   /* plays */
    leg_played_fn done;
    void *arg;
    unsigned missing;
    char why[200];
};

static const char *setting(const struct leg *leg, const char *key, const char *otherwise)
{
    const struct snapshot *snapshot = leg->pbx->db ? db_snapshot(leg->pbx->db) : NULL;
    const char *value = snapshot ? snapshot_setting(snapshot, key, otherwise) : otherwise;

    return *value ? value : otherwise;
}

const char *leg_language(const struct leg *leg)
{
    return leg->account && leg->account->language[0] ? leg->account->language : setting(leg, "language", "en");
}

const char *leg_country(const struct leg *leg)
{
    return setting(leg, "country", "us");
}

static void free_play(struct leg_play *play)
{
    list_unlink(&play->node);
    if (play->fetch)
        sounds_cancel(play->fetch);
    if (play->media)
        media_play_stop(play->media);
    *play->handle = NULL;
    free(play->items);
    free(play);
}

static void finish(struct leg_play *play, uint64_t ms)
{
    struct play_result result = {.ms = ms, .missing = play->missing};
    leg_played_fn done = play->done;
    void *arg = play->arg;
    char why[sizeof play->why];

    str_copy(why, sizeof why, play->why);
    result.why = why;
    play->media = NULL;
    free_play(play);
    if (done)
        done(arg, &result);
}

/* The call goes on without it; people must get to know. */
static void miss(struct leg_play *play, unsigned count, const char *why)
{
    char id[UUID_TEXT];

    if (!play->missing)
        str_copy(play->why, sizeof play->why, why);
    play->missing += count;
    log_warn("call %.13s: %s hears a gap: %s", call_id_text(play->leg->call, id), play->leg->number, why);
    leg_publish(play->leg, EVENT_SOUND_MISSING, why);
}

static void played(void *arg, const struct media_played *result)
{
    struct leg_play *play = arg;

    play->media = NULL;
    if (result->broken)
        miss(play, result->broken, result->why);
    finish(play, result->ms);
}

/* found: NULL when no file is wanted. */
static void begin(struct leg_play *play, const struct sound_found *found)
{
    struct media_piece *pieces = mem_new((play->count + 1) * sizeof *pieces);
    unsigned count = 0;

    for (unsigned i = 0; i < play->count; i++) {
        const struct item *item = &play->items[i];
        struct media_piece piece = {.what = item->what, .ms = item->ms, .tone = item->tone, .name = item->country};

        if (item->what == PLAY_FILE) {
            if (!found || found->fd < 0) {
                if (found)
                    miss(play, 1, found->why);
                found += found != NULL;
                continue;
            }
            piece.fd = found->fd;
            piece.kind = found->kind;
            piece.name = found->name;
            found++;
        }
        pieces[count++] = piece;
    }
    play->media = media_play(leg_audio_port(play->leg), pieces, count, play->loops, played, play);
    free(pieces);
}

static void found_all(void *arg, const struct sound_found *found, unsigned count)
{
    struct leg_play *play = arg;

    play->fetch = NULL;
    begin(play, found);
}

static void look_for_files(struct leg_play *play, const struct play_request *request)
{
    const struct pbx *pbx = play->leg->pbx;
    const char *language = request->language ? request->language : leg_language(play->leg);

    for (unsigned i = 0; i < play->count; i++) {
        if (request->items[i].what != PLAY_FILE || !pbx->sounds || !pbx->voices)
            continue;
        if (!play->fetch)
            play->fetch = sounds_begin(pbx->sounds);
        voices_want(pbx->voices, play->fetch, language, request->items[i].name);
    }
}

static void keep_items(struct leg_play *play, const struct play_request *request)
{
    play->items = mem_new((request->count + 1) * sizeof *play->items);
    play->count = request->count;
    for (unsigned i = 0; i < request->count; i++) {
        const struct play_item *from = &request->items[i];
        struct item *item = &play->items[i];

        *item = (struct item){.what = from->what, .tone = from->tone, .ms = from->ms};
        if (from->what == PLAY_TONE)
            str_copy(item->country, sizeof item->country, from->name ? from->name : leg_country(play->leg));
    }
}

int leg_play(struct leg *leg, const struct play_request *request, leg_played_fn done, void *arg, struct leg_play **out)
{
    struct leg_play *play;

    if (out)
        *out = NULL;
    if (!leg_is_alive(leg) || !leg_audio_port(leg))
        return -ENOTCONN;
    play = mem_new(sizeof *play);
    play->leg = leg;
    play->handle = out ? out : &play->unknown;
    keep_items(play, request);
    play->loops = request->loops;
    play->done = done;
    play->arg = arg;
    list_append(&leg->plays, &play->node);
    look_for_files(play, request);
    *play->handle = play;
    if (play->fetch)
        sounds_go(play->fetch, found_all, play);
    else
        begin(play, NULL);
    return 0;
}

void leg_play_stop(struct leg_play *play)
{
    free_play(play);
}

void leg_plays_end(struct leg *leg)
{
    while (!list_empty(&leg->plays))
        free_play(LIST_ENTRY(leg->plays.next, struct leg_play, node));
}
