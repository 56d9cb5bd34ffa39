/* libFuzzer: a CSV file, as an import takes it. Fields lie within the text; what was read can be written, and is read
 * again as the same. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>

#include "cli/entity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIELDS 13

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_new(size + 1), *written = NULL, *again[FIELDS], *fields[FIELDS], *copy;
    size_t len = 0;
    FILE *out = open_memstream(&written, &len);
    struct csv csv, second;
    unsigned line = 0;
    int count;

    memcpy(text, data, size);
    copy = str_dup(text);
    /* Rows of the first reading go out as they come; the text of the second one is what was written. */
    csv_open(&csv, text);
    while ((count = csv_row(&csv, fields, FIELDS)) > 0) {
        must(csv.line > line || line == 0, "lines are counted");
        line = csv.line;
        for (int i = 0; i < count; i++) {
            must(fields[i] >= text && fields[i] + strlen(fields[i]) <= text + size, "a field lies within the text");
            csv_write(out, fields[i], i + 1 == count);
        }
    }
    csv_close(&csv);
    fclose(out);
    csv_open(&csv, copy);
    csv_open(&second, written);
    while ((count = csv_row(&csv, fields, FIELDS)) > 0) {
        if (count == 1 && !*fields[0]) /* an empty line, written out, is no row */
            continue;
        must(csv_row(&second, again, FIELDS) == count, "as many fields are read again");
        for (int i = 0; i < count; i++)
            must(strcmp(fields[i], again[i]) == 0, "and the same ones");
    }
    must(csv_row(&second, again, FIELDS) == 0, "and no more");
    csv_close(&csv);
    csv_close(&second);
    return 0;
}
