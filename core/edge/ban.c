/* The table of bans: one hash of networks by prefix and length, and before it two small tables of sources, those that
 * have given offence and those that are trusted. Signalling thread. Must not know what a message says, nor where bans
 * are kept over a restart (main/bans.c does). */
#include "edge/ban.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/log.h"

#define BUCKETS 4096
#define PROVEN_MAX 4096  /* the oldest goes: an attacker with many addresses must not fill the memory */
#define UNPROVEN_MAX 256 /* a table of their own: forged addresses must not push out who is proven */
#define BY_HAND_MAX 4096
#define SETS 1024 /* of four sources each */
#define TRUST_SETS 4096
#define WAYS 4
#define TRUST_S 7200        /* longer than nearly all registrations are valid */
#define UNPROVEN_AT_ONCE 20 /* begin, and then one in a second: each is a line of the log, a row and two events */
#define UNPROVEN_S 60       /* and so long it does not come again */
#define GARBAGE_WINDOW_S 10
#define GARBAGE_MAX 200 /* in that time: no device does this by mistake for long */
#define FORGET_S 86400  /* a step back for so long a time without offence */
#define SWEEP_MS 5000
#define US 1000000ull

static const unsigned steps[] = {60, 300, 1800, 14400, 86400};
static const char *const reasons[] = {
    [BAN_BY_HAND] = "by hand", [BAN_PASSWORDS] = "passwords", [BAN_SCANNER] = "scanner", [BAN_GARBAGE] = "garbage"};

struct entry {
    struct list in_bucket, in_order; /* oldest first */
    bool over;                       /* its end has been told */
    struct ban ban;
};

struct suspect {
    uint64_t source; /* 0: free */
    uint32_t since_s;
    uint32_t count;
};

struct trusted {
    uint64_t source;
    uint32_t until_s;
};

struct bans {
    struct loop *loop;
    struct loop_timer sweep;
    uint8_t key[16];
    struct list buckets[BUCKETS];
    struct list by_hand, proven, unproven;
    unsigned by_hand_count, proven_count, unproven_count;
    /* Prefix lengths that occur: of IPv4 from 0, of IPv6 from 33. Each costs a lookup one hash. */
    unsigned lengths[33 + 129];
    ban_fn fn;
    void *arg;
    unsigned failures, window_s, never_count;
    unsigned unproven_begun; /* less one for each second since */
    uint32_t unproven_s;
    struct network never[BAN_NEVER_MAX];
    /* One table for each kind of offence: garbage of forged sources must not push wrong passwords out. */
    struct suspect wrong[SETS][WAYS], garbage[SETS][WAYS];
    struct trusted trusted[TRUST_SETS][WAYS];
};

const char *ban_reason_name(enum ban_reason reason)
{
    return (unsigned)reason < BAN_REASONS ? reasons[reason] : "?";
}

enum ban_reason ban_reason_parse(const char *name)
{
    for (int i = 0; i < BAN_REASONS; i++)
        if (strcmp(name, reasons[i]) == 0)
            return (enum ban_reason)i;
    return BAN_BY_HAND;
}

unsigned ban_step_s(unsigned step)
{
    return steps[step < COUNT_OF(steps) ? step : COUNT_OF(steps) - 1];
}

static uint64_t hash(const struct bans *bans, const struct network *network)
{
    uint8_t text[18] = {network->addr.sa.sa_family == AF_INET6, (uint8_t)network->bits};
    uint64_t h;

    if (text[0])
        memcpy(text + 2, &network->addr.in6.sin6_addr, 16);
    else
        memcpy(text + 2, &network->addr.in.sin_addr, 4);
    h = siphash(bans->key, text, text[0] ? sizeof text : 6);
    return h ? h : 1;
}

static unsigned *length_of(struct bans *bans, const struct network *network)
{
    return &bans->lengths[(network->addr.sa.sa_family == AF_INET6 ? 33 : 0) + network->bits];
}

static struct entry *find(struct bans *bans, const struct network *network)
{
    struct entry *entry;

    LIST_FOR_EACH(entry, &bans->buckets[hash(bans, network) % BUCKETS], in_bucket)
    {
        if (network_same(&entry->ban.network, network))
            return entry;
    }
    return NULL;
}

static bool in_force(const struct bans *bans, const struct ban *ban)
{
    return !ban->until_us || ban->until_us > loop_wall_us(bans->loop);
}

static void tell(struct bans *bans, const struct ban *ban, enum ban_news news)
{
    if (bans->fn)
        bans->fn(bans->arg, ban, news);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static struct list *kind_of(struct bans *bans, const struct ban *ban, unsigned **count)
{
    bool by_hand = ban->reason == BAN_BY_HAND;

    *count = by_hand ? &bans->by_hand_count : ban->proven ? &bans->proven_count : &bans->unproven_count;
    return by_hand ? &bans->by_hand : ban->proven ? &bans->proven : &bans->unproven;
}

static void drop(struct bans *bans, struct entry *entry)
{
    unsigned *number;

    list_unlink(&entry->in_bucket);
    list_unlink(&entry->in_order);
    --*length_of(bans, &entry->ban.network);
    kind_of(bans, &entry->ban, &number);
    --*number;
    free(entry);
}

static void drop_and_tell(struct bans *bans, struct entry *entry, enum ban_news news)
{
    struct ban ban = entry->ban;

    drop(bans, entry);
    tell(bans, &ban, news);
}

/* How long it is remembered after its end: for its step, and for the peace after one that is not proven. */
static uint64_t memory_us(const struct ban *ban)
{
    if (ban->reason == BAN_BY_HAND)
        return 0;
    return (ban->proven || ban->step ? (ban->step + 1) * FORGET_S : UNPROVEN_S) * US;
}

static void sweep(void *arg)
{
    struct bans *bans = arg;
    struct list *const lists[] = {&bans->by_hand, &bans->proven, &bans->unproven};
    uint64_t now = loop_wall_us(bans->loop);
    struct entry *entry, *tmp;

    for (size_t i = 0; i < COUNT_OF(lists); i++)
        LIST_FOR_EACH_SAFE(entry, tmp, lists[i], in_order)
        {
            if (in_force(bans, &entry->ban))
                continue;
            if (!entry->over) {
                entry->over = true;
                tell(bans, &entry->ban, BAN_ENDS);
            }
            if (entry->ban.until_us + memory_us(&entry->ban) <= now)
                drop_and_tell(bans, entry, BAN_FORGOTTEN);
        }
    if (bans->by_hand_count + bans->proven_count + bans->unproven_count)
        loop_timer_start(bans->loop, &bans->sweep, SWEEP_MS, sweep, bans);
}

static struct entry *put(struct bans *bans, const struct ban *ban)
{
    struct entry *entry = find(bans, &ban->network);
    unsigned *number;
    struct list *list = kind_of(bans, ban, &number);

    if (entry)
        drop(bans, entry);
    if (ban->reason != BAN_BY_HAND && *number >= (ban->proven ? PROVEN_MAX : UNPROVEN_MAX))
        drop_and_tell(bans, LIST_ENTRY(list->next, struct entry, in_order), BAN_FORGOTTEN);
    entry = mem_new(sizeof *entry);
    entry->ban = *ban;
    entry->over = !in_force(bans, ban);
    list_append(&bans->buckets[hash(bans, &ban->network) % BUCKETS], &entry->in_bucket);
    list_append(list, &entry->in_order);
    ++*number;
    ++*length_of(bans, &ban->network);
    if (!loop_timer_running(&bans->sweep))
        loop_timer_start(bans->loop, &bans->sweep, SWEEP_MS, sweep, bans);
    return entry;
}

int bans_put(struct bans *bans, const struct ban *ban)
{
    if (ban->network.bits < (ban->network.addr.sa.sa_family == AF_INET6 ? 16 : 8))
        return -EINVAL;
    if (ban->reason == BAN_BY_HAND && bans->by_hand_count >= BY_HAND_MAX)
        return -ENOSPC;
    put(bans, ban);
    return 0;
}

int bans_lift(struct bans *bans, const struct network *network)
{
    struct entry *entry = find(bans, network);

    if (!entry)
        return -ENOENT;
    drop(bans, entry);
    return 0;
}

int bans_add(struct bans *bans, const struct ban *ban)
{
    int error = bans_put(bans, ban);

    if (error == 0)
        tell(bans, ban, BAN_BEGINS);
    return error;
}

int bans_remove(struct bans *bans, const struct network *network)
{
    struct entry *entry = find(bans, network);

    if (!entry)
        return -ENOENT;
    drop_and_tell(bans, entry, BAN_LIFTED);
    return 0;
}

static const struct ban *look_up(struct bans *bans, const union addr *source, bool stream)
{
    bool six = source->sa.sa_family == AF_INET6;
    const unsigned *lengths = bans->lengths + (six ? 33 : 0);

    for (unsigned bits = six ? 128 : 32; bits > 0; bits--) {
        struct network network;
        const struct entry *entry;

        if (!lengths[bits])
            continue;
        network = network_of(source, bits);
        entry = find(bans, &network);
        if (entry && (entry->ban.proven || !stream) && in_force(bans, &entry->ban))
            return &entry->ban;
    }
    return NULL;
}

bool bans_has(struct bans *bans, const union addr *source, bool stream)
{
    return bans->by_hand_count + bans->proven_count + bans->unproven_count > 0 && look_up(bans, source, stream);
}

const struct ban *bans_of(struct bans *bans, const union addr *source)
{
    return look_up(bans, source, false);
}

void bans_each(struct bans *bans, ban_fn fn, void *arg)
{
    struct list *const lists[] = {&bans->by_hand, &bans->proven, &bans->unproven};
    const struct entry *entry;

    for (size_t i = 0; i < COUNT_OF(lists); i++)
        LIST_FOR_EACH(entry, lists[i], in_order)
        {
            if (in_force(bans, &entry->ban))
                fn(arg, &entry->ban, BAN_BEGINS);
        }
}

static void count_one(void *arg, const struct ban *ban, enum ban_news news)
{
    ++*(unsigned *)arg;
}

unsigned bans_count(struct bans *bans)
{
    unsigned count = 0;

    bans_each(bans, count_one, &count);
    return count;
}

/* --- who is trusted ----------------------------------------------------------------------------------------------- */

static uint32_t now_s(const struct bans *bans)
{
    return (uint32_t)(loop_now_us(bans->loop) / US);
}

static uint64_t hash_source(const struct bans *bans, const union addr *source)
{
    struct network network = network_of_source(source);

    return hash(bans, &network);
}

void bans_trust(struct bans *bans, const union addr *source)
{
    uint64_t h = hash_source(bans, source);
    struct trusted *set = bans->trusted[h % TRUST_SETS], *slot = set;

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].source == h) {
            slot = &set[i];
            break;
        }
        if (set[i].until_s < slot->until_s)
            slot = &set[i];
    }
    *slot = (struct trusted){h, now_s(bans) + TRUST_S};
}

bool bans_trusts(const struct bans *bans, const union addr *source)
{
    uint64_t h = hash_source(bans, source);
    const struct trusted *set = bans->trusted[h % TRUST_SETS];

    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].source == h && set[i].until_s > now_s(bans))
            return true;
    return false;
}

static bool is_exempt(const struct bans *bans, const struct network *network)
{
    for (unsigned i = 0; i < bans->never_count; i++)
        if (network_covers(&bans->never[i], network))
            return true;
    return false;
}

bool bans_watches(const struct bans *bans, const union addr *source)
{
    struct network network = network_of_source(source);

    return bans->failures && !is_exempt(bans, &network) && !bans_trusts(bans, source);
}

/* --- offences ----------------------------------------------------------------------------------------------------- */

/* One more offence of this source. Returns how many there are in the window; the count begins anew when it is `most`.
 */
static unsigned count(struct bans *bans, struct suspect table[SETS][WAYS], const union addr *source, unsigned window_s,
                      unsigned most)
{
    uint64_t h = hash_source(bans, source);
    struct suspect *set = table[h % SETS], *slot = set;
    uint32_t now = now_s(bans);
    unsigned result;

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].source == h) {
            slot = &set[i];
            break;
        }
        if (!set[i].source || (slot->source && set[i].since_s < slot->since_s))
            slot = &set[i];
    }
    if (slot->source != h || now - slot->since_s >= window_s)
        *slot = (struct suspect){h, now, 0};
    result = ++slot->count;
    if (result >= most)
        slot->source = 0;
    return result;
}

/* The step of the next ban: one more than the last one's, less one for each day since. */
static unsigned next_step(const struct bans *bans, const struct ban *before)
{
    uint64_t days = before->until_us ? (loop_wall_us(bans->loop) - before->until_us) / (FORGET_S * US) : 0;

    return before->step + 1 > days ? before->step + 1 - (unsigned)days : 0;
}

/* A flood of forged addresses costs no more than so many bans; the rest is dropped one by one. */
static bool may_begin_unproven(struct bans *bans)
{
    uint32_t passed = now_s(bans) - bans->unproven_s;

    bans->unproven_s += passed;
    bans->unproven_begun -= passed < bans->unproven_begun ? passed : bans->unproven_begun;
    if (bans->unproven_begun >= UNPROVEN_AT_ONCE)
        return false;
    bans->unproven_begun++;
    return true;
}

static void begin(struct bans *bans, const union addr *source, enum ban_reason reason, bool proven, const char *account,
                  const char *detail)
{
    struct ban ban = {.network = network_of_source(source), .reason = reason, .proven = proven};
    const struct entry *before;
    char text[NETWORK_TEXT];

    if (!bans_watches(bans, source))
        return;
    before = find(bans, &ban.network);
    ban.since_us = ban.until_us = loop_wall_us(bans->loop);
    if (before && before->ban.reason == BAN_BY_HAND)
        return; /* over, or it would not have come here */
    if (before && !proven && ban.since_us < before->ban.until_us + UNPROVEN_S * US)
        return;
    if (!proven && !may_begin_unproven(bans))
        return;
    if (before)
        ban.step = before->ban.proven ? next_step(bans, &before->ban) : before->ban.step;
    ban.until_us += (proven ? ban_step_s(ban.step) : UNPROVEN_S) * US;
    str_copy(ban.account, sizeof ban.account, account);
    str_clean_utf8(ban.account);
    str_copy(ban.detail, sizeof ban.detail, detail);
    str_clean_utf8(ban.detail);
    log_warn("edge: %s is banned for %u s: %s", network_short(&ban.network, text),
             (unsigned)((ban.until_us - ban.since_us) / US), ban.detail);
    put(bans, &ban);
    tell(bans, &ban, BAN_BEGINS);
}

void bans_wrong_answer(struct bans *bans, const union addr *source, const char *account)
{
    char detail[BAN_DETAIL];

    if (bans->failures == 0 || count(bans, bans->wrong, source, bans->window_s, bans->failures) < bans->failures)
        return;
    snprintf(detail, sizeof detail, "%u wrong passwords or unknown names, the last one for \"%.63s\"", bans->failures,
             account);
    begin(bans, source, BAN_PASSWORDS, true, account, detail);
}

void bans_scanner(struct bans *bans, const union addr *source, bool stream, const char *detail)
{
    begin(bans, source, BAN_SCANNER, stream, "", detail);
}

void bans_garbage(struct bans *bans, const union addr *source, bool stream)
{
    if (count(bans, bans->garbage, source, GARBAGE_WINDOW_S, GARBAGE_MAX) >= GARBAGE_MAX)
        begin(bans, source, BAN_GARBAGE, stream, "", "it sends very much that is no SIP");
}

/* --- the face ----------------------------------------------------------------------------------------------------- */

void bans_set_policy(struct bans *bans, const struct ban_policy *policy)
{
    struct list *const lists[] = {&bans->proven, &bans->unproven};
    struct entry *entry, *tmp;

    bans->failures = policy->failures;
    bans->window_s = policy->window_s;
    bans->never_count = policy->never_count < BAN_NEVER_MAX ? policy->never_count : BAN_NEVER_MAX;
    for (unsigned i = 0; i < bans->never_count; i++)
        bans->never[i] = policy->never[i];
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        LIST_FOR_EACH_SAFE(entry, tmp, lists[i], in_order)
        {
            if (is_exempt(bans, &entry->ban.network))
                drop_and_tell(bans, entry, BAN_LIFTED);
        }
}

void bans_listen(struct bans *bans, ban_fn fn, void *arg)
{
    bans->fn = fn;
    bans->arg = arg;
}

struct bans *bans_new(struct loop *loop, const uint8_t key[16])
{
    struct bans *bans = mem_new(sizeof *bans);

    bans->loop = loop;
    memcpy(bans->key, key, sizeof bans->key);
    list_init(&bans->by_hand);
    list_init(&bans->proven);
    list_init(&bans->unproven);
    for (size_t i = 0; i < BUCKETS; i++)
        list_init(&bans->buckets[i]);
    return bans;
}

void bans_free(struct bans *bans)
{
    struct list *lists[3];

    if (!bans)
        return;
    lists[0] = &bans->by_hand, lists[1] = &bans->proven, lists[2] = &bans->unproven;
    loop_timer_stop(bans->loop, &bans->sweep);
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        while (!list_empty(lists[i]))
            drop(bans, LIST_ENTRY(lists[i]->next, struct entry, in_order));
    free(bans);
}
