-- How long a call may last, and how the switch finds out that a phone has gone without a word: limits and session timers
-- for single accounts, and settings that only take values the switch can use.

ALTER TABLE config.account
    ADD COLUMN max_call        integer
        CONSTRAINT account_max_call_is_sensible CHECK (max_call BETWEEN 0 AND 604800),
    ADD COLUMN session_timers  text
        CONSTRAINT account_session_timers_is_a_mode CHECK (session_timers IN ('on', 'accept', 'off')),
    ADD COLUMN session_expires integer
        CONSTRAINT account_session_expires_is_sensible CHECK (session_expires BETWEEN 90 AND 86400),
    ADD COLUMN session_min_se  integer
        CONSTRAINT account_session_min_se_is_sensible CHECK (session_min_se BETWEEN 90 AND 86400),
    ADD CONSTRAINT account_session_min_se_is_within_expires CHECK (session_min_se <= session_expires);
COMMENT ON COLUMN config.account.max_call IS
    'Longest call that it may make, in seconds from the answer; 0: no limit; NULL: the setting max_call decides.';
COMMENT ON COLUMN config.account.session_timers IS
    'Session timers (RFC 4028) with its phones: on: asked for; accept: only when the phone asks; off; NULL: the setting session_timers decides.';
COMMENT ON COLUMN config.account.session_expires IS
    'Seconds after which a session that nobody refreshed is over; NULL: the setting session_expires decides.';
COMMENT ON COLUMN config.account.session_min_se IS
    'Shortest such time that is taken from its phones, in seconds; NULL: the setting session_min_se decides.';

-- What is wrong with the value of a setting, as words that follow "needs"; NULL: nothing, or not one that is known here.
CREATE FUNCTION config.setting_needs(key text, value text) RETURNS text LANGUAGE plpgsql IMMUTABLE
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
COMMENT ON FUNCTION config.setting_needs(text, text) IS 'What the value of a setting has to be, when it is not; else NULL.';

-- Rows that are there already are left alone: the switch takes its own value for what it cannot use.
ALTER TABLE config.setting ADD CONSTRAINT setting_is_usable CHECK (config.setting_needs(key, value) IS NULL) NOT VALID;

CREATE OR REPLACE FUNCTION tandem.set_setting(key text, value text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF key IS NULL OR key !~ '^[a-z][a-z0-9_.-]{0,62}$' THEN
        RAISE EXCEPTION 'a setting cannot be called "%"', coalesce(key, '')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Use 1 to 63 lower-case letters, digits, dots, dashes and underscores, beginning with a letter.';
    END IF;
    IF key = 'realm' AND (value IS NULL OR octet_length(value) NOT BETWEEN 1 AND 127 OR value ~ '["\\[:cntrl:]]') THEN
        RAISE EXCEPTION 'the realm must be 1 to 127 bytes without quotes, backslashes or control characters'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF value IS NULL THEN
        DELETE FROM config.setting s WHERE s.key = set_setting.key;
        RETURN format('setting %s removed', key);
    END IF;
    IF octet_length(value) > 4000 OR value ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'the value of setting "%" is longer than 4,000 bytes or contains control characters', key
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF config.setting_needs(key, value) IS NOT NULL THEN
        RAISE EXCEPTION 'the setting "%" needs %, not "%"', key, config.setting_needs(key, value), left(value, 60)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO config.setting AS s (key, value) VALUES (set_setting.key, set_setting.value)
        ON CONFLICT ON CONSTRAINT setting_pkey DO UPDATE SET value = excluded.value;
    RETURN format('setting %s is %s', key, value);
END $$;

CREATE OR REPLACE VIEW tandem.v_account AS
    SELECT a.name, a.display_name, a.enabled, a.context, a.max_contacts,
           (SELECT count(*) FROM live.binding b WHERE b.account = a.name AND b.expires_at > now()) AS phones,
           a.updated_at, a.updated_by,
           a.max_call, a.session_timers, a.session_expires, a.session_min_se
    FROM config.account a
    ORDER BY a.name;
COMMENT ON COLUMN tandem.v_account.max_call IS 'Longest call that it may make, in seconds; 0: no limit; empty: as the switch.';
COMMENT ON COLUMN tandem.v_account.session_timers IS 'Session timers with its phones; empty: as the switch.';

REVOKE ALL ON FUNCTION config.setting_needs(text, text) FROM PUBLIC;
DO $$
DECLARE
    reader text;
BEGIN
    FOREACH reader IN ARRAY ARRAY['tandem_read', 'tandem_admin'] LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = reader);
        EXECUTE format('GRANT SELECT (max_call, session_timers, session_expires, session_min_se) ON config.account TO %I', reader);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tandem_admin') THEN
        GRANT UPDATE (max_call, session_timers, session_expires, session_min_se) ON config.account TO tandem_admin;
        GRANT EXECUTE ON FUNCTION config.setting_needs(text, text) TO tandem_admin; -- a constraint runs as the writer
    END IF;
END $$;
