-- Transfer by codes that are typed in a call.

INSERT INTO config.known_setting (key, default_value, meaning, pattern, least, most, needs) VALUES
    ('transfer_code_blind', '*1', 'What a phone of an account types in a call to hand the other party over to the number that follows; none: there is no such code.',
     '^(none|[0-9*#A-D]{2,7})$', NULL, NULL, '2 to 7 keys (0-9 * # A-D), or none'),
    ('transfer_code_attended', '*2', 'What a phone of an account types in a call to talk to the number that follows, and to hand the other party over by hanging up; none: there is no such code.',
     '^(none|[0-9*#A-D]{2,7})$', NULL, NULL, '2 to 7 keys (0-9 * # A-D), or none'),
    ('transfer_pause', '3', 'Seconds after the last key of such a number until it is taken as complete; # ends it at once.',
     '^[0-9]{1,2}$', 1, 30, 'a number of seconds from 1 to 30');
