/* libFuzzer: the dialplan's store over a journal of JSON lines that was damaged, or is whatever the input is. Lines
 * before the damage are in force, later changes of a key over earlier ones; what is kept is within the store's limits,
 * and the next start has the same. */
#include "base/log.h"
#include "db/store.h"
#include "disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool within_limits(json_t *all)
{
    const char *key;
    json_t *value;
    size_t bytes = 0;

    json_object_foreach(all, key, value)
    {
        if (!json_is_string(value) && !json_is_number(value) && !json_is_boolean(value))
            return false;
        if (strlen(key) > STORE_KEY_MAX || (json_is_string(value) && json_string_length(value) > STORE_TEXT_MAX))
            return false;
        bytes += strlen(key);
    }
    return json_object_size(all) <= STORE_KEYS_MAX && bytes <= STORE_BYTES_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    struct store *store;
    json_t *all, *again;
    bool torn = size && data[size - 1] != '\n';
    char path[128], *file;
    size_t len = 0;

    if (!loop) {
        log_setup("fuzz", LOG_LEVEL_NONE);
        loop = loop_new_fake();
    }
    file = mem_new(size + 200);
    len = (size_t)sprintf(file, "{\"key\":\"before\",\"value\":1,\"updated\":9,\"expires\":0,\"saved\":true}\n"
                                "{\"key\":\"before\",\"value\":\"two\",\"updated\":10,\"expires\":0,\"saved\":true}\n");
    memcpy(file + len, data, size);
    snprintf(path, sizeof path, "%s/store.journal", disk_dir());
    disk_put(path, file, len + size);
    disk_must(store_open(loop, NULL, disk_dir(), &store) == 0, "a damaged journal is read");
    disk_must(memmem(data, size, "before", 6) != NULL || memchr(data, '\\', size) != NULL ||
                  (store_get(store, "before") && strcmp(json_string_value(store_get(store, "before")), "two") == 0),
              "what stands before the damage is in force");
    all = store_all(store);
    disk_must(within_limits(all), "what is kept is within the limits");
    store_close(store);
    for (int i = 0; torn && i < 2; i++)
        loop_turn(loop, 0);
    disk_must(store_open(loop, NULL, disk_dir(), &store) == 0, "the next start reads it");
    again = store_all(store);
    disk_must(json_equal(all, again), "and has the same");
    store_close(store);
    json_decref(all);
    json_decref(again);
    free(file);
    return 0;
}
