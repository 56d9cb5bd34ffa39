/* libFuzzer: the local copy of the configuration after damage. A load that stands whole before the damage is heard,
 * with the values that it had; behind the first block that is not whole nothing is. */
#include <unistd.h>

#include "base/log.h"
#include "db/copy.h"
#include "disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SQL "SELECT"

struct heard {
    unsigned loads, results;
    unsigned rows;
};

static void load(void *arg, bool all)
{
    struct heard *heard = arg;

    disk_must(all == (heard->loads == 0), "the first load, and no other, is of everything");
    heard->loads++;
}

static void result(void *arg, const PGresult *r)
{
    struct heard *heard = arg;

    heard->results++;
    for (int row = 0; row < PQntuples(r); row++)
        for (int column = 0; column < PQnfields(r); column++)
            if (!PQgetisnull(r, row, column))
                disk_must(PQgetlength(r, row, column) <= 256, "a value has its length");
    heard->rows += (unsigned)PQntuples(r);
}

/* A row whose values are an item, cut in two. */
static PGresult *result_of(const uint8_t *data, size_t len)
{
    PGresAttDesc columns[2] = {{.name = (char *)(uintptr_t) "a"}, {.name = (char *)(uintptr_t) "b"}};
    PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);

    PQsetResultAttrs(r, 2, columns);
    PQsetvalue(r, 0, 0, (char *)(uintptr_t)data, (int)(len / 2));
    PQsetvalue(r, 0, 1, (char *)(uintptr_t)data, len > 4 ? (int)(len - len / 2) : -1);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t file[DISK_ITEMS * 600 + 1000];
    static struct loop *loop;
    struct disk_input in;
    struct heard heard = {0};
    struct copy *copy;
    size_t ends[DISK_ITEMS], len = 0, damage;
    unsigned whole = 0;
    char path[128];
    FILE *f;

    if (!loop) {
        log_setup("fuzz", LOG_LEVEL_NONE);
        loop = loop_new_fake();
    }
    disk_read(data, size, &in);
    snprintf(path, sizeof path, "%s/config.copy", disk_dir());
    unlink(path);
    copy = copy_open(loop, disk_dir());
    for (unsigned i = 0; i < in.count; i++) { /* the worker writes one after the other; 16, 12 and 4 bytes are heads */
        copy_begin(copy, i == 0, SQL);
        copy_take(copy, result_of(in.item[i].data, in.item[i].len));
        copy_keep(copy);
        len += (i ? 0 : 16) + 12 + 4 + 8 + 2 * 5 + 2 * 4 + in.item[i].len / 2 +
               (in.item[i].len > 4 ? in.item[i].len - in.item[i].len / 2 : 0);
        ends[i] = len;
    }
    copy_close(copy);
    f = fopen(path, "rb");
    len = f ? fread(file, 1, sizeof file, f) : 0;
    if (f)
        fclose(f);
    disk_must(in.count == 0 || len == ends[in.count - 1], "the file is as long as what was kept");
    damage = disk_damage(&in, file, &len);
    while (whole < in.count && ends[whole] <= damage)
        whole++;
    disk_put(path, file, len);

    copy = copy_open(loop, disk_dir());
    disk_must((copy_replay(copy, SQL, load, result, &heard) != 0) == (heard.loads > 0), "it says whether there is one");
    disk_must(heard.results >= whole, "what stands whole before the damage is heard");
    disk_must(heard.results <= in.count && heard.results == heard.loads, "and no more than there was");
    heard = (struct heard){0};
    disk_must(copy_replay(copy, "SELECT other", load, result, &heard) == 0 && heard.loads == 0,
              "another version's is not");
    copy_close(copy);
    return 0;
}
