-- Administration by SQL: whatever a table refuses, it refuses in words that say what to do; the settings that there are,
-- with their defaults; and what the switches make of the configuration (config_status).

-- One rule for every table: what a column is called says whether people may see it. Privileges, views and the history of
-- the configuration go by it, those of modules' tables too.
CREATE FUNCTION config.is_secret_column(column_name text) RETURNS boolean LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog AS $$
    SELECT column_name ~ '^(ha1|secret|password|private)(_|$)'
$$;
COMMENT ON FUNCTION config.is_secret_column(text) IS
    'Whether a column holds secrets: its name begins with ha1, secret, password or private. Nobody but the owner and the switch reads it.';

-- accounts ----------------------------------------------------------------------------------------------------------

-- The constraints of the table say the same; they are the last word, these are the words.
CREATE FUNCTION config.check_account() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    problem text;
    advice  text;
BEGIN
    IF coalesce(NEW.name, '') !~ '^[a-z0-9][a-z0-9._-]{0,62}$' THEN
        problem := format('an account cannot be called "%s"', NEW.name);
        advice := 'Use 1 to 63 lower-case letters, digits, dots, dashes and underscores, beginning with a letter or digit: 201, anna.reception.';
    ELSIF TG_OP = 'UPDATE' AND NEW.name <> OLD.name THEN
        problem := format('account "%s" cannot be renamed to "%s": the name is part of the stored secret', OLD.name, NEW.name);
        advice := format('Add an account "%s" with add_account() and give its secret to the phones, then remove "%s".', NEW.name, OLD.name);
    ELSIF NEW.ha1_md5 IS NULL OR NEW.ha1_sha256 IS NULL THEN
        problem := format('account "%s" has no secret', NEW.name);
        advice := format('SELECT add_account(%L, %L) adds it and makes a good secret.', NEW.name, NEW.display_name);
    ELSIF octet_length(NEW.display_name) > 127 OR NEW.display_name ~ '[[:cntrl:]]' THEN
        problem := format('the display name of account "%s" is longer than 127 bytes or contains control characters', NEW.name);
        advice := 'It is what other phones display; most have room for 20 characters.';
    ELSIF NEW.context !~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' THEN
        problem := format('account "%s" cannot be in context "%s": a dialplan context cannot be called that', NEW.name, NEW.context);
        advice := 'Most accounts belong into "internal".';
    ELSIF NEW.max_contacts NOT BETWEEN 1 AND 100 THEN
        problem := format('account "%s" cannot have %s phones', NEW.name, NEW.max_contacts);
        advice := 'max_contacts is from 1 to 100; 10 is usual.';
    ELSIF NEW.max_call NOT BETWEEN 0 AND 604800 THEN
        problem := format('account "%s" cannot have max_call %s', NEW.name, NEW.max_call);
        advice := 'max_call is in seconds, from 0 (no limit) to 604800 (a week); NULL: as the setting max_call says.';
    ELSIF NEW.session_timers NOT IN ('on', 'accept', 'off') THEN
        problem := format('account "%s" cannot have session_timers "%s"', NEW.name, NEW.session_timers);
        advice := 'session_timers is on, accept or off; NULL: as the setting session_timers says.';
    ELSIF NEW.session_expires NOT BETWEEN 90 AND 86400 OR NEW.session_min_se NOT BETWEEN 90 AND 86400 THEN
        problem := format('account "%s" cannot have session_expires %s and session_min_se %s', NEW.name,
                          coalesce(NEW.session_expires::text, 'NULL'), coalesce(NEW.session_min_se::text, 'NULL'));
        advice := 'Both are in seconds, from 90 to 86400; NULL: as the settings of that name say.';
    ELSIF NEW.session_min_se > NEW.session_expires THEN
        problem := format('account "%s" cannot have session_min_se %s above session_expires %s', NEW.name, NEW.session_min_se, NEW.session_expires);
        advice := 'session_min_se is the shortest time that is taken from a phone, session_expires the one that the switch asks for.';
    ELSIF TG_OP = 'INSERT' OR NEW.realm IS DISTINCT FROM OLD.realm THEN
        IF NEW.realm IS DISTINCT FROM (SELECT s.value FROM config.setting s WHERE s.key = 'realm') THEN
            problem := format('account "%s" cannot have the realm "%s": phones are asked for the one in the setting "realm", and no secret would fit', NEW.name, NEW.realm);
            advice := 'add_account() and set_password() fill it in.';
        END IF;
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'check_violation', HINT = advice, SCHEMA = 'config', TABLE = 'account';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_account() IS 'Trigger: refuses an account that could not work, in words.';
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON config.account
    FOR EACH ROW EXECUTE FUNCTION config.check_account();

-- Machines guess all day long, and they begin with this. The words never repeat the secret.
CREATE OR REPLACE FUNCTION tandem.check_secret(account_name text, secret text) RETURNS void LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog AS $$
DECLARE
    plain   text := lower(secret);
    problem text;
BEGIN
    problem := CASE
        WHEN length(secret) < 12 THEN 'is shorter than 12 characters'
        WHEN octet_length(secret) > 128 THEN 'is longer than 128 bytes'
        WHEN secret ~ '[[:cntrl:]]' THEN 'contains control characters'
        WHEN plain = lower(account_name) THEN 'is the name of the account'
        WHEN replace(plain, lower(account_name), '') = '' THEN 'only repeats the name of the account'
        WHEN length(account_name) > 2 AND position(lower(account_name) IN plain) > 0
             AND length(replace(plain, lower(account_name), '')) < 8 THEN 'is little more than the name of the account'
        WHEN (SELECT count(DISTINCT c) FROM regexp_split_to_table(secret, '') c) < 5 THEN 'has fewer than 5 different characters'
        WHEN plain ~ '^(.{1,64})\1+$' THEN 'repeats a shorter one'
        WHEN EXISTS (SELECT FROM unnest(ARRAY['01234567890123456789', '09876543210987654321', 'abcdefghijklmnopqrstuvwxyz',
                     'zyxwvutsrqponmlkjihgfedcba', 'qwertyuiopasdfghjklzxcvbnm', 'qwertzuiopasdfghjklyxcvbnm', 'azertyuiopqsdfghjklmwxcvbn',
                     '1q2w3e4r5t6y7u8i9o0p', '1q2w3e4r5t6z7u8i9o0p', '1qaz2wsx3edc4rfv5tgb', '1a2b3c4d5e6f7g8h9i0j', 'abcdef0123456789abcdef']) r
                     WHERE position(plain IN r) > 0) THEN 'is a row of neighbouring keys, letters or digits'
        WHEN translate(regexp_replace(plain, '[^a-z0-9@$!]', '', 'g'), '@$!01345', 'asioleas') ~ ('^[0-9]*(my|the|a)?(password|passwort|'
             'passwd|passphrase|secret|geheim|tandem|admin|administrator|root|user|default|changeme|changeit|letmein|welcome|willkommen|'
             'asterisk|freeswitch|telephone|telefon|phone|extension|voicemail|reception|company|office|guest|monitor|master|support|service|'
             'sip|voip|pbx|test|demo|qwerty|qwertz|iloveyou|monkey|dragon|football|summer|sommer|winter|spring|autumn|hello|hallo)+[0-9a-z]{0,4}$')
            THEN 'is a word that every guesser tries, with decorations'
    END;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'the secret for account "%" %', account_name, problem
            USING ERRCODE = 'invalid_password',
                  HINT = 'Machines guess SIP passwords all day long. Leave the secret out and a good one is made and shown once.';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION tandem.add_account(
    name text, display_name text DEFAULT '', secret text DEFAULT NULL, context text DEFAULT 'internal',
    max_contacts integer DEFAULT 10, enabled boolean DEFAULT true)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    chosen    text := coalesce(secret, tandem.new_secret());
    its_realm text := tandem.realm();
BEGIN
    IF EXISTS (SELECT FROM config.account a WHERE a.name = add_account.name) THEN
        RAISE EXCEPTION 'account "%" exists already', name
            USING ERRCODE = 'unique_violation', HINT = format('SELECT set_password(%L) gives it a new secret; UPDATE config.account changes the rest.', name);
    END IF;
    PERFORM tandem.check_secret(coalesce(name, ''), chosen);
    INSERT INTO config.account (name, display_name, realm, ha1_md5, ha1_sha256, enabled, context, max_contacts)
        VALUES (coalesce(name, ''), coalesce(display_name, ''), its_realm,
                decode(md5(tandem.ha1_text(coalesce(name, ''), its_realm, chosen)), 'hex'),
                sha256(tandem.ha1_text(coalesce(name, ''), its_realm, chosen)), coalesce(enabled, true), coalesce(context, 'internal'),
                coalesce(max_contacts, 10));
    RETURN format('account %s added', name) || CASE WHEN secret IS NULL THEN format('; its secret is %s', chosen) ELSE '' END;
END $$;

-- settings ----------------------------------------------------------------------------------------------------------

CREATE TABLE config.known_setting (
    key           text PRIMARY KEY,
    default_value text,
    meaning       text NOT NULL
);
COMMENT ON TABLE config.known_setting IS
    'The settings that the switch knows: migrations fill it, nobody else writes it. Read with tandem.v_setting.';
COMMENT ON COLUMN config.known_setting.key IS 'Name of the setting.';
COMMENT ON COLUMN config.known_setting.default_value IS 'What holds while it is not set.';
COMMENT ON COLUMN config.known_setting.meaning IS 'What it does, and which values it takes.';
INSERT INTO config.known_setting (key, default_value, meaning) VALUES
    ('realm', NULL, 'Digest realm, part of every stored secret: drawn by lot at the first migration, never to be changed while there are accounts.'),
    ('silence_event', '5', 'Seconds without sound from a phone after which the call has an event (leg-silent); 0: none.'),
    ('silence_hangup', '60', 'Seconds without sound and RTCP from a phone after which the call ends (media-timeout); 0: never.'),
    ('keepalive', '120', 'Seconds between the questions (OPTIONS) whether a phone without session timer still has the call; 0: never asked.'),
    ('max_call', '0', 'Longest call, in seconds from its answer; 0: no limit.'),
    ('session_timers', 'on', 'Session timers (RFC 4028): on: asked for in every call; accept: only when the phone asks; off.'),
    ('session_expires', '1800', 'Seconds after which a session that nobody refreshed is over.'),
    ('session_min_se', '90', 'Shortest such time that is taken from a phone, in seconds.');

CREATE FUNCTION config.check_setting() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    problem text;
    advice  text;
BEGIN
    IF coalesce(NEW.key, '') !~ '^[a-z][a-z0-9_.-]{0,62}$' THEN
        problem := format('a setting cannot be called "%s"', NEW.key);
        advice := 'Use 1 to 63 lower-case letters, digits, dots, dashes and underscores, beginning with a letter.';
    ELSIF NEW.key !~ '\.' AND NOT EXISTS (SELECT FROM config.known_setting k WHERE k.key = NEW.key) THEN
        problem := format('there is no setting "%s"', NEW.key);
        advice := 'The switch knows ' || (SELECT string_agg(k.key, ', ' ORDER BY k.key) FROM config.known_setting k)
                  || '. Settings of modules and dialplans have a dot in their names.';
    ELSIF octet_length(NEW.value) > 4000 OR NEW.value ~ '[[:cntrl:]]' THEN
        problem := format('the value of setting "%s" is longer than 4,000 bytes or contains control characters', NEW.key);
    ELSIF NEW.key = 'realm' AND (octet_length(NEW.value) NOT BETWEEN 1 AND 127 OR NEW.value ~ '["\\]') THEN
        problem := 'the realm must be 1 to 127 bytes without quotes, backslashes or control characters';
    ELSIF config.setting_needs(NEW.key, NEW.value) IS NOT NULL THEN
        problem := format('the setting "%s" needs %s, not "%s"', NEW.key, config.setting_needs(NEW.key, NEW.value), left(NEW.value, 60));
        advice := (SELECT k.meaning FROM config.known_setting k WHERE k.key = NEW.key);
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'setting',
            HINT = coalesce(advice, 'tandem.v_setting lists the settings with what they mean.');
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_setting() IS 'Trigger: refuses a setting that the switch does not know or cannot use, in words.';
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON config.setting
    FOR EACH ROW EXECUTE FUNCTION config.check_setting();

CREATE OR REPLACE FUNCTION tandem.set_setting(key text, value text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF value IS NULL AND key = 'realm' THEN
        RAISE EXCEPTION 'the realm cannot be removed: it is part of every stored secret' USING ERRCODE = 'check_violation';
    ELSIF value IS NULL THEN
        DELETE FROM config.setting s WHERE s.key = set_setting.key;
        IF NOT FOUND AND NOT EXISTS (SELECT FROM config.known_setting k WHERE k.key = set_setting.key) THEN
            RAISE EXCEPTION 'there is no setting "%"', key
                USING ERRCODE = 'no_data_found', HINT = 'tandem.v_setting lists them all.';
        END IF;
        RETURN format('setting %s removed', key) || coalesce((SELECT format('; its default is %s', k.default_value)
                                                              FROM config.known_setting k WHERE k.key = set_setting.key), '');
    END IF;
    INSERT INTO config.setting AS s (key, value) VALUES (coalesce(set_setting.key, ''), set_setting.value)
        ON CONFLICT ON CONSTRAINT setting_pkey DO UPDATE SET value = excluded.value;
    RETURN format('setting %s is %s', key, value);
END $$;

-- What the switches make of it ---------------------------------------------------------------------------------------

CREATE TABLE live.switch (
    node                integer PRIMARY KEY,
    version             text        NOT NULL,
    backend             integer     NOT NULL,
    connected_at        timestamptz NOT NULL DEFAULT now(),
    seen_at             timestamptz NOT NULL DEFAULT now(),
    generation          bigint      NOT NULL,
    rejected_generation bigint,
    rejected_row        text,
    rejected_reason     text
);
COMMENT ON TABLE live.switch IS 'What each switch says of itself: one row a node. Read with tandem.config_status.';
COMMENT ON COLUMN live.switch.node IS 'The switch.';
COMMENT ON COLUMN live.switch.version IS 'Version of its program.';
COMMENT ON COLUMN live.switch.backend IS 'Process of PostgreSQL that serves its connection for the configuration.';
COMMENT ON COLUMN live.switch.connected_at IS 'When that connection was made.';
COMMENT ON COLUMN live.switch.seen_at IS 'When it last looked at the configuration: each 30 s at least.';
COMMENT ON COLUMN live.switch.generation IS 'Generation of the configuration that it works with.';
COMMENT ON COLUMN live.switch.rejected_generation IS 'Newer generation that it could not work with; NULL: none.';
COMMENT ON COLUMN live.switch.rejected_row IS 'The row at fault: table and key.';
COMMENT ON COLUMN live.switch.rejected_reason IS 'What is wrong with it.';

-- A connection that is there, and looked within two minutes: a frozen program holds its connection, too.
CREATE VIEW tandem.config_status AS
    SELECT s.node,
           CASE WHEN s.node IS NULL THEN 'no switch has used this database yet'
                WHEN a.pid IS NULL THEN 'not connected'
                WHEN s.seen_at < now() - interval '2 minutes' THEN 'silent'
                WHEN s.rejected_generation IS NOT NULL THEN 'rejected'
                WHEN s.generation <> g.number THEN 'not yet'
                ELSE 'in force' END AS state,
           g.number AS saved, s.generation AS in_force, s.rejected_generation AS rejected, s.rejected_row,
           s.rejected_reason AS reason, g.changed_at AS saved_at, s.connected_at, s.seen_at, s.version
    FROM config.generation g
    LEFT JOIN live.switch s ON true
    LEFT JOIN pg_stat_activity a ON a.pid = s.backend AND a.datname = current_database()
    ORDER BY s.node;
COMMENT ON VIEW tandem.config_status IS 'What each switch makes of the configuration that is saved.';
COMMENT ON COLUMN tandem.config_status.node IS 'The switch.';
COMMENT ON COLUMN tandem.config_status.state IS
    'in force: it works with what is saved; not yet: it is about to; rejected: it cannot, see reason; not connected; silent: connected, but it does not look.';
COMMENT ON COLUMN tandem.config_status.saved IS 'Generation of the configuration in the database.';
COMMENT ON COLUMN tandem.config_status.in_force IS 'Generation that the switch works with (or worked with when it was last seen).';
COMMENT ON COLUMN tandem.config_status.rejected IS 'Newer generation that the switch could not work with; NULL: none.';
COMMENT ON COLUMN tandem.config_status.rejected_row IS 'The row at fault: table and key.';
COMMENT ON COLUMN tandem.config_status.reason IS 'What is wrong with that row.';
COMMENT ON COLUMN tandem.config_status.saved_at IS 'When the configuration was last changed.';
COMMENT ON COLUMN tandem.config_status.connected_at IS 'Since when the switch is connected; when it is not: since when it was.';
COMMENT ON COLUMN tandem.config_status.seen_at IS 'When the switch last looked at the configuration: each 30 s at least.';
COMMENT ON COLUMN tandem.config_status.version IS 'Version of its program.';

-- Each statement of a volatile function sees what has been committed meanwhile, so this can wait.
CREATE FUNCTION tandem.wait_applied(seconds integer DEFAULT 10)
    RETURNS text LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
DECLARE
    wanted bigint := (SELECT g.number FROM config.generation g);
    until  timestamptz := clock_timestamp() + make_interval(secs => seconds);
    worst  record;
BEGIN
    LOOP
        -- of the switches that are there, the one that is furthest behind
        SELECT c.node, c.state, c.in_force, c.rejected, c.rejected_row, c.reason INTO worst
            FROM tandem.config_status c WHERE c.state IN ('in force', 'not yet', 'rejected')
            ORDER BY c.in_force >= wanted, c.state <> 'rejected' LIMIT 1;
        IF worst IS NULL THEN
            RETURN format('saved as generation %s; no switch is connected, it comes into force when one starts', wanted);
        ELSIF worst.in_force >= wanted THEN
            RETURN format('applied, generation %s', wanted);
        ELSIF worst.state = 'rejected' AND worst.rejected >= wanted THEN
            RETURN format('generation %s was rejected by the switch (node %s): %s: %s. Generation %s stays in force',
                          worst.rejected, worst.node, worst.rejected_row, worst.reason, worst.in_force);
        ELSIF clock_timestamp() > until THEN
            RETURN format('saved as generation %s; the switch (node %s) still works with %s after %s s: see tandem.config_status',
                          wanted, worst.node, worst.in_force, seconds);
        END IF;
        PERFORM pg_sleep(0.02);
    END LOOP;
END $$;
COMMENT ON FUNCTION tandem.wait_applied(integer) IS
    'Waits until every connected switch works with what is committed, and says so, or says why not. For psql after a change; seconds: how long.';

-- views -------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW tandem.v_setting AS
    SELECT coalesce(s.key, k.key) AS key, s.value, s.updated_at, s.updated_by, k.default_value, k.meaning
    FROM config.setting s FULL JOIN config.known_setting k ON k.key = s.key
    ORDER BY 1;
COMMENT ON VIEW tandem.v_setting IS 'Settings of the whole switch: those that are set, and those that could be.';
COMMENT ON COLUMN tandem.v_setting.key IS 'Name of the setting.';
COMMENT ON COLUMN tandem.v_setting.value IS 'What it is set to; NULL: the default holds.';
COMMENT ON COLUMN tandem.v_setting.updated_at IS 'When it was set.';
COMMENT ON COLUMN tandem.v_setting.updated_by IS 'Database user who set it.';
COMMENT ON COLUMN tandem.v_setting.default_value IS 'What holds while it is not set.';
COMMENT ON COLUMN tandem.v_setting.meaning IS 'What it does, and which values it takes.';

CREATE VIEW tandem.v_event AS
    SELECT e.at, coalesce(c.from_account, c.from_number) AS caller, c.dialled,
           coalesce(l.account, l.number, l.contact) AS party, e.kind, e.detail, e.call_id, e.leg_id, e.id, e.node
    FROM record.event e
    LEFT JOIN record.call c ON c.id = e.call_id
    LEFT JOIN record.leg l ON l.id = e.leg_id
    ORDER BY e.at DESC, e.id DESC;
COMMENT ON VIEW tandem.v_event IS 'What happened in calls, step by step, the newest first; for one call: WHERE call_id = …, ORDER BY at, id.';
COMMENT ON COLUMN tandem.v_event.at IS 'When it happened.';
COMMENT ON COLUMN tandem.v_event.caller IS 'Who called: account or number.';
COMMENT ON COLUMN tandem.v_event.dialled IS 'What was dialled.';
COMMENT ON COLUMN tandem.v_event.party IS 'The phone or number that it happened to, once its leg has ended; NULL: the call itself.';
COMMENT ON COLUMN tandem.v_event.kind IS 'What happened, as an id: leg-ringing, bridge-joined …';
COMMENT ON COLUMN tandem.v_event.detail IS 'Words for people.';
COMMENT ON COLUMN tandem.v_event.call_id IS 'The call.';
COMMENT ON COLUMN tandem.v_event.leg_id IS 'The leg; NULL: the call itself.';
COMMENT ON COLUMN tandem.v_event.id IS 'The event''s id (UUIDv7).';
COMMENT ON COLUMN tandem.v_event.node IS 'The switch that wrote it.';

COMMENT ON COLUMN tandem.v_account.name IS 'Name, extension and authentication user in one.';
COMMENT ON COLUMN tandem.v_account.display_name IS 'Name that the called side sees.';
COMMENT ON COLUMN tandem.v_account.enabled IS 'A disabled account can neither register nor call.';
COMMENT ON COLUMN tandem.v_account.context IS 'Where its calls enter the dialplan.';
COMMENT ON COLUMN tandem.v_account.max_contacts IS 'How many phones may be registered at a time.';
COMMENT ON COLUMN tandem.v_account.updated_at IS 'When the account was last changed.';
COMMENT ON COLUMN tandem.v_account.updated_by IS 'Database user who changed it.';
COMMENT ON COLUMN tandem.v_account.session_expires IS 'Seconds after which a session that nobody refreshed is over; empty: as the switch.';
COMMENT ON COLUMN tandem.v_account.session_min_se IS 'Shortest such time that is taken from its phones; empty: as the switch.';

COMMENT ON COLUMN tandem.v_registration.account IS 'The account that registered.';
COMMENT ON COLUMN tandem.v_registration.display_name IS 'Its name for people.';
COMMENT ON COLUMN tandem.v_registration.contact IS 'Contact URI as the phone gave it.';
COMMENT ON COLUMN tandem.v_registration.peer IS 'Address and port of the phone as the switch sees it.';
COMMENT ON COLUMN tandem.v_registration.user_agent IS 'What the phone says it is.';
COMMENT ON COLUMN tandem.v_registration.registered_at IS 'When the phone last registered.';
COMMENT ON COLUMN tandem.v_registration.node IS 'The switch that holds it.';

COMMENT ON COLUMN tandem.v_call.started_at IS 'When the INVITE came.';
COMMENT ON COLUMN tandem.v_call.caller IS 'Account or number that called, with its name.';
COMMENT ON COLUMN tandem.v_call.dialled IS 'What was dialled.';
COMMENT ON COLUMN tandem.v_call.answered_by IS 'Account or number that answered.';
COMMENT ON COLUMN tandem.v_call.rang IS 'How long it rang.';
COMMENT ON COLUMN tandem.v_call.talked IS 'Answer to end.';
COMMENT ON COLUMN tandem.v_call.ended_by IS 'caller, callee, switch, operator or script.';
COMMENT ON COLUMN tandem.v_call.sip_status IS 'Final SIP status towards the caller.';
COMMENT ON COLUMN tandem.v_call.ended_at IS 'When the last leg was gone; empty while it runs.';
COMMENT ON COLUMN tandem.v_call.id IS 'The call''s id: `tandem call ID` draws it.';
COMMENT ON COLUMN tandem.v_call.node IS 'The switch that handled it.';

COMMENT ON COLUMN tandem.v_leg.started_at IS 'When its INVITE came or went out.';
COMMENT ON COLUMN tandem.v_leg.party IS 'Account, number or contact at the other end.';
COMMENT ON COLUMN tandem.v_leg.peer IS 'Address and port of its signalling.';
COMMENT ON COLUMN tandem.v_leg.answered IS 'Whether it was answered.';
COMMENT ON COLUMN tandem.v_leg.rang IS 'How long it rang.';
COMMENT ON COLUMN tandem.v_leg.talked IS 'Answer to end.';
COMMENT ON COLUMN tandem.v_leg.why IS 'Why it ended, in words.';
COMMENT ON COLUMN tandem.v_leg.ended_by IS 'Who ended it.';
COMMENT ON COLUMN tandem.v_leg.sip_status IS 'Final SIP status.';
COMMENT ON COLUMN tandem.v_leg.codec IS 'Audio codec at the end.';
COMMENT ON COLUMN tandem.v_leg.rx_packets IS 'RTP packets from the party.';
COMMENT ON COLUMN tandem.v_leg.tx_packets IS 'RTP packets to the party.';
COMMENT ON COLUMN tandem.v_leg.jitter_ms IS 'Interarrival jitter (RFC 3550), in ms.';
COMMENT ON COLUMN tandem.v_leg.ended_at IS 'When it was gone.';
COMMENT ON COLUMN tandem.v_leg.call_id IS 'The call it belonged to.';
COMMENT ON COLUMN tandem.v_leg.id IS 'The leg''s id.';
COMMENT ON COLUMN tandem.v_leg.node IS 'The switch that handled it.';
