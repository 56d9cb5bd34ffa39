/* Stands in for core/sip's methods, core/console and core/db in tests of modules. File-scope state: one test at a time.
 */
#include "fake_core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "console/console.h"
#include "sip/methods.h"

struct loop *fake_loop;
static char journal[8192], taken[8192];

void journal_note(const char *fmt, ...)
{
    size_t used = strlen(journal);
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    str_append(journal, sizeof journal, &used, "%s%s", used ? " " : "", text);
}

const char *journal_take(void)
{
    str_copy(taken, sizeof taken, journal);
    journal[0] = '\0';
    return taken;
}

/* --- core/sip
 * ----------------------------------------------------------------------------------------------------------- */

struct sip_method {
    char name[32];
};

int sip_method_add(struct pbx *pbx, const char *method, void (*fn)(void *arg, struct sipmsg *request), void *arg,
                   struct sip_method **out)
{
    if (strcmp(method, "TAKEN") == 0)
        return -EEXIST;
    *out = mem_new(sizeof **out);
    str_copy((*out)->name, sizeof(*out)->name, method);
    journal_note("+%s", method);
    return 0;
}

struct event_server {
    int unused;
};

int event_package_add(struct pbx *pbx, const struct event_package *package, struct event_server **out)
{
    if (strcmp(package->name, "taken") == 0)
        return -EEXIST;
    *out = mem_new(sizeof **out);
    journal_note("+event:%s", package->name);
    return 0;
}

void event_package_remove(struct event_server *server)
{
    journal_note("-event");
    free(server);
}

void sip_method_remove(struct sip_method *method)
{
    journal_note("-%s", method->name);
    free(method);
}

/* --- core/console
 * ------------------------------------------------------------------------------------------------------- */

struct console_command {
    struct list node;
    char name[32];
    console_fn fn;
    void *arg;
};

struct console_request {
    json_t *result;
};

static struct list commands = {&commands, &commands};

struct console *fake_console(void)
{
    return (struct console *)&commands; /* never looked into */
}

int console_add(struct console *console, const char *name, const char *summary, console_fn fn, void *arg,
                struct console_command **out)
{
    *out = mem_new(sizeof **out);
    str_copy((*out)->name, sizeof(*out)->name, name);
    (*out)->fn = fn;
    (*out)->arg = arg;
    list_append(&commands, &(*out)->node);
    journal_note("+%s", name);
    return 0;
}

void console_remove(struct console_command *command)
{
    journal_note("-%s", command->name);
    list_unlink(&command->node);
    free(command);
}

struct console_status *console_add_status(struct console *console, const char *name, json_t *(*fn)(void *arg),
                                          void *arg)
{
    journal_note("+%s", name);
    return (struct console_status *)str_dup(name);
}

void console_remove_status(struct console_status *status)
{
    journal_note("-%s", (const char *)status);
    free(status);
}

void console_reply(struct console_request *request, json_t *result)
{
    request->result = result;
}

void console_fail(struct console_request *request, const char *code, const char *fmt, ...)
{
    journal_note("failed:%s", code);
}

json_t *fake_console_run(const char *command, json_t *params)
{
    struct console_request request = {NULL};
    struct console_command *c;

    LIST_FOR_EACH(c, &commands, node)
    {
        if (strcmp(c->name, command) == 0) {
            c->fn(c->arg, &request, params);
            break;
        }
    }
    json_decref(params);
    return request.result;
}

/* --- core/db
 * ------------------------------------------------------------------------------------------------------------ */

struct db_query {
    struct list node;
    char sql[512];
    char params[4][128];
    db_done_fn done;
    void *arg;
};

struct db_result {
    int rows;
    const char *values[2];
};

static struct list queries = {&queries, &queries};
static struct snapshot *the_snapshot;

struct db *fake_db(void)
{
    return (struct db *)&queries; /* never looked into */
}

struct db_query *db_query(struct db *db, const char *sql, const char *const *params, unsigned count,
                          unsigned deadline_ms, db_done_fn done, void *arg)
{
    struct db_query *query = mem_new(sizeof *query);

    str_copy(query->sql, sizeof query->sql, sql);
    for (unsigned i = 0; i < count && i < COUNT_OF(query->params); i++)
        str_copy(query->params[i], sizeof query->params[i], params[i]);
    query->done = done;
    query->arg = arg;
    list_append(&queries, &query->node);
    return query;
}

void db_query_cancel(struct db_query *query)
{
    journal_note("cancelled");
    list_unlink(&query->node);
    free(query);
}

static struct db_query *first_query(void)
{
    return list_empty(&queries) ? NULL : LIST_ENTRY(queries.next, struct db_query, node);
}

const char *fake_query(void)
{
    return first_query() ? first_query()->sql : NULL;
}

const char *fake_query_param(unsigned i)
{
    return first_query() ? first_query()->params[i] : NULL;
}

void fake_query_ends(int err, int rows, const char *first, const char *second)
{
    struct db_query *query = first_query(), copy = *query;
    struct db_result result = {rows, {first, second}};

    list_unlink(&query->node);
    free(query);
    copy.done(copy.arg, err, err ? "the test says so" : NULL, err ? NULL : &result);
}

int db_rows(const struct db_result *result)
{
    return result->rows;
}

const char *db_value(const struct db_result *result, int row, int column)
{
    return result && row < result->rows && column < 2 ? result->values[column] : NULL;
}

const struct snapshot *db_snapshot(const struct db *db)
{
    return the_snapshot;
}

void fake_snapshot_set(struct snapshot *snapshot)
{
    the_snapshot = snapshot;
}
