/* How full the switch is: its memory and its transactions, looked at once a second and told to the edge in percent of
 * what is allowed. Also brings the numbers of emergency calls there. Signalling thread; reads two files of /proc and
 * /sys, which the kernel answers from memory. */
#include "main/load.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "db/snapshot.h"
#include "edge/overload.h"

#define LOOK_MS 1000
#define TRANSACTIONS_MAX 100000 /* about 0.8 GB, and 780 calls a second */
#define TRIM_PERCENT 80         /* freed memory is asked back before anybody is refused */
#define TRIM_EVERY_US 60000000

struct load {
    struct pbx *pbx;
    struct edge *edge;
    const struct agent *agent;
    struct loop_timer timer;
    struct bus_subscription *configured;
    uint64_t machine; /* bytes that this process may have at most, as the kernel says */
    uint64_t limit, used, trimmed_us;
    size_t transactions;
    bool overloaded; /* as the last event said */
};

/* A number in a file, behind a word when one is given; 0 when it is not there. */
static uint64_t number_in(const char *path, const char *word, unsigned column)
{
    FILE *file = fopen(path, "re");
    char line[256];
    uint64_t value = 0;

    while (file && !value && fgets(line, sizeof line, file)) {
        char *save = NULL, *token = strtok_r(line, " \t\n", &save);

        if (word && (!token || strcmp(token, word) != 0))
            continue;
        for (unsigned i = 0; token && i < column; i++)
            token = strtok_r(NULL, " \t\n", &save);
        if (!token || str_to_u64(token, UINT64_MAX, &value) < 0)
            value = 0; /* "max": no limit */
        break;
    }
    if (file)
        fclose(file);
    return value;
}

static uint64_t machine_memory(void)
{
    uint64_t memory = number_in("/proc/meminfo", "MemTotal:", 1) * 1024;
    uint64_t group = number_in("/sys/fs/cgroup/memory.max", NULL, 0);

    return group && group < memory ? group : memory;
}

static uint64_t resident(void)
{
    return number_in("/proc/self/statm", NULL, 1) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static unsigned percent(uint64_t used, uint64_t limit)
{
    uint64_t of = limit ? used * 100 / limit : 0;

    return of > 10000 ? 10000 : (unsigned)of;
}

static void tell(struct load *load)
{
    struct event event = {.kind = EVENT_OVERLOAD, .detail = edge_overload_words(load->edge)};

    if (load->overloaded == edge_overload(load->edge)->on)
        return;
    load->overloaded = !load->overloaded;
    bus_publish(load->pbx->bus, &event);
}

static void look(void *arg)
{
    struct load *load = arg;
    uint64_t now = loop_now_us(load->pbx->loop);
    struct agent_stats stats;
    unsigned memory, transactions;

    load->used = resident();
    if (percent(load->used, load->limit) >= TRIM_PERCENT && now - load->trimmed_us > TRIM_EVERY_US) {
        load->trimmed_us = now;
        malloc_trim(0);
        load->used = resident();
    }
    agent_get_stats(load->agent, &stats);
    load->transactions = stats.nta_incoming + stats.nta_outgoing;
    memory = percent(load->used, load->limit);
    transactions = percent(load->transactions, TRANSACTIONS_MAX);
    if (memory >= transactions)
        edge_set_load(load->edge, memory, "memory");
    else
        edge_set_load(load->edge, transactions, "transactions");
    tell(load);
    loop_timer_start(load->pbx->loop, &load->timer, LOOK_MS, look, load);
}

static void configured(void *arg, const struct event *event)
{
    struct load *load = arg;
    const struct snapshot *snapshot = load->pbx->db ? db_snapshot(load->pbx->db) : NULL;
    uint64_t megabytes = 0;

    edge_set_emergency(load->edge, snapshot_setting(snapshot, "emergency_numbers", PBX_EMERGENCY));
    if (str_to_u64(snapshot_setting(snapshot, "max_memory", "0"), UINT32_MAX, &megabytes) < 0)
        megabytes = 0;
    load->limit = megabytes ? megabytes << 20 : load->machine / 2;
}

struct load *load_open(struct pbx *pbx, struct edge *edge, const struct agent *agent)
{
    struct load *load = mem_new(sizeof *load);

    load->pbx = pbx;
    load->edge = edge;
    load->agent = agent;
    load->machine = machine_memory();
    configured(load, NULL);
    load->configured = bus_subscribe(pbx->bus, EVENT_BIT(EVENT_CONFIG), configured, load);
    loop_timer_start(pbx->loop, &load->timer, LOOK_MS, look, load);
    return load;
}

void load_close(struct load *load)
{
    if (!load)
        return;
    loop_timer_stop(load->pbx->loop, &load->timer);
    bus_unsubscribe(load->configured);
    free(load);
}

json_t *load_status(void *arg)
{
    const struct load *load = arg;
    const struct overload *o = edge_overload(load->edge);

    return json_pack("{s:b,s:s,s:i,s:I,s:I,s:I,s:I,s:I,s:I}", "overloaded", o->on, "why",
                     edge_overload_words(load->edge), "percent", (int)edge_load(load->edge), "wait_ms",
                     (json_int_t)(o->lag_us / 1000), "memory_mb", (json_int_t)(load->used >> 20), "max_memory_mb",
                     (json_int_t)(load->limit >> 20), "transactions", (json_int_t)load->transactions,
                     "max_transactions", (json_int_t)TRANSACTIONS_MAX, "refused", (json_int_t)o->refused_all);
}
