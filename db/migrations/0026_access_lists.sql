-- Access lists: from which networks a listener is spoken to, and an account used.

CREATE FUNCTION config.acl_problem(rules text) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
DECLARE
    words text[] := regexp_split_to_array(btrim(rules, E' ,;\n\r\t'), E'[ ,;\n\r\t]+');
BEGIN
    IF btrim(rules, E' ,;\n\r\t') = '' THEN
        RETURN NULL;
    ELSIF octet_length(rules) > 8000 OR cardinality(words) > 128 THEN
        RETURN 'it has more than 64 rules';
    ELSIF cardinality(words) % 2 = 1 THEN
        RETURN 'each rule is allow or deny and a network';
    END IF;
    FOR i IN 1 .. cardinality(words) BY 2 LOOP
        IF words[i] NOT IN ('allow', 'deny') THEN
            RETURN format('"%s" is neither allow nor deny', left(words[i], 40));
        END IF;
        CONTINUE WHEN words[i + 1] = 'all';
        BEGIN
            PERFORM words[i + 1]::cidr;
        EXCEPTION WHEN invalid_text_representation THEN
            RETURN format('"%s" is no network', left(words[i + 1], 40));
        END;
    END LOOP;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION config.acl_problem(text) IS 'What is wrong with the rules of an access list, in words; NULL: nothing.';

CREATE TABLE config.acl (
    name       text PRIMARY KEY
               CONSTRAINT acl_name_is_plain CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    rules      text NOT NULL DEFAULT ''
               CONSTRAINT acl_rules_are_rules CHECK (config.acl_problem(rules) IS NULL),
    listeners  text NOT NULL DEFAULT ''
               CONSTRAINT acl_listeners_are_listeners CHECK (octet_length(listeners) <= 127 AND listeners ~ '^[ ,]*((all|(udp|tcp|tls|ws|wss)(:[0-9]{1,5})?)([ ,]+|$))*$'),
    note       text NOT NULL DEFAULT ''
               CONSTRAINT acl_note_fits CHECK (octet_length(note) <= 127 AND note !~ '[[:cntrl:]]'),
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text        NOT NULL DEFAULT session_user
);
COMMENT ON TABLE config.acl IS
    'Access lists: rules in order, of which the first one that has the address decides; where none has it, the opposite of the last rule. Of listeners (column listeners) and accounts (config.account.acl). Read with tandem.v_acl.';
COMMENT ON COLUMN config.acl.name IS 'Name of the list.';
COMMENT ON COLUMN config.acl.rules IS 'allow or deny and a network, in order: allow 192.0.2.0/24, deny all. Empty: everybody is allowed.';
COMMENT ON COLUMN config.acl.listeners IS 'Listeners that follow it: all, or transports, with a port where there are several: udp, tcp:5060. A listener with several lists hears whom all of them allow.';
COMMENT ON COLUMN config.acl.note IS 'What it is for.';
COMMENT ON COLUMN config.acl.updated_at IS 'When the row was last written.';
COMMENT ON COLUMN config.acl.updated_by IS 'Database user who wrote it.';
SELECT config.watch_table('acl', 'name');

CREATE FUNCTION config.check_acl() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    problem text;
    advice  text;
BEGIN
    IF coalesce(NEW.name, '') !~ '^[a-z0-9][a-z0-9._-]{0,62}$' THEN
        problem := format('an access list cannot be called "%s"', NEW.name);
        advice := 'Use 1 to 63 lower-case letters, digits, dots, dashes and underscores, beginning with a letter or digit.';
    ELSIF config.acl_problem(NEW.rules) IS NOT NULL THEN
        problem := format('access list "%s": %s', NEW.name, config.acl_problem(NEW.rules));
        advice := 'Rules are like: allow 192.0.2.0/24, allow 2001:db8::/32, deny all.';
    ELSIF NEW.listeners !~ '^[ ,]*((all|(udp|tcp|tls|ws|wss)(:[0-9]{1,5})?)([ ,]+|$))*$' THEN
        problem := format('access list "%s" cannot have the listeners "%s"', NEW.name, left(NEW.listeners, 60));
        advice := 'They are: all, or transports with or without a port: udp, tcp:5060.';
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'acl', HINT = advice;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_acl() IS 'Trigger: refuses an access list that could not work, in words.';
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON config.acl FOR EACH ROW EXECUTE FUNCTION config.check_acl();

ALTER TABLE config.account ADD COLUMN acl text CONSTRAINT account_acl_is_there REFERENCES config.acl (name)
    DEFERRABLE INITIALLY DEFERRED; -- a rollback takes lists away before it takes them out of accounts
COMMENT ON COLUMN config.account.acl IS 'Access list of the addresses from which it may register and call; NULL: from everywhere.';

CREATE FUNCTION config.check_account_acl() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM config.acl l WHERE l.name = NEW.acl) THEN
        RAISE EXCEPTION 'account "%" cannot follow the access list "%": there is no such list', NEW.name, NEW.acl
            USING ERRCODE = 'foreign_key_violation', SCHEMA = 'config', TABLE = 'account',
                  HINT = 'SELECT name, rules FROM tandem.v_acl lists them all (tandem acl list).';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_account_acl() IS 'Trigger: refuses an access list that is not there, in words.';
CREATE TRIGGER check_row_acl BEFORE INSERT OR UPDATE OF acl ON config.account
    FOR EACH ROW WHEN (NEW.acl IS NOT NULL) EXECUTE FUNCTION config.check_account_acl();

-- functions ---------------------------------------------------------------------------------------------------------

CREATE FUNCTION tandem.set_acl(name text, rules text, listeners text DEFAULT NULL, note text DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO config.acl AS l (name, rules, listeners, note)
        VALUES (coalesce(set_acl.name, ''), coalesce(set_acl.rules, ''), coalesce(set_acl.listeners, ''), coalesce(set_acl.note, ''))
        ON CONFLICT ON CONSTRAINT acl_pkey DO UPDATE SET rules = coalesce(set_acl.rules, l.rules),
            listeners = coalesce(set_acl.listeners, l.listeners), note = coalesce(set_acl.note, l.note);
    RETURN format('access list %s is: %s', name, coalesce(nullif((SELECT l.rules FROM config.acl l WHERE l.name = set_acl.name), ''), 'everybody'));
END $$;
COMMENT ON FUNCTION tandem.set_acl(text, text, text, text) IS 'Adds an access list, or changes what is not NULL of it. In force at once.';

CREATE FUNCTION tandem.remove_acl(name text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    used_by text := (SELECT string_agg(a.name, ', ' ORDER BY a.name) FROM config.account a WHERE a.acl = remove_acl.name);
BEGIN
    IF used_by IS NOT NULL THEN
        RAISE EXCEPTION 'access list "%" is used by account %', name, left(used_by, 200)
            USING ERRCODE = 'foreign_key_violation', HINT = 'UPDATE config.account SET acl = NULL … first (tandem account set … --acl default).';
    END IF;
    DELETE FROM config.acl l WHERE l.name = remove_acl.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no access list "%"', name
            USING ERRCODE = 'no_data_found', HINT = 'SELECT name FROM tandem.v_acl lists them all.';
    END IF;
    RETURN format('access list %s removed', name);
END $$;
COMMENT ON FUNCTION tandem.remove_acl(text) IS 'Removes an access list that no account uses; its listeners are open again.';

CREATE FUNCTION tandem.acl_allows(name text, address inet)
    RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    its_rules text := (SELECT btrim(l.rules, E' ,;\n\r\t') FROM config.acl l WHERE l.name = acl_allows.name);
    words     text[] := regexp_split_to_array(its_rules, E'[ ,;\n\r\t]+');
BEGIN
    IF its_rules IS NULL THEN
        RAISE EXCEPTION 'there is no access list "%"', name
            USING ERRCODE = 'no_data_found', HINT = 'SELECT name FROM tandem.v_acl lists them all.';
    ELSIF its_rules = '' THEN
        RETURN true;
    END IF;
    FOR i IN 1 .. cardinality(words) BY 2 LOOP
        CONTINUE WHEN words[i + 1] <> 'all' AND NOT address <<= words[i + 1]::cidr;
        RETURN words[i] = 'allow';
    END LOOP;
    RETURN words[cardinality(words) - 1] = 'deny';
END $$;
COMMENT ON FUNCTION tandem.acl_allows(text, inet) IS 'What an access list says about an address: to try it before it is used.';

-- views -------------------------------------------------------------------------------------------------------------

CREATE VIEW tandem.v_acl AS
    SELECT l.name, l.rules, l.listeners,
           (SELECT string_agg(a.name, ', ' ORDER BY a.name) FROM config.account a WHERE a.acl = l.name) AS accounts,
           l.note, l.updated_at, l.updated_by
    FROM config.acl l ORDER BY l.name;
COMMENT ON VIEW tandem.v_acl IS 'Access lists and who follows them.';
COMMENT ON COLUMN tandem.v_acl.name IS 'Name of the list.';
COMMENT ON COLUMN tandem.v_acl.rules IS 'Rules in order; where none has the address, the opposite of the last one holds.';
COMMENT ON COLUMN tandem.v_acl.listeners IS 'Listeners that follow it.';
COMMENT ON COLUMN tandem.v_acl.accounts IS 'Accounts that follow it.';
COMMENT ON COLUMN tandem.v_acl.note IS 'What it is for.';
COMMENT ON COLUMN tandem.v_acl.updated_at IS 'When it was last changed.';
COMMENT ON COLUMN tandem.v_acl.updated_by IS 'Database user who changed it.';

CREATE OR REPLACE VIEW tandem.v_account AS
    SELECT a.name, a.display_name, a.enabled, a.context, a.max_contacts,
           (SELECT count(*) FROM live.binding b WHERE b.account = a.name AND b.expires_at > now()) AS phones,
           a.updated_at, a.updated_by,
           a.max_call, a.session_timers, a.session_expires, a.session_min_se,
           (SELECT count(*) FROM config.device d WHERE d.account = a.name) AS devices, a.acl
    FROM config.account a
    ORDER BY a.name;
COMMENT ON COLUMN tandem.v_account.acl IS 'Access list of the addresses from which it may register and call; empty: from everywhere.';
