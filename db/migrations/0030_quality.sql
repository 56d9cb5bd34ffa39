-- Call quality: how the audio of each leg was to listen to, both ways.

ALTER TABLE record.leg
    ADD COLUMN mos_in numeric(3,2),
    ADD COLUMN mos_out numeric(3,2),
    ADD COLUMN rtt_ms bigint,
    ADD COLUMN lost_out bigint,
    ADD COLUMN jitter_out_us bigint;
COMMENT ON COLUMN record.leg.mos_in IS
    'How its voice was to listen to where it reached the switch: mean opinion score (E-model of ITU-T G.107), 1 (bad) to 4.41; NULL: not known.';
COMMENT ON COLUMN record.leg.mos_out IS
    'How it heard the other side, by what its phone reported (RTCP): as mos_in; NULL: it reported nothing.';
COMMENT ON COLUMN record.leg.rtt_ms IS 'From the switch to its phone and back, on average; NULL: not known.';
COMMENT ON COLUMN record.leg.lost_out IS 'Packets that did not reach its phone, as that reported; NULL: it reported nothing.';
COMMENT ON COLUMN record.leg.jitter_out_us IS 'Jitter at its phone, as that last reported; NULL: it reported nothing.';

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
           l.ended_at, l.call_id, l.id, l.node, l.srtp, l.srtp_rejected,
           l.mos_in, l.mos_out, l.rtt_ms,
           -- What was lost before it came to the switch is missed by the phone, too, and was never sent to it.
           CASE WHEN l.tx_packets > 0 THEN round(100.0 * l.lost_out / (l.tx_packets + least(l.lost_out, (
               SELECT coalesce(sum(o.lost_packets), 0) FROM record.leg o WHERE o.call_id = l.call_id AND o.id <> l.id))), 2)
           END AS lost_out_percent,
           round(l.jitter_out_us / 1000.0, 1) AS jitter_out_ms
    FROM record.leg l
    ORDER BY l.started_at DESC, l.id DESC;
COMMENT ON COLUMN tandem.v_leg.mos_in IS 'How its voice was to listen to, 1 (bad) to 4.41.';
COMMENT ON COLUMN tandem.v_leg.mos_out IS 'How it heard the other side, 1 (bad) to 4.41; empty: its phone reported nothing.';
COMMENT ON COLUMN tandem.v_leg.rtt_ms IS 'From the switch to its phone and back.';
COMMENT ON COLUMN tandem.v_leg.lost_out_percent IS 'Packets that did not reach its phone, as that reported.';
COMMENT ON COLUMN tandem.v_leg.jitter_out_ms IS 'Jitter at its phone, as that reported.';
