-- Who holds whom at this moment; and what `none` means for hold music.

CREATE VIEW tandem.v_hold AS
    SELECT c.id AS call_id, h.at AS since, date_trunc('second', now() - h.at) AS lasts, h.detail AS words, c.node
    FROM record.call c
    CROSS JOIN LATERAL (
        SELECT e.leg_id, min(e.at) AS at, (array_agg(e.detail ORDER BY e.at DESC, e.id DESC))[1] AS detail
        FROM record.event e
        WHERE e.call_id = c.id AND e.kind = 'leg-held' AND NOT EXISTS (
            SELECT FROM record.event r
            WHERE r.call_id = c.id AND r.leg_id = e.leg_id AND r.kind = 'leg-resumed' AND (r.at, r.id) > (e.at, e.id))
        GROUP BY e.leg_id) h
    WHERE c.ended_at IS NULL AND NOT EXISTS (SELECT FROM record.leg l WHERE l.id = h.leg_id)
    ORDER BY h.at;
COMMENT ON VIEW tandem.v_hold IS 'Who holds whom in running calls, since when, and what is heard meanwhile.';
COMMENT ON COLUMN tandem.v_hold.call_id IS 'The call.';
COMMENT ON COLUMN tandem.v_hold.since IS 'Since when.';
COMMENT ON COLUMN tandem.v_hold.lasts IS 'How long that is.';
COMMENT ON COLUMN tandem.v_hold.words IS 'Who holds whom, and what is heard meanwhile.';
COMMENT ON COLUMN tandem.v_hold.node IS 'The switch on which the call is.';

COMMENT ON COLUMN config.account.music_class IS
    'Hold music for those whom its phones put on hold: a name of config.music_class; none: the other phone is told of the hold instead; NULL: the setting music_class decides.';
UPDATE config.known_setting
    SET meaning = 'Hold music for whom the phone of an account without its own puts on hold; none: the other phone is told of the hold instead.'
    WHERE key = 'music_class';
