/* What accounts, devices, settings, access lists and conference rooms are made of: the tables that entity.h speaks of.
 * Words and SQL only. */
#include "cli/entity.h"

#define WANTED(columns) "WHERE $1::text IS NULL OR position(lower($1) IN lower(concat_ws(' ', " columns "))) > 0"

static const char *const account_heads[] = {"ACCOUNT", "NAME", "ENABLED", "CONTEXT", ">PHONES", ">DEVICES"};
static const char *const account_columns[] = {"name", "display_name", "enabled", "context", "phones", "devices"};

const struct entity entity_account = {
    .word = "account",
    .plural = "accounts",
    .command = &cmd_account,
    .table = "config.account",
    .key = "name",
    .has_secret = true,
    .fields = {{NULL, "name", "account", "text", false, false, false},
               {"--name", "display_name", "name", "text", false, true, false},
               {"--enabled", "enabled", "enabled", "boolean", false, false, false},
               {"--context", "context", "context", "text", false, false, false},
               {"--max-contacts", "max_contacts", "phones at most", "integer", false, false, false},
               {"--max-call", "max_call", "longest call", "integer", true, false, true},
               {"--session-timers", "session_timers", "session timers", "text", true, false, false},
               {"--session-expires", "session_expires", "session expires", "integer", true, false, true},
               {"--session-min-se", "session_min_se", "session at least", "integer", true, false, true},
               {"--acl", "acl", "access list", "text", true, false, false},
               {"--language", "language", "language", "text", true, false, false},
               {"--music-class", "music_class", "hold music", "text", true, false, false},
               {"--srtp", "srtp", "encrypted audio", "text", true, false, false},
               {"--srtp-keys", "srtp_keys", "its keys", "text", true, false, false},
               {"--srtp-without-tls", "srtp_without_tls", "keys without TLS", "boolean", false, false, false},
               {"--codecs", "codecs", "codecs", "text", true, false, false},
               {"--dtmf", "dtmf", "keys (DTMF)", "text", true, false, false},
               {"--pickup-group", "pickup_group", "pickup groups", "text", true, false, false},
               {"--transfer-codes", "transfer_codes", "transfer codes", "text", true, false, false},
               {"--max-calls", "max_calls", "calls at a time", "integer", true, false, false},
               {"--anonymous", "anonymous", "number hidden", "boolean", false, false, false}},
    .add = "SELECT tandem.add_account(name => $1, secret => $2) WHERE $3::text IS NULL",
    .del = "SELECT tandem.remove_account($1)",
    .list = "SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.name), '[]') FROM tandem.v_account v " WANTED(
        "v.name, v.display_name"),
    .show = "SELECT to_jsonb(v) || jsonb_build_object('device_list', coalesce((SELECT jsonb_agg(to_jsonb(d) ORDER BY "
            "d.name) FROM tandem.v_device d WHERE d.account = v.name), '[]'), 'registrations', coalesce((SELECT "
            "jsonb_agg(jsonb_build_object('contact', r.contact, 'peer', r.peer, 'user_agent', r.user_agent, 'device', "
            "r.device)) FROM tandem.v_registration r WHERE r.account = v.name), '[]')) FROM tandem.v_account v WHERE "
            "v.name = $1",
    .heads = account_heads,
    .columns = account_columns,
    .column_count = COUNT_OF(account_heads),
};

static const char *const device_heads[] = {"DEVICE", "ACCOUNT", "LABEL", "MAC", "ENABLED", ">REGISTERED"};
static const char *const device_columns[] = {"name", "account", "label", "mac", "enabled", "registered"};

const struct entity entity_device = {
    .word = "device",
    .plural = "devices",
    .command = &cmd_device,
    .table = "config.device",
    .key = "name",
    .parent = "account",
    .has_secret = true,
    .fields = {{NULL, "name", "device", "text", false, false, false},
               {"--account", "account", "account", "text", false, false, false},
               {"--label", "label", "label", "text", false, true, false},
               {"--mac", "mac", "MAC address", "macaddr", true, false, false},
               {"--enabled", "enabled", "enabled", "boolean", false, false, false}},
    .add = "SELECT tandem.add_device(name => $1, secret => $2, account => $3)",
    .del = "SELECT tandem.remove_device($1)",
    .next_key = "SELECT to_json(tandem.next_device_name($1))",
    .list = "SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.account, v.name), '[]') FROM tandem.v_device v " WANTED(
        "v.name, v.account, v.label, v.mac"),
    .show = "SELECT to_jsonb(v) FROM tandem.v_device v WHERE v.name = $1",
    .heads = device_heads,
    .columns = device_columns,
    .column_count = COUNT_OF(device_heads),
};

static const char *const setting_heads[] = {"SETTING", "VALUE", "DEFAULT", "MEANING"};
static const char *const setting_columns[] = {"key", "value", "default_value", "meaning"};

const struct entity entity_setting = {
    .word = "setting",
    .plural = "settings",
    .command = &cmd_setting,
    .table = "config.setting",
    .key = "key",
    .fields = {{NULL, "key", "setting", "text", false, false, false},
               {NULL, "value", "value", "text", false, false, false}},
    .del = "SELECT tandem.set_setting($1, NULL)",
    .list = "SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.key), '[]') FROM tandem.v_setting v " WANTED(
        "v.key, v.meaning"),
    .show = "SELECT to_jsonb(v) FROM tandem.v_setting v WHERE v.key = $1",
    .heads = setting_heads,
    .columns = setting_columns,
    .column_count = COUNT_OF(setting_heads),
};

static const char *const acl_heads[] = {"ACL", "RULES", "LISTENERS", "ACCOUNTS", "NOTE"};
static const char *const acl_columns[] = {"name", "rules", "listeners", "accounts", "note"};

const struct entity entity_acl = {
    .word = "acl",
    .plural = "acls",
    .command = &cmd_acl,
    .table = "config.acl",
    .key = "name",
    .fields = {{NULL, "name", "access list", "text", false, false, false},
               {"--rules", "rules", "rules", "text", false, true, false},
               {"--listeners", "listeners", "listeners", "text", false, true, false},
               {"--note", "note", "note", "text", false, true, false}},
    .add = "INSERT INTO config.acl (name) SELECT $1 WHERE $2::text IS NULL AND $3::text IS NULL",
    .del = "SELECT tandem.remove_acl($1)",
    .list = "SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.name), '[]') FROM tandem.v_acl v " WANTED(
        "v.name, v.rules, v.note"),
    .show = "SELECT to_jsonb(v) FROM tandem.v_acl v WHERE v.name = $1",
    .heads = acl_heads,
    .columns = acl_columns,
    .column_count = COUNT_OF(acl_heads),
};

static const char *const room_heads[] = {"ROOM", "PIN", "MODERATOR PIN", ">MAX", "TONES", "WAITS", "LOCKED", "NOTE"};
static const char *const room_columns[] = {
    "name", "pin", "moderator_pin", "max_members", "join_tones", "wait_for_moderator", "locked", "note"};

const struct entity entity_room = {
    .word = "room",
    .plural = "rooms",
    .command = &cmd_room,
    .table = "config.room",
    .key = "name",
    .fields = {{NULL, "name", "conference room", "text", false, false, false},
               {"--pin", "pin", "PIN", "text", false, true, false},
               {"--moderator-pin", "moderator_pin", "moderators' PIN", "text", false, true, false},
               {"--max", "max_members", "members at most", "integer", false, false, false},
               {"--tones", "join_tones", "tones for coming and going", "boolean", false, false, false},
               {"--wait", "wait_for_moderator", "waits for a moderator", "boolean", false, false, false},
               {"--locked", "locked", "locked at first", "boolean", false, false, false},
               {"--note", "note", "note", "text", false, true, false}},
    .add = "INSERT INTO config.room (name) SELECT $1 WHERE $2::text IS NULL AND $3::text IS NULL",
    .del = "SELECT tandem.remove_room($1)",
    .list =
        "SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.name), '[]') FROM tandem.v_room v " WANTED("v.name, v.note"),
    .show = "SELECT to_jsonb(v) FROM tandem.v_room v WHERE v.name = $1",
    .heads = room_heads,
    .columns = room_columns,
    .column_count = COUNT_OF(room_heads),
};

static const char *const music_heads[] = {"MUSIC", "KIND", "PATHS", "SHUFFLE", "ACCOUNTS", "NOTE"};
static const char *const music_columns[] = {"name", "kind", "paths", "shuffle", "accounts", "note"};

const struct entity entity_music = {
    .word = "music",
    .plural = "classes of hold music",
    .command = &cmd_music,
    .table = "config.music_class",
    .key = "name",
    .fields = {{NULL, "name", "hold music", "text", false, false, false},
               {"--paths", "paths", "paths", "text", false, false, false},
               {"--kind", "kind", "kind", "text", false, false, false},
               {"--shuffle", "shuffle", "shuffle", "boolean", false, false, false},
               {"--note", "note", "note", "text", false, true, false}},
    .add = "INSERT INTO config.music_class (name) SELECT $1 WHERE $2::text IS NULL AND $3::text IS NULL",
    .del = "SELECT tandem.remove_music_class($1)",
    .list = "SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.name), '[]') FROM tandem.v_music_class v " WANTED(
        "v.name, v.paths, v.note"),
    .show = "SELECT to_jsonb(v) FROM tandem.v_music_class v WHERE v.name = $1",
    .heads = music_heads,
    .columns = music_columns,
    .column_count = COUNT_OF(music_heads),
};
