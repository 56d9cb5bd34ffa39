/* The chunks of a WAV file: where its samples are and what they are. Any thread; plays nothing. */
#include "audio/sound-priv.h"

#define CHUNKS_MAX 1000u
#define CHANNELS_MAX 8u
#define FORMAT_BYTES 40u /* of WAVE_FORMAT_EXTENSIBLE; the others have fewer */

enum { TAG_PCM = 1, TAG_FLOAT = 3, TAG_ALAW = 6, TAG_ULAW = 7, TAG_GSM = 0x31, TAG_EXTENSIBLE = 0xfffe };

static unsigned le16(const uint8_t *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
    return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static int read_format(const uint8_t *fmt, size_t len, struct sound_layout *layout, struct sound_why *why)
{
    unsigned tag = le16(fmt), bits = le16(fmt + 14);

    if (tag == TAG_EXTENSIBLE && len >= FORMAT_BYTES)
        tag = le16(fmt + 24); /* the first bytes of its GUID are the tag of old */
    layout->channels = le16(fmt + 2);
    layout->rate = le32(fmt + 4);
    layout->bits = tag == TAG_PCM ? (bits + 7) / 8 * 8 : 8;
    if (layout->channels < 1 || layout->channels > CHANNELS_MAX)
        return sound_refuse(why, -EINVAL, "the WAV file has %u channels; 1 to %u can be played", layout->channels,
                            CHANNELS_MAX);
    switch (tag) {
    case TAG_PCM:
        layout->coding = CODING_PCM;
        if (layout->bits < 8 || layout->bits > 32)
            return sound_refuse(why, -EINVAL, "the WAV file has samples of %u bits; 8, 16, 24 and 32 can be played",
                                bits);
        return 0;
    case TAG_ULAW:
        layout->coding = CODING_ULAW;
        return 0;
    case TAG_ALAW:
        layout->coding = CODING_ALAW;
        return 0;
    case TAG_FLOAT:
        return sound_refuse(why, -EINVAL, "the WAV file has floating-point samples; save it with 16 bits");
    case TAG_GSM:
        return sound_refuse(why, -EINVAL, "the WAV file is in GSM; save it as PCM with 16 bits");
    default:
        return sound_refuse(why, -EINVAL,
                            "the WAV file has a coding that is not ours (%#x); save it as PCM with 16 bits", tag);
    }
}

/* A size of 0 or of all ones stands in files whose writer never came to the end: all that is there is sound. A file
 * that says of itself that it is complete may be empty. */
static void set_data(const struct sound_source *source, struct sound_layout *layout, uint32_t size, uint32_t riff_size)
{
    uint64_t rest = source->size - layout->offset;
    bool complete = riff_size && (uint64_t)riff_size + 8 >= source->size && riff_size < 0xffffff00;

    layout->size = size;
    if (size > rest || size >= 0xffffff00 || (size == 0 && !complete))
        layout->size = rest;
}

int sound_wav_layout(const struct sound_source *source, struct sound_layout *layout, struct sound_why *why)
{
    uint8_t head[12] = {0}, fmt[FORMAT_BYTES];
    uint64_t at = sizeof head;
    bool known = false;
    uint32_t riff_size;
    ssize_t got = sound_fetch(source, 0, head, sizeof head);

    if (got >= 0 && (got < (ssize_t)sizeof head || memcmp(head, "RIFF", 4) != 0 || memcmp(head + 8, "WAVE", 4) != 0))
        return sound_refuse(why, -EINVAL, "not a WAV file");
    riff_size = le32(head + 4);
    for (unsigned i = 0; got >= 0 && i < CHUNKS_MAX; i++) {
        uint32_t size;

        got = sound_fetch(source, at, head, 8);
        if (got < 8)
            break;
        size = le32(head + 4);
        at += 8;
        if (memcmp(head, "fmt ", 4) == 0) {
            int err;

            got = sound_fetch(source, at, fmt, size < sizeof fmt ? size : sizeof fmt);
            if (got >= 0 && got < 16)
                return sound_refuse(why, -EINVAL, "the WAV file's format is cut off");
            err = got < 0 ? 0 : read_format(fmt, (size_t)got, layout, why);
            if (err)
                return err;
            known = true;
        } else if (memcmp(head, "data", 4) == 0) {
            if (!known)
                return sound_refuse(why, -EINVAL, "the WAV file has sound without a format before it");
            layout->offset = at < source->size ? at : source->size;
            set_data(source, layout, size, riff_size);
            return 0;
        }
        at += (uint64_t)size + (size & 1);
    }
    if (got < 0)
        return sound_refuse(why, (int)got, "cannot be read: %s", strerror((int)-got));
    return sound_refuse(why, -EINVAL, "the WAV file has no sound in it");
}
