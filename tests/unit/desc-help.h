/* What the tests of offer and answer share: descriptions from SDP, and as text. */
#ifndef TESTS_DESC_HELP_H
#define TESTS_DESC_HELP_H

#include <check.h>

#include "sip/sdp.h"

/* A description from m-lines and attributes; addresses do not matter here. */
static inline struct media_desc *desc_of(const char *streams)
{
    char text[4096], why[200] = "";
    size_t used = 0;
    struct sdp *sdp;
    struct media_desc *desc = NULL;

    str_append(text, sizeof text, &used, "v=0\no=- 1 1 IN IP4 192.0.2.1\nc=IN IP4 192.0.2.1\n%s", streams);
    ck_assert_msg(sdp_read(text, used, &sdp, why, sizeof why) == 0, "%s", why);
    ck_assert_msg(sdp_to_desc(sdp, &desc, why, sizeof why) == 0, "%s", why);
    sdp_free(sdp);
    return desc;
}

/* "audio RTP/AVP sendrecv 20: 0 PCMU/8000, …; video RTP/AVP refused: 99": the whole result as one line. */
static inline const char *text_of(const struct media_desc *desc)
{
    static const char *const dirs[] = {"inactive", "sendonly", "recvonly", "sendrecv"};
    static char text[2048];
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < desc->count; i++) {
        const struct stream_desc *s = &desc->streams[i];

        str_append(text, sizeof text, &used, "%s%s %s %s", i ? "; " : "", s->media, s->proto,
                   s->refused ? "refused" : dirs[s->dir]);
        if (s->ptime)
            str_append(text, sizeof text, &used, " %u", s->ptime);
        str_append(text, sizeof text, &used, ":%s%s", s->refused ? " " : "", s->refused ? s->formats : "");
        for (unsigned k = 0; k < s->codec_count; k++)
            str_append(text, sizeof text, &used, "%s %u %s/%u%s%s", k ? "," : "", s->codecs[k].pt, s->codecs[k].name,
                       (unsigned)s->codecs[k].rate, s->codecs[k].fmtp[0] ? " " : "", s->codecs[k].fmtp);
        ck_assert(!addr_is_set(&s->rtp));
        ck_assert(!s->rtcp_mux);
    }
    return text;
}

#endif
