/* Wrong PINs: for whoever has typed many for one room, none is right any more for a while. Callers from outside can
 * call themselves anything, so all of them count as one. Signalling thread. */
#include <stdlib.h>

#include "base/log.h"
#include "call/call-priv.h"
#include "call/conference.h"

#define FORGET_US UINT64_C(3600000000) /* after the first of them */

struct guesser {
    struct list node; /* pbx->guessers */
    char room[64], account[64];
    unsigned wrong;
    uint64_t since_us;
};

static struct guesser *find(const struct leg *leg, const char *room)
{
    const char *account = leg->account ? leg->account->name : "";
    struct guesser *guesser, *next, *found = NULL;

    LIST_FOR_EACH_SAFE(guesser, next, &leg->pbx->guessers, node)
    {
        if (loop_now_us(leg->pbx->loop) - guesser->since_us >= FORGET_US) {
            list_unlink(&guesser->node);
            free(guesser);
        } else if (strcmp(guesser->room, room) == 0 && strcmp(guesser->account, account) == 0) {
            found = guesser;
        }
    }
    return found;
}

bool conference_may_guess(const struct leg *leg, const char *room)
{
    const struct guesser *guesser = find(leg, room);

    return !guesser || guesser->wrong < CONFERENCE_GUESSES_MAX;
}

void conference_guessed(const struct leg *leg, const char *room)
{
    struct guesser *guesser = find(leg, room);

    if (!guesser) {
        guesser = mem_new(sizeof *guesser);
        str_copy(guesser->room, sizeof guesser->room, room);
        str_copy(guesser->account, sizeof guesser->account, leg->account ? leg->account->name : NULL);
        guesser->since_us = loop_now_us(leg->pbx->loop);
        list_append(&leg->pbx->guessers, &guesser->node);
    }
    if (++guesser->wrong == CONFERENCE_GUESSES_MAX)
        log_warn("conference %s: %s has typed %u wrong PINs within an hour; none is taken from there any more until it "
                 "is over",
                 room, guesser->account[0] ? guesser->account : "somebody from outside", guesser->wrong);
}

void conference_guesses_free(struct pbx *pbx)
{
    struct guesser *guesser, *next;

    LIST_FOR_EACH_SAFE(guesser, next, &pbx->guessers, node)
    free(guesser);
    list_init(&pbx->guessers);
}
