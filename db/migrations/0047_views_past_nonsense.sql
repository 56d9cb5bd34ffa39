-- Conditions of whoever asks ("WHERE slot = 5", "until > now()") are cheaper than the look at whether a row makes sense, and
-- were tried first: one row of nonsense, and nobody could ask. OFFSET 0 keeps them outside. Of who is parked no row was
-- looked at.

CREATE OR REPLACE VIEW tandem.v_speed_dial AS
    SELECT nullif(r.account, '') AS account, r.key::integer AS slot, r.value AS number, to_timestamp(r.version / 1e6) AS changed_at
    FROM live.row r WHERE r.kind = 'speed_dial' AND tandem.live_needs(r.kind, r.key, r.value) IS NULL ORDER BY r.account, r.key::integer OFFSET 0;

CREATE OR REPLACE VIEW tandem.v_wakeup AS
    SELECT r.account, r.value::jsonb ->> 'at' AS at, r.key = 'daily' AS daily, coalesce((r.value::jsonb ->> 'tries')::integer, 0) AS tries,
           to_timestamp(nullif((r.value::jsonb ->> 'retry')::bigint, 0)) AS retry_at, to_timestamp(r.version / 1e6) AS changed_at
    FROM live.row r WHERE r.kind = 'wakeup' AND tandem.live_needs(r.kind, r.key, r.value) IS NULL ORDER BY r.account, r.key OFFSET 0;

CREATE OR REPLACE VIEW tandem.v_call_back AS
    SELECT r.account, r.key AS "to", to_timestamp((r.value::jsonb ->> 'since')::bigint) AS since,
           to_timestamp((r.value::jsonb ->> 'until')::bigint) AS until
    FROM live.row r WHERE r.kind = 'call_back' AND tandem.live_needs(r.kind, r.key, r.value) IS NULL ORDER BY r.account, r.key OFFSET 0;

CREATE OR REPLACE VIEW tandem.v_parked AS
    SELECT (r.value::jsonb ->> 'slot')::integer AS slot, r.value::jsonb ->> 'context' AS context, r.value::jsonb ->> 'number' AS number,
           nullif(r.value::jsonb ->> 'name', '') AS name, nullif(r.account, '') AS parked_by,
           to_timestamp((r.value::jsonb ->> 'since')::bigint) AS since,
           date_trunc('second', now() - to_timestamp((r.value::jsonb ->> 'since')::bigint)) AS waits,
           (r.value::jsonb ->> 'recall')::boolean AS recalling, (r.value::jsonb ->> 'call')::uuid AS call_id, r.node
    FROM live.row r WHERE r.kind = 'parked' AND tandem.live_needs(r.kind, r.key, r.value) IS NULL ORDER BY 2, 1 OFFSET 0;
