//! [`Postgres`]: a PostgreSQL server that keeps the rows of a store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hapax::backend::{
    Answered, Backend, Change, KeyRef, ManifestEdit, Outcome, PageQuery, Reply, Row, Stored,
    StoredManifest, Task, refused, unavailable, unknown,
};
use hapax::{ErrorKind, Store};
use tokio::runtime::{Builder, Handle};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::call::ask::{Ask, ReplyTo, Swept};
use crate::call::lane::Lane;
use crate::fault::{Fault, Trouble};
use crate::options::Options;
use crate::schema::migration::{self, MigrateReport};
use crate::server::connection::Connection;
use crate::server::target::Target;
use crate::work::sweeper;
use crate::work::worker::{Event, Worker};

/// The name of the thread.
const THREAD: &str = "hapax-postgres";

/// A migration may rewrite a table.
const MIGRATION_DEADLINE: Duration = Duration::from_secs(3600);

/// A PostgreSQL server that keeps the rows of a store. It has a thread of its own, which ends when it is closed or
/// dropped.
pub struct Postgres {
    events: UnboundedSender<Event>,
    runtime: Handle,
    origin: Instant,
    hosts: String,
    schema: String,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("hosts", &self.hosts)
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

/// Opens the store that lies in a schema of a PostgreSQL server; it is made if the schema has none.
///
/// The URL is that of libpq: `postgres://user:password@host:port/database`, or a directory of a socket as `?host=/run/postgresql`.
/// Several processes may open it at the same time; dropping the last handle of one ends the leases of that one.
///
/// # Errors
///
/// As for [`backend`], and what the server refuses with.
///
/// # Examples
///
/// ```no_run
/// use hapax_postgres::Options;
///
/// # fn main() -> hapax::Result<()> {
/// let store = hapax_postgres::connect("postgres://app@db/shop", &Options::new())?;
/// println!("{:?}", store.namespaces());
/// # Ok(())
/// # }
/// ```
pub fn connect(url: &str, options: &Options) -> hapax::Result<Store> {
    Store::over(backend(url, options)?, options.store.clone())
}

/// Connects, and checks the schema, or migrates it where the options say so.
///
/// # Errors
///
/// [`ErrorKind::Invalid`] for a malformed URL, a wrong password or an unknown database,
/// [`ErrorKind::NotAStore`] where there is no schema, [`ErrorKind::Unsupported`] for a schema of another version, a
/// server that is too old, or a URL that demands TLS, and [`ErrorKind::Unavailable`] where the server cannot be
/// reached, or is a read replica.
pub fn backend(url: &str, options: &Options) -> hapax::Result<Arc<Postgres>> {
    let target = Arc::new(Target::new(url, options)?);
    let (hosts, schema) = (target.hosts(), target.schema.clone());
    let (sender, receiver) = unbounded_channel();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let plan = Plan {
        options: options.clone(),
        target,
    };
    let events = sender.clone();
    on_thread(move || {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(fault) => return drop(ready.send(Err(fault))),
        };
        runtime.block_on(async move {
            let first = match plan.first_lane().await {
                Ok(lane) => lane,
                Err(fault) => return drop(ready.send(Err(fault))),
            };
            let sweep = plan.options.sweep;
            let lanes = plan.options.connections;
            let worker = Worker::new(&plan.target, first, lanes, (sender.clone(), receiver));
            if ready.send(Ok(Handle::current())).is_err() {
                return;
            }
            if sweep {
                tokio::spawn(sweeper::run(sender));
            }
            worker.run().await;
        });
    })?;
    let gone = || unavailable("the thread of hapax-postgres ended");
    let runtime = is_ready.recv().map_err(|_| gone())??;
    Ok(Arc::new(Postgres {
        events,
        runtime,
        origin: monotonic(),
        hosts,
        schema,
    }))
}

/// Creates the schema, or brings it to the version of this program. Processes that do so at once wait for each other.
///
/// # Errors
///
/// As [`backend`]; [`ErrorKind::Unsupported`] where the schema is newer than this program.
pub fn migrate(url: &str, options: &Options) -> hapax::Result<MigrateReport> {
    let target = Target::new(url, options)?;
    let (ready, is_ready) = std::sync::mpsc::channel();
    on_thread(move || {
        let report = runtime().and_then(|runtime| runtime.block_on(migrate_schema(&target)));
        let _caller_is_gone = ready.send(report);
    })?;
    let gone = || unavailable("the thread of hapax-postgres ended");
    Ok(is_ready.recv().map_err(|_| gone())??)
}

/// What the thread starts with.
struct Plan {
    options: Options,
    target: Arc<Target>,
}

impl Plan {
    /// A lane that is connected, to a schema that is fit.
    async fn first_lane(&self) -> Result<Lane, Fault> {
        if self.options.migrate {
            migrate_schema(&self.target).await?;
        }
        let mut lane = Lane::new(Arc::clone(&self.target));
        let until = lane.deadline();
        let connected = lane.connected(until).await.map(drop);
        connected.map_err(Trouble::of_a_look)?;
        Ok(lane)
    }
}

async fn migrate_schema(target: &Target) -> Result<MigrateReport, Fault> {
    let until = tokio::time::Instant::now() + MIGRATION_DEADLINE;
    let connection = Connection::open(target).await?;
    let report = async {
        crate::schema::check::server(&connection, until).await?;
        migration::migrate(&connection, target, until).await
    };
    let report = report.await.map_err(Trouble::of_a_change);
    connection.close().await;
    report
}

fn runtime() -> Result<tokio::runtime::Runtime, Fault> {
    let built = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build();
    built.map_err(|error| Fault::new(ErrorKind::Io, format!("starting a runtime: {error}")))
}

/// A thread of its own, so that a caller with a runtime can wait for it too.
fn on_thread(work: impl FnOnce() + Send + 'static) -> hapax::Result<()> {
    let started = std::thread::Builder::new()
        .name(THREAD.to_owned())
        .spawn(work);
    let failed = |error| refused(ErrorKind::Io, format!("starting a thread: {error}"));
    started.map(drop).map_err(failed)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock of this process for its backend is read here only"
)]
fn monotonic() -> Instant {
    Instant::now()
}

impl Postgres {
    /// Sends an ask, and gives the future of its answer.
    fn ask<T: Send + 'static>(&self, ask: impl FnOnce(ReplyTo<T>) -> Ask) -> Reply<T> {
        let (reply, answer) = oneshot::channel();
        if let Err(unsent) = self.events.send(Event::Ask(ask(reply))) {
            if let Event::Ask(ask) = unsent.0 {
                ask.refuse(Fault::closed());
            }
        }
        Box::pin(async move {
            let lost = || Err(unavailable("the thread of hapax-postgres ended"));
            answer.await.unwrap_or_else(|_| lost())
        })
    }

    /// One step of the sweep: rows that expired five minutes ago go, in the order of the heap.
    pub fn sweep_once(&self) -> Reply<Swept> {
        self.ask(|reply| Ask::Sweep(true, reply))
    }
}

impl Backend for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn submit(&self, changes: Vec<Change>) -> Reply<Answered<Vec<Outcome>>> {
        if changes.is_empty() {
            let now = self.ask(Ask::Now);
            return Box::pin(async move {
                let (now_ms, found) = (now.await?, Vec::new());
                Ok(Answered { now_ms, found })
            });
        }
        let (reply, answer) = oneshot::channel();
        let sent = self.events.send(Event::Submit(changes, reply)).is_ok();
        Box::pin(async move {
            match answer.await {
                Ok(answer) => answer,
                Err(_) if sent => Err(unknown("the thread of hapax-postgres ended")),
                Err(_) => Err(Fault::closed().into()),
            }
        })
    }

    fn read(&self, keys: Vec<KeyRef>) -> Reply<Answered<Vec<Option<Row>>>> {
        self.ask(|reply| Ask::Look(keys, reply))
    }

    fn page(&self, query: PageQuery) -> Reply<Answered<Vec<Stored>>> {
        self.ask(|reply| Ask::Page(query, reply))
    }

    fn manifest(&self, edit: Option<ManifestEdit>) -> Reply<Option<StoredManifest>> {
        self.ask(|reply| Ask::Manifest(edit, reply))
    }

    fn watch(&self, _: Vec<KeyRef>) -> Task {
        // A notification would take one lock of the whole server at each commit, so callers look again by
        // themselves.
        Box::pin(std::future::pending())
    }

    fn beat(&self, process: u128, for_ms: u64) -> Reply<u64> {
        self.ask(|reply| Ask::Beat(process, for_ms, reply))
    }

    fn leave(&self, process: u128) -> Reply<()> {
        self.ask(|reply| Ask::Leave(process, reply))
    }

    fn spawn(&self, task: Task) {
        drop(self.runtime.spawn(task));
    }

    fn sleep(&self, span_ms: u64) -> Task {
        let span = Duration::from_millis(span_ms);
        let nap = self
            .runtime
            .spawn(async move { tokio::time::sleep(span).await });
        Box::pin(Nap(nap))
    }

    fn mono_ms(&self) -> u64 {
        let passed = monotonic().saturating_duration_since(self.origin);
        u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
    }

    fn close(&self) {
        let _closed_before = self.events.send(Event::Close);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.close();
    }
}

/// A sleep that any thread can wait for, and that ends with the runtime.
struct Nap(JoinHandle<()>);

impl Future for Nap {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}

impl Drop for Nap {
    fn drop(&mut self) {
        self.0.abort();
    }
}
