-- Where the calls of an account go, and whose calls get through: forwards, do not disturb, call waiting, lists of callers,
-- the number of calls, hidden numbers. What people change by phone is live (schema live); the last two are configuration.

ALTER TABLE config.account
    ADD COLUMN max_calls integer CONSTRAINT account_max_calls_is_sensible CHECK (max_calls BETWEEN 0 AND 10000),
    ADD COLUMN anonymous boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN config.account.max_calls IS 'How many calls it may have at a time, in both directions; one more is busy. NULL or 0: no limit.';
COMMENT ON COLUMN config.account.anonymous IS 'Whether its number is hidden from whom it calls. Records and operators see it.';

CREATE FUNCTION config.check_account_max_calls() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.max_calls NOT BETWEEN 0 AND 10000 THEN
        RAISE EXCEPTION 'account "%" cannot have max_calls %', NEW.name, NEW.max_calls
            USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'account',
                  HINT = 'max_calls is from 1 to 10000; NULL or 0: no limit.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_account_max_calls() IS 'Trigger: refuses a number of calls that makes no sense, in words.';
CREATE TRIGGER check_row_max_calls BEFORE INSERT OR UPDATE OF max_calls ON config.account
    FOR EACH ROW WHEN (NEW.max_calls IS NOT NULL) EXECUTE FUNCTION config.check_account_max_calls();

-- Whatever else other migrations have added to it.
DO $$
DECLARE
    before text := current_setting('search_path');
BEGIN
    PERFORM set_config('search_path', 'pg_catalog', true); -- tables are named with their schema then, on every server
    EXECUTE 'CREATE OR REPLACE VIEW tandem.v_account AS '
            || replace(pg_get_viewdef('tandem.v_account'::regclass), 'FROM config.account a',
                       ', a.max_calls, a.anonymous FROM config.account a');
    PERFORM set_config('search_path', before, true);
END $$;
COMMENT ON COLUMN tandem.v_account.max_calls IS 'Calls at a time, in both directions; empty or 0: no limit.';
COMMENT ON COLUMN tandem.v_account.anonymous IS 'Whether its number is hidden from whom it calls.';

CREATE TABLE live.forward (
    account   text    NOT NULL CONSTRAINT forward_account_fits CHECK (octet_length(account) <= 63),
    condition text    NOT NULL CONSTRAINT forward_condition_is_known CHECK (condition IN ('always', 'busy', 'no-answer', 'unreachable')),
    node      integer NOT NULL DEFAULT 0,
    version   bigint  NOT NULL DEFAULT 0,
    number    text    NOT NULL CONSTRAINT forward_number_can_be_dialled
              CHECK (octet_length(number) BETWEEN 1 AND 63 AND number !~ '[\u0001-\u0020\u007F]'),
    seconds   integer CONSTRAINT forward_seconds_are_sensible CHECK (seconds BETWEEN 1 AND 3600),
    PRIMARY KEY (account, condition)
);
COMMENT ON TABLE live.forward IS 'Forwards that are on. Write with tandem.set_forward(), read with tandem.v_forward.';
COMMENT ON COLUMN live.forward.account IS 'Whose calls go elsewhere.';
COMMENT ON COLUMN live.forward.condition IS 'When: always, busy, no-answer or unreachable.';
COMMENT ON COLUMN live.forward.node IS 'The switch that wrote it; 0: a person.';
COMMENT ON COLUMN live.forward.version IS 'When it was changed, in µs since 1970: of two versions the later one wins.';
COMMENT ON COLUMN live.forward.number IS 'Where they go: a number as the account would dial it.';
COMMENT ON COLUMN live.forward.seconds IS 'no-answer: how long it rings before; NULL: 20.';
SELECT live.watch_table('forward', 'condition');

CREATE TABLE live.block (
    account text    NOT NULL CONSTRAINT block_account_fits CHECK (octet_length(account) <= 63),
    pattern text    NOT NULL CONSTRAINT block_pattern_fits
            CHECK (octet_length(pattern) BETWEEN 1 AND 63 AND pattern !~ '[\u0001-\u0020\u007F]'),
    node    integer NOT NULL DEFAULT 0,
    version bigint  NOT NULL DEFAULT 0,
    action  text    NOT NULL DEFAULT 'reject' CONSTRAINT block_action_is_known CHECK (action IN ('reject', 'busy', 'forward')),
    number  text    CONSTRAINT block_number_can_be_dialled
            CHECK (octet_length(number) BETWEEN 1 AND 63 AND number !~ '[\u0001-\u0020\u007F]'),
    note    text    CONSTRAINT block_note_fits CHECK (octet_length(note) <= 127),
    PRIMARY KEY (account, pattern),
    CONSTRAINT block_forward_has_a_number CHECK ((action = 'forward') = (number IS NOT NULL))
);
COMMENT ON TABLE live.block IS
    'Callers that do not get through. Write with tandem.block_caller() and unblock_caller(), read with tandem.v_block.';
COMMENT ON COLUMN live.block.account IS 'Whose calls; empty: of all accounts.';
COMMENT ON COLUMN live.block.pattern IS 'Number of the caller; * is any number of characters, ? is one. anonymous: who does not show a number.';
COMMENT ON COLUMN live.block.node IS 'The switch that wrote it; 0: a person.';
COMMENT ON COLUMN live.block.version IS 'When it was changed, in µs since 1970: of two versions the later one wins.';
COMMENT ON COLUMN live.block.action IS 'What happens: reject (603), busy (486), or forward to number.';
COMMENT ON COLUMN live.block.number IS 'forward: where the call goes, with the rights of the account.';
COMMENT ON COLUMN live.block.note IS 'Why.';
SELECT live.watch_table('block', 'pattern');

CREATE FUNCTION live.forget_forwards() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    DELETE FROM live.forward f WHERE f.account = OLD.name;
    DELETE FROM live.block b WHERE b.account = OLD.name;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION live.forget_forwards() IS 'Trigger: a removed account leaves neither forwards nor lists of callers to whoever gets its name.';
CREATE TRIGGER forget_forwards AFTER DELETE ON config.account FOR EACH ROW EXECUTE FUNCTION live.forget_forwards();

-- --- for people -----------------------------------------------------------------------------------------------------

CREATE FUNCTION live.want_account(name text) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM config.account a WHERE a.name = want_account.name) THEN
        RAISE EXCEPTION 'there is no account "%"', name
            USING ERRCODE = 'no_data_found', HINT = 'SELECT name FROM tandem.v_account lists them.';
    END IF;
END $$;
COMMENT ON FUNCTION live.want_account(text) IS 'Refuses, in words, when there is no such account.';

CREATE FUNCTION tandem.set_forward(account text, condition text, number text DEFAULT NULL, seconds integer DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM live.want_account(account);
    IF condition IS NULL OR condition NOT IN ('always', 'busy', 'no-answer', 'unreachable') THEN
        RAISE EXCEPTION 'nothing is forwarded when "%"', condition
            USING ERRCODE = 'check_violation', HINT = 'The condition is always, busy, no-answer or unreachable.';
    ELSIF seconds IS NOT NULL AND (condition <> 'no-answer' OR seconds NOT BETWEEN 1 AND 3600) THEN
        RAISE EXCEPTION 'only no-answer takes seconds, from 1 to 3600' USING ERRCODE = 'check_violation',
            HINT = 'It is how long the phone rings before the call goes on; left out: 20.';
    ELSIF number = account THEN
        RAISE EXCEPTION 'account "%" cannot forward to itself', account USING ERRCODE = 'check_violation',
            HINT = 'Give another number; NULL ends the forward.';
    ELSIF coalesce(number, '') = '' THEN
        DELETE FROM live.forward f WHERE f.account = set_forward.account AND f.condition = set_forward.condition;
        RETURN format('account %s does not forward (%s)', account, condition);
    ELSIF octet_length(number) > 63 OR number ~ '[\u0001-\u0020\u007F]' THEN
        RAISE EXCEPTION '"%" is no number that can be dialled', left(number, 60) USING ERRCODE = 'check_violation',
            HINT = 'Write it as the account would dial it, without spaces.';
    END IF;
    INSERT INTO live.forward AS f (account, condition, number, seconds)
        VALUES (set_forward.account, set_forward.condition, set_forward.number,
                CASE WHEN set_forward.condition = 'no-answer' THEN coalesce(set_forward.seconds, 20) END)
        ON CONFLICT ON CONSTRAINT forward_pkey DO UPDATE SET number = excluded.number, seconds = excluded.seconds;
    RETURN format('account %s forwards to %s (%s)', account, number, condition);
END $$;
COMMENT ON FUNCTION tandem.set_forward(text, text, text, integer) IS
    'Calls of an account go to a number: always, busy, no-answer (after so many seconds) or unreachable; number NULL ends it. For the next call.';

CREATE FUNCTION tandem.set_dnd(account text, is_on boolean)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM live.want_account(account);
    PERFORM tandem.set_live('dnd', account, CASE WHEN is_on THEN 'on' END);
    RETURN format(CASE WHEN is_on THEN 'account %s is not disturbed' ELSE 'account %s takes calls' END, account);
END $$;
COMMENT ON FUNCTION tandem.set_dnd(text, boolean) IS 'Do not disturb: who calls the account hears that it is busy.';

CREATE FUNCTION tandem.set_call_waiting(account text, is_on boolean)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM live.want_account(account);
    PERFORM tandem.set_live('call_waiting', account, CASE WHEN NOT is_on THEN 'off' END);
    RETURN format(CASE WHEN is_on THEN 'account %s takes a second call' ELSE 'account %s is busy while it has a call' END, account);
END $$;
COMMENT ON FUNCTION tandem.set_call_waiting(text, boolean) IS 'Call waiting: off makes the account busy while it has a call.';

CREATE FUNCTION tandem.block_caller(pattern text, account text DEFAULT NULL, action text DEFAULT NULL, number text DEFAULT NULL,
                                    note text DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF account IS NOT NULL THEN
        PERFORM live.want_account(account);
    END IF;
    action := coalesce(action, CASE WHEN number IS NULL THEN 'reject' ELSE 'forward' END);
    IF coalesce(pattern, '') = '' OR octet_length(pattern) > 63 OR pattern ~ '[\u0001-\u0020\u007F]' THEN
        RAISE EXCEPTION '"%" is no number of a caller', left(pattern, 60) USING ERRCODE = 'check_violation',
            HINT = 'Digits or a name, * for any characters, ? for one; or anonymous: who does not show a number.';
    ELSIF action NOT IN ('reject', 'busy', 'forward') OR (action = 'forward') <> (number IS NOT NULL) THEN
        RAISE EXCEPTION 'a blocked call cannot be treated like that: action %, number %', action, coalesce(number, 'NULL')
            USING ERRCODE = 'check_violation', HINT = 'action is reject or busy; or forward, with a number.';
    ELSIF number IS NOT NULL AND (octet_length(number) NOT BETWEEN 1 AND 63 OR number ~ '[\u0001-\u0020\u007F]') THEN
        RAISE EXCEPTION '"%" is no number that can be dialled', left(number, 60) USING ERRCODE = 'check_violation',
            HINT = 'Write it as the account would dial it, without spaces.';
    END IF;
    INSERT INTO live.block AS b (account, pattern, action, number, note)
        VALUES (coalesce(block_caller.account, ''), block_caller.pattern, block_caller.action, block_caller.number, block_caller.note)
        ON CONFLICT ON CONSTRAINT block_pkey DO UPDATE SET action = excluded.action, number = excluded.number, note = excluded.note;
    RETURN format('calls from %s do not get through to %s', pattern, coalesce('account ' || account, 'anybody'));
END $$;
COMMENT ON FUNCTION tandem.block_caller(text, text, text, text, text) IS
    'Calls from this number do not get through to the account (NULL: to any): reject (the default), busy, or forward to a number. For the next call.';

CREATE FUNCTION tandem.unblock_caller(pattern text, account text DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    DELETE FROM live.block b WHERE b.account = coalesce(unblock_caller.account, '') AND b.pattern = unblock_caller.pattern;
    IF NOT FOUND THEN
        RAISE EXCEPTION '"%" is not on %', pattern, coalesce('the list of account ' || account, 'the list for all')
            USING ERRCODE = 'no_data_found', HINT = 'SELECT * FROM tandem.v_block lists them.';
    END IF;
    RETURN format('calls from %s get through again', pattern);
END $$;
COMMENT ON FUNCTION tandem.unblock_caller(text, text) IS 'Takes a number off the list of an account (NULL: of the one for all).';

CREATE VIEW tandem.v_forward AS
    SELECT f.account, f.condition, f.number, CASE WHEN f.condition = 'no-answer' THEN coalesce(f.seconds, 20) END AS seconds,
           to_timestamp(f.version / 1e6) AS changed_at
    FROM live.forward f ORDER BY f.account, f.condition;
COMMENT ON VIEW tandem.v_forward IS 'Forwards that are on; set with set_forward().';
COMMENT ON COLUMN tandem.v_forward.account IS 'Whose calls go elsewhere.';
COMMENT ON COLUMN tandem.v_forward.condition IS 'When: always, busy, no-answer or unreachable.';
COMMENT ON COLUMN tandem.v_forward.number IS 'Where they go.';
COMMENT ON COLUMN tandem.v_forward.seconds IS 'How long it rings before, with no-answer.';
COMMENT ON COLUMN tandem.v_forward.changed_at IS 'When it was set.';

CREATE VIEW tandem.v_block AS
    SELECT nullif(b.account, '') AS account, b.pattern, b.action, b.number, b.note, to_timestamp(b.version / 1e6) AS changed_at
    FROM live.block b ORDER BY b.account, b.pattern;
COMMENT ON VIEW tandem.v_block IS 'Callers that do not get through; set with block_caller() and unblock_caller().';
COMMENT ON COLUMN tandem.v_block.account IS 'To whom; empty: to nobody.';
COMMENT ON COLUMN tandem.v_block.pattern IS 'Number of the caller, with * and ?; anonymous: who does not show one.';
COMMENT ON COLUMN tandem.v_block.action IS 'What happens: reject, busy or forward.';
COMMENT ON COLUMN tandem.v_block.number IS 'forward: where the call goes.';
COMMENT ON COLUMN tandem.v_block.note IS 'Why.';
COMMENT ON COLUMN tandem.v_block.changed_at IS 'When it was set.';

CREATE VIEW tandem.v_feature AS
    SELECT a.name AS account,
           EXISTS (SELECT FROM live.row r WHERE r.kind = 'dnd' AND r.account = a.name AND r.value <> 'off') AS do_not_disturb,
           NOT EXISTS (SELECT FROM live.row r WHERE r.kind = 'call_waiting' AND r.account = a.name AND r.value = 'off') AS call_waiting,
           (SELECT f.number FROM live.forward f WHERE f.account = a.name AND f.condition = 'always') AS always,
           (SELECT f.number FROM live.forward f WHERE f.account = a.name AND f.condition = 'busy') AS busy,
           (SELECT f.number FROM live.forward f WHERE f.account = a.name AND f.condition = 'no-answer') AS no_answer,
           (SELECT f.number FROM live.forward f WHERE f.account = a.name AND f.condition = 'unreachable') AS unreachable,
           (SELECT count(*) FROM live.block b WHERE b.account = a.name) AS blocked, a.max_calls, a.anonymous
    FROM config.account a ORDER BY a.name;
COMMENT ON VIEW tandem.v_feature IS 'Which calls each account takes, and where the others go, at a glance.';
COMMENT ON COLUMN tandem.v_feature.account IS 'The account.';
COMMENT ON COLUMN tandem.v_feature.do_not_disturb IS 'It takes no calls.';
COMMENT ON COLUMN tandem.v_feature.call_waiting IS 'It takes a call while it has another one.';
COMMENT ON COLUMN tandem.v_feature.always IS 'All its calls go there.';
COMMENT ON COLUMN tandem.v_feature.busy IS 'When it is busy, its calls go there.';
COMMENT ON COLUMN tandem.v_feature.no_answer IS 'When nobody answers, its calls go there.';
COMMENT ON COLUMN tandem.v_feature.unreachable IS 'When no phone of it can be reached, its calls go there.';
COMMENT ON COLUMN tandem.v_feature.blocked IS 'Callers on its list.';
COMMENT ON COLUMN tandem.v_feature.max_calls IS 'Calls that it may have at a time; empty or 0: no limit.';
COMMENT ON COLUMN tandem.v_feature.anonymous IS 'Its number is hidden from whom it calls.';

REVOKE ALL ON live.forward, live.block, tandem.v_forward, tandem.v_block, tandem.v_feature FROM PUBLIC;
REVOKE ALL ON FUNCTION live.want_account(text), live.forget_forwards(), config.check_account_max_calls() FROM PUBLIC;
REVOKE ALL ON FUNCTION tandem.set_forward(text, text, text, integer), tandem.set_dnd(text, boolean),
    tandem.set_call_waiting(text, boolean), tandem.block_caller(text, text, text, text, text), tandem.unblock_caller(text, text) FROM PUBLIC;
