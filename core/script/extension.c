/* Extension patterns and the table of extensions: literals are found by bisection, patterns are tried in their order.
 * Pure; knows neither Lua nor calls. */
#include "script/extension.h"

#include <stdlib.h>

#include "base/base.h"

/* One place of a pattern. */
struct place {
    enum { PLACE_END, PLACE_ONE, PLACE_SOME, PLACE_ANY } kind; /* in order: the more certain first */
    unsigned count;                                            /* PLACE_ONE: how many characters fit */
    uint32_t set[8];                                           /* which */
};

static void allow(struct place *place, unsigned char from, unsigned char to)
{
    for (unsigned c = from; c <= to; c++) {
        if (!(place->set[c / 32] & 1u << c % 32))
            place->count++;
        place->set[c / 32] |= 1u << c % 32;
    }
}

/* Reads "[…]" at p. Returns what follows, or NULL when it is malformed. */
static const char *next_set(const char *p, struct place *place)
{
    for (p++; *p && *p != ']'; p++) {
        if (p[1] == '-' && p[2] && p[2] != ']') {
            if ((unsigned char)p[2] < (unsigned char)p[0])
                return NULL;
            allow(place, (unsigned char)p[0], (unsigned char)p[2]);
            p += 2;
        } else {
            allow(place, (unsigned char)*p, (unsigned char)*p);
        }
    }
    return *p && place->count ? p + 1 : NULL;
}

/* Reads the place at p (behind the "_"). Returns what follows, or NULL when it is malformed. */
static const char *next_place(const char *p, struct place *place)
{
    memset(place, 0, sizeof *place);
    place->kind = PLACE_ONE;
    switch (*p) {
    case '\0':
        place->kind = PLACE_END;
        return p;
    case '.':
        place->kind = PLACE_SOME;
        return p[1] ? NULL : p + 1;
    case '!':
        place->kind = PLACE_ANY;
        return p[1] ? NULL : p + 1;
    case '[':
        return next_set(p, place);
    case 'X':
        allow(place, '0', '9');
        return p + 1;
    case 'Z':
        allow(place, '1', '9');
        return p + 1;
    case 'N':
        allow(place, '2', '9');
        return p + 1;
    default:
        allow(place, (unsigned char)*p, (unsigned char)*p);
        return p + 1;
    }
}

int extension_check(const char *pattern, const char **why)
{
    const char *p = pattern;
    struct place place;

    *why = NULL;
    if (!*p)
        *why = "an extension cannot be empty";
    else if (*p == '_' && !p[1])
        *why = "nothing follows the \"_\"";
    if (*why)
        return -EINVAL;
    if (*p != '_')
        return 0;
    for (p++; *p;) {
        const char *next = next_place(p, &place);

        if (!next) {
            *why = *p == '[' ? "the set of characters in [] is empty, backwards or has no end"
                             : "\".\" and \"!\" can only be the last character";
            return -EINVAL;
        }
        p = next;
    }
    return 0;
}

bool extension_matches(const char *pattern, const char *dialled)
{
    const char *p = pattern;
    struct place place;

    if (*p != '_')
        return strcmp(pattern, dialled) == 0;
    for (p++;; dialled++) {
        unsigned char c = (unsigned char)*dialled;

        p = next_place(p, &place);
        if (!p)
            return false;
        switch (place.kind) {
        case PLACE_END:
            return c == '\0';
        case PLACE_SOME:
            return c != '\0';
        case PLACE_ANY:
            return true;
        case PLACE_ONE:
            if (c == '\0' || !(place.set[c / 32] & 1u << c % 32))
                return false;
        }
    }
}

int extension_compare(const char *a, const char *b)
{
    const char *text_a = a, *text_b = b;
    struct place in_a, in_b;

    if (*a != '_' || *b != '_')
        return *a != '_' && *b != '_' ? strcmp(a, b) : *a == '_' ? 1 : -1;
    a++;
    b++;
    do {
        a = next_place(a, &in_a);
        b = next_place(b, &in_b);
        if (!a || !b)
            break;
        if (in_a.kind != in_b.kind)
            return in_a.kind < in_b.kind ? -1 : 1;
        if (in_a.count != in_b.count)
            return in_a.count < in_b.count ? -1 : 1;
    } while (in_a.kind == PLACE_ONE);
    return strcmp(text_a, text_b);
}

/* --- the table --------------------------------------------------------------------------------------------------- */

void extension_table_add(struct extension_table *table, const char *context, const char *pattern, int fn,
                         const char *at)
{
    struct extension *item;

    if (table->count == table->room) {
        table->room = table->room ? table->room * 2 : 16;
        table->items = mem_resize(table->items, table->room * sizeof *table->items);
    }
    item = &table->items[table->count++];
    item->context = str_dup(context);
    item->pattern = str_dup(pattern);
    item->fn = fn;
    str_copy(item->at, sizeof item->at, at);
}

static int compare_items(const void *a, const void *b)
{
    const struct extension *x = a, *y = b;
    int order = strcmp(x->context, y->context);

    return order ? order : extension_compare(x->pattern, y->pattern);
}

const struct extension *extension_table_sort(struct extension_table *table, const struct extension **first)
{
    if (table->count)
        qsort(table->items, table->count, sizeof *table->items, compare_items);
    for (size_t i = 1; i < table->count; i++) {
        if (compare_items(&table->items[i - 1], &table->items[i]) == 0) {
            *first = &table->items[i - 1];
            return &table->items[i];
        }
    }
    return NULL;
}

/* The first item that is not before (context, key); key NULL: before every pattern of the context, after its literals.
 */
static size_t lower_bound(const struct extension_table *table, const char *context, const char *key)
{
    size_t low = 0, high = table->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct extension *item = &table->items[middle];
        int order = strcmp(item->context, context);

        if (order == 0)
            order = *item->pattern == '_' ? 1 : key ? strcmp(item->pattern, key) : -1;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct extension *extension_find(const struct extension_table *table, const char *context, const char *dialled)
{
    size_t i = lower_bound(table, context, dialled);

    if (i < table->count && strcmp(table->items[i].context, context) == 0 &&
        strcmp(table->items[i].pattern, dialled) == 0 && *dialled != '_')
        return &table->items[i];
    for (i = lower_bound(table, context, NULL); i < table->count; i++) {
        if (strcmp(table->items[i].context, context) != 0)
            break;
        if (extension_matches(table->items[i].pattern, dialled))
            return &table->items[i];
    }
    return NULL;
}

void extension_table_free(struct extension_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free(table->items[i].context);
        free(table->items[i].pattern);
    }
    free(table->items);
    memset(table, 0, sizeof *table);
}
