/* Hold music: which class is due to whom, and the classes that the media process knows. A class is read when somebody
 * is to hear it first, and again when its row has changed; it is forgotten with its row. Signalling thread; the media
 * process mixes and encodes. */
#include "call/hold_music.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"
#include "call/conference.h"
#include "call/hold.h"
#include "media/media_play.h"
#include "media/sounds.h"

#define NONE "none"

struct known {
    struct list node; /* hold_music.known */
    struct hold_music *music;
    char name[64];
    const struct music_class *row; /* ref "hold music": what was read */
    struct sounds_fetch *fetch;    /* under way */
    uint64_t id;                   /* of the media process; 0: none of it can be played */
    unsigned process;              /* which media process: media_up_count() */
};

struct hold_music {
    struct pbx *pbx;
    struct list known;
    struct bus_subscription *configured;
};

static void forget_row(struct known *known)
{
    if (known->fetch)
        sounds_cancel(known->fetch);
    known->fetch = NULL;
    obj_unref((void *)(uintptr_t)known->row, "hold music");
    known->row = NULL;
}

static void forget(struct known *known)
{
    forget_row(known);
    list_unlink(&known->node);
    free(known);
}

static void forget_in_media(const struct known *known)
{
    struct media *media = known->music->pbx->media;

    if (known->process == media_up_count(media))
        media_music_forget(media, known->id);
}

/* Who hears a class that is no more hears it to the end of his waiting. */
static void configured(void *arg, const struct event *event)
{
    struct hold_music *music = arg;
    const struct snapshot *snapshot = db_snapshot(music->pbx->db);
    struct known *known, *next;

    LIST_FOR_EACH_SAFE(known, next, &music->known, node)
    {
        if (snapshot_music(snapshot, known->name))
            continue;
        forget_in_media(known);
        forget(known);
    }
}

void hold_music_open(struct pbx *pbx)
{
    struct hold_music *music = mem_new(sizeof *music);

    music->pbx = pbx;
    list_init(&music->known);
    music->configured = bus_subscribe(pbx->bus, EVENT_BIT(EVENT_CONFIG), configured, music);
    pbx->hold_music = music;
}

void hold_music_close(struct hold_music *music)
{
    if (!music)
        return;
    music->pbx->hold_music = NULL;
    bus_unsubscribe(music->configured);
    while (!list_empty(&music->known))
        forget(LIST_ENTRY(music->known.next, struct known, node));
    free(music);
}

/* --- classes ------------------------------------------------------------------------------------------------------ */

static void update_all(struct pbx *pbx)
{
    struct call *call;
    struct leg *leg;

    LIST_FOR_EACH(call, &pbx->calls, in_pbx)
    {
        LIST_FOR_EACH(leg, &call->legs, in_call)
        {
            leg_music_update(leg);
        }
    }
}

static void found(void *arg, const struct sound_found *list, unsigned count)
{
    struct known *known = arg;
    struct media *media = known->music->pbx->media;
    struct media_piece *pieces = mem_new((count + 1) * sizeof *pieces);
    unsigned have = 0;

    known->fetch = NULL;
    for (unsigned i = 0; i < count; i++) {
        if (list[i].fd < 0)
            log_warn("hold music %s lacks a file: %s", known->name, list[i].why);
        else
            pieces[have++] =
                (struct media_piece){.what = PLAY_FILE, .fd = list[i].fd, .kind = list[i].kind, .name = list[i].name};
    }
    if (have)
        known->id = media_music_new(media, pieces, have, known->row->shuffle);
    else
        log_warn("hold music %s has no file that can be played: who is on hold hears nothing", known->name);
    free(pieces);
    update_all(known->music->pbx);
}

static void begin_to_read(struct known *known, const struct music_class *row)
{
    struct pbx *pbx = known->music->pbx;
    char *paths = str_dup(row->paths), *rest = paths, *path;

    forget_in_media(known);
    forget_row(known);
    known->id = 0;
    known->process = media_up_count(pbx->media);
    known->row = obj_ref((void *)(uintptr_t)row, "hold music");
    known->fetch = sounds_begin(pbx->sounds);
    while ((path = strsep(&rest, "\n")) != NULL) {
        if (row->directory) {
            sounds_directory(known->fetch, path);
        } else {
            sounds_want(known->fetch, path);
            sounds_try(known->fetch, path);
        }
    }
    free(paths);
    sounds_go(known->fetch, found, known);
}

static struct known *known_by(struct hold_music *music, const char *name)
{
    struct known *known;

    LIST_FOR_EACH(known, &music->known, node)
    if (strcmp(known->name, name) == 0)
        return known;
    known = mem_new(sizeof *known);
    known->music = music;
    str_copy(known->name, sizeof known->name, name);
    list_append(&music->known, &known->node);
    return known;
}

/* The class as the media process knows it; 0: it is on its way, and everybody is looked at again then, or there is
 * none. */
static uint64_t id_of(struct hold_music *music, const struct music_class *row)
{
    struct known *known = known_by(music, row->name);

    if (known->row != row || known->process != media_up_count(music->pbx->media))
        begin_to_read(known, row);
    return known->fetch ? 0 : known->id;
}

/* --- who hears what ----------------------------------------------------------------------------------------------- */

/* What it hears while somebody is called for it; NULL: nothing of ours. */
static const struct music_class *class_of_waiting(const struct leg *leg)
{
    const struct snapshot *snapshot = leg->pbx->db ? db_snapshot(leg->pbx->db) : NULL;

    return snapshot && leg->pbx->hold_music && leg->waiting_class[0] && !leg->bridge &&
                   (leg->state == LEG_UP || leg->early)
               ? snapshot_music(snapshot, leg->waiting_class)
               : NULL;
}

/* The class of those whom a phone of this account holds; NULL: silence. */
static const struct music_class *class_by(const struct pbx *pbx, const struct account *account)
{
    const struct snapshot *snapshot = pbx->db ? db_snapshot(pbx->db) : NULL;
    const char *name = account ? account->music_class : "";

    if (!snapshot || !pbx->hold_music)
        return NULL;
    if (!*name)
        name = snapshot_setting(snapshot, "music_class", "default");
    return strcmp(name, NONE) == 0 ? NULL : snapshot_music(snapshot, name);
}

/* It has been read, and nothing of it can be played. */
static bool is_empty(const struct hold_music *music, const struct music_class *row)
{
    const struct known *known;

    LIST_FOR_EACH(known, &music->known, node)
    if (known->row == row)
        return !known->fetch && !known->id && known->process == media_up_count(music->pbx->media);
    return false;
}

static const struct music_class *class_of(const struct leg *leg)
{
    return class_by(leg->pbx, leg->account);
}

bool hold_music_has(const struct leg *leg)
{
    const struct music_class *row = class_of(leg);

    return row && !is_empty(leg->pbx->hold_music, row);
}

const char *hold_music_of(const struct leg *leg)
{
    return hold_music_has(leg) ? class_of(leg)->name : NULL;
}

static bool takes(const struct leg *leg, enum stream_dir dir)
{
    const struct stream_desc *audio = desc_audio(leg->remote);

    return audio && (audio->dir & dir) == dir;
}

static bool holds(const struct leg *holder)
{
    return holder && holder->state == LEG_UP && holder->held && hold_is_served(holder);
}

/* Of whose account the class is: of who holds it; of who parked it; its own while it waits in a conference. */
static uint64_t due_to(const struct leg *leg)
{
    bool parked = leg->waits && !leg->bridge && !leg->conference;
    bool waits = parked || conference_waits(leg);
    const struct leg *holder = conference_waits(leg) ? leg : bridge_peer(leg);
    const struct music_class *row;

    if (!leg_is_alive(leg) || !leg_audio_port(leg))
        return 0;
    row = class_of_waiting(leg);
    if (row)
        return takes(leg, DIR_RECV) ? id_of(leg->pbx->hold_music, row) : 0;
    if (leg->state != LEG_UP || (!waits && !holds(holder)) || !takes(leg, DIR_RECV))
        return 0;
    row = parked ? class_by(leg->pbx, leg->waits_by) : class_of(holder);
    return row ? id_of(leg->pbx->hold_music, row) : 0;
}

static void update(struct leg *leg)
{
    uint64_t due = due_to(leg);

    if (due == leg->music_id)
        return;
    if (leg->music)
        media_play_stop(leg->music);
    leg->music = due ? media_play_music(leg_audio_port(leg), due) : NULL;
    leg->music_id = due;
}

void leg_music_update(struct leg *leg)
{
    struct leg *peer = bridge_peer(leg);

    update(leg);
    if (peer)
        update(peer);
}

void leg_wait(struct leg *leg, bool on, struct account *whose)
{
    obj_unref(leg->waits_by, "waits");
    leg->waits_by = on && whose ? obj_ref(whose, "waits") : NULL;
    leg->waits = on;
    leg_music_update(leg);
}
