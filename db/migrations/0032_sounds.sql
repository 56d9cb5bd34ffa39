-- What people hear from the switch itself: the language of prompts, the country of tones, hold music.

CREATE FUNCTION config.music_problem(kind text, paths text) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
DECLARE
    words text[] := regexp_split_to_array(btrim(paths, E' ,\n\r\t'), E'[ \t]*[,\n\r]+[ \t]*');
BEGIN
    IF kind IS NULL OR kind NOT IN ('directory', 'files') THEN
        RETURN 'its kind is neither directory nor files';
    ELSIF octet_length(paths) > 8000 OR cardinality(words) > 200 THEN
        RETURN 'it has more than 200 files';
    ELSIF kind = 'directory' AND cardinality(words) <> 1 THEN
        RETURN 'it is a directory and has more than one path';
    END IF;
    FOR i IN 1 .. cardinality(words) LOOP
        IF words[i] !~ '^/' THEN
            RETURN format('"%s" is no absolute path (it would begin with /)', left(words[i], 60));
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION config.music_problem(text, text) IS 'What is wrong with a class of hold music, in words; NULL: nothing.';

CREATE TABLE config.music_class (
    name       text PRIMARY KEY
               CONSTRAINT music_class_name_is_plain CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    kind       text NOT NULL DEFAULT 'directory',
    paths      text NOT NULL DEFAULT '/usr/share/asterisk/moh',
    shuffle    boolean NOT NULL DEFAULT false,
    note       text NOT NULL DEFAULT ''
               CONSTRAINT music_class_note_fits CHECK (octet_length(note) <= 127 AND note !~ '[[:cntrl:]]'),
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text        NOT NULL DEFAULT session_user,
    CONSTRAINT music_class_can_be_played CHECK (config.music_problem(kind, paths) IS NULL)
);
COMMENT ON TABLE config.music_class IS
    'Classes of hold music: what those hear who were put on hold. Of accounts (config.account.music_class) and of the switch (setting music_class). Read with tandem.v_music_class.';
COMMENT ON COLUMN config.music_class.name IS 'Name of the class.';
COMMENT ON COLUMN config.music_class.kind IS 'directory: all sound files in it; files: those that are named.';
COMMENT ON COLUMN config.music_class.paths IS 'Path of the directory, or of the files, separated by commas or line ends.';
COMMENT ON COLUMN config.music_class.shuffle IS 'Whether each round has another order; else they play in the order of the alphabet, or as named.';
COMMENT ON COLUMN config.music_class.note IS 'What it is for.';
COMMENT ON COLUMN config.music_class.updated_at IS 'When the row was last written.';
COMMENT ON COLUMN config.music_class.updated_by IS 'Database user who wrote it.';
SELECT config.watch_table('music_class', 'name');

CREATE FUNCTION config.check_music_class() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    problem text;
    advice  text;
BEGIN
    IF coalesce(NEW.name, '') !~ '^[a-z0-9][a-z0-9._-]{0,62}$' THEN
        problem := format('a class of hold music cannot be called "%s"', NEW.name);
        advice := 'Use 1 to 63 lower-case letters, digits, dots, dashes and underscores, beginning with a letter or digit.';
    ELSIF config.music_problem(NEW.kind, NEW.paths) IS NOT NULL THEN
        problem := format('hold music "%s": %s', NEW.name, config.music_problem(NEW.kind, NEW.paths));
        advice := 'It is a directory with one path, or files with their paths, separated by commas.';
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'music_class', HINT = advice;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_music_class() IS 'Trigger: refuses a class of hold music that could not play, in words.';
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON config.music_class FOR EACH ROW EXECUTE FUNCTION config.check_music_class();

INSERT INTO config.music_class (name, note) VALUES ('default', 'the music of Debian''s asterisk-moh-opsound packages');

ALTER TABLE config.account
    ADD COLUMN language text CONSTRAINT account_language_is_short CHECK (language ~ '^[a-z]{2}(-[A-Za-z0-9]{1,8})?$'),
    ADD COLUMN music_class text CONSTRAINT account_music_class_fits CHECK (octet_length(music_class) <= 63);
COMMENT ON COLUMN config.account.language IS
    'Language of the prompts that its phones hear: en, es, fr; NULL: the setting language decides.';
COMMENT ON COLUMN config.account.music_class IS
    'Hold music for those whom its phones put on hold: a name of config.music_class; none: silence; NULL: the setting music_class decides.';

CREATE FUNCTION config.check_account_sounds() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.language !~ '^[a-z]{2}(-[A-Za-z0-9]{1,8})?$' THEN
        RAISE EXCEPTION 'account "%" cannot have the language "%"', NEW.name, left(NEW.language, 60)
            USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'account',
                  HINT = 'It is two letters, as en, es or fr; NULL: as the setting language says.';
    ELSIF NEW.music_class <> 'none' AND NOT EXISTS (SELECT FROM config.music_class m WHERE m.name = NEW.music_class) THEN
        RAISE EXCEPTION 'account "%" cannot have the hold music "%": there is no such class', NEW.name, left(NEW.music_class, 60)
            USING ERRCODE = 'foreign_key_violation', SCHEMA = 'config', TABLE = 'account',
                  HINT = 'SELECT name FROM tandem.v_music_class lists them all (tandem music list); none is silence.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_account_sounds() IS 'Trigger: refuses a language or hold music that there is not, in words.';
CREATE TRIGGER check_row_sounds BEFORE INSERT OR UPDATE OF language, music_class ON config.account
    FOR EACH ROW WHEN (NEW.language IS NOT NULL OR NEW.music_class IS NOT NULL) EXECUTE FUNCTION config.check_account_sounds();

INSERT INTO config.known_setting (key, default_value, meaning, pattern, needs) VALUES
    ('language', 'en', 'Language of prompts, where an account has none of its own: en, es or fr.',
     '^[a-z]{2}(-[A-Za-z0-9]{1,8})?$', 'a language of two letters, as en, es or fr'),
    ('country', 'us', 'Country whose tones callers hear (ringback, busy, congestion).',
     '^(at|au|be|ca|ch|cz|de|dk|es|fi|fr|gb|hu|it|jp|nl|no|nz|pl|pt|se|us)$',
     'a country of two letters: at, au, be, ca, ch, cz, de, dk, es, fi, fr, gb, hu, it, jp, nl, no, nz, pl, pt, se, us'),
    ('music_class', 'default', 'Hold music for whom the phone of an account without its own puts on hold; none: silence.',
     '^[a-z0-9][a-z0-9._-]{0,62}$', 'the name of a class of hold music, or none'),
    ('ringback', 'on', 'Whether a caller who is connected already hears ringing while his call goes on to another phone: on or off.',
     '^(on|off)$', 'on or off');

-- functions ---------------------------------------------------------------------------------------------------------

CREATE FUNCTION tandem.set_music_class(name text, paths text, kind text DEFAULT NULL, shuffle boolean DEFAULT NULL, note text DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO config.music_class AS m (name, paths, kind, shuffle, note)
        VALUES (coalesce(set_music_class.name, ''), coalesce(set_music_class.paths, ''), coalesce(set_music_class.kind, 'directory'),
                coalesce(set_music_class.shuffle, false), coalesce(set_music_class.note, ''))
        ON CONFLICT ON CONSTRAINT music_class_pkey DO UPDATE SET paths = coalesce(set_music_class.paths, m.paths),
            kind = coalesce(set_music_class.kind, m.kind), shuffle = coalesce(set_music_class.shuffle, m.shuffle),
            note = coalesce(set_music_class.note, m.note);
    RETURN format('hold music %s is: %s', name, (SELECT m.paths FROM config.music_class m WHERE m.name = set_music_class.name));
END $$;
COMMENT ON FUNCTION tandem.set_music_class(text, text, text, boolean, text) IS
    'Adds a class of hold music, or changes what is not NULL of it. Who is on hold hears it from the next time on.';

CREATE FUNCTION tandem.remove_music_class(name text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    used_by text := (SELECT string_agg(a.name, ', ' ORDER BY a.name) FROM config.account a WHERE a.music_class = remove_music_class.name);
BEGIN
    IF used_by IS NOT NULL THEN
        RAISE EXCEPTION 'hold music "%" is used by account %', name, left(used_by, 200)
            USING ERRCODE = 'foreign_key_violation', HINT = 'UPDATE config.account SET music_class = NULL … first (tandem account set … --music-class default).';
    END IF;
    DELETE FROM config.music_class m WHERE m.name = remove_music_class.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no hold music "%"', name
            USING ERRCODE = 'no_data_found', HINT = 'SELECT name FROM tandem.v_music_class lists them all.';
    END IF;
    RETURN format('hold music %s removed', name);
END $$;
COMMENT ON FUNCTION tandem.remove_music_class(text) IS 'Removes a class of hold music that no account uses.';

-- views -------------------------------------------------------------------------------------------------------------

CREATE VIEW tandem.v_music_class AS
    SELECT m.name, m.kind, m.paths, m.shuffle,
           (SELECT string_agg(a.name, ', ' ORDER BY a.name) FROM config.account a WHERE a.music_class = m.name) AS accounts,
           m.note, m.updated_at, m.updated_by
    FROM config.music_class m ORDER BY m.name;
COMMENT ON VIEW tandem.v_music_class IS 'Classes of hold music and who uses them.';
COMMENT ON COLUMN tandem.v_music_class.name IS 'Name of the class.';
COMMENT ON COLUMN tandem.v_music_class.kind IS 'directory or files.';
COMMENT ON COLUMN tandem.v_music_class.paths IS 'Path of the directory, or of the files.';
COMMENT ON COLUMN tandem.v_music_class.shuffle IS 'Whether each round has another order.';
COMMENT ON COLUMN tandem.v_music_class.accounts IS 'Accounts that use it; others follow the setting music_class.';
COMMENT ON COLUMN tandem.v_music_class.note IS 'What it is for.';
COMMENT ON COLUMN tandem.v_music_class.updated_at IS 'When it was last changed.';
COMMENT ON COLUMN tandem.v_music_class.updated_by IS 'Database user who changed it.';

-- Two more columns behind those that the view has by now.
DO $$
DECLARE
    before text := current_setting('search_path');
BEGIN
    PERFORM set_config('search_path', 'pg_catalog', true); -- tables are named with their schema then, on every server
    EXECUTE 'CREATE OR REPLACE VIEW tandem.v_account AS '
            || replace(pg_get_viewdef('tandem.v_account'::regclass), 'FROM config.account a', ', a.language, a.music_class FROM config.account a');
    PERFORM set_config('search_path', before, true);
END $$;
COMMENT ON COLUMN tandem.v_account.language IS 'Language of the prompts that its phones hear; empty: as the switch.';
COMMENT ON COLUMN tandem.v_account.music_class IS 'Hold music for whom its phones put on hold; none: silence; empty: as the switch.';
