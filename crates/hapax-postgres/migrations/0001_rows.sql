-- The rows of a store, and what compares and sets them. Nothing here knows a rule of the contract: hapax decides.
-- {schema} becomes the quoted name of the schema.

CREATE TABLE {schema}.meta (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    format int NOT NULL,
    revision bigint NOT NULL DEFAULT 0,
    manifest bytea NOT NULL DEFAULT '',
    system_identifier bigint NOT NULL DEFAULT 0,
    epoch_base bigint NOT NULL DEFAULT 0,
    epoch bigint NOT NULL DEFAULT 0
);

-- Unlogged on purpose: a crash, a promotion and a restored copy all end in recovery, and recovery empties it. Then
-- acknowledged tokens may be missing from the log, so no token is drawn until the epoch has risen.
CREATE UNLOGGED TABLE {schema}.incarnation (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL,
    system_identifier bigint NOT NULL
);

-- No cache: a session that keeps numbers back would draw them out of order.
CREATE SEQUENCE {schema}.tokens AS bigint CACHE 1;

-- For those who read the rows without hapax.
CREATE TABLE {schema}.namespaces (
    id bigint PRIMARY KEY,
    name text NOT NULL
);

CREATE TABLE {schema}.processes (
    id uuid PRIMARY KEY,
    beat_until bigint NOT NULL,
    left_at bigint
) WITH (fillfactor = 50);

-- Only the primary key is an index, so every change of a row can stay in its page (HOT).
CREATE TABLE {schema}.keys (
    token bigint NOT NULL,
    first_at bigint NOT NULL,
    recorded_at bigint NOT NULL,
    expires_at bigint,
    retention_secs bigint NOT NULL,
    attempt bigint NOT NULL,
    lease_ms bigint,
    lease_until bigint,
    claimed_at bigint,
    ns bigint NOT NULL,
    -- 0 in progress, 1 completed, 2 failed, 3 in doubt, 4 released, 5 removed
    state smallint NOT NULL,
    -- 0 lease, 1 ticket, 2 gone
    guard smallint,
    -- 1 the body was omitted, 2 the ticket was attached
    flags smallint NOT NULL,
    nonce uuid NOT NULL,
    process uuid,
    key bytea NOT NULL,
    fingerprint bytea NOT NULL,
    metadata bytea NOT NULL,
    reason bytea NOT NULL,
    body bytea NOT NULL,
    holder_metadata bytea,
    PRIMARY KEY (ns, key)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

-- Every key in progress or in doubt is here at least once; settled ones leave when the sweeper comes by. So a
-- completion writes nothing here, and the list of unsettled keys needs no scan of all.
CREATE TABLE {schema}.unsettled (
    ns bigint NOT NULL,
    key bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Where the next step of the sweep starts. Its lock lets one process sweep at a time.
CREATE TABLE {schema}.sweeper (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    block bigint NOT NULL
) WITH (fillfactor = 10);

INSERT INTO {schema}.meta (format) VALUES (0);
INSERT INTO {schema}.sweeper (block) VALUES (0);

-- kind: 0 carried out now, 1 carried out before, 2 another row is there, 3 no row is there, 4 removed
CREATE TYPE {schema}.answer AS (
    kind smallint,
    now_ms bigint,
    token bigint,
    beat_until bigint,
    found {schema}.keys
);

-- The only clock that decides. Tests put another one in its place.
CREATE FUNCTION {schema}.now_ms() RETURNS bigint LANGUAGE sql VOLATILE
AS $$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

-- When this process ends without a sign of life; null where a run does not end with a process.
CREATE FUNCTION {schema}.beat_of(p_process uuid) RETURNS bigint LANGUAGE plpgsql VOLATILE
AS $hapax$
DECLARE
    v_until bigint;
BEGIN
    IF p_process IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT p.beat_until INTO v_until FROM {schema}.processes p WHERE p.id = p_process;
    RETURN COALESCE(v_until, 0);
END $hapax$;
