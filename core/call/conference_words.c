/* What a member of a conference hears from the switch, and what his keys do. Signalling thread. Knows no media but by
 * play.h. */
#include <stdio.h>

#include "call/call-priv.h"
#include "call/conference.h"
#include "call/play.h"

#define NUMBER_MAX 20 /* so far each number is one prompt in every language */

/* --- words -------------------------------------------------------------------------------------------------------- */

/* Words are over; music may go on. */
static void said(void *arg, const struct play_result *result)
{
    leg_music_update(arg);
}

static void say(struct conference_member *member, const char *const *names, unsigned count)
{
    struct play_item items[3];
    struct play_request request = {.items = items, .count = count, .loops = 1};

    if (member->play)
        leg_play_stop(member->play);
    for (unsigned i = 0; i < count; i++)
        items[i] = (struct play_item){.what = PLAY_FILE, .name = names[i]};
    if (leg_play(member->leg, &request, said, member->leg, &member->play) < 0)
        member->play = NULL; /* it is on its way out: nothing is to be said any more */
    leg_music_update(member->leg);
}

void conference_say(struct conference_member *member, const char *name)
{
    say(member, &name, 1);
}

/* How many others there are. */
static void say_others(struct conference_member *member)
{
    unsigned others = member->conference->count - 1;
    char number[32];

    if (member->waits) {
        conference_say(member, "conference/wait-for-leader");
    } else if (others < 2) {
        conference_say(member, others ? "conference/one-other" : "conference/only-person");
    } else if (others <= NUMBER_MAX) {
        snprintf(number, sizeof number, "number/%u", others);
        say(member, (const char *const[]){"conference/there-are", number, "conference/others"}, 3);
    }
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static void put_out_last(struct conference_member *by)
{
    struct list *last = by->conference->members.prev;
    struct conference_member *member = LIST_ENTRY(last, struct conference_member, node);

    if (member != by)
        conference_kick(member, by->leg->number);
}

static bool star_key(struct conference_member *member, char key)
{
    struct conference *conference = member->conference;

    switch (key) {
    case '1':
        if (member->silenced && !member->moderator)
            return false;
        conference_mute(member, !member->muted, member->leg->number);
        return true;
    case '2':
        if (!member->moderator)
            return false;
        conference_lock(conference, !conference->locked, member->leg->number);
        conference_say(member, conference->locked ? "conference/locked" : "conference/unlocked");
        return true;
    case '3':
        if (member->moderator)
            put_out_last(member);
        return member->moderator;
    case '0':
        conference_leave(member->leg, CONFERENCE_LEFT);
        return true;
    }
    return false;
}

bool conference_key(struct leg *leg, char key)
{
    struct conference_member *member = leg->conference;
    bool star;

    if (!member || member->conference->page)
        return false;
    star = member->star;
    member->star = key == '*';
    return member->star || (star && star_key(member, key));
}

/* What is typed when he is out already is for whoever asks next. */
static void typed(void *arg, struct leg *leg)
{
    char key;
    uint64_t ms;

    while (leg->conference && keys_take(&leg->typed, &key, &ms))
        conference_key(leg, key);
}

/* --- coming and going --------------------------------------------------------------------------------------------- */

void conference_attend(struct conference_member *member)
{
    keys_clear(&member->leg->typed);
    leg_watch_keys(member->leg, typed, NULL);
    if (member->tones && !member->conference->page)
        say_others(member);
}

void conference_forsake(struct conference_member *member)
{
    leg_watch_keys(member->leg, NULL, NULL);
    if (member->play)
        leg_play_stop(member->play);
}
