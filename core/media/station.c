/* Hold music as a radio station: whoever tunes in hears what all others hear. One list of stations a media thread, so
 * nothing is locked. Worker's thread; knows no ports. */
#include "media/station.h"

#include <stdlib.h>

#include "audio/codec.h"
#include "audio/music.h"
#include "base/log.h"
#include "media/pace.h"
#include "media/worker.h"

#define FORGET_US 60000000u
#define ENCODINGS 4 /* codecs of one rate that are in use at the same time; others encode for themselves */

struct encoding {
    const struct codec_kind *kind; /* NULL: free */
    struct codec_encoder *encoder;
    uint64_t due_us; /* of what is in payload */
    size_t len;
    uint8_t payload[CODEC_PAYLOAD_MAX];
};

struct station {
    struct list node;      /* worker.stations */
    struct playlist *list; /* ref */
    unsigned rate;
    struct music *music; /* NULL: nothing in it can be played */
    struct music_listener place;
    uint64_t due_us; /* of frame */
    const int16_t *frame;
    struct encoding encodings[ENCODINGS];
};

static void say(void *arg, const char *line)
{
    log_warn("%s", line);
}

static void open_music(struct station *station)
{
    const struct playlist *list = station->list;
    struct music_file *files = mem_new((list->count + 1) * sizeof *files);
    unsigned count = 0;

    for (unsigned i = 0; i < list->count; i++)
        if (list->pieces[i].fd >= 0)
            files[count++] = (struct music_file){.name = list->pieces[i].what.name,
                                                 .kind = (enum sound_kind)list->pieces[i].what.kind,
                                                 .source = list->pieces[i].source};
    if (music_new(&station->music, files, count, station->rate, list->shuffle, (uint32_t)list->music, say, NULL) < 0)
        log_error("none of the %u files of a class of hold music can be played: its listeners hear nothing",
                  list->count);
    else
        music_join(station->music, &station->place);
    free(files);
}

static struct station *find(struct worker *worker, struct playlist *list, unsigned rate)
{
    struct station *station;

    LIST_FOR_EACH(station, &worker->stations, node)
    if (station->list == list && station->rate == rate)
        return station;
    station = mem_new(sizeof *station);
    station->list = playlist_ref(list);
    station->rate = rate;
    list_append(&worker->stations, &station->node);
    open_music(station);
    return station;
}

static const int16_t *frame_of(struct station *station, uint64_t due_us)
{
    if (station->due_us == due_us)
        return station->frame;
    station->due_us = due_us;
    station->frame = station->music ? music_frame(station->music, &station->place, NULL) : NULL;
    return station->frame;
}

const int16_t *station_frame(struct worker *worker, struct playlist *list, unsigned rate, uint64_t due_us)
{
    return frame_of(find(worker, list, rate), due_us);
}

static struct encoding *encoding_of(struct station *station, const struct codec_kind *kind)
{
    for (unsigned i = 0; i < ENCODINGS; i++) {
        struct encoding *encoding = &station->encodings[i];

        if (encoding->kind == kind)
            return encoding;
        if (encoding->kind)
            continue;
        encoding->encoder = codec_encoder_new(kind, station->rate, NULL);
        encoding->kind = encoding->encoder ? kind : NULL;
        return encoding->kind ? encoding : NULL;
    }
    return NULL;
}

size_t station_payload(struct worker *worker, struct playlist *list, const struct codec_kind *kind,
                       const uint8_t **payload, uint64_t due_us)
{
    struct station *station = find(worker, list, codec_rate(kind) > 8000 ? 16000 : 8000);
    const int16_t *frame = frame_of(station, due_us);
    struct encoding *encoding = frame ? encoding_of(station, kind) : NULL;
    int len;

    if (!encoding)
        return 0;
    if (encoding->due_us != due_us) {
        len = codec_encode(encoding->encoder, frame, music_frame_samples(station->music), encoding->payload,
                           sizeof encoding->payload);
        encoding->len = len > 0 ? (size_t)len : 0;
        encoding->due_us = due_us;
    }
    *payload = encoding->payload;
    return encoding->len;
}

static void free_station(struct station *station)
{
    for (unsigned i = 0; i < ENCODINGS; i++)
        codec_encoder_free(station->encodings[i].encoder);
    music_free(station->music);
    playlist_unref(station->list);
    list_unlink(&station->node);
    free(station);
}

void stations_tick(struct worker *worker, uint64_t now_us)
{
    struct station *station, *next;

    LIST_FOR_EACH_SAFE(station, next, &worker->stations, node)
    if (station->due_us + FORGET_US < now_us)
        free_station(station);
}

void stations_free(struct worker *worker)
{
    struct station *station, *next;

    LIST_FOR_EACH_SAFE(station, next, &worker->stations, node)
    free_station(station);
}
