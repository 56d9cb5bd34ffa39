/* Extension patterns and the table of extensions: literals are found by bisection, patterns are tried in their order,
 * and a context is followed by what it includes. Pure; knows neither Lua nor calls. */
#include "script/extension.h"

#include <stdio.h>
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

/* Which is more specific: negative when a is, 0 when neither. */
static int compare_reach(const char *a, const char *b)
{
    struct place in_a, in_b;

    if (*a != '_' || *b != '_')
        return (*a == '_') - (*b == '_');
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
    return 0;
}

int extension_compare(const char *a, const char *b)
{
    int order = compare_reach(a, b);

    return order ? order : strcmp(a, b);
}

/* --- the table --------------------------------------------------------------------------------------------------- */

static struct extension_context *context_of(struct extension_table *table, const char *name)
{
    struct extension_context *context;

    for (size_t i = 0; i < table->context_count; i++)
        if (strcmp(table->contexts[i].name, name) == 0)
            return &table->contexts[i];
    table->contexts = mem_resize(table->contexts, (table->context_count + 1) * sizeof *table->contexts);
    context = &table->contexts[table->context_count++];
    *context = (struct extension_context){.name = str_dup(name)};
    return context;
}

struct extension *extension_table_add(struct extension_table *table, const char *context, const char *pattern, int fn,
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
    item->exists = 0;
    item->stopped = 0;
    str_copy(item->at, sizeof item->at, at);
    context_of(table, context);
    return item;
}

void extension_table_include(struct extension_table *table, const char *name, const char *included, const char *at)
{
    struct extension_context *context = context_of(table, name);

    str_copy(context->at, sizeof context->at, at);
    for (size_t i = 0; i < context->include_count; i++)
        if (strcmp(context->includes[i], included) == 0)
            return;
    context->includes = mem_resize(context->includes, (context->include_count + 1) * sizeof *context->includes);
    context->includes[context->include_count++] = str_dup(included);
}

static int compare_items(const void *a, const void *b)
{
    const struct extension *x = a, *y = b;
    int order = strcmp(x->context, y->context);

    return order ? order : extension_compare(x->pattern, y->pattern);
}

static int compare_contexts(const void *a, const void *b)
{
    return strcmp(((const struct extension_context *)a)->name, ((const struct extension_context *)b)->name);
}

static const struct extension_context *context_find(const struct extension_table *table, const char *name)
{
    struct extension_context key = {.name = (char *)(uintptr_t)name};

    return table->context_count ? bsearch(&key, table->contexts, table->context_count, sizeof key, compare_contexts)
                                : NULL;
}

static bool is_listed(const struct extension_context *context, size_t number)
{
    for (size_t i = 0; i < context->search_count; i++)
        if (context->search[i] == number)
            return true;
    return false;
}

/* Follows the includes breadth first; contexts may include each other. */
static int find_search_order(struct extension_table *table, struct extension_context *context, char *why, size_t size)
{
    context->search = mem_new(table->context_count * sizeof *context->search);
    context->search[context->search_count++] = (size_t)(context - table->contexts);
    for (size_t i = 0; i < context->search_count; i++) {
        const struct extension_context *from = &table->contexts[context->search[i]];

        for (size_t k = 0; k < from->include_count; k++) {
            const struct extension_context *to = context_find(table, from->includes[k]);

            if (!to) {
                snprintf(why, size, "%s: context \"%s\" includes \"%s\", and no extension is in that", from->at,
                         from->name, from->includes[k]);
                return -EINVAL;
            }
            if (!is_listed(context, (size_t)(to - table->contexts)))
                context->search[context->search_count++] = (size_t)(to - table->contexts);
        }
    }
    return 0;
}

int extension_table_sort(struct extension_table *table, char *why, size_t why_size)
{
    int result = 0;

    if (table->count)
        qsort(table->items, table->count, sizeof *table->items, compare_items);
    if (table->context_count)
        qsort(table->contexts, table->context_count, sizeof *table->contexts, compare_contexts);
    for (size_t i = 1; i < table->count; i++) {
        const struct extension *first = &table->items[i - 1], *again = &table->items[i];

        if (compare_items(first, again) == 0) {
            snprintf(why, why_size, "%s: extension \"%s\" in context \"%s\" is defined a second time, see %s",
                     again->at, again->pattern, again->context, first->at);
            return -EINVAL;
        }
    }
    for (size_t i = 0; i < table->context_count && result == 0; i++)
        result = find_search_order(table, &table->contexts[i], why, why_size);
    return result;
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

/* In one context alone. */
static const struct extension *find_in(const struct extension_table *table, const char *context, const char *dialled)
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

const struct extension *extension_find(const struct extension_table *table, const char *name, const char *dialled)
{
    const struct extension_context *context = context_find(table, name);
    const struct extension *best = NULL;

    for (size_t i = 0; context && i < context->search_count; i++) {
        const struct extension *found = find_in(table, table->contexts[context->search[i]].name, dialled);

        if (found && (!best || compare_reach(found->pattern, best->pattern) < 0))
            best = found;
    }
    return best;
}

void extension_table_free(struct extension_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free(table->items[i].context);
        free(table->items[i].pattern);
    }
    for (size_t i = 0; i < table->context_count; i++) {
        struct extension_context *context = &table->contexts[i];

        for (size_t k = 0; k < context->include_count; k++)
            free(context->includes[k]);
        free(context->includes);
        free(context->name);
        free(context->search);
    }
    free(table->items);
    free(table->contexts);
    memset(table, 0, sizeof *table);
}
