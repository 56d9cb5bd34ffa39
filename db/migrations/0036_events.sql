-- Subscriptions of phones.

INSERT INTO config.known_setting (key, default_value, meaning, pattern, least, most, needs) VALUES
    ('max_subscriptions', '500', 'Subscriptions (lamps, message waiting …) that the phones of one account may have at a time; 0: no limit.',
     '^[0-9]{1,6}$', 0, 100000, 'a number from 0 to 100000');
