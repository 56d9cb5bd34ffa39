-- What people do, as functions with errors that say what to do. They run with the rights of their owner, so that an
-- administrator needs none on the columns that hold passwords; updated_by still names the person (session_user).

CREATE FUNCTION tandem.need_account(account_name text) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM config.account a WHERE a.name = account_name) THEN
        RAISE EXCEPTION 'there is no account "%"', account_name
            USING ERRCODE = 'no_data_found', HINT = 'SELECT name, display_name FROM tandem.v_account lists them all.';
    END IF;
END $$;
COMMENT ON FUNCTION tandem.need_account(text) IS 'Raises an error with words when there is no such account.';

CREATE FUNCTION tandem.check_secret(account_name text, secret text) RETURNS void LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog AS $$
DECLARE
    problem text;
BEGIN
    problem := CASE
        WHEN length(secret) < 12 THEN 'is shorter than 12 characters'
        WHEN octet_length(secret) > 128 THEN 'is longer than 128 bytes'
        WHEN secret ~ '[[:cntrl:]]' THEN 'contains control characters'
        WHEN lower(secret) = lower(account_name) THEN 'is the name of the account'
        WHEN replace(lower(secret), lower(account_name), '') = '' THEN 'only repeats the name of the account'
        WHEN (SELECT count(DISTINCT c) FROM regexp_split_to_table(secret, '') c) < 5 THEN 'has fewer than 5 different characters'
    END;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'the secret for account "%" %', account_name, problem
            USING ERRCODE = 'invalid_password',
                  HINT = 'Machines guess SIP passwords all day long. Leave the secret out and a good one is made and shown once.';
    END IF;
END $$;
COMMENT ON FUNCTION tandem.check_secret(text, text) IS 'Raises an error with words when a secret is too weak.';

CREATE FUNCTION tandem.new_secret() RETURNS text LANGUAGE sql VOLATILE SET search_path = pg_catalog AS $$
    SELECT substr(translate(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'),
                            '+/=' || E'\n', 'xy'), 1, 20)
$$;
COMMENT ON FUNCTION tandem.new_secret() IS 'A random secret of 20 letters and digits.';

CREATE FUNCTION tandem.realm() RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    found_realm text;
BEGIN
    SELECT s.value INTO found_realm FROM config.setting s WHERE s.key = 'realm';
    IF found_realm IS NULL THEN
        RAISE EXCEPTION 'the setting "realm" is missing'
            USING HINT = 'It is made by `tandem db migrate`. With no accounts yet, any text will do: SELECT tandem.set_setting(''realm'', ''tandem-1'').';
    END IF;
    RETURN found_realm;
END $$;
COMMENT ON FUNCTION tandem.realm() IS 'The digest realm that new passwords are hashed with.';

CREATE FUNCTION tandem.ha1_text(name text, realm text, secret text) RETURNS bytea LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog AS $$
    SELECT convert_to(name || ':' || realm || ':' || secret, 'UTF8')
$$;
COMMENT ON FUNCTION tandem.ha1_text(text, text, text) IS 'What both HA1 hashes are made from (RFC 7616 section 3.4.2).';

CREATE FUNCTION tandem.add_account(
    name text, display_name text DEFAULT '', secret text DEFAULT NULL, context text DEFAULT 'internal',
    max_contacts integer DEFAULT 10, enabled boolean DEFAULT true)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    chosen    text := coalesce(secret, tandem.new_secret());
    its_realm text := tandem.realm();
BEGIN
    IF name IS NULL OR name !~ '^[a-z0-9][a-z0-9._-]{0,62}$' THEN
        RAISE EXCEPTION 'an account cannot be called "%"', coalesce(name, '')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Use 1 to 63 lower-case letters, digits, dots, dashes and underscores, beginning with a letter or digit: 201, anna.reception.';
    END IF;
    IF EXISTS (SELECT FROM config.account a WHERE a.name = add_account.name) THEN
        RAISE EXCEPTION 'account "%" exists already', name
            USING ERRCODE = 'unique_violation', HINT = format('SELECT tandem.set_password(%L) gives it a new password.', name);
    END IF;
    IF octet_length(display_name) > 127 OR display_name ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'the display name of account "%" is longer than 127 bytes or contains control characters', name
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF context IS NULL OR context !~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' THEN
        RAISE EXCEPTION 'a dialplan context cannot be called "%"', coalesce(context, '')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Most accounts belong into "internal".';
    END IF;
    IF max_contacts IS NULL OR max_contacts NOT BETWEEN 1 AND 100 THEN
        RAISE EXCEPTION 'account "%" cannot have % phones', name, coalesce(max_contacts::text, 'no number of')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'max_contacts is from 1 to 100; 10 is usual.';
    END IF;
    PERFORM tandem.check_secret(name, chosen);
    INSERT INTO config.account (name, display_name, realm, ha1_md5, ha1_sha256, enabled, context, max_contacts)
        VALUES (name, coalesce(display_name, ''), its_realm,
                decode(md5(tandem.ha1_text(name, its_realm, chosen)), 'hex'),
                sha256(tandem.ha1_text(name, its_realm, chosen)), coalesce(enabled, true), context, max_contacts);
    RETURN format('account %s added', name) || CASE WHEN secret IS NULL THEN format('; its secret is %s', chosen) ELSE '' END;
END $$;
COMMENT ON FUNCTION tandem.add_account(text, text, text, text, integer, boolean) IS
    'Adds an account. Without a secret, a good one is made and shown once.';

CREATE FUNCTION tandem.set_password(name text, secret text DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    chosen    text := coalesce(secret, tandem.new_secret());
    its_realm text := tandem.realm();
BEGIN
    PERFORM tandem.need_account(name);
    PERFORM tandem.check_secret(name, chosen);
    UPDATE config.account a
        SET realm = its_realm,
            ha1_md5 = decode(md5(tandem.ha1_text(set_password.name, its_realm, chosen)), 'hex'),
            ha1_sha256 = sha256(tandem.ha1_text(set_password.name, its_realm, chosen))
        WHERE a.name = set_password.name;
    RETURN format('account %s has a new password', name) || CASE WHEN secret IS NULL THEN format(': %s', chosen) ELSE '' END;
END $$;
COMMENT ON FUNCTION tandem.set_password(text, text) IS 'Gives an account another secret. Without one, a good one is made and shown once.';

CREATE FUNCTION tandem.set_account_enabled(name text, enabled boolean)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM tandem.need_account(name);
    IF enabled IS NULL THEN
        RAISE EXCEPTION 'account "%" is either enabled (true) or not (false)', name USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE config.account a SET enabled = set_account_enabled.enabled WHERE a.name = set_account_enabled.name;
    RETURN format('account %s is %s', name, CASE WHEN enabled THEN 'enabled' ELSE 'disabled' END);
END $$;
COMMENT ON FUNCTION tandem.set_account_enabled(text, boolean) IS 'Lets an account register and call, or stops it from doing so.';

CREATE FUNCTION tandem.remove_account(name text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM tandem.need_account(name);
    DELETE FROM config.account a WHERE a.name = remove_account.name;
    DELETE FROM live.binding b WHERE b.account = remove_account.name;
    RETURN format('account %s removed', name);
END $$;
COMMENT ON FUNCTION tandem.remove_account(text) IS 'Removes an account and its registrations. Its call records stay.';

CREATE FUNCTION tandem.set_setting(key text, value text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF key IS NULL OR key !~ '^[a-z][a-z0-9_.-]{0,62}$' THEN
        RAISE EXCEPTION 'a setting cannot be called "%"', coalesce(key, '')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Use 1 to 63 lower-case letters, digits, dots, dashes and underscores, beginning with a letter.';
    END IF;
    IF key = 'realm' AND (value IS NULL OR octet_length(value) NOT BETWEEN 1 AND 127 OR value ~ '["\\[:cntrl:]]') THEN
        RAISE EXCEPTION 'the realm must be 1 to 127 bytes without quotes, backslashes or control characters'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF value IS NULL THEN
        DELETE FROM config.setting s WHERE s.key = set_setting.key;
        RETURN format('setting %s removed', key);
    END IF;
    IF octet_length(value) > 4000 OR value ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'the value of setting "%" is longer than 4,000 bytes or contains control characters', key
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO config.setting AS s (key, value) VALUES (set_setting.key, set_setting.value)
        ON CONFLICT ON CONSTRAINT setting_pkey DO UPDATE SET value = excluded.value;
    RETURN format('setting %s is %s', key, value);
END $$;
COMMENT ON FUNCTION tandem.set_setting(text, text) IS 'Writes a setting; NULL removes it.';
