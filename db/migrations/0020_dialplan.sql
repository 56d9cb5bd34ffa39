-- What the dialplan keeps and asks: the role for its SQL, the store, variables of calls in their records, and the setting
-- that says who gets a call whose script has failed.

INSERT INTO config.known_setting (key, default_value, meaning) VALUES
    ('script_fallback', NULL, 'Who gets a call when the dialplan fails: account:NAME, or CONTEXT/EXTENSION of the dialplan; not set: the caller hears that it failed (500).');

CREATE OR REPLACE FUNCTION config.setting_needs(key text, value text) RETURNS text LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog AS $$
DECLARE
    low  integer := CASE WHEN key IN ('session_expires', 'session_min_se') THEN 90 ELSE 0 END;
    high integer := CASE key WHEN 'silence_event' THEN 3600
                             WHEN 'max_call' THEN 604800
                             ELSE 86400 END;
BEGIN
    IF key = 'session_timers' THEN
        RETURN CASE WHEN value IN ('on', 'accept', 'off') THEN NULL ELSE 'on, accept or off' END;
    END IF;
    IF key = 'script_fallback' THEN
        RETURN CASE WHEN value ~ '^(account:[a-z0-9][a-z0-9._-]{0,62}|[^/[:space:]]{1,63}/[^/[:space:]]{1,60})$' THEN NULL
                    ELSE 'account:NAME or CONTEXT/EXTENSION' END;
    END IF;
    IF key NOT IN ('silence_event', 'silence_hangup', 'keepalive', 'max_call', 'session_expires', 'session_min_se') THEN
        RETURN NULL;
    END IF;
    IF value ~ '^[0-9]{1,7}$' THEN -- before the cast
        IF value::integer BETWEEN low AND high THEN
            RETURN NULL;
        END IF;
    END IF;
    RETURN format('a number of seconds from %s to %s', low, high);
END $$;

-- The role of the SQL in the dialplan -------------------------------------------------------------------------------

-- The switch takes this role before it sends a statement of the dialplan. It reads what people read, so no secrets; what
-- else it may read or write is granted to it.
CREATE FUNCTION tandem.grant_script_role() RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tandem_script') THEN
        BEGIN
            CREATE ROLE tandem_script NOLOGIN;
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role tandem_script was not made: % may not create roles. SQL in the dialplan runs with the rights of the switch until a superuser runs: CREATE ROLE tandem_script; GRANT tandem_script TO %; then SELECT tandem.grant_script_role()',
                    current_user, current_user;
                RETURN 'missing: tandem_script';
            WHEN duplicate_object OR unique_violation THEN
                NULL; -- another database of this server is being migrated at the same time
        END;
    END IF;
    BEGIN
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tandem_read') THEN
            GRANT tandem_read TO tandem_script;
        END IF;
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tandem_daemon') THEN
            GRANT tandem_script TO tandem_daemon;
        END IF;
        IF NOT pg_has_role(current_user, 'tandem_script', 'MEMBER') THEN
            EXECUTE format('GRANT tandem_script TO %I', current_user);
        END IF;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'role tandem_script has not all its rights: % may not give them. A superuser runs: GRANT tandem_read TO tandem_script; GRANT tandem_script TO tandem_daemon, %',
            current_user, current_user;
        RETURN 'tandem_script lacks rights';
    END;
    RETURN 'tandem_script has its rights';
END $$;
COMMENT ON FUNCTION tandem.grant_script_role() IS
    'Makes the role of the SQL in the dialplan where it may, and gives it its rights. For the owner.';
REVOKE ALL ON FUNCTION tandem.grant_script_role() FROM PUBLIC;
SELECT tandem.grant_script_role();

-- The store ---------------------------------------------------------------------------------------------------------

CREATE TABLE live.store (
    key        text PRIMARY KEY
               CONSTRAINT store_key_fits CHECK (octet_length(key) BETWEEN 1 AND 128 AND key !~ '[[:cntrl:]]'),
    value      jsonb NOT NULL
               CONSTRAINT store_value_is_plain CHECK (jsonb_typeof(value) IN ('string', 'number', 'boolean') AND octet_length(value::text) <= 8100),
    expires_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_by text        NOT NULL DEFAULT session_user
);
COMMENT ON TABLE live.store IS 'What the dialplan keeps with store.set(): small values by key. Read with tandem.v_store, write with tandem.store_set().';
COMMENT ON COLUMN live.store.key IS 'Name of the value.';
COMMENT ON COLUMN live.store.value IS 'Text, number, true or false.';
COMMENT ON COLUMN live.store.expires_at IS 'When it is forgotten; NULL: never.';
COMMENT ON COLUMN live.store.updated_at IS 'When it was last set; the later one of two changes wins.';
COMMENT ON COLUMN live.store.updated_by IS 'Database user who set it: the switch''s, or a person.';

-- The switch holds all of it in memory and is told which key has changed. It hears of its own changes, too, and knows
-- them by their time.
CREATE FUNCTION live.note_store() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('tandem_store', CASE TG_OP
        WHEN 'TRUNCATE' THEN ''
        WHEN 'DELETE' THEN E'-\n' || OLD.key
        ELSE (extract(epoch FROM NEW.updated_at) * 1000000)::bigint || E'\n' || NEW.key END);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION live.note_store() IS 'Trigger: tells the switch which key of the store has changed.';
CREATE TRIGGER note_store AFTER INSERT OR UPDATE OR DELETE ON live.store FOR EACH ROW EXECUTE FUNCTION live.note_store();
CREATE TRIGGER note_store_emptied AFTER TRUNCATE ON live.store FOR EACH STATEMENT EXECUTE FUNCTION live.note_store();

CREATE FUNCTION config.store_put(key text, value jsonb, keep interval) RETURNS text LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    IF key IS NULL OR octet_length(key) NOT BETWEEN 1 AND 128 OR key ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'a key of the store has 1 to 128 bytes and no control characters' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF value IS NULL THEN
        DELETE FROM live.store s WHERE s.key = store_put.key;
        RETURN format('%s is forgotten', key);
    END IF;
    IF octet_length(value #>> '{}') > 4000 THEN
        RAISE EXCEPTION 'the store keeps texts of up to 4,000 bytes' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO live.store AS s (key, value, expires_at) VALUES (store_put.key, value, clock_timestamp() + keep)
        ON CONFLICT ON CONSTRAINT store_pkey DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at,
            updated_at = excluded.updated_at, updated_by = excluded.updated_by;
    RETURN format('%s is %s', key, value #>> '{}');
END $$;
COMMENT ON FUNCTION config.store_put(text, jsonb, interval) IS 'What the functions store_set() do.';
REVOKE ALL ON FUNCTION config.store_put(text, jsonb, interval) FROM PUBLIC;

CREATE FUNCTION tandem.store_set(key text, value text, keep interval DEFAULT NULL) RETURNS text LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog AS $$ SELECT config.store_put(key, to_jsonb(value), keep) $$;
CREATE FUNCTION tandem.store_set(key text, value numeric, keep interval DEFAULT NULL) RETURNS text LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog AS $$ SELECT config.store_put(key, to_jsonb(value), keep) $$;
CREATE FUNCTION tandem.store_set(key text, value boolean, keep interval DEFAULT NULL) RETURNS text LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog AS $$ SELECT config.store_put(key, to_jsonb(value), keep) $$;
COMMENT ON FUNCTION tandem.store_set(text, text, interval) IS
    'Sets a value of the dialplan''s store; NULL forgets it. keep: for how long.';
COMMENT ON FUNCTION tandem.store_set(text, numeric, interval) IS
    'Sets a number of the dialplan''s store. keep: for how long.';
COMMENT ON FUNCTION tandem.store_set(text, boolean, interval) IS
    'Sets true or false in the dialplan''s store. keep: for how long.';

CREATE VIEW tandem.v_store AS
    SELECT s.key, s.value #>> '{}' AS value, jsonb_typeof(s.value) AS type, s.expires_at, s.updated_at, s.updated_by
    FROM live.store s WHERE s.expires_at IS NULL OR s.expires_at > now()
    ORDER BY s.key;
COMMENT ON VIEW tandem.v_store IS 'What the dialplan keeps with store.set().';
COMMENT ON COLUMN tandem.v_store.key IS 'Name of the value.';
COMMENT ON COLUMN tandem.v_store.value IS 'The value, as text.';
COMMENT ON COLUMN tandem.v_store.type IS 'string, number or boolean.';
COMMENT ON COLUMN tandem.v_store.expires_at IS 'When it is forgotten; empty: never.';
COMMENT ON COLUMN tandem.v_store.updated_at IS 'When it was last set.';
COMMENT ON COLUMN tandem.v_store.updated_by IS 'Database user who set it.';

-- Variables of calls ------------------------------------------------------------------------------------------------

ALTER TABLE record.call ADD COLUMN vars jsonb;
COMMENT ON COLUMN record.call.vars IS 'What the dialplan has kept in call.vars; NULL: nothing.';
CREATE INDEX call_vars ON record.call USING gin (vars) WHERE vars IS NOT NULL;
