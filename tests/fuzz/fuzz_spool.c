/* libFuzzer: the record spool over a damaged file of an earlier run, and over shared memory as a crash left it. Records
 * before the damage are there, in order, and once all are taken nothing waits. */
#include <dirent.h>
#include <unistd.h>

#include "base/log.h"
#include "db/keep.h"
#include "db/spool.h"
#include "disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEGMENT 8192u
#define SOFT 16384u

/* Everything but what the next run needs as well. */
static void remove_files(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    while (d && (entry = readdir(d))) {
        char path[400];

        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (strcmp(entry->d_name, "bad") == 0)
            remove_files(path);
        else if (strchr(entry->d_name, '.') && entry->d_name[0] != '.')
            unlink(path);
    }
    if (d)
        closedir(d);
}

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

static unsigned ended_before(const struct disk_input *in, unsigned from, unsigned to, size_t at)
{
    size_t end = 0;
    unsigned count = 0;

    while (from < to && (end += FRAME_HEAD + in->item[from].len) <= at)
        from++, count++;
    return count;
}

/* What the memory says of itself may be anything. */
static void put_memory(const struct disk_input *in, unsigned half, unsigned *in_memory)
{
    static uint8_t bytes[DISK_ITEMS * (FRAME_HEAD + 256)];
    struct keep *keep = keep_open(disk_dir(), SEGMENT + FRAME_HEAD + FRAME_MAX, 2 * SOFT / SEGMENT + 2);
    struct keep_slot *slot = keep ? keep_take(keep, 2) : NULL;
    size_t len = frames_of(in, half, in->count, bytes), first = disk_damage(in, bytes, &len);

    disk_must(slot != NULL, "there is shared memory here");
    memcpy(slot->data, bytes, len);
    atomic_store(&slot->end, len);
    *in_memory = ended_before(in, half, in->count, first);
    if (in->flips > 4) {
        atomic_store(&slot->begin, (uint64_t)in->flip[0].at);
        atomic_store(&slot->origin, (uint64_t)in->flip[1].at);
        atomic_store(&slot->end, (uint64_t)in->flip[2].at << in->flip[2].with % 48);
        atomic_store(&slot->number, (uint64_t)(in->flip[3].at & 3) + 1);
        *in_memory = 0;
    }
    keep_close(keep, false);
}

static void ready(void *arg)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[DISK_ITEMS * (FRAME_HEAD + 256)];
    static struct loop *loop;
    struct spool_config config = {
        .dir = disk_dir(), .limit = 1 << 20, .segment_bytes = SEGMENT, .memory_soft = SOFT, .ready = ready};
    struct spool_record records[4];
    struct spool_status status;
    struct disk_input in;
    struct spool *spool;
    unsigned half, in_file, in_memory, found = 0, next = 0;
    size_t len, first, count;
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
    snprintf(path, sizeof path, "%s/0000000000000001.spool", disk_dir());
    disk_put(path, bytes, len);
    put_memory(&in, half, &in_memory);

    disk_must(spool_open(loop, &config, &spool) == 0, "a damaged spool opens");
    for (unsigned turns = 0; turns < 200; turns++) {
        spool_get_status(spool, &status);
        count = spool_take(spool, records, COUNT_OF(records), 65536);
        for (size_t i = 0; i < count; i++, found++) {
            if (next == in_file && next < half)
                next = half; /* what was behind the damage of the file may be there as well, or not */
            if (next < (next < half ? in_file : half + in_memory) && records[i].len == in.item[next].len &&
                memcmp(records[i].data, in.item[next].data, records[i].len) == 0)
                next++;
        }
        if (count)
            spool_ack(spool, count);
        else if (!status.bytes)
            break;
        else
            loop_turn(loop, 20);
        loop_fake_advance(loop, 20);
    }
    if (in.flips <= 4) {
        disk_must(in_file == 0 || next >= in_file, "the file's records before the damage are taken, in order");
        disk_must(in_memory == 0 || next == half + in_memory, "and those of the memory");
    }
    spool_get_status(spool, &status);
    disk_must(status.waiting == 0, "nothing waits when all was taken");
    spool_close(spool);
    loop_fake_advance(loop, 1000);
    remove_files(disk_dir());
    return 0;
}
