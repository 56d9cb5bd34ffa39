/* What tests of crossing messages have in common: headers, forks that one phone plays, and silence. */
#ifndef LOOPBACK_FORKS_H
#define LOOPBACK_FORKS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bed.h"

static inline const char *value(const struct message *m, const char *name)
{
    static char text[8][300];
    static unsigned turn;

    turn = (turn + 1) % COUNT_OF(text);
    return message_header(m, name, text[turn], sizeof text[turn]);
}

static inline bool says(const struct message *m, const char *name, const char *what)
{
    return strstr(value(m, name), what) != NULL;
}

/* Answers as the fork of this tag. */
static inline void reply_as(struct ua *ua, const char *tag, const struct message *request, int status,
                            const char *phrase, const char *sdp)
{
    str_copy(ua->local_tag, sizeof ua->local_tag, tag);
    ua_reply(ua, request, status, phrase, sdp);
}

static inline void reply_reliably(struct ua *ua, const char *tag, const struct message *request, int status,
                                  unsigned rseq, const char *sdp)
{
    char extra[64];

    snprintf(extra, sizeof extra, "Require: 100rel\r\nRSeq: %u\r\n", rseq);
    ua->extra = extra;
    reply_as(ua, tag, request, status, "Progress", sdp);
    ua->extra = NULL;
}

static inline void hang_up(struct bed *bed, struct ua *from, struct ua *to)
{
    ua_bye(from);
    ua_reply(to, must(ua_wait(to, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 0);
}

static inline void expect_silence(struct bed *bed, struct ua *ua, const char *method)
{
    ck_assert_ptr_null(ua_wait_ms(ua, method, 100));
}

static inline void expect_nothing(struct ua *ua)
{
    ck_assert_ptr_null(ua_wait_ms(ua, "699", 50));
    ck_assert_msg(ua->in_count == 0, "something came: %.200s", ua->in[0].text);
}

/* A 3xx with these lines. */
static inline void redirect(struct ua *ua, const struct message *invite, int status, const char *lines)
{
    ua->no_contact = true;
    ua->extra = lines;
    ua_reply(ua, invite, status, "Elsewhere", NULL);
    ua->extra = NULL;
    ua->no_contact = false;
    must(ua_wait(ua, "ACK"));
}

#endif
