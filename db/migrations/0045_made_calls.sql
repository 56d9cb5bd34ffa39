-- Calls that the switch makes by itself, or for another call; and who was left alone at the end.

ALTER TABLE record.call ADD COLUMN made_by text, ADD COLUMN at_last text;
COMMENT ON COLUMN record.call.made_by IS
    'Who had the switch make the call: wake-up, call-back, the command line, the dialplan, SQL; another call: it rings a number for that one (ring group, follow-me) and is a part of it; NULL: somebody dialled.';
COMMENT ON COLUMN record.call.at_last IS
    'What became of the caller when he was left alone at the end: parked in slot 4 by 202, and gave up; NULL: he was not.';

-- m: the calls that became part of it, but for those that ring a number for another one: of these the calling one tells. What
-- was let go for another call says nothing of the conversation's end.
CREATE OR REPLACE VIEW tandem.v_call AS
    SELECT c.started_at,
           coalesce(c.from_account, c.from_number, 'unknown')
               || CASE WHEN c.from_name <> '' THEN ' (' || c.from_name || ')' ELSE '' END
               || coalesce(', called by the switch (' || c.made_by || ')', '') AS caller,
           c.dialled,
           coalesce(c.answered_by, CASE WHEN c.ended_at IS NOT NULL THEN m.answered_by END,
                    CASE WHEN c.made_by IS NOT NULL AND c.answered THEN c.from_account END) AS answered_by,
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
           CASE WHEN coalesce(c.at_last, m.at_last) IS NULL THEN k.talks
                ELSE coalesce(k.talks, c.from_account, c.from_number, 'unknown') || ', then ' || coalesce(c.at_last, m.at_last)
                     END AS who_talked,
           c.made_by
    FROM record.call c,
         LATERAL (SELECT count(*) AS calls, bool_or(j.ended_at IS NULL) AS running, bool_or(j.cause = 'switch-stopped') AS cut_off,
                         bool_or(j.answered) AS answered, max(j.ended_at) AS ended_at,
                         bool_or(j.cause NOT IN ('transferred', 'picked-up')) AS last,
                         (array_agg(j.answered_by ORDER BY j.started_at) FILTER (WHERE j.answered_by IS NOT NULL))[1] AS answered_by,
                         min(j.started_at + make_interval(secs => ((coalesce(j.setup_ms, 0) + coalesce(j.ring_ms, 0)) / 1000.0)::double precision))
                             FILTER (WHERE j.answered) AS answered_at,
                         (array_agg(j.at_last ORDER BY j.ended_at DESC) FILTER (WHERE j.at_last IS NOT NULL))[1] AS at_last,
                         (array_agg(coalesce(j.cause_text, j.cause) ORDER BY j.ended_at DESC) FILTER (WHERE j.cause NOT IN ('transferred', 'picked-up')))[1] AS why,
                         (array_agg(j.ended_by ORDER BY j.ended_at DESC) FILTER (WHERE j.cause NOT IN ('transferred', 'picked-up')))[1] AS ended_by
                  FROM record.call j WHERE j.conversation_id = c.id AND j.made_by IS DISTINCT FROM 'another call') m,
         LATERAL (SELECT coalesce((SELECT string_agg(w.words, '' ORDER BY w.n)
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
                         THEN coalesce(c.from_account, c.from_number, 'unknown') || ' → ' || c.answered_by
                         WHEN c.made_by IS NOT NULL AND c.answered THEN 'the switch → ' || c.from_account END) AS talks) k
    WHERE c.conversation_id IS NULL
    ORDER BY c.started_at DESC, c.id DESC;
COMMENT ON COLUMN tandem.v_call.caller IS
    'Account or number that called, with its name; or for whom the switch has called, beginning with its phones.';
COMMENT ON COLUMN tandem.v_call.who_talked IS
    'Who talked to whom, in order, and how that came about: 201 → 202, then 203 (by transfer of 202); and what became of who was left alone at the end. v_talk has the times.';
COMMENT ON COLUMN tandem.v_call.made_by IS
    'Who had the switch make the call: wake-up, call-back, the command line, the dialplan, SQL; empty: somebody dialled.';

-- One more column behind those that the view has by now.
DO $$
DECLARE
    before text := current_setting('search_path');
BEGIN
    PERFORM set_config('search_path', 'pg_catalog', true); -- tables are named with their schema then, on every server
    EXECUTE 'CREATE OR REPLACE VIEW tandem.v_call_export AS '
            || regexp_replace(pg_get_viewdef('tandem.v_call_export'::regclass), '\sFROM \(*record\.call c\y', ', c.made_by \&');
    PERFORM set_config('search_path', before, true);
END $$;
COMMENT ON COLUMN tandem.v_call_export.made_by IS
    'Who had the switch make the call; another call: it rings a number for the one whose conversation it is part of; empty: somebody dialled.';

SELECT live.tend_records(); -- explains the columns in the partitions
