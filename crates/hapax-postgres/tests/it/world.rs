//! [`World`]: a schema of one test, a backend on it, and a session beside it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hapax::backend::{
    Answered, Backend, Begins, Change, Draft, DraftRun, Ends, Expect, HolderGuard, KeyRef,
    LeaseEnd, Next, Outcome, Row, RowState,
};
use hapax_postgres::{Options, Postgres};
use tokio::runtime::Runtime;
use tokio_postgres::types::FromSqlOwned;
use tokio_postgres::{Client, NoTls};

use crate::cluster::{Cluster, runtime};

/// How long any answer may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A session beside the backend.
pub(crate) struct Sql {
    runtime: Runtime,
    client: Client,
}

impl Sql {
    pub(crate) fn open(url: &str) -> Self {
        let runtime = runtime();
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("it runs");
            drop(tokio::spawn(connection));
            client
        });
        Self { runtime, client }
    }

    pub(crate) fn run(&self, text: &str) {
        let done = self.runtime.block_on(self.client.batch_execute(text));
        done.unwrap_or_else(|error| panic!("{text}: {error:?}"));
    }

    /// The code with which the server refuses it.
    pub(crate) fn refused(&self, text: &str) -> String {
        let done = self.runtime.block_on(self.client.batch_execute(text));
        let error = done.expect_err("the server refuses it");
        let code = error.code().map(|code| code.code().to_owned());
        code.unwrap_or_else(|| error.to_string())
    }

    pub(crate) fn get<T: FromSqlOwned>(&self, text: &str) -> T {
        let row = self.runtime.block_on(self.client.query_one(text, &[]));
        row.unwrap_or_else(|error| panic!("{text}: {error:?}"))
            .get(0)
    }
}

/// A schema of one test, a backend on it, and a session beside it.
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) schema: String,
    pub(crate) server: Arc<Postgres>,
    pub(crate) sql: Sql,
    runtime: Runtime,
}

impl World {
    /// On the shared server; `None` where PostgreSQL is not installed.
    pub(crate) fn new(schema: &str) -> Option<Self> {
        Some(Self::on(Cluster::shared()?, schema))
    }

    pub(crate) fn on(cluster: &Cluster, schema: &str) -> Self {
        let url = cluster.url();
        let server = hapax_postgres::backend(&url, &options(schema).migrate(true));
        Self {
            server: server.expect("the server runs"),
            sql: Sql::open(&url),
            schema: schema.to_owned(),
            url,
            runtime: runtime(),
        }
    }

    /// Another process, as far as the server can tell.
    pub(crate) fn other(&self) -> Arc<Postgres> {
        let opened = hapax_postgres::backend(&self.url, &options(&self.schema));
        opened.expect("the schema is there")
    }

    /// Waits for an answer, within reason.
    pub(crate) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        let answer = async { tokio::time::timeout(PATIENCE, answer).await };
        self.runtime.block_on(answer).expect("an answer comes")
    }

    /// Looks again and again until it holds.
    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let limit = u64::try_from(PATIENCE.as_millis()).expect("it is short");
        let until = self.server.mono_ms() + limit;
        while !holds() {
            assert!(self.server.mono_ms() < until, "{what}");
            self.wait(self.server.sleep(5));
        }
    }

    pub(crate) fn submit(&self, change: Change) -> Outcome {
        self.submit_at(change).found
    }

    pub(crate) fn submit_at(&self, change: Change) -> Answered<Outcome> {
        let answered = self.wait(self.server.submit(vec![change]));
        let mut answered = answered.expect("the server runs");
        Answered {
            now_ms: answered.now_ms,
            found: answered.found.pop().expect("one change, one outcome"),
        }
    }

    pub(crate) fn read(&self, key: &KeyRef) -> Option<Row> {
        let answered = self.wait(self.server.read(vec![key.clone()]));
        let mut answered = answered.expect("the server runs");
        answered.found.pop().expect("one key, one answer")
    }

    /// Writes a row of this draft, whatever is there.
    pub(crate) fn put(&self, key: &KeyRef, draft: Draft) -> Row {
        let change = Change {
            durable: false,
            ..absent_to(key, draft)
        };
        done(self.submit(change)).expect("a row was written")
    }

    /// The number of this text in the schema of the test: `{s}` stands for it.
    pub(crate) fn count(&self, text: &str) -> i64 {
        self.sql.get(&text.replace("{s}", &self.schema))
    }

    pub(crate) fn run(&self, text: &str) {
        self.sql.run(&text.replace("{s}", &self.schema));
    }

    /// From now on the clock of the server can be moved.
    pub(crate) fn hold_clock(&self) {
        self.run(
            "CREATE TABLE {s}.skew (ms bigint); INSERT INTO {s}.skew VALUES (0);
             CREATE OR REPLACE FUNCTION {s}.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
             $$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint + (SELECT ms FROM {s}.skew) $$",
        );
    }

    pub(crate) fn advance(&self, ms: i64) {
        self.run(&format!("UPDATE {{s}}.skew SET ms = ms + {ms}"));
    }

    /// From now on the clock of the server stands.
    pub(crate) fn stop_clock(&self, ms: u64) {
        self.run(&format!(
            "CREATE OR REPLACE FUNCTION {{s}}.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
             $$ SELECT {ms}::bigint $$"
        ));
    }
}

/// Options that leave the sweep to the test.
pub(crate) fn options(schema: &str) -> Options {
    Options::new().schema(schema).sweep(false)
}

pub(crate) fn nonce() -> u128 {
    fastrand::u128(1..)
}

pub(crate) fn key(name: &str) -> KeyRef {
    KeyRef {
        namespace: 7,
        key: Arc::from(name.as_bytes()),
    }
}

pub(crate) fn bytes(text: &str) -> Arc<[u8]> {
    Arc::from(text.as_bytes())
}

/// A settled row.
pub(crate) fn completed(body: &str) -> Draft {
    Draft {
        state: RowState::Completed,
        token: None,
        attempt: 1,
        first_claimed_at: Begins::Now,
        recorded_at: Begins::Now,
        expires: Ends::After(3600),
        retention_secs: 0,
        body_omitted: false,
        attached: false,
        fingerprint: bytes("fp"),
        metadata: bytes("meta"),
        reason: bytes(""),
        body: bytes(body),
        run: None,
    }
}

/// A running row, of no process.
pub(crate) fn running(lease_ms: u64) -> Draft {
    Draft {
        state: RowState::InProgress,
        expires: Ends::AfterLease(3600),
        run: Some(DraftRun {
            process: 0,
            guard: HolderGuard::Lease,
            lease_ms,
            lease_ends: LeaseEnd::AfterMs(lease_ms),
            claimed_at: Begins::Now,
            metadata: bytes("holder"),
        }),
        ..completed("")
    }
}

/// A running row of this process.
pub(crate) fn running_of(process: u128, lease_ms: u64) -> Draft {
    let mut draft = running(lease_ms);
    if let Some(run) = &mut draft.run {
        run.process = process;
    }
    draft
}

fn change(key: &KeyRef, expect: Expect, next: Next) -> Change {
    Change {
        key: key.clone(),
        nonce: nonce(),
        expect,
        only_leased: false,
        durable: true,
        next,
    }
}

pub(crate) fn absent_to(key: &KeyRef, draft: Draft) -> Change {
    change(key, Expect::Absent, Next::Row(Box::new(draft)))
}

pub(crate) fn row_to(key: &KeyRef, nonce: u128, draft: Draft) -> Change {
    change(key, Expect::Row(nonce), Next::Row(Box::new(draft)))
}

pub(crate) fn removal(key: &KeyRef, nonce: u128) -> Change {
    change(key, Expect::Row(nonce), Next::Absent)
}

pub(crate) fn absent_to_absent(key: &KeyRef) -> Change {
    change(key, Expect::Absent, Next::Absent)
}

/// The row of a change that was carried out.
pub(crate) fn done(outcome: Outcome) -> Option<Row> {
    match outcome {
        Outcome::Done(row) => row,
        Outcome::Other(row) => panic!("something else is there: {row:?}"),
    }
}

/// The row in the way of a change.
pub(crate) fn other(outcome: Outcome) -> Option<Row> {
    match outcome {
        Outcome::Other(row) => row,
        Outcome::Done(row) => panic!("it was carried out: {row:?}"),
    }
}
