-- Subscriptions of phones (lamps, message waiting …): how many an account may have, and those that go on after a restart.

INSERT INTO config.known_setting (key, default_value, meaning, pattern, least, most, needs) VALUES
    ('max_subscriptions', '500', 'Subscriptions (lamps, message waiting …) that the phones of one account may have at a time; 0: no limit.',
     '^[0-9]{1,6}$', 0, 100000, 'a number from 0 to 100000');

CREATE TABLE live.subscription (
    account     text    NOT NULL CONSTRAINT subscription_account_fits CHECK (octet_length(account) <= 63),
    key         text    NOT NULL CONSTRAINT subscription_key_fits CHECK (octet_length(key) <= 1000),
    node        integer NOT NULL DEFAULT 0,
    version     bigint  NOT NULL DEFAULT 0,
    package     text    NOT NULL,
    id          text,
    resource    text    NOT NULL,
    type        text    NOT NULL,
    expires_at  timestamptz NOT NULL,
    notified    bigint  NOT NULL DEFAULT 0,
    inbound     boolean NOT NULL,
    call_id     text    NOT NULL,
    local       text    NOT NULL,
    remote      text    NOT NULL,
    target      text    NOT NULL,
    route       text    NOT NULL,
    flow        text    NOT NULL,
    contact     text    NOT NULL,
    cseq        bigint  NOT NULL,
    remote_cseq bigint  NOT NULL,
    PRIMARY KEY (account, key)
);
COMMENT ON TABLE live.subscription IS
    'Subscriptions of phones (RFC 6665) that go on after a restart of the switch. Read with tandem.v_subscription; deleting one ends it.';
COMMENT ON COLUMN live.subscription.account IS 'Whose phone subscribed.';
COMMENT ON COLUMN live.subscription.key IS 'Call-ID, package and id.';
COMMENT ON COLUMN live.subscription.node IS 'The switch that holds it.';
COMMENT ON COLUMN live.subscription.version IS 'When it was changed, in µs since 1970: of two versions the later one wins.';
COMMENT ON COLUMN live.subscription.package IS 'The event package.';
COMMENT ON COLUMN live.subscription.id IS 'id parameter of its Event header.';
COMMENT ON COLUMN live.subscription.resource IS 'What is watched.';
COMMENT ON COLUMN live.subscription.type IS 'Type of the bodies that the phone gets.';
COMMENT ON COLUMN live.subscription.expires_at IS 'When it ends unless the phone refreshes it.';
COMMENT ON COLUMN live.subscription.notified IS 'NOTIFYs with a body when the row was written.';
COMMENT ON COLUMN live.subscription.inbound IS 'The phone began the dialog.';
COMMENT ON COLUMN live.subscription.call_id IS 'Call-ID of the dialog.';
COMMENT ON COLUMN live.subscription.local IS 'Our side of the dialog, with its tag.';
COMMENT ON COLUMN live.subscription.remote IS 'The phone''s side of the dialog, with its tag.';
COMMENT ON COLUMN live.subscription.target IS 'Contact of the phone.';
COMMENT ON COLUMN live.subscription.route IS 'Route set behind the switch.';
COMMENT ON COLUMN live.subscription.flow IS 'The way on which the phone was last heard.';
COMMENT ON COLUMN live.subscription.contact IS 'Our Contact.';
COMMENT ON COLUMN live.subscription.cseq IS 'Our CSeq when the row was written.';
COMMENT ON COLUMN live.subscription.remote_cseq IS 'CSeq of the phone''s last SUBSCRIBE.';
SELECT live.watch_table('subscription', 'key');

CREATE VIEW tandem.v_subscription AS
    SELECT s.account, s.package, s.resource, s.expires_at, date_trunc('second', s.expires_at - now()) AS ends_in,
           s.target AS contact, s.node
    FROM live.subscription s
    WHERE s.expires_at > now()
    ORDER BY s.account, s.package, s.resource;
COMMENT ON VIEW tandem.v_subscription IS 'What phones watch at this moment (lamps, message waiting …), but for what belongs to a call.';
COMMENT ON COLUMN tandem.v_subscription.account IS 'Whose phone watches.';
COMMENT ON COLUMN tandem.v_subscription.package IS 'The kind of event.';
COMMENT ON COLUMN tandem.v_subscription.resource IS 'What is watched.';
COMMENT ON COLUMN tandem.v_subscription.expires_at IS 'When it ends unless the phone refreshes it.';
COMMENT ON COLUMN tandem.v_subscription.ends_in IS 'How long that is from now.';
COMMENT ON COLUMN tandem.v_subscription.contact IS 'The phone.';
COMMENT ON COLUMN tandem.v_subscription.node IS 'The switch that holds it.';
