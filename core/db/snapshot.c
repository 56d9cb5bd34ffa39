/* The configuration as an immutable snapshot: accounts and devices by name (names.c), and the settings. Signalling
 * thread only; knows neither the database nor SIP. */
#include "db/snapshot.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/obj.h"
#include "db/db-priv.h"
#include "db/names.h"

#define HOLDER "snapshot"

struct setting {
    char *key, *value;
};

struct snapshot {
    uint64_t generation;
    uint64_t losses;
    struct names accounts, devices, acls, music, rooms, features;
    struct setting *settings; /* a few dozen: searched one by one */
    size_t setting_count;
};

struct snapshot *snapshot_new(uint64_t generation)
{
    struct snapshot *s = mem_new(sizeof *s);

    s->generation = generation;
    random_bytes(&s->losses, sizeof s->losses); /* another one than that of a snapshot that this one does not follow */
    return s;
}

void snapshot_set_generation(struct snapshot *s, uint64_t generation)
{
    s->generation = generation;
}

void snapshot_put_account(struct snapshot *s, struct account *account)
{
    names_put(&s->accounts, account);
}

void snapshot_drop_account(struct snapshot *s, const char *name)
{
    s->losses++;
    names_drop(&s->accounts, name);
}

void snapshot_put_device(struct snapshot *s, struct device *device)
{
    s->losses++; /* it may have been disabled, or given to another account */
    names_put(&s->devices, device);
}

void snapshot_drop_device(struct snapshot *s, const char *name)
{
    s->losses++;
    names_drop(&s->devices, name);
}

void snapshot_put_acl(struct snapshot *s, struct acl *acl)
{
    names_put(&s->acls, acl);
}

void snapshot_drop_acl(struct snapshot *s, const char *name)
{
    names_drop(&s->acls, name);
}

void snapshot_put_room(struct snapshot *s, struct room *room)
{
    names_put(&s->rooms, room);
}

void snapshot_drop_room(struct snapshot *s, const char *name)
{
    names_drop(&s->rooms, name);
}

void snapshot_put_feature(struct snapshot *s, struct feature *feature)
{
    names_put(&s->features, feature);
}

static const char *feature_id(const char *kind, const char *name, char out[160])
{
    snprintf(out, 160, "%s %s", kind, name);
    return out;
}

void snapshot_drop_feature(struct snapshot *s, const char *kind, const char *name)
{
    char id[160];

    names_drop(&s->features, feature_id(kind, name, id));
}

void snapshot_put_music(struct snapshot *s, struct music_class *music)
{
    names_put(&s->music, music);
}

void snapshot_drop_music(struct snapshot *s, const char *name)
{
    names_drop(&s->music, name);
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

    s->losses = from->losses;
    names_copy(&s->accounts, &from->accounts);
    names_copy(&s->devices, &from->devices);
    names_copy(&s->acls, &from->acls);
    names_copy(&s->rooms, &from->rooms);
    names_copy(&s->music, &from->music);
    names_copy(&s->features, &from->features);
    for (size_t i = 0; i < from->setting_count; i++)
        snapshot_put_setting(s, from->settings[i].key, from->settings[i].value);
    return s;
}

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    names_free(&s->accounts);
    names_free(&s->devices);
    names_free(&s->acls);
    names_free(&s->rooms);
    names_free(&s->music);
    names_free(&s->features);
    for (size_t i = 0; i < s->setting_count; i++) {
        free(s->settings[i].key);
        free(s->settings[i].value);
    }
    free(s->settings);
    free(s);
}

static const char none[] = "";

void account_text(const char **text, const char *value)
{
    if (*text && **text)
        free((char *)*text);
    *text = *value ? str_dup(value) : none;
}

static void account_destroy(void *obj)
{
    struct account *account = obj;

    OPENSSL_cleanse(account->ha1_md5, sizeof account->ha1_md5);
    OPENSSL_cleanse(account->ha1_sha256, sizeof account->ha1_sha256);
    account_text(&account->codecs, none);
    account_text(&account->language, none);
    account_text(&account->music_class, none);
    account_text(&account->acl, none);
    account_text(&account->pickup_group, none);
    account_text(&account->transfer_codes, none);
}

struct account *account_alloc(void)
{
    struct account *account = obj_new(sizeof *account, "account", account_destroy, HOLDER);

    account->codecs = account->language = account->music_class = account->acl = account->pickup_group =
        account->transfer_codes = none;
    account->enabled = true;
    account->max_contacts = 10;
    account->max_call = MAX_CALL_AS_SWITCH;
    str_copy(account->context, sizeof account->context, "internal");
    return account;
}

/* RFC 7616 §3.4.2 */
static void hash_secret(const char *name, const char *realm, const char *secret, uint8_t md5[16], uint8_t sha256[32])
{
    char text[512];
    int len = snprintf(text, sizeof text, "%s:%s:%s", name, realm, secret);

    if (len < 0 || (size_t)len >= sizeof text)
        len = sizeof text - 1;
    EVP_Digest(text, (size_t)len, md5, NULL, EVP_md5(), NULL);
    EVP_Digest(text, (size_t)len, sha256, NULL, EVP_sha256(), NULL);
    OPENSSL_cleanse(text, sizeof text);
}

struct account *account_new(const char *name, const char *realm, const char *secret)
{
    struct account *account = account_alloc();

    str_copy(account->name, sizeof account->name, name);
    str_copy(account->realm, sizeof account->realm, realm);
    hash_secret(name, realm, secret, account->ha1_md5, account->ha1_sha256);
    return account;
}

static void device_destroy(void *obj)
{
    struct device *device = obj;

    OPENSSL_cleanse(device->ha1_md5, sizeof device->ha1_md5);
    OPENSSL_cleanse(device->ha1_sha256, sizeof device->ha1_sha256);
}

struct device *device_alloc(void)
{
    struct device *device = obj_new(sizeof *device, "device", device_destroy, HOLDER);

    device->enabled = true;
    return device;
}

struct device *device_new(const char *name, const char *account, const char *realm, const char *secret)
{
    struct device *device = device_alloc();

    str_copy(device->name, sizeof device->name, name);
    str_copy(device->account, sizeof device->account, account);
    str_copy(device->realm, sizeof device->realm, realm);
    hash_secret(name, realm, secret, device->ha1_md5, device->ha1_sha256);
    return device;
}

struct acl *acl_new(const char *name, const char *rules, const char *listeners)
{
    struct acl *acl = obj_new(sizeof *acl, "acl", NULL, HOLDER);

    if (str_copy(acl->name, sizeof acl->name, name) == 0 && acl->name[0] &&
        str_copy(acl->listeners, sizeof acl->listeners, listeners) == 0 && acl_parse(rules, &acl->rules) == 0)
        return acl;
    obj_unref(acl, HOLDER);
    return NULL;
}

static void feature_destroy(void *object)
{
    struct feature *feature = object;

    free(feature->value);
}

struct feature *feature_new(const char *kind, const char *name, const char *value)
{
    struct feature *feature;

    if (strlen(kind) >= sizeof feature->kind || strlen(name) >= sizeof feature->name)
        return NULL;
    feature = obj_new(sizeof *feature, "feature", feature_destroy, HOLDER);
    feature_id(kind, name, feature->id);
    str_copy(feature->kind, sizeof feature->kind, kind);
    str_copy(feature->name, sizeof feature->name, name);
    feature->value = str_dup(value);
    return feature;
}

struct room *room_new(const char *name)
{
    struct room *room = obj_new(sizeof *room, "room", NULL, HOLDER);

    str_copy(room->name, sizeof room->name, name);
    room->join_tones = true;
    return room;
};

static void music_class_destroy(void *obj)
{
    struct music_class *music = obj;

    free(music->paths);
}

/* Each path trimmed, one a line. */
static void tidy_paths(char *paths)
{
    char *to = paths;

    for (char *from = paths; *from;) {
        size_t len = strcspn(from, ",\r\n"), rest = from[len] != '\0';
        char *begin = from + strspn(from, " \t"), *end = from + len;

        while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        from += len + rest;
        if (end <= begin)
            continue;
        if (to > paths)
            *to++ = '\n';
        memmove(to, begin, (size_t)(end - begin));
        to += end - begin;
    }
    *to = '\0';
}

struct music_class *music_class_new(const char *name, bool directory, const char *paths, bool shuffle)
{
    struct music_class *music = obj_new(sizeof *music, "music", music_class_destroy, HOLDER);

    str_copy(music->name, sizeof music->name, name);
    music->directory = directory;
    music->shuffle = shuffle;
    music->paths = str_dup(paths);
    tidy_paths(music->paths);
    return music;
}

uint64_t snapshot_generation(const struct snapshot *s)
{
    return s->generation;
}

uint64_t snapshot_losses(const struct snapshot *s)
{
    return s->losses;
}

_Static_assert(offsetof(struct account, name) == 0 && offsetof(struct device, name) == 0 &&
                   offsetof(struct acl, name) == 0 && offsetof(struct music_class, name) == 0 &&
                   offsetof(struct room, name) == 0 && offsetof(struct feature, id) == 0,
               "names.h wants the name first");

const struct account *snapshot_account(const struct snapshot *s, const char *name)
{
    return names_find(&s->accounts, name);
}

const struct device *snapshot_device(const struct snapshot *s, const char *name)
{
    return names_find(&s->devices, name);
}

const struct acl *snapshot_acl(const struct snapshot *s, const char *name)
{
    return names_find(&s->acls, name);
}

const struct music_class *snapshot_music(const struct snapshot *s, const char *name)
{
    return names_find(&s->music, name);
}

size_t snapshot_acl_count(const struct snapshot *s)
{
    return s->acls.count;
}

const struct acl *snapshot_acl_at(const struct snapshot *s, size_t i)
{
    return i < s->acls.count ? s->acls.sorted[i] : NULL;
}

size_t snapshot_account_count(const struct snapshot *s)
{
    return s->accounts.count;
}

const struct account *snapshot_account_at(const struct snapshot *s, size_t i)
{
    return i < s->accounts.count ? s->accounts.sorted[i] : NULL;
}

size_t snapshot_feature_count(const struct snapshot *s)
{
    return s->features.count;
}

const struct feature *snapshot_feature_at(const struct snapshot *s, size_t i)
{
    return s->features.sorted[i];
}

const struct room *snapshot_room(const struct snapshot *s, const char *name)
{
    return names_find(&s->rooms, name);
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

/* --- encryption of the audio ------------------------------------------------------------------------------------- */

static const char *const dtmf_names[] = {
    [DTMF_AS_SWITCH] = "", [DTMF_AUTO] = "auto",     [DTMF_RFC4733] = "rfc4733",
    [DTMF_INFO] = "info",  [DTMF_INBAND] = "inband",
};

enum dtmf_mode dtmf_mode_parse(const char *text)
{
    for (size_t i = 0; i < COUNT_OF(dtmf_names); i++)
        if (strcmp(text, dtmf_names[i]) == 0)
            return (enum dtmf_mode)i;
    return DTMF_AS_SWITCH;
}

const char *dtmf_mode_name(enum dtmf_mode mode)
{
    return dtmf_names[mode];
}

enum dtmf_mode dtmf_mode_resolve(const struct snapshot *s, enum dtmf_mode own)
{
    if (own == DTMF_AS_SWITCH && s)
        own = dtmf_mode_parse(snapshot_setting(s, "dtmf", "auto"));
    return own == DTMF_AS_SWITCH ? DTMF_AUTO : own;
}

static const char *const srtp_names[] = {
    [SRTP_AS_SWITCH] = "", [SRTP_OFF] = "off", [SRTP_OPTIONAL] = "optional", [SRTP_REQUIRED] = "required"};

enum srtp_mode srtp_mode_parse(const char *text)
{
    for (size_t i = 0; i < COUNT_OF(srtp_names); i++)
        if (strcmp(text, srtp_names[i]) == 0)
            return (enum srtp_mode)i;
    return SRTP_AS_SWITCH;
}

const char *srtp_mode_name(enum srtp_mode mode)
{
    return srtp_names[mode];
}

enum srtp_mode srtp_mode_resolve(const struct snapshot *s, enum srtp_mode own)
{
    if (own == SRTP_AS_SWITCH && s)
        own = srtp_mode_parse(snapshot_setting(s, "srtp", "optional"));
    return own == SRTP_AS_SWITCH ? SRTP_OPTIONAL : own;
}

static const char *const srtp_keys_names[] = {
    [SRTP_KEYS_AS_SWITCH] = "", [SRTP_KEYS_SDES] = "sdes", [SRTP_KEYS_DTLS] = "dtls"};

enum srtp_keys srtp_keys_parse(const char *text)
{
    for (size_t i = 0; i < COUNT_OF(srtp_keys_names); i++)
        if (strcmp(text, srtp_keys_names[i]) == 0)
            return (enum srtp_keys)i;
    return SRTP_KEYS_AS_SWITCH;
}

const char *srtp_keys_name(enum srtp_keys keys)
{
    return srtp_keys_names[keys];
}

enum srtp_keys srtp_keys_resolve(const struct snapshot *s, enum srtp_keys own)
{
    if (own == SRTP_KEYS_AS_SWITCH && s)
        own = srtp_keys_parse(snapshot_setting(s, "srtp_keys", "sdes"));
    return own == SRTP_KEYS_AS_SWITCH ? SRTP_KEYS_SDES : own;
}
