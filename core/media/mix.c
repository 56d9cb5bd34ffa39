/* A room's ports: what each says is heard once a beat, the sum is made once, and each gets it without his own voice.
 * Those who add nothing to it get the same sound, and the same payload when they have a codec in common. Worker's
 * thread; the arithmetic is in audio/mixer.c. Knows no calls and no names of rooms. */
#include "media/mix.h"

#include <stdlib.h>

#include "audio/codec.h"
#include "audio/mixer.h"
#include "audio/tone.h"
#include "media/hearing.h"
#include "media/port.h"
#include "media/voice.h"
#include "media/worker.h"

#define CODES_MAX 8          /* codecs of one room whose payload is shared */
#define UNASKED_MAX 250      /* beats until nobody wants a rate any more */
#define TONES_WAITING_MAX 4u /* when crowds come and go */

enum { NARROW, WIDE, RATES };
static const unsigned rates[RATES] = {8000, 16000};

struct mix_room;

struct mix_member {
    struct list node; /* in room.members */
    struct mix_room *room;
    struct port *port;
    struct source source; /* what its far side hears */
    struct mixer_party party;
    unsigned flags;
    bool told_talking;
    bool open[RATES]; /* it is heard at */
    bool said[RATES]; /* it has a part in this beat's sum: */
    int16_t own[RATES][MIXER_SAMPLES_MAX];
};

/* One payload for all who hear the same in the same codec. */
struct mix_code {
    const struct codec_kind *kind; /* NULL: free */
    struct codec_encoder *encoder;
    unsigned rate;
    uint64_t due_us; /* of the payload */
    int len;
    uint8_t payload[CODEC_PAYLOAD_MAX];
};

struct mix_tone {
    enum tone_kind kind;
    const struct mix_member *except; /* who does not hear it; NULL: nobody. Not followed */
};

struct mix_room {
    struct list node; /* worker.rooms */
    struct worker *worker;
    uint64_t id;
    struct list members;
    struct mixer_party **parties; /* of all members */
    size_t count, space;
    unsigned rate; /* that the room is good for */
    bool wanted[RATES];
    unsigned unasked[RATES]; /* beats since somebody has asked for it */
    uint64_t due_us;         /* of what follows */
    struct mixer_sum sum[RATES];
    bool has_all[RATES];
    int16_t all[RATES][MIXER_SAMPLES_MAX]; /* the sum as those hear it who are not in it */
    struct mix_tone tones[TONES_WAITING_MAX];
    unsigned tone_count;
    struct tone_player player[RATES]; /* of tones[0] */
    const struct mix_member *spared;  /* who does not hear it; not followed */
    bool has_tone[RATES];             /* in this beat: */
    int16_t tone[RATES][MIXER_SAMPLES_MAX];
    struct mix_code codes[CODES_MAX];
};

static unsigned index_of(unsigned rate)
{
    return rate > 8000 ? WIDE : NARROW;
}

/* --- tones for those who come and go ------------------------------------------------------------------------------ */

static void start_tone(struct mix_room *room)
{
    const struct tone *tone = tone_find(NULL, room->tones[0].kind);

    for (unsigned i = 0; i < RATES; i++)
        if (tone_start(&room->player[i], tone, rates[i], TONE_LEVEL) < 0)
            room->tone_count = 0;
}

static void add_tone(struct mix_room *room, enum tone_kind kind, const struct mix_member *except)
{
    if (room->tone_count == TONES_WAITING_MAX)
        return;
    room->tones[room->tone_count++] = (struct mix_tone){.kind = kind, .except = except};
    if (room->tone_count == 1)
        start_tone(room);
}

/* Both rates go on together, whichever is listened to. */
static void play_tone(struct mix_room *room)
{
    bool over = false;

    room->spared = room->tones[0].except;
    for (unsigned i = 0; i < RATES; i++) {
        size_t samples = rates[i] / 50, made = tone_play(&room->player[i], room->tone[i], samples);

        memset(room->tone[i] + made, 0, (samples - made) * sizeof room->tone[i][0]);
        room->has_tone[i] = made > 0;
        over |= made < samples;
    }
    if (!over)
        return;
    memmove(room->tones, room->tones + 1, --room->tone_count * sizeof room->tones[0]);
    if (room->tone_count)
        start_tone(room);
}

/* --- rates -------------------------------------------------------------------------------------------------------- */

static void open_rates(struct mix_member *member)
{
    for (unsigned i = 0; i < RATES; i++) {
        bool want = member->room->wanted[i];

        if (want && !member->open[i])
            member->open[i] = hearing_open(member->port, rates[i]) == 0;
        else if (!want && member->open[i]) {
            hearing_close(member->port, rates[i]);
            member->open[i] = false;
        }
    }
}

static void want(struct mix_room *room, unsigned i, bool on)
{
    struct mix_member *member;

    if (room->wanted[i] == on)
        return;
    room->wanted[i] = on;
    room->unasked[i] = 0;
    LIST_FOR_EACH(member, &room->members, node)
    open_rates(member);
}

/* The room is wideband as soon as two can hear each other so. */
static void settle_rate(struct mix_room *room)
{
    struct mix_member *member;
    unsigned wide = 0, rate;

    LIST_FOR_EACH(member, &room->members, node)
    wide += hearing_best_rate(member->port) > 8000;
    rate = wide >= 2 ? 16000 : 8000;
    LIST_FOR_EACH(member, &room->members, node)
    {
        if (member->source.rate == rate)
            continue;
        member->source.rate = rate;
        voice_refresh(member->port);
    }
    room->rate = rate;
}

/* --- a beat ------------------------------------------------------------------------------------------------------- */

static void tell_talking(struct mix_member *member)
{
    bool talks = member->party.talks && !member->party.muted;

    if (talks == member->told_talking)
        return;
    member->told_talking = talks;
    worker_tell(member->port->worker, member->port, talks ? MEDIA_TALKS : MEDIA_QUIET);
}

static void sum_up(struct mix_room *room, unsigned i, uint64_t due_us)
{
    struct mix_member *member;

    mixer_clear(&room->sum[i], rates[i] / 50);
    room->has_all[i] = false;
    LIST_FOR_EACH(member, &room->members, node)
    {
        const int16_t *pcm = NULL;

        if (member->open[i] && (member->party.from || member->party.to))
            pcm = hearing_frame(member->port, rates[i], due_us);
        member->said[i] = pcm != NULL;
        if (pcm)
            mixer_add(&room->sum[i], &member->party, pcm, member->own[i]);
    }
}

/* Everything of this beat that does not depend on who listens. */
static void mix(struct mix_room *room, uint64_t due_us)
{
    unsigned judge = room->wanted[NARROW] ? NARROW : WIDE;
    struct mix_member *member;

    if (room->due_us == due_us)
        return;
    room->due_us = due_us;
    LIST_FOR_EACH(member, &room->members, node)
    {
        const int16_t *pcm = member->open[judge] ? hearing_frame(member->port, rates[judge], due_us) : NULL;

        mixer_hear(&member->party, pcm, rates[judge] / 50);
        tell_talking(member);
    }
    mixer_choose(room->parties, room->count);
    for (unsigned i = 0; i < RATES; i++) {
        room->has_tone[i] = false;
        if (room->wanted[i] && ++room->unasked[i] > UNASKED_MAX && room->wanted[!i])
            want(room, i, false);
        if (room->wanted[i])
            sum_up(room, i, due_us);
    }
    if (room->tone_count)
        play_tone(room);
}

static bool hears_tone(const struct mix_member *member, unsigned i)
{
    return member->room->has_tone[i] && member->room->spared != member;
}

/* The sum as those hear it who are not in it. */
static const int16_t *all_of(struct mix_room *room, unsigned i)
{
    if (!room->has_all[i])
        mixer_hears(&room->sum[i], NULL, room->all[i]);
    room->has_all[i] = true;
    return room->all[i];
}

static bool speak(struct source *source, int16_t *pcm, unsigned rate, uint64_t due_us)
{
    struct mix_member *member = CONTAINER_OF(source, struct mix_member, source);
    struct mix_room *room = member->room;
    unsigned i = index_of(rate);
    int16_t mine[MIXER_SAMPLES_MAX];

    want(room, i, true); /* in the sum from the next beat on, if it is new */
    mix(room, due_us);
    room->unasked[i] = 0;
    if (member->flags & MEDIA_MIX_DEAF)
        return true;
    if (room->sum[i].count == rate / 50) {
        if (member->said[i])
            mixer_hears(&room->sum[i], member->own[i], mine);
        sound_add(pcm, member->said[i] ? mine : all_of(room, i), rate / 50);
    }
    if (hears_tone(member, i))
        sound_add(pcm, room->tone[i], rate / 50);
    return true;
}

/* --- payloads that are shared ------------------------------------------------------------------------------------- */

static struct mix_code *code_for(struct mix_room *room, const struct codec_kind *kind)
{
    struct mix_code *code;
    unsigned rate = codec_rate(kind) > 8000 ? room->rate : 8000;

    for (code = room->codes; code < room->codes + CODES_MAX && code->kind && code->kind != kind; code++)
        ;
    if (code == room->codes + CODES_MAX)
        return NULL;
    if (!code->kind || code->rate != rate) {
        codec_encoder_free(code->encoder);
        code->kind = kind;
        code->rate = rate;
        code->encoder = codec_encoder_new(kind, rate, NULL);
    }
    return code->encoder ? code : NULL;
}

static size_t share(struct source *source, const struct codec_kind *kind, const uint8_t **payload, uint64_t due_us)
{
    struct mix_member *member = CONTAINER_OF(source, struct mix_member, source);
    struct mix_room *room = member->room;
    struct mix_code *code;
    unsigned i;

    if (member->flags & MEDIA_MIX_DEAF)
        return 0;
    mix(room, due_us);
    code = room->count > 2 ? code_for(room, kind) : NULL;
    i = code ? index_of(code->rate) : NARROW;
    if (!code || !room->wanted[i] || member->said[i] || room->has_tone[i])
        return 0;
    room->unasked[i] = 0;
    if (code->due_us != due_us)
        code->len = codec_encode(code->encoder, all_of(room, i), rates[i] / 50, code->payload, sizeof code->payload);
    code->due_us = due_us;
    *payload = code->payload;
    return code->len > 0 ? (size_t)code->len : 0;
}

/* --- who is in it ------------------------------------------------------------------------------------------------- */

static struct mix_room *room_of(struct worker *worker, uint64_t id)
{
    struct mix_room *room;

    LIST_FOR_EACH(room, &worker->rooms, node)
    if (room->id == id)
        return room;
    room = mem_new(sizeof *room);
    room->worker = worker;
    room->id = id;
    room->rate = 8000;
    list_init(&room->members);
    list_append(&worker->rooms, &room->node);
    return room;
}

static void list_parties(struct mix_room *room)
{
    struct mix_member *member;

    if (room->count + 1 > room->space) {
        room->space = room->space ? room->space * 2 : 8;
        free(room->parties);
        room->parties = mem_new(room->space * sizeof *room->parties);
    }
    room->count = 0;
    LIST_FOR_EACH(member, &room->members, node)
    room->parties[room->count++] = &member->party;
}

static void set_flags(struct mix_member *member, unsigned flags)
{
    member->flags = flags;
    member->party.muted = flags & MEDIA_MIX_MUTED;
}

static void enter(struct mix_room *room, struct port *port, unsigned flags)
{
    struct mix_member *member = mem_new(sizeof *member);

    member->room = room;
    member->port = port;
    member->source.frame = speak;
    member->source.payload = share;
    member->source.rate = room->rate;
    set_flags(member, flags);
    port->member = member;
    list_append(&room->members, &member->node);
    list_parties(room);
    if (!room->wanted[NARROW] && !room->wanted[WIDE])
        room->wanted[NARROW] = true;
    open_rates(member);
    if (room->count > 1 && flags & MEDIA_MIX_TONES)
        add_tone(room, TONE_JOIN, member);
    voice_add(port, &member->source);
    settle_rate(room);
}

void mix_join(struct port *port, uint64_t id, unsigned flags)
{
    if (port->member && port->member->room->id == id) {
        set_flags(port->member, flags);
        return;
    }
    mix_leave(port);
    enter(room_of(port->worker, id), port, flags);
}

static void room_free(struct mix_room *room)
{
    for (struct mix_code *code = room->codes; code < room->codes + CODES_MAX; code++)
        codec_encoder_free(code->encoder);
    list_unlink(&room->node);
    free(room->parties);
    free(room);
}

void mix_leave(struct port *port)
{
    struct mix_member *member = port->member;
    struct mix_room *room;

    if (!member)
        return;
    room = member->room;
    port->member = NULL;
    list_unlink(&member->node);
    for (unsigned i = 0; i < room->tone_count; i++)
        if (room->tones[i].except == member)
            room->tones[i].except = NULL;
    room->spared = room->spared == member ? NULL : room->spared;
    for (unsigned i = 0; i < RATES; i++)
        if (member->open[i])
            hearing_close(port, rates[i]);
    voice_remove(port, &member->source);
    if (member->flags & MEDIA_MIX_TONES)
        add_tone(room, TONE_LEAVE, NULL);
    free(member);
    list_parties(room);
    if (list_empty(&room->members))
        room_free(room);
    else
        settle_rate(room);
}

void mix_refresh(struct port *port)
{
    if (port->member)
        settle_rate(port->member->room);
}
