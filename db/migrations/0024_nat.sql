-- Phones behind routers: keep-alives, phones that stopped answering, SIP ALG.

INSERT INTO config.known_setting (key, default_value, meaning, pattern, least, most, needs) VALUES
    ('phone_keepalive', '25', 'Seconds between two keep-alives to a registered phone behind a router, at most: routers that forget sooner are noticed, and asked more often; 0: none.', '^[0-9]{1,7}$', 0, 3600, 'a number from 0 to 3600'),
    ('phone_keepalive_all', '0', '1: keep-alives go to all registered phones, not only to those behind routers.', '^[0-9]{1,7}$', 0, 1, 'a number from 0 to 1'),
    ('unreachable_after', '3', 'Keep-alives in a row that a phone may leave unanswered; then calls to it fail at once, until it answers or registers again; 0: it is called all the same.', '^[0-9]{1,7}$', 0, 100, 'a number from 0 to 100');

ALTER TABLE live.binding ADD COLUMN keepalive_ms integer, ADD COLUMN unreachable_since timestamptz, ADD COLUMN sip_alg text;
COMMENT ON COLUMN live.binding.keepalive_ms IS 'How long the router in front of the phone may be left without a message, as far as is known, in ms; NULL: no keep-alives.';
COMMENT ON COLUMN live.binding.unreachable_since IS 'Since when it has not answered keep-alives; NULL: it answers, or is not asked.';
COMMENT ON COLUMN live.binding.sip_alg IS 'Why its router is known to rewrite SIP (SIP ALG), in words; NULL: nothing points to that.';

CREATE OR REPLACE VIEW tandem.v_registration AS
    SELECT b.account, a.display_name, b.contact_uri AS contact, b.peer, b.user_agent,
           date_trunc('second', b.expires_at - now()) AS expires_in, b.updated_at AS registered_at, b.node, b.device,
           b.unreachable_since, b.keepalive_ms * interval '1 ms' AS keepalive, b.sip_alg
    FROM live.binding b LEFT JOIN config.account a ON a.name = b.account
    WHERE b.expires_at > now()
    ORDER BY b.account, b.updated_at;
COMMENT ON COLUMN tandem.v_registration.unreachable_since IS 'Since when the phone has not answered keep-alives; NULL: it answers, or is not asked.';
COMMENT ON COLUMN tandem.v_registration.keepalive IS 'At most so long between two keep-alives, as its router needs it; NULL: none.';
COMMENT ON COLUMN tandem.v_registration.sip_alg IS 'Why its router is known to rewrite SIP (SIP ALG); NULL: nothing points to that.';
