/* Recordings that an earlier run of the switch left: a worker completes those that nobody writes any more, again and
 * again until there is none left. Signalling thread. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "call/pbx.h"
#include "call/recording-priv.h"

#define SEARCH_AGAIN_MS 30000u

static void search_again(void *arg)
{
    recordings_search(arg);
}

static void report(struct pbx *pbx, const struct recording_found *found)
{
    const struct recording_file *file = &found->file;

    if (file->err) {
        log_warn("recording %s.part of an earlier run cannot be completed: %s", found->was, strerror(-file->err));
    } else if (file->path[0]) {
        log_info("recording %s of an earlier run is complete: %.1f s", file->path, (double)file->ms / 1000);
        if (pbx->db)
            db_record_recording_found(pbx->db, found->was, file->path, file->ms, file->bytes);
    }
}

static void searched(void *arg)
{
    struct recordings *all = arg;
    struct recording_found **place = &all->left, *found;
    unsigned busy = 0;

    while ((found = *place) != NULL) {
        if (found->busy) {
            busy++;
            place = &found->next;
        } else {
            *place = found->next;
            report(all->pbx, found);
            free(found);
        }
    }
    if (busy && !all->searched)
        log_info("%u recordings of an earlier run still go on in the media process; each is completed when its call "
                 "has ended",
                 busy);
    all->searching = false;
    all->searched = true;
    if (busy)
        loop_timer_start(all->pbx->loop, &all->again, SEARCH_AGAIN_MS, search_again, all);
}

static void work_search(void *arg)
{
    struct recordings *all = arg;

    if (!all->searched)
        all->left = recording_file_search(all->dir);
    for (struct recording_found *found = all->left; all->searched && found; found = found->next)
        recording_file_retry(found);
}

void recordings_search(struct recordings *all)
{
    all->searching = true;
    loop_work(all->pbx->loop, RECORDING_LANE, work_search, searched, all);
}

void recordings_left_free(struct recordings *all)
{
    struct recording_found *found, *next;

    loop_timer_stop(all->pbx->loop, &all->again);
    for (found = all->left; found; found = next) {
        next = found->next;
        free(found);
    }
}
