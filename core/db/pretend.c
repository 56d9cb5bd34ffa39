/* A database that is not there: a snapshot to read, and answers to questions that somebody makes up. For simulations.
 * Signalling thread. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/db-priv.h"

#define COLUMNS_MAX 64

static unsigned type_of(const json_t *value)
{
    if (json_is_boolean(value))
        return 16; /* boolean, bigint, double precision, text: their numbers in pg_type */
    if (json_is_integer(value))
        return 20;
    return json_is_real(value) ? 701 : 25;
}

static void put(PGresult *pg, int row, int column, const json_t *value)
{
    char *text = NULL;

    if (json_is_boolean(value))
        text = str_dup(json_is_true(value) ? "t" : "f");
    else if (json_is_string(value))
        text = str_dup(json_string_value(value));
    else if (value && !json_is_null(value))
        text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    PQsetvalue(pg, row, column, text, text ? (int)strlen(text) : -1);
    free(text);
}

/* The columns are the keys of all rows; the first value of a column that is not null gives its type. */
static int find_columns(const json_t *rows, PGresAttDesc columns[COLUMNS_MAX])
{
    json_t *row, *value;
    const char *key;
    int count = 0;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        json_object_foreach(row, key, value)
        {
            int at = 0;

            while (at < count && strcmp(columns[at].name, key) != 0)
                at++;
            if (at == COLUMNS_MAX)
                continue;
            if (at == count)
                columns[count++] = (PGresAttDesc){.name = (char *)(uintptr_t)key, .typid = 25, .typlen = -1};
            if (columns[at].typid == 25 && !json_is_null(value))
                columns[at].typid = type_of(value);
        }
    }
    return count;
}

struct pg_result *pretend_result(const json_t *rows)
{
    PGresAttDesc columns[COLUMNS_MAX];
    PGresult *pg = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    int count = find_columns(rows, columns);
    json_t *row;
    size_t i;

    PQsetResultAttrs(pg, count, columns);
    json_array_foreach(rows, i, row)
    {
        for (int column = 0; column < count; column++)
            put(pg, (int)i, column, json_object_get(row, columns[column].name));
    }
    return pg;
}
