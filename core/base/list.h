/* Doubly linked ring with the node inside the element. An element on no list has node.next == NULL. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/base.h"

struct list {
    struct list *next, *prev;
};

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline bool list_linked(const struct list *node)
{
    return node->next != NULL;
}

static inline void list_insert_before(struct list *where, struct list *node)
{
    node->prev = where->prev;
    node->next = where;
    where->prev->next = node;
    where->prev = node;
}

static inline void list_append(struct list *head, struct list *node)
{
    list_insert_before(head, node);
}

static inline void list_prepend(struct list *head, struct list *node)
{
    list_insert_before(head->next, node);
}

/* Safe on a node that is on no list. */
static inline void list_unlink(struct list *node)
{
    if (!node->next)
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}

static inline size_t list_length(const struct list *head)
{
    size_t n = 0;

    for (const struct list *p = head->next; p != head; p = p->next)
        n++;
    return n;
}

#define LIST_FOR_EACH(pos, head, member)                                                                               \
    for ((pos) = LIST_ENTRY((head)->next, __typeof__(*(pos)), member); &(pos)->member != (head);                       \
         (pos) = LIST_ENTRY((pos)->member.next, __typeof__(*(pos)), member))

/* The current element may be unlinked and freed in the body (not its successor). */
#define LIST_FOR_EACH_SAFE(pos, tmp, head, member)                                                                     \
    for ((pos) = LIST_ENTRY((head)->next, __typeof__(*(pos)), member),                                                 \
        (tmp) = LIST_ENTRY((pos)->member.next, __typeof__(*(pos)), member);                                            \
         &(pos)->member != (head); (pos) = (tmp), (tmp) = LIST_ENTRY((tmp)->member.next, __typeof__(*(tmp)), member))

#endif
