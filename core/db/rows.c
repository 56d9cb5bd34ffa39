/* Rows of the configuration as the server sends them, made into a snapshot: what the tables' constraints promise is
 * checked once more, because constraints can be dropped. Signalling thread only; knows no connection. */
#include "db/rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/obj.h"

/* Columns of config.account a and config.device d, in the order in which they are taken below. */
#define ACCOUNT_COLUMNS                                                                                                \
    "a.name, a.display_name, a.realm, encode(a.ha1_md5, 'hex'), encode(a.ha1_sha256, 'hex'), a.enabled, a.context, "   \
    "a.max_contacts, a.max_call, a.session_timers, a.session_expires, a.session_min_se, a.acl, "                       \
    "a.srtp, a.srtp_without_tls, a.srtp_keys, a.language, a.music_class, a.codecs, a.dtmf, "                           \
    "a.max_calls, a.anonymous, a.pickup_group, a.transfer_codes"
#define DEVICE_COLUMNS "d.name, d.account, d.realm, encode(d.ha1_md5, 'hex'), encode(d.ha1_sha256, 'hex'), d.enabled"

#define ACL_COLUMNS "l.name, l.rules, l.listeners"
#define ROOM_COLUMNS "r.name, r.pin, r.moderator_pin, r.max_members, r.join_tones, r.wait_for_moderator, r.locked"

#define MUSIC_COLUMNS "m.name, m.kind = 'directory', m.paths, m.shuffle"

#define TOUCHED(table)                                                                                                 \
    " FROM (SELECT DISTINCT key FROM config.change WHERE generation > %llu AND table_name = '" table "') c"

void rows_sql(bool all, unsigned long long have, char *sql, size_t size)
{
    size_t used = 0;

    str_append(sql, size, &used,
               "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
               "SELECT g.number, g.journal_from, (SELECT greatest(0, ceil(extract(epoch FROM p.confirm_by - "
               "clock_timestamp()) * 1000))::bigint FROM config.pending p) FROM config.generation g;");
    if (all)
        str_append(sql, size, &used,
                   "SELECT a.name, " ACCOUNT_COLUMNS " FROM config.account a ORDER BY a.name COLLATE \"C\";"
                   "SELECT d.name, " DEVICE_COLUMNS " FROM config.device d ORDER BY d.name COLLATE \"C\";"
                   "SELECT key, value FROM config.setting;"
                   "SELECT l.name, " ACL_COLUMNS " FROM config.acl l ORDER BY l.name COLLATE \"C\";"
                   "SELECT m.name, " MUSIC_COLUMNS " FROM config.music_class m ORDER BY m.name COLLATE \"C\";"
                   "SELECT r.name, " ROOM_COLUMNS " FROM config.room r ORDER BY r.name COLLATE \"C\";"
                   "SELECT f.kind, f.name, f.value FROM config.feature f;");
    else
        str_append(
            sql, size, &used,
            "SELECT c.key, " ACCOUNT_COLUMNS TOUCHED(
                "account") " LEFT JOIN config.account a ON a.name = c.key;"
                           "SELECT c.key, " DEVICE_COLUMNS TOUCHED(
                               "device") " LEFT JOIN config.device d ON d.name = c.key;"
                                         "SELECT c.key, s.value" TOUCHED(
                                             "setting") " LEFT JOIN config.setting s ON s.key = c.key;"
                                                        "SELECT c.key, " ACL_COLUMNS TOUCHED(
                                                            "acl") " LEFT JOIN config.acl l ON l.name = c.key;"
                                                                   "SELECT c.key, " MUSIC_COLUMNS TOUCHED(
                                                                       "music_class") " LEFT JOIN config.music_class m "
                                                                                      "ON m.name = c.key;"
                                                                                      "SELECT c.key, " ROOM_COLUMNS
                                                                                          TOUCHED("room") " LEFT JOIN "
                                                                                                          "config.room "
                                                                                                          "r ON r.name "
                                                                                                          "= c.key;",
            have, have, have, have, have, have);
    if (!all)
        str_append(sql, size, &used,
                   "SELECT c.kind, c.name, f.value FROM (SELECT DISTINCT kind, name FROM config.feature_change WHERE "
                   "generation > %llu) c "
                   "LEFT JOIN config.feature f ON f.kind = c.kind AND f.name = c.name;",
                   have);
    str_append(sql, size, &used, "COMMIT");
}

static int hex_bytes(const char *hex, uint8_t *out, size_t len)
{
    if (strlen(hex) != 2 * len)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        unsigned value = 0;

        for (int k = 0; k < 2; k++) {
            const char *digits = "0123456789abcdef", *at = strchr(digits, hex[2 * i + (size_t)k]);

            if (!at || !*at)
                return -EINVAL;
            value = value << 4 | (unsigned)(at - digits);
        }
        out[i] = (uint8_t)value;
    }
    return 0;
}

/* A column that may be NULL, which is `otherwise`. */
static int seconds_or(const PGresult *r, int row, int column, unsigned otherwise, unsigned *out)
{
    uint64_t value = otherwise;

    if (!PQgetisnull(r, row, column) && str_to_u64(PQgetvalue(r, row, column), 1000000, &value) < 0)
        return -EINVAL;
    *out = (unsigned)value;
    return 0;
}

/* The table's constraints make sure of all this; they may have been dropped. Returns NULL or what is wrong. */
static const char *account_from_row(const PGresult *r, int row, struct account *account)
{
    uint64_t max_contacts;

    if (str_copy(account->name, sizeof account->name, PQgetvalue(r, row, 1)) < 0 || !*account->name)
        return "its name is empty or too long";
    if (str_copy(account->display_name, sizeof account->display_name, PQgetvalue(r, row, 2)) < 0)
        return "its display_name is too long";
    if (str_copy(account->realm, sizeof account->realm, PQgetvalue(r, row, 3)) < 0 || !*account->realm)
        return "its realm is empty or too long";
    if (hex_bytes(PQgetvalue(r, row, 4), account->ha1_md5, sizeof account->ha1_md5) < 0)
        return "its ha1_md5 is not 16 bytes; give it a new password with set_password()";
    if (hex_bytes(PQgetvalue(r, row, 5), account->ha1_sha256, sizeof account->ha1_sha256) < 0)
        return "its ha1_sha256 is not 32 bytes; give it a new password with set_password()";
    account->enabled = strcmp(PQgetvalue(r, row, 6), "t") == 0;
    if (str_copy(account->context, sizeof account->context, PQgetvalue(r, row, 7)) < 0 || !*account->context)
        return "its context is empty or too long";
    if (str_to_u64(PQgetvalue(r, row, 8), 100000, &max_contacts) < 0)
        return "its max_contacts is not a sensible number";
    account->max_contacts = (unsigned)max_contacts;
    if (seconds_or(r, row, 9, MAX_CALL_AS_SWITCH, &account->max_call) < 0)
        return "its max_call is not a time in seconds";
    account->session.mode = session_mode_parse(PQgetvalue(r, row, 10));
    if (account->session.mode == SESSION_AS_SWITCH && !PQgetisnull(r, row, 10))
        return "its session_timers is neither on nor accept nor off";
    if (seconds_or(r, row, 11, 0, &account->session.expires) < 0 ||
        seconds_or(r, row, 12, 0, &account->session.min_se) < 0)
        return "its session_expires or session_min_se is not a time in seconds";
    account_text(&account->acl, PQgetvalue(r, row, 13));
    account->srtp = srtp_mode_parse(PQgetvalue(r, row, 14));
    if (account->srtp == SRTP_AS_SWITCH && !PQgetisnull(r, row, 14))
        return "its srtp is neither off nor optional nor required";
    account->srtp_without_tls = strcmp(PQgetvalue(r, row, 15), "t") == 0;
    account->srtp_keys = srtp_keys_parse(PQgetvalue(r, row, PQfnumber(r, "srtp_keys")));
    if (account->srtp_keys == SRTP_KEYS_AS_SWITCH && !PQgetisnull(r, row, PQfnumber(r, "srtp_keys")))
        return "its srtp_keys is neither sdes nor dtls";
    account_text(&account->language, PQgetvalue(r, row, PQfnumber(r, "language")));
    account_text(&account->music_class, PQgetvalue(r, row, PQfnumber(r, "music_class")));
    account_text(&account->codecs, PQgetvalue(r, row, PQfnumber(r, "codecs")));
    account_text(&account->pickup_group, PQgetvalue(r, row, PQfnumber(r, "pickup_group")));
    account_text(&account->transfer_codes, PQgetvalue(r, row, PQfnumber(r, "transfer_codes")));
    account->dtmf = dtmf_mode_parse(PQgetvalue(r, row, PQfnumber(r, "dtmf")));
    if (account->dtmf == DTMF_AS_SWITCH && !PQgetisnull(r, row, PQfnumber(r, "dtmf")))
        return "its dtmf is neither auto nor rfc4733 nor info nor inband";
    if (seconds_or(r, row, PQfnumber(r, "max_calls"), 0, &account->max_calls) < 0)
        return "its max_calls is not a sensible number";
    account->anonymous = strcmp(PQgetvalue(r, row, PQfnumber(r, "anonymous")), "t") == 0;
    return NULL;
}

static void blame(struct fault *fault, const char *table, const char *key, const char *reason)
{
    if (fault->row[0])
        return;
    snprintf(fault->row, sizeof fault->row, "%s %.63s", table, key);
    str_copy(fault->reason, sizeof fault->reason, reason);
}

void rows_accounts(struct snapshot *into, const PGresult *r, struct fault *fault)
{
    for (int row = 0; row < PQntuples(r); row++) {
        struct account *account;
        const char *wrong;

        if (PQgetisnull(r, row, 1)) {
            snapshot_drop_account(into, PQgetvalue(r, row, 0));
            continue;
        }
        account = account_alloc();
        wrong = account_from_row(r, row, account);
        if (wrong) {
            blame(fault, "account", PQgetvalue(r, row, 0), wrong);
            obj_unref(account, "snapshot");
        } else {
            snapshot_put_account(into, account);
        }
    }
}

static const char *device_from_row(const PGresult *r, int row, struct device *device)
{
    if (str_copy(device->name, sizeof device->name, PQgetvalue(r, row, 1)) < 0 || !*device->name)
        return "its name is empty or too long";
    if (str_copy(device->account, sizeof device->account, PQgetvalue(r, row, 2)) < 0)
        return "the name of its account is too long";
    if (str_copy(device->realm, sizeof device->realm, PQgetvalue(r, row, 3)) < 0 || !*device->realm)
        return "its realm is empty or too long";
    if (hex_bytes(PQgetvalue(r, row, 4), device->ha1_md5, sizeof device->ha1_md5) < 0)
        return "its ha1_md5 is not 16 bytes; give it a new password with set_password()";
    if (hex_bytes(PQgetvalue(r, row, 5), device->ha1_sha256, sizeof device->ha1_sha256) < 0)
        return "its ha1_sha256 is not 32 bytes; give it a new password with set_password()";
    device->enabled = strcmp(PQgetvalue(r, row, 6), "t") == 0;
    return NULL;
}

void rows_devices(struct snapshot *into, const PGresult *r, struct fault *fault)
{
    for (int row = 0; row < PQntuples(r); row++) {
        struct device *device;
        const char *wrong;

        if (PQgetisnull(r, row, 1)) {
            snapshot_drop_device(into, PQgetvalue(r, row, 0));
            continue;
        }
        device = device_alloc();
        wrong = device_from_row(r, row, device);
        if (wrong) {
            blame(fault, "device", PQgetvalue(r, row, 0), wrong);
            obj_unref(device, "snapshot");
        } else {
            snapshot_put_device(into, device);
        }
    }
}

void rows_acls(struct snapshot *into, const PGresult *r, struct fault *fault)
{
    for (int row = 0; row < PQntuples(r); row++) {
        struct acl *acl;

        if (PQgetisnull(r, row, 1)) {
            snapshot_drop_acl(into, PQgetvalue(r, row, 0));
            continue;
        }
        acl = acl_new(PQgetvalue(r, row, 1), PQgetvalue(r, row, 2), PQgetvalue(r, row, 3));
        if (acl)
            snapshot_put_acl(into, acl);
        else
            blame(fault, "acl", PQgetvalue(r, row, 0), "its rules or listeners cannot be read");
    }
}

static const char *room_from_row(const PGresult *r, int row, struct room *room)
{
    uint64_t max;

    if (str_copy(room->name, sizeof room->name, PQgetvalue(r, row, 1)) < 0 || !*room->name)
        return "its name is empty or too long";
    if (str_copy(room->pin, sizeof room->pin, PQgetvalue(r, row, 2)) < 0 ||
        str_copy(room->moderator_pin, sizeof room->moderator_pin, PQgetvalue(r, row, 3)) < 0)
        return "one of its PINs is too long";
    if (str_to_u64(PQgetvalue(r, row, 4), 100000, &max) < 0)
        return "its max_members is not a sensible number";
    room->max_members = (unsigned)max;
    room->join_tones = strcmp(PQgetvalue(r, row, 5), "t") == 0;
    room->wait_for_moderator = strcmp(PQgetvalue(r, row, 6), "t") == 0;
    room->locked = strcmp(PQgetvalue(r, row, 7), "t") == 0;
    return NULL;
}

void rows_rooms(struct snapshot *into, const PGresult *r, struct fault *fault)
{
    for (int row = 0; row < PQntuples(r); row++) {
        struct room *room;
        const char *wrong;

        if (PQgetisnull(r, row, 1)) {
            snapshot_drop_room(into, PQgetvalue(r, row, 0));
            continue;
        }
        room = room_new("");
        wrong = room_from_row(r, row, room);
        if (wrong) {
            blame(fault, "room", PQgetvalue(r, row, 0), wrong);
            obj_unref(room, "snapshot");
        } else {
            snapshot_put_room(into, room);
        }
    }
}

void rows_features(struct snapshot *into, const PGresult *r, struct fault *fault)
{
    for (int row = 0; row < PQntuples(r); row++) {
        const char *kind = PQgetvalue(r, row, 0), *name = PQgetvalue(r, row, 1);
        struct feature *feature;

        if (PQgetisnull(r, row, 2)) {
            snapshot_drop_feature(into, kind, name);
            continue;
        }
        feature = feature_new(kind, name, PQgetvalue(r, row, 2));
        if (feature)
            snapshot_put_feature(into, feature);
        else
            blame(fault, kind, name, "its name is too long");
    }
}

void rows_music(struct snapshot *into, const PGresult *r)
{
    for (int row = 0; row < PQntuples(r); row++)
        if (PQgetisnull(r, row, 1))
            snapshot_drop_music(into, PQgetvalue(r, row, 0));
        else
            snapshot_put_music(into, music_class_new(PQgetvalue(r, row, 1), *PQgetvalue(r, row, 2) == 't',
                                                     PQgetvalue(r, row, 3), *PQgetvalue(r, row, 4) == 't'));
}

void rows_settings(struct snapshot *into, const PGresult *r)
{
    for (int row = 0; row < PQntuples(r); row++)
        snapshot_put_setting(into, PQgetvalue(r, row, 0), PQgetisnull(r, row, 1) ? NULL : PQgetvalue(r, row, 1));
}
