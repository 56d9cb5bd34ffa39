-- What people read. No view shows a hash.

CREATE VIEW tandem.v_account AS
    SELECT a.name, a.display_name, a.enabled, a.context, a.max_contacts,
           (SELECT count(*) FROM live.binding b WHERE b.account = a.name AND b.expires_at > now()) AS phones,
           a.updated_at, a.updated_by
    FROM config.account a
    ORDER BY a.name;
COMMENT ON VIEW tandem.v_account IS 'Accounts, and how many phones each has registered.';
COMMENT ON COLUMN tandem.v_account.phones IS 'Registered phones at this moment.';

CREATE VIEW tandem.v_setting AS
    SELECT s.key, s.value, s.updated_at, s.updated_by FROM config.setting s ORDER BY s.key;
COMMENT ON VIEW tandem.v_setting IS 'Settings of the whole switch.';

CREATE VIEW tandem.v_registration AS
    SELECT b.account, a.display_name, b.contact_uri AS contact, b.peer, b.user_agent,
           date_trunc('second', b.expires_at - now()) AS expires_in, b.updated_at AS registered_at, b.node
    FROM live.binding b LEFT JOIN config.account a ON a.name = b.account
    WHERE b.expires_at > now()
    ORDER BY b.account, b.updated_at;
COMMENT ON VIEW tandem.v_registration IS 'Phones that are registered at this moment.';
COMMENT ON COLUMN tandem.v_registration.expires_in IS 'Time until it ends unless the phone registers again.';

CREATE VIEW tandem.v_call AS
    SELECT c.started_at,
           coalesce(c.from_account, c.from_number, 'unknown')
               || CASE WHEN c.from_name <> '' THEN ' (' || c.from_name || ')' ELSE '' END AS caller,
           c.dialled,
           c.answered_by,
           CASE WHEN c.ended_at IS NULL THEN 'running'
                WHEN c.cause = 'switch-stopped' THEN 'cut off'
                WHEN c.answered THEN 'answered'
                ELSE 'not answered' END AS result,
           make_interval(secs => round(c.ring_ms / 1000.0)::double precision) AS rang,
           make_interval(secs => round(c.talk_ms / 1000.0)::double precision) AS talked,
           coalesce(c.cause_text, c.cause) AS why,
           c.ended_by,
           c.sip_status,
           c.ended_at,
           c.id,
           c.node
    FROM record.call c
    ORDER BY c.started_at DESC, c.id DESC;
COMMENT ON VIEW tandem.v_call IS 'Calls, the newest first: one row each.';
COMMENT ON COLUMN tandem.v_call.result IS 'running, answered, not answered, or cut off (by a stop of the switch).';
COMMENT ON COLUMN tandem.v_call.why IS 'Why it ended, in words.';

CREATE VIEW tandem.v_leg AS
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
           l.ended_at, l.call_id, l.id, l.node
    FROM record.leg l
    ORDER BY l.started_at DESC, l.id DESC;
COMMENT ON VIEW tandem.v_leg IS 'Legs of calls, the newest first, with how the audio was.';
COMMENT ON COLUMN tandem.v_leg.direction IS 'from: this party called the switch; to: the switch called this party.';
COMMENT ON COLUMN tandem.v_leg.lost_percent IS 'RTP packets from the party that never came, in percent.';
