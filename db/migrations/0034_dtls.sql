-- Encrypted audio with keys from DTLS: to which phones it is offered.

ALTER TABLE config.account
    ADD COLUMN srtp_keys text CONSTRAINT account_srtp_keys_is_known CHECK (srtp_keys IN ('sdes', 'dtls'));
COMMENT ON COLUMN config.account.srtp_keys IS
    'Where encrypted audio (SRTP) gets its keys in calls to its phones: sdes (in the SDP) or dtls (from a handshake); NULL: the setting srtp_keys decides. A phone that calls chooses itself.';

CREATE FUNCTION config.check_account_srtp_keys() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.srtp_keys NOT IN ('sdes', 'dtls') THEN
        RAISE EXCEPTION 'account "%" cannot have srtp_keys "%"', NEW.name, left(NEW.srtp_keys, 60)
            USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'account',
                  HINT = 'srtp_keys is sdes or dtls; NULL: as the setting srtp_keys says.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_account_srtp_keys() IS 'Trigger: refuses a source of keys that there is not, in words.';
CREATE TRIGGER check_row_srtp_keys BEFORE INSERT OR UPDATE OF srtp_keys ON config.account
    FOR EACH ROW WHEN (NEW.srtp_keys IS NOT NULL) EXECUTE FUNCTION config.check_account_srtp_keys();

INSERT INTO config.known_setting (key, default_value, meaning, pattern, needs) VALUES
    ('srtp_keys', 'sdes', 'Where encrypted audio (SRTP) gets its keys in calls to phones: sdes: in the SDP, dtls: from a handshake of the media.',
     '^(sdes|dtls)$', 'sdes or dtls');
UPDATE config.known_setting
    SET meaning = 'Encryption of the audio (SRTP): off, optional: when the phone can, and with keys in the SDP only over TLS; required: no call without.'
    WHERE key = 'srtp';

COMMENT ON COLUMN record.leg.srtp IS
    'Suite by which its audio was encrypted at the end, with (DTLS) when its keys came from there; NULL: it was not encrypted.';

-- As it is, with one more column at its end.
DO $$
DECLARE
    before text := current_setting('search_path');
BEGIN
    PERFORM set_config('search_path', 'pg_catalog', true); -- tables are named with their schema then, on every server
    EXECUTE 'CREATE OR REPLACE VIEW tandem.v_account AS '
            || replace(pg_get_viewdef('tandem.v_account'::regclass), 'FROM config.account a', ', a.srtp_keys FROM config.account a');
    PERFORM set_config('search_path', before, true);
END $$;
COMMENT ON COLUMN tandem.v_account.srtp_keys IS 'Where its keys come from in calls to its phones: sdes or dtls; empty: as the switch.';
COMMENT ON COLUMN tandem.v_leg.srtp IS 'Suite by which its audio was encrypted, with (DTLS) when its keys came from there; empty: it was not.';
