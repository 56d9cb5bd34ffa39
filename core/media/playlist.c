/* Lists of what is to be played and the descriptors in them. Any thread; knows no ports and decodes nothing. */
#include "media/playlist.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SEALED (F_SEAL_SHRINK | F_SEAL_WRITE)

struct playlist *playlist_new(void)
{
    struct playlist *list = mem_new(sizeof *list);

    atomic_init(&list->refs, 1);
    return list;
}

struct playlist *playlist_ref(struct playlist *list)
{
    atomic_fetch_add_explicit(&list->refs, 1, memory_order_relaxed);
    return list;
}

void playlist_unref(struct playlist *list)
{
    if (!list || atomic_fetch_sub_explicit(&list->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < list->count; i++)
        if (list->pieces[i].fd >= 0)
            close(list->pieces[i].fd);
    free(list->pieces);
    free(list);
}

static bool is_sealed(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);

    return seals >= 0 && (seals & SEALED) == SEALED;
}

void playlist_add(struct playlist *list, const struct proto_piece *what, int fd)
{
    struct piece *piece;

    if (list->count == PLAYLIST_MAX) {
        if (fd >= 0)
            close(fd);
        return;
    }
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 4;
        list->pieces = mem_resize(list->pieces, list->room * sizeof *list->pieces);
    }
    piece = &list->pieces[list->count++];
    *piece = (struct piece){.what = *what, .fd = fd};
    piece->what.name[sizeof piece->what.name - 1] = '\0';
    /* Only memory that nobody can change is read without waiting: a file on a disk would hold all calls of a thread. */
    if (fd >= 0 && (!is_sealed(fd) || sound_from_fd(fd, &piece->source) < 0)) {
        close(fd);
        piece->fd = -1;
    }
}
