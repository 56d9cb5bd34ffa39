/* See party.h. */
#include "party.h"

#include <stdio.h>
#include <sys/socket.h>

struct party party_bed(const char *dialplan)
{
    struct party p = {.bed = bed_open("[module transfer]\n[module screen]\n", dialplan)};

    p.a = bed_registered(p.bed, "201");
    p.b = bed_registered(p.bed, "202");
    p.c = bed_registered(p.bed, "203");
    return p;
}

void party_talk(struct party *p, const char *extra)
{
    p->a->extra = p->b->extra = extra;
    ua_invite(p->a, "202", NULL);
    p->to_b = *must(ua_wait(p->b, "INVITE"));
    ua_reply(p->b, &p->to_b, 200, "OK", NULL);
    must(ua_wait(p->b, "ACK"));
    p->to_a = *must(ua_wait(p->a, "200"));
    ua_ack(p->a, &p->to_a);
    p->a->extra = p->b->extra = NULL;
}

struct party party_open(const char *dialplan, const char *extra)
{
    struct party p = party_bed(dialplan);

    party_talk(&p, extra);
    return p;
}

void party_close(struct party *p)
{
    ua_close(p->a);
    ua_close(p->b);
    ua_close(p->c);
    bed_close(p->bed);
}

/* What has come so far. */
static void hear(struct ua *ua)
{
    unsigned char packet[2048];

    while (recv(ua->rtp_fd, packet, sizeof packet, 0) > 12)
        ua->last_payload = packet[12];
}

void party_hear(struct ua *x, const struct message *to_x, struct ua *y, const struct message *to_y)
{
    static unsigned char mark = 0x30;
    unsigned char mine = ++mark, theirs = ++mark;

    for (uint64_t until = now_ms() + UA_WAIT_MS;
         now_ms() < until && (x->last_payload != theirs || y->last_payload != mine);) {
        ua_talk(x, message_body(to_x), 2, mine);
        ua_talk(y, message_body(to_y), 2, theirs);
        hear(x);
        hear(y);
    }
    ck_assert_uint_eq(x->last_payload, theirs);
    ck_assert_uint_eq(y->last_payload, mine);
}

void party_answers(struct ua *ua, struct message *to)
{
    *to = *must(ua_wait(ua, "INVITE"));
    ua_reply(ua, to, 180, "Ringing", NULL);
    ua_reply(ua, &ua->invite, 200, "OK", NULL);
    must(ua_wait(ua, "ACK"));
}

void party_let_go(struct ua *ua)
{
    ua_reply(ua, must(ua_wait(ua, "BYE")), 200, "OK", NULL);
}

void party_ends(struct party *p, struct ua *x, struct ua *y)
{
    ua_bye(x);
    party_let_go(y);
    bed_until(p->bed, p->bed->calls_ended == 1);
    ck_assert_str_eq(p->bed->last_cause, "normal");
}

int party_refer(struct ua *by, const char *target, const struct ua *line, bool news)
{
    char headers[800], replaces[600] = "";

    if (line)
        snprintf(replaces, sizeof replaces, "?Replaces=%s%%3Bto-tag%%3D%s%%3Bfrom-tag%%3D%s", line->call_id,
                 line->remote_tag, line->local_tag);
    snprintf(headers, sizeof headers, "Refer-To: <sip:%s@tandem%s>\r\n%s", target, replaces,
             news ? "" : "Refer-Sub: false\r\n");
    return wire_status(by, &(struct ask){.method = "REFER", .in_dialog = true, .headers = headers});
}
