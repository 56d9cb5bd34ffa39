-- Who may do what, by rules instead of lists, so that tables to come are covered too: `tandem db migrate` runs
-- grant_roles() at its end. Roles belong to the whole server; whoever may not make them is told who has to.

CREATE FUNCTION tandem.grant_roles() RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    role_name text;
    missing   text[] := '{}';
    t         record;
    f         record;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['tandem_admin', 'tandem_read', 'tandem_daemon'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = role_name);
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        EXCEPTION
            WHEN insufficient_privilege THEN missing := missing || role_name;
            WHEN duplicate_object OR unique_violation THEN NULL; -- another database of this server is being migrated
        END;
    END LOOP;
    REVOKE ALL ON ALL TABLES IN SCHEMA config, live, record, tandem FROM PUBLIC;
    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA config, live, record, tandem FROM PUBLIC;
    FOREACH role_name IN ARRAY ARRAY['tandem_admin', 'tandem_read', 'tandem_daemon'] LOOP
        CONTINUE WHEN role_name = ANY (missing);
        EXECUTE format('GRANT USAGE ON SCHEMA config, live, record, tandem TO %I', role_name);
    END LOOP;

    FOR t IN
        SELECT c.oid::regclass AS name, n.nspname AS place, c.relkind IN ('r', 'p') AS is_table,
               bool_or(config.is_secret_column(a.attname)) AS has_secrets,
               string_agg(quote_ident(a.attname), ', ') FILTER (WHERE NOT config.is_secret_column(a.attname)) AS plain,
               EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname = 'note_insert') AS is_config
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE n.nspname IN ('config', 'live', 'record', 'tandem') AND c.relkind IN ('r', 'p', 'v', 'm')
        GROUP BY c.oid, n.nspname, c.relkind
    LOOP
        -- people read everything but secrets
        FOREACH role_name IN ARRAY ARRAY['tandem_admin', 'tandem_read'] LOOP
            CONTINUE WHEN role_name = ANY (missing);
            IF t.has_secrets THEN -- perhaps a later migration brought them
                EXECUTE format('REVOKE SELECT ON %s FROM %I', t.name, role_name);
            END IF;
            EXECUTE format(CASE WHEN t.has_secrets THEN 'GRANT SELECT (%2$s) ON %1$s TO %3$I' ELSE 'GRANT SELECT ON %1$s TO %3$I' END,
                           t.name, t.plain, role_name);
        END LOOP;
        IF t.is_table AND NOT 'tandem_admin' = ANY (missing) THEN
            IF t.is_config THEN
                EXECUTE format('GRANT INSERT (%2$s), UPDATE (%2$s), DELETE ON %1$s TO tandem_admin', t.name, t.plain);
            ELSIF t.place IN ('live', 'record') THEN
                EXECUTE format('GRANT DELETE ON %s TO tandem_admin', t.name);
            END IF;
        END IF;
        -- the switch reads the configuration with its secrets, and writes what it finds out
        CONTINUE WHEN 'tandem_daemon' = ANY (missing);
        IF t.is_config OR NOT t.has_secrets THEN
            EXECUTE format('GRANT SELECT ON %s TO tandem_daemon', t.name);
        END IF;
        IF t.is_table AND t.place = 'live' THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO tandem_daemon', t.name);
        ELSIF t.is_table AND t.place = 'record' THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %s TO tandem_daemon', t.name);
        END IF;
    END LOOP;

    -- tandem: what people call, of which readers may call what changes nothing; live: what the switch calls
    FOR f IN
        SELECT p.oid::regprocedure AS name, n.nspname AS place, p.provolatile <> 'v' OR p.proname = 'wait_applied' AS harmless
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname IN ('config', 'live', 'tandem') AND p.prorettype <> 'trigger'::regtype AND p.proname <> 'grant_roles'
    LOOP
        IF NOT 'tandem_admin' = ANY (missing) AND (f.place = 'tandem' OR f.harmless) THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO tandem_admin', f.name);
        END IF;
        IF NOT 'tandem_read' = ANY (missing) AND f.place = 'tandem' AND f.harmless THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO tandem_read', f.name);
        END IF;
        IF NOT 'tandem_daemon' = ANY (missing) AND f.place = 'live' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO tandem_daemon', f.name);
        END IF;
    END LOOP;
    IF NOT 'tandem_daemon' = ANY (missing) THEN
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA live, record TO tandem_daemon;
    END IF;

    IF missing <> '{}' THEN
        RAISE NOTICE 'nobody but the owner, %, can use this database yet: % may not create roles. A superuser runs: %; then the owner runs: SELECT tandem.grant_roles()',
            (SELECT r.rolname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = current_database()), current_user,
            (SELECT string_agg(format('CREATE ROLE %I', m), '; ') FROM unnest(missing) m);
        RETURN format('missing: %s', array_to_string(missing, ', '));
    END IF;
    RETURN 'tandem_admin, tandem_read and tandem_daemon have their rights';
END $$;
COMMENT ON FUNCTION tandem.grant_roles() IS
    'Makes the roles where it may, and gives them their rights on all tables and functions. For the owner; `tandem db migrate` runs it.';
