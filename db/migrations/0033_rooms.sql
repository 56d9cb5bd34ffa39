-- Conference rooms: what is asked of who comes. A room that has no row is there as soon as the dialplan names it.

CREATE TABLE config.room (
    name               text PRIMARY KEY
                       CONSTRAINT room_name_is_plain CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    pin                text NOT NULL DEFAULT ''
                       CONSTRAINT room_pin_is_digits CHECK (pin ~ '^[0-9]{0,15}$'),
    moderator_pin      text NOT NULL DEFAULT ''
                       CONSTRAINT room_moderator_pin_is_digits CHECK (moderator_pin ~ '^[0-9]{0,15}$'),
    max_members        integer NOT NULL DEFAULT 0
                       CONSTRAINT room_max_members_is_sensible CHECK (max_members BETWEEN 0 AND 500),
    join_tones         boolean NOT NULL DEFAULT true,
    wait_for_moderator boolean NOT NULL DEFAULT false,
    locked             boolean NOT NULL DEFAULT false,
    note               text NOT NULL DEFAULT ''
                       CONSTRAINT room_note_fits CHECK (octet_length(note) <= 127 AND note !~ '[[:cntrl:]]'),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    updated_by         text        NOT NULL DEFAULT session_user,
    CONSTRAINT room_pins_differ CHECK (pin = '' OR pin <> moderator_pin),
    CONSTRAINT room_can_be_moderated CHECK (NOT wait_for_moderator OR moderator_pin <> '')
);
COMMENT ON TABLE config.room IS
    'Conference rooms: PINs and rules for who comes. The dialplan (call:conference) says who gets into which room; one that it names and that is not here has no PIN. Read with tandem.v_room.';
COMMENT ON COLUMN config.room.name IS 'Name of the room, as the dialplan says it.';
COMMENT ON COLUMN config.room.pin IS 'Digits that members type to get in; empty: none. Not a secret from who reads the configuration: it is told to everybody who is invited.';
COMMENT ON COLUMN config.room.moderator_pin IS 'Digits that moderators type instead; empty: nobody becomes one by typing.';
COMMENT ON COLUMN config.room.max_members IS 'How many may be in it; 0: up to 500. Moderators get in all the same.';
COMMENT ON COLUMN config.room.join_tones IS 'Whether the others hear a tone when somebody comes or goes.';
COMMENT ON COLUMN config.room.wait_for_moderator IS 'Whether nobody hears anybody before a moderator is there.';
COMMENT ON COLUMN config.room.locked IS 'Whether only moderators get in until it is unlocked (tandem conference ROOM unlock, or key *2 of a moderator).';
COMMENT ON COLUMN config.room.note IS 'What it is for.';
COMMENT ON COLUMN config.room.updated_at IS 'When the row was last written.';
COMMENT ON COLUMN config.room.updated_by IS 'Database user who wrote it.';
SELECT config.watch_table('room', 'name');

CREATE FUNCTION config.check_room() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    problem text;
    advice  text;
BEGIN
    IF coalesce(NEW.name, '') !~ '^[a-z0-9][a-z0-9._-]{0,62}$' THEN
        problem := format('a conference room cannot be called "%s"', NEW.name);
        advice := 'Use 1 to 63 lower-case letters, digits, dots, dashes and underscores, beginning with a letter or digit.';
    ELSIF NEW.pin !~ '^[0-9]{0,15}$' OR NEW.moderator_pin !~ '^[0-9]{0,15}$' THEN
        problem := format('room "%s": a PIN is up to 15 digits', NEW.name);
        advice := 'It is typed on a phone. An empty one is none.';
    ELSIF NEW.pin <> '' AND NEW.pin = NEW.moderator_pin THEN
        problem := format('room "%s" has the same PIN for members and moderators', NEW.name);
        advice := 'Whoever types it would be a moderator: give them different ones, or no pin.';
    ELSIF NEW.wait_for_moderator AND NEW.moderator_pin = '' THEN
        problem := format('room "%s" would wait for a moderator who cannot come', NEW.name);
        advice := 'Give it a moderator_pin too.';
    ELSIF NEW.max_members NOT BETWEEN 0 AND 500 THEN
        problem := format('room "%s" cannot have max_members %s', NEW.name, NEW.max_members);
        advice := 'From 1 to 500; 0: no limit of its own.';
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'room', HINT = advice;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_room() IS 'Trigger: refuses a conference room that could not work, in words.';
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON config.room FOR EACH ROW EXECUTE FUNCTION config.check_room();

CREATE FUNCTION tandem.set_room(name text, pin text DEFAULT NULL, moderator_pin text DEFAULT NULL, max_members integer DEFAULT NULL,
                                join_tones boolean DEFAULT NULL, wait_for_moderator boolean DEFAULT NULL,
                                locked boolean DEFAULT NULL, note text DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO config.room AS r (name, pin, moderator_pin, max_members, join_tones, wait_for_moderator, locked, note)
        VALUES (coalesce(set_room.name, ''), coalesce(set_room.pin, ''), coalesce(set_room.moderator_pin, ''),
                coalesce(set_room.max_members, 0), coalesce(set_room.join_tones, true),
                coalesce(set_room.wait_for_moderator, false), coalesce(set_room.locked, false), coalesce(set_room.note, ''))
        ON CONFLICT ON CONSTRAINT room_pkey DO UPDATE SET pin = coalesce(set_room.pin, r.pin),
            moderator_pin = coalesce(set_room.moderator_pin, r.moderator_pin),
            max_members = coalesce(set_room.max_members, r.max_members),
            join_tones = coalesce(set_room.join_tones, r.join_tones),
            wait_for_moderator = coalesce(set_room.wait_for_moderator, r.wait_for_moderator),
            locked = coalesce(set_room.locked, r.locked), note = coalesce(set_room.note, r.note);
    RETURN format('room %s is set up', name);
END $$;
COMMENT ON FUNCTION tandem.set_room(text, text, text, integer, boolean, boolean, boolean, text) IS
    'Sets up a conference room, or changes what is not NULL of it. For who comes from now on.';

CREATE FUNCTION tandem.remove_room(name text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    DELETE FROM config.room r WHERE r.name = remove_room.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no room "%"', name
            USING ERRCODE = 'no_data_found', HINT = 'SELECT name FROM tandem.v_room lists them all.';
    END IF;
    RETURN format('room %s removed', name);
END $$;
COMMENT ON FUNCTION tandem.remove_room(text) IS 'Forgets the rules of a conference room; who is in it stays there.';

CREATE VIEW tandem.v_room AS
    SELECT r.name, r.pin, r.moderator_pin, r.max_members, r.join_tones, r.wait_for_moderator, r.locked, r.note,
           r.updated_at, r.updated_by
    FROM config.room r ORDER BY r.name;
COMMENT ON VIEW tandem.v_room IS 'Conference rooms that were set up. Who is in them now: tandem conferences.';
COMMENT ON COLUMN tandem.v_room.name IS 'Name of the room.';
COMMENT ON COLUMN tandem.v_room.pin IS 'Digits that members type; empty: none.';
COMMENT ON COLUMN tandem.v_room.moderator_pin IS 'Digits that moderators type; empty: none.';
COMMENT ON COLUMN tandem.v_room.max_members IS 'How many may be in it; 0: no limit of its own.';
COMMENT ON COLUMN tandem.v_room.join_tones IS 'Whether coming and going is heard.';
COMMENT ON COLUMN tandem.v_room.wait_for_moderator IS 'Whether members wait for a moderator.';
COMMENT ON COLUMN tandem.v_room.locked IS 'Whether only moderators get in at first.';
COMMENT ON COLUMN tandem.v_room.note IS 'What it is for.';
COMMENT ON COLUMN tandem.v_room.updated_at IS 'When it was last changed.';
COMMENT ON COLUMN tandem.v_room.updated_by IS 'Database user who changed it.';
