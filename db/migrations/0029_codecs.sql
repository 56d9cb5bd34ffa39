-- Audio codecs: which an account may use, and in which order they are offered to its phones.

-- Names as SDP has them. Those that the switch cannot convert are passed on between phones that both have them.
CREATE FUNCTION config.codecs_problem(codecs text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog AS $$
DECLARE
    known CONSTANT text[] := ARRAY['PCMU', 'PCMA', 'G722', 'opus', 'G729', 'GSM', 'iLBC', 'speex', 'G723', 'G728', 'G726-16',
        'G726-24', 'G726-32', 'G726-40', 'G7221', 'G719', 'AMR', 'AMR-WB', 'EVS', 'SILK', 'GSM-EFR', 'BV16', 'BV32', 'isac',
        'L16', 'DVI4', 'LPC', 'AAL2-G726-16', 'AAL2-G726-24', 'AAL2-G726-32', 'AAL2-G726-40', 'QCELP', 'Codec2'];
    words text[] := regexp_split_to_array(lower(btrim(codecs, ' ,')), '[ ,]+');
    word  text;
BEGIN
    IF btrim(codecs, ' ,') = '' THEN
        RETURN 'it names no codec';
    ELSIF octet_length(codecs) > 159 OR cardinality(words) > 20 THEN
        RETURN 'it has more than 20 codecs';
    END IF;
    FOREACH word IN ARRAY words LOOP
        IF cardinality(array_positions(words, word)) > 1 THEN
            RETURN format('%s is there twice', left(word, 40));
        ELSIF word <> 'any' AND word <> ALL (SELECT lower(k) FROM unnest(known) k) THEN
            RETURN format('there is no codec "%s"', left(word, 40));
        END IF;
    END LOOP;
    IF 'any' = ANY (words[:cardinality(words) - 1]) THEN
        RETURN 'any stands at the end';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION config.codecs_problem(text) IS 'What is wrong with a list of codecs, in words; NULL: nothing.';

ALTER TABLE config.account
    ADD COLUMN codecs text CONSTRAINT account_codecs_are_codecs CHECK (config.codecs_problem(codecs) IS NULL);
COMMENT ON COLUMN config.account.codecs IS
    'Audio codecs that its phones may use, best first, with commas between: opus,G722,PCMA. any at the end: and whatever else both phones have. NULL: the setting codecs decides.';

CREATE FUNCTION config.check_account_codecs() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF config.codecs_problem(NEW.codecs) IS NOT NULL THEN
        RAISE EXCEPTION 'account "%" cannot have the codecs "%": %', NEW.name, left(NEW.codecs, 60), config.codecs_problem(NEW.codecs)
            USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'account',
                  HINT = 'Names as SDP has them, best first: opus,G722,PCMA,PCMU. any at the end: and whatever else both phones have. NULL: as the setting codecs says.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_account_codecs() IS 'Trigger: refuses a list of codecs that there are not, in words.';
CREATE TRIGGER check_row_codecs BEFORE INSERT OR UPDATE OF codecs ON config.account
    FOR EACH ROW WHEN (NEW.codecs IS NOT NULL) EXECUTE FUNCTION config.check_account_codecs();

INSERT INTO config.known_setting (key, default_value, meaning) VALUES
    ('codecs', 'any', 'Audio codecs of accounts that name none, best first: G722,PCMA,PCMU. any at the end: and whatever else both phones have.');

-- No pattern says what a codec is.
CREATE FUNCTION config.check_setting_codecs() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF config.codecs_problem(NEW.value) IS NOT NULL THEN
        RAISE EXCEPTION 'the setting "%" needs codecs like G722,PCMA,PCMU,any, not "%": %', NEW.key, left(NEW.value, 60), config.codecs_problem(NEW.value)
            USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'setting',
                  HINT = (SELECT k.meaning FROM config.known_setting k WHERE k.key = NEW.key);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_setting_codecs() IS 'Trigger: refuses a list of codecs that there are not, in words.';
CREATE TRIGGER check_row_codecs BEFORE INSERT OR UPDATE ON config.setting
    FOR EACH ROW WHEN (NEW.key = 'codecs') EXECUTE FUNCTION config.check_setting_codecs();

-- Whatever else other migrations have added to it.
DO $$
DECLARE
    before text := current_setting('search_path');
BEGIN
    PERFORM set_config('search_path', 'pg_catalog', true); -- tables are named with their schema then, on every server
    EXECUTE 'CREATE OR REPLACE VIEW tandem.v_account AS '
            || replace(pg_get_viewdef('tandem.v_account'::regclass), 'FROM config.account a', ', a.codecs FROM config.account a');
    PERFORM set_config('search_path', before, true);
END $$;
COMMENT ON COLUMN tandem.v_account.codecs IS 'Audio codecs that its phones may use, best first; empty: as the switch.';
