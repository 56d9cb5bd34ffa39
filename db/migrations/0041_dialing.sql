-- Dialling: speed dials, wake-up calls, call-backs, and the numbers that redial and return call lead to. All are live rows
-- (live.row); these functions and views are for people.

INSERT INTO config.known_setting (key, default_value, meaning, pattern, least, most, needs) VALUES
    ('wakeup_tries', '3', 'How often somebody is called who does not answer his wake-up call.', '^[0-9]{1,2}$', 1, 20,
     'a number from 1 to 20'),
    ('wakeup_pause', '180', 'Seconds between two such calls.', '^[0-9]{1,4}$', 1, 3600, 'a number of seconds from 1 to 3600'),
    ('wakeup_ring', '45', 'Seconds for which a wake-up call rings.', '^[0-9]{1,3}$', 5, 600, 'a number of seconds from 5 to 600'),
    ('call_back_valid', '2700', 'Seconds for which somebody waits to be called back when another one is free.',
     '^[0-9]{1,6}$', 60, 604800, 'a number of seconds from 60 to 604800');

ALTER TABLE live.row ADD CONSTRAINT row_value_is_an_object
    CHECK (kind NOT IN ('wakeup', 'call_back', 'last_caller') OR jsonb_typeof(value::jsonb) = 'object');

CREATE FUNCTION live.known_account(account text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM config.account a WHERE a.name = known_account.account) THEN
        RAISE EXCEPTION 'there is no account "%"', account
            USING ERRCODE = 'no_data_found', HINT = 'SELECT name FROM tandem.v_account lists them.';
    END IF;
END $$;
COMMENT ON FUNCTION live.known_account(text) IS 'Refuses, in words, what is about an account that does not exist.';

-- --- speed dials

CREATE FUNCTION tandem.set_speed_dial(account text, slot integer, number text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    owner text := coalesce(account, '');
    its   text := CASE WHEN coalesce(account, '') = '' THEN 'of the switch' ELSE 'of account ' || account END;
BEGIN
    IF owner <> '' THEN
        PERFORM live.known_account(owner);
    END IF;
    IF slot IS NULL OR slot NOT BETWEEN 0 AND 99 THEN
        RAISE EXCEPTION 'speed dials are numbered 0 to 99' USING ERRCODE = 'invalid_parameter_value', HINT = 'See \df+ tandem.set_speed_dial.';
    ELSIF coalesce(number, '') = '' THEN
        DELETE FROM live.row r WHERE r.kind = 'speed_dial' AND r.account = owner AND r.key = slot::text;
        RETURN format('speed dial %s %s removed', slot, its);
    ELSIF number !~ '^[!-~]{1,60}$' THEN
        RAISE EXCEPTION '"%" cannot be dialled', number
            USING ERRCODE = 'invalid_parameter_value', HINT = '1 to 60 characters without blanks.';
    END IF;
    INSERT INTO live.row AS r (kind, account, key, value) VALUES ('speed_dial', owner, slot::text, number)
        ON CONFLICT ON CONSTRAINT row_pkey DO UPDATE SET value = excluded.value;
    RETURN format('speed dial %s %s is %s', slot, its, number);
END $$;
COMMENT ON FUNCTION tandem.set_speed_dial(text, integer, text) IS
    'Sets speed dial 0 to 99 of an account; account NULL: of the whole switch; number NULL: removes it. In force at once.';

CREATE VIEW tandem.v_speed_dial AS
    SELECT nullif(r.account, '') AS account, r.key::integer AS slot, r.value AS number, to_timestamp(r.version / 1e6) AS changed_at
    FROM live.row r WHERE r.kind = 'speed_dial' AND r.key ~ '^[0-9]{1,2}$' ORDER BY r.account, r.key::integer;
COMMENT ON VIEW tandem.v_speed_dial IS 'Speed dials of accounts, and of the whole switch for those who have none of their own there.';
COMMENT ON COLUMN tandem.v_speed_dial.account IS 'Whose it is; NULL: the whole switch''s.';
COMMENT ON COLUMN tandem.v_speed_dial.slot IS 'Its number, 0 to 99.';
COMMENT ON COLUMN tandem.v_speed_dial.number IS 'What it dials, in the context of the caller.';
COMMENT ON COLUMN tandem.v_speed_dial.changed_at IS 'When it was set.';

-- --- wake-up calls

CREATE FUNCTION tandem.set_wakeup(account text, at time, daily boolean DEFAULT false)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    its_key text := CASE WHEN daily THEN 'daily' ELSE 'once' END;
BEGIN
    PERFORM live.known_account(account);
    IF at IS NULL THEN
        DELETE FROM live.row r WHERE r.kind = 'wakeup' AND r.account = set_wakeup.account;
        RETURN format('account %s is not woken up any more', account);
    END IF;
    INSERT INTO live.row AS r (kind, account, key, value)
        VALUES ('wakeup', set_wakeup.account, its_key,
                jsonb_build_object('at', to_char(at, 'HH24:MI'), 'since', floor(extract(epoch FROM clock_timestamp()))::bigint)::text)
        ON CONFLICT ON CONSTRAINT row_pkey DO UPDATE SET value = excluded.value;
    RETURN format('account %s is woken up at %s%s', account, to_char(at, 'HH24:MI'), CASE WHEN daily THEN ' every day' ELSE '' END);
END $$;
COMMENT ON FUNCTION tandem.set_wakeup(text, time, boolean) IS
    'Calls an account at that time of day in the time zone of the switch: the next time, or every day; each account has one of either. at NULL: none any more.';

CREATE VIEW tandem.v_wakeup AS
    SELECT r.account, r.value::jsonb ->> 'at' AS at, r.key = 'daily' AS daily, coalesce((r.value::jsonb ->> 'tries')::integer, 0) AS tries,
           to_timestamp(nullif((r.value::jsonb ->> 'retry')::bigint, 0)) AS retry_at, to_timestamp(r.version / 1e6) AS changed_at
    FROM live.row r WHERE r.kind = 'wakeup' AND r.key IN ('once', 'daily') ORDER BY r.account, r.key;
COMMENT ON VIEW tandem.v_wakeup IS 'Wake-up calls of accounts: set with tandem.set_wakeup().';
COMMENT ON COLUMN tandem.v_wakeup.account IS 'Who is called.';
COMMENT ON COLUMN tandem.v_wakeup.at IS 'When, in the time zone of the switch.';
COMMENT ON COLUMN tandem.v_wakeup.daily IS 'Every day; else it is gone after it.';
COMMENT ON COLUMN tandem.v_wakeup.tries IS 'How often it was called today without an answer.';
COMMENT ON COLUMN tandem.v_wakeup.retry_at IS 'When it is called again if nobody answers; NULL: its time has not come.';
COMMENT ON COLUMN tandem.v_wakeup.changed_at IS 'When it was set or last called.';

-- --- call-back when free

CREATE FUNCTION tandem.call_back(account text, "to" text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    valid bigint := coalesce((SELECT s.value::bigint FROM config.setting s WHERE s.key = 'call_back_valid'), 2700);
    since bigint := floor(extract(epoch FROM clock_timestamp()))::bigint;
BEGIN
    PERFORM live.known_account(account);
    PERFORM live.known_account("to");
    IF account = "to" THEN
        RAISE EXCEPTION 'account % cannot wait for itself', account USING ERRCODE = 'invalid_parameter_value', HINT = 'Name two accounts.';
    END IF;
    INSERT INTO live.row AS r (kind, account, key, value)
        VALUES ('call_back', call_back.account, call_back."to", jsonb_build_object('since', since, 'until', since + valid)::text)
        ON CONFLICT ON CONSTRAINT row_pkey DO UPDATE SET value = excluded.value;
    RETURN format('account %s is called when %s is free', account, "to");
END $$;
COMMENT ON FUNCTION tandem.call_back(text, text) IS
    'Calls the account as soon as it and the other one have no call and can be reached, and then dials the other one for it. Waits as long as the setting call_back_valid says.';

CREATE FUNCTION tandem.call_back_cancel(account text, "to" text DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    count bigint;
BEGIN
    DELETE FROM live.row r WHERE r.kind = 'call_back' AND r.account = call_back_cancel.account
        AND (call_back_cancel."to" IS NULL OR r.key = call_back_cancel."to");
    GET DIAGNOSTICS count = ROW_COUNT;
    RETURN format('%s taken back', count);
END $$;
COMMENT ON FUNCTION tandem.call_back_cancel(text, text) IS 'Takes call-backs back that an account waits for: to one other, or (NULL) to all.';

CREATE VIEW tandem.v_call_back AS
    SELECT r.account, r.key AS "to", to_timestamp((r.value::jsonb ->> 'since')::bigint) AS since,
           to_timestamp((r.value::jsonb ->> 'until')::bigint) AS until
    FROM live.row r WHERE r.kind = 'call_back' ORDER BY r.account, r.key;
COMMENT ON VIEW tandem.v_call_back IS 'Who waits to be called when somebody else is free.';
COMMENT ON COLUMN tandem.v_call_back.account IS 'Who is called back.';
COMMENT ON COLUMN tandem.v_call_back."to" IS 'For whom it waits.';
COMMENT ON COLUMN tandem.v_call_back.since IS 'When it was asked for.';
COMMENT ON COLUMN tandem.v_call_back.until IS 'When it is given up.';

-- --- the last calls

CREATE VIEW tandem.v_last_call AS
    SELECT account, max(dialled) AS dialled, max(caller ->> 'number') AS caller, max(caller ->> 'name') AS caller_name,
           max(to_timestamp((caller ->> 'at')::bigint)) AS called_at, bool_or((caller ->> 'answered')::boolean) AS answered
    FROM (SELECT r.account, CASE WHEN r.kind = 'last_dialled' THEN r.value END AS dialled,
                 CASE WHEN r.kind = 'last_caller' THEN r.value::jsonb END AS caller
          FROM live.row r WHERE r.kind IN ('last_dialled', 'last_caller')) x
    GROUP BY account ORDER BY account;
COMMENT ON VIEW tandem.v_last_call IS 'What redial and return call lead to: the number that an account dialled last, and who called it last.';
COMMENT ON COLUMN tandem.v_last_call.account IS 'The account.';
COMMENT ON COLUMN tandem.v_last_call.dialled IS 'What it dialled last.';
COMMENT ON COLUMN tandem.v_last_call.caller IS 'Who called it last; NULL: nobody, or somebody who was not shown.';
COMMENT ON COLUMN tandem.v_last_call.caller_name IS 'That one''s name.';
COMMENT ON COLUMN tandem.v_last_call.called_at IS 'When that was; NULL: never.';
COMMENT ON COLUMN tandem.v_last_call.answered IS 'Whether the call was answered there.';
