-- Records by the month: each of the three tables is cut into partitions, made ahead and dropped as wholes when they are too
-- old, by live.tend_records(), which the switch runs once a day and `tandem db migrate` at its end. A row of a month that
-- has no partition goes to the partition "other", so none is ever refused for that.

-- Views on these tables are made again at the end as they were: which ones there are depends on what was applied before.
CREATE TEMPORARY TABLE kept_view ON COMMIT DROP AS
    WITH RECURSIVE above (oid, depth) AS (
        SELECT r.ev_class, 1 FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
            WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid IN ('record.call'::regclass, 'record.leg'::regclass, 'record.event'::regclass)
        UNION
        SELECT r.ev_class, a.depth + 1 FROM above a JOIN pg_depend d ON d.refobjid = a.oid AND d.classid = 'pg_rewrite'::regclass
            JOIN pg_rewrite r ON r.oid = d.objid WHERE r.ev_class <> a.oid
    )
    SELECT c.oid, max(a.depth) AS depth, format('%I.%I', c.relnamespace::regnamespace, c.relname) AS name, pg_get_viewdef(c.oid) AS definition,
           obj_description(c.oid, 'pg_class') AS words,
           (SELECT jsonb_object_agg(t.attname, col_description(c.oid, t.attnum)) FROM pg_attribute t
            WHERE t.attrelid = c.oid AND t.attnum > 0 AND col_description(c.oid, t.attnum) IS NOT NULL) AS column_words
    FROM above a JOIN pg_class c ON c.oid = a.oid GROUP BY c.oid;

CREATE TEMPORARY TABLE kept_right ON COMMIT DROP AS
    SELECT format('%I.%I', c.relnamespace::regnamespace, c.relname) AS name, a.privilege_type AS privilege, a.grantee::regrole::text AS grantee
    FROM pg_class c, aclexplode(c.relacl) a
    WHERE a.grantee NOT IN (0, c.relowner) AND (c.oid IN (SELECT v.oid FROM kept_view v)
          OR c.oid IN ('record.call'::regclass, 'record.leg'::regclass, 'record.event'::regclass));

DO $$
DECLARE
    v record;
BEGIN
    FOR v IN SELECT * FROM kept_view ORDER BY depth DESC LOOP
        EXECUTE 'DROP VIEW ' || v.name;
    END LOOP;
END $$;

ALTER TABLE record.call ADD COLUMN cause_code integer, ADD COLUMN dialplan text;
COMMENT ON COLUMN record.call.cause_code IS 'Why it ended, as a number of ITU-T Q.850 (16: ended normally, 17: busy …); NULL: there is none for it.';
COMMENT ON COLUMN record.call.dialplan IS 'Beginning of the SHA-256 of the dialplan that was in force: tells calls of before and after a change apart.';
ALTER TABLE record.leg ADD COLUMN cause_code integer;
COMMENT ON COLUMN record.leg.cause_code IS 'Why it ended, as a number of ITU-T Q.850; NULL: there is none for it.';

-- The month of a time, UTC, and the name of its partition.
CREATE FUNCTION live.month_of(at timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT date_trunc('month', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
$$;
COMMENT ON FUNCTION live.month_of(timestamptz) IS 'When the month of a time began (UTC).';

-- Makes the partition of a month, with what had to go to "other" meanwhile. false: it is there.
CREATE FUNCTION live.make_month(table_name text, time_column text, month timestamptz) RETURNS boolean LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
DECLARE
    its_name text := format('%s_%s', table_name, to_char(month AT TIME ZONE 'UTC', 'YYYY_MM'));
    until    timestamptz := (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass(format('record.%I', its_name)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE record.%I (LIKE record.%I INCLUDING DEFAULTS INCLUDING COMMENTS)', its_name, table_name);
    EXECUTE format('COMMENT ON TABLE record.%I IS %L', its_name,
                   format('Partition of record.%s: %s.', table_name, to_char(month AT TIME ZONE 'UTC', 'FMMonth YYYY')));
    EXECUTE format('WITH moved AS (DELETE FROM record.%1$I WHERE %2$I >= %3$L AND %2$I < %4$L RETURNING *) INSERT INTO record.%5$I SELECT * FROM moved',
                   table_name || '_other', time_column, month, until, its_name);
    EXECUTE format('ALTER TABLE record.%I ATTACH PARTITION record.%I FOR VALUES FROM (%L) TO (%L)', table_name, its_name, month, until);
    RETURN true;
END $$;
COMMENT ON FUNCTION live.make_month(text, text, timestamptz) IS 'Makes the partition of a month for a table of schema record.';

-- The tables as they are, cut up. Rows of months long past or far off (a clock that was wrong) stay in "other".
CREATE FUNCTION pg_temp.cut_up(table_name text, time_column text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    words text := obj_description(format('record.%I', table_name)::regclass, 'pg_class');
    month timestamptz;
BEGIN
    EXECUTE format('ALTER TABLE record.%I RENAME TO %I', table_name, 'old_' || table_name);
    EXECUTE format('CREATE TABLE record.%1$I (LIKE record.%2$I INCLUDING DEFAULTS INCLUDING COMMENTS) PARTITION BY RANGE (%3$I)',
                   table_name, 'old_' || table_name, time_column);
    EXECUTE format('COMMENT ON TABLE record.%I IS %L', table_name, words);
    EXECUTE format('CREATE TABLE record.%I (LIKE record.%I INCLUDING DEFAULTS INCLUDING COMMENTS)', table_name || '_other', table_name);
    EXECUTE format('COMMENT ON TABLE record.%I IS %L', table_name || '_other',
                   format('Partition of record.%s: rows of months that have none of their own.', table_name));
    EXECUTE format('ALTER TABLE record.%I ATTACH PARTITION record.%I DEFAULT', table_name, table_name || '_other');
    FOR month IN EXECUTE format('SELECT DISTINCT live.month_of(%1$I) FROM record.%2$I WHERE %1$I BETWEEN now() - interval ''20 years'' AND now() + interval ''1 year''',
                                time_column, 'old_' || table_name) LOOP
        PERFORM live.make_month(table_name, time_column, month);
    END LOOP;
    EXECUTE format('INSERT INTO record.%I SELECT * FROM record.%I', table_name, 'old_' || table_name);
    EXECUTE format('DROP TABLE record.%I', 'old_' || table_name);
    EXECUTE format('ALTER TABLE record.%1$I ADD CONSTRAINT %2$I PRIMARY KEY (id, %3$I)', table_name, table_name || '_pkey', time_column);
END $$;
SELECT pg_temp.cut_up('call', 'started_at'), pg_temp.cut_up('leg', 'started_at'), pg_temp.cut_up('event', 'at');
CREATE INDEX call_started_at ON record.call (started_at);
CREATE INDEX call_open ON record.call (node) WHERE ended_at IS NULL;
CREATE INDEX leg_call_id ON record.leg (call_id);
CREATE INDEX leg_started_at ON record.leg (started_at);
CREATE INDEX event_call_id ON record.event (call_id);
CREATE INDEX event_at ON record.event (at);

DO $$
DECLARE
    v record;
    c record;
BEGIN
    FOR v IN SELECT * FROM kept_view ORDER BY depth LOOP
        EXECUTE format('CREATE VIEW %s AS %s', v.name, v.definition);
        EXECUTE format('COMMENT ON VIEW %s IS %L', v.name, v.words);
        FOR c IN SELECT key, value FROM jsonb_each_text(v.column_words) LOOP
            EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', v.name, c.key, c.value);
        END LOOP;
    END LOOP;
    FOR v IN SELECT * FROM kept_right LOOP
        EXECUTE format('GRANT %s ON %s TO %s', v.privilege, v.name, v.grantee);
    END LOOP;
END $$;

-- retention ---------------------------------------------------------------------------------------------------------

CREATE FUNCTION config.check_retention() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.value !~ '^[0-9]{1,5}$' THEN
        RAISE EXCEPTION 'the setting "retention_days" needs a number of days from 0 to 99999, not "%"', left(NEW.value, 60)
            USING ERRCODE = 'check_violation', HINT = 'Records of calls that are older are deleted; 0 keeps them for ever.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_retention() IS 'Trigger: refuses a retention that is no number of days.';
CREATE TRIGGER check_retention BEFORE INSERT OR UPDATE ON config.setting
    FOR EACH ROW WHEN (NEW.key = 'retention_days') EXECUTE FUNCTION config.check_retention();

-- As the owner: the switch may write records, not make or drop tables. Waits for nobody: what is locked is tended to the
-- next time. One at a time, also when several switches have this database.
CREATE FUNCTION live.tend_records() RETURNS text LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog SET lock_timeout = '5s' AS $$
DECLARE
    keep    integer := coalesce((SELECT s.value::integer FROM config.setting s WHERE s.key = 'retention_days'), 0);
    too_old timestamptz := now() - make_interval(days => keep);
    made    integer := 0;
    dropped integer := 0;
    deleted bigint := 0;
    touched bigint;
    part    record;
    t       record;
BEGIN
    IF NOT pg_try_advisory_xact_lock(5494417, 2) THEN
        RETURN 'somebody is at it';
    END IF;
    IF to_regclass('config.known_setting') IS NOT NULL THEN -- made by a later migration
        INSERT INTO config.known_setting (key, default_value, meaning) VALUES ('retention_days', '0',
            'Days after which records of calls are deleted; 0: they are kept for ever.') ON CONFLICT DO NOTHING;
    END IF;
    FOR t IN SELECT * FROM (VALUES ('call', 'started_at'), ('leg', 'started_at'), ('event', 'at')) x(name, time_column) LOOP
        FOR ahead IN 0 .. 2 LOOP
            IF live.make_month(t.name, t.time_column, live.month_of(live.month_of(now()) + make_interval(days => 32 * ahead))) THEN
                made := made + 1;
            END IF;
        END LOOP;
        -- columns that a later migration has added are explained in the partitions that were there, too
        FOR part IN SELECT c.relname, a.attname, col_description(i.inhparent, p.attnum) AS words
                    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                    JOIN pg_attribute p ON p.attrelid = i.inhparent AND p.attnum > 0 AND NOT p.attisdropped
                    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = p.attname
                    WHERE i.inhparent = format('record.%I', t.name)::regclass AND col_description(i.inhparent, p.attnum) IS NOT NULL
                      AND col_description(c.oid, a.attnum) IS NULL LOOP
            EXECUTE format('COMMENT ON COLUMN record.%I.%I IS %L', part.relname, part.attname, part.words);
        END LOOP;
        CONTINUE WHEN keep = 0;
        FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                    WHERE i.inhparent = format('record.%I', t.name)::regclass AND c.relname ~ '_[0-9]{4}_[0-9]{2}$' LOOP
            -- the month after it began before what is to be kept
            IF to_date(right(part.relname, 7), 'YYYY_MM') + interval '1 month' <= too_old AT TIME ZONE 'UTC' THEN
                EXECUTE format('DROP TABLE record.%I', part.relname);
                dropped := dropped + 1;
            END IF;
        END LOOP;
        EXECUTE format('DELETE FROM record.%I WHERE %I < $1', t.name, t.time_column) USING too_old;
        GET DIAGNOSTICS touched = ROW_COUNT;
        deleted := deleted + touched;
    END LOOP;
    DELETE FROM live.gone g WHERE g.version < (extract(epoch FROM now() - interval '30 days') * 1000000)::bigint;
    RETURN format('%s partitions made, %s dropped, %s rows deleted', made, dropped, deleted);
END $$;
COMMENT ON FUNCTION live.tend_records() IS
    'Makes the partitions of record.call, record.leg and record.event for the months to come, and deletes what the setting retention_days does not keep. The switch runs it once a day.';

-- export ------------------------------------------------------------------------------------------------------------

-- One row a conversation with plain columns, for spreadsheets and billing: \copy (SELECT * FROM v_call_export …) TO 'calls.csv' CSV HEADER
CREATE VIEW tandem.v_call_export AS
    SELECT c.id, c.started_at, c.ended_at, c.from_account, c.from_number, c.from_name, c.dialled, c.answered_by, c.answered,
           round(c.setup_ms / 1000.0, 3) AS setup_seconds, round(c.ring_ms / 1000.0, 3) AS ring_seconds,
           round(c.talk_ms / 1000.0, 3) AS talk_seconds, c.cause, c.cause_code, c.cause_text, c.ended_by, c.sip_status,
           c.context, c.dialplan, l.codec, l.rx_packets, l.tx_packets, l.lost_packets, round(l.jitter_us / 1000.0, 1) AS jitter_ms,
           c.node, c.sip_call_id
    FROM record.call c
    LEFT JOIN LATERAL (SELECT * FROM record.leg l WHERE l.call_id = c.id AND l.inbound ORDER BY l.started_at LIMIT 1) l ON true
    ORDER BY c.started_at, c.id;
COMMENT ON VIEW tandem.v_call_export IS 'Calls, the oldest first, with plain columns for spreadsheets and billing; `tandem calls export` writes it as CSV.';
COMMENT ON COLUMN tandem.v_call_export.id IS 'The call''s id.';
COMMENT ON COLUMN tandem.v_call_export.started_at IS 'When the INVITE came.';
COMMENT ON COLUMN tandem.v_call_export.ended_at IS 'When the last leg was gone; empty while it runs.';
COMMENT ON COLUMN tandem.v_call_export.from_account IS 'Calling account; empty when the caller is not one of ours.';
COMMENT ON COLUMN tandem.v_call_export.from_number IS 'Number of the caller.';
COMMENT ON COLUMN tandem.v_call_export.from_name IS 'Display name of the caller.';
COMMENT ON COLUMN tandem.v_call_export.dialled IS 'What was dialled.';
COMMENT ON COLUMN tandem.v_call_export.answered_by IS 'Account or number that answered.';
COMMENT ON COLUMN tandem.v_call_export.answered IS 'Whether somebody (or something) answered.';
COMMENT ON COLUMN tandem.v_call_export.setup_seconds IS 'INVITE to first ringing.';
COMMENT ON COLUMN tandem.v_call_export.ring_seconds IS 'First ringing to answer or end.';
COMMENT ON COLUMN tandem.v_call_export.talk_seconds IS 'Answer to end; empty when not known.';
COMMENT ON COLUMN tandem.v_call_export.cause IS 'Why it ended, as an id.';
COMMENT ON COLUMN tandem.v_call_export.cause_code IS 'Why it ended, as a number of ITU-T Q.850.';
COMMENT ON COLUMN tandem.v_call_export.cause_text IS 'Why it ended, in words.';
COMMENT ON COLUMN tandem.v_call_export.ended_by IS 'caller, callee, switch, operator or script.';
COMMENT ON COLUMN tandem.v_call_export.sip_status IS 'Final SIP status towards the caller.';
COMMENT ON COLUMN tandem.v_call_export.context IS 'Where it entered the dialplan.';
COMMENT ON COLUMN tandem.v_call_export.dialplan IS 'Beginning of the SHA-256 of the dialplan that was in force.';
COMMENT ON COLUMN tandem.v_call_export.codec IS 'Audio codec of the caller at the end.';
COMMENT ON COLUMN tandem.v_call_export.rx_packets IS 'RTP packets from the caller.';
COMMENT ON COLUMN tandem.v_call_export.tx_packets IS 'RTP packets to the caller.';
COMMENT ON COLUMN tandem.v_call_export.lost_packets IS 'RTP packets from the caller that never came.';
COMMENT ON COLUMN tandem.v_call_export.jitter_ms IS 'Interarrival jitter of the caller''s audio (RFC 3550).';
COMMENT ON COLUMN tandem.v_call_export.node IS 'The switch that handled it.';
COMMENT ON COLUMN tandem.v_call_export.sip_call_id IS 'Call-ID of the caller''s leg.';

REVOKE ALL ON tandem.v_call_export FROM PUBLIC;
REVOKE ALL ON FUNCTION live.month_of(timestamptz), live.make_month(text, text, timestamptz), live.tend_records(), config.check_retention() FROM PUBLIC;
SELECT live.tend_records();
