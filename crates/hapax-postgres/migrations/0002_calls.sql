-- What a backend does. Each function is one statement of hapax, and sets what it needs for its own transaction only,
-- so it works behind a pooler.

-- Raises the epoch of tokens unless that was done since the last recovery. 4096 epochs belong to a timeline: what an
-- asynchronous primary raised and its successor never heard of lies below the next timeline.
CREATE FUNCTION {schema}.settle_epoch() RETURNS void LANGUAGE plpgsql VOLATILE
AS $hapax$
DECLARE
    v_meta {schema}.meta;
    v_system bigint := (SELECT c.system_identifier FROM pg_control_system() c);
    v_timeline bigint;
BEGIN
    IF (SELECT c.relpersistence FROM pg_class c WHERE c.oid = '{schema}.incarnation'::regclass) <> 'u' THEN
        RAISE EXCEPTION 'the table incarnation must be unlogged: tokens would repeat after a crash'
            USING ERRCODE = 'HX002';
    END IF;
    IF EXISTS (SELECT FROM {schema}.incarnation i WHERE i.system_identifier = v_system) THEN
        RETURN;
    END IF;
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    SELECT * INTO STRICT v_meta FROM {schema}.meta FOR UPDATE;
    IF EXISTS (SELECT FROM {schema}.incarnation i WHERE i.system_identifier = v_system) THEN
        RETURN;
    END IF;
    v_timeline := ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint;
    IF v_meta.system_identifier <> v_system AND v_meta.system_identifier <> 0 THEN
        v_meta.epoch_base := v_meta.epoch + 65536 - v_timeline * 4096;
    END IF;
    v_meta.epoch := GREATEST(v_meta.epoch + 1, v_meta.epoch_base + v_timeline * 4096);
    IF v_meta.epoch >= 2147483647 THEN
        RAISE EXCEPTION 'there are no more epochs of tokens';
    END IF;
    UPDATE {schema}.meta SET epoch = v_meta.epoch, epoch_base = v_meta.epoch_base, system_identifier = v_system;
    DELETE FROM {schema}.incarnation;
    INSERT INTO {schema}.incarnation (epoch, system_identifier) VALUES (v_meta.epoch, v_system);
END $hapax$;

-- Index scans only: a plan made for an empty table must not live on. Where there is no index, that makes a plan look
-- so dear that the server would compile it each time. A pooler may have turned to a replica meanwhile.
CREATE FUNCTION {schema}.pin_plans() RETURNS void LANGUAGE plpgsql VOLATILE
AS $hapax$
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'the server is a read replica, which may answer with the past' USING ERRCODE = '25006';
    END IF;
    PERFORM set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true);
END $hapax$;

-- What every call that writes sets for its transaction.
CREATE FUNCTION {schema}.prepare_call(p_durable boolean, p_lock_ms int) RETURNS void LANGUAGE plpgsql VOLATILE
AS $hapax$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'hapax needs the isolation level read committed' USING ERRCODE = 'HX002';
    END IF;
    IF NOT p_durable THEN
        PERFORM set_config('synchronous_commit', 'off', true);
    ELSIF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    PERFORM set_config('lock_timeout', p_lock_ms::text, true);
    PERFORM {schema}.pin_plans();
END $hapax$;

-- Compares and sets. An answer for each change, in their order.
CREATE FUNCTION {schema}.submit(
    p_durable boolean, p_lock_ms int,
    p_ns bigint[], p_key bytea[], p_nonce uuid[], p_expect uuid[], p_only_leased boolean[],
    p_state smallint[], p_token bigint[], p_attempt bigint[], p_first_at bigint[], p_recorded_at bigint[],
    p_ends smallint[], p_ends_at bigint[], p_retention bigint[], p_flags smallint[],
    p_fingerprint bytea[], p_metadata bytea[], p_reason bytea[], p_body bytea[],
    p_process uuid[], p_guard smallint[], p_lease_ms bigint[], p_lease_after bigint[], p_lease_at bigint[],
    p_claimed_at bigint[], p_holder_metadata bytea[]
) RETURNS SETOF {schema}.answer LANGUAGE plpgsql VOLATILE
AS $hapax$
DECLARE
    c record;
    a {schema}.answer;
    v_row {schema}.keys;
    v_high bigint;
    v_now bigint;
    v_second bigint;
    v_target uuid;
    v_lease bigint;
    v_expires bigint;
    v_process uuid;
    v_beat bigint;
    v_started timestamptz := clock_timestamp();
BEGIN
    PERFORM {schema}.prepare_call(p_durable, p_lock_ms);
    SELECT i.epoch << 32 INTO v_high FROM {schema}.incarnation i;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the server has recovered since the epoch of tokens rose' USING ERRCODE = 'HX001';
    END IF;
    FOR c IN
        SELECT * FROM unnest(
            p_ns, p_key, p_nonce, p_expect, p_only_leased, p_state, p_token, p_attempt, p_first_at, p_recorded_at,
            p_ends, p_ends_at, p_retention, p_flags, p_fingerprint, p_metadata, p_reason, p_body, p_process, p_guard,
            p_lease_ms, p_lease_after, p_lease_at, p_claimed_at, p_holder_metadata
        ) AS t (
            ns, key, nonce, expect, only_leased, state, token, attempt, first_at, recorded_at,
            ends, ends_at, retention, flags, fingerprint, metadata, reason, body, process, guard,
            lease_ms, lease_after, lease_at, claimed_at, holder_metadata
        )
    LOOP
        v_now := {schema}.now_ms();
        v_second := v_now / 1000;
        v_target := c.expect;
        -- These numbers are those of `Draft::stamped`; a test holds them equal.
        v_lease := GREATEST(
            CASE WHEN c.lease_after > 9223372036854775807 - v_now THEN 9223372036854775807
                 ELSE v_now + c.lease_after END,
            c.lease_at);
        v_expires := CASE c.ends
            WHEN 1 THEN c.ends_at
            WHEN 2 THEN LEAST(v_second + c.ends_at, 4294967294)
            WHEN 3 THEN LEAST(COALESCE(v_lease, v_now) / 1000 + c.ends_at, 4294967294)
        END;
        a := NULL;
        a.now_ms := v_now;
        LOOP
            IF v_target IS NOT NULL THEN
                -- The server compares again under the lock of the row. It draws the token anew if the row had moved.
                UPDATE {schema}.keys k SET
                    token = CASE WHEN c.state = 5 THEN k.token
                                 ELSE COALESCE(c.token, v_high + nextval('{schema}.tokens')) END,
                    first_at = COALESCE(c.first_at, v_second),
                    recorded_at = COALESCE(c.recorded_at, v_second),
                    expires_at = v_expires,
                    retention_secs = c.retention,
                    attempt = c.attempt,
                    lease_ms = c.lease_ms,
                    lease_until = v_lease,
                    claimed_at = CASE WHEN c.guard IS NULL THEN NULL ELSE COALESCE(c.claimed_at, v_second) END,
                    state = c.state,
                    guard = c.guard,
                    flags = c.flags,
                    nonce = c.nonce,
                    process = c.process,
                    fingerprint = c.fingerprint,
                    metadata = c.metadata,
                    reason = c.reason,
                    body = c.body,
                    holder_metadata = c.holder_metadata
                WHERE k.ns = c.ns AND k.key = c.key AND k.nonce = v_target
                    AND CASE WHEN c.expect IS NULL THEN k.expires_at <= v_second
                             ELSE (k.expires_at IS NULL OR k.expires_at > v_second) END
                    AND (c.expect IS NULL OR NOT c.only_leased
                        OR LEAST(k.lease_until, {schema}.beat_of(k.process)) > v_now)
                RETURNING k.token INTO a.token;
                IF FOUND THEN
                    a.kind := CASE WHEN c.state = 5 THEN 4 ELSE 0 END;
                    EXIT;
                END IF;
            END IF;
            SELECT * INTO v_row FROM {schema}.keys k WHERE k.ns = c.ns AND k.key = c.key;
            IF NOT FOUND THEN
                IF c.expect IS NOT NULL OR c.state = 5 THEN
                    a.kind := CASE WHEN c.expect IS NOT NULL THEN 3 ELSE 4 END;
                    EXIT;
                END IF;
                INSERT INTO {schema}.keys (
                    token, first_at, recorded_at, expires_at, retention_secs, attempt, lease_ms, lease_until,
                    claimed_at, ns, state, guard, flags, nonce, process, key, fingerprint, metadata, reason, body,
                    holder_metadata
                ) VALUES (
                    COALESCE(c.token, v_high + nextval('{schema}.tokens')),
                    COALESCE(c.first_at, v_second), COALESCE(c.recorded_at, v_second),
                    v_expires, c.retention, c.attempt, c.lease_ms, v_lease,
                    CASE WHEN c.guard IS NULL THEN NULL ELSE COALESCE(c.claimed_at, v_second) END,
                    c.ns, c.state, c.guard, c.flags, c.nonce, c.process, c.key,
                    c.fingerprint, c.metadata, c.reason, c.body, c.holder_metadata
                ) ON CONFLICT DO NOTHING RETURNING token INTO a.token;
                IF FOUND THEN
                    a.kind := 0;
                    EXIT;
                END IF;
                v_target := NULL;
            ELSIF v_row.nonce = c.nonce THEN
                a.kind := CASE WHEN v_row.state = 5 THEN 4 ELSE 1 END;
                EXIT;
            ELSIF v_row.expires_at <= v_second THEN
                IF c.expect IS NOT NULL THEN
                    a.kind := 3;
                    EXIT;
                END IF;
                IF c.state = 5 THEN
                    a.kind := 4;
                    EXIT;
                END IF;
                v_target := v_row.nonce;
            ELSE
                a.kind := 2;
                EXIT;
            END IF;
        END LOOP;
        IF a.kind IN (1, 2) THEN
            a.found := v_row;
            a.beat_until := {schema}.beat_of(v_row.process);
        ELSIF a.kind = 0 THEN
            IF c.state IN (0, 3) THEN
                INSERT INTO {schema}.unsettled (ns, key) VALUES (c.ns, c.key);
            END IF;
            IF c.process IS DISTINCT FROM v_process THEN
                v_process := c.process;
                v_beat := {schema}.beat_of(v_process);
            END IF;
            a.beat_until := v_beat;
        END IF;
        RETURN NEXT a;
    END LOOP;
    -- The sweeper leaves a removed row for longer than this. So no token that was drawn before an insertion can be
    -- lower than one that another holder had and gave up in between.
    IF clock_timestamp() - v_started > interval '60 seconds' THEN
        RAISE EXCEPTION 'the statement was stopped for too long' USING ERRCODE = '40001';
    END IF;
END $hapax$;

-- The unexpired rows of these keys, in their order.
CREATE FUNCTION {schema}.look(p_ns bigint[], p_key bytea[]) RETURNS SETOF {schema}.answer LANGUAGE plpgsql VOLATILE
AS $hapax$
DECLARE
    c record;
    a {schema}.answer;
    v_row {schema}.keys;
BEGIN
    PERFORM {schema}.pin_plans();
    FOR c IN SELECT * FROM unnest(p_ns, p_key) AS t (ns, key) LOOP
        a := NULL;
        a.now_ms := {schema}.now_ms();
        a.kind := 3;
        SELECT * INTO v_row FROM {schema}.keys k WHERE k.ns = c.ns AND k.key = c.key
            AND (k.expires_at IS NULL OR k.expires_at > a.now_ms / 1000);
        IF FOUND THEN
            a.kind := 2;
            a.found := v_row;
            a.beat_until := {schema}.beat_of(v_row.process);
        END IF;
        RETURN NEXT a;
    END LOOP;
END $hapax$;

-- The next unexpired rows behind a key, up to a namespace. The first answer has the clock and no row.
CREATE FUNCTION {schema}.page(p_unsettled boolean, p_ns bigint, p_key bytea, p_last_ns bigint, p_limit bigint)
RETURNS SETOF {schema}.answer LANGUAGE plpgsql VOLATILE
AS $hapax$
DECLARE
    a {schema}.answer;
    v_row {schema}.keys;
    v_second bigint;
BEGIN
    PERFORM {schema}.pin_plans();
    a.kind := 3;
    a.now_ms := {schema}.now_ms();
    RETURN NEXT a;
    a.kind := 2;
    v_second := a.now_ms / 1000;
    IF p_unsettled THEN
        FOR v_row IN
            SELECT k.*
            FROM (
                SELECT DISTINCT u.ns, u.key FROM {schema}.unsettled u
                WHERE (u.ns, u.key) > (p_ns, p_key) AND u.ns <= p_last_ns
                OFFSET 0
            ) u
            CROSS JOIN LATERAL (
                SELECT * FROM {schema}.keys k
                WHERE k.ns = u.ns AND k.key = u.key AND k.state IN (0, 3)
                    AND (k.expires_at IS NULL OR k.expires_at > v_second)
                OFFSET 0
            ) k
            ORDER BY u.ns, u.key LIMIT p_limit
        LOOP
            a.found := v_row;
            a.beat_until := {schema}.beat_of(v_row.process);
            RETURN NEXT a;
        END LOOP;
    ELSE
        FOR v_row IN
            SELECT * FROM {schema}.keys k
            WHERE (k.ns, k.key) > (p_ns, p_key) AND k.ns <= p_last_ns
                AND (k.expires_at IS NULL OR k.expires_at > v_second)
            ORDER BY k.ns, k.key LIMIT p_limit
        LOOP
            a.found := v_row;
            a.beat_until := {schema}.beat_of(v_row.process);
            RETURN NEXT a;
        END LOOP;
    END IF;
END $hapax$;

-- The newest manifest, after this edit if it came in time.
CREATE FUNCTION {schema}.edit_manifest(p_lock_ms int, p_expect bigint, p_bytes bytea, p_ids bigint[], p_names text[])
RETURNS TABLE (revision bigint, manifest bytea) LANGUAGE plpgsql VOLATILE
AS $hapax$
#variable_conflict use_column
BEGIN
    PERFORM {schema}.prepare_call(true, p_lock_ms);
    UPDATE {schema}.meta m SET revision = p_expect + 1, manifest = p_bytes WHERE m.revision = p_expect;
    IF FOUND THEN
        DELETE FROM {schema}.namespaces n WHERE n.id <> ALL (p_ids);
        INSERT INTO {schema}.namespaces (id, name) SELECT t.id, t.name FROM unnest(p_ids, p_names) AS t (id, name)
            ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name;
    END IF;
    RETURN QUERY SELECT m.revision, m.manifest FROM {schema}.meta m WHERE m.revision > 0;
END $hapax$;

-- A sign of life. It is durable: a process that counts on it must not look dead after a crash of the server.
CREATE FUNCTION {schema}.beat(p_lock_ms int, p_process uuid, p_for_ms bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE
AS $hapax$
DECLARE
    v_now bigint;
    v_until bigint;
BEGIN
    PERFORM {schema}.prepare_call(true, p_lock_ms);
    v_now := {schema}.now_ms();
    v_until := CASE WHEN p_for_ms > 9223372036854775807 - v_now THEN 9223372036854775807 ELSE v_now + p_for_ms END;
    INSERT INTO {schema}.processes AS p (id, beat_until) VALUES (p_process, v_until)
        ON CONFLICT (id) DO UPDATE SET beat_until = EXCLUDED.beat_until WHERE p.left_at IS NULL;
    RETURN v_now;
END $hapax$;

-- The process is gone for good. Its row stays for a while, so that a late sign of life does not bring it back.
CREATE FUNCTION {schema}.leave(p_lock_ms int, p_process uuid) RETURNS void LANGUAGE plpgsql VOLATILE
AS $hapax$
BEGIN
    PERFORM {schema}.prepare_call(true, p_lock_ms);
    INSERT INTO {schema}.processes AS p (id, beat_until, left_at) VALUES (p_process, 0, {schema}.now_ms())
        ON CONFLICT (id) DO UPDATE SET beat_until = 0, left_at = EXCLUDED.left_at WHERE p.left_at IS NULL;
END $hapax$;

-- One step of the sweep, in the order of the heap: that needs no index, so a claim writes only one.
-- removed: rows that went, null while another process sweeps; wrapped: this was the last step through the table.
CREATE FUNCTION {schema}.sweep(
    p_lock_ms int, p_blocks bigint, p_grace_secs bigint, p_tidy boolean, OUT removed bigint, OUT wrapped boolean
) LANGUAGE plpgsql VOLATILE
AS $hapax$
DECLARE
    v_from bigint;
    v_size bigint := pg_relation_size('{schema}.keys') / current_setting('block_size')::bigint;
    v_now bigint := {schema}.now_ms();
    v_second bigint := v_now / 1000 - p_grace_secs;
BEGIN
    PERFORM {schema}.prepare_call(false, p_lock_ms);
    SELECT s.block INTO v_from FROM {schema}.sweeper s FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        wrapped := true;
        RETURN;
    END IF;
    IF v_from >= v_size THEN
        v_from := 0;
    END IF;
    DELETE FROM {schema}.keys k
        WHERE k.ctid = ANY (ARRAY(
            SELECT x.ctid FROM {schema}.keys x
            WHERE x.ctid >= format('(%s,0)', v_from)::tid AND x.ctid < format('(%s,0)', v_from + p_blocks)::tid
                AND x.expires_at <= v_second AND x.recorded_at <= v_second
            FOR UPDATE SKIP LOCKED))
            AND k.expires_at <= v_second AND k.recorded_at <= v_second;
    GET DIAGNOSTICS removed = ROW_COUNT;
    wrapped := v_from + p_blocks >= v_size;
    UPDATE {schema}.sweeper SET block = CASE WHEN wrapped THEN 0 ELSE v_from + p_blocks END;
    IF p_tidy THEN
        -- What a key in progress or in doubt wrote here stays, once.
        DELETE FROM {schema}.unsettled u WHERE NOT EXISTS (
            SELECT FROM {schema}.keys k WHERE k.ns = u.ns AND k.key = u.key AND k.state IN (0, 3));
        DELETE FROM {schema}.unsettled u USING {schema}.unsettled v
            WHERE u.ns = v.ns AND u.key = v.key AND u.ctid < v.ctid;
    END IF;
    IF wrapped THEN
        DELETE FROM {schema}.processes p
            WHERE p.left_at < v_now - 86400000 OR p.left_at IS NULL AND p.beat_until < v_now - 86400000;
    END IF;
END $hapax$;
