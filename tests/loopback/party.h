/* Three phones and the switch with the modules transfer and screen: 201 (a) talks to 202 (b), and 203 (c) is there. */
#ifndef LOOPBACK_PARTY_H
#define LOOPBACK_PARTY_H

#include "bed.h"
#include "wire.h"

struct party {
    struct bed *bed;
    struct ua *a, *b, *c;
    struct message to_a, to_b, to_c; /* what the switch said last about its media */
};

/* extra: lines in what a and b say when the call begins; NULL: none. */
struct party party_open(const char *dialplan, const char *extra);
/* Nobody talks yet. */
struct party party_bed(const char *dialplan);
void party_talk(struct party *p, const char *extra);
void party_close(struct party *p);

/* Each hears the other's packets: not at once, where a prompt is heard beside them. */
void party_hear(struct ua *x, const struct message *to_x, struct ua *y, const struct message *to_y);
/* Is called, rings and answers. */
void party_answers(struct ua *ua, struct message *to);
/* Its BYE comes. */
void party_let_go(struct ua *ua);
/* x hangs up, y hears of it, and nothing is left. */
void party_ends(struct party *p, struct ua *x, struct ua *y);
/* REFER in the dialog of its last verbs; "203", or with a dialog that is to be replaced (line NULL: none). news:
 * NOTIFYs follow. The status. */
int party_refer(struct ua *by, const char *target, const struct ua *line, bool news);

#endif
