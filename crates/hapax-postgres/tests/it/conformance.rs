//! The contract, over a real server: the tests of `hapax-conformance`.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hapax::backend::{
    Answered, Backend, Change, KeyRef, ManifestEdit, Outcome, PageQuery, Reply, Row, Stored,
    StoredManifest, Task, unavailable,
};
use hapax::{OpenOptions, Store};
use hapax_conformance::{Capabilities, Settings, World};
use hapax_postgres::Postgres;

use crate::cluster::{Cluster, runtime};
use crate::world::{Sql, options};

/// Longer than any test moves the clock: a jump would be a gap in the signs of life.
const SILENCE: Duration = Duration::from_secs(400 * 365 * 86_400);

/// How long nothing may happen until a world rests.
const QUIET_MS: u64 = 10;

/// What is added to the monotonic clocks of all processes of a world, and who sleeps by them.
#[derive(Debug, Default)]
struct Clock {
    skew_ms: AtomicU64,
    sleepers: Mutex<Vec<Waker>>,
    /// Calls without an answer.
    calls: AtomicUsize,
}

/// The backend of one process, with a clock that a test moves.
#[derive(Debug)]
struct Moved {
    server: Arc<Postgres>,
    clock: Arc<Clock>,
    dead: Arc<AtomicBool>,
}

/// Ends when the moved clock says so.
struct Nap {
    moved: Arc<Postgres>,
    clock: Arc<Clock>,
    until_ms: u64,
    real: Task,
}

/// Counts a call until it is answered, or given up.
struct Counted<T> {
    reply: Reply<T>,
    clock: Arc<Clock>,
}

impl<T> Future for Counted<T> {
    type Output = hapax::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.reply.as_mut().poll(cx)
    }
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        self.clock.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Future for Nap {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut sleepers = self.clock.sleepers.lock().expect("no sleeper panicked");
        let now_ms = self.moved.mono_ms() + self.clock.skew_ms.load(Ordering::SeqCst);
        if now_ms >= self.until_ms {
            return Poll::Ready(());
        }
        sleepers.push(cx.waker().clone());
        drop(sleepers);
        self.real.as_mut().poll(cx)
    }
}

impl Moved {
    fn call<T: Send + 'static>(&self, send: impl FnOnce(&Postgres) -> Reply<T>) -> Reply<T> {
        if self.dead.load(Ordering::SeqCst) {
            return Box::pin(async { Err(unavailable("the process is dead")) });
        }
        self.clock.calls.fetch_add(1, Ordering::SeqCst);
        let (reply, clock) = (send(&self.server), Arc::clone(&self.clock));
        Box::pin(Counted { reply, clock })
    }
}

impl Backend for Moved {
    fn name(&self) -> &'static str {
        self.server.name()
    }

    fn submit(&self, changes: Vec<Change>) -> Reply<Answered<Vec<Outcome>>> {
        self.call(|server| server.submit(changes))
    }

    fn read(&self, keys: Vec<KeyRef>) -> Reply<Answered<Vec<Option<Row>>>> {
        self.call(|server| server.read(keys))
    }

    fn page(&self, query: PageQuery) -> Reply<Answered<Vec<Stored>>> {
        self.call(|server| server.page(query))
    }

    fn manifest(&self, edit: Option<ManifestEdit>) -> Reply<Option<StoredManifest>> {
        self.call(|server| server.manifest(edit))
    }

    fn watch(&self, keys: Vec<KeyRef>) -> Task {
        self.server.watch(keys)
    }

    fn beat(&self, process: u128, for_ms: u64) -> Reply<u64> {
        self.call(|server| server.beat(process, for_ms))
    }

    fn leave(&self, process: u128) -> Reply<()> {
        self.call(|server| server.leave(process))
    }

    fn spawn(&self, task: Task) {
        self.server.spawn(task);
    }

    fn sleep(&self, span_ms: u64) -> Task {
        Box::pin(Nap {
            moved: Arc::clone(&self.server),
            clock: Arc::clone(&self.clock),
            until_ms: self.mono_ms().saturating_add(span_ms),
            real: self.server.sleep(span_ms.min(86_400_000)),
        })
    }

    fn mono_ms(&self) -> u64 {
        self.server.mono_ms() + self.clock.skew_ms.load(Ordering::SeqCst)
    }

    fn close(&self) {
        self.server.close();
    }
}

/// A schema of the shared server, whose clock a test moves.
struct PostgresWorld {
    settings: Settings,
    schema: String,
    sql: Sql,
    clock: Arc<Clock>,
    /// The processes that ran, and whether each is dead.
    dead: Mutex<Vec<Arc<AtomicBool>>>,
    beside: Arc<Postgres>,
}

impl PostgresWorld {
    fn on(cluster: &Cluster, settings: &Settings) -> Self {
        static WORLDS: AtomicUsize = AtomicUsize::new(0);
        let schema = format!("contract_{}", WORLDS.fetch_add(1, Ordering::SeqCst));
        let options = options(&schema).migrate(true).connections(1);
        let beside = hapax_postgres::backend(&cluster.url(), &options);
        let sql = Sql::open(&cluster.url());
        sql.run(&format!(
            "CREATE TABLE {schema}.skew (ms bigint); INSERT INTO {schema}.skew VALUES (0);
             CREATE OR REPLACE FUNCTION {schema}.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
             $$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
                + (SELECT ms FROM {schema}.skew) $$"
        ));
        Self {
            settings: settings.clone(),
            schema,
            sql,
            clock: Arc::default(),
            dead: Mutex::default(),
            beside: beside.expect("the server runs"),
        }
    }

    fn quiet(&self) {
        let runtime = runtime();
        let mut quiet_ms = 0;
        while quiet_ms < QUIET_MS {
            runtime.block_on(self.beside.sleep(1));
            quiet_ms += 1;
            if self.clock.calls.load(Ordering::SeqCst) > 0 {
                quiet_ms = 0;
            }
        }
    }
}

impl World for PostgresWorld {
    fn another(&self, settings: &Settings) -> Box<dyn World> {
        let cluster = Cluster::shared().expect("there was one");
        Box::new(Self::on(cluster, settings))
    }

    fn open(&self) -> Store {
        let cluster = Cluster::shared().expect("there was one");
        let dead = Arc::new(AtomicBool::new(false));
        self.dead
            .lock()
            .expect("no test panicked")
            .push(Arc::clone(&dead));
        let options = options(&self.schema).connections(2);
        let server = hapax_postgres::backend(&cluster.url(), &options);
        let moved = Moved {
            server: server.expect("the server runs"),
            clock: Arc::clone(&self.clock),
            dead,
        };
        // Callers that wait look again within the time for which a world has to be quiet.
        let options = OpenOptions::new().heartbeat(SILENCE);
        let mut options = options.poll(Duration::from_millis(1), Duration::from_millis(2));
        if let Some(limits) = self.settings.limits_asked() {
            options = options.limits(limits.clone());
        }
        Store::over(Arc::new(moved), options).expect("the server runs")
    }

    fn advance(&self, by: Duration) {
        self.quiet();
        let ms = u64::try_from(by.as_millis()).expect("it is not that long");
        let schema = &self.schema;
        self.sql
            .run(&format!("UPDATE {schema}.skew SET ms = ms + {ms}"));
        self.clock.skew_ms.fetch_add(ms, Ordering::SeqCst);
        let sleepers = std::mem::take(&mut *self.clock.sleepers.lock().expect("no test panicked"));
        for sleeper in sleepers {
            sleeper.wake();
        }
        self.quiet();
    }

    fn crash(&self, store: Store) {
        for dead in &*self.dead.lock().expect("no test panicked") {
            dead.store(true, Ordering::SeqCst);
        }
        drop(store);
        // Its last sign of life was one of the usual kind.
        let schema = &self.schema;
        self.sql.run(&format!(
            "UPDATE {schema}.processes SET beat_until = LEAST(beat_until, {schema}.now_ms() + 10000)"
        ));
    }

    fn let_orphans_end(&self) {
        // Longer than the longest lease of a test.
        self.advance(Duration::from_secs(601));
    }

    fn rest(&self) {
        self.quiet();
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
}

/// Only where `HAPAX_CONFORMANCE` is set: a world over a real server cannot always tell that nothing moves any more,
/// so a case that waits may look too early.
fn run_case(name: &str) {
    if std::env::var_os("HAPAX_CONFORMANCE").is_none() {
        return;
    }
    if let Some(cluster) = Cluster::shared() {
        hapax_conformance::run(&PostgresWorld::on(cluster, &Settings::new()), name);
    }
}

hapax_conformance::every_case!(hapax_conformance::make_tests);
