/* Plays a list to the far side of a port: one piece after the other, each decoded when its time comes. Worker's thread;
 * allocates when a piece begins, and reads only what lies in memory already (tandemd passes no other files). Knows no
 * calls, and not what a prompt is. */
#include "media/play.h"

#include <stdio.h>
#include <stdlib.h>

#include "audio/tone.h"
#include "base/log.h"
#include "media/pace.h"
#include "media/port.h"
#include "media/station.h"
#include "media/worker.h"

struct player {
    struct list node; /* port.players */
    struct source source;
    struct port *port;
    struct playlist *list;
    uint32_t serial;
    unsigned at;    /* the piece that plays */
    uint32_t loops; /* times that are left, this one counted; 0: for ever */
    bool begun;     /* the piece at hand is open */
    bool sounded;   /* something came out of this round */
    uint64_t done;  /* samples of the piece at hand that were played, at rate */
    unsigned rate;
    struct sound *sound;
    struct tone_player tone;
    uint64_t played_us;
    struct proto_played end; /* what is told at last */
};

static const struct piece *piece_of(const struct player *player)
{
    return &player->list->pieces[player->at];
}

/* The first thing that goes wrong is what people are told; the rest of the list is played. */
static void broke(struct player *player, const char *why)
{
    player->end.broken++;
    if (player->end.broken > 1)
        return;
    player->end.piece = player->at;
    snprintf(player->end.why, sizeof player->end.why, "%s", why);
}

static void close_piece(struct player *player)
{
    sound_close(player->sound);
    player->sound = NULL;
    player->begun = false;
    player->done = 0;
}

static bool open_sound(struct player *player, unsigned rate)
{
    const struct piece *piece = piece_of(player);
    char why[sizeof player->end.why];

    if (piece->fd < 0) {
        broke(player, "the file did not reach the media process");
        return false;
    }
    if (sound_open(&player->sound, (enum sound_kind)piece->what.kind, &piece->source, rate, why, sizeof why) < 0) {
        broke(player, why);
        return false;
    }
    return true;
}

static bool open_piece(struct player *player, unsigned rate)
{
    const struct proto_piece *what = &piece_of(player)->what;
    const struct tone *tone;

    player->rate = rate;
    switch (what->what) {
    case PLAY_FILE:
        if (!open_sound(player, rate))
            return false;
        break;
    case PLAY_TONE:
        tone = tone_find(what->name[0] ? what->name : NULL, (enum tone_kind)what->kind);
        if (!tone || tone_start(&player->tone, tone, rate, TONE_LEVEL) < 0) {
            broke(player, "there is no such tone");
            return false;
        }
        break;
    }
    player->begun = true;
    player->done = 0;
    return true;
}

/* The phone has agreed to another codec: the piece goes on where it was. */
static void change_rate(struct player *player, unsigned rate)
{
    uint64_t ms = player->done * 1000 / player->rate;

    sound_close(player->sound);
    player->sound = NULL;
    if (!open_piece(player, rate))
        return;
    player->done = ms * rate / 1000;
    if (player->sound && sound_seek(player->sound, ms) < 0)
        broke(player, sound_why(player->sound));
}

/* Up to `samples` of the piece at hand; fewer: it is over. */
static size_t take_piece(struct player *player, int16_t *pcm, size_t samples)
{
    const struct proto_piece *what = &piece_of(player)->what;
    uint64_t whole = what->ms * (uint64_t)(player->rate / 1000);
    size_t wanted = samples, got = 0;
    int result;

    if (what->ms && whole - player->done < wanted)
        wanted = (size_t)(whole - player->done);
    switch (what->what) {
    case PLAY_FILE:
        result = wanted ? sound_read(player->sound, pcm, wanted) : 0;
        if (result < 0)
            broke(player, sound_why(player->sound));
        got = result > 0 ? (size_t)result : 0;
        break;
    case PLAY_TONE:
        got = tone_play(&player->tone, pcm, wanted);
        break;
    case PLAY_SILENCE:
        memset(pcm, 0, wanted * sizeof *pcm);
        got = wanted;
        break;
    }
    player->done += got;
    return got;
}

/* False: the list is over. */
static bool next_piece(struct player *player)
{
    close_piece(player);
    if (++player->at < player->list->count)
        return true;
    if (player->loops == 1 || !player->sounded) /* a list without a sound in it would go round for ever */
        return false;
    if (player->loops)
        player->loops--;
    player->at = 0;
    player->sounded = false;
    return true;
}

static void free_player(struct player *player)
{
    close_piece(player);
    playlist_unref(player->list);
    list_unlink(&player->node);
    free(player);
}

static void end(struct player *player)
{
    struct port *port = player->port;
    struct job *job = job_new(JOB_PLAYED, port->id, NULL);

    voice_remove(port, &player->source);
    player->end.ms = player->played_us / 1000;
    job->played = player->end;
    inbox_post(port->worker->control, job);
    free_player(player);
}

static bool player_frame(struct source *source, int16_t *pcm, unsigned rate, uint64_t due_us)
{
    struct player *player = CONTAINER_OF(source, struct player, source);
    size_t samples = rate / 1000 * PACE_MS, have = 0;
    int16_t own[VOICE_SAMPLES_MAX];
    bool more = player->at < player->list->count;

    if (player->begun && player->rate != rate)
        change_rate(player, rate);
    while (more && have < samples) {
        size_t got = player->begun || open_piece(player, rate) ? take_piece(player, own + have, samples - have) : 0;

        player->sounded |= got > 0;
        have += got;
        if (have < samples)
            more = next_piece(player);
    }
    sound_add(pcm, own, have);
    player->played_us += have * UINT64_C(1000000) / rate;
    if (!more)
        end(player);
    return have > 0;
}

/* --- hold music --------------------------------------------------------------------------------------------------- */

static bool music_frame_of(struct source *source, int16_t *pcm, unsigned rate, uint64_t due_us)
{
    struct player *player = CONTAINER_OF(source, struct player, source);
    const int16_t *frame = station_frame(player->port->worker, player->list, rate, due_us);

    if (frame)
        sound_add(pcm, frame, rate / 1000 * PACE_MS);
    return frame != NULL;
}

static size_t music_payload_of(struct source *source, const struct codec_kind *kind, const uint8_t **payload,
                               uint64_t due_us)
{
    struct player *player = CONTAINER_OF(source, struct player, source);

    return station_payload(player->port->worker, player->list, kind, payload, due_us);
}

/* --- the face ----------------------------------------------------------------------------------------------------- */

static struct player *find(struct port *port, uint32_t serial)
{
    struct player *player;

    LIST_FOR_EACH(player, &port->players, node)
    if (player->serial == serial)
        return player;
    return NULL;
}

void play_start(struct port *port, const struct proto_play *what, struct playlist *list)
{
    struct player *player = mem_new(sizeof *player);

    player->port = port;
    player->list = list;
    player->serial = player->end.serial = what->serial;
    player->loops = what->loops;
    player->source.rate = 16000;
    player->source.frame = list->music ? music_frame_of : player_frame;
    player->source.payload = list->music ? music_payload_of : NULL;
    player->source.alone = what->alone;
    list_append(&port->players, &player->node);
    if (port->remote.codec_count && !voice_can_speak(port)) {
        broke(player, "its phone takes no codec that can be spoken");
        end(player);
        return;
    }
    voice_add(port, &player->source);
}

void play_stop(struct port *port, uint32_t serial)
{
    struct player *player = find(port, serial);

    if (!player)
        return;
    voice_remove(port, &player->source);
    free_player(player);
}

void play_free(struct port *port)
{
    struct player *player, *next;

    LIST_FOR_EACH_SAFE(player, next, &port->players, node)
    free_player(player);
}
