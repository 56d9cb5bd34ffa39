/* Counted objects with named holders. Signalling thread only (the media program uses none of this); knows no telephony.
 * The live counters per type are the one global here: they exist to find leaks across everything in the process. */
#include "base/obj.h"

#include <stdlib.h>

#include "base/list.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#define OBJ_MAGIC 0x7A6E0BB1u
#define HOLDERS_MAX 16

struct obj {
    uint32_t magic;
    unsigned refs;
    const char *type;
    void (*destroy)(void *);
#ifdef TANDEM_DEBUG
    struct list all;
    const char *holders[HOLDERS_MAX]; /* the first sixteen by name */
    unsigned more_holders;            /* those beyond: counted only */
#endif
    _Alignas(max_align_t) unsigned char body[];
};

static struct {
    const char *type;
    size_t live;
} types[32];

#ifdef TANDEM_DEBUG
static struct list all_objects = {&all_objects, &all_objects};
#endif

static struct obj *obj_of(const void *body)
{
    return CONTAINER_OF(body, struct obj, body);
}

static size_t *live_slot(const char *type)
{
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (!types[i].type)
            types[i].type = type;
        if (types[i].type == type || strcmp(types[i].type, type) == 0)
            return &types[i].live;
    }
    return &types[COUNT_OF(types) - 1].live;
}

static void note_holder(struct obj *o, const char *from, const char *to)
{
#ifdef TANDEM_DEBUG
    for (size_t i = 0; i < HOLDERS_MAX; i++) {
        const char *h = o->holders[i];

        if (from ? (h && strcmp(h, from) == 0) : !h) {
            o->holders[i] = to;
            return;
        }
    }
    if (!from)
        o->more_holders++;
    else if (!bug_if(o->more_holders == 0)) /* a reference is given back by somebody who never held one */
        o->more_holders--;
#else
    (void)o, (void)from, (void)to;
#endif
}

void *obj_new(size_t size, const char *type, void (*destroy)(void *), const char *holder)
{
    struct obj *o = mem_new(sizeof *o + size);

    o->magic = OBJ_MAGIC;
    o->refs = 1;
    o->type = type;
    o->destroy = destroy;
    ++*live_slot(type);
#ifdef TANDEM_DEBUG
    list_append(&all_objects, &o->all);
#endif
    note_holder(o, NULL, holder);
    return o->body;
}

void *obj_ref(void *body, const char *holder)
{
    struct obj *o = obj_of(body);

    if (bug_if(o->magic != OBJ_MAGIC || o->refs == 0))
        return body;
    o->refs++;
    note_holder(o, NULL, holder);
    return body;
}

void *obj_unref(void *body, const char *holder)
{
    struct obj *o;

    if (!body)
        return NULL;
    o = obj_of(body);
    if (bug_if(o->magic != OBJ_MAGIC || o->refs == 0))
        return NULL;
    note_holder(o, holder, NULL);
    if (--o->refs)
        return NULL;
    if (o->destroy)
        o->destroy(body);
    --*live_slot(o->type);
#ifdef TANDEM_DEBUG
    list_unlink(&o->all);
#endif
    o->magic = 0;
    free(o);
    return NULL;
}

unsigned obj_refs(const void *body)
{
    return obj_of(body)->refs;
}

size_t obj_live(const char *type)
{
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (types[i].type && (!type || strcmp(types[i].type, type) == 0))
            n += types[i].live;
    return n;
}

void obj_each(void (*fn)(void *, const char *, const void *, unsigned, const char *), void *arg)
{
#ifdef TANDEM_DEBUG
    /* Not LIST_FOR_EACH: it forms an element's address from the head's, which is aligned to less than an object is. */
    for (struct list *node = all_objects.next; node != &all_objects; node = node->next) {
        const struct obj *o = LIST_ENTRY(node, struct obj, all);
        char text[256] = "";
        size_t used = 0;

        for (size_t i = 0; i < HOLDERS_MAX; i++)
            if (o->holders[i])
                str_append(text, sizeof text, &used, "%s%s", used ? ", " : "", o->holders[i]);
        if (o->more_holders)
            str_append(text, sizeof text, &used, " and %u more", o->more_holders);
        fn(arg, o->type, o->body, o->refs, text);
    }
#else
    (void)fn, (void)arg;
#endif
}
