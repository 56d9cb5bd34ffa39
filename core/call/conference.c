/* Who is in which room, and what may be done there. Signalling thread. The media process mixes; whoever brought the leg
 * (a script) is told when it is out. What members hear from the switch and type is
 * in conference_words.c. */
#include "call/conference.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"

/* --- terms -------------------------------------------------------------------------------------------------------- */

bool conference_name_ok(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789", more[] = "._-";
    size_t len = strlen(name);

    if (!len || len > 63 || !strchr(letters, name[0]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!strchr(letters, name[i]) && !strchr(more, name[i]))
            return false;
    return true;
}

bool conference_pin_ok(const char *pin)
{
    return strlen(pin) <= CONFERENCE_PIN_MAX && strspn(pin, "0123456789") == strlen(pin);
}

void conference_terms(const struct pbx *pbx, const char *name, struct conference_terms *out)
{
    const struct snapshot *snapshot = pbx->db ? db_snapshot(pbx->db) : NULL;
    const struct room *room = snapshot ? snapshot_room(snapshot, name) : NULL;

    *out = (struct conference_terms){.tones = true};
    if (!room)
        return;
    str_copy(out->pin, sizeof out->pin, room->pin);
    str_copy(out->moderator_pin, sizeof out->moderator_pin, room->moderator_pin);
    out->max = room->max_members;
    out->tones = room->join_tones;
    out->wait = room->wait_for_moderator;
    out->locked = room->locked;
}

bool conference_asks(const struct conference_terms *terms)
{
    return *terms->pin || *terms->moderator_pin;
}

enum conference_pin conference_pin(const struct conference_terms *terms, const char *digits)
{
    if (*terms->moderator_pin && strcmp(terms->moderator_pin, digits) == 0)
        return CONFERENCE_PIN_MODERATOR;
    return !*terms->pin || strcmp(terms->pin, digits) == 0 ? CONFERENCE_PIN_MEMBER : CONFERENCE_PIN_WRONG;
}

/* --- looking up --------------------------------------------------------------------------------------------------- */

struct conference *conference_find(const struct pbx *pbx, const char *name)
{
    struct conference *conference;

    LIST_FOR_EACH(conference, &pbx->conferences, node)
    if (strcmp(conference->name, name) == 0)
        return conference;
    return NULL;
}

struct conference_member *conference_member(const struct conference *conference, const char *text)
{
    struct conference_member *member;
    uint64_t number;

    if (str_to_u64(text, UINT32_MAX, &number) == 0)
        LIST_FOR_EACH(member, &conference->members, node)
    if (member->number == number)
        return member;
    LIST_FOR_EACH(member, &conference->members, node)
    if (strcmp(member->leg->number, text) == 0)
        return member;
    return NULL;
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

static void publish(struct conference_member *member, enum event_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void publish(struct conference_member *member, enum event_kind kind, const char *fmt, ...)
{
    char words[200], what[120];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    snprintf(words, sizeof words, "conference %s: %s", member->conference->name, what);
    leg_publish(member->leg, kind, words);
}

static void tell_media(struct conference_member *member)
{
    struct media_port *port = leg_audio_port(member->leg);
    /* What a phone plays while it holds is for nobody. */
    bool quiet = member->muted || member->waits || member->leg->held;

    if (port)
        media_mix(port, member->conference->room,
                  (quiet ? MEDIA_MIX_MUTED : 0u) | (member->waits ? MEDIA_MIX_DEAF : 0u) |
                      (member->tones ? MEDIA_MIX_TONES : 0u));
}

bool conference_waits(const struct leg *leg)
{
    const struct conference_member *member = leg->conference;

    return member && !member->play && !member->conference->page && (member->waits || member->conference->count == 1);
}

/* Somebody came or went: who is alone now hears music, and who is not does not. */
static void update_music(struct conference *conference)
{
    struct conference_member *member;

    LIST_FOR_EACH(member, &conference->members, node)
    leg_music_update(member->leg);
}

/* A moderator is there now: those who waited hear each other. */
static void stop_waiting(struct conference *conference)
{
    struct conference_member *member;

    LIST_FOR_EACH(member, &conference->members, node)
    {
        if (!member->waits)
            continue;
        member->waits = false;
        tell_media(member);
    }
}

/* --- coming and going --------------------------------------------------------------------------------------------- */

static struct conference *open_conference(struct pbx *pbx, const struct conference_request *request)
{
    struct conference *conference = mem_new(sizeof *conference);

    conference->pbx = pbx;
    str_copy(conference->name, sizeof conference->name, request->room);
    while (!conference->room) /* one that a switch before us has left in the media process shall not be met */
        random_bytes(&conference->room, sizeof conference->room);
    conference->locked = request->terms->locked;
    conference->page = request->terms->page;
    conference->started_us = loop_now_us(pbx->loop);
    list_init(&conference->members);
    list_append(&pbx->conferences, &conference->node);
    return conference;
}

static int may_join(const struct conference_request *request, const struct conference *conference)
{
    const struct conference_terms *terms = request->terms;
    const struct leg *leg = request->leg;
    unsigned max = terms->max && terms->max < CONFERENCE_MEMBERS_MAX ? terms->max : CONFERENCE_MEMBERS_MAX;

    if (!conference_name_ok(request->room))
        return -EINVAL;
    if (leg->state != LEG_UP || !leg_audio_port(leg))
        return -ENOTCONN;
    if (leg->bridge || leg->conference)
        return -EBUSY;
    if (request->moderator)
        return 0;
    if (conference ? conference->locked : terms->locked)
        return -EACCES;
    return conference && conference->count >= max ? -ENOSPC : 0;
}

int conference_join(const struct conference_request *request, conference_done_fn done, void *arg)
{
    struct pbx *pbx = request->leg->pbx;
    struct conference *conference = conference_find(pbx, request->room);
    struct conference_member *member;
    int result = may_join(request, conference);

    if (result < 0)
        return result;
    if (!conference)
        conference = open_conference(pbx, request);
    member = mem_new(sizeof *member);
    member->conference = conference;
    member->leg = obj_ref(request->leg, "conference");
    member->number = ++conference->last_number;
    member->moderator = request->moderator;
    member->muted = request->muted;
    member->tones = request->terms->tones;
    member->since_us = loop_now_us(pbx->loop);
    member->done = done;
    member->arg = arg;
    member->waits = request->terms->wait && !request->moderator && !conference->moderators;
    request->leg->conference = member;
    list_append(&conference->members, &member->node);
    conference->count++;
    conference->moderators += member->moderator;
    tell_media(member);
    if (member->moderator)
        stop_waiting(conference);
    leg_expect_sound(member->leg, !conference->page || !member->muted); /* who only listens may be silent */
    conference_attend(member);
    update_music(conference);
    publish(member, EVENT_CONFERENCE_JOINED, "joined as member %u%s%s%s", member->number,
            member->moderator ? ", moderator" : "", member->muted ? ", muted" : "",
            member->waits ? ", waits for a moderator" : "");
    leg_talk_conference(member->leg, conference->name);
    return 0;
}

/* What is left of a member, until whoever brought it knows. */
struct farewell {
    struct leg *leg; /* ref "farewell" */
    conference_done_fn done;
    void *arg;
    enum conference_why why;
};

static void say_farewell(void *arg)
{
    struct farewell *farewell = arg;

    if (leg_is_alive(farewell->leg))
        farewell->done(farewell->arg, farewell->why);
    obj_unref(farewell->leg, "farewell");
    free(farewell);
}

static void tell_later(const struct conference_member *member, enum conference_why why)
{
    struct farewell *farewell;

    if (why == CONFERENCE_GONE || !member->done)
        return;
    farewell = mem_new(sizeof *farewell);
    farewell->leg = obj_ref(member->leg, "farewell");
    farewell->done = member->done;
    farewell->arg = member->arg;
    farewell->why = why;
    loop_later(member->leg->pbx->loop, say_farewell, farewell);
}

static void leave(struct leg *leg, enum conference_why why, const char *by)
{
    static const char *const words[] = {[CONFERENCE_LEFT] = "left",
                                        [CONFERENCE_KICKED] = "was put out",
                                        [CONFERENCE_TAKEN] = "left for another call",
                                        [CONFERENCE_GONE] = "hung up"};
    struct conference_member *member = leg->conference;
    struct conference *conference;
    uint64_t seconds;

    if (!member)
        return;
    conference = member->conference;
    seconds = (loop_now_us(leg->pbx->loop) - member->since_us) / 1000000;
    if (leg_audio_port(leg))
        media_unmix(leg_audio_port(leg));
    conference_forsake(member);
    leg->conference = NULL;
    list_unlink(&member->node);
    conference->count--;
    conference->moderators -= member->moderator;
    if (leg_is_alive(leg)) {
        leg_expect_sound(leg, false);
        leg_music_update(leg);
    }
    update_music(conference);
    leg_talk_ends(leg);
    publish(member, EVENT_CONFERENCE_LEFT, "member %u %s%s%s after %llu s", member->number, words[why],
            by ? " by " : "", by ? by : "", (unsigned long long)seconds);
    tell_later(member, why);
    obj_unref(leg, "conference");
    free(member);
    if (conference->count)
        return;
    list_unlink(&conference->node);
    free(conference);
}

void conference_leave(struct leg *leg, enum conference_why why)
{
    leave(leg, why, NULL);
}

/* --- what may be done there --------------------------------------------------------------------------------------- */

void conference_mute(struct conference_member *member, bool on, const char *by)
{
    if (member->muted == on)
        return;
    member->muted = on;
    member->silenced = on && strcmp(by, member->leg->number) != 0;
    tell_media(member);
    conference_say(member, on ? "conference/muted" : "conference/unmuted");
    publish(member, EVENT_CONFERENCE_CHANGED, "member %u %s by %s", member->number, on ? "muted" : "unmuted", by);
}

void conference_kick(struct conference_member *member, const char *by)
{
    leave(member->leg, CONFERENCE_KICKED, by);
}

void conference_lock(struct conference *conference, bool on, const char *by)
{
    struct conference_member *member;

    if (conference->locked == on)
        return;
    conference->locked = on;
    log_info("conference %s is %s by %s", conference->name, on ? "locked" : "unlocked", by);
    LIST_FOR_EACH(member, &conference->members, node)
    publish(member, EVENT_CONFERENCE_CHANGED, "%s by %s", on ? "locked" : "unlocked", by);
}

/* --- news --------------------------------------------------------------------------------------------------------- */

void conference_news(struct leg *leg, const struct media_event *event)
{
    if (leg->conference && (event->kind == MEDIA_TALKS || event->kind == MEDIA_QUIET))
        leg->conference->talks = event->kind == MEDIA_TALKS;
}

void conference_hold(struct leg *leg)
{
    if (leg->conference)
        tell_media(leg->conference);
}
