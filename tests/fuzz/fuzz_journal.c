/* libFuzzer: a journal (journal.c) whose file was damaged, and what was in shared memory (keep.c) as a crash left it.
 * Intact frames of the file and of the memory are replayed, and the next start finds a journal without damage. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "db/frame.h"
#include "db/journal.h"
#include "db/keep.h"
#include "disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BUFFER_BYTES (256u << 10) /* as journal.c has it: else it makes other memory */
#define SLOTS 6

struct seen {
    const struct disk_input *in;
    unsigned times[DISK_ITEMS];
    unsigned count;
    bool writes; /* what it has is written, once */
};

static void replay(void *arg, const uint8_t *payload, size_t len)
{
    struct seen *seen = arg;

    disk_must(len <= FRAME_MAX, "a payload is no longer than one may be");
    seen->count++;
    for (unsigned i = 0; i < seen->in->count; i++)
        if (seen->in->item[i].len == len && memcmp(seen->in->item[i].data, payload, len) == 0)
            seen->times[i]++;
}

static struct journal *writing;

static bool write_all(void *arg, bool first)
{
    if (writing)
        journal_put(writing, "all", 3);
    return true;
}

/* The frames from item `from` on; returns their bytes. */
static size_t frames_of(const struct disk_input *in, unsigned from, unsigned to, uint8_t *out)
{
    size_t len = 0;

    for (unsigned i = from; i < to; i++) {
        frame_head(out + len, in->item[i].data, in->item[i].len);
        memcpy(out + len + FRAME_HEAD, in->item[i].data, in->item[i].len);
        len += FRAME_HEAD + in->item[i].len;
    }
    return len;
}

/* How many of the items from..to end before byte `at`. */
static unsigned ended_before(const struct disk_input *in, unsigned from, unsigned to, size_t at)
{
    size_t end = 0;
    unsigned count = 0;

    while (from < to && (end += FRAME_HEAD + in->item[from].len) <= at)
        from++, count++;
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[DISK_ITEMS * (FRAME_HEAD + 256)];
    static struct loop *loop;
    struct disk_input in;
    struct seen seen = {.in = &in};
    struct journal_hooks hooks = {.arg = &seen, .replay = replay, .write_all = write_all};
    struct keep_slot *slot = NULL;
    struct journal *journal;
    struct keep *keep;
    unsigned half, in_file, in_memory;
    size_t len, first;
    char path[128];

    if (!loop) {
        log_setup("fuzz", LOG_LEVEL_NONE);
        loop = loop_new_fake();
    }
    disk_read(data, size, &in);
    half = in.count / 2;
    len = frames_of(&in, 0, half, bytes);
    first = disk_damage(&in, bytes, &len);
    in_file = ended_before(&in, 0, half, first);
    snprintf(path, sizeof path, "%s/journal", disk_dir());
    disk_put(path, bytes, len);

    keep = keep_open(disk_dir(), BUFFER_BYTES, SLOTS);
    slot = keep ? keep_take(keep, 7) : NULL;
    disk_must(slot != NULL, "there is shared memory here");
    len = frames_of(&in, half, in.count, bytes);
    first = disk_damage(&in, bytes, &len);
    in_memory = ended_before(&in, half, in.count, first);
    memcpy(slot->data, bytes, len);
    atomic_store(&slot->end, in.flips > 5 ? (size_t)in.flip[0].at << (in.flip[0].with % 48) : len);
    if (in.flips > 5)
        in_memory = 0;
    keep_close(keep, false);

    disk_must(journal_open(loop, disk_dir(), &hooks, &journal) == 0, "a damaged journal opens");
    for (unsigned i = 0; i < in.count; i++)
        if (i < in_file || (i >= half && i < half + in_memory))
            disk_must(seen.times[i] > 0, "what stands before the damage is replayed");
    writing = journal;
    journal_add(journal, "new", 3);
    journal_close(journal);
    writing = NULL;

    seen = (struct seen){.in = &in};
    disk_must(journal_open(loop, disk_dir(), &hooks, &journal) == 0 && seen.count > 0, "the next start finds it");
    disk_must(journal_is_quiet(journal), "and no damage is left");
    writing = journal;
    journal_close(journal);
    writing = NULL;
    loop_fake_advance(loop, 1000);
    return 0;
}
