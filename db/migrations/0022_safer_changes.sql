-- What was learned from administrators who were in a hurry, clumsy, or two. Those who change the configuration at the same
-- time take turns before they touch a row: whoever locked rows first and waited for the generation afterwards could meet
-- another who held the generation and wanted those rows. Going back works across a change of the realm. An account that is
-- the fallback exists. Secrets that are a well-known word with digits around it are refused, however many there are.

-- turns -------------------------------------------------------------------------------------------------------------

CREATE FUNCTION config.take_turn() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM config.generation g WHERE g.transaction = txid_current() AND g.changed_at = now()) THEN
        PERFORM FROM config.generation FOR UPDATE;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION config.take_turn() IS
    'Trigger: waits until nobody else is in the middle of changing the configuration, before any row is locked.';

CREATE OR REPLACE FUNCTION config.watch_table(table_name text, key_column text) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER a_turn BEFORE INSERT OR UPDATE OR DELETE ON config.%I FOR EACH STATEMENT EXECUTE FUNCTION config.take_turn()', table_name);
    EXECUTE format('CREATE TRIGGER stamp_row BEFORE INSERT OR UPDATE ON config.%I FOR EACH ROW EXECUTE FUNCTION config.stamp_row()', table_name);
    EXECUTE format('CREATE TRIGGER note_insert AFTER INSERT ON config.%I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION config.note_change(%L)', table_name, key_column);
    EXECUTE format('CREATE TRIGGER note_update AFTER UPDATE ON config.%I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION config.note_change(%L)', table_name, key_column);
    EXECUTE format('CREATE TRIGGER note_delete AFTER DELETE ON config.%I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION config.note_change(%L)', table_name, key_column);
    EXECUTE format('CREATE TRIGGER note_truncate BEFORE TRUNCATE ON config.%I FOR EACH STATEMENT EXECUTE FUNCTION config.note_change(%L)', table_name, key_column);
END $$;

DO $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT w.table_name FROM config.watched_tables() w LOOP
        EXECUTE format('CREATE TRIGGER a_turn BEFORE INSERT OR UPDATE OR DELETE ON config.%I FOR EACH STATEMENT EXECUTE FUNCTION config.take_turn()', t.table_name);
    END LOOP;
END $$;

-- What somebody else is about to save belongs to what is undone.
CREATE OR REPLACE FUNCTION tandem.rollback_config(generation bigint) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    before_it bigint;
    touched   integer;
BEGIN
    SELECT g.number INTO before_it FROM config.generation g FOR UPDATE;
    touched := config.undo_after(generation, format('back to generation %s', generation));
    IF touched = 0 THEN
        RETURN format('the configuration is as it was in generation %s: nothing to undo', generation);
    END IF;
    RETURN format('%s row%s as in generation %s again; rollback_config(%s) undoes that', touched, CASE touched WHEN 1 THEN ' is' ELSE 's are' END,
                  generation, before_it);
END $$;

-- going back --------------------------------------------------------------------------------------------------------

-- The realm comes back before the accounts whose secrets it is part of; rows of another realm make way for those of then.
CREATE OR REPLACE FUNCTION config.undo_after(target bigint, why text) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog AS $$
DECLARE
    t       record;
    shape   record;
    columns text[];
    touched integer;
    total   integer := 0;
BEGIN
    PERFORM config.need_history(target);
    PERFORM set_config('tandem.note', why, true);
    FOR t IN SELECT w.table_name, config.key_column(w.table_name) AS key_column FROM config.watched_tables() w
             ORDER BY w.table_name = 'setting', w.depth DESC LOOP
        EXECUTE format('DELETE FROM config.%1$I t USING (SELECT DISTINCT ON (h.key) h.key, h.secret_before FROM config.history h
                            WHERE h.table_name = %1$L AND h.generation > $1 ORDER BY h.key, h.id) g
                        WHERE t.%2$I::text = g.key
                            AND (g.secret_before IS NULL OR to_jsonb(t) ->> ''realm'' <> g.secret_before ->> ''realm'')', t.table_name, t.key_column) USING target;
        GET DIAGNOSTICS touched = ROW_COUNT;
        total := total + touched;
    END LOOP;
    FOR t IN SELECT w.table_name, config.key_column(w.table_name) AS key_column FROM config.watched_tables() w
             ORDER BY w.table_name <> 'setting', w.depth LOOP
        -- a migration may have added columns since: rows of the same shape come back together, with what they had
        FOR shape IN
            SELECT s.names, jsonb_agg(s.secret_before) AS rows FROM (
                SELECT g.secret_before, (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(g.secret_before) k) AS names
                FROM (SELECT DISTINCT ON (h.key) h.key, h.secret_before FROM config.history h
                      WHERE h.table_name = t.table_name AND h.generation > target ORDER BY h.key, h.id) g
                WHERE g.secret_before IS NOT NULL) s
            GROUP BY s.names
        LOOP
            SELECT array_agg(quote_ident(a.attname)) INTO columns FROM pg_attribute a
                WHERE a.attrelid = format('config.%I', t.table_name)::regclass AND a.attnum > 0 AND NOT a.attisdropped
                  AND a.attgenerated = '' AND a.attname = ANY (shape.names) AND a.attname NOT IN ('updated_at', 'updated_by');
            EXECUTE format('UPDATE config.%1$I t SET %3$s FROM jsonb_populate_recordset(NULL::config.%1$I, $1) r
                            WHERE t.%2$I = r.%2$I AND (%4$s) IS DISTINCT FROM (%5$s)', t.table_name, t.key_column,
                           (SELECT string_agg(format('%1$s = r.%1$s', c), ', ') FROM unnest(columns) c),
                           (SELECT string_agg('t.' || c, ', ') FROM unnest(columns) c), (SELECT string_agg('r.' || c, ', ') FROM unnest(columns) c))
                USING shape.rows;
            GET DIAGNOSTICS touched = ROW_COUNT;
            total := total + touched;
            EXECUTE format('INSERT INTO config.%1$I (%3$s) SELECT %4$s FROM jsonb_populate_recordset(NULL::config.%1$I, $1) r
                            WHERE NOT EXISTS (SELECT FROM config.%1$I t WHERE t.%2$I = r.%2$I)', t.table_name, t.key_column,
                           array_to_string(columns, ', '), (SELECT string_agg('r.' || c, ', ') FROM unnest(columns) c))
                USING shape.rows;
            GET DIAGNOSTICS touched = ROW_COUNT;
            total := total + touched;
        END LOOP;
    END LOOP;
    PERFORM set_config('tandem.note', '', true);
    RETURN total;
END $$;

-- What waits for its confirmation must be able to go back.
CREATE OR REPLACE FUNCTION tandem.forget_history(older_than interval) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    last_gone bigint := (SELECT max(h.generation) FROM config.history h WHERE h.at < now() - older_than
                         AND NOT EXISTS (SELECT FROM config.pending p WHERE p.generation <= h.generation));
    rows_gone integer;
BEGIN
    DELETE FROM config.history h WHERE h.generation <= last_gone;
    GET DIAGNOSTICS rows_gone = ROW_COUNT;
    UPDATE config.generation SET history_from = last_gone WHERE history_from < last_gone;
    RETURN format('%s row%s forgotten', rows_gone, CASE rows_gone WHEN 1 THEN '' ELSE 's' END);
END $$;

CREATE FUNCTION config.refuse_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION 'the settings cannot be truncated: the realm among them is part of every stored secret'
        USING ERRCODE = 'check_violation', HINT = 'DELETE FROM config.setting WHERE key <> ''realm'' removes all others.';
END $$;
COMMENT ON FUNCTION config.refuse_truncate() IS 'Trigger: refuses to truncate the settings.';
CREATE TRIGGER a_realm BEFORE TRUNCATE ON config.setting FOR EACH STATEMENT EXECUTE FUNCTION config.refuse_truncate();

-- a fallback exists -------------------------------------------------------------------------------------------------

-- Looked at when everything is in place: an import or a restore may bring the setting before the account.
CREATE FUNCTION config.check_fallback() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    target text := (SELECT substr(s.value, 9) FROM config.setting s WHERE s.key = 'script_fallback' AND s.value LIKE 'account:%');
BEGIN
    IF target IS NULL OR EXISTS (SELECT FROM config.account a WHERE a.name = target) THEN
        RETURN NULL;
    ELSIF TG_TABLE_NAME = 'setting' THEN
        RAISE EXCEPTION 'the setting "script_fallback" cannot be "account:%": there is no such account', target
            USING ERRCODE = 'foreign_key_violation', HINT = 'SELECT name, display_name FROM tandem.v_account lists them all.';
    ELSIF OLD.name <> target THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'account "%" cannot be removed: it gets the calls whose dialplan fails (setting "script_fallback")', target
        USING ERRCODE = 'foreign_key_violation',
              HINT = 'Name another one first, or none: SELECT set_setting(''script_fallback'', NULL), tandem setting del script_fallback.';
END $$;
COMMENT ON FUNCTION config.check_fallback() IS 'Trigger, at the end of a transaction: the account that script_fallback names exists.';
CREATE CONSTRAINT TRIGGER fallback_exists AFTER INSERT OR UPDATE ON config.setting DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION config.check_fallback();
CREATE CONSTRAINT TRIGGER fallback_stays AFTER DELETE ON config.account DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION config.check_fallback();

-- secrets -----------------------------------------------------------------------------------------------------------

-- Machines guess all day long, and they begin with this. The words never repeat the secret.
CREATE OR REPLACE FUNCTION tandem.check_secret(account_name text, secret text) RETURNS void LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog AS $$
DECLARE
    plain   text := lower(secret);
    words   text := '(my|the|a)?(password|passwort|passwd|passphrase|secret|geheim|tandem|admin|administrator|root|user|default|changeme|'
        'changeit|letmein|welcome|willkommen|asterisk|freeswitch|telephone|telefon|phone|extension|voicemail|reception|company|office|guest|'
        'monitor|master|support|service|sip|voip|pbx|test|demo|qwerty|qwertz|iloveyou|monkey|dragon|football|summer|sommer|winter|spring|'
        'autumn|hello|hallo)+';
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
        WHEN translate(regexp_replace(plain, '[^a-z0-9@$!]', '', 'g'), '@$!01345', 'asioleas') ~ ('^[0-9]*' || words || '[0-9a-z]{0,4}$')
             OR regexp_replace(plain, '[^a-z]', '', 'g') ~ ('^' || words || '$')
            THEN 'is a word that every guesser tries, with decorations'
        WHEN plain ~ '^[0-9]*$' AND length(secret) < 20 THEN 'is made of digits alone'
        WHEN EXISTS (SELECT FROM unnest(ARRAY['01234567890123456789', 'abcdefghijklmnopqrstuvwxyz', 'q1w2e3r4t5y6u7i8o9p0',
                     'q1w2e3r4t5z6u7i8o9p0', 'zaq12wsxcde34rfvbgt56yhn', 'zaq1xsw2cde3vfr4bgt5nhy6']) r
                     WHERE position(regexp_replace(plain, '(.)\1', '\1', 'g') IN r) > 0) THEN 'is a row of neighbouring keys, letters or digits'
    END;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'the secret for account "%" %', account_name, problem
            USING ERRCODE = 'invalid_password',
                  HINT = 'Machines guess SIP passwords all day long. Leave the secret out and a good one is made and shown once.';
    END IF;
END $$;
