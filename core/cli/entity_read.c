/* tandem account, device, setting: list and show, for people as tables and for programs as JSON. */
#include "config.h" /* first: it asks the C library for its extensions */

#include "cli/entity.h"

/* A value for people. Returns out or the string itself. */
static const char *value_text(const json_t *value, char out[32])
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_boolean(value))
        return json_is_true(value) ? "yes" : "no";
    if (json_is_integer(value))
        snprintf(out, 32, "%lld", (long long)json_integer_value(value));
    else
        out[0] = '\0';
    return out;
}

static void print_list(const struct cli *cli, const json_t *list, const char *const *heads, const char *const *columns,
                       unsigned count)
{
    struct table table;
    const json_t *item;
    size_t i;

    table_init(&table, heads, count);
    json_array_foreach(list, i, item)
    {
        char room[TABLE_COLUMNS][32];
        const char *cells[TABLE_COLUMNS];

        for (unsigned k = 0; k < count; k++)
            cells[k] = value_text(json_object_get(item, columns[k]), room[k]);
        table_row(&table, cells);
    }
    table_print(&table, cli);
}

enum cli_exit entity_list(struct cli *cli, const struct entity *entity, int argc, char **argv)
{
    const char *wanted = argc > 1 ? argv[1] : NULL;
    json_t *items, *result;

    if (argc > 2)
        return cli_usage(entity->command, "%s list takes at most one word to look for", entity->word);
    if (cli_sql(cli, entity->list, &wanted, 1, &items, NULL) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        result = json_pack("{s:O}", entity->plural, items);
        print_json(cli, result);
        json_decref(result);
    } else if (!json_array_size(items)) {
        fprintf(cli->out,
                wanted ? "No %s has that in its name.\n" : "There are no %ss yet. `tandem %s add` makes one.\n",
                entity->word, entity->word);
    } else {
        print_list(cli, items, entity->heads, entity->columns, entity->column_count);
    }
    json_decref(items);
    return CLI_OK;
}

static const char *null_text(const char *column)
{
    static const struct {
        const char *column, *text;
    } texts[] = {{"mac", ""},
                 {"acl", "none"},
                 {"number", "none"},
                 {"account", "the caller"},
                 {"ring_time", "as the group"},
                 {"confirm", "when it is outside"}};

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (strcmp(texts[i].column, column) == 0)
            return texts[i].text;
    return "as the switch";
}

/* A field of `show`, in words. Returns out or the string itself. */
static const char *field_text(const struct field *f, const json_t *value, char out[32])
{
    if (json_is_null(value) && f->may_default)
        return null_text(f->column);
    if (!f->seconds || !json_is_integer(value))
        return value_text(value, out);
    return json_integer_value(value) ? duration_text(json_integer_value(value), out) : "no limit";
}

static void print_fields(const struct cli *cli, const struct entity *entity, const json_t *item)
{
    char room[32];

    for (const struct field *f = entity->fields; f->column; f++) {
        const json_t *value = json_object_get(item, f->column);

        fprintf(cli->out, "%s%-16s%s ", f == entity->fields ? colour(cli, BOLD) : "", f->label,
                f == entity->fields ? colour(cli, PLAIN) : "");
        print_clean(cli->out, field_text(f, value, room));
        putc('\n', cli->out);
    }
    if (*json_str(item, "updated_by"))
        fprintf(cli->out, "%-16s %.19s by %s\n", "changed", json_str(item, "updated_at"), json_str(item, "updated_by"));
}

enum cli_exit entity_show(struct cli *cli, const struct entity *entity, int argc, char **argv)
{
    static const char *const heads[] = {"CONTACT", "PEER", "DEVICE", "PHONE"};
    static const char *const columns[] = {"contact", "peer", "device", "user_agent"};
    const json_t *devices, *phones, *members;
    json_t *item;

    if (argc != 2 || argv[1][0] == '-')
        return cli_usage(entity->command, "%s show needs the name of the %s and nothing else", entity->word,
                         entity->word);
    if (cli_sql(cli, entity->show, (const char *const[]){argv[1]}, 1, &item, NULL) != CLI_OK)
        return CLI_FAILED;
    if (!json_is_object(item)) {
        json_decref(item);
        return entity_missing(entity, argv[1]);
    }
    devices = json_object_get(item, "device_list");
    phones = json_object_get(item, "registrations");
    members = json_object_get(item, "member_list");
    if (cli->json) {
        print_json(cli, item);
    } else {
        print_fields(cli, entity, item);
        if (json_object_get(item, "meaning"))
            fprintf(cli->out, "%-16s %s\n%-16s %s\n", "default", json_str(item, "default_value"), "meaning",
                    json_str(item, "meaning"));
        if (json_array_size(devices)) {
            putc('\n', cli->out);
            print_list(cli, devices, entity_device.heads, entity_device.columns, entity_device.column_count);
        }
        if (json_array_size(members)) {
            putc('\n', cli->out);
            print_list(cli, members, entity_member.heads + 1, entity_member.columns + 1,
                       entity_member.column_count - 1);
        }
        if (json_array_size(phones)) {
            putc('\n', cli->out);
            print_list(cli, phones, heads, columns, COUNT_OF(heads));
        }
    }
    json_decref(item);
    return CLI_OK;
}
