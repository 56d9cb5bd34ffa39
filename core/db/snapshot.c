/* The configuration as an immutable snapshot: accounts sorted by name for listing, and hashed by name for lookup.
 * Signalling thread only; knows neither the database nor SIP. */
#include "db/snapshot.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/obj.h"
#include "db/db-priv.h"

#define HOLDER "snapshot"

struct setting {
    char *key, *value;
};

struct snapshot {
    uint64_t generation;
    struct account **sorted;
    size_t count, room;
    struct account **slots; /* open addressing, linear probing; slot_count is a power of two or 0 */
    size_t slot_count;
    struct setting *settings; /* a few dozen: searched one by one */
    size_t setting_count;
};

struct snapshot *snapshot_new(uint64_t generation)
{
    struct snapshot *s = mem_new(sizeof *s);

    s->generation = generation;
    return s;
}

void snapshot_set_generation(struct snapshot *s, uint64_t generation)
{
    s->generation = generation;
}

/* FNV-1a. Unkeyed: only an administrator chooses which names are in the table. */
static size_t hash_name(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32);
}

/* The slot that holds name, or the empty one where it would go. Needs slot_count > count. */
static size_t find_slot(const struct snapshot *s, const char *name)
{
    size_t at = hash_name(name) & (s->slot_count - 1);

    while (s->slots[at] && strcmp(s->slots[at]->name, name) != 0)
        at = (at + 1) & (s->slot_count - 1);
    return at;
}

static void rehash(struct snapshot *s, size_t slot_count)
{
    free(s->slots);
    s->slots = mem_new(slot_count * sizeof(struct account *));
    s->slot_count = slot_count;
    for (size_t i = 0; i < s->count; i++)
        s->slots[find_slot(s, s->sorted[i]->name)] = s->sorted[i];
}

/* Place of name in the sorted array, or where it would go. */
static size_t find_sorted(const struct snapshot *s, const char *name)
{
    size_t lo = 0, hi = s->count;

    if (hi && strcmp(s->sorted[hi - 1]->name, name) < 0)
        return hi; /* a load comes in order */
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (strcmp(s->sorted[mid]->name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void snapshot_put_account(struct snapshot *s, struct account *account)
{
    size_t at = find_sorted(s, account->name);

    if (at < s->count && strcmp(s->sorted[at]->name, account->name) == 0) {
        s->slots[find_slot(s, account->name)] = account;
        obj_unref(s->sorted[at], HOLDER);
        s->sorted[at] = account;
        return;
    }
    if (s->count == s->room) {
        s->room += s->room / 2 + 16;
        s->sorted = mem_resize(s->sorted, s->room * sizeof *s->sorted);
    }
    memmove(s->sorted + at + 1, s->sorted + at, (s->count - at) * sizeof *s->sorted);
    s->sorted[at] = account;
    s->count++;
    if (s->slot_count < 2 * s->count)
        rehash(s, s->slot_count ? 2 * s->slot_count : 32);
    else
        s->slots[find_slot(s, account->name)] = account;
}

/* Empties a slot and moves back what probing had pushed past it, so that no search stops short. */
static void clear_slot(struct snapshot *s, size_t hole)
{
    size_t mask = s->slot_count - 1;

    for (size_t at = (hole + 1) & mask; s->slots[at]; at = (at + 1) & mask) {
        size_t home = hash_name(s->slots[at]->name) & mask;

        if (((at - home) & mask) >= ((at - hole) & mask)) {
            s->slots[hole] = s->slots[at];
            hole = at;
        }
    }
    s->slots[hole] = NULL;
}

void snapshot_drop_account(struct snapshot *s, const char *name)
{
    size_t at = find_sorted(s, name);

    if (at == s->count || strcmp(s->sorted[at]->name, name) != 0)
        return;
    clear_slot(s, find_slot(s, name));
    obj_unref(s->sorted[at], HOLDER);
    memmove(s->sorted + at, s->sorted + at + 1, (s->count - at - 1) * sizeof *s->sorted);
    s->count--;
}

void snapshot_put_setting(struct snapshot *s, const char *key, const char *value)
{
    size_t i = 0;

    while (i < s->setting_count && strcmp(s->settings[i].key, key) != 0)
        i++;
    if (i == s->setting_count) {
        if (!value)
            return;
        s->settings = mem_resize(s->settings, (s->setting_count + 1) * sizeof *s->settings);
        s->settings[s->setting_count++] = (struct setting){.key = str_dup(key), .value = str_dup(value)};
        return;
    }
    free(s->settings[i].value);
    if (value) {
        s->settings[i].value = str_dup(value);
        return;
    }
    free(s->settings[i].key);
    s->settings[i] = s->settings[--s->setting_count];
}

struct snapshot *snapshot_next(const struct snapshot *from)
{
    struct snapshot *s = snapshot_new(from->generation + 1);

    s->count = s->room = from->count;
    if (s->count) {
        s->sorted = mem_new(s->count * sizeof(struct account *));
        memcpy(s->sorted, from->sorted, s->count * sizeof(struct account *));
        for (size_t i = 0; i < s->count; i++)
            obj_ref(s->sorted[i], HOLDER);
    }
    if (from->slot_count) {
        s->slot_count = from->slot_count;
        s->slots = mem_new(s->slot_count * sizeof(struct account *));
        memcpy(s->slots, from->slots, s->slot_count * sizeof(struct account *));
    }
    for (size_t i = 0; i < from->setting_count; i++)
        snapshot_put_setting(s, from->settings[i].key, from->settings[i].value);
    return s;
}

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        obj_unref(s->sorted[i], HOLDER);
    for (size_t i = 0; i < s->setting_count; i++) {
        free(s->settings[i].key);
        free(s->settings[i].value);
    }
    free(s->settings);
    free(s->sorted);
    free(s->slots);
    free(s);
}

static void account_destroy(void *obj)
{
    struct account *account = obj;

    OPENSSL_cleanse(account->ha1_md5, sizeof account->ha1_md5);
    OPENSSL_cleanse(account->ha1_sha256, sizeof account->ha1_sha256);
}

struct account *account_alloc(void)
{
    struct account *account = obj_new(sizeof *account, "account", account_destroy, HOLDER);

    account->enabled = true;
    account->max_contacts = 10;
    account->max_call = MAX_CALL_AS_SWITCH;
    str_copy(account->context, sizeof account->context, "internal");
    return account;
}

struct account *account_new(const char *name, const char *realm, const char *secret)
{
    struct account *account = account_alloc();
    char text[512];
    int len = snprintf(text, sizeof text, "%s:%s:%s", name, realm, secret);

    if (len < 0 || (size_t)len >= sizeof text)
        len = sizeof text - 1;
    str_copy(account->name, sizeof account->name, name);
    str_copy(account->realm, sizeof account->realm, realm);
    EVP_Digest(text, (size_t)len, account->ha1_md5, NULL, EVP_md5(), NULL);
    EVP_Digest(text, (size_t)len, account->ha1_sha256, NULL, EVP_sha256(), NULL);
    return account;
}

uint64_t snapshot_generation(const struct snapshot *s)
{
    return s->generation;
}

const struct account *snapshot_account(const struct snapshot *s, const char *name)
{
    return s->count ? s->slots[find_slot(s, name)] : NULL;
}

size_t snapshot_account_count(const struct snapshot *s)
{
    return s->count;
}

const struct account *snapshot_account_at(const struct snapshot *s, size_t i)
{
    return i < s->count ? s->sorted[i] : NULL;
}

const char *snapshot_setting(const struct snapshot *s, const char *key, const char *otherwise)
{
    for (size_t i = 0; i < s->setting_count; i++)
        if (strcmp(s->settings[i].key, key) == 0)
            return s->settings[i].value;
    return otherwise;
}

#define SECONDS_MAX 604800 /* a week */

unsigned snapshot_seconds(const struct snapshot *s, const char *key, unsigned otherwise)
{
    const char *text = s ? snapshot_setting(s, key, NULL) : NULL;
    uint64_t value;

    return text && str_to_u64(text, SECONDS_MAX, &value) == 0 ? (unsigned)value : otherwise;
}

/* --- session timers --------------------------------------------------------------------------------------------------
 */

#define EXPIRES_DEFAULT 1800
#define MIN_SE_LEAST 90 /* RFC 4028 §5: the least that anybody may insist on */

static const char *const mode_names[] = {
    [SESSION_AS_SWITCH] = "", [SESSION_OFF] = "off", [SESSION_ACCEPT] = "accept", [SESSION_ON] = "on"};

enum session_mode session_mode_parse(const char *text)
{
    for (size_t i = 0; i < COUNT_OF(mode_names); i++)
        if (strcmp(text, mode_names[i]) == 0)
            return (enum session_mode)i;
    return SESSION_AS_SWITCH;
}

const char *session_mode_name(enum session_mode mode)
{
    return mode_names[mode];
}

struct session_policy session_policy_resolve(const struct snapshot *s, const struct session_policy *own)
{
    struct session_policy policy = own ? *own : (struct session_policy){0};

    if (policy.mode == SESSION_AS_SWITCH && s)
        policy.mode = session_mode_parse(snapshot_setting(s, "session_timers", "on"));
    if (policy.mode == SESSION_AS_SWITCH)
        policy.mode = SESSION_ON;
    if (!policy.expires)
        policy.expires = snapshot_seconds(s, "session_expires", EXPIRES_DEFAULT);
    if (!policy.min_se)
        policy.min_se = snapshot_seconds(s, "session_min_se", MIN_SE_LEAST);
    if (policy.min_se < MIN_SE_LEAST)
        policy.min_se = MIN_SE_LEAST;
    if (policy.expires < policy.min_se)
        policy.expires = policy.min_se;
    return policy;
}
