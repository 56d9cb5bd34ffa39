-- What was changed in the configuration, by whom and when, and the way back. One transaction is one generation; every
-- table that config.watch_table() watches is remembered, those of modules too.

ALTER TABLE config.generation
    ADD COLUMN transaction  bigint,
    ADD COLUMN history_from bigint NOT NULL DEFAULT 0;
UPDATE config.generation SET history_from = number;
COMMENT ON COLUMN config.generation.transaction IS 'Transaction that made this generation: its further statements belong to the same one.';
COMMENT ON COLUMN config.generation.history_from IS 'config.history is complete for every generation above this one.';

CREATE TABLE config.history (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    generation    bigint      NOT NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    db_user       text        NOT NULL DEFAULT session_user,
    application   text        NOT NULL DEFAULT '',
    note          text        NOT NULL DEFAULT '',
    table_name    text        NOT NULL,
    key           text        NOT NULL,
    action        text        NOT NULL CONSTRAINT history_action_is_known CHECK (action IN ('add', 'change', 'remove')),
    secret_before jsonb,
    secret_after  jsonb
);
CREATE INDEX history_generation ON config.history (generation);
CREATE INDEX history_key ON config.history (table_name, key, id);
COMMENT ON TABLE config.history IS
    'Every row of the configuration that was added, changed or removed. Read with tandem.v_history; go back with tandem.rollback_config().';
COMMENT ON COLUMN config.history.id IS 'Order of the changes.';
COMMENT ON COLUMN config.history.generation IS 'The generation that the change made.';
COMMENT ON COLUMN config.history.at IS 'When.';
COMMENT ON COLUMN config.history.db_user IS 'Database user who made it.';
COMMENT ON COLUMN config.history.application IS 'With which program; the command line says here who sat before it.';
COMMENT ON COLUMN config.history.note IS 'Why, where that is known: the file that was applied, or what was undone.';
COMMENT ON COLUMN config.history.table_name IS 'Table in schema config, without the schema.';
COMMENT ON COLUMN config.history.key IS 'Key of the row.';
COMMENT ON COLUMN config.history.action IS 'add, change or remove.';
COMMENT ON COLUMN config.history.secret_before IS 'The row before, with its secrets as they were stored, so that it can come back; NULL: it was added.';
COMMENT ON COLUMN config.history.secret_after IS 'The row after, likewise; NULL: it was removed.';

CREATE TABLE config.pending (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    generation  bigint      NOT NULL,
    confirm_by  timestamptz NOT NULL,
    db_user     text        NOT NULL DEFAULT session_user,
    application text        NOT NULL DEFAULT current_setting('application_name'),
    note        text        NOT NULL DEFAULT ''
);
COMMENT ON TABLE config.pending IS
    'A generation that goes back by itself unless it is confirmed; at most one row. Written by tandem.confirm_within().';
COMMENT ON COLUMN config.pending.only_row IS 'Keeps the table at one row.';
COMMENT ON COLUMN config.pending.generation IS 'The generation that waits for its confirmation.';
COMMENT ON COLUMN config.pending.confirm_by IS 'When it goes back.';
COMMENT ON COLUMN config.pending.db_user IS 'Database user who made it.';
COMMENT ON COLUMN config.pending.application IS 'With which program.';
COMMENT ON COLUMN config.pending.note IS 'The file that was applied, if it was one.';

-- recording ---------------------------------------------------------------------------------------------------------

-- The number of this transaction's generation: the first change makes it, and its row lock puts commits in order.
CREATE FUNCTION config.this_generation() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    waiting config.pending;
    answer  bigint;
BEGIN
    SELECT g.number INTO answer FROM config.generation g WHERE g.transaction = txid_current() AND g.changed_at = now();
    IF FOUND THEN
        RETURN answer;
    END IF;
    UPDATE config.generation SET number = number + 1, changed_at = now(), transaction = txid_current() RETURNING number INTO answer;
    SELECT * INTO waiting FROM config.pending; -- behind the lock: nobody adds one now
    IF waiting.confirm_by <= clock_timestamp() THEN
        RAISE EXCEPTION 'generation % was not confirmed in time and is about to go back: nothing can be changed before', waiting.generation
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'The switch does it when it runs; SELECT revert_config() does it now (tandem config revert).';
    ELSIF FOUND THEN
        RAISE EXCEPTION 'generation % waits until % for its confirmation: nothing else can be changed meanwhile', waiting.generation,
            to_char(waiting.confirm_by, 'HH24:MI:SS')
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('%s made it%s. SELECT confirm_config() keeps it (tandem config confirm), SELECT revert_config() undoes it now (tandem config revert).',
                                waiting.db_user, CASE WHEN waiting.application <> '' THEN ' with ' || waiting.application ELSE '' END);
    END IF;
    RETURN answer;
END $$;
COMMENT ON FUNCTION config.this_generation() IS 'The generation that this transaction makes; refuses while another one waits for its confirmation.';

CREATE FUNCTION config.remember(its_generation bigint, its_table text, its_key text, before jsonb, after jsonb) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    INSERT INTO config.history (generation, application, note, table_name, key, action, secret_before, secret_after)
    SELECT its_generation, current_setting('application_name'), coalesce(current_setting('tandem.note', true), ''), its_table, its_key,
           CASE WHEN before IS NULL THEN 'add' WHEN after IS NULL THEN 'remove' ELSE 'change' END, before, after
    WHERE before - 'updated_at' - 'updated_by' IS DISTINCT FROM after - 'updated_at' - 'updated_by'
$$;
COMMENT ON FUNCTION config.remember(bigint, text, text, jsonb, jsonb) IS 'Writes one row of config.history, if anything is different.';

CREATE OR REPLACE FUNCTION config.note_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog AS $$
DECLARE
    key_column text := TG_ARGV[0];
    source     text;
    touched    text[];
    generation_now bigint;
BEGIN
    source := CASE TG_OP
        WHEN 'INSERT' THEN 'SELECT n.%1$I::text AS key, NULL::jsonb AS before, to_jsonb(n) AS after FROM new_rows n'
        WHEN 'DELETE' THEN 'SELECT o.%1$I::text AS key, to_jsonb(o) AS before, NULL::jsonb AS after FROM old_rows o'
        WHEN 'UPDATE' THEN 'SELECT coalesce(n.%1$I, o.%1$I)::text AS key, to_jsonb(o) AS before, to_jsonb(n) AS after
                            FROM old_rows o FULL JOIN new_rows n ON n.%1$I = o.%1$I
                            WHERE to_jsonb(o) - ''updated_at'' - ''updated_by'' IS DISTINCT FROM to_jsonb(n) - ''updated_at'' - ''updated_by'''
        WHEN 'TRUNCATE' THEN 'SELECT t.%1$I::text AS key, to_jsonb(t) AS before, NULL::jsonb AS after FROM config.%2$I t'
    END;
    source := format(source, key_column, TG_TABLE_NAME);
    EXECUTE 'SELECT coalesce(array_agg(key), ''{}'') FROM (SELECT key FROM (' || source || ') s LIMIT 1001) t' INTO touched;
    IF cardinality(touched) = 0 THEN
        RETURN NULL;
    END IF;
    generation_now := config.this_generation();
    EXECUTE 'SELECT config.remember($1, $2, key, before, after) FROM (' || source || ') s' USING generation_now, TG_TABLE_NAME::text;
    IF cardinality(touched) > 1000 THEN -- the journal starts anew, and the switch reads all
        UPDATE config.generation SET journal_from = number;
        DELETE FROM config.change;
        PERFORM pg_notify('tandem_config', TG_TABLE_NAME || ' *');
        RETURN NULL;
    END IF;
    INSERT INTO config.change (generation, table_name, key)
        SELECT generation_now, TG_TABLE_NAME, k FROM unnest(touched) k ON CONFLICT DO NOTHING;
    DELETE FROM config.change WHERE generation <= generation_now - 1000;
    UPDATE config.generation SET journal_from = number - 1000 WHERE journal_from < number - 1000;
    PERFORM pg_notify('tandem_config', TG_TABLE_NAME || ' ' || left(k, 200)) FROM unnest(touched) k;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION config.note_change() IS
    'Trigger: makes the transaction''s generation, journals touched keys, remembers the rows, notifies channel tandem_config.';

CREATE OR REPLACE FUNCTION config.watch_table(table_name text, key_column text) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER stamp_row BEFORE INSERT OR UPDATE ON config.%I FOR EACH ROW EXECUTE FUNCTION config.stamp_row()', table_name);
    EXECUTE format('CREATE TRIGGER note_insert AFTER INSERT ON config.%I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION config.note_change(%L)', table_name, key_column);
    EXECUTE format('CREATE TRIGGER note_update AFTER UPDATE ON config.%I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION config.note_change(%L)', table_name, key_column);
    EXECUTE format('CREATE TRIGGER note_delete AFTER DELETE ON config.%I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION config.note_change(%L)', table_name, key_column);
    EXECUTE format('CREATE TRIGGER note_truncate BEFORE TRUNCATE ON config.%I FOR EACH STATEMENT EXECUTE FUNCTION config.note_change(%L)', table_name, key_column);
END $$;
COMMENT ON FUNCTION config.watch_table(text, text) IS
    'Adds the triggers that every table of schema config has: who wrote a row, the generation, the journal, the history.';

-- The tables that are there: TRUNCATE is remembered before it happens.
CREATE FUNCTION config.key_column(table_name text) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT split_part(encode(g.tgargs, 'escape'), '\000', 1) FROM pg_trigger g
    WHERE g.tgrelid = to_regclass(format('config.%I', table_name)) AND g.tgname = 'note_insert'
$$;
COMMENT ON FUNCTION config.key_column(text) IS 'The key of a watched table in schema config; NULL: it is not watched.';

CREATE FUNCTION config.watched_tables() RETURNS TABLE (table_name text, depth integer) LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    WITH RECURSIVE watched AS (
        SELECT c.oid, c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'config' AND config.key_column(c.relname) IS NOT NULL
    ), deep (oid, name, depth) AS (
        SELECT w.oid, w.name, 0 FROM watched w
        UNION
        SELECT w.oid, w.name, d.depth + 1 FROM deep d
        JOIN pg_constraint f ON f.contype = 'f' AND f.confrelid = d.oid AND f.conrelid <> d.oid
        JOIN watched w ON w.oid = f.conrelid
        WHERE d.depth < 20
    )
    SELECT name, max(depth) FROM deep GROUP BY name
$$;
COMMENT ON FUNCTION config.watched_tables() IS 'Tables of the configuration; a table is deeper than those that its rows refer to.';

DO $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT w.table_name, config.key_column(w.table_name) AS key_column FROM config.watched_tables() w LOOP
        EXECUTE format('DROP TRIGGER note_truncate ON config.%I', t.table_name);
        EXECUTE format('CREATE TRIGGER note_truncate BEFORE TRUNCATE ON config.%I FOR EACH STATEMENT EXECUTE FUNCTION config.note_change(%L)', t.table_name, t.key_column);
    END LOOP;
END $$;

-- reading -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION tandem.mask_row(row_then jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT jsonb_object_agg(f.key, CASE WHEN config.is_secret_column(f.key) AND f.value <> 'null' THEN '"(secret)"' ELSE f.value END)
    FROM jsonb_each(row_then) f
$$;
COMMENT ON FUNCTION tandem.mask_row(jsonb) IS 'A row of the history as people may see it.';

CREATE FUNCTION tandem.say_changes(before jsonb, after jsonb) RETURNS text LANGUAGE sql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT string_agg(what, ', ' ORDER BY place) FROM (
        SELECT min(f.place) AS place,
               CASE WHEN config.is_secret_column(f.key) THEN 'secret' || CASE WHEN before IS NULL THEN '' ELSE ' changed' END
                    WHEN before IS NULL THEN f.key || ' ' || (after ->> f.key)
                    ELSE format('%s %s → %s', f.key, coalesce(nullif(before ->> f.key, ''), '(nothing)'), coalesce(nullif(after ->> f.key, ''), '(nothing)'))
               END AS what
        FROM jsonb_object_keys(coalesce(after, before)) WITH ORDINALITY f (key, place)
        WHERE before -> f.key IS DISTINCT FROM after -> f.key AND f.key NOT IN ('name', 'key', 'realm', 'updated_at', 'updated_by')
          AND (before IS NOT NULL OR coalesce(after ->> f.key, '') <> '')
        GROUP BY what
    ) w
    WHERE after IS NOT NULL
$$;
COMMENT ON FUNCTION tandem.say_changes(jsonb, jsonb) IS 'What is different between two versions of a row, in words and without secrets.';

CREATE VIEW tandem.v_history AS
    SELECT h.generation, h.at, h.db_user, h.application, h.action, h.table_name, h.key,
           tandem.say_changes(h.secret_before, h.secret_after) AS changes, h.note,
           tandem.mask_row(h.secret_before) AS before, tandem.mask_row(h.secret_after) AS after, h.id
    FROM config.history h
    ORDER BY h.id DESC;
COMMENT ON VIEW tandem.v_history IS 'What was changed in the configuration, the newest first.';
COMMENT ON COLUMN tandem.v_history.generation IS 'The generation that the change made.';
COMMENT ON COLUMN tandem.v_history.at IS 'When.';
COMMENT ON COLUMN tandem.v_history.db_user IS 'Database user who made it.';
COMMENT ON COLUMN tandem.v_history.application IS 'With which program; the command line says here who sat before it.';
COMMENT ON COLUMN tandem.v_history.action IS 'add, change or remove.';
COMMENT ON COLUMN tandem.v_history.table_name IS 'Table in schema config.';
COMMENT ON COLUMN tandem.v_history.key IS 'Key of the row.';
COMMENT ON COLUMN tandem.v_history.changes IS 'What is different, in words.';
COMMENT ON COLUMN tandem.v_history.note IS 'Why, where that is known: the file that was applied, or what was undone.';
COMMENT ON COLUMN tandem.v_history.before IS 'The row before, without its secrets; empty: it was added.';
COMMENT ON COLUMN tandem.v_history.after IS 'The row after, likewise; empty: it was removed.';
COMMENT ON COLUMN tandem.v_history.id IS 'Order of the changes.';

CREATE FUNCTION config.need_history(since bigint) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    g config.generation;
BEGIN
    SELECT * INTO g FROM config.generation;
    IF since IS NULL OR since > g.number THEN
        RAISE EXCEPTION 'there is no generation %', coalesce(since::text, '?')
            USING ERRCODE = 'invalid_parameter_value', HINT = format('The configuration is at generation %s.', g.number);
    ELSIF since < g.history_from THEN
        RAISE EXCEPTION 'what generation % was is not known any more', since
            USING ERRCODE = 'invalid_parameter_value', HINT = format('The history begins with generation %s.', g.history_from);
    END IF;
END $$;
COMMENT ON FUNCTION config.need_history(bigint) IS 'Raises an error with words when the history does not know this generation.';

-- Runs with the rights of its owner, for the secrets that it compares; what it shows is masked.
CREATE FUNCTION tandem.config_diff(from_generation bigint, to_generation bigint DEFAULT NULL)
    RETURNS TABLE (action text, table_name text, key text, changes text, before jsonb, after jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    until bigint := coalesce(to_generation, (SELECT g.number FROM config.generation g));
BEGIN
    PERFORM config.need_history(from_generation);
    PERFORM config.need_history(until);
    IF from_generation > until THEN
        RAISE EXCEPTION 'generation % is newer than generation %: the older one comes first', from_generation, until
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
        SELECT CASE WHEN f.secret_before IS NULL THEN 'add' WHEN l.secret_after IS NULL THEN 'remove' ELSE 'change' END,
               f.table_name, f.key, tandem.say_changes(f.secret_before, l.secret_after), tandem.mask_row(f.secret_before), tandem.mask_row(l.secret_after)
        FROM (SELECT DISTINCT ON (h.table_name, h.key) h.table_name, h.key, h.secret_before FROM config.history h
              WHERE h.generation > from_generation AND h.generation <= until ORDER BY h.table_name, h.key, h.id) f
        JOIN (SELECT DISTINCT ON (h.table_name, h.key) h.table_name, h.key, h.secret_after FROM config.history h
              WHERE h.generation > from_generation AND h.generation <= until ORDER BY h.table_name, h.key, h.id DESC) l
            ON l.table_name = f.table_name AND l.key = f.key
        WHERE f.secret_before - 'updated_at' - 'updated_by' IS DISTINCT FROM l.secret_after - 'updated_at' - 'updated_by'
        ORDER BY f.table_name, f.key;
END $$;
COMMENT ON FUNCTION tandem.config_diff(bigint, bigint) IS
    'What is different between two generations; without the second: between that one and now.';

-- going back --------------------------------------------------------------------------------------------------------

-- Brings every row that was touched after the generation to what it was. Rows that refer to others go first and come last.
CREATE FUNCTION config.undo_after(target bigint, why text) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog AS $$
DECLARE
    t       record;
    shape   record;
    columns text[];
    touched integer;
    total   integer := 0;
BEGIN
    PERFORM config.need_history(target);
    PERFORM set_config('tandem.note', why, true);
    FOR t IN SELECT w.table_name, config.key_column(w.table_name) AS key_column FROM config.watched_tables() w ORDER BY w.depth DESC LOOP
        EXECUTE format('DELETE FROM config.%1$I t USING (SELECT DISTINCT ON (h.key) h.key, h.secret_before FROM config.history h
                            WHERE h.table_name = %1$L AND h.generation > $1 ORDER BY h.key, h.id) g
                        WHERE t.%2$I::text = g.key AND g.secret_before IS NULL', t.table_name, t.key_column) USING target;
        GET DIAGNOSTICS touched = ROW_COUNT;
        total := total + touched;
    END LOOP;
    FOR t IN SELECT w.table_name, config.key_column(w.table_name) AS key_column FROM config.watched_tables() w ORDER BY w.depth LOOP
        -- a migration may have added columns since: rows of the same shape come back together, with what they had
        FOR shape IN
            SELECT s.names, jsonb_agg(s.secret_before) AS rows FROM (
                SELECT g.secret_before, (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(g.secret_before) k) AS names
                FROM (SELECT DISTINCT ON (h.key) h.key, h.secret_before FROM config.history h
                      WHERE h.table_name = t.table_name AND h.generation > target ORDER BY h.key, h.id) g
                WHERE g.secret_before IS NOT NULL) s
            GROUP BY s.names
        LOOP
            SELECT array_agg(quote_ident(a.attname)) INTO columns FROM pg_attribute a
                WHERE a.attrelid = format('config.%I', t.table_name)::regclass AND a.attnum > 0 AND NOT a.attisdropped
                  AND a.attgenerated = '' AND a.attname = ANY (shape.names) AND a.attname NOT IN ('updated_at', 'updated_by');
            EXECUTE format('UPDATE config.%1$I t SET %3$s FROM jsonb_populate_recordset(NULL::config.%1$I, $1) r
                            WHERE t.%2$I = r.%2$I AND (%4$s) IS DISTINCT FROM (%5$s)', t.table_name, t.key_column,
                           (SELECT string_agg(format('%1$s = r.%1$s', c), ', ') FROM unnest(columns) c),
                           (SELECT string_agg('t.' || c, ', ') FROM unnest(columns) c), (SELECT string_agg('r.' || c, ', ') FROM unnest(columns) c))
                USING shape.rows;
            GET DIAGNOSTICS touched = ROW_COUNT;
            total := total + touched;
            EXECUTE format('INSERT INTO config.%1$I (%3$s) SELECT %4$s FROM jsonb_populate_recordset(NULL::config.%1$I, $1) r
                            WHERE NOT EXISTS (SELECT FROM config.%1$I t WHERE t.%2$I = r.%2$I)', t.table_name, t.key_column,
                           array_to_string(columns, ', '), (SELECT string_agg('r.' || c, ', ') FROM unnest(columns) c))
                USING shape.rows;
            GET DIAGNOSTICS touched = ROW_COUNT;
            total := total + touched;
        END LOOP;
    END LOOP;
    PERFORM set_config('tandem.note', '', true);
    RETURN total;
END $$;
COMMENT ON FUNCTION config.undo_after(bigint, text) IS 'Brings every row touched after a generation to what it was then; how many it changed.';

CREATE FUNCTION tandem.rollback_config(generation bigint) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    before_it bigint := (SELECT g.number FROM config.generation g);
    touched   integer := config.undo_after(generation, format('back to generation %s', generation));
BEGIN
    IF touched = 0 THEN
        RETURN format('the configuration is as it was in generation %s: nothing to undo', generation);
    END IF;
    RETURN format('%s row%s as in generation %s again; rollback_config(%s) undoes that', touched, CASE touched WHEN 1 THEN ' is' ELSE 's are' END,
                  generation, before_it);
END $$;
COMMENT ON FUNCTION tandem.rollback_config(bigint) IS 'Undoes everything after a generation, as a new generation.';

CREATE FUNCTION tandem.confirm_within(how_long interval) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    until timestamptz := clock_timestamp() + how_long;
    mine  bigint := (SELECT g.number FROM config.generation g WHERE g.transaction = txid_current() AND g.changed_at = now());
BEGIN
    IF how_long IS NULL OR how_long NOT BETWEEN interval '5 seconds' AND interval '1 day' THEN
        RAISE EXCEPTION 'a change can wait for its confirmation for 5 seconds to one day, not for %', coalesce(how_long::text, 'nothing')
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF mine IS NULL THEN
        RAISE EXCEPTION 'this transaction has changed nothing that could be confirmed'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'BEGIN; change something; SELECT confirm_within(''5 minutes''); COMMIT; try it; SELECT confirm_config();';
    END IF;
    INSERT INTO config.pending (generation, confirm_by, note) VALUES (mine, until, coalesce(current_setting('tandem.note', true), ''));
    PERFORM pg_notify('tandem_config', 'pending');
    RETURN format('generation %s goes back at %s unless it is confirmed', mine, to_char(until, 'HH24:MI:SS'));
END $$;
COMMENT ON FUNCTION tandem.confirm_within(interval) IS
    'Before COMMIT: what this transaction has changed goes back by itself unless confirm_config() is called within that time.';

CREATE FUNCTION tandem.confirm_config() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    kept bigint;
BEGIN
    DELETE FROM config.pending p WHERE p.confirm_by > clock_timestamp() RETURNING p.generation INTO kept;
    IF kept IS NULL THEN
        RAISE EXCEPTION 'no change waits for its confirmation'
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'One that was not confirmed in time has gone back: see tandem.v_history.';
    END IF;
    RETURN format('generation %s stays', kept);
END $$;
COMMENT ON FUNCTION tandem.confirm_config() IS 'Keeps the change that waits for its confirmation.';

CREATE FUNCTION config.revert(overdue_only boolean, why text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    gone config.pending;
BEGIN
    IF overdue_only THEN -- a switch must not wait for whoever has a transaction open: it comes again
        IF NOT EXISTS (SELECT FROM config.pending p WHERE p.confirm_by <= clock_timestamp()) THEN
            RETURN NULL;
        END IF;
        PERFORM FROM config.generation FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    ELSE
        PERFORM FROM config.generation FOR UPDATE;
    END IF;
    DELETE FROM config.pending p WHERE NOT overdue_only OR p.confirm_by <= clock_timestamp() RETURNING * INTO gone;
    IF gone.generation IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM config.undo_after(gone.generation - 1, format(why, gone.generation));
    RETURN format('generation %s was undone: the configuration is as in generation %s again', gone.generation, gone.generation - 1);
END $$;
COMMENT ON FUNCTION config.revert(boolean, text) IS 'Undoes the change that waits for its confirmation; words, or NULL when there was none.';

CREATE FUNCTION tandem.revert_config() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    words text := config.revert(false, 'undoes generation %s');
BEGIN
    IF words IS NULL THEN
        RAISE EXCEPTION 'no change waits for its confirmation'
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'SELECT rollback_config(N) goes back to generation N.';
    END IF;
    RETURN words;
END $$;
COMMENT ON FUNCTION tandem.revert_config() IS 'Undoes the change that waits for its confirmation, without waiting longer.';

-- The switch calls this when the time has come, and before it reads anything when it starts.
CREATE FUNCTION live.revert_overdue() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT config.revert(true, 'undoes generation %s: it was not confirmed in time')
$$;
COMMENT ON FUNCTION live.revert_overdue() IS 'Undoes a change that was not confirmed in time; words, or NULL when there is none. The switch calls it.';

CREATE FUNCTION tandem.forget_history(older_than interval) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    last_gone bigint := (SELECT max(h.generation) FROM config.history h WHERE h.at < now() - older_than);
    rows_gone integer;
BEGIN
    DELETE FROM config.history h WHERE h.generation <= last_gone;
    GET DIAGNOSTICS rows_gone = ROW_COUNT;
    UPDATE config.generation SET history_from = last_gone WHERE history_from < last_gone;
    RETURN format('%s row%s forgotten', rows_gone, CASE rows_gone WHEN 1 THEN '' ELSE 's' END);
END $$;
COMMENT ON FUNCTION tandem.forget_history(interval) IS
    'Forgets changes that are older, with the old secrets that are in them; what was before them cannot be gone back to.';

CREATE OR REPLACE VIEW tandem.config_status AS
    SELECT s.node,
           CASE WHEN s.node IS NULL THEN 'no switch has used this database yet'
                WHEN a.pid IS NULL THEN 'not connected'
                WHEN s.seen_at < now() - interval '2 minutes' THEN 'silent'
                WHEN s.rejected_generation IS NOT NULL THEN 'rejected'
                WHEN s.generation <> g.number THEN 'not yet'
                ELSE 'in force' END AS state,
           g.number AS saved, s.generation AS in_force, s.rejected_generation AS rejected, s.rejected_row,
           s.rejected_reason AS reason, g.changed_at AS saved_at, s.connected_at, s.seen_at, s.version, p.confirm_by
    FROM config.generation g
    LEFT JOIN live.switch s ON true
    LEFT JOIN pg_stat_activity a ON a.pid = s.backend AND a.datname = current_database()
    LEFT JOIN config.pending p ON true
    ORDER BY s.node;
COMMENT ON COLUMN tandem.config_status.confirm_by IS 'When what is saved goes back by itself unless it is confirmed; empty: it stays.';

-- MAC addresses -----------------------------------------------------------------------------------------------------

-- They are compared at the end of a statement, not row by row: going back may move one from a device to another.
ALTER TABLE config.device DROP CONSTRAINT device_mac_is_its_own,
    ADD CONSTRAINT device_mac_is_its_own UNIQUE (mac) DEFERRABLE INITIALLY DEFERRED;
CREATE OR REPLACE FUNCTION config.check_device() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    problem text;
    advice  text;
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
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'device',
            HINT = coalesce(advice, '\d+ config.device in psql says what each column takes.');
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION config.one_device_a_mac() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    twice record;
BEGIN
    SELECT n.name, n.mac, d.name AS other INTO twice FROM new_rows n JOIN config.device d ON d.mac = n.mac AND d.name <> n.name LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'device "%" cannot have the MAC address %: it is that of device "%"', twice.name, twice.mac, twice.other
            USING ERRCODE = 'unique_violation',
                  HINT = format('One phone is one device. SELECT remove_device(%L) removes the other one.', twice.other);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION config.one_device_a_mac() IS 'Trigger: no two devices have the same MAC address.';
CREATE TRIGGER one_device_a_mac_added AFTER INSERT ON config.device REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION config.one_device_a_mac();
CREATE TRIGGER one_device_a_mac_changed AFTER UPDATE ON config.device REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION config.one_device_a_mac();
