-- Settings say themselves which values they take: a new one is a row of config.known_setting, and no code.

ALTER TABLE config.known_setting
    ADD COLUMN pattern text,
    ADD COLUMN least   integer,
    ADD COLUMN most    integer,
    ADD COLUMN needs   text;
COMMENT ON COLUMN config.known_setting.pattern IS 'Regular expression that its value must match; NULL: any value, or checked elsewhere.';
COMMENT ON COLUMN config.known_setting.least IS 'Smallest number that it takes; NULL: it is no number.';
COMMENT ON COLUMN config.known_setting.most IS 'Largest number that it takes.';
COMMENT ON COLUMN config.known_setting.needs IS 'What it takes, in words: the end of "the setting needs …".';

UPDATE config.known_setting SET pattern = '^[0-9]{1,7}$', least = 0, most = 86400
    WHERE key IN ('silence_event', 'silence_hangup', 'keepalive', 'max_call', 'session_expires', 'session_min_se');
UPDATE config.known_setting SET least = 90 WHERE key IN ('session_expires', 'session_min_se');
UPDATE config.known_setting SET most = 3600 WHERE key = 'silence_event';
UPDATE config.known_setting SET most = 604800 WHERE key = 'max_call';
UPDATE config.known_setting SET needs = format('a number of seconds from %s to %s', least, most) WHERE least IS NOT NULL;
UPDATE config.known_setting SET pattern = '^(on|accept|off)$', needs = 'on, accept or off' WHERE key = 'session_timers';
UPDATE config.known_setting SET pattern = '^(account:[a-z0-9][a-z0-9._-]{0,62}|[^/[:space:]]{1,63}/[^/[:space:]]{1,60})$',
    needs = 'account:NAME or CONTEXT/EXTENSION' WHERE key = 'script_fallback';

-- The pattern is looked at before the cast. It reads for whoever writes a setting.
CREATE OR REPLACE FUNCTION config.setting_needs(key text, value text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog AS $$
    SELECT k.needs FROM config.known_setting k
    WHERE k.key = setting_needs.key
      AND CASE WHEN k.pattern IS NULL THEN false
               WHEN setting_needs.value !~ k.pattern THEN true
               WHEN k.least IS NULL THEN false
               ELSE setting_needs.value::integer NOT BETWEEN k.least AND k.most END
$$;
