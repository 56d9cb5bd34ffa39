-- Keys (DTMF): how they go to the phones of an account.

ALTER TABLE config.account
    ADD COLUMN dtmf text CONSTRAINT account_dtmf_is_known CHECK (dtmf IN ('auto', 'rfc4733', 'info', 'inband'));
COMMENT ON COLUMN config.account.dtmf IS
    'How keys go to its phones: auto (RFC 4733 when the phone agrees to it, else tones), rfc4733 (never as tones), info (SIP INFO) or inband (tones in the sound); NULL: the setting dtmf decides.';

CREATE FUNCTION config.check_account_dtmf() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.dtmf NOT IN ('auto', 'rfc4733', 'info', 'inband') THEN
        RAISE EXCEPTION 'account "%" cannot have dtmf "%"', NEW.name, left(NEW.dtmf, 60)
            USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'account',
                  HINT = 'dtmf is auto, rfc4733, info or inband; NULL: as the setting dtmf says.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_account_dtmf() IS 'Trigger: refuses a way of keys that there is not, in words.';
CREATE TRIGGER check_row_dtmf BEFORE INSERT OR UPDATE OF dtmf ON config.account
    FOR EACH ROW WHEN (NEW.dtmf IS NOT NULL) EXECUTE FUNCTION config.check_account_dtmf();

INSERT INTO config.known_setting (key, default_value, meaning, pattern, needs) VALUES
    ('dtmf', 'auto', 'How keys (DTMF) go to phones whose account does not say: auto: RFC 4733 when the phone agrees to it, else tones; rfc4733: never as tones; info: SIP INFO; inband: tones in the sound.',
     '^(auto|rfc4733|info|inband)$', 'auto, rfc4733, info or inband');

-- Whatever else other migrations have added to it.
DO $$
DECLARE
    before text := current_setting('search_path');
BEGIN
    PERFORM set_config('search_path', 'pg_catalog', true); -- tables are named with their schema then, on every server
    EXECUTE 'CREATE OR REPLACE VIEW tandem.v_account AS '
            || replace(pg_get_viewdef('tandem.v_account'::regclass), 'FROM config.account a', ', a.dtmf FROM config.account a');
    PERFORM set_config('search_path', before, true);
END $$;
COMMENT ON COLUMN tandem.v_account.dtmf IS 'How keys go to its phones: auto, rfc4733, info or inband; empty: as the switch.';
