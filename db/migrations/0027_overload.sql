-- What the switch may use up, and whom it serves even then. Settings say themselves what they take.

ALTER TABLE config.known_setting
    ADD COLUMN pattern text,
    ADD COLUMN needs   text;
COMMENT ON COLUMN config.known_setting.pattern IS 'Regular expression that its value must match; NULL: any value.';
COMMENT ON COLUMN config.known_setting.needs IS 'What it takes, in words: the end of "the setting needs …".';

INSERT INTO config.known_setting (key, default_value, meaning) VALUES
    ('max_memory', '0', 'Memory in MiB above which new requests are refused, strangers'' first; 0: half of what the machine has.'),
    ('emergency_numbers', '112 911 999', 'Numbers, with blanks between, that users can call however busy the switch is.');

UPDATE config.known_setting SET pattern = '^[0-9]{1,7}$', needs = format('a number from %s to %s', least, most) WHERE least IS NOT NULL;
UPDATE config.known_setting SET least = 0, most = 86400, pattern = '^[0-9]{1,7}$'
    WHERE key IN ('silence_event', 'silence_hangup', 'keepalive', 'max_call', 'session_expires', 'session_min_se');
UPDATE config.known_setting SET least = 90 WHERE key IN ('session_expires', 'session_min_se');
UPDATE config.known_setting SET most = 3600 WHERE key = 'silence_event';
UPDATE config.known_setting SET most = 604800 WHERE key = 'max_call';
UPDATE config.known_setting SET needs = format('a number of seconds from %s to %s', least, most) WHERE least IS NOT NULL AND needs IS NULL;
UPDATE config.known_setting SET pattern = '^[0-9]{1,7}$', least = 0, most = 1048576, needs = 'a number of MiB from 0 to 1048576'
    WHERE key = 'max_memory';
UPDATE config.known_setting SET pattern = '^[0-9*#+]{2,20}( [0-9*#+]{2,20}){0,9}$', needs = 'one to ten numbers with blanks between'
    WHERE key = 'emergency_numbers';
UPDATE config.known_setting SET pattern = '^(on|accept|off)$', needs = 'on, accept or off' WHERE key = 'session_timers';
UPDATE config.known_setting SET pattern = '^(account:[a-z0-9][a-z0-9._-]{0,62}|[^/[:space:]]{1,63}/[^/[:space:]]{1,60})$',
    needs = 'account:NAME or CONTEXT/EXTENSION' WHERE key = 'script_fallback';

CREATE OR REPLACE FUNCTION config.setting_needs(key text, value text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog AS $$
    SELECT k.needs FROM config.known_setting k
    WHERE k.key = setting_needs.key
      AND CASE WHEN k.pattern IS NULL THEN false
               WHEN setting_needs.value !~ k.pattern THEN true
               WHEN k.least IS NULL THEN false
               ELSE setting_needs.value::integer NOT BETWEEN k.least AND k.most END
$$;

-- It knows ranges of numbers too now.
DROP TRIGGER check_row_range ON config.setting;
DROP FUNCTION config.check_setting_range();
