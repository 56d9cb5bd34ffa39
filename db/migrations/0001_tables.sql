-- Tables in three schemas: config (people write, the switch reads), live (the switch writes, may be lost),
-- record (the switch writes, history). Everything that people call or read is in schema tandem.

CREATE SCHEMA config;
COMMENT ON SCHEMA config IS 'What people decide. A commit here is in force within a second; the switch never writes here.';
CREATE SCHEMA live;
COMMENT ON SCHEMA live IS 'What is so at this moment, written by the switch. May be emptied: phones register again.';
CREATE SCHEMA record;
COMMENT ON SCHEMA record IS 'What has happened, written by the switch: calls, their legs, their events.';

-- config ------------------------------------------------------------------------------------------------------------

CREATE TABLE config.generation (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    number       bigint  NOT NULL,
    journal_from bigint  NOT NULL,
    changed_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE config.generation IS
    'Number of the configuration, one row. Each changing statement raises it; its row lock puts commits in order.';
COMMENT ON COLUMN config.generation.only_row IS 'Keeps the table at one row.';
COMMENT ON COLUMN config.generation.number IS 'Generation of the configuration; see what the switch uses with `tandem status`.';
COMMENT ON COLUMN config.generation.journal_from IS 'config.change is complete for every generation above this one.';
COMMENT ON COLUMN config.generation.changed_at IS 'When the last change was made.';
INSERT INTO config.generation (number, journal_from) VALUES (1, 1);

CREATE TABLE config.change (
    generation bigint NOT NULL,
    table_name text   NOT NULL,
    key        text   NOT NULL,
    PRIMARY KEY (generation, table_name, key)
);
COMMENT ON TABLE config.change IS
    'Journal of touched rows (the last 1,000 generations): the switch re-reads these only. Written by triggers.';
COMMENT ON COLUMN config.change.generation IS 'The generation that the change made.';
COMMENT ON COLUMN config.change.table_name IS 'Table in schema config, without the schema.';
COMMENT ON COLUMN config.change.key IS 'Key of the row that was added, changed or removed.';

CREATE TABLE config.setting (
    key        text PRIMARY KEY CHECK (key ~ '^[a-z][a-z0-9_.-]{0,62}$'),
    value      text NOT NULL CHECK (octet_length(value) <= 4000 AND value !~ '[[:cntrl:]]'),
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text        NOT NULL DEFAULT session_user
);
COMMENT ON TABLE config.setting IS 'Settings of the whole switch, one row each. Write with tandem.set_setting().';
COMMENT ON COLUMN config.setting.key IS 'Name of the setting: lower-case letters, digits, dot, dash, underscore.';
COMMENT ON COLUMN config.setting.value IS 'Value as text.';
COMMENT ON COLUMN config.setting.updated_at IS 'When the row was last written.';
COMMENT ON COLUMN config.setting.updated_by IS 'Database user who wrote it.';

CREATE TABLE config.account (
    name         text PRIMARY KEY
                 CONSTRAINT account_name_is_plain CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    display_name text NOT NULL DEFAULT ''
                 CONSTRAINT account_display_name_fits
                 CHECK (octet_length(display_name) <= 127 AND display_name !~ '[[:cntrl:]]'),
    realm        text NOT NULL CONSTRAINT account_realm_fits CHECK (octet_length(realm) BETWEEN 1 AND 127),
    ha1_md5      bytea NOT NULL CONSTRAINT account_ha1_md5_is_16_bytes CHECK (octet_length(ha1_md5) = 16),
    ha1_sha256   bytea NOT NULL CONSTRAINT account_ha1_sha256_is_32_bytes CHECK (octet_length(ha1_sha256) = 32),
    enabled      boolean NOT NULL DEFAULT true,
    context      text NOT NULL DEFAULT 'internal'
                 CONSTRAINT account_context_is_plain CHECK (context ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'),
    max_contacts integer NOT NULL DEFAULT 10
                 CONSTRAINT account_max_contacts_is_sensible CHECK (max_contacts BETWEEN 1 AND 100),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    updated_by   text        NOT NULL DEFAULT session_user
);
COMMENT ON TABLE config.account IS 'Who may register and call. Add with tandem.add_account(), read with tandem.v_account.';
COMMENT ON COLUMN config.account.name IS 'Name, extension and authentication user in one: "201".';
COMMENT ON COLUMN config.account.display_name IS 'Name that the called side sees: "Reception".';
COMMENT ON COLUMN config.account.realm IS 'Digest realm that both hashes were made with.';
COMMENT ON COLUMN config.account.ha1_md5 IS 'MD5 of name:realm:secret. As good as the password: never show it.';
COMMENT ON COLUMN config.account.ha1_sha256 IS 'SHA-256 of name:realm:secret. As good as the password: never show it.';
COMMENT ON COLUMN config.account.enabled IS 'A disabled account can neither register nor call.';
COMMENT ON COLUMN config.account.context IS 'Where its calls enter the dialplan.';
COMMENT ON COLUMN config.account.max_contacts IS 'How many phones may be registered at a time.';
COMMENT ON COLUMN config.account.updated_at IS 'When the row was last written.';
COMMENT ON COLUMN config.account.updated_by IS 'Database user who wrote it.';

-- Who wrote a row, and when.
CREATE FUNCTION config.stamp_row() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    NEW.updated_at := now();
    NEW.updated_by := session_user;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.stamp_row() IS 'Trigger: sets updated_at and updated_by.';

-- Raises the generation, journals the touched keys and wakes the switch. One run a statement, however many rows: a bulk
-- import is one generation. Argument: the key column. Above 1,000 rows the journal starts anew and the switch reads all.
CREATE FUNCTION config.note_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog AS $$
DECLARE
    key_column text := TG_ARGV[0];
    touched    text[] := '{}';
    source     text;
    generation_now bigint;
BEGIN
    source := CASE TG_OP
        WHEN 'INSERT' THEN format('SELECT %I::text AS key FROM new_rows', key_column)
        WHEN 'DELETE' THEN format('SELECT %I::text AS key FROM old_rows', key_column)
        WHEN 'UPDATE' THEN format('SELECT %1$I::text AS key FROM new_rows UNION SELECT %1$I::text FROM old_rows', key_column)
    END;
    IF source IS NOT NULL THEN
        EXECUTE 'SELECT coalesce(array_agg(key), ''{}'') FROM (SELECT key FROM (' || source || ') s LIMIT 1001) t' INTO touched;
        IF cardinality(touched) = 0 THEN
            RETURN NULL;
        END IF;
    END IF;
    UPDATE config.generation SET number = number + 1, changed_at = now() RETURNING number INTO generation_now;
    IF source IS NULL OR cardinality(touched) > 1000 THEN
        UPDATE config.generation SET journal_from = number;
        DELETE FROM config.change;
        PERFORM pg_notify('tandem_config', TG_TABLE_NAME || ' *');
        RETURN NULL;
    END IF;
    INSERT INTO config.change (generation, table_name, key)
        SELECT generation_now, TG_TABLE_NAME, k FROM unnest(touched) k;
    DELETE FROM config.change WHERE generation <= generation_now - 1000;
    UPDATE config.generation SET journal_from = number - 1000 WHERE journal_from < number - 1000;
    PERFORM pg_notify('tandem_config', TG_TABLE_NAME || ' ' || left(k, 200)) FROM unnest(touched) k;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION config.note_change() IS 'Trigger: raises the generation, journals touched keys, notifies channel tandem_config.';

-- Gives a table of schema config its triggers. Modules with tables of their own call this in their migrations.
CREATE FUNCTION config.watch_table(table_name text, key_column text) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER stamp_row BEFORE INSERT OR UPDATE ON config.%I FOR EACH ROW EXECUTE FUNCTION config.stamp_row()', table_name);
    EXECUTE format('CREATE TRIGGER note_insert AFTER INSERT ON config.%I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION config.note_change(%L)', table_name, key_column);
    EXECUTE format('CREATE TRIGGER note_update AFTER UPDATE ON config.%I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION config.note_change(%L)', table_name, key_column);
    EXECUTE format('CREATE TRIGGER note_delete AFTER DELETE ON config.%I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION config.note_change(%L)', table_name, key_column);
    EXECUTE format('CREATE TRIGGER note_truncate AFTER TRUNCATE ON config.%I FOR EACH STATEMENT EXECUTE FUNCTION config.note_change(%L)', table_name, key_column);
END $$;
COMMENT ON FUNCTION config.watch_table(text, text) IS 'Adds the triggers that every table of schema config has.';

SELECT config.watch_table('setting', 'key');
SELECT config.watch_table('account', 'name');

-- The realm is part of every stored hash: with another one, no phone could authenticate.
CREATE FUNCTION config.keep_realm() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.key = OLD.key AND NEW.value = OLD.value THEN
        RETURN NEW;
    END IF;
    IF EXISTS (SELECT FROM config.account) THEN
        RAISE EXCEPTION 'the realm cannot change while there are accounts: it is part of every stored password'
            USING ERRCODE = 'integrity_constraint_violation',
                  HINT = 'The realm has nothing to do with host names or addresses; there is no need to change it.';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
COMMENT ON FUNCTION config.keep_realm() IS 'Trigger: refuses another realm while accounts exist.';
CREATE TRIGGER keep_realm BEFORE UPDATE OR DELETE ON config.setting
    FOR EACH ROW WHEN (OLD.key = 'realm') EXECUTE FUNCTION config.keep_realm();

INSERT INTO config.setting (key, value)
    VALUES ('realm', 'tandem-' || right(gen_random_uuid()::text, 8));

-- live --------------------------------------------------------------------------------------------------------------

CREATE TABLE live.binding (
    account     text    NOT NULL,
    contact_key text    NOT NULL,
    node        integer NOT NULL DEFAULT 0,
    aor         text,
    contact_uri text    NOT NULL,
    instance    text,
    reg_id      integer,
    call_id     text,
    cseq        bigint,
    path        text,
    user_agent  text,
    flow        text,
    peer        text,
    q           real,
    expires_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, contact_key)
);
COMMENT ON TABLE live.binding IS 'Registered contacts (RFC 3261 section 10). Read with tandem.v_registration.';
COMMENT ON COLUMN live.binding.account IS 'The account that registered.';
COMMENT ON COLUMN live.binding.contact_key IS 'What identifies the binding: instance and reg-id (RFC 5626), or the contact URI.';
COMMENT ON COLUMN live.binding.node IS 'The switch that holds it.';
COMMENT ON COLUMN live.binding.aor IS 'Address of record that was registered.';
COMMENT ON COLUMN live.binding.contact_uri IS 'Contact URI as the phone gave it.';
COMMENT ON COLUMN live.binding.instance IS '+sip.instance of the phone, if it sent one.';
COMMENT ON COLUMN live.binding.reg_id IS 'reg-id of the flow (RFC 5626), if it sent one.';
COMMENT ON COLUMN live.binding.call_id IS 'Call-ID of the last REGISTER.';
COMMENT ON COLUMN live.binding.cseq IS 'CSeq of the last REGISTER.';
COMMENT ON COLUMN live.binding.path IS 'Path header (RFC 3327), if there was one.';
COMMENT ON COLUMN live.binding.user_agent IS 'User-Agent of the phone.';
COMMENT ON COLUMN live.binding.flow IS 'Token of the connection that reaches the phone; means something to its node only.';
COMMENT ON COLUMN live.binding.peer IS 'Address and port of the phone as the switch sees it.';
COMMENT ON COLUMN live.binding.q IS 'Preference among contacts, 0 to 1.';
COMMENT ON COLUMN live.binding.expires_at IS 'When it ends unless the phone registers again.';
COMMENT ON COLUMN live.binding.updated_at IS 'When the phone last registered.';
CREATE INDEX binding_expires_at ON live.binding (expires_at);

-- record ------------------------------------------------------------------------------------------------------------

CREATE TABLE record.call (
    id           uuid PRIMARY KEY,
    node         integer NOT NULL,
    run          uuid    NOT NULL,
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    answered     boolean NOT NULL DEFAULT false,
    from_account text,
    from_number  text,
    from_name    text,
    dialled      text,
    answered_by  text,
    context      text,
    setup_ms     bigint,
    ring_ms      bigint,
    talk_ms      bigint,
    cause        text,
    cause_text   text,
    ended_by     text,
    sip_status   integer,
    sip_call_id  text
);
COMMENT ON TABLE record.call IS 'One row a call, from its first INVITE to its last BYE. Read with tandem.v_call.';
COMMENT ON COLUMN record.call.id IS 'The call''s id: UUIDv7, so ordered by time.';
COMMENT ON COLUMN record.call.node IS 'The switch that handled it.';
COMMENT ON COLUMN record.call.run IS 'The run of the switch program that opened it: tells calls that a stop cut off.';
COMMENT ON COLUMN record.call.started_at IS 'When the INVITE came.';
COMMENT ON COLUMN record.call.ended_at IS 'When the last leg was gone; NULL while it runs.';
COMMENT ON COLUMN record.call.answered IS 'Whether somebody (or something) answered.';
COMMENT ON COLUMN record.call.from_account IS 'Calling account; NULL when the caller is not one of ours.';
COMMENT ON COLUMN record.call.from_number IS 'Number of the caller.';
COMMENT ON COLUMN record.call.from_name IS 'Display name of the caller.';
COMMENT ON COLUMN record.call.dialled IS 'What was dialled.';
COMMENT ON COLUMN record.call.answered_by IS 'Account or number that answered.';
COMMENT ON COLUMN record.call.context IS 'Where it entered the dialplan.';
COMMENT ON COLUMN record.call.setup_ms IS 'INVITE to first ringing, in ms; 0 when it never rang.';
COMMENT ON COLUMN record.call.ring_ms IS 'First ringing to answer or end, in ms.';
COMMENT ON COLUMN record.call.talk_ms IS 'Answer to end, in ms; NULL when not known.';
COMMENT ON COLUMN record.call.cause IS 'Why it ended, as an id: normal, busy, no-answer, switch-stopped …';
COMMENT ON COLUMN record.call.cause_text IS 'Why it ended, in words.';
COMMENT ON COLUMN record.call.ended_by IS 'caller, callee, switch, operator or script.';
COMMENT ON COLUMN record.call.sip_status IS 'Final SIP status towards the caller.';
COMMENT ON COLUMN record.call.sip_call_id IS 'Call-ID of the caller''s leg, to find it in a trace.';
CREATE INDEX call_started_at ON record.call (started_at);
CREATE INDEX call_open ON record.call (node) WHERE ended_at IS NULL;

CREATE TABLE record.leg (
    id           uuid PRIMARY KEY,
    call_id      uuid    NOT NULL,
    node         integer NOT NULL,
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz NOT NULL,
    inbound      boolean NOT NULL,
    answered     boolean NOT NULL,
    account      text,
    number       text,
    contact      text,
    peer         text,
    sip_call_id  text,
    ring_ms      bigint,
    talk_ms      bigint,
    cause        text,
    cause_text   text,
    ended_by     text,
    sip_status   integer,
    codec        text,
    rx_packets   bigint,
    tx_packets   bigint,
    lost_packets bigint,
    dropped_packets bigint,
    jitter_us    bigint
);
COMMENT ON TABLE record.leg IS 'One row a leg (one SIP dialog with one phone or carrier), written when it ends. Read with tandem.v_leg.';
COMMENT ON COLUMN record.leg.id IS 'The leg''s id (UUIDv7).';
COMMENT ON COLUMN record.leg.call_id IS 'The call it belonged to when it ended.';
COMMENT ON COLUMN record.leg.node IS 'The switch that handled it.';
COMMENT ON COLUMN record.leg.started_at IS 'When its INVITE came or went out.';
COMMENT ON COLUMN record.leg.ended_at IS 'When it was gone.';
COMMENT ON COLUMN record.leg.inbound IS 'true: the phone called the switch; false: the switch called the phone.';
COMMENT ON COLUMN record.leg.answered IS 'Whether it was answered.';
COMMENT ON COLUMN record.leg.account IS 'Account at the other end, if it is one of ours.';
COMMENT ON COLUMN record.leg.number IS 'Number at the other end.';
COMMENT ON COLUMN record.leg.contact IS 'Contact URI at the other end.';
COMMENT ON COLUMN record.leg.peer IS 'Address and port of its signalling.';
COMMENT ON COLUMN record.leg.sip_call_id IS 'Its SIP Call-ID.';
COMMENT ON COLUMN record.leg.ring_ms IS 'Ringing, in ms.';
COMMENT ON COLUMN record.leg.talk_ms IS 'Answer to end, in ms.';
COMMENT ON COLUMN record.leg.cause IS 'Why it ended, as an id.';
COMMENT ON COLUMN record.leg.cause_text IS 'Why it ended, in words.';
COMMENT ON COLUMN record.leg.ended_by IS 'Who ended it.';
COMMENT ON COLUMN record.leg.sip_status IS 'Final SIP status.';
COMMENT ON COLUMN record.leg.codec IS 'Audio codec at the end.';
COMMENT ON COLUMN record.leg.rx_packets IS 'RTP packets from the phone.';
COMMENT ON COLUMN record.leg.tx_packets IS 'RTP packets to the phone.';
COMMENT ON COLUMN record.leg.lost_packets IS 'RTP packets from the phone that never came.';
COMMENT ON COLUMN record.leg.dropped_packets IS 'RTP packets that the switch threw away.';
COMMENT ON COLUMN record.leg.jitter_us IS 'Interarrival jitter (RFC 3550), in µs.';
CREATE INDEX leg_call_id ON record.leg (call_id);
CREATE INDEX leg_started_at ON record.leg (started_at);

CREATE TABLE record.event (
    id      uuid PRIMARY KEY,
    call_id uuid    NOT NULL,
    leg_id  uuid,
    node    integer NOT NULL,
    at      timestamptz NOT NULL,
    kind    text    NOT NULL,
    detail  text
);
COMMENT ON TABLE record.event IS 'What happened in a call, step by step.';
COMMENT ON COLUMN record.event.id IS 'The event''s id (UUIDv7).';
COMMENT ON COLUMN record.event.call_id IS 'The call.';
COMMENT ON COLUMN record.event.leg_id IS 'The leg; NULL: the call itself.';
COMMENT ON COLUMN record.event.node IS 'The switch that wrote it.';
COMMENT ON COLUMN record.event.at IS 'When it happened.';
COMMENT ON COLUMN record.event.kind IS 'What happened, as an id: leg-ringing, bridge-joined …';
COMMENT ON COLUMN record.event.detail IS 'Words for people.';
CREATE INDEX event_call_id ON record.event (call_id);
CREATE INDEX event_at ON record.event (at);
