-- Calls that the switch is asked to make: SELECT tandem.originate('201', '600') rings 201, and when 201 has answered, does
-- what 201 dialling 600 would do.

CREATE TABLE live.originate (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account      text NOT NULL,
    extension    text NOT NULL CONSTRAINT originate_extension_fits
                 CHECK (octet_length(extension) BETWEEN 1 AND 60 AND extension !~ '[[:cntrl:]]'),
    context      text CONSTRAINT originate_context_fits CHECK (octet_length(context) BETWEEN 1 AND 63 AND context !~ '[[:cntrl:]]'),
    key          text CONSTRAINT originate_key_fits CHECK (octet_length(key) BETWEEN 1 AND 100 AND key !~ '[[:cntrl:]]'),
    at           timestamptz,
    after        text,
    expires_at   timestamptz NOT NULL,
    timeout      integer NOT NULL DEFAULT 30 CONSTRAINT originate_timeout_is_sensible CHECK (timeout BETWEEN 1 AND 600),
    origin       text NOT NULL DEFAULT 'SQL',
    state        text NOT NULL DEFAULT 'waiting'
                 CONSTRAINT originate_state_is_known CHECK (state IN ('waiting', 'calling', 'ringing', 'connected', 'ended')),
    cause        text,
    words        text,
    call_id      uuid,
    node         integer,
    run          uuid,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE live.originate IS
    'Calls that the switch is asked to make, and what became of them. Ask with tandem.originate(), read with tandem.v_originate. Kept for 30 days after their end.';
COMMENT ON COLUMN live.originate.id IS 'Number of the request.';
COMMENT ON COLUMN live.originate.account IS 'Account whose phones ring first, and with whose rights the rest happens.';
COMMENT ON COLUMN live.originate.extension IS 'What is dialled for it then.';
COMMENT ON COLUMN live.originate.context IS 'Where in the dialplan; NULL: the context of the account.';
COMMENT ON COLUMN live.originate.key IS 'Requests with the same key within a day are one.';
COMMENT ON COLUMN live.originate.at IS 'Not before; NULL: at once.';
COMMENT ON COLUMN live.originate.after IS 'Account: not before it and the calling one are both idle; NULL: do not wait.';
COMMENT ON COLUMN live.originate.expires_at IS 'When it is given up, if it could not be made until then.';
COMMENT ON COLUMN live.originate.timeout IS 'How long the account''s phones ring, in seconds.';
COMMENT ON COLUMN live.originate.origin IS 'Who asked: SQL and the database user, the command line, or the dialplan.';
COMMENT ON COLUMN live.originate.state IS 'waiting, calling, ringing (the account''s phones), connected (the account has answered), ended.';
COMMENT ON COLUMN live.originate.cause IS 'Why it ended, as an id: as in record.call, or expired, withdrawn, repeated.';
COMMENT ON COLUMN live.originate.words IS 'Why it ended, in words.';
COMMENT ON COLUMN live.originate.call_id IS 'The call that was made.';
COMMENT ON COLUMN live.originate.node IS 'The switch that makes it.';
COMMENT ON COLUMN live.originate.run IS 'The run of the switch program that makes it.';
COMMENT ON COLUMN live.originate.requested_at IS 'When it was asked for.';
COMMENT ON COLUMN live.originate.changed_at IS 'When its state last changed.';
CREATE INDEX originate_waiting ON live.originate (requested_at) WHERE state = 'waiting';
CREATE INDEX originate_key ON live.originate (key, requested_at) WHERE key IS NOT NULL;
CREATE INDEX originate_changed ON live.originate (changed_at) WHERE state = 'ended';

CREATE FUNCTION live.note_originate() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('tandem_originate', NEW.id::text);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION live.note_originate() IS 'Trigger: tells the switch that a call is wanted.';
CREATE TRIGGER note_originate AFTER INSERT ON live.originate FOR EACH ROW
    WHEN (NEW.state = 'waiting' AND NEW.run IS NULL) EXECUTE FUNCTION live.note_originate();

CREATE FUNCTION tandem.originate(account text, extension text, at timestamptz DEFAULT NULL, after text DEFAULT NULL,
    key text DEFAULT NULL, timeout integer DEFAULT 30, valid interval DEFAULT NULL, context text DEFAULT NULL)
    RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    problem text;
    advice  text;
    made    uuid;
    wait    interval := coalesce(valid, CASE WHEN after IS NULL THEN interval '1 minute' ELSE interval '1 hour' END);
BEGIN
    IF NOT EXISTS (SELECT FROM config.account a WHERE a.name = originate.account) THEN
        problem := format('there is no account "%s" to be called first', account);
        advice := 'tandem.v_account lists them.';
    ELSIF NOT EXISTS (SELECT FROM config.account a WHERE a.name = originate.account AND a.enabled) THEN
        problem := format('account "%s" is disabled', account);
    ELSIF coalesce(octet_length(extension), 0) NOT BETWEEN 1 AND 60 OR extension ~ '[[:cntrl:]]' THEN
        problem := 'the number to be called then has 1 to 60 characters';
    ELSIF octet_length(context) NOT BETWEEN 1 AND 63 OR context ~ '[[:cntrl:]]' THEN
        problem := 'a context has 1 to 63 characters';
    ELSIF after IS NOT NULL AND NOT EXISTS (SELECT FROM config.account a WHERE a.name = originate.after) THEN
        problem := format('there is no account "%s" whose end of call could be waited for', after);
    ELSIF octet_length(key) NOT BETWEEN 1 AND 100 OR key ~ '[[:cntrl:]]' THEN
        problem := 'a key has 1 to 100 bytes without control characters';
    ELSIF coalesce(timeout, 0) NOT BETWEEN 1 AND 600 THEN
        problem := 'a phone is rung for 1 to 600 seconds';
    ELSIF wait NOT BETWEEN interval '0' AND interval '7 days' OR at > now() + interval '366 days' THEN
        problem := 'a request waits for a week at most, and its time is within a year';
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'invalid_parameter_value', HINT = coalesce(advice, 'See \df+ tandem.originate.');
    END IF;
    IF key IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(7233165, hashtext(key));
        SELECT o.id INTO made FROM live.originate o
            WHERE o.key = originate.key AND o.requested_at > now() - interval '1 day' AND o.cause IS DISTINCT FROM 'repeated'
            ORDER BY o.requested_at LIMIT 1;
        IF made IS NOT NULL THEN
            RETURN made;
        END IF;
    END IF;
    INSERT INTO live.originate (account, extension, context, key, at, after, expires_at, timeout, origin)
        VALUES (originate.account, originate.extension, originate.context, originate.key, originate.at, originate.after,
                greatest(coalesce(originate.at, now()), now()) + wait, originate.timeout, 'SQL, ' || session_user)
        RETURNING id INTO made;
    RETURN made;
END $$;
COMMENT ON FUNCTION tandem.originate(text, text, timestamptz, text, text, integer, interval, text) IS
    'Rings an account, and when it has answered, does what the account dialling the extension would do. at: not before; after: when that account is idle; key: once a day; timeout: of ringing, in seconds; valid: how long it may wait. Returns the id for v_originate.';

CREATE FUNCTION tandem.originate_cancel(id uuid) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    before text;
BEGIN
    SELECT o.state INTO before FROM live.originate o WHERE o.id = originate_cancel.id FOR UPDATE;
    IF before IS NULL THEN
        RAISE EXCEPTION 'there is no request %', id USING ERRCODE = 'no_data_found', HINT = 'tandem.v_originate lists them.';
    ELSIF before <> 'waiting' THEN
        RETURN format('too late: it is %s; `tandem hangup` ends a call', before);
    END IF;
    UPDATE live.originate o SET state = 'ended', cause = 'withdrawn', words = 'It was taken back before its time.', changed_at = now()
        WHERE o.id = originate_cancel.id;
    RETURN 'taken back';
END $$;
COMMENT ON FUNCTION tandem.originate_cancel(uuid) IS 'Takes back a call that was asked for and still waits.';

CREATE VIEW tandem.v_originate AS
    SELECT o.requested_at, o.account, o.extension, o.state, coalesce(o.words, o.cause) AS why, o.at, o.after, o.origin, o.key,
           o.changed_at, o.call_id, o.id
    FROM live.originate o ORDER BY o.requested_at DESC, o.id;
COMMENT ON VIEW tandem.v_originate IS 'Calls that the switch was asked to make, the newest first, and what became of them.';
COMMENT ON COLUMN tandem.v_originate.requested_at IS 'When it was asked for.';
COMMENT ON COLUMN tandem.v_originate.account IS 'Account whose phones ring first.';
COMMENT ON COLUMN tandem.v_originate.extension IS 'What is dialled for it then.';
COMMENT ON COLUMN tandem.v_originate.state IS 'waiting, calling, ringing (the account''s phones), connected (the account has answered), ended.';
COMMENT ON COLUMN tandem.v_originate.why IS 'Why it ended, in words.';
COMMENT ON COLUMN tandem.v_originate.at IS 'Not before this time.';
COMMENT ON COLUMN tandem.v_originate.after IS 'Not before this account is idle.';
COMMENT ON COLUMN tandem.v_originate.origin IS 'Who asked.';
COMMENT ON COLUMN tandem.v_originate.key IS 'Requests with the same key within a day are one.';
COMMENT ON COLUMN tandem.v_originate.changed_at IS 'When its state last changed.';
COMMENT ON COLUMN tandem.v_originate.call_id IS 'The call that was made: v_call and `tandem call ID` know it.';
COMMENT ON COLUMN tandem.v_originate.id IS 'Number of the request: what originate() returned.';
