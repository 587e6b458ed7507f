//! [`Backend`]: an engine beyond this process that keeps the rows of a store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::backend::change::Change;
use crate::backend::key_ref::KeyRef;
use crate::backend::row::Row;
use crate::value::error::Result;

/// The answer of a backend. The call was sent when it returned; dropping the answer leaves it sent.
pub type Reply<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// A future that a backend drives.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a backend found, and the clock of its server then, in milliseconds since 1970.
#[expect(clippy::exhaustive_structs, reason = "it is all that an answer has")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answered<T> {
    pub now_ms: u64,
    pub found: T,
}

/// What became of a change.
#[expect(clippy::exhaustive_enums, reason = "a change is carried out or not")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was carried out, now or when it was sent before: the row as it stands, `None` for a removal.
    Done(Option<Row>),
    /// Something else is there, and stays: the unexpired row, if there is one.
    Other(Option<Row>),
}

/// A row, and whose it is.
pub type Stored = (KeyRef, Row);

/// Which rows a page has.
#[expect(
    clippy::exhaustive_enums,
    reason = "a backend carries out each of them"
)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filter {
    All,
    /// Those in progress and in doubt, which are few.
    Unsettled,
}

/// The next rows in the order of their keys.
#[expect(
    clippy::exhaustive_structs,
    reason = "a backend carries out each field"
)]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageQuery {
    /// Of one namespace, or of all.
    pub namespace: Option<u32>,
    pub filter: Filter,
    /// Those behind this key.
    pub after: Option<KeyRef>,
    /// At most so many. Fewer rows are the last ones.
    pub limit: usize,
}

/// The description of the store: its identity, seeds, namespaces and policies, in the encoding of `docs/format.md`.
#[expect(
    clippy::exhaustive_structs,
    reason = "it is all that a backend keeps of it"
)]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredManifest {
    /// Rises with each edit, from 1.
    pub revision: u64,
    pub bytes: Arc<[u8]>,
}

/// A new manifest. It replaces the one of revision `expect` if that is still the newest; revision 0 means that the
/// backend has no manifest yet.
#[expect(
    clippy::exhaustive_structs,
    reason = "a backend carries out each field"
)]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManifestEdit {
    pub expect: u64,
    pub bytes: Arc<[u8]>,
    /// The numbers and names of all namespaces, for those who read the backend without hapax.
    pub names: Vec<(u32, String)>,
}

/// An engine beyond this process that keeps the rows of a store: it compares and sets whole rows, many at a time,
/// and has the only clock that decides.
///
/// Errors are [`unavailable`](crate::backend::unavailable) where nothing was done, [`unknown`](crate::backend::unknown)
/// where a change may have been carried out: its sender sends it again under the same nonce.
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Its name in errors, metrics and reports.
    fn name(&self) -> &'static str;

    /// Carries out each change by itself, or not; outcomes come in the order of the changes, of which no two name one
    /// key. A change whose nonce the row of its key has already is [done](Outcome::Done), and changes nothing.
    fn submit(&self, changes: Vec<Change>) -> Reply<Answered<Vec<Outcome>>>;

    /// The unexpired rows of these keys, in their order.
    fn read(&self, keys: Vec<KeyRef>) -> Reply<Answered<Vec<Option<Row>>>>;

    /// The next unexpired rows in the order of their keys.
    fn page(&self, query: PageQuery) -> Reply<Answered<Vec<Stored>>>;

    /// The manifest, `None` before the first edit. An edit that came too late changes nothing: the answer has the
    /// newest one.
    fn manifest(&self, edit: Option<ManifestEdit>) -> Reply<Option<StoredManifest>>;

    /// Ends when one of these rows may have changed, or never: a hint that a caller need not wait for its next look.
    fn watch(&self, keys: Vec<KeyRef>) -> Task;

    /// A sign of life: rows of this process end when there was none for so long. Gives the clock of the server.
    fn beat(&self, process: u128, for_ms: u64) -> Reply<u64>;

    /// The process is gone: its leases end now.
    fn leave(&self, process: u128) -> Reply<()>;

    /// Drives a future to its end, on a thread of the backend.
    fn spawn(&self, task: Task);

    /// Ends after so many milliseconds of [`mono_ms`](Self::mono_ms).
    fn sleep(&self, span_ms: u64) -> Task;

    /// A monotonic clock of this process, in milliseconds.
    fn mono_ms(&self) -> u64;

    /// No call comes any more; what was sent is carried out.
    fn close(&self);
}
