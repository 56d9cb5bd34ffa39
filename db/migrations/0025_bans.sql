-- Bans: networks that the switch does not listen to. It makes most of them itself and keeps them here; people add and lift
-- them with functions, or with INSERT and DELETE.

CREATE TABLE live.ban (
    account text    NOT NULL DEFAULT ''
            CONSTRAINT ban_is_of_no_account CHECK (account = ''),
    network text    NOT NULL
            CONSTRAINT ban_network_is_one CHECK (network = (network::cidr)::text),
    node    integer NOT NULL DEFAULT 0,
    version bigint  NOT NULL DEFAULT 0,
    reason  text    NOT NULL DEFAULT 'by hand'
            CONSTRAINT ban_reason_is_known CHECK (reason IN ('by hand', 'passwords', 'scanner', 'garbage')),
    detail  text    CONSTRAINT ban_detail_fits CHECK (octet_length(detail) <= 159 AND detail !~ '[[:cntrl:]]'),
    tried   text,
    since   timestamptz NOT NULL DEFAULT now(),
    until   timestamptz,
    step    integer NOT NULL DEFAULT 0,
    proven  boolean NOT NULL DEFAULT true,
    PRIMARY KEY (account, network),
    CONSTRAINT ban_is_not_of_everybody CHECK (masklen(network::cidr) >= CASE family(network::cidr) WHEN 4 THEN 8 ELSE 16 END)
);
COMMENT ON TABLE live.ban IS
    'Networks that are banned, and those that were, as long as the next ban of them is longer. Read with tandem.v_ban, write with tandem.add_ban() and tandem.remove_ban().';
COMMENT ON COLUMN live.ban.account IS 'Always empty: a ban is of a network.';
COMMENT ON COLUMN live.ban.network IS 'The network, with its prefix length: 192.0.2.7/32.';
COMMENT ON COLUMN live.ban.node IS 'The switch that made it; 0: a person.';
COMMENT ON COLUMN live.ban.version IS 'When it was changed, in µs since 1970: of two versions the later one wins.';
COMMENT ON COLUMN live.ban.reason IS 'by hand; passwords: wrong answers to challenges; scanner: it said so; garbage: much that is no SIP.';
COMMENT ON COLUMN live.ban.detail IS 'Why, in words.';
COMMENT ON COLUMN live.ban.tried IS 'The user name that was tried last.';
COMMENT ON COLUMN live.ban.since IS 'When it began.';
COMMENT ON COLUMN live.ban.until IS 'When it ends; NULL: not before somebody lifts it.';
COMMENT ON COLUMN live.ban.step IS 'How many bans went before it; each is longer, and each day without offence takes one back.';
COMMENT ON COLUMN live.ban.proven IS 'false: the source may have been forged, so only its datagrams are dropped, and only for a minute.';
SELECT live.watch_table('ban', 'network');

CREATE FUNCTION tandem.add_ban(network cidr, keep interval DEFAULT NULL, reason text DEFAULT '')
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF masklen(network) < (CASE family(network) WHEN 4 THEN 8 ELSE 16 END) THEN
        RAISE EXCEPTION 'a ban of % would be one of nearly everybody', network
            USING ERRCODE = 'invalid_parameter_value', HINT = 'The largest networks are /8 of IPv4 and /16 of IPv6; an access list can refuse more (tandem.v_acl).';
    ELSIF keep <= interval '0' THEN
        RAISE EXCEPTION 'a ban cannot last for %', keep USING ERRCODE = 'invalid_parameter_value';
    ELSIF octet_length(reason) > 159 OR reason ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'the reason is longer than 159 bytes or contains control characters' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO live.ban AS b (network, detail, since, until) VALUES (add_ban.network::text, nullif(add_ban.reason, ''), clock_timestamp(), clock_timestamp() + keep)
        ON CONFLICT ON CONSTRAINT ban_pkey DO UPDATE SET reason = 'by hand', detail = excluded.detail, since = excluded.since,
            until = excluded.until, tried = NULL, step = 0, proven = true, node = 0;
    RETURN format('%s is banned %s', network, coalesce('until ' || to_char(clock_timestamp() + keep, 'YYYY-MM-DD HH24:MI:SS'), 'until somebody lifts it'));
END $$;
COMMENT ON FUNCTION tandem.add_ban(cidr, interval, text) IS
    'Bans a network: nothing that it sends is heard, until the time is over (keep; NULL: until remove_ban()). In force at once.';

CREATE FUNCTION tandem.remove_ban(network cidr)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    larger text;
BEGIN
    DELETE FROM live.ban b WHERE b.account = '' AND b.network = remove_ban.network::text;
    IF FOUND THEN
        RETURN format('the ban of %s is lifted', network);
    END IF;
    SELECT b.network INTO larger FROM live.ban b WHERE b.network::cidr >>= remove_ban.network AND (b.until IS NULL OR b.until > now()) LIMIT 1;
    RAISE EXCEPTION 'there is no ban of %', network USING ERRCODE = 'no_data_found',
        HINT = CASE WHEN larger IS NULL THEN 'tandem.v_ban lists them all.' ELSE format('It is within %s, which is banned: remove_ban(%L).', larger, larger) END;
END $$;
COMMENT ON FUNCTION tandem.remove_ban(cidr) IS 'Lifts the ban of exactly this network, and forgets that there was one. In force at once.';

CREATE VIEW tandem.v_ban AS
    SELECT b.network::cidr AS network, b.reason, b.detail, b.tried, b.since, b.until,
           date_trunc('second', b.until - now()) AS ends_in, b.node
    FROM live.ban b
    WHERE b.until IS NULL OR b.until > now()
    ORDER BY b.since DESC;
COMMENT ON VIEW tandem.v_ban IS 'Networks that are banned at this moment, the latest first.';
COMMENT ON COLUMN tandem.v_ban.network IS 'The network.';
COMMENT ON COLUMN tandem.v_ban.reason IS 'by hand, passwords, scanner or garbage.';
COMMENT ON COLUMN tandem.v_ban.detail IS 'Why, in words.';
COMMENT ON COLUMN tandem.v_ban.tried IS 'The user name that was tried last.';
COMMENT ON COLUMN tandem.v_ban.since IS 'When it began.';
COMMENT ON COLUMN tandem.v_ban.until IS 'When it ends; empty: not before somebody lifts it.';
COMMENT ON COLUMN tandem.v_ban.ends_in IS 'How long that is from now.';
COMMENT ON COLUMN tandem.v_ban.node IS 'The switch that made it; 0: a person.';

INSERT INTO config.known_setting (key, default_value, meaning, pattern, least, most, needs) VALUES
    ('ban_failures', '10', 'Wrong passwords or unknown names from one address, within ban_window, after which it is banned; 0: the switch bans nobody by itself.', '^[0-9]{1,6}$', 0, 999999, 'a number from 0 to 999999'),
    ('ban_window', '600', 'Seconds within which these are counted.', '^[0-9]{1,6}$', 1, 999999, 'a number of seconds from 1 to 999999'),
    ('ban_never', '127.0.0.0/8 ::1', 'Networks that the switch never bans by itself, with blanks between; none: there are no such.', NULL, NULL, NULL, NULL),
    ('account_rate', '200', 'Requests a second that one account may send (five seconds'' worth at once); what is above gets 503; 0: no limit.', '^[0-9]{1,6}$', 0, 999999, 'a number from 0 to 999999'),
    ('nft_set', NULL, 'FAMILY TABLE NAME of nftables sets (NAME4 and NAME6 there) that get the banned networks too: inet filter tandem; not set: none.', '^(inet|ip|ip6|bridge|netdev) [A-Za-z][A-Za-z0-9_.-]{0,62} [A-Za-z][A-Za-z0-9_.-]{0,61}$', NULL, NULL, 'FAMILY TABLE NAME, like inet filter tandem');

-- No pattern says what a network is.
CREATE FUNCTION config.check_ban_never() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    words text[] := regexp_split_to_array(btrim(NEW.value, ' ,'), '[ ,]+');
    word  text;
    fits  boolean := cardinality(words) <= 64;
BEGIN
    FOREACH word IN ARRAY words LOOP
        BEGIN
            PERFORM word::cidr;
        EXCEPTION WHEN invalid_text_representation THEN
            fits := false;
        END;
    END LOOP;
    IF NOT fits AND NEW.value <> 'none' THEN
        RAISE EXCEPTION 'the setting "%" needs networks like 192.0.2.0/24 2001:db8::/32, at most 64, or none, not "%"', NEW.key, left(NEW.value, 60)
            USING ERRCODE = 'check_violation', SCHEMA = 'config', TABLE = 'setting',
                  HINT = (SELECT k.meaning FROM config.known_setting k WHERE k.key = NEW.key);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION config.check_ban_never() IS 'Trigger: refuses a list of networks that the switch cannot read, in words.';
CREATE TRIGGER check_row_ban_never BEFORE INSERT OR UPDATE ON config.setting
    FOR EACH ROW WHEN (NEW.key = 'ban_never') EXECUTE FUNCTION config.check_ban_never();
