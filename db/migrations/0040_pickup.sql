-- Pickup and parking: whose ringing phones an account may answer, and who waits in which slot.

CREATE FUNCTION config.pickup_group_ok(pickup_group text) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT octet_length(pickup_group) <= 400
           AND pickup_group ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}( *, *[A-Za-z0-9][A-Za-z0-9._-]{0,62})*$'
$$;
COMMENT ON FUNCTION config.pickup_group_ok(text) IS 'Is it a list of names of pickup groups, with commas between?';

ALTER TABLE config.account
    ADD COLUMN pickup_group text CONSTRAINT account_pickup_group_is_a_list CHECK (config.pickup_group_ok(pickup_group));
COMMENT ON COLUMN config.account.pickup_group IS
    'Pickup groups, with commas between: its phones and those of accounts that share one may take each other''s calls while they ring. NULL: in none; then whoever is in none either, and in the same context, may (setting pickup).';

CREATE FUNCTION config.check_account_pickup() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NOT config.pickup_group_ok(NEW.pickup_group) THEN
        RAISE EXCEPTION 'account "%" cannot be in the pickup groups "%"', NEW.name, left(NEW.pickup_group, 60)
            USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'account',
                  HINT = 'Names of letters, digits, dots, dashes and underscores, with commas between: sales, support. NULL: in none.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_account_pickup() IS 'Trigger: refuses what is no list of pickup groups, in words.';
CREATE TRIGGER check_row_pickup BEFORE INSERT OR UPDATE OF pickup_group ON config.account
    FOR EACH ROW WHEN (NEW.pickup_group IS NOT NULL) EXECUTE FUNCTION config.check_account_pickup();

INSERT INTO config.known_setting (key, default_value, meaning, pattern, least, most, needs) VALUES
    ('pickup', 'context', 'Who may take calls that ring at accounts without a pickup group: context: accounts without one in the same context; off: nobody.',
     '^(context|off)$', NULL, NULL, 'context or off'),
    ('park_slots', '99', 'Slots in which calls can be parked, in each context: 1 to this number.',
     '^[0-9]{1,3}$', 1, 999, 'a number from 1 to 999'),
    ('park_timeout', '120', 'Seconds after which whoever parked a call is called back; 0: never.',
     '^[0-9]{1,6}$', 0, 604800, 'seconds from 0 to 604800'),
    ('park_ring', '30', 'Seconds for which the phones of whoever parked a call ring when he is called back.',
     '^[0-9]{1,3}$', 5, 600, 'seconds from 5 to 600'),
    ('park_return', '', 'Number to which a parked call goes when whoever parked it does not answer; empty: it is parked again.',
     '^[^[:cntrl:]]{0,63}$', NULL, NULL, 'a number as it is dialled, or nothing');

-- Whatever else other migrations have added to it.
DO $$
DECLARE
    before text := current_setting('search_path');
BEGIN
    PERFORM set_config('search_path', 'pg_catalog', true); -- tables are named with their schema then, on every server
    EXECUTE 'CREATE OR REPLACE VIEW tandem.v_account AS '
            || replace(pg_get_viewdef('tandem.v_account'::regclass), 'FROM config.account a', ', a.pickup_group FROM config.account a');
    PERFORM set_config('search_path', before, true);
END $$;
COMMENT ON COLUMN tandem.v_account.pickup_group IS 'Its pickup groups, with commas between; empty: none.';

CREATE VIEW tandem.v_parked AS
    SELECT (p.v ->> 'slot')::integer AS slot, p.v ->> 'context' AS context, p.v ->> 'number' AS number,
           nullif(p.v ->> 'name', '') AS name, nullif(p.account, '') AS parked_by,
           to_timestamp((p.v ->> 'since')::bigint) AS since,
           date_trunc('second', now() - to_timestamp((p.v ->> 'since')::bigint)) AS waits,
           (p.v ->> 'recall')::boolean AS recalling, (p.v ->> 'call')::uuid AS call_id, p.node
    FROM (SELECT r.account, r.node, r.value::jsonb AS v FROM live.row r WHERE r.kind = 'parked') p
    ORDER BY 2, 1;
COMMENT ON VIEW tandem.v_parked IS 'Who is parked at this moment, in which slot. Deleting rows fetches nobody: it is the switch that knows.';
COMMENT ON COLUMN tandem.v_parked.slot IS 'Number of the slot; *7 and this number fetches who waits there.';
COMMENT ON COLUMN tandem.v_parked.context IS 'Slots are of a context: whose accounts can fetch the call.';
COMMENT ON COLUMN tandem.v_parked.number IS 'Who waits.';
COMMENT ON COLUMN tandem.v_parked.name IS 'His name.';
COMMENT ON COLUMN tandem.v_parked.parked_by IS 'The account that parked him; empty: the dialplan did.';
COMMENT ON COLUMN tandem.v_parked.since IS 'Since when.';
COMMENT ON COLUMN tandem.v_parked.waits IS 'For how long.';
COMMENT ON COLUMN tandem.v_parked.recalling IS 'Whoever parked him is being called back.';
COMMENT ON COLUMN tandem.v_parked.call_id IS 'The call that waits.';
COMMENT ON COLUMN tandem.v_parked.node IS 'The switch that has it.';
