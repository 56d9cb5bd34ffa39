-- Who may do what. Three group roles without login; give a person one with: GRANT tandem_admin TO anna.
-- Roles belong to the whole server: when the migrating user may not create them, the database works without.

DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['tandem_admin', 'tandem_read', 'tandem_daemon'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION
                WHEN insufficient_privilege THEN
                    RAISE NOTICE 'role % was not made: % may not create roles. Only the owner of the database can use it until a superuser makes the role and grants it rights', role_name, current_user;
                WHEN duplicate_object OR unique_violation THEN
                    NULL; -- another database of this server is being migrated at the same time
            END;
        END IF;
    END LOOP;
END $$;

REVOKE ALL ON ALL TABLES IN SCHEMA config, live, record, tandem FROM PUBLIC;
REVOKE ALL (ha1_md5, ha1_sha256) ON config.account FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA config, tandem FROM PUBLIC;

DO $$
DECLARE
    has_admin  boolean := EXISTS (SELECT FROM pg_roles WHERE rolname = 'tandem_admin');
    has_read   boolean := EXISTS (SELECT FROM pg_roles WHERE rolname = 'tandem_read');
    has_daemon boolean := EXISTS (SELECT FROM pg_roles WHERE rolname = 'tandem_daemon');
    reader     text;
BEGIN
    FOREACH reader IN ARRAY ARRAY['tandem_read', 'tandem_admin'] LOOP
        CONTINUE WHEN NOT CASE reader WHEN 'tandem_read' THEN has_read ELSE has_admin END;
        EXECUTE format('GRANT USAGE ON SCHEMA config, live, record, tandem TO %I', reader);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA live, record, tandem TO %I', reader);
        EXECUTE format('GRANT SELECT ON config.generation, config.change, config.setting TO %I', reader);
        EXECUTE format('GRANT SELECT (name, display_name, realm, enabled, context, max_contacts, updated_at, updated_by) ON config.account TO %I', reader);
    END LOOP;
    IF has_admin THEN
        GRANT INSERT, UPDATE, DELETE ON config.setting TO tandem_admin;
        GRANT UPDATE (display_name, enabled, context, max_contacts), DELETE ON config.account TO tandem_admin;
        GRANT DELETE ON live.binding, record.call, record.leg, record.event TO tandem_admin;
        GRANT EXECUTE ON FUNCTION tandem.add_account, tandem.set_password, tandem.set_account_enabled,
            tandem.remove_account, tandem.set_setting TO tandem_admin;
    END IF;
    IF has_daemon THEN
        GRANT USAGE ON SCHEMA config, live, record, tandem TO tandem_daemon;
        GRANT SELECT ON ALL TABLES IN SCHEMA config, tandem TO tandem_daemon;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA live TO tandem_daemon;
        GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA record TO tandem_daemon;
    END IF;
END $$;

-- So that people can write add_account(…) and v_call without the schema.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = tandem, config, live, record, public', current_database());
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'the search path of this database was not set (% does not own it): write tandem.v_call, not v_call', current_user;
END $$;
