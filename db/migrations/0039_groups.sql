-- Ring groups, paging groups and follow-me; and the way on which such tables of modules reach the switch.

CREATE TABLE config.ring_group (
    name       text PRIMARY KEY
               CONSTRAINT ring_group_name_is_plain CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    number     text CONSTRAINT ring_group_number_is_its_own UNIQUE
               CONSTRAINT ring_group_number_can_be_dialled CHECK (number ~ '^[0-9*#+]{1,32}$'),
    strategy   text NOT NULL DEFAULT 'all'
               CONSTRAINT ring_group_strategy_is_known CHECK (strategy IN ('all', 'in-order', 'random', 'round-robin', 'longest-idle', 'page')),
    ring_time  integer NOT NULL DEFAULT 20
               CONSTRAINT ring_group_ring_time_is_sensible CHECK (ring_time BETWEEN 1 AND 600),
    skip_busy  boolean NOT NULL DEFAULT true,
    no_answer  text NOT NULL DEFAULT ''
               CONSTRAINT ring_group_no_answer_can_be_dialled CHECK (octet_length(no_answer) <= 63 AND no_answer !~ '[[:cntrl:][:space:]]'),
    music      text NOT NULL DEFAULT ''
               CONSTRAINT ring_group_music_fits CHECK (octet_length(music) <= 63),
    account    text CONSTRAINT ring_group_account_is_there REFERENCES config.account (name) ON DELETE SET NULL,
    context    text NOT NULL DEFAULT 'internal'
               CONSTRAINT ring_group_context_is_plain CHECK (context ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'),
    note       text NOT NULL DEFAULT ''
               CONSTRAINT ring_group_note_fits CHECK (octet_length(note) <= 127 AND note !~ '[[:cntrl:]]'),
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text        NOT NULL DEFAULT session_user
);
COMMENT ON TABLE config.ring_group IS
    'Groups: several accounts and numbers that ring, or are spoken to, under one name and number. Who is in them: config.ring_member. Read with tandem.v_ring_group.';
COMMENT ON COLUMN config.ring_group.name IS 'Name of the group, no account''s: it can be dialled.';
COMMENT ON COLUMN config.ring_group.number IS 'Number of the group, no account''s and no other group''s; NULL: it has its name only.';
COMMENT ON COLUMN config.ring_group.strategy IS 'all: everybody at once; in-order: one after the other by place; random; round-robin: in order, each call begins behind the one who was first in the last; longest-idle: who has not talked for the longest time first; page: all phones answer by themselves and hear the caller.';
COMMENT ON COLUMN config.ring_group.ring_time IS 'Seconds: for how long all ring, or each in turn.';
COMMENT ON COLUMN config.ring_group.skip_busy IS 'Whether members who are in a call are left out.';
COMMENT ON COLUMN config.ring_group.no_answer IS 'Where the caller goes when nobody answers: a name or number in the context; empty: busy, or "no answer", as the members were.';
COMMENT ON COLUMN config.ring_group.music IS 'Class of hold music that callers hear instead of ringing; empty: ringing.';
COMMENT ON COLUMN config.ring_group.account IS 'Whose rights and whose bill outside numbers of the group have; NULL: those of the caller.';
COMMENT ON COLUMN config.ring_group.context IS 'Context of the dialplan in which its numbers are looked up.';
COMMENT ON COLUMN config.ring_group.note IS 'What it is for.';
COMMENT ON COLUMN config.ring_group.updated_at IS 'When the row was last written.';
COMMENT ON COLUMN config.ring_group.updated_by IS 'Database user who wrote it.';
SELECT config.watch_table('ring_group', 'name');

CREATE TABLE config.ring_member (
    ring_group text NOT NULL
               CONSTRAINT ring_member_group_is_there REFERENCES config.ring_group (name) ON DELETE CASCADE ON UPDATE CASCADE,
    member     text NOT NULL
               CONSTRAINT ring_member_can_be_dialled CHECK (member ~ '^[A-Za-z0-9*#+][A-Za-z0-9._*#+:-]{0,62}$'),
    place      integer NOT NULL DEFAULT 100
               CONSTRAINT ring_member_place_is_sensible CHECK (place BETWEEN 0 AND 10000),
    delay      integer NOT NULL DEFAULT 0
               CONSTRAINT ring_member_delay_is_sensible CHECK (delay BETWEEN 0 AND 600),
    ring_time  integer CONSTRAINT ring_member_ring_time_is_sensible CHECK (ring_time BETWEEN 1 AND 600),
    confirm    boolean,
    key        text GENERATED ALWAYS AS (ring_group || '/' || member) STORED PRIMARY KEY,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text        NOT NULL DEFAULT session_user
);
CREATE INDEX ring_member_group ON config.ring_member (ring_group);
COMMENT ON TABLE config.ring_member IS 'Who is in which group, at most 32 in each. Read with tandem.v_ring_member.';
COMMENT ON COLUMN config.ring_member.ring_group IS 'The group.';
COMMENT ON COLUMN config.ring_member.member IS 'Name of an account; or a number, as it is dialled in the context of the group; or KIND:VALUE, a destination of the dialplan.';
COMMENT ON COLUMN config.ring_member.place IS 'Who comes first: the smaller number; equal ones by name.';
COMMENT ON COLUMN config.ring_member.delay IS 'Where all ring at once: it begins so many seconds later.';
COMMENT ON COLUMN config.ring_member.ring_time IS 'Seconds that it rings; NULL: as the group.';
COMMENT ON COLUMN config.ring_member.confirm IS 'Whether who answers has to press 1 to get the call; NULL: numbers have to, accounts not.';
COMMENT ON COLUMN config.ring_member.key IS 'GROUP/MEMBER.';
COMMENT ON COLUMN config.ring_member.updated_at IS 'When the row was last written.';
COMMENT ON COLUMN config.ring_member.updated_by IS 'Database user who wrote it.';
SELECT config.watch_table('ring_member', 'key');

CREATE TABLE config.followme (
    account    text NOT NULL
               CONSTRAINT followme_account_is_there REFERENCES config.account (name) ON DELETE CASCADE,
    number     text NOT NULL
               CONSTRAINT followme_number_can_be_dialled CHECK (number ~ '^[A-Za-z0-9*#+][A-Za-z0-9._*#+:-]{0,62}$'),
    delay      integer NOT NULL DEFAULT 0
               CONSTRAINT followme_delay_is_sensible CHECK (delay BETWEEN 0 AND 600),
    ring_time  integer NOT NULL DEFAULT 20
               CONSTRAINT followme_ring_time_is_sensible CHECK (ring_time BETWEEN 1 AND 600),
    confirm    boolean,
    key        text GENERATED ALWAYS AS (account || '/' || number) STORED PRIMARY KEY,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text        NOT NULL DEFAULT session_user
);
CREATE INDEX followme_account ON config.followme (account);
COMMENT ON TABLE config.followme IS
    'Follow-me: what rings beside the phones of an account when it is called, at most 16 for each. Read with tandem.v_followme.';
COMMENT ON COLUMN config.followme.account IS 'The account that is called.';
COMMENT ON COLUMN config.followme.number IS 'What rings too: an account, a number as the account could dial it, or KIND:VALUE.';
COMMENT ON COLUMN config.followme.delay IS 'It begins so many seconds after the account''s own phones.';
COMMENT ON COLUMN config.followme.ring_time IS 'Seconds that it rings.';
COMMENT ON COLUMN config.followme.confirm IS 'Whether who answers has to press 1 to get the call; NULL: numbers have to, accounts not.';
COMMENT ON COLUMN config.followme.key IS 'ACCOUNT/NUMBER.';
COMMENT ON COLUMN config.followme.updated_at IS 'When the row was last written.';
COMMENT ON COLUMN config.followme.updated_by IS 'Database user who wrote it.';
SELECT config.watch_table('followme', 'key');

-- what is wrong, in words --------------------------------------------------------------------------------------------

CREATE FUNCTION config.check_ring_group() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    problem text;
    advice  text;
    other   text;
BEGIN
    SELECT g.name INTO other FROM config.ring_group g
        WHERE g.name <> NEW.name AND (g.number IN (NEW.number, NEW.name) OR g.name = NEW.number);
    IF coalesce(NEW.name, '') !~ '^[a-z0-9][a-z0-9._-]{0,62}$' THEN
        problem := format('a group cannot be called "%s"', NEW.name);
        advice := 'Use 1 to 63 lower-case letters, digits, dots, dashes and underscores, beginning with a letter or digit.';
    ELSIF NEW.number !~ '^[0-9*#+]{1,32}$' THEN
        problem := format('group "%s" cannot have the number "%s"', NEW.name, left(NEW.number, 60));
        advice := 'Up to 32 digits, * and #; NULL: it is dialled by its name.';
    ELSIF EXISTS (SELECT FROM config.account a WHERE a.name IN (NEW.name, NEW.number)) THEN
        problem := format('group "%s" cannot have the name or number of an account', NEW.name);
        advice := 'Whoever dials it would reach the account.';
    ELSIF other IS NOT NULL THEN
        problem := format('group "%s" cannot have a name or number of group "%s"', NEW.name, other);
        advice := 'Names and numbers of all groups differ.';
    ELSIF NEW.strategy IS NULL OR NEW.strategy NOT IN ('all', 'in-order', 'random', 'round-robin', 'longest-idle', 'page') THEN
        problem := format('group "%s" cannot have the strategy "%s"', NEW.name, left(NEW.strategy, 60));
        advice := 'There are: all, in-order, random, round-robin, longest-idle, page.';
    ELSIF NEW.ring_time NOT BETWEEN 1 AND 600 THEN
        problem := format('group "%s" cannot ring for %s seconds', NEW.name, NEW.ring_time);
        advice := 'From 1 to 600.';
    ELSIF NEW.account IS NOT NULL AND NOT EXISTS (SELECT FROM config.account a WHERE a.name = NEW.account) THEN
        problem := format('group "%s" cannot belong to account "%s": there is no such account', NEW.name, NEW.account);
        advice := 'SELECT name, display_name FROM tandem.v_account lists them all.';
    ELSIF NEW.no_answer IN (NEW.name, NEW.number) AND NEW.no_answer <> '' THEN
        problem := format('group "%s" cannot send its callers to itself when nobody answers', NEW.name);
        advice := 'Another group, an account, or a number.';
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'ring_group', HINT = advice;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_ring_group() IS 'Trigger: refuses a group that could not work, in words.';
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON config.ring_group FOR EACH ROW EXECUTE FUNCTION config.check_ring_group();

CREATE FUNCTION config.check_ring_member() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    problem text;
    advice  text;
BEGIN
    IF NOT EXISTS (SELECT FROM config.ring_group g WHERE g.name = NEW.ring_group) THEN
        problem := format('there is no group "%s"', NEW.ring_group);
        advice := 'SELECT name FROM tandem.v_ring_group lists them all.';
    ELSIF coalesce(NEW.member, '') !~ '^[A-Za-z0-9*#+][A-Za-z0-9._*#+:-]{0,62}$' THEN
        problem := format('"%s" cannot be a member of group "%s"', left(NEW.member, 60), NEW.ring_group);
        advice := 'A member is an account, a number, or KIND:VALUE.';
    ELSIF EXISTS (SELECT FROM config.ring_group g WHERE NEW.member IN (g.name, g.number)) THEN
        problem := format('"%s" is a group: groups have no groups as members', NEW.member);
        advice := 'Name its members.';
    ELSIF (SELECT count(*) FROM config.ring_member m WHERE m.ring_group = NEW.ring_group AND m.member <> NEW.member) >= 32 THEN
        problem := format('group "%s" has 32 members already', NEW.ring_group);
        advice := 'That is the most there can be in one.';
    ELSIF NEW.delay NOT BETWEEN 0 AND 600 OR NEW.ring_time NOT BETWEEN 1 AND 600 THEN
        problem := format('member "%s" of group "%s": a delay is up to 600 seconds, a time to ring from 1 to 600', NEW.member, NEW.ring_group);
        advice := 'Both in seconds.';
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'ring_member', HINT = advice;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_ring_member() IS 'Trigger: refuses a member that could not be called, in words.';
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON config.ring_member FOR EACH ROW EXECUTE FUNCTION config.check_ring_member();

CREATE FUNCTION config.check_followme() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    problem text;
    advice  text;
BEGIN
    IF NOT EXISTS (SELECT FROM config.account a WHERE a.name = NEW.account) THEN
        problem := format('there is no account "%s"', NEW.account);
        advice := 'SELECT name, display_name FROM tandem.v_account lists them all.';
    ELSIF coalesce(NEW.number, '') !~ '^[A-Za-z0-9*#+][A-Za-z0-9._*#+:-]{0,62}$' THEN
        problem := format('account "%s" cannot be followed to "%s"', NEW.account, left(NEW.number, 60));
        advice := 'It is another account, a number, or KIND:VALUE.';
    ELSIF NEW.number = NEW.account THEN
        problem := format('account "%s" cannot be followed to itself', NEW.account);
        advice := 'Its own phones ring anyway.';
    ELSIF (SELECT count(*) FROM config.followme f WHERE f.account = NEW.account AND f.number <> NEW.number) >= 16 THEN
        problem := format('account "%s" is followed to 16 numbers already', NEW.account);
        advice := 'That is the most there can be.';
    ELSIF NEW.delay NOT BETWEEN 0 AND 600 OR NEW.ring_time NOT BETWEEN 1 AND 600 THEN
        problem := format('account "%s" to "%s": a delay is up to 600 seconds, a time to ring from 1 to 600', NEW.account, NEW.number);
        advice := 'Both in seconds.';
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'followme', HINT = advice;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_followme() IS 'Trigger: refuses a number that nobody could be followed to, in words.';
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON config.followme FOR EACH ROW EXECUTE FUNCTION config.check_followme();

CREATE FUNCTION config.check_account_is_no_group() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF EXISTS (SELECT FROM config.ring_group g WHERE NEW.name IN (g.name, g.number)) THEN
        RAISE EXCEPTION 'an account cannot be called "%": that is the name or number of a group', NEW.name
            USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'account', HINT = 'SELECT name, number FROM tandem.v_ring_group lists them all.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_account_is_no_group() IS 'Trigger: refuses an account under whose name a group is dialled.';
CREATE TRIGGER check_row_group BEFORE INSERT ON config.account FOR EACH ROW EXECUTE FUNCTION config.check_account_is_no_group();

-- for people ---------------------------------------------------------------------------------------------------------

CREATE FUNCTION tandem.set_ring_group(name text, number text DEFAULT NULL, strategy text DEFAULT NULL, ring_time integer DEFAULT NULL,
                                      skip_busy boolean DEFAULT NULL, no_answer text DEFAULT NULL, music text DEFAULT NULL,
                                      account text DEFAULT NULL, context text DEFAULT NULL, note text DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO config.ring_group AS g (name, number, strategy, ring_time, skip_busy, no_answer, music, account, context, note)
        VALUES (coalesce(set_ring_group.name, ''), nullif(set_ring_group.number, ''), coalesce(set_ring_group.strategy, 'all'),
                coalesce(set_ring_group.ring_time, 20), coalesce(set_ring_group.skip_busy, true), coalesce(set_ring_group.no_answer, ''),
                coalesce(set_ring_group.music, ''), nullif(set_ring_group.account, ''), coalesce(set_ring_group.context, 'internal'),
                coalesce(set_ring_group.note, ''))
        ON CONFLICT ON CONSTRAINT ring_group_pkey DO UPDATE SET
            number = CASE WHEN set_ring_group.number IS NULL THEN g.number ELSE nullif(set_ring_group.number, '') END,
            strategy = coalesce(set_ring_group.strategy, g.strategy), ring_time = coalesce(set_ring_group.ring_time, g.ring_time),
            skip_busy = coalesce(set_ring_group.skip_busy, g.skip_busy), no_answer = coalesce(set_ring_group.no_answer, g.no_answer),
            music = coalesce(set_ring_group.music, g.music),
            account = CASE WHEN set_ring_group.account IS NULL THEN g.account ELSE nullif(set_ring_group.account, '') END,
            context = coalesce(set_ring_group.context, g.context), note = coalesce(set_ring_group.note, g.note);
    RETURN format('group %s is set up', name);
END $$;
COMMENT ON FUNCTION tandem.set_ring_group(text, text, text, integer, boolean, text, text, text, text, text) IS
    'Sets up a group, or changes what is not NULL of it ('''' takes number and account away).';

CREATE FUNCTION tandem.remove_ring_group(name text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    DELETE FROM config.ring_group g WHERE g.name = remove_ring_group.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no group "%"', name
            USING ERRCODE = 'no_data_found', HINT = 'SELECT name FROM tandem.v_ring_group lists them all.';
    END IF;
    RETURN format('group %s removed', name);
END $$;
COMMENT ON FUNCTION tandem.remove_ring_group(text) IS 'Removes a group and its list of members; calls that ring go on.';

CREATE FUNCTION tandem.set_ring_member(ring_group text, member text, place integer DEFAULT NULL, delay integer DEFAULT NULL,
                                       ring_time integer DEFAULT NULL, confirm boolean DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO config.ring_member AS m (ring_group, member, place, delay, ring_time, confirm)
        VALUES (coalesce(set_ring_member.ring_group, ''), coalesce(set_ring_member.member, ''), coalesce(set_ring_member.place, 100),
                coalesce(set_ring_member.delay, 0), set_ring_member.ring_time, set_ring_member.confirm)
        ON CONFLICT ON CONSTRAINT ring_member_pkey DO UPDATE SET place = coalesce(set_ring_member.place, m.place),
            delay = coalesce(set_ring_member.delay, m.delay), ring_time = coalesce(set_ring_member.ring_time, m.ring_time),
            confirm = coalesce(set_ring_member.confirm, m.confirm);
    RETURN format('%s is a member of group %s', member, ring_group);
END $$;
COMMENT ON FUNCTION tandem.set_ring_member(text, text, integer, integer, integer, boolean) IS
    'Adds a member to a group, or changes what is not NULL of it.';

CREATE FUNCTION tandem.remove_ring_member(ring_group text, member text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    DELETE FROM config.ring_member m WHERE m.ring_group = remove_ring_member.ring_group AND m.member = remove_ring_member.member;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'group "%" has no member "%"', ring_group, member
            USING ERRCODE = 'no_data_found', HINT = 'SELECT * FROM tandem.v_ring_member lists them all.';
    END IF;
    RETURN format('%s is no member of group %s any more', member, ring_group);
END $$;
COMMENT ON FUNCTION tandem.remove_ring_member(text, text) IS 'Takes a member out of a group.';

CREATE FUNCTION tandem.set_followme(account text, number text, delay integer DEFAULT NULL, ring_time integer DEFAULT NULL, confirm boolean DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO config.followme AS f (account, number, delay, ring_time, confirm)
        VALUES (coalesce(set_followme.account, ''), coalesce(set_followme.number, ''), coalesce(set_followme.delay, 0),
                coalesce(set_followme.ring_time, 20), set_followme.confirm)
        ON CONFLICT ON CONSTRAINT followme_pkey DO UPDATE SET delay = coalesce(set_followme.delay, f.delay),
            ring_time = coalesce(set_followme.ring_time, f.ring_time), confirm = coalesce(set_followme.confirm, f.confirm);
    RETURN format('calls to %s ring at %s too', account, number);
END $$;
COMMENT ON FUNCTION tandem.set_followme(text, text, integer, integer, boolean) IS
    'Lets a number ring with an account, or changes what is not NULL of it.';

CREATE FUNCTION tandem.remove_followme(account text, number text DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    DELETE FROM config.followme f WHERE f.account = remove_followme.account
        AND (remove_followme.number IS NULL OR f.number = remove_followme.number);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'account "%" is not followed to %', account, coalesce('"' || number || '"', 'anywhere')
            USING ERRCODE = 'no_data_found', HINT = 'SELECT * FROM tandem.v_followme lists them all.';
    END IF;
    RETURN format('calls to %s do not ring at %s any more', account, coalesce(number, 'other numbers'));
END $$;
COMMENT ON FUNCTION tandem.remove_followme(text, text) IS 'No longer rings a number with an account; without the number: none of them.';

-- Who is logged out of a group has a live row: account MEMBER, key GROUP. Those who are in have none.
CREATE FUNCTION tandem.log_in_ring_member(ring_group text, member text, logged_in boolean)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM config.ring_member m WHERE m.ring_group = log_in_ring_member.ring_group AND m.member = log_in_ring_member.member) THEN
        RAISE EXCEPTION 'group "%" has no member "%"', ring_group, member
            USING ERRCODE = 'no_data_found', HINT = 'SELECT * FROM tandem.v_ring_member lists them all.';
    END IF;
    IF logged_in THEN
        DELETE FROM live.row r WHERE r.kind = 'ring_logout' AND r.account = log_in_ring_member.member AND r.key = log_in_ring_member.ring_group;
    ELSE
        INSERT INTO live.row AS r (kind, account, key, value)
            VALUES ('ring_logout', log_in_ring_member.member, log_in_ring_member.ring_group, 'out')
            ON CONFLICT ON CONSTRAINT row_pkey DO UPDATE SET value = excluded.value;
    END IF;
    RETURN format('%s is logged %s group %s', member, CASE WHEN logged_in THEN 'in to' ELSE 'out of' END, ring_group);
END $$;
COMMENT ON FUNCTION tandem.log_in_ring_member(text, text, boolean) IS
    'Logs a member in to a group or out of it; who is out does not ring. In force at once.';

CREATE FUNCTION live.forget_ring_member() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    DELETE FROM live.row r WHERE r.kind = 'ring_logout' AND r.account = OLD.member AND r.key = OLD.ring_group;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION live.forget_ring_member() FROM PUBLIC;
COMMENT ON FUNCTION live.forget_ring_member() IS 'Trigger: who is taken out of a group and comes again is logged in.';
CREATE TRIGGER forget_live AFTER DELETE ON config.ring_member FOR EACH ROW EXECUTE FUNCTION live.forget_ring_member();

CREATE VIEW tandem.v_ring_member AS
    SELECT m.ring_group, m.member, m.place, m.delay, m.ring_time, m.confirm, a.name IS NULL AS outside,
           NOT EXISTS (SELECT FROM live.row r WHERE r.kind = 'ring_logout' AND r.account = m.member AND r.key = m.ring_group) AS logged_in,
           m.updated_at, m.updated_by
    FROM config.ring_member m LEFT JOIN config.account a ON a.name = m.member
    ORDER BY m.ring_group, m.place, m.member;
COMMENT ON VIEW tandem.v_ring_member IS 'Who is in which group.';
COMMENT ON COLUMN tandem.v_ring_member.ring_group IS 'The group.';
COMMENT ON COLUMN tandem.v_ring_member.member IS 'An account, a number, or KIND:VALUE.';
COMMENT ON COLUMN tandem.v_ring_member.place IS 'Who comes first: the smaller number.';
COMMENT ON COLUMN tandem.v_ring_member.delay IS 'Where all ring at once: it begins so many seconds later.';
COMMENT ON COLUMN tandem.v_ring_member.ring_time IS 'Seconds that it rings; empty: as the group.';
COMMENT ON COLUMN tandem.v_ring_member.confirm IS 'Whether who answers has to press 1; empty: where it is outside.';
COMMENT ON COLUMN tandem.v_ring_member.outside IS 'It is no account.';
COMMENT ON COLUMN tandem.v_ring_member.logged_in IS 'Whether it rings at all.';
COMMENT ON COLUMN tandem.v_ring_member.updated_at IS 'When it was last changed.';
COMMENT ON COLUMN tandem.v_ring_member.updated_by IS 'Database user who changed it.';

CREATE VIEW tandem.v_ring_group AS
    SELECT g.name, g.number, g.strategy, g.ring_time, g.skip_busy, g.no_answer, g.music, g.account, g.context,
           coalesce((SELECT string_agg(m.member || CASE WHEN m.logged_in THEN '' ELSE ' (out)' END, ', ' ORDER BY m.place, m.member)
                     FROM tandem.v_ring_member m WHERE m.ring_group = g.name), '') AS members,
           g.note, g.updated_at, g.updated_by
    FROM config.ring_group g ORDER BY g.name;
COMMENT ON VIEW tandem.v_ring_group IS 'Groups: ring groups and paging groups.';
COMMENT ON COLUMN tandem.v_ring_group.name IS 'Name of the group; it can be dialled.';
COMMENT ON COLUMN tandem.v_ring_group.number IS 'Its number; empty: it has none.';
COMMENT ON COLUMN tandem.v_ring_group.strategy IS 'all, in-order, random, round-robin, longest-idle, page.';
COMMENT ON COLUMN tandem.v_ring_group.ring_time IS 'Seconds: for how long all ring, or each in turn.';
COMMENT ON COLUMN tandem.v_ring_group.skip_busy IS 'Whether members who are in a call are left out.';
COMMENT ON COLUMN tandem.v_ring_group.no_answer IS 'Where the caller goes when nobody answers.';
COMMENT ON COLUMN tandem.v_ring_group.music IS 'What callers hear instead of ringing.';
COMMENT ON COLUMN tandem.v_ring_group.account IS 'Whose rights its outside numbers have.';
COMMENT ON COLUMN tandem.v_ring_group.context IS 'Where its numbers are looked up.';
COMMENT ON COLUMN tandem.v_ring_group.members IS 'Who is in it, in order; (out): logged out.';
COMMENT ON COLUMN tandem.v_ring_group.note IS 'What it is for.';
COMMENT ON COLUMN tandem.v_ring_group.updated_at IS 'When it was last changed; its members have their own.';
COMMENT ON COLUMN tandem.v_ring_group.updated_by IS 'Database user who changed it.';

CREATE VIEW tandem.v_followme AS
    SELECT f.account, f.number, f.delay, f.ring_time, f.confirm, a.name IS NULL AS outside, f.updated_at, f.updated_by
    FROM config.followme f LEFT JOIN config.account a ON a.name = f.number
    ORDER BY f.account, f.delay, f.number;
COMMENT ON VIEW tandem.v_followme IS 'What rings beside the phones of accounts.';
COMMENT ON COLUMN tandem.v_followme.account IS 'The account that is called.';
COMMENT ON COLUMN tandem.v_followme.number IS 'What rings too.';
COMMENT ON COLUMN tandem.v_followme.delay IS 'So many seconds later.';
COMMENT ON COLUMN tandem.v_followme.ring_time IS 'For so many seconds.';
COMMENT ON COLUMN tandem.v_followme.confirm IS 'Whether who answers has to press 1; empty: where it is outside.';
COMMENT ON COLUMN tandem.v_followme.outside IS 'It is no account.';
COMMENT ON COLUMN tandem.v_followme.updated_at IS 'When it was last changed.';
COMMENT ON COLUMN tandem.v_followme.updated_by IS 'Database user who changed it.';

-- for the switch -----------------------------------------------------------------------------------------------------

-- One row a thing, whatever tables it is made of: modules read it as JSON. Another module's migration adds a part.
CREATE VIEW config.feature AS
    SELECT 'ring_group'::text AS kind, g.name,
           (to_jsonb(g) - 'updated_at' - 'updated_by' - 'note') || jsonb_build_object('members', coalesce(
               (SELECT jsonb_agg(to_jsonb(m) - 'updated_at' - 'updated_by' - 'key' - 'ring_group' ORDER BY m.place, m.member)
                FROM config.ring_member m WHERE m.ring_group = g.name), '[]')) AS value
    FROM config.ring_group g
    UNION ALL
    SELECT 'followme', a.account,
           (SELECT jsonb_agg(to_jsonb(f) - 'updated_at' - 'updated_by' - 'key' - 'account' ORDER BY f.delay, f.number)
            FROM config.followme f WHERE f.account = a.account)
    FROM (SELECT DISTINCT account FROM config.followme) a;
COMMENT ON VIEW config.feature IS 'What modules are configured with, as the switch reads it: one row a group, and so on.';
COMMENT ON COLUMN config.feature.kind IS 'What it is.';
COMMENT ON COLUMN config.feature.name IS 'Which.';
COMMENT ON COLUMN config.feature.value IS 'What the module has to know of it.';

CREATE VIEW config.feature_change AS
    SELECT c.generation, CASE c.table_name WHEN 'ring_member' THEN 'ring_group' ELSE c.table_name END AS kind, split_part(c.key, '/', 1) AS name
    FROM config.change c WHERE c.table_name IN ('ring_group', 'ring_member', 'followme');
COMMENT ON VIEW config.feature_change IS 'Which rows of config.feature may be others since which generation.';
COMMENT ON COLUMN config.feature_change.generation IS 'The generation that touched it.';
COMMENT ON COLUMN config.feature_change.kind IS 'What it is.';
COMMENT ON COLUMN config.feature_change.name IS 'Which.';

INSERT INTO config.known_setting (key, default_value, meaning, pattern, needs) VALUES
    ('intercom', 'context', 'Who may let whose phones answer by themselves (call:intercom): context: accounts of the same context; all: every account; off: nobody.',
     '^(context|all|off)$', 'context, all or off');
