/* What the SDP tests share: reading that must work or must be refused in words, and results as text. */
#ifndef TESTS_SDP_HELP_H
#define TESTS_SDP_HELP_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "sip/sdp.h"

#define HEAD "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
#define AUDIO HEAD "m=audio 4000 RTP/AVP 0\r\n"

static char why[200];

static inline struct sdp *read_ok(const char *text)
{
    struct sdp *sdp = NULL;
    int result = sdp_read(text, strlen(text), &sdp, why, sizeof why);

    ck_assert_msg(result == 0, "refused: %s", why);
    return sdp;
}

static inline void refused(const char *text, int code, const char *words)
{
    struct sdp *sdp = NULL;

    ck_assert_int_eq(sdp_read(text, strlen(text), &sdp, why, sizeof why), code);
    ck_assert_ptr_null(sdp);
    ck_assert_msg(strstr(why, words) != NULL, "\"%s\" is not in: %s", words, why);
}

static inline struct media_desc *desc_ok(const char *text)
{
    struct sdp *sdp = read_ok(text);
    struct media_desc *desc = NULL;
    int result = sdp_to_desc(sdp, &desc, why, sizeof why);

    ck_assert_msg(result == 0, "refused: %s", why);
    sdp_free(sdp);
    return desc;
}

static inline void desc_refused(const char *text, const char *words)
{
    struct sdp *sdp = read_ok(text);
    struct media_desc *desc = NULL;

    ck_assert_int_eq(sdp_to_desc(sdp, &desc, why, sizeof why), -EINVAL);
    ck_assert_ptr_null(desc);
    ck_assert_msg(strstr(why, words) != NULL, "\"%s\" is not in: %s", words, why);
    sdp_free(sdp);
}

static char *load(const char *name)
{
    const char *top = getenv("TANDEM_SRC");
    static char text[SDP_TEXT_MAX + 2];
    char path[4096];
    FILE *file;
    size_t len;

    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/sdp/%s.sdp", top ? top : ".", name);
    file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "cannot open %s", path);
    len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    return text;
}

static inline void addr_is(const union addr *a, const char *expected)
{
    char text[ADDR_TEXT];

    ck_assert_str_eq(addr_text(a, text), expected);
}

/* The codecs as "pt name/rate/channels fmtp|…": one string to compare. */
static inline const char *codecs_text(const struct stream_desc *stream)
{
    static char text[4096];
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < stream->codec_count; i++) {
        const struct codec *c = &stream->codecs[i];

        str_append(text, sizeof text, &used, "%s%u %s/%u/%u%s%s", i ? "|" : "", c->pt, c->name, (unsigned)c->rate,
                   c->channels, c->fmtp[0] ? " " : "", c->fmtp);
    }
    return text;
}

static inline const struct stream_desc *audio_of(const char *text)
{
    static struct media_desc *desc;

    desc_free(desc);
    desc = text ? desc_ok(text) : NULL;
    return desc ? &desc->streams[0] : NULL;
}

#endif
