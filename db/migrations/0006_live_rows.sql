-- Live data that people can change too: each row has a version, the time of its change in µs; the later one wins, whoever
-- made it. The switch keeps all rows in memory and in a journal of its own, and writes behind; what people commit here is
-- told to it. A kind of rows lives in live.row, or in a table of its own that is registered with live.watch_table().

CREATE TABLE live.row (
    kind    text    NOT NULL CONSTRAINT row_kind_is_plain CHECK (kind ~ '^[a-z][a-z0-9_]{0,30}$'),
    account text    NOT NULL CONSTRAINT row_account_fits CHECK (octet_length(account) <= 63),
    key     text    NOT NULL DEFAULT '' CONSTRAINT row_key_fits CHECK (octet_length(key) <= 1000),
    node    integer NOT NULL DEFAULT 0,
    value   text    NOT NULL CONSTRAINT row_value_fits CHECK (octet_length(value) <= 16000),
    version bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, account, key)
);
COMMENT ON TABLE live.row IS 'Small live facts of accounts, of all kinds that have no table of their own. Write with tandem.set_live().';
COMMENT ON COLUMN live.row.kind IS 'What kind of fact: each module has its own.';
COMMENT ON COLUMN live.row.account IS 'The account that it is about.';
COMMENT ON COLUMN live.row.key IS 'Which one, where an account may have several; else empty.';
COMMENT ON COLUMN live.row.node IS 'The switch that wrote it; 0: a person.';
COMMENT ON COLUMN live.row.value IS 'The fact.';
COMMENT ON COLUMN live.row.version IS 'When it was changed, in µs since 1970: of two versions the later one wins.';

CREATE TABLE live.gone (
    kind    text   NOT NULL,
    account text   NOT NULL,
    key     text   NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (kind, account, key)
);
COMMENT ON TABLE live.gone IS 'Live rows that people deleted, so that a switch which is not connected learns of it later.';
COMMENT ON COLUMN live.gone.kind IS 'Kind of the row.';
COMMENT ON COLUMN live.gone.account IS 'Its account.';
COMMENT ON COLUMN live.gone.key IS 'Its key.';
COMMENT ON COLUMN live.gone.version IS 'When it was deleted, in µs since 1970.';

CREATE TABLE live.own_table (
    kind       text PRIMARY KEY,
    key_column text NOT NULL
);
COMMENT ON TABLE live.own_table IS 'Kinds of live rows with a table of their own in this schema; see live.watch_table().';
COMMENT ON COLUMN live.own_table.kind IS 'The kind, and the name of the table.';
COMMENT ON COLUMN live.own_table.key_column IS 'Its column for the key.';

CREATE FUNCTION live.clock() RETURNS bigint LANGUAGE sql VOLATILE SET search_path = pg_catalog AS $$
    SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
$$;
COMMENT ON FUNCTION live.clock() IS 'Now, as a version.';

-- What people do gets a version, leaves a note when it deletes, and wakes the switch. What the switch itself writes
-- carries its version already (live.write_rows() says so for its transaction).
CREATE FUNCTION live.note_row() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    key_column text := TG_ARGV[0];
    before     jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    after      jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    its_kind   text := CASE WHEN TG_TABLE_NAME = 'row' THEN coalesce(after, before) ->> 'kind' ELSE TG_TABLE_NAME END;
    stamp      bigint;
BEGIN
    IF current_setting('tandem.by_switch', true) = 'yes' THEN
        IF TG_OP = 'DELETE' THEN
            RETURN OLD;
        END IF;
        RETURN NEW;
    END IF;
    stamp := greatest(live.clock(), coalesce((before ->> 'version')::bigint, 0) + 1);
    IF TG_OP = 'UPDATE' AND (before ->> 'account', before ->> key_column, before ->> 'kind')
                            IS DISTINCT FROM (after ->> 'account', after ->> key_column, after ->> 'kind') THEN
        RAISE EXCEPTION 'a live row cannot be renamed' USING ERRCODE = 'check_violation', HINT = 'Delete it, and insert another one.';
    END IF;
    IF TG_OP = 'DELETE' THEN
        INSERT INTO live.gone AS g VALUES (its_kind, before ->> 'account', before ->> key_column, stamp)
            ON CONFLICT ON CONSTRAINT gone_pkey DO UPDATE SET version = excluded.version;
    ELSE
        DELETE FROM live.gone g WHERE g.kind = its_kind AND g.account = after ->> 'account' AND g.key = after ->> key_column;
        NEW.version := stamp;
    END IF;
    -- a notification has at most 8,000 bytes; this is below 7,000 even when all of it has to be escaped
    PERFORM pg_notify('tandem_live', jsonb_build_array(its_kind, coalesce(after, before) ->> 'account',
                                                       coalesce(after, before) ->> key_column)::text);
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION live.note_row() IS 'Trigger: gives what people change a version, and tells the switch.';

CREATE FUNCTION live.watch_table(table_name text, key_column text) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER note_row BEFORE INSERT OR UPDATE OR DELETE ON live.%I FOR EACH ROW EXECUTE FUNCTION live.note_row(%L)',
                   table_name, key_column);
    IF table_name <> 'row' THEN
        INSERT INTO live.own_table VALUES (table_name, key_column);
    END IF;
END $$;
COMMENT ON FUNCTION live.watch_table(text, text) IS
    'Makes a table of schema live one that the switch keeps in step with. It needs the columns account, node (default 0), version (bigint, default 0), and a primary key of account and the key column.';

ALTER TABLE live.binding ADD COLUMN version bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN live.binding.version IS 'When it was changed, in µs since 1970: of two versions the later one wins.';
UPDATE live.binding SET version = (extract(epoch FROM updated_at) * 1000000)::bigint;
SELECT live.watch_table('row', 'key'), live.watch_table('binding', 'contact_key');

-- The next rows of a kind behind (account, key), deleted ones too (value NULL): what a switch has to know. A table's own
-- columns come as one object of JSON, times in UTC.
CREATE FUNCTION live.read_rows(its_node integer, its_kind text, after_account text, after_key text, most integer)
    RETURNS TABLE (account text, key text, version bigint, value text) LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog SET timezone = 'UTC' AS $$
DECLARE
    key_column text := (SELECT o.key_column FROM live.own_table o WHERE o.kind = its_kind);
    source     text;
BEGIN
    source := CASE WHEN key_column IS NULL
        THEN 'SELECT r.account, r.key, r.version, r.value FROM live.row r WHERE r.kind = $2 AND r.node IN ($1, 0)'
        ELSE format('SELECT r.account, r.%1$I, r.version, (to_jsonb(r) - ARRAY[''account'', %1$L, ''node'', ''version''])::text '
                    'FROM live.%2$I r WHERE r.node IN ($1, 0)', key_column, its_kind) END;
    RETURN QUERY EXECUTE format(
        'SELECT * FROM (SELECT * FROM (%1$s AND (r.account, r.%2$I) > ($3, $4) ORDER BY r.account, r.%2$I LIMIT $5) s '
        'UNION ALL (SELECT g.account, g.key, g.version, NULL FROM live.gone g '
        'WHERE g.kind = $2 AND (g.account, g.key) > ($3, $4) ORDER BY g.account, g.key LIMIT $5)) u(account, key, version, value) '
        'ORDER BY u.account, u.key LIMIT $5', source, coalesce(key_column, 'key'))
        USING its_node, its_kind, after_account, after_key, most;
END $$;
COMMENT ON FUNCTION live.read_rows(integer, text, text, text, integer) IS 'For the switch: the next live rows of a kind.';

-- These rows, deleted ones too. keys: [[account, key], …].
CREATE FUNCTION live.read_these(its_node integer, its_kind text, keys jsonb)
    RETURNS TABLE (account text, key text, version bigint, value text) LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog SET timezone = 'UTC' AS $$
DECLARE
    key_column text := (SELECT o.key_column FROM live.own_table o WHERE o.kind = its_kind);
    wanted     text := 'JOIN (SELECT k ->> 0 AS account, k ->> 1 AS key FROM jsonb_array_elements($3) k) w ';
BEGIN
    RETURN QUERY EXECUTE CASE WHEN key_column IS NULL
        THEN 'SELECT r.account, r.key, r.version, r.value FROM live.row r ' || wanted ||
             'ON w.account = r.account AND w.key = r.key WHERE r.kind = $2 AND r.node IN ($1, 0)'
        ELSE format('SELECT r.account, r.%1$I, r.version, (to_jsonb(r) - ARRAY[''account'', %1$L, ''node'', ''version''])::text '
                    'FROM live.%2$I r ', key_column, its_kind) || wanted ||
             format('ON w.account = r.account AND w.key = r.%I WHERE r.node IN ($1, 0)', key_column) END ||
        ' UNION ALL SELECT g.account, g.key, g.version, NULL FROM live.gone g ' || wanted ||
        'ON w.account = g.account AND w.key = g.key WHERE g.kind = $2'
        USING its_node, its_kind, keys;
END $$;
COMMENT ON FUNCTION live.read_these(integer, text, jsonb) IS 'For the switch: live rows of which it was told.';

-- rows: [{"account", "key", "version", "value" (null: it is gone)}, …]. Returns those that people have changed later.
CREATE FUNCTION live.write_rows(its_node integer, its_kind text, rows jsonb)
    RETURNS TABLE (account text, key text, version bigint, value text) LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog AS $$
DECLARE
    key_column text := (SELECT o.key_column FROM live.own_table o WHERE o.kind = its_kind);
    target     text := CASE WHEN key_column IS NULL THEN 'live.row' ELSE format('live.%I', its_kind) END;
    of_kind    text := CASE WHEN key_column IS NULL THEN ' AND b.kind = $2' ELSE '' END;
    input      text := 'SELECT * FROM jsonb_to_recordset($3) AS x(account text, key text, version bigint, value text)';
    -- what people deleted later stays deleted
    newer      text := 'NOT EXISTS (SELECT FROM live.gone g WHERE g.kind = $2 AND g.account = r.account AND g.key = r.key AND g.version > r.version)';
    columns    text;
BEGIN
    PERFORM set_config('tandem.by_switch', 'yes', true);
    EXECUTE format('DELETE FROM %s b USING (%s) r WHERE r.value IS NULL AND b.account = r.account AND b.%I = r.key '
                   'AND b.version <= r.version%s', target, input, coalesce(key_column, 'key'), of_kind)
        USING its_node, its_kind, rows;
    IF key_column IS NULL THEN
        EXECUTE format('INSERT INTO live.row AS b (kind, account, key, node, version, value) '
                       'SELECT $2, r.account, r.key, $1, r.version, r.value FROM (%s) r WHERE r.value IS NOT NULL AND %s '
                       'ON CONFLICT (kind, account, key) DO UPDATE SET node = excluded.node, version = excluded.version, '
                       'value = excluded.value WHERE b.version <= excluded.version', input, newer)
            USING its_node, its_kind, rows;
    ELSE
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO columns FROM pg_attribute a
            WHERE a.attrelid = target::regclass AND a.attnum > 0 AND NOT a.attisdropped
            AND a.attname NOT IN ('account', key_column, 'node', 'version');
        EXECUTE format('INSERT INTO %1$s AS b (account, %2$I, node, version, %3$s) '
                       'SELECT r.account, r.key, $1, r.version, %4$s FROM (%5$s) r, '
                       'jsonb_populate_record(NULL::%1$s, r.value::jsonb) p WHERE r.value IS NOT NULL AND %6$s '
                       'ON CONFLICT (account, %2$I) DO UPDATE SET (node, version, %3$s) = ROW (excluded.node, excluded.version, %7$s) '
                       'WHERE b.version <= excluded.version',
                       target, key_column, columns, 'p.' || replace(columns, ', ', ', p.'), input, newer,
                       'excluded.' || replace(columns, ', ', ', excluded.'))
            USING its_node, its_kind, rows;
    END IF;
    DELETE FROM live.gone g USING jsonb_to_recordset(rows) AS r(account text, key text, version bigint)
        WHERE g.kind = its_kind AND g.account = r.account AND g.key = r.key AND g.version <= r.version;
    RETURN QUERY SELECT t.* FROM live.read_these(its_node, its_kind,
            (SELECT coalesce(jsonb_agg(jsonb_build_array(r.account, r.key)), '[]') FROM jsonb_to_recordset(rows) AS r(account text, key text))) t
        JOIN jsonb_to_recordset(rows) AS r(account text, key text, version bigint) ON r.account = t.account AND r.key = t.key
        WHERE t.version > r.version;
END $$;
COMMENT ON FUNCTION live.write_rows(integer, text, jsonb) IS
    'For the switch: writes live rows unless the database has later ones, which it returns.';

CREATE FUNCTION tandem.set_live(kind text, account text, value text, key text DEFAULT '')
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM config.account a WHERE a.name = set_live.account) THEN
        RAISE EXCEPTION 'there is no account "%"', account
            USING ERRCODE = 'no_data_found', HINT = 'SELECT name FROM tandem.v_account lists them.';
    ELSIF EXISTS (SELECT FROM live.own_table o WHERE o.kind = set_live.kind) THEN
        RAISE EXCEPTION 'rows of the kind "%" are in a table of their own', kind
            USING ERRCODE = 'invalid_parameter_value', HINT = format('INSERT INTO, UPDATE or DELETE FROM live.%I.', kind);
    END IF;
    IF value IS NULL THEN
        DELETE FROM live.row r WHERE r.kind = set_live.kind AND r.account = set_live.account AND r.key = set_live.key;
        RETURN format('%s of account %s removed', kind, account);
    END IF;
    INSERT INTO live.row AS r (kind, account, key, value) VALUES (set_live.kind, set_live.account, set_live.key, set_live.value)
        ON CONFLICT ON CONSTRAINT row_pkey DO UPDATE SET value = excluded.value;
    RETURN format('%s of account %s is %s', kind, account, value);
END $$;
COMMENT ON FUNCTION tandem.set_live(text, text, text, text) IS
    'Changes a live fact of an account; value NULL removes it. In force at once, and not undone by what the switch wrote before.';

CREATE FUNCTION live.forget_account() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    DELETE FROM live.row r WHERE r.account = OLD.name;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION live.forget_account() IS 'Trigger: a removed account leaves no live facts to whoever gets its name.';
CREATE TRIGGER forget_live AFTER DELETE ON config.account FOR EACH ROW EXECUTE FUNCTION live.forget_account();

CREATE VIEW tandem.v_live AS
    SELECT r.account, r.kind, r.key, r.value, to_timestamp(r.version / 1e6) AS changed_at, r.node
    FROM live.row r
    ORDER BY r.account, r.kind, r.key;
COMMENT ON VIEW tandem.v_live IS 'Live facts of accounts, beside registrations (v_registration).';
COMMENT ON COLUMN tandem.v_live.account IS 'The account.';
COMMENT ON COLUMN tandem.v_live.kind IS 'What kind of fact.';
COMMENT ON COLUMN tandem.v_live.key IS 'Which one, where there may be several.';
COMMENT ON COLUMN tandem.v_live.value IS 'The fact.';
COMMENT ON COLUMN tandem.v_live.changed_at IS 'When it was changed.';
COMMENT ON COLUMN tandem.v_live.node IS 'The switch that wrote it; 0: a person.';

REVOKE ALL ON live.row, live.gone, live.own_table, tandem.v_live FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA live FROM PUBLIC;
REVOKE ALL ON FUNCTION tandem.set_live(text, text, text, text) FROM PUBLIC;
