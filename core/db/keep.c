/* Memory that outlives the process, by shm_open(). The name is random and stands in a file of the directory; device and
 * inode of the directory stand in the memory, so that a copied directory does not take over another one's. Signalling
 * thread. Knows nothing of what is stored. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "db/keep.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"
#include "base/log.h"

#define NAME_PREFIX "/tandem-"
#define NAME_LEN (sizeof NAME_PREFIX - 1 + 20)
#define HEAD_BYTES 4096
#define SLOT_MAX (64u << 20)
#define SLOTS_MAX 4096

struct head {
    char magic[8];
    uint64_t device, inode; /* of the directory */
    uint64_t slot_bytes, slots;
};

struct keep {
    char name[NAME_LEN + 1];
    int fd;
    struct head *head; /* the whole mapping */
    size_t size;
};

static const char magic[8] = "TDKEEP1";

static struct keep_slot *slot_at(const struct keep *keep, unsigned i)
{
    return (struct keep_slot *)((uint8_t *)keep->head + HEAD_BYTES + i * keep->head->slot_bytes);
}

/* --- its name ----------------------------------------------------------------------------------------------------- */

static void name_path(const char *dir, char out[512])
{
    snprintf(out, 512, "%s/memory", dir);
}

static bool read_name(const char *dir, char name[NAME_LEN + 1])
{
    char path[512];
    int fd;
    ssize_t n;

    name_path(dir, path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, name, NAME_LEN);
    close(fd);
    if (n != (ssize_t)NAME_LEN || strncmp(name, NAME_PREFIX, sizeof NAME_PREFIX - 1) != 0)
        return false;
    name[NAME_LEN] = '\0';
    return !strchr(name + 1, '/');
}

static int new_name(const char *dir, char name[NAME_LEN + 1])
{
    char path[512], line[NAME_LEN + 2];
    int fd, err = 0;

    memcpy(name, NAME_PREFIX, sizeof NAME_PREFIX);
    random_token(name + sizeof NAME_PREFIX - 1, 20);
    name_path(dir, path);
    snprintf(line, sizeof line, "%s\n", name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if (write(fd, line, strlen(line)) != (ssize_t)strlen(line))
        err = -errno;
    close(fd);
    return err;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

/* What is there under our name: 0 and it is ours, -ENOENT, or another error when it must be left alone. */
static int find(struct keep *keep, const struct stat *dir)
{
    struct stat st;
    struct head head;

    keep->fd = shm_open(keep->name, O_RDWR | O_CLOEXEC, 0);
    if (keep->fd < 0)
        return -errno;
    if (fstat(keep->fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 077) ||
        pread(keep->fd, &head, sizeof head, 0) != sizeof head || memcmp(head.magic, magic, sizeof magic) != 0 ||
        head.device != dir->st_dev || head.inode != dir->st_ino || head.slot_bytes % HEAD_BYTES ||
        head.slot_bytes - 1 >= SLOT_MAX || head.slots > SLOTS_MAX ||
        (uint64_t)st.st_size != HEAD_BYTES + head.slots * head.slot_bytes) {
        close(keep->fd);
        return -EPERM;
    }
    keep->size = (size_t)st.st_size;
    return 0;
}

static int make(struct keep *keep, const struct stat *dir, size_t bytes, unsigned slots)
{
    struct head head = {.device = dir->st_dev, .inode = dir->st_ino, .slots = slots};
    int err;

    memcpy(head.magic, magic, sizeof magic);
    head.slot_bytes = (sizeof(struct keep_slot) + bytes + HEAD_BYTES - 1) / HEAD_BYTES * HEAD_BYTES;
    keep->size = HEAD_BYTES + head.slot_bytes * slots;
    keep->fd = shm_open(keep->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (keep->fd < 0)
        return -errno;
    /* What is touched must be there: writing beyond what the file system has left would end the program (SIGBUS). */
    err = ftruncate(keep->fd, (off_t)keep->size) < 0 ? -errno : -posix_fallocate(keep->fd, 0, HEAD_BYTES);
    if (!err && pwrite(keep->fd, &head, sizeof head, 0) != sizeof head)
        err = -EIO;
    if (!err)
        return 0;
    close(keep->fd);
    shm_unlink(keep->name);
    return err;
}

static int map(struct keep *keep)
{
    void *at = mmap(NULL, keep->size, PROT_READ | PROT_WRITE, MAP_SHARED, keep->fd, 0);

    if (at == MAP_FAILED)
        return -errno;
    keep->head = at;
    return 0;
}

struct keep *keep_open(const char *dir, size_t bytes, unsigned slots)
{
    struct keep *keep = mem_new(sizeof *keep);
    struct stat st;
    int err = stat(dir, &st) < 0 ? -errno : 0;

    if (!err && read_name(dir, keep->name)) {
        err = find(keep, &st);
        if (err == -ENOENT)
            err = make(keep, &st, bytes, slots);
    } else if (!err) {
        err = -EPERM;
    }
    if (err == -EPERM || err == -EACCES || err == -EEXIST) { /* no name yet, or what has it is not ours */
        err = new_name(dir, keep->name);
        if (!err)
            err = make(keep, &st, bytes, slots);
    }
    if (!err) {
        err = map(keep);
        if (err)
            close(keep->fd);
    }
    if (!err)
        return keep;
    log_warn("no shared memory for %s: %s. What is not yet written there would be lost if this program crashed", dir,
             strerror(-err));
    free(keep);
    return NULL;
}

void keep_close(struct keep *keep, bool remove)
{
    if (!keep)
        return;
    munmap(keep->head, keep->size);
    close(keep->fd);
    if (remove)
        shm_unlink(keep->name);
    free(keep);
}

/* --- slots -------------------------------------------------------------------------------------------------------- */

size_t keep_room(const struct keep *keep)
{
    return (size_t)keep->head->slot_bytes - sizeof(struct keep_slot);
}

unsigned keep_count(const struct keep *keep)
{
    return (unsigned)keep->head->slots;
}

static off_t offset_of(const struct keep *keep, const struct keep_slot *slot)
{
    return (off_t)((const uint8_t *)slot - (const uint8_t *)keep->head);
}

struct keep_slot *keep_at(const struct keep *keep, unsigned i)
{
    struct keep_slot *slot = slot_at(keep, i);
    uint64_t number;

    /* by pread(), which makes no page of a slot that was never used */
    if (pread(keep->fd, &number, sizeof number, offset_of(keep, slot)) != sizeof number || !number)
        return NULL;
    return slot;
}

struct keep_slot *keep_take(struct keep *keep, uint64_t number)
{
    for (unsigned i = 0; i < keep->head->slots; i++) {
        struct keep_slot *slot = slot_at(keep, i);

        if (keep_at(keep, i))
            continue;
        if (posix_fallocate(keep->fd, offset_of(keep, slot), (off_t)keep->head->slot_bytes))
            return NULL;
        atomic_store(&slot->begin, 0);
        atomic_store(&slot->end, 0);
        atomic_store(&slot->origin, 0);
        atomic_store(&slot->number, number);
        return slot;
    }
    return NULL;
}

void keep_give(struct keep *keep, struct keep_slot *slot)
{
    atomic_store(&slot->number, 0);
    if (slot != slot_at(keep, 0)) /* one stays: it is needed again at once */
        fallocate(keep->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset_of(keep, slot),
                  (off_t)keep->head->slot_bytes);
}
