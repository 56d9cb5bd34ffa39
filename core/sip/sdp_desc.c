/* From parsed SDP to stream descriptions: payload types get names, directions and addresses find their stream. What no
 * stream description has room for (ICE, BUNDLE …) ends here. Any thread; resolves no names and knows no
 * calls. */
#include <strings.h>

#include "sip/sdp-priv.h"

#define PT_COUNT 128

/* RFC 3551 §6, tables 4 and 5. */
static const struct codec static_codecs[] = {
    {0, "PCMU", 8000, 1, ""},   {3, "GSM", 8000, 1, ""},    {4, "G723", 8000, 1, ""},   {5, "DVI4", 8000, 1, ""},
    {6, "DVI4", 16000, 1, ""},  {7, "LPC", 8000, 1, ""},    {8, "PCMA", 8000, 1, ""},   {9, "G722", 8000, 1, ""},
    {10, "L16", 44100, 2, ""},  {11, "L16", 44100, 1, ""},  {12, "QCELP", 8000, 1, ""}, {13, "CN", 8000, 1, ""},
    {14, "MPA", 90000, 1, ""},  {15, "G728", 8000, 1, ""},  {16, "DVI4", 11025, 1, ""}, {17, "DVI4", 22050, 1, ""},
    {18, "G729", 8000, 1, ""},  {25, "CelB", 90000, 1, ""}, {26, "JPEG", 90000, 1, ""}, {28, "nv", 90000, 1, ""},
    {31, "H261", 90000, 1, ""}, {32, "MPV", 90000, 1, ""},  {33, "MP2T", 90000, 1, ""}, {34, "H263", 90000, 1, ""},
};

/* Where the attributes of one stream say something about it; NULL where they do not. */
struct said {
    const char *rtpmap[PT_COUNT], *fmtp[PT_COUNT]; /* behind the payload type */
    const char *rtcp;
    unsigned ptime, maxptime;
    bool rtcp_mux;
};

static const char *after_blanks(const char *p)
{
    return p + strspn(p, " \t");
}

static enum stream_kind kind_of(const char *media)
{
    static const char *const words[] = {"audio", "video", "text", "image", "application", "message"};

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcasecmp(media, words[i]) == 0)
            return (enum stream_kind)i;
    return STREAM_OTHER;
}

/* The first direction among these attributes, or `otherwise`. */
static enum stream_dir direction(const struct sdp_attribute *attributes, unsigned count, enum stream_dir otherwise)
{
    static const char *const words[] = {"inactive", "sendonly", "recvonly", "sendrecv"}; /* as enum stream_dir */

    for (unsigned i = 0; i < count; i++)
        for (size_t dir = 0; dir < COUNT_OF(words); dir++)
            if (strcasecmp(attributes[i].name, words[dir]) == 0)
                return (enum stream_dir)dir;
    return otherwise;
}

/* "8 PCMA/8000": the first line about a payload type counts. */
static void note_pt(const char *table[PT_COUNT], const char *value)
{
    uint64_t pt;

    if (sdp_number(&value, " \t", PT_COUNT - 1, &pt) && !table[pt])
        table[pt] = after_blanks(value);
}

/* Packet time in ms; 0 for what makes no sense. RFC 8866 allows fractions, which are cut. */
static unsigned milliseconds(const char *value)
{
    uint64_t ms;

    return sdp_number(&value, " \t.", 1000, &ms) ? (unsigned)ms : 0;
}

static void note_attributes(struct said *said, const struct sdp_attribute *attributes, unsigned count)
{
    for (const struct sdp_attribute *a = attributes; a < attributes + count; a++) {
        if (strcasecmp(a->name, "rtcp-mux") == 0)
            said->rtcp_mux = true;
        if (!a->value)
            continue;
        if (strcasecmp(a->name, "rtpmap") == 0)
            note_pt(said->rtpmap, a->value);
        else if (strcasecmp(a->name, "fmtp") == 0)
            note_pt(said->fmtp, a->value);
        else if (strcasecmp(a->name, "rtcp") == 0)
            said->rtcp = a->value;
        else if (strcasecmp(a->name, "ptime") == 0)
            said->ptime = milliseconds(a->value);
        else if (strcasecmp(a->name, "maxptime") == 0)
            said->maxptime = milliseconds(a->value);
    }
}

/* Names that some phones get wrong, put right: unlike names of one encoding would find no match on the other leg. */
static void forgive(struct codec *codec)
{
    if (strcasecmp(codec->name, "G722") == 0 && codec->rate == 16000)
        codec->rate = 8000; /* it samples at 16 kHz, but its RTP clock is 8 kHz (RFC 3551 §4.5.2) */
    else if (strcasecmp(codec->name, "opus") == 0)
        codec->channels = 2; /* always, mono too (RFC 7587 §7) */
    else if (strcasecmp(codec->name, "G729a") == 0 || strcasecmp(codec->name, "G729ab") == 0)
        str_copy(codec->name, sizeof codec->name, "G729"); /* the annexes share one encoding name (RFC 3551 §4.5.6) */
}

/* "opus/48000/2". A missing rate is taken as 8000: some phones forget it for telephone-event. */
static bool codec_from_rtpmap(const char *text, struct codec *out)
{
    size_t len = strcspn(text, "/ \t");
    uint64_t rate = 8000, channels = 1;

    if (!sdp_is_token(text, len) || str_copy_n(out->name, sizeof out->name, text, len) < 0)
        return false;
    text += len;
    if (*text == '/' && (text++, !sdp_number(&text, "/ \t", UINT32_MAX, &rate)))
        return false;
    if (*text == '/' && (text++, !sdp_number(&text, "/ \t", UINT8_MAX, &channels)))
        return false;
    if (!rate || !channels)
        return false;
    out->rate = (uint32_t)rate;
    out->channels = (uint8_t)channels;
    forgive(out);
    return true;
}

static bool codec_from_pt(unsigned pt, struct codec *out)
{
    for (size_t i = 0; i < COUNT_OF(static_codecs); i++) {
        if (static_codecs[i].pt == pt) {
            *out = static_codecs[i];
            return true;
        }
    }
    return false;
}

/* Parameters that do not fit are left out whole, never cut in the middle; unprintable ones are left out altogether. */
static void copy_fmtp(char *out, size_t size, const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x20 || text[i] >= 0x7F)
            return;
    if (len >= size)
        for (len = size - 1; len && text[len] != ';'; len--)
            ;
    while (len && strchr(" ;", text[len - 1]))
        len--;
    str_copy_n(out, size, text, len);
}

/* The codecs in the order of the m-line. A payload type without a name, static or said, is of no use to anybody. */
static void take_codecs(struct stream_desc *stream, const struct said *said, const char *formats)
{
    struct codec codecs[MEDIA_CODECS_MAX];
    bool seen[PT_COUNT] = {false};
    unsigned count = 0;
    uint64_t pt;

    for (; count < MEDIA_CODECS_MAX && sdp_number(&formats, " ", PT_COUNT - 1, &pt); formats = after_blanks(formats)) {
        struct codec *codec = &codecs[count];

        if (seen[pt])
            continue;
        seen[pt] = true;
        memset(codec, 0, sizeof *codec);
        if (!(said->rtpmap[pt] && codec_from_rtpmap(said->rtpmap[pt], codec)) && !codec_from_pt((unsigned)pt, codec))
            continue;
        codec->pt = (uint8_t)pt;
        if (said->fmtp[pt])
            copy_fmtp(codec->fmtp, sizeof codec->fmtp, said->fmtp[pt]);
        count++;
    }
    desc_set_codecs(stream, codecs, count);
}

/* The formats that are proper tokens and fit whole: this list may go out again in an answer. */
static void copy_formats(char *out, size_t size, const char *formats)
{
    size_t used = 0;

    for (size_t len; *formats; formats += len + (formats[len] == ' ')) {
        len = strcspn(formats, " ");
        if (!sdp_is_token(formats, len))
            continue;
        if (used + (used > 0) + len >= size)
            break;
        str_append(out, size, &used, "%s%.*s", used ? " " : "", (int)len, formats);
    }
}

/* One key a suite, as long as each has a tag of its own: the first of them. */
static void take_crypto(struct stream_desc *stream, const struct sdp_attribute *attributes, unsigned count)
{
    struct crypto found[SUITE_COUNT];
    unsigned kept = 0;

    for (const struct sdp_attribute *a = attributes; a < attributes + count && kept < COUNT_OF(found); a++) {
        const char *fault;
        bool known = false;

        if (!a->value || strcasecmp(a->name, "crypto") != 0)
            continue;
        fault = sdp_crypto_read(a->value, &found[kept]);
        for (unsigned i = 0; i < kept && !fault; i++)
            known |= found[i].tag == found[kept].tag || found[i].key.suite == found[kept].key.suite;
        if (fault && !stream->crypto_fault)
            stream->crypto_fault = fault;
        kept += !fault && !known;
    }
    desc_set_crypto(stream, found, kept);
    explicit_bzero(found, sizeof found);
}

static void take_dtls(struct stream_desc *stream, const struct sdp *sdp, const struct sdp_media *media)
{
    const char *fault = sdp_dtls_read(sdp, media, &stream->dtls);

    if (fault && !stream->crypto_fault)
        stream->crypto_fault = fault;
}

static bool is_multicast(const union addr *a)
{
    if (a->sa.sa_family == AF_INET6)
        return IN6_IS_ADDR_MULTICAST(&a->in6.sin6_addr);
    return IN_MULTICAST(ntohl(a->in.sin_addr.s_addr)) || a->in.sin_addr.s_addr == htonl(INADDR_BROADCAST);
}

/* A literal address; a multicast TTL ("/127") behind it is dropped. Returns 0 or -EINVAL. */
static int literal(const char *text, uint16_t port, union addr *out)
{
    char ip[ADDR_TEXT];

    if (str_copy_n(ip, sizeof ip, text, strcspn(text, "/ \t")) < 0)
        return -EINVAL;
    return addr_parse_ip(ip, port, out);
}

/* "53020" or "53020 IN IP4 192.0.2.1" (RFC 3605); otherwise the port above RTP (RFC 3550 §11). */
static void take_rtcp(struct stream_desc *stream, const char *said)
{
    uint16_t port = addr_port(&stream->rtp);
    union addr other;
    uint64_t number;

    if (said && sdp_number(&said, " \t", 65535, &number) && number) {
        const char *address = strrchr(said, ' ');

        stream->rtcp = stream->rtp;
        if (address && literal(address + 1, 0, &other) == 0 && !is_multicast(&other) && !addr_is_any(&other))
            stream->rtcp = other;
        addr_set_port(&stream->rtcp, (uint16_t)number);
    } else if (port < 65535) {
        stream->rtcp = stream->rtp;
        addr_set_port(&stream->rtcp, (uint16_t)(port + 1));
    }
}

static int take_stream(const struct sdp *sdp, const struct sdp_media *media, struct stream_desc *stream, char *why,
                       size_t why_size)
{
    const char *address = media->connection ? media->connection : sdp->connection;
    unsigned number = (unsigned)(media - sdp->media) + 1;
    struct said said = {.rtcp = NULL};

    stream->kind = kind_of(media->media);
    str_copy(stream->media, sizeof stream->media, media->media);
    str_copy(stream->proto, sizeof stream->proto, media->proto);
    copy_formats(stream->formats, sizeof stream->formats, media->formats);
    stream->refused = media->port == 0;
    if (stream->refused) /* nothing else about it means anything (RFC 3264 §6) */
        return 0;

    if (!address)
        return sdp_fault(-EINVAL, why, why_size, "stream %u (%s) has no address: there is no c= line for it", number,
                         media->media);
    if (literal(address, (uint16_t)media->port, &stream->rtp) < 0)
        return sdp_fault(-EINVAL, why, why_size,
                         "stream %u (%s): \"%.60s\" is not an IP address, and names are not looked up", number,
                         media->media, address);
    if (is_multicast(&stream->rtp))
        return sdp_fault(-EINVAL, why, why_size, "stream %u (%s): media cannot be sent to the multicast address %.60s",
                         number, media->media, address);

    stream->dir = direction(media->attributes, media->attribute_count,
                            direction(sdp->attributes, sdp->attribute_count, DIR_SENDRECV));
    if (addr_is_any(&stream->rtp))
        stream->dir &= DIR_SEND;
    if (sdp_proto_is_rtp(media->proto)) {
        note_attributes(&said, media->attributes, media->attribute_count);
        take_codecs(stream, &said, media->formats);
        take_rtcp(stream, said.rtcp);
        take_crypto(stream, media->attributes, media->attribute_count);
        take_dtls(stream, sdp, media);
        stream->rtcp_mux = said.rtcp_mux;
        stream->ptime = said.maxptime && said.ptime > said.maxptime ? said.maxptime : said.ptime;
    }
    return 0;
}

int sdp_to_desc(const struct sdp *sdp, struct media_desc **out, char *why, size_t why_size)
{
    struct media_desc *desc;

    *out = NULL;
    if (sdp->media_count > MEDIA_STREAMS_MAX)
        return sdp_fault(-EINVAL, why, why_size, "there are %u media streams; at most %d can be used", sdp->media_count,
                         MEDIA_STREAMS_MAX);
    desc = desc_new(sdp->media_count);
    for (unsigned i = 0; i < desc->count; i++) {
        int result = take_stream(sdp, &sdp->media[i], &desc->streams[i], why, why_size);

        if (result < 0) {
            desc_free(desc);
            return result;
        }
    }
    *out = desc;
    return 0;
}
