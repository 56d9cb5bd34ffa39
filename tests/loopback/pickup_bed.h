/* What the tests of pickup and parking share: a dialplan with their codes, and phones that do the usual. */
#ifndef LOOPBACK_PICKUP_BED_H
#define LOOPBACK_PICKUP_BED_H

#include <sys/socket.h>

#include "bed.h"
#include "wire.h"

static const char pickup_dialplan[] =
    "extension('internal', '*8', function(call) call:pickup() end)\n"
    "extension('internal', '_*8X!', function(call) call:pickup(call.extension:sub(3)) end)\n"
    "extension('internal', '*7', function(call) call:park() end)\n"
    "extension('internal', '_*7X!', function(call) call:park(call.extension:sub(3)) end)\n"
    "extension('internal', 'hotline', function(call)\n"
    "  call:park{ caller = true, slot = 5, recall = '202' }\n"
    "end)\n"
    "extension('internal', 'outside', function(call) call:dial{ to = 'number:internal//204' } end)\n"
    "extension('internal', '_.', function(call) call:dial{ to = call.extension } end)\n"
    "extension('guests', '*8', function(call) call:pickup() end)\n"
    "extension('guests', '_*8X!', function(call) call:pickup(call.extension:sub(3)) end)\n"
    "extension('guests', '_*7X!', function(call) call:park(call.extension:sub(3)) end)\n";

static const char pickup_modules[] = "[module transfer]\n[module pickup]\n[module park]\n";

/* from dials to, whose phone rings; our tag of the caller's dialog is in tag, when that is wanted. */
static inline struct message rings_at(struct ua *from, struct ua *to, char tag[128])
{
    struct message invite, ringing;
    char value[300];

    ua_invite(from, to->user, NULL);
    invite = *must(ua_wait(to, "INVITE"));
    ua_reply(to, &invite, 180, "Ringing", NULL);
    ringing = *must(ua_wait(from, "180"));
    if (tag)
        str_copy(tag, 128, strstr(message_header(&ringing, "To", value, sizeof value), ";tag=") + strlen(";tag="));
    return invite;
}

/* Dials this and is connected: what the switch said about its media. */
static inline struct message gets_through(struct ua *ua, const char *number)
{
    struct message ok;

    ua_invite(ua, number, NULL);
    ok = *must(ua_wait(ua, "200"));
    ua_ack(ua, &ok);
    return ok;
}

/* The switch takes back its INVITE, and says that another phone has the call. */
static inline void stops_ringing(struct ua *ua)
{
    struct message cancel = *must(ua_wait(ua, "CANCEL"));
    char reason[200];

    message_header(&cancel, "Reason", reason, sizeof reason);
    ck_assert_msg(strstr(reason, "SIP") && strstr(reason, "cause=200"), "%s", cancel.text);
    ua_reply(ua, &cancel, 200, "OK", NULL);
    ua_reply(ua, &ua->invite, 487, "Request Terminated", NULL);
    must(ua_wait(ua, "ACK"));
}

/* What has come so far. */
static inline void hear(struct ua *ua)
{
    unsigned char packet[2048];

    while (recv(ua->rtp_fd, packet, sizeof packet, MSG_DONTWAIT) > 12)
        ua->last_payload = packet[12];
}

/* What is said before the two are connected is lost: they talk until each has heard the other. */
static inline void hear_each_other(struct ua *x, const struct message *to_x, struct ua *y, const struct message *to_y)
{
    x->last_payload = y->last_payload = 0;
    for (uint64_t until = now_ms() + UA_WAIT_MS;
         now_ms() < until && (x->last_payload != 0x32 || y->last_payload != 0x31);) {
        ua_talk(x, message_body(to_x), 2, 0x31);
        ua_talk(y, message_body(to_y), 2, 0x32);
        loop_turn(x->loop, 5);
        hear(x);
        hear(y);
    }
    ck_assert_uint_eq(x->last_payload, 0x32);
    ck_assert_uint_eq(y->last_payload, 0x31);
}

/* x hangs up, y hears of it. */
static inline void hangs_up(struct ua *x, struct ua *y)
{
    ua_bye(x);
    ua_reply(y, must(ua_wait(y, "BYE")), 200, "OK", NULL);
}

#endif
