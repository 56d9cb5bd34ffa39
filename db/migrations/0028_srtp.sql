-- Encrypted audio (SRTP with keys in the SDP): who must, who may, and what was used.

ALTER TABLE config.account
    ADD COLUMN srtp text CONSTRAINT account_srtp_is_known CHECK (srtp IN ('off', 'optional', 'required')),
    ADD COLUMN srtp_without_tls boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN config.account.srtp IS
    'Encryption of the audio of its phones (SRTP): off, optional (when the phone can) or required (no call without); NULL: the setting srtp decides.';
COMMENT ON COLUMN config.account.srtp_without_tls IS
    'Whether keys may travel in signalling that is not encrypted, where everybody on the way can read them.';

CREATE FUNCTION config.check_account_srtp() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.srtp NOT IN ('off', 'optional', 'required') THEN
        RAISE EXCEPTION 'account "%" cannot have srtp "%"', NEW.name, left(NEW.srtp, 60)
            USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'account',
                  HINT = 'srtp is off, optional or required; NULL: as the setting srtp says.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_account_srtp() IS 'Trigger: refuses an encryption that there is not, in words.';
CREATE TRIGGER check_row_srtp BEFORE INSERT OR UPDATE OF srtp ON config.account
    FOR EACH ROW WHEN (NEW.srtp IS NOT NULL) EXECUTE FUNCTION config.check_account_srtp();

INSERT INTO config.known_setting (key, default_value, meaning, pattern, needs) VALUES
    ('srtp', 'optional', 'Encryption of the audio (SRTP) with phones connected by TLS: off, optional: when the phone can; required: no call without.',
     '^(off|optional|required)$', 'off, optional or required');

ALTER TABLE record.leg ADD COLUMN srtp text, ADD COLUMN srtp_rejected bigint;
COMMENT ON COLUMN record.leg.srtp IS 'Suite by which its audio was encrypted at the end; NULL: it was not.';
COMMENT ON COLUMN record.leg.srtp_rejected IS 'Packets that came to the encrypted audio and did not have its key, were damaged or came again.';

CREATE OR REPLACE VIEW tandem.v_account AS
    SELECT a.name, a.display_name, a.enabled, a.context, a.max_contacts,
           (SELECT count(*) FROM live.binding b WHERE b.account = a.name AND b.expires_at > now()) AS phones,
           a.updated_at, a.updated_by,
           a.max_call, a.session_timers, a.session_expires, a.session_min_se,
           (SELECT count(*) FROM config.device d WHERE d.account = a.name) AS devices, a.acl, a.srtp, a.srtp_without_tls
    FROM config.account a
    ORDER BY a.name;
COMMENT ON COLUMN tandem.v_account.srtp IS 'Encryption of the audio: off, optional or required; empty: as the switch.';
COMMENT ON COLUMN tandem.v_account.srtp_without_tls IS 'Whether keys for it may travel in signalling without TLS.';

CREATE OR REPLACE VIEW tandem.v_leg AS
    SELECT l.started_at,
           CASE WHEN l.inbound THEN 'from' ELSE 'to' END AS direction,
           coalesce(l.account, l.number, l.contact) AS party,
           l.peer,
           l.answered,
           make_interval(secs => round(l.ring_ms / 1000.0)::double precision) AS rang,
           make_interval(secs => round(l.talk_ms / 1000.0)::double precision) AS talked,
           coalesce(l.cause_text, l.cause) AS why,
           l.ended_by, l.sip_status, l.codec,
           l.rx_packets, l.tx_packets,
           CASE WHEN l.rx_packets + l.lost_packets > 0
                THEN round(100.0 * l.lost_packets / (l.rx_packets + l.lost_packets), 2) END AS lost_percent,
           round(l.jitter_us / 1000.0, 1) AS jitter_ms,
           l.ended_at, l.call_id, l.id, l.node, l.srtp, l.srtp_rejected
    FROM record.leg l
    ORDER BY l.started_at DESC, l.id DESC;
COMMENT ON COLUMN tandem.v_leg.srtp IS 'Suite by which its audio was encrypted; empty: it was not.';
COMMENT ON COLUMN tandem.v_leg.srtp_rejected IS 'Packets without its key, damaged or sent again.';
