-- What the switch may use up, and whom it serves even then.

INSERT INTO config.known_setting (key, default_value, meaning, pattern, least, most, needs) VALUES
    ('max_memory', '0', 'Memory in MiB above which new requests are refused, strangers'' first; 0: half of what the machine has.',
     '^[0-9]{1,7}$', 0, 1048576, 'a number of MiB from 0 to 1048576'),
    ('emergency_numbers', '112 911 999', 'Numbers, with blanks between, that users can call however busy the switch is.',
     '^[0-9*#+]{2,20}( [0-9*#+]{2,20}){0,9}$', NULL, NULL, 'one to ten numbers with blanks between');
