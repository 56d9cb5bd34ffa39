-- Devices: phones of an account with credentials of their own, so that one can be taken away without touching the others.

CREATE TABLE config.device (
    name       text PRIMARY KEY
               CONSTRAINT device_name_is_plain CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    account    text NOT NULL
               CONSTRAINT device_account_is_there REFERENCES config.account (name) ON DELETE CASCADE,
    label      text NOT NULL DEFAULT ''
               CONSTRAINT device_label_fits CHECK (octet_length(label) <= 127 AND label !~ '[[:cntrl:]]'),
    mac        macaddr CONSTRAINT device_mac_is_its_own UNIQUE,
    realm      text NOT NULL CONSTRAINT device_realm_fits CHECK (octet_length(realm) BETWEEN 1 AND 127),
    ha1_md5    bytea NOT NULL CONSTRAINT device_ha1_md5_is_16_bytes CHECK (octet_length(ha1_md5) = 16),
    ha1_sha256 bytea NOT NULL CONSTRAINT device_ha1_sha256_is_32_bytes CHECK (octet_length(ha1_sha256) = 32),
    enabled    boolean NOT NULL DEFAULT true,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text        NOT NULL DEFAULT session_user
);
CREATE INDEX device_account ON config.device (account);
COMMENT ON TABLE config.device IS
    'Phones with credentials of their own; they register and call as their account. Add with tandem.add_device(), read with tandem.v_device.';
COMMENT ON COLUMN config.device.name IS 'Authentication user of this phone, no account''s and no other device''s: "201-desk".';
COMMENT ON COLUMN config.device.account IS 'The account that it registers and calls for.';
COMMENT ON COLUMN config.device.label IS 'What people call it: "Anna, at home".';
COMMENT ON COLUMN config.device.mac IS 'Its hardware address, if that is known.';
COMMENT ON COLUMN config.device.realm IS 'Digest realm that both hashes were made with.';
COMMENT ON COLUMN config.device.ha1_md5 IS 'MD5 of name:realm:secret. As good as the password: never show it.';
COMMENT ON COLUMN config.device.ha1_sha256 IS 'SHA-256 of name:realm:secret. As good as the password: never show it.';
COMMENT ON COLUMN config.device.enabled IS 'A disabled device can neither register nor call, and is forgotten at once; its account goes on.';
COMMENT ON COLUMN config.device.updated_at IS 'When the row was last written.';
COMMENT ON COLUMN config.device.updated_by IS 'Database user who wrote it.';
SELECT config.watch_table('device', 'name');

CREATE FUNCTION config.check_device() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    problem text;
    advice  text;
    other   text;
BEGIN
    IF coalesce(NEW.name, '') !~ '^[a-z0-9][a-z0-9._-]{0,62}$' THEN
        problem := format('a device cannot be called "%s"', NEW.name);
        advice := 'Use 1 to 63 lower-case letters, digits, dots, dashes and underscores, beginning with a letter or digit: 201-desk.';
    ELSIF TG_OP = 'UPDATE' AND NEW.name <> OLD.name THEN
        problem := format('device "%s" cannot be renamed to "%s": the name is part of the stored secret', OLD.name, NEW.name);
        advice := format('Add a device "%s" with add_device() and give its secret to the phone, then remove "%s".', NEW.name, OLD.name);
    ELSIF NOT EXISTS (SELECT FROM config.account a WHERE a.name = NEW.account) THEN
        problem := format('device "%s" cannot belong to account "%s": there is no such account', NEW.name, NEW.account);
        advice := 'SELECT name, display_name FROM tandem.v_account lists them all.';
    ELSIF NEW.ha1_md5 IS NULL OR NEW.ha1_sha256 IS NULL THEN
        problem := format('device "%s" has no secret', NEW.name);
        advice := format('SELECT add_device(%L, %L, %L) adds it and makes a good secret.', NEW.account, NEW.name, NEW.label);
    ELSIF octet_length(NEW.label) > 127 OR NEW.label ~ '[[:cntrl:]]' THEN
        problem := format('the label of device "%s" is longer than 127 bytes or contains control characters', NEW.name);
    ELSIF (TG_OP = 'INSERT' OR NEW.realm IS DISTINCT FROM OLD.realm)
          AND NEW.realm IS DISTINCT FROM (SELECT s.value FROM config.setting s WHERE s.key = 'realm') THEN
        problem := format('device "%s" cannot have the realm "%s": phones are asked for the one in the setting "realm", and no secret would fit', NEW.name, NEW.realm);
        advice := 'add_device() and set_password() fill it in.';
    ELSE
        SELECT d.name INTO other FROM config.device d WHERE d.mac = NEW.mac AND d.name <> NEW.name;
        IF other IS NOT NULL THEN
            problem := format('device "%s" cannot have the MAC address %s: it is that of device "%s"', NEW.name, NEW.mac, other);
            advice := format('One phone is one device. SELECT remove_device(%L) removes the other one.', other);
        END IF;
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'device',
            HINT = coalesce(advice, '\d+ config.device in psql says what each column takes.');
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_device() IS 'Trigger: refuses a device that could not work, in words.';
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON config.device
    FOR EACH ROW EXECUTE FUNCTION config.check_device();

-- A digest names one user. Statements that change the configuration stand in line for the row in config.generation, which
-- note_insert takes; triggers run in the order of their names, so this one sees what everybody before has committed.
CREATE FUNCTION config.one_user_a_name() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    twice text;
BEGIN
    SELECT a.name INTO twice FROM new_rows n JOIN config.account a ON a.name = n.name JOIN config.device d ON d.name = n.name LIMIT 1;
    IF twice IS NOT NULL THEN
        RAISE EXCEPTION 'there is an account and a device called "%": a phone could not say which it is', twice
            USING ERRCODE = 'unique_violation', HINT = 'Devices are usually called after their account: 201-desk, 201-home.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION config.one_user_a_name() IS 'Trigger: no device has the name of an account.';
CREATE TRIGGER one_user_a_name AFTER INSERT ON config.account REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION config.one_user_a_name();
CREATE TRIGGER one_user_a_name AFTER INSERT ON config.device REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION config.one_user_a_name();

-- functions ---------------------------------------------------------------------------------------------------------

CREATE FUNCTION tandem.need_device(device_name text) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM config.device d WHERE d.name = device_name) THEN
        RAISE EXCEPTION 'there is no device "%"', device_name
            USING ERRCODE = 'no_data_found', HINT = 'SELECT name, account, label FROM tandem.v_device lists them all.';
    END IF;
END $$;
COMMENT ON FUNCTION tandem.need_device(text) IS 'Raises an error with words when there is no such device.';

CREATE FUNCTION tandem.next_device_name(account text) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT its_name FROM generate_series(1, 10000) n, format('%s-%s', account, n) its_name
    WHERE NOT EXISTS (SELECT FROM config.device d WHERE d.name = its_name)
      AND NOT EXISTS (SELECT FROM config.account a WHERE a.name = its_name)
    ORDER BY n LIMIT 1
$$;
COMMENT ON FUNCTION tandem.next_device_name(text) IS 'A name for the next device of an account: 201-1, 201-2 …';

CREATE FUNCTION tandem.add_device(
    account text, name text DEFAULT NULL, label text DEFAULT '', mac macaddr DEFAULT NULL, secret text DEFAULT NULL,
    enabled boolean DEFAULT true)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    chosen    text := coalesce(secret, tandem.new_secret());
    its_realm text := tandem.realm();
    its_name  text := name;
BEGIN
    PERFORM tandem.need_account(account);
    IF its_name IS NULL THEN
        its_name := tandem.next_device_name(account);
    ELSIF EXISTS (SELECT FROM config.device d WHERE d.name = its_name) THEN
        RAISE EXCEPTION 'device "%" exists already', its_name
            USING ERRCODE = 'unique_violation', HINT = format('SELECT set_password(%L) gives it a new secret; UPDATE config.device changes the rest.', its_name);
    END IF;
    PERFORM tandem.check_secret(its_name, chosen);
    INSERT INTO config.device (name, account, label, mac, realm, ha1_md5, ha1_sha256, enabled)
        VALUES (its_name, account, coalesce(label, ''), mac, its_realm,
                decode(md5(tandem.ha1_text(its_name, its_realm, chosen)), 'hex'),
                sha256(tandem.ha1_text(its_name, its_realm, chosen)), coalesce(enabled, true));
    RETURN format('device %s of account %s added', its_name, account)
           || CASE WHEN secret IS NULL THEN format('; its secret is %s', chosen) ELSE '' END;
END $$;
COMMENT ON FUNCTION tandem.add_device(text, text, text, macaddr, text, boolean) IS
    'Adds a phone with credentials of its own to an account. Without a name it gets one (201-1); without a secret, a good one is made and shown once.';

CREATE FUNCTION tandem.set_device_enabled(name text, enabled boolean)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM tandem.need_device(name);
    IF enabled IS NULL THEN
        RAISE EXCEPTION 'device "%" is either enabled (true) or not (false)', name USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE config.device d SET enabled = set_device_enabled.enabled WHERE d.name = set_device_enabled.name;
    RETURN format('device %s is %s', name, CASE WHEN enabled THEN 'enabled' ELSE 'disabled' END);
END $$;
COMMENT ON FUNCTION tandem.set_device_enabled(text, boolean) IS 'Lets a device register and call, or stops it from doing so, at once.';

CREATE FUNCTION tandem.remove_device(name text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM tandem.need_device(name);
    DELETE FROM config.device d WHERE d.name = remove_device.name;
    RETURN format('device %s removed', name);
END $$;
COMMENT ON FUNCTION tandem.remove_device(text) IS 'Removes a device; the switch forgets where it is. Its account goes on.';

CREATE OR REPLACE FUNCTION tandem.set_password(name text, secret text DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    chosen    text := coalesce(secret, tandem.new_secret());
    its_realm text := tandem.realm();
    md5_now   bytea := decode(md5(tandem.ha1_text(name, its_realm, chosen)), 'hex');
    sha_now   bytea := sha256(tandem.ha1_text(name, its_realm, chosen));
    what      text := 'account';
BEGIN
    IF EXISTS (SELECT FROM config.device d WHERE d.name = set_password.name) THEN
        what := 'device';
    ELSIF NOT EXISTS (SELECT FROM config.account a WHERE a.name = set_password.name) THEN
        RAISE EXCEPTION 'there is no account and no device "%"', name
            USING ERRCODE = 'no_data_found', HINT = 'tandem.v_account and tandem.v_device list them all.';
    END IF;
    PERFORM tandem.check_secret(name, chosen);
    IF what = 'device' THEN
        UPDATE config.device d SET realm = its_realm, ha1_md5 = md5_now, ha1_sha256 = sha_now WHERE d.name = set_password.name;
    ELSE
        UPDATE config.account a SET realm = its_realm, ha1_md5 = md5_now, ha1_sha256 = sha_now WHERE a.name = set_password.name;
    END IF;
    RETURN format('%s %s has a new password', what, name) || CASE WHEN secret IS NULL THEN format(': %s', chosen) ELSE '' END;
END $$;
COMMENT ON FUNCTION tandem.set_password(text, text) IS
    'Gives an account or a device another secret. Without one, a good one is made and shown once.';

-- views -------------------------------------------------------------------------------------------------------------

ALTER TABLE live.binding ADD COLUMN device text;
COMMENT ON COLUMN live.binding.device IS 'The device that registered; NULL: the account itself.';

CREATE VIEW tandem.v_device AS
    SELECT d.name, d.account, a.display_name, d.label, d.mac, d.enabled AND a.enabled AS enabled,
           (SELECT count(*) FROM live.binding b WHERE b.account = d.account AND b.device = d.name AND b.expires_at > now()) AS registered,
           d.updated_at, d.updated_by
    FROM config.device d JOIN config.account a ON a.name = d.account
    ORDER BY d.account, d.name;
COMMENT ON VIEW tandem.v_device IS 'Phones with credentials of their own, and whether they are registered.';
COMMENT ON COLUMN tandem.v_device.name IS 'Authentication user of this phone.';
COMMENT ON COLUMN tandem.v_device.account IS 'The account that it registers and calls for.';
COMMENT ON COLUMN tandem.v_device.display_name IS 'Name of that account.';
COMMENT ON COLUMN tandem.v_device.label IS 'What people call the device.';
COMMENT ON COLUMN tandem.v_device.mac IS 'Its hardware address, if that is known.';
COMMENT ON COLUMN tandem.v_device.enabled IS 'Whether it may register and call: it and its account are enabled.';
COMMENT ON COLUMN tandem.v_device.registered IS 'Its registrations at this moment.';
COMMENT ON COLUMN tandem.v_device.updated_at IS 'When it was last changed.';
COMMENT ON COLUMN tandem.v_device.updated_by IS 'Database user who changed it.';

CREATE OR REPLACE VIEW tandem.v_account AS
    SELECT a.name, a.display_name, a.enabled, a.context, a.max_contacts,
           (SELECT count(*) FROM live.binding b WHERE b.account = a.name AND b.expires_at > now()) AS phones,
           a.updated_at, a.updated_by,
           a.max_call, a.session_timers, a.session_expires, a.session_min_se,
           (SELECT count(*) FROM config.device d WHERE d.account = a.name) AS devices
    FROM config.account a
    ORDER BY a.name;
COMMENT ON COLUMN tandem.v_account.devices IS 'Devices that it has (tandem.v_device).';

CREATE OR REPLACE VIEW tandem.v_registration AS
    SELECT b.account, a.display_name, b.contact_uri AS contact, b.peer, b.user_agent,
           date_trunc('second', b.expires_at - now()) AS expires_in, b.updated_at AS registered_at, b.node, b.device
    FROM live.binding b LEFT JOIN config.account a ON a.name = b.account
    WHERE b.expires_at > now()
    ORDER BY b.account, b.updated_at;
COMMENT ON COLUMN tandem.v_registration.device IS 'The device that registered; empty: the account itself.';
