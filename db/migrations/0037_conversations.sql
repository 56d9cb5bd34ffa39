-- One conversation is one row for people: which calls belong together, and who talked to whom, in which order, by whose doing.

ALTER TABLE record.call ADD COLUMN conversation_id uuid;
COMMENT ON COLUMN record.call.conversation_id IS
    'The first call of the conversation that it became part of (a consultation before a transfer, a picked-up or fetched call …); NULL: it is the first one itself.';
CREATE INDEX call_conversation_id ON record.call (conversation_id) WHERE conversation_id IS NOT NULL;

CREATE TABLE record.talk (
    id              uuid NOT NULL,
    conversation_id uuid NOT NULL,
    call_id         uuid NOT NULL,
    node            integer NOT NULL,
    started_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    leg_a           uuid,
    leg_b           uuid,
    party_a         text,
    party_b         text,
    how             text,
    by_whom         text,
    talk_ms         bigint,
    PRIMARY KEY (id, started_at)
) PARTITION BY RANGE (started_at);
COMMENT ON TABLE record.talk IS
    'Who talked to whom: one row for two parties, or for one in a conference, written when they have ended, or after ten seconds. Read with tandem.v_talk.';
COMMENT ON COLUMN record.talk.id IS 'The talk''s id: UUIDv7, so ordered by time.';
COMMENT ON COLUMN record.talk.conversation_id IS 'The first call of its conversation: a row of tandem.v_call.';
COMMENT ON COLUMN record.talk.call_id IS 'The call in which it was.';
COMMENT ON COLUMN record.talk.node IS 'The switch that wrote it.';
COMMENT ON COLUMN record.talk.started_at IS 'When the two were connected.';
COMMENT ON COLUMN record.talk.ended_at IS 'When they were parted; NULL while they talk.';
COMMENT ON COLUMN record.talk.leg_a IS 'Leg of the first party.';
COMMENT ON COLUMN record.talk.leg_b IS 'Leg of the second party; NULL: a conference.';
COMMENT ON COLUMN record.talk.party_a IS 'First party, account or number: who called, or was handed over.';
COMMENT ON COLUMN record.talk.party_b IS 'Second party, account or number; or name of the conference.';
COMMENT ON COLUMN record.talk.how IS
    'How it came about: dialled, transfer, attended transfer, recall, another phone, forward, pickup, park, conference …';
COMMENT ON COLUMN record.talk.by_whom IS 'By whose doing: who transferred, forwarded, parked …, or from whom it was picked up; NULL: of the two themselves.';
COMMENT ON COLUMN record.talk.talk_ms IS 'How long, in ms; NULL when not known.';
CREATE INDEX talk_conversation_id ON record.talk (conversation_id);
CREATE INDEX talk_call_id ON record.talk (call_id);
CREATE INDEX talk_started_at ON record.talk (started_at);
CREATE INDEX talk_open ON record.talk (node) WHERE ended_at IS NULL;
CREATE TABLE record.talk_other (LIKE record.talk INCLUDING DEFAULTS INCLUDING COMMENTS);
COMMENT ON TABLE record.talk_other IS 'Partition of record.talk: rows of months that have none of their own.';
ALTER TABLE record.talk ATTACH PARTITION record.talk_other DEFAULT;

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
    FOR t IN SELECT * FROM (VALUES ('call', 'started_at'), ('leg', 'started_at'), ('event', 'at'), ('talk', 'started_at')) x(name, time_column) LOOP
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
COMMENT ON FUNCTION live.tend_records() IS
    'Makes the partitions of record.call, record.leg, record.event and record.talk for the months to come, and deletes what the setting retention_days does not keep. The switch runs it once a day.';

-- what people read --------------------------------------------------------------------------------------------------

CREATE FUNCTION tandem.calls_of(id uuid) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH first AS (SELECT coalesce((SELECT c.conversation_id FROM record.call c WHERE c.id = calls_of.id LIMIT 1), calls_of.id) AS id)
    SELECT f.id FROM first f
    UNION ALL
    SELECT c.id FROM record.call c, first f WHERE c.conversation_id = f.id
$$;
COMMENT ON FUNCTION tandem.calls_of(uuid) IS
    'All calls of the conversation that this call is part of, the first one first: SELECT * FROM v_leg WHERE call_id IN (SELECT calls_of(…)).';

-- m: the calls that became part of it. What was let go for another call says nothing of the conversation's end.
CREATE OR REPLACE VIEW tandem.v_call AS
    SELECT c.started_at,
           coalesce(c.from_account, c.from_number, 'unknown')
               || CASE WHEN c.from_name <> '' THEN ' (' || c.from_name || ')' ELSE '' END AS caller,
           c.dialled,
           coalesce(c.answered_by, CASE WHEN c.ended_at IS NOT NULL THEN m.answered_by END) AS answered_by,
           CASE WHEN c.ended_at IS NULL OR m.running THEN 'running'
                WHEN c.cause = 'switch-stopped' OR m.cut_off THEN 'cut off'
                WHEN c.answered OR m.answered THEN 'answered'
                ELSE 'not answered' END AS result,
           make_interval(secs => round(c.ring_ms / 1000.0)::double precision) AS rang,
           CASE WHEN m.calls = 0 THEN make_interval(secs => round(c.talk_ms / 1000.0)::double precision)
                WHEN c.ended_at IS NOT NULL AND NOT m.running
                    THEN date_trunc('second', interval '0.5 second' + (greatest(c.ended_at, m.ended_at)
                         - least(CASE WHEN c.answered THEN c.started_at + make_interval(secs => ((coalesce(c.setup_ms, 0) + coalesce(c.ring_ms, 0)) / 1000.0)::double precision) END,
                                 m.answered_at))) END AS talked,
           CASE WHEN m.last AND (c.cause IN ('transferred', 'picked-up') OR m.ended_at > c.ended_at) THEN m.why
                ELSE coalesce(c.cause_text, c.cause) END AS why,
           CASE WHEN m.last AND (c.cause IN ('transferred', 'picked-up') OR m.ended_at > c.ended_at) THEN m.ended_by
                ELSE c.ended_by END AS ended_by,
           c.sip_status,
           CASE WHEN c.ended_at IS NOT NULL AND m.running IS NOT TRUE THEN greatest(c.ended_at, m.ended_at) END AS ended_at,
           c.id,
           c.node,
           coalesce((SELECT string_agg(w.words, '' ORDER BY w.n)
                     FROM (SELECT row_number() OVER in_order AS n,
                                  CASE WHEN lag(t.id) OVER in_order IS NULL THEN '' ELSE ', then ' END
                                  || CASE WHEN lag(t.party_a) OVER in_order = t.party_a THEN '' ELSE t.party_a || ' → ' END
                                  || CASE WHEN t.leg_b IS NULL THEN 'conference ' ELSE '' END || t.party_b
                                  || CASE WHEN t.how IN ('dialled', 'conference') THEN ''
                                          WHEN t.by_whom IS NULL THEN ' (' || t.how || ')'
                                          ELSE ' (by ' || t.how || CASE t.how WHEN 'pickup' THEN ' from ' ELSE ' of ' END || t.by_whom || ')' END AS words
                           FROM record.talk t WHERE t.conversation_id = c.id
                           WINDOW in_order AS (ORDER BY t.started_at, t.id)) w),
                    CASE WHEN c.answered_by IS NOT NULL
                         THEN coalesce(c.from_account, c.from_number, 'unknown') || ' → ' || c.answered_by END) AS who_talked
    FROM record.call c,
         LATERAL (SELECT count(*) AS calls, bool_or(j.ended_at IS NULL) AS running, bool_or(j.cause = 'switch-stopped') AS cut_off,
                         bool_or(j.answered) AS answered, max(j.ended_at) AS ended_at,
                         bool_or(j.cause NOT IN ('transferred', 'picked-up')) AS last,
                         (array_agg(j.answered_by ORDER BY j.started_at) FILTER (WHERE j.answered_by IS NOT NULL))[1] AS answered_by,
                         min(j.started_at + make_interval(secs => ((coalesce(j.setup_ms, 0) + coalesce(j.ring_ms, 0)) / 1000.0)::double precision))
                             FILTER (WHERE j.answered) AS answered_at,
                         (array_agg(coalesce(j.cause_text, j.cause) ORDER BY j.ended_at DESC) FILTER (WHERE j.cause NOT IN ('transferred', 'picked-up')))[1] AS why,
                         (array_agg(j.ended_by ORDER BY j.ended_at DESC) FILTER (WHERE j.cause NOT IN ('transferred', 'picked-up')))[1] AS ended_by
                  FROM record.call j WHERE j.conversation_id = c.id) m
    WHERE c.conversation_id IS NULL
    ORDER BY c.started_at DESC, c.id DESC;
COMMENT ON VIEW tandem.v_call IS
    'Conversations, the newest first: one row each, from the first INVITE to the last BYE, however often somebody was handed over. calls_of(id) are its calls.';
COMMENT ON COLUMN tandem.v_call.answered_by IS 'Account or number that answered first.';
COMMENT ON COLUMN tandem.v_call.talked IS 'From the first answer to the end.';
COMMENT ON COLUMN tandem.v_call.who_talked IS
    'Who talked to whom, in order, and how that came about: 201 → 202, then 203 (by transfer of 202). v_talk has the times.';

CREATE VIEW tandem.v_talk AS
    SELECT t.started_at,
           row_number() OVER (PARTITION BY t.conversation_id ORDER BY t.started_at, t.id) AS number,
           t.party_a,
           t.party_b,
           t.how,
           t.by_whom,
           make_interval(secs => round(t.talk_ms / 1000.0)::double precision) AS talked,
           t.ended_at,
           t.leg_b IS NULL AS conference,
           t.conversation_id, t.call_id, t.leg_a, t.leg_b, t.id, t.node
    FROM record.talk t
    ORDER BY t.started_at DESC, t.id DESC;
COMMENT ON VIEW tandem.v_talk IS 'Who talked to whom, the newest first; for one conversation: WHERE conversation_id = …, ORDER BY number.';
COMMENT ON COLUMN tandem.v_talk.started_at IS 'When the two were connected.';
COMMENT ON COLUMN tandem.v_talk.number IS 'Which one of the conversation it was.';
COMMENT ON COLUMN tandem.v_talk.party_a IS 'First party, account or number: who called, or was handed over.';
COMMENT ON COLUMN tandem.v_talk.party_b IS 'Second party, account or number; or name of the conference.';
COMMENT ON COLUMN tandem.v_talk.how IS 'How it came about: dialled, transfer, attended transfer, recall, another phone, forward, pickup, park, conference …';
COMMENT ON COLUMN tandem.v_talk.by_whom IS 'By whose doing: who transferred, forwarded, parked …, or from whom it was picked up; empty: of the two themselves.';
COMMENT ON COLUMN tandem.v_talk.talked IS 'How long; empty while they talk, and when the switch stopped meanwhile.';
COMMENT ON COLUMN tandem.v_talk.ended_at IS 'When they were parted; empty while they talk.';
COMMENT ON COLUMN tandem.v_talk.conference IS 'Whether the second party is a conference.';
COMMENT ON COLUMN tandem.v_talk.conversation_id IS 'The conversation: id of v_call.';
COMMENT ON COLUMN tandem.v_talk.call_id IS 'The call in which it was.';
COMMENT ON COLUMN tandem.v_talk.leg_a IS 'Leg of the first party: v_leg knows it.';
COMMENT ON COLUMN tandem.v_talk.leg_b IS 'Leg of the second party; empty: a conference.';
COMMENT ON COLUMN tandem.v_talk.id IS 'Its id.';
COMMENT ON COLUMN tandem.v_talk.node IS 'The switch that wrote it.';

-- Two more columns behind those that the view has by now.
DO $$
DECLARE
    before text := current_setting('search_path');
BEGIN
    PERFORM set_config('search_path', 'pg_catalog', true); -- tables are named with their schema then, on every server
    EXECUTE 'CREATE OR REPLACE VIEW tandem.v_call_export AS '
            || regexp_replace(pg_get_viewdef('tandem.v_call_export'::regclass), '\sFROM \(*record\.call c\y',
                              ', coalesce(c.conversation_id, c.id) AS conversation_id, (SELECT count(*) FROM record.talk t WHERE t.call_id = c.id) AS talks \&');
    PERFORM set_config('search_path', before, true);
END $$;
COMMENT ON VIEW tandem.v_call_export IS
    'Calls, the oldest first, with plain columns for spreadsheets and billing; `tandem calls export` writes it as CSV. Those of one conversation have the same conversation_id.';
COMMENT ON COLUMN tandem.v_call_export.conversation_id IS 'The first call of its conversation; its own id where it is that.';
COMMENT ON COLUMN tandem.v_call_export.talks IS 'How many talks between two parties there were in it.';

REVOKE ALL ON record.talk, record.talk_other, tandem.v_talk FROM PUBLIC;
REVOKE ALL ON FUNCTION tandem.calls_of(uuid) FROM PUBLIC;
SELECT live.tend_records();
