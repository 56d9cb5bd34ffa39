/* Paging groups: all phones answer by themselves and hear the caller, and nobody hears them. A page is a conference
 * whose members are muted; it ends when the caller hangs up. Signalling thread. */
#include "group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/obj.h"
#include "call/conference.h"
#include "call/state.h"
#include "media/negotiate.h"

#define LISTENERS_MAX 64 /* phones of one page */
#define ANSWER_MS 10000  /* a phone that answers by itself has done it by then */

struct page {
    struct list node; /* groups.pages */
    struct groups *g;
    struct call *call;  /* ref "page" */
    struct leg *caller; /* ref "page" */
    struct verb_run *run;
    char name[64], room[64];
    struct loop_timer patience;
    struct listener {
        struct page *page;
        struct attempt_run *run;
        bool pending;
    } asked[MEMBERS_MAX];
    unsigned asked_count, pending;
    struct leg *legs[LISTENERS_MAX]; /* live ones; ref "page" */
    unsigned leg_count, heard;
    bool over;
};

static const struct conference_terms terms = {.page = true};

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void drop(struct page *page, struct leg *leg)
{
    for (unsigned i = 0; i < page->leg_count; i++) {
        if (page->legs[i] != leg)
            continue;
        page->legs[i] = page->legs[--page->leg_count];
        leg_set_control(leg, NULL, NULL);
        loop_unref_later(page->g->pbx->loop, leg, "page");
        return;
    }
}

static void end_listener(struct page *page, struct leg *leg, enum cause cause, const char *detail)
{
    drop(page, leg);
    leg_end(leg, cause, WHO_SWITCH, detail);
}

/* Lets go of everybody. */
static void page_free(struct page *page)
{
    struct loop *loop = page->g->pbx->loop;

    page->over = true;
    loop_timer_stop(loop, &page->patience);
    for (unsigned i = 0; i < page->asked_count; i++) {
        if (page->asked[i].pending) {
            page->asked[i].pending = false;
            route_cancel(page->asked[i].run);
        }
    }
    while (page->leg_count)
        end_listener(page, page->legs[0], CAUSE_NORMAL, "the page is over");
    conference_leave(page->caller, CONFERENCE_GONE); /* whatever the dialplan does with him next */
    list_unlink(&page->node);
    loop_unref_later(loop, page->caller, "page");
    loop_unref_later(loop, page->call, "page");
    loop_later(loop, free, page); /* somebody may be at work on it */
}

static void cancelled(void *arg)
{
    struct page *page = arg;

    group_say(page->call, "page %s: is over, %u phone%s heard it", page->name, page->heard,
              page->heard == 1 ? "" : "s");
    page_free(page);
}

static void finish(struct page *page, const char *words)
{
    struct verb_run *run = page->run;
    bool heard = page->heard > 0;

    page->over = true;
    group_say(page->call, "page %s: %s", page->name, words);
    page_free(page);
    verb_run_done(run, json_pack("{s:s,s:s,s:s,s:i}", "status", heard ? "answered" : "no-answer", "cause",
                                 cause_info(heard ? CAUSE_NORMAL : CAUSE_NO_ANSWER)->id, "detail", "", "talk", 0));
}

static void end_if_alone(struct page *page)
{
    if (!page->over && !page->pending && !page->leg_count)
        finish(page, page->heard ? "nobody listens any more" : "no phone answered");
}

/* An operator did that. */
static void speaks_no_more(void *arg, enum conference_why why)
{
    struct page *page = arg;

    if (!page->over)
        finish(page, "is over, who spoke was taken out of it");
}

/* --- listeners ---------------------------------------------------------------------------------------------------- */

static void out_of_it(void *arg, enum conference_why why)
{
    leg_end(arg, CAUSE_NORMAL, WHO_SWITCH, "it was taken out of the page");
}

static void listens(struct page *page, struct leg *leg)
{
    const struct conference_request request = {.leg = leg, .room = page->room, .terms = &terms, .muted = true};

    if (conference_join(&request, out_of_it, leg) < 0) {
        end_listener(page, leg, CAUSE_NO_MEDIA, "it cannot hear the page");
        end_if_alone(page);
        return;
    }
    page->heard++;
}

static void changed(void *arg, struct leg *leg, enum leg_change change)
{
    struct page *page = arg;

    if (change == LEG_CHANGE_ANSWERED) {
        listens(page, leg);
    } else if (change == LEG_CHANGE_ENDED) {
        drop(page, leg);
        end_if_alone(page);
    }
}

/* A phone that rings instead of answering: it is not made for that. */
static void waited_enough(void *arg)
{
    struct page *page = arg;

    for (unsigned i = 0; i < page->leg_count;) {
        struct leg *leg = page->legs[i];

        if (leg->state == LEG_UP)
            i++;
        else
            end_listener(page, leg, CAUSE_NO_ANSWER, "it did not answer by itself");
    }
    end_if_alone(page);
}

static void routed(void *arg, enum cause refused, const char *detail, struct leg *const *legs, unsigned count)
{
    struct listener *asked = arg;
    struct page *page = asked->page;
    struct media_desc *offer;

    if (!asked->pending) { /* it was called off meanwhile */
        for (unsigned i = 0; i < count; i++)
            leg_end(legs[i], CAUSE_CANCELLED, WHO_SWITCH, NULL);
        return;
    }
    asked->pending = false;
    offer = negotiate_local_offer(negotiate_default_codecs, negotiate_default_codec_count);
    for (unsigned i = 0; refused == CAUSE_NONE && i < count; i++) {
        struct leg *leg = legs[i];

        if (page->over || page->leg_count == LISTENERS_MAX) {
            leg_end(leg, CAUSE_CANCELLED, WHO_SWITCH,
                    page->over ? NULL : "as many phones as a page may have listen already");
            continue;
        }
        leg->headers = str_dup(group_answer_by_itself);
        leg_set_control(leg, changed, page);
        page->legs[page->leg_count++] = obj_ref(leg, "page");
        if (route_send(leg, offer) < 0)
            end_listener(page, leg, CAUSE_UNREACHABLE, "it could not be called");
    }
    desc_free(offer);
    page->pending--;
    end_if_alone(page);
}

/* Is it called? False: why not stands in words. */
static bool is_paged(const struct groups *g, const struct group *group, const struct ringer *member,
                     const struct account *caller, const char **why)
{
    const struct account *account = ringer_account(g, member->name);

    *why = NULL;
    if (!account)
        *why = "is outside";
    else if (module_live_get(g->logouts, member->name, group->name))
        *why = "is logged out";
    else if (caller && strcmp(caller->name, member->name) == 0)
        *why = "is the caller";
    else if (account_state(g->pbx, member->name) == ACCOUNT_BUSY)
        *why = "is busy";
    return !*why;
}

unsigned page_plan(const struct groups *g, const struct group *group, const struct account *caller,
                   const char *(*names)[MEMBERS_MAX], char *words, size_t size)
{
    char list[200] = "", not [200] = "";
    size_t list_used = 0, not_used = 0;
    unsigned count = 0;
    const char *why;

    for (unsigned i = 0; i < group->count; i++) {
        const struct ringer *member = &group->members[i];

        if (!is_paged(g, group, member, caller, &why)) {
            str_append(not, sizeof not, &not_used, "; %s %s", member->name, why);
            continue;
        }
        str_append(list, sizeof list, &list_used, "%s%s", count ? ", " : "", member->name);
        (*names)[count++] = member->name;
    }
    snprintf(words, size, "page %s: %s%s%s", group->name, count ? "speaks to " : "there is nobody to speak to", list,
             not );
    return count;
}

static void call_members(struct page *page, const struct group *group)
{
    struct call *call = page->call;
    const struct account *payer = call->behalf ? call->behalf : page->caller->account;
    const char *names[MEMBERS_MAX];
    char targets[MEMBERS_MAX][80], words[500];

    page->asked_count = page_plan(page->g, group, page->caller->account, &names, words, sizeof words);
    for (unsigned i = 0; i < page->asked_count; i++) {
        snprintf(targets[i], sizeof targets[0], "account:%s", names[i]); /* the group may change under us */
        page->asked[i] = (struct listener){.page = page, .pending = true};
        page->pending++;
    }
    group_say(call, "%s", words);
    for (unsigned i = 0; i < page->asked_count && !page->over; i++) {
        struct listener *asked = &page->asked[i];
        struct attempt_run *run = route_out(call, targets[i], payer, false, routed, asked);

        if (asked->pending)
            asked->run = run;
        else if (page->over)
            route_cancel(run); /* called off from inside its own hook, which then deferred */
    }
}

static bool join(struct page *page)
{
    const struct conference_request request = {.leg = page->caller, .room = page->room, .terms = &terms};

    if (call_answer(page->call))
        return false;
    call_answered(page->call);
    return conference_join(&request, speaks_no_more, page) == 0;
}

void page_start(struct groups *g, const struct group *group, struct verb_run *run, struct call *call)
{
    struct page *page = mem_new(sizeof *page);

    page->g = g;
    page->run = run;
    page->call = obj_ref(call, "page");
    page->caller = obj_ref(call->caller, "page");
    str_copy(page->name, sizeof page->name, group->name);
    snprintf(page->room, sizeof page->room, "page-%.40s-%u", group->name, ++g->page_number);
    list_append(&g->pages, &page->node);
    if (!join(page)) {
        page_free(page);
        verb_run_fail(run, "the caller cannot speak: there is no audio to its phone");
        return;
    }
    verb_run_on_cancel(run, cancelled, page);
    loop_timer_start(g->pbx->loop, &page->patience, ANSWER_MS, waited_enough, page);
    page->pending++; /* until all have been asked */
    call_members(page, group);
    page->pending--;
    end_if_alone(page);
}

void page_close(struct groups *g)
{
    while (!list_empty(&g->pages))
        page_free(LIST_ENTRY(g->pages.next, struct page, node));
}
