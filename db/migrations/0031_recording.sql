-- Recordings: one row a file that has the sound of a call. Written when it begins and completed when it has ended.

CREATE TABLE record.recording (
    id          uuid NOT NULL,
    call_id     uuid NOT NULL,
    leg_id      uuid,
    node        integer NOT NULL,
    started_at  timestamptz NOT NULL,
    path        text NOT NULL,
    kind        text NOT NULL,
    channels    integer NOT NULL,
    ms          bigint,
    bytes       bigint,
    left_out_ms bigint,
    ended_why   text,
    PRIMARY KEY (id, started_at)
);
COMMENT ON TABLE record.recording IS 'One row a recording of a call. Read with tandem.v_recording.';
COMMENT ON COLUMN record.recording.id IS 'The recording''s id (UUIDv7).';
COMMENT ON COLUMN record.recording.call_id IS 'The call it began in.';
COMMENT ON COLUMN record.recording.leg_id IS 'The leg whose audio it has: what this party said, and what it was told.';
COMMENT ON COLUMN record.recording.node IS 'The switch that wrote it.';
COMMENT ON COLUMN record.recording.started_at IS 'When it began.';
COMMENT ON COLUMN record.recording.path IS 'The file on that switch; PATH.part while it is written.';
COMMENT ON COLUMN record.recording.kind IS 'leg: what the party said; both: and what it was told, mixed; stereo: the same, left and right.';
COMMENT ON COLUMN record.recording.channels IS '1 or 2.';
COMMENT ON COLUMN record.recording.ms IS 'Length of the sound in ms, pauses left out; NULL while it goes on.';
COMMENT ON COLUMN record.recording.bytes IS 'Size of the file.';
COMMENT ON COLUMN record.recording.left_out_ms IS 'Sound that is missing because the disk was too slow, in ms.';
COMMENT ON COLUMN record.recording.ended_why IS 'stopped, hangup, max, silence, terminator, disk-full, error, media-lost or switch-stopped; NULL while it goes on.';
CREATE INDEX recording_call_id ON record.recording (call_id);
CREATE INDEX recording_started_at ON record.recording (started_at);
CREATE INDEX recording_open ON record.recording (node, path) WHERE ended_why IS NULL;

CREATE VIEW tandem.v_recording AS
    SELECT r.started_at,
           coalesce(c.from_account, c.from_number, 'unknown') AS caller,
           c.dialled,
           c.answered_by,
           coalesce(l.account, l.number) AS party,
           r.kind,
           CASE WHEN r.ended_why IS NOT NULL THEN make_interval(secs => round(r.ms / 1000.0)::double precision) END AS length,
           r.bytes,
           coalesce(r.ended_why, 'running') AS why,
           round(r.left_out_ms / 1000.0, 1) AS left_out_seconds,
           r.path,
           r.call_id, r.leg_id, r.id, r.node
    FROM record.recording r
    LEFT JOIN record.call c ON c.id = r.call_id
    LEFT JOIN record.leg l ON l.id = r.leg_id
    ORDER BY r.started_at DESC, r.id DESC;
COMMENT ON VIEW tandem.v_recording IS 'Recordings of calls, the newest first, and where their files are.';
COMMENT ON COLUMN tandem.v_recording.started_at IS 'When it began.';
COMMENT ON COLUMN tandem.v_recording.caller IS 'Who called.';
COMMENT ON COLUMN tandem.v_recording.dialled IS 'What was dialled.';
COMMENT ON COLUMN tandem.v_recording.answered_by IS 'Who answered.';
COMMENT ON COLUMN tandem.v_recording.party IS 'Whose side of the call was recorded; of a call that still runs it is not known yet.';
COMMENT ON COLUMN tandem.v_recording.kind IS 'leg: what the party said; both: both sides mixed; stereo: left the party, right what it was told.';
COMMENT ON COLUMN tandem.v_recording.length IS 'Length of the sound; empty while it goes on.';
COMMENT ON COLUMN tandem.v_recording.bytes IS 'Size of the file.';
COMMENT ON COLUMN tandem.v_recording.why IS 'running, or why it ended: stopped, hangup, max, silence, terminator, disk-full, error, media-lost, switch-stopped.';
COMMENT ON COLUMN tandem.v_recording.left_out_seconds IS 'Sound that is missing because the disk was too slow.';
COMMENT ON COLUMN tandem.v_recording.path IS 'The file on the switch that wrote it.';
COMMENT ON COLUMN tandem.v_recording.call_id IS 'The call: v_call and `tandem call ID` know it.';
COMMENT ON COLUMN tandem.v_recording.leg_id IS 'The leg: v_leg knows it.';
COMMENT ON COLUMN tandem.v_recording.id IS 'Its id.';
COMMENT ON COLUMN tandem.v_recording.node IS 'The switch that wrote it.';
REVOKE ALL ON record.recording, tandem.v_recording FROM PUBLIC;

-- As the owner: the switch may write records, not make or drop tables. Waits for nobody: what is locked is tended to the
-- next time. One at a time, also when several switches have this database.
CREATE OR REPLACE FUNCTION live.tend_records() RETURNS text LANGUAGE plpgsql SECURITY DEFINER
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
    IF keep > 0 THEN -- rows are few, the files are somebody else's to remove
        DELETE FROM record.recording r WHERE r.started_at < too_old;
        GET DIAGNOSTICS touched = ROW_COUNT;
        deleted := deleted + touched;
    END IF;
    DELETE FROM live.gone g WHERE g.version < (extract(epoch FROM now() - interval '30 days') * 1000000)::bigint;
    RETURN format('%s partitions made, %s dropped, %s rows deleted', made, dropped, deleted);
END $$;
