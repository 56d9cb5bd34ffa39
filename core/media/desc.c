/* Stream descriptions as values. Any thread; knows neither SDP nor calls. */
#include "media/desc.h"

#include <stdlib.h>
#include <strings.h>

struct media_desc *desc_new(unsigned count)
{
    struct media_desc *desc = mem_new(sizeof *desc + count * sizeof desc->streams[0]);

    desc->count = count;
    return desc;
}

struct media_desc *desc_copy(const struct media_desc *from)
{
    struct media_desc *desc;

    if (!from)
        return NULL;
    desc = desc_new(from->count);
    for (unsigned i = 0; i < from->count; i++) {
        desc->streams[i] = from->streams[i];
        desc->streams[i].codecs = NULL;
        desc->streams[i].crypto = NULL;
        desc->streams[i].crypto_count = 0;
        desc_set_codecs(&desc->streams[i], from->streams[i].codecs, from->streams[i].codec_count);
        desc_set_crypto(&desc->streams[i], from->streams[i].crypto, from->streams[i].crypto_count);
    }
    return desc;
}

void desc_free(struct media_desc *desc)
{
    if (!desc)
        return;
    for (unsigned i = 0; i < desc->count; i++) {
        free(desc->streams[i].codecs);
        desc_set_crypto(&desc->streams[i], NULL, 0);
    }
    free(desc);
}

void desc_set_codecs(struct stream_desc *stream, const struct codec *codecs, unsigned count)
{
    struct codec *copy = NULL;

    if (count) {
        copy = mem_new(count * sizeof *copy);
        memcpy(copy, codecs, count * sizeof *copy);
    }
    free(stream->codecs);
    stream->codecs = copy;
    stream->codec_count = count;
}

void desc_set_crypto(struct stream_desc *stream, const struct crypto *crypto, unsigned count)
{
    struct crypto *copy = NULL;

    if (count) {
        copy = mem_new(count * sizeof *copy);
        memcpy(copy, crypto, count * sizeof *copy);
    }
    if (stream->crypto)
        explicit_bzero(stream->crypto, stream->crypto_count * sizeof *stream->crypto);
    free(stream->crypto);
    stream->crypto = copy;
    stream->crypto_count = count;
}

const struct codec *desc_codec_by_pt(const struct stream_desc *stream, unsigned pt)
{
    for (unsigned i = 0; i < stream->codec_count; i++)
        if (stream->codecs[i].pt == pt)
            return &stream->codecs[i];
    return NULL;
}

bool codec_same(const struct codec *a, const struct codec *b)
{
    return strcasecmp(a->name, b->name) == 0 && a->rate == b->rate && a->channels == b->channels;
}

bool codec_is_speech(const struct codec *codec)
{
    return strcasecmp(codec->name, "telephone-event") != 0 && strcasecmp(codec->name, "CN") != 0;
}

struct stream_desc *desc_audio(struct media_desc *desc)
{
    for (unsigned i = 0; desc && i < desc->count; i++)
        if (desc->streams[i].kind == STREAM_AUDIO && !desc->streams[i].refused)
            return &desc->streams[i];
    return NULL;
}

const struct codec *desc_speech(const struct stream_desc *stream)
{
    for (unsigned i = 0; i < stream->codec_count; i++)
        if (codec_is_speech(&stream->codecs[i]))
            return &stream->codecs[i];
    return NULL;
}

enum stream_dir dir_mirror(enum stream_dir dir)
{
    return (enum stream_dir)((dir & DIR_SEND ? DIR_RECV : 0) | (dir & DIR_RECV ? DIR_SEND : 0));
}
