-- What people set for their calls: nonsense is refused in words wherever it can be written, and views read past it. Codes by
-- which an account's phones transfer may be its own.

CREATE FUNCTION live.is_number(number text) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT coalesce(number ~ '^[!-~]{1,63}$', false)
$$;
COMMENT ON FUNCTION live.is_number(text) IS 'Can it be dialled: 1 to 63 printing characters (ASCII) without blanks?';

CREATE FUNCTION live.is_caller_pattern(pattern text) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT coalesce(pattern ~ '^[A-Za-z0-9+._~*#?-]{1,63}$', false)
$$;
COMMENT ON FUNCTION live.is_caller_pattern(text) IS
    'Does it mean callers: letters, digits and + - . _ ~ #, * for any characters, ? for one; or anonymous?';

-- live rows ---------------------------------------------------------------------------------------------------------

CREATE FUNCTION live.fact(value text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
BEGIN
    RETURN CASE WHEN jsonb_typeof(value::jsonb) = 'object' THEN value::jsonb END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION live.fact(text) IS 'An object of JSON; NULL: it is none.';

CREATE FUNCTION tandem.live_needs(kind text, key text, value text) RETURNS text LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    fact jsonb;
    ok   boolean;
    need text;
BEGIN
    IF kind IN ('wakeup', 'call_back', 'last_caller', 'parked') THEN
        fact := live.fact(value);
    END IF;
    CASE kind
        WHEN 'dnd', 'call_waiting' THEN
            ok := key = '' AND value IN ('on', 'off');
            need := 'the value on or off, and no key';
        WHEN 'speed_dial' THEN
            ok := key ~ '^[1-9]?[0-9]$' AND live.is_number(value);
            need := 'a key from 0 to 99, and a number of 1 to 63 characters without blanks';
        WHEN 'last_dialled' THEN
            ok := key = '' AND live.is_number(value);
            need := 'a number of 1 to 63 characters without blanks, and no key';
        WHEN 'wakeup' THEN
            ok := key IN ('once', 'daily') AND fact ->> 'at' ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'
                  AND coalesce(fact ->> 'since', '0') ~ '^[0-9]{1,12}$' AND coalesce(fact ->> 'tries', '0') ~ '^[0-9]{1,6}$'
                  AND coalesce(fact ->> 'retry', '0') ~ '^[0-9]{1,12}$';
            need := 'the key once or daily, and a value like {"at": "07:30"}';
        WHEN 'call_back' THEN
            ok := octet_length(key) BETWEEN 1 AND 63 AND fact ->> 'since' ~ '^[0-9]{1,12}$' AND fact ->> 'until' ~ '^[0-9]{1,12}$';
            need := 'an account for which it waits as key, and a value like {"since": 1790000000, "until": 1790002700}, in seconds since 1970';
        WHEN 'last_caller' THEN
            ok := key = '' AND fact ->> 'at' ~ '^[0-9]{1,12}$' AND coalesce(fact ->> 'answered', 'false') IN ('true', 'false');
            need := 'a value like {"number": "0301234567", "name": "", "at": 1790000000, "answered": false}, and no key';
        WHEN 'parked' THEN
            ok := fact ->> 'slot' ~ '^[0-9]{1,3}$' AND coalesce(fact ->> 'since', '0') ~ '^[0-9]{1,12}$'
                  AND coalesce(fact ->> 'recall', 'false') IN ('true', 'false')
                  AND coalesce(fact ->> 'call', '00000000-0000-0000-0000-000000000000') ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$';
            need := 'a value like {"slot": 12}';
        ELSE
            ok := true;
    END CASE;
    RETURN CASE WHEN ok THEN NULL ELSE need END;
END $$;
COMMENT ON FUNCTION tandem.live_needs(text, text, text) IS
    'What a live fact of this kind needs that this one has not, in words; NULL: nothing. Kinds of which the switch alone knows take anything.';

CREATE OR REPLACE FUNCTION tandem.set_live(kind text, account text, value text, key text DEFAULT '')
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM tandem.need_account(account);
    IF EXISTS (SELECT FROM live.own_table o WHERE o.kind = set_live.kind) THEN
        RAISE EXCEPTION 'rows of the kind "%" are in a table of their own', kind
            USING ERRCODE = 'invalid_parameter_value', HINT = CASE kind WHEN 'forward' THEN 'SELECT set_forward(account, condition, number) changes them.'
                                                                       WHEN 'block' THEN 'SELECT block_caller(pattern, account) and unblock_caller() change them.'
                                                                       ELSE format('INSERT INTO, UPDATE or DELETE FROM live.%I.', kind) END;
    END IF;
    IF value IS NULL THEN
        DELETE FROM live.row r WHERE r.kind = set_live.kind AND r.account = set_live.account AND r.key = set_live.key;
        RETURN format('%s of account %s removed', kind, account);
    END IF;
    IF tandem.live_needs(kind, key, value) IS NOT NULL THEN
        RAISE EXCEPTION '% of account % cannot be "%"%', kind, account, left(value, 60),
            CASE WHEN key <> '' THEN format(' with the key "%s"', left(key, 60)) ELSE '' END
            USING ERRCODE = 'check_violation', HINT = format('It needs %s. NULL removes it.', tandem.live_needs(kind, key, value));
    ELSIF kind = 'call_back' THEN
        PERFORM tandem.need_account(key);
    END IF;
    INSERT INTO live.row AS r (kind, account, key, value) VALUES (set_live.kind, set_live.account, set_live.key, set_live.value)
        ON CONFLICT ON CONSTRAINT row_pkey DO UPDATE SET value = excluded.value;
    RETURN format('%s of account %s is %s', kind, account, value);
END $$;

-- forwards, blocked callers ------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION tandem.set_forward(account text, condition text, number text DEFAULT NULL, seconds integer DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM tandem.need_account(account);
    IF condition IS NULL OR condition NOT IN ('always', 'busy', 'no-answer', 'unreachable') THEN
        RAISE EXCEPTION 'nothing is forwarded when "%"', condition
            USING ERRCODE = 'check_violation', HINT = 'The condition is always, busy, no-answer or unreachable.';
    ELSIF seconds IS NOT NULL AND (condition <> 'no-answer' OR seconds NOT BETWEEN 1 AND 3600) THEN
        RAISE EXCEPTION 'only no-answer takes seconds, from 1 to 3600' USING ERRCODE = 'check_violation',
            HINT = 'It is how long the phone rings before the call goes on; left out: 20.';
    ELSIF number = account THEN
        RAISE EXCEPTION 'account "%" cannot forward to itself', account USING ERRCODE = 'check_violation',
            HINT = 'Give another number; NULL ends the forward.';
    ELSIF number IS NULL THEN
        DELETE FROM live.forward f WHERE f.account = set_forward.account AND f.condition = set_forward.condition;
        RETURN format('account %s does not forward (%s)', account, condition);
    ELSIF NOT live.is_number(number) THEN
        RAISE EXCEPTION '"%" is no number that can be dialled', left(number, 60) USING ERRCODE = 'check_violation',
            HINT = 'Write it as the account would dial it: 1 to 63 characters without blanks. NULL ends the forward.';
    END IF;
    INSERT INTO live.forward AS f (account, condition, number, seconds)
        VALUES (set_forward.account, set_forward.condition, set_forward.number,
                CASE WHEN set_forward.condition = 'no-answer' THEN coalesce(set_forward.seconds, 20) END)
        ON CONFLICT ON CONSTRAINT forward_pkey DO UPDATE SET number = excluded.number, seconds = excluded.seconds;
    RETURN format('account %s forwards to %s (%s)', account, number, condition);
END $$;

CREATE OR REPLACE FUNCTION tandem.set_dnd(account text, is_on boolean)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM tandem.need_account(account);
    IF is_on IS NULL THEN
        RAISE EXCEPTION 'do not disturb of account "%" cannot be NULL', account USING ERRCODE = 'check_violation', HINT = 'It is true or false.';
    END IF;
    PERFORM tandem.set_live('dnd', account, CASE WHEN is_on THEN 'on' END);
    RETURN format(CASE WHEN is_on THEN 'account %s is not disturbed' ELSE 'account %s takes calls' END, account);
END $$;

CREATE OR REPLACE FUNCTION tandem.set_call_waiting(account text, is_on boolean)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM tandem.need_account(account);
    IF is_on IS NULL THEN
        RAISE EXCEPTION 'call waiting of account "%" cannot be NULL', account USING ERRCODE = 'check_violation', HINT = 'It is true or false.';
    END IF;
    PERFORM tandem.set_live('call_waiting', account, CASE WHEN NOT is_on THEN 'off' END);
    RETURN format(CASE WHEN is_on THEN 'account %s takes a second call' ELSE 'account %s is busy while it has a call' END, account);
END $$;

CREATE OR REPLACE FUNCTION tandem.block_caller(pattern text, account text DEFAULT NULL, action text DEFAULT NULL, number text DEFAULT NULL,
                                    note text DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF account IS NOT NULL THEN
        PERFORM tandem.need_account(account);
    END IF;
    action := coalesce(action, CASE WHEN number IS NULL THEN 'reject' ELSE 'forward' END);
    IF NOT live.is_caller_pattern(pattern) THEN
        RAISE EXCEPTION '"%" is no number of a caller', left(pattern, 60) USING ERRCODE = 'check_violation',
            HINT = 'Letters, digits and + - . _ ~ #, with * for any characters and ? for one: 0900*; or anonymous: who does not show a number.';
    ELSIF action NOT IN ('reject', 'busy', 'forward') OR (action = 'forward') <> (number IS NOT NULL) THEN
        RAISE EXCEPTION 'a blocked call cannot be treated like that: action %, number %', action, coalesce(number, 'NULL')
            USING ERRCODE = 'check_violation', HINT = 'action is reject or busy; or forward, with a number.';
    ELSIF number IS NOT NULL AND NOT live.is_number(number) THEN
        RAISE EXCEPTION '"%" is no number that can be dialled', left(number, 60) USING ERRCODE = 'check_violation',
            HINT = 'Write it as the account would dial it: 1 to 63 characters without blanks.';
    ELSIF octet_length(note) > 127 THEN
        RAISE EXCEPTION 'the note is longer than 127 bytes' USING ERRCODE = 'check_violation', HINT = 'It says why, in a few words.';
    END IF;
    INSERT INTO live.block AS b (account, pattern, action, number, note)
        VALUES (coalesce(block_caller.account, ''), block_caller.pattern, block_caller.action, block_caller.number, block_caller.note)
        ON CONFLICT ON CONSTRAINT block_pkey DO UPDATE SET action = excluded.action, number = excluded.number, note = excluded.note;
    RETURN format('calls from %s do not get through to %s', pattern, coalesce('account ' || account, 'anybody'));
END $$;

CREATE OR REPLACE VIEW tandem.v_feature AS
    SELECT a.name AS account,
           EXISTS (SELECT FROM live.row r WHERE r.kind = 'dnd' AND r.account = a.name AND r.value = 'on') AS do_not_disturb,
           NOT EXISTS (SELECT FROM live.row r WHERE r.kind = 'call_waiting' AND r.account = a.name AND r.value = 'off') AS call_waiting,
           (SELECT f.number FROM live.forward f WHERE f.account = a.name AND f.condition = 'always') AS always,
           (SELECT f.number FROM live.forward f WHERE f.account = a.name AND f.condition = 'busy') AS busy,
           (SELECT f.number FROM live.forward f WHERE f.account = a.name AND f.condition = 'no-answer') AS no_answer,
           (SELECT f.number FROM live.forward f WHERE f.account = a.name AND f.condition = 'unreachable') AS unreachable,
           (SELECT count(*) FROM live.block b WHERE b.account = a.name) AS blocked, a.max_calls, a.anonymous
    FROM config.account a ORDER BY a.name;

-- dialling -----------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION tandem.set_speed_dial(account text, slot integer, number text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    owner text := coalesce(account, '');
    its   text := CASE WHEN coalesce(account, '') = '' THEN 'of the switch' ELSE 'of account ' || account END;
BEGIN
    IF owner <> '' THEN
        PERFORM tandem.need_account(owner);
    END IF;
    IF slot IS NULL OR slot NOT BETWEEN 0 AND 99 THEN
        RAISE EXCEPTION 'speed dials are numbered 0 to 99' USING ERRCODE = 'invalid_parameter_value', HINT = 'See \df+ tandem.set_speed_dial.';
    ELSIF number IS NULL THEN
        DELETE FROM live.row r WHERE r.kind = 'speed_dial' AND r.account = owner AND r.key = slot::text;
        RETURN format('speed dial %s %s removed', slot, its);
    ELSIF NOT live.is_number(number) THEN
        RAISE EXCEPTION '"%" cannot be dialled', number
            USING ERRCODE = 'invalid_parameter_value', HINT = '1 to 63 characters without blanks; NULL removes the speed dial.';
    END IF;
    INSERT INTO live.row AS r (kind, account, key, value) VALUES ('speed_dial', owner, slot::text, number)
        ON CONFLICT ON CONSTRAINT row_pkey DO UPDATE SET value = excluded.value;
    RETURN format('speed dial %s %s is %s', slot, its, number);
END $$;

CREATE OR REPLACE FUNCTION tandem.set_wakeup(account text, at time, daily boolean DEFAULT false)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    its_key text := CASE WHEN daily THEN 'daily' ELSE 'once' END;
BEGIN
    PERFORM tandem.need_account(account);
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

CREATE OR REPLACE FUNCTION tandem.call_back(account text, "to" text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    valid bigint := coalesce((SELECT s.value::bigint FROM config.setting s WHERE s.key = 'call_back_valid'), 2700);
    since bigint := floor(extract(epoch FROM clock_timestamp()))::bigint;
BEGIN
    PERFORM tandem.need_account(account);
    PERFORM tandem.need_account("to");
    IF account = "to" THEN
        RAISE EXCEPTION 'account % cannot wait for itself', account USING ERRCODE = 'invalid_parameter_value', HINT = 'Name two accounts.';
    END IF;
    INSERT INTO live.row AS r (kind, account, key, value)
        VALUES ('call_back', call_back.account, call_back."to", jsonb_build_object('since', since, 'until', since + valid)::text)
        ON CONFLICT ON CONSTRAINT row_pkey DO UPDATE SET value = excluded.value;
    RETURN format('account %s is called when %s is free', account, "to");
END $$;

CREATE OR REPLACE VIEW tandem.v_speed_dial AS
    SELECT nullif(r.account, '') AS account, r.key::integer AS slot, r.value AS number, to_timestamp(r.version / 1e6) AS changed_at
    FROM live.row r WHERE r.kind = 'speed_dial' AND tandem.live_needs(r.kind, r.key, r.value) IS NULL ORDER BY r.account, r.key::integer;

CREATE OR REPLACE VIEW tandem.v_wakeup AS
    SELECT r.account, r.value::jsonb ->> 'at' AS at, r.key = 'daily' AS daily, coalesce((r.value::jsonb ->> 'tries')::integer, 0) AS tries,
           to_timestamp(nullif((r.value::jsonb ->> 'retry')::bigint, 0)) AS retry_at, to_timestamp(r.version / 1e6) AS changed_at
    FROM live.row r WHERE r.kind = 'wakeup' AND tandem.live_needs(r.kind, r.key, r.value) IS NULL ORDER BY r.account, r.key;

CREATE OR REPLACE VIEW tandem.v_call_back AS
    SELECT r.account, r.key AS "to", to_timestamp((r.value::jsonb ->> 'since')::bigint) AS since,
           to_timestamp((r.value::jsonb ->> 'until')::bigint) AS until
    FROM live.row r WHERE r.kind = 'call_back' AND tandem.live_needs(r.kind, r.key, r.value) IS NULL ORDER BY r.account, r.key;

CREATE OR REPLACE VIEW tandem.v_last_call AS
    SELECT account, max(dialled) AS dialled, max(caller ->> 'number') AS caller, max(caller ->> 'name') AS caller_name,
           max(to_timestamp((caller ->> 'at')::bigint)) AS called_at, bool_or((caller ->> 'answered')::boolean) AS answered
    FROM (SELECT r.account, CASE WHEN r.kind = 'last_dialled' THEN r.value END AS dialled,
                 CASE WHEN r.kind = 'last_caller' THEN r.value::jsonb END AS caller
          FROM live.row r WHERE r.kind = 'last_dialled' OR (r.kind = 'last_caller' AND tandem.live_needs(r.kind, r.key, r.value) IS NULL)) x
    GROUP BY account ORDER BY account;

DROP FUNCTION live.want_account(text), live.known_account(text); -- tandem.need_account() is the one

-- groups ------------------------------------------------------------------------------------------------------------

-- Whose turn it was, and who talked when, are live rows too: ring_turn (key GROUP) and ring_talked (account MEMBER).
CREATE OR REPLACE FUNCTION live.forget_ring_member() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    DELETE FROM live.row r WHERE r.kind = 'ring_logout' AND r.account = OLD.member AND r.key = OLD.ring_group;
    DELETE FROM live.row r WHERE r.kind = 'ring_turn' AND r.account = '' AND r.key = OLD.ring_group AND r.value = OLD.member;
    DELETE FROM live.row r WHERE r.kind = 'ring_talked' AND r.account = OLD.member
        AND NOT EXISTS (SELECT FROM config.ring_member m WHERE m.member = OLD.member);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION live.forget_ring_member() IS
    'Trigger: who is taken out of a group and comes again is logged in; whose turn it was, and when somebody talked, is forgotten with him.';

-- transfer codes ----------------------------------------------------------------------------------------------------

CREATE FUNCTION config.transfer_codes_problem(codes text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog AS $$
BEGIN
    IF codes !~ '^(none|(none|[0-9*#A-D]{2,7}),(none|[0-9*#A-D]{2,7}))$' THEN
        RETURN 'it is not two codes with a comma between';
    ELSIF codes <> 'none,none' AND split_part(codes, ',', 1) = split_part(codes, ',', 2) THEN
        RETURN 'both codes are the same';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION config.transfer_codes_problem(text) IS 'What is wrong with the transfer codes of an account, in words; NULL: nothing.';

ALTER TABLE config.account
    ADD COLUMN transfer_codes text CONSTRAINT account_transfer_codes_are_codes CHECK (config.transfer_codes_problem(transfer_codes) IS NULL);
COMMENT ON COLUMN config.account.transfer_codes IS
    'What its phones type in a call to transfer it: BLIND,ATTENDED as *1,*2, each 2 to 7 keys or none; none: nothing that is typed is a code; NULL: the settings transfer_code_blind and transfer_code_attended decide.';

CREATE FUNCTION config.check_account_transfer_codes() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF config.transfer_codes_problem(NEW.transfer_codes) IS NOT NULL THEN
        RAISE EXCEPTION 'account "%" cannot have the transfer codes "%": %', NEW.name, left(NEW.transfer_codes, 60),
            config.transfer_codes_problem(NEW.transfer_codes)
            USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'account',
                  HINT = 'BLIND,ATTENDED as *1,*2: two different codes of 2 to 7 keys (0-9 * # A-D), one of which may be none; or none alone; NULL: as the settings say.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_account_transfer_codes() IS 'Trigger: refuses transfer codes that could not work, in words.';
CREATE TRIGGER check_row_transfer_codes BEFORE INSERT OR UPDATE OF transfer_codes ON config.account
    FOR EACH ROW WHEN (NEW.transfer_codes IS NOT NULL) EXECUTE FUNCTION config.check_account_transfer_codes();

-- Whatever else other migrations have added to it.
DO $$
DECLARE
    before text := current_setting('search_path');
BEGIN
    PERFORM set_config('search_path', 'pg_catalog', true); -- tables are named with their schema then, on every server
    EXECUTE 'CREATE OR REPLACE VIEW tandem.v_account AS '
            || replace(pg_get_viewdef('tandem.v_account'::regclass), 'FROM config.account a', ', a.transfer_codes FROM config.account a');
    PERFORM set_config('search_path', before, true);
END $$;
COMMENT ON COLUMN tandem.v_account.transfer_codes IS 'What its phones type in a call to transfer it: BLIND,ATTENDED, or none; empty: as the settings say.';

-- Of two codes that are the same only one would ever be heard. Looked at when the transaction ends: it may exchange them.
CREATE FUNCTION config.check_setting_transfer_codes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    codes text[] := (SELECT array_agg(coalesce(s.value, k.default_value))
                     FROM config.known_setting k LEFT JOIN config.setting s ON s.key = k.key
                     WHERE k.key IN ('transfer_code_blind', 'transfer_code_attended'));
BEGIN
    IF codes[1] = codes[2] AND codes[1] <> 'none' THEN
        RAISE EXCEPTION 'the settings transfer_code_blind and transfer_code_attended cannot both be "%"', codes[1]
            USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'setting',
                  HINT = 'Each needs a code of its own, of 2 to 7 keys (0-9 * # A-D), or none. To exchange them, change both in one transaction.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION config.check_setting_transfer_codes() IS 'Trigger: refuses the same transfer code for both transfers, in words.';
CREATE CONSTRAINT TRIGGER check_transfer_codes AFTER INSERT OR UPDATE ON config.setting DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.key IN ('transfer_code_blind', 'transfer_code_attended')) EXECUTE FUNCTION config.check_setting_transfer_codes();
CREATE CONSTRAINT TRIGGER check_transfer_codes_gone AFTER DELETE ON config.setting DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.key IN ('transfer_code_blind', 'transfer_code_attended')) EXECUTE FUNCTION config.check_setting_transfer_codes();

REVOKE ALL ON FUNCTION live.is_number(text), live.is_caller_pattern(text), live.fact(text), tandem.live_needs(text, text, text),
    config.transfer_codes_problem(text), config.check_account_transfer_codes(), config.check_setting_transfer_codes() FROM PUBLIC;
