/* Robots for floods of damaged messages: they send from many addresses over UDP and TCP, whole or damaged, prove
 * themselves with a digest that is right for the damaged message, and stand at the other end of the calls that come of
 * it, where they answer, mostly well. Test code. */
#ifndef LOOPBACK_ROBOT_H
#define LOOPBACK_ROBOT_H

#include "bed.h"
#include "mutate.h"

#define ROBOT_SOURCES 64 /* addresses of our own, 127.9.0.1 and up: the edge counts by source */
#define ROBOT_STREAMS 4  /* connections at a time */
#define ROBOT_DIALOGS 48 /* that are remembered */
#define ROBOT_ROOM 20000 /* of a message */
#define ROBOT_TEXT (ROBOT_ROOM + 2000)

/* One side of a dialog with the switch. */
struct robot_side {
    char call_id[300], from[600], to[600], target[400];
    unsigned cseq;
};

struct robot {
    struct bed *bed;
    struct dice dice;
    int fd;
    uint16_t port;
    int streams[ROBOT_STREAMS];
    unsigned uses[ROBOT_STREAMS];
    char nonces[ROBOT_SOURCES][80];
    unsigned nc;
    struct robot_side dialogs[ROBOT_DIALOGS];
    unsigned dialog_count, dialog_next;
    uint64_t sent, replies, dialogs_total;
    bool calm; /* nothing is damaged any more */
};

struct robot *robot_open(struct bed *bed, uint64_t seed) MUST_USE;
void robot_close(struct robot *r);
/* Turns the loop and answers what has come. */
void robot_turn(struct robot *r);
/* A phone of this account is at this source. */
void robot_register(struct robot *r, unsigned source, const char *user);

/* robot_send.c */
/* Puts in {ME}, {ID}, {LONG}, {AUTH} (nothing) and {LEN}; \n becomes \r\n. out has ROBOT_TEXT bytes. Returns the
 * length. */
size_t robot_expand(struct robot *r, unsigned source, const char *template, char *out);
/* A request in this dialog, `rest` behind the headers that each has. As above. */
size_t robot_inside(struct robot *r, unsigned source, struct robot_side *side, const char *method, const char *rest,
                    char *out);
/* Sends it over UDP, or now and then over TCP, whole or damaged. */
void robot_send(struct robot *r, unsigned source, char *text, size_t len, unsigned damage_percent);
/* A line with a digest of this account that is right for the method as it stands there now, behind the first line.
 * Returns the new length. */
size_t robot_sign(struct robot *r, unsigned source, const char *user, char *text, size_t len, size_t room);
/* "127.9.0.1:5060" of a source. */
const char *robot_source_text(const struct robot *r, unsigned source, char out[32]);
void robot_break_off(struct robot *r, unsigned stream);
/* Prints where the dice began and writes the last messages that were sent to a file. */
void robot_tell(uint64_t seed);

#endif
