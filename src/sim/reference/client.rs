//! [`ReferenceBackend`]: the backend of one process.

use std::future::pending;
use std::sync::Arc;

use crate::backend::{
    Answered, Backend, Change, KeyRef, ManifestEdit, Outcome, PageQuery, Reply, Row, Stored,
    StoredManifest, Task,
};
use crate::sim::reference::faults::LinkFaults;
use crate::sim::reference::link::{CallKind, InFlight, Link, LinkEnd};
use crate::sim::reference::server::Server;
use crate::sim::reference::skew::Skew;

/// The backend of one process: its link to the [`Server`], its clock and its tasks.
///
/// Tasks run on the thread that starts or wakes them, so a call may run some before it returns: make it under no
/// lock. Of several threads, one runs the tasks of all processes. Clones are one process.
///
/// # Examples
///
/// ```
/// use hapax::backend::Backend;
/// use hapax::sim::{LinkFault, LinkFaults, Server};
///
/// let server = Server::new();
/// let client = server.client();
/// client.set_faults(1, LinkFaults::none().rate(LinkFault::LateAnswer, 10_000).by_hand());
/// let answer = client.beat(7, 1000);
/// assert_eq!(client.pending().len(), 1, "it was carried out, and the answer is on its way");
/// assert!(client.deliver_one(0) && client.pending().is_empty());
/// # drop(answer);
/// ```
#[derive(Clone, Debug)]
pub struct ReferenceBackend {
    server: Server,
    number: u64,
    skew: Skew,
    link: Arc<Link>,
}

impl Server {
    /// The backend of a new process.
    #[must_use]
    pub fn client(&self) -> ReferenceBackend {
        self.client_with(Skew::default())
    }

    /// The backend of a new process whose clock differs from the server's.
    #[must_use]
    pub fn client_with(&self, skew: Skew) -> ReferenceBackend {
        let number = self.next_client();
        ReferenceBackend {
            server: self.clone(),
            number,
            skew,
            link: Link::new(self, number),
        }
    }
}

impl ReferenceBackend {
    /// From now on this goes wrong, by this seed.
    pub fn set_faults(&self, seed: u64, faults: LinkFaults) {
        self.link.set_faults(seed, faults);
    }

    /// Cuts the link: every call fails at once, and what is in flight is lost when it would arrive.
    pub fn cut(&self) {
        self.link.set_cut(true);
    }

    /// Ends what [`cut`](Self::cut) began.
    pub fn heal(&self) {
        self.link.set_cut(false);
    }

    /// What is kept back, in the order of the calls.
    #[must_use]
    pub fn pending(&self) -> Vec<InFlight> {
        self.link.in_flight()
    }

    /// Lets one of [`pending`](Self::pending) arrive, by its index, and runs what waited for it; `false` if there is
    /// none. A request may leave an answer in its place.
    pub fn deliver_one(&self, index: usize) -> bool {
        self.link.deliver_at(index)
    }

    /// Lets everything arrive that is kept back now, each call to its end.
    pub fn deliver_all(&self) {
        self.link.deliver_all();
    }

    /// Ends the process where it stands: its tasks are dropped, no call is sent any more, and it does not leave.
    /// Requests that are kept back may still arrive. Callers outside of the tasks that wait for an answer get an error.
    pub fn crash(&self) {
        if self.link.end(LinkEnd::Crashed) {
            self.server.executor().abandon(self.number);
            // Last, so that only callers outside of the tasks hear of it.
            self.link.give_up();
        }
    }

    /// How many of its tasks have not ended.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.server.executor().tasks(self.number)
    }

    /// The server behind the link.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }
}

/// A call that leaves the server changed.
const fn change(name: &'static str) -> CallKind {
    CallKind {
        name,
        changes: true,
    }
}

/// A call that only looks.
const fn look(name: &'static str) -> CallKind {
    CallKind {
        name,
        changes: false,
    }
}

impl Backend for ReferenceBackend {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn submit(&self, changes: Vec<Change>) -> Reply<Answered<Vec<Outcome>>> {
        self.link
            .send(change("submit"), move |server| server.submit(&changes))
    }

    fn read(&self, keys: Vec<KeyRef>) -> Reply<Answered<Vec<Option<Row>>>> {
        self.link
            .send(look("read"), move |server| Ok(server.read(&keys)))
    }

    fn page(&self, query: PageQuery) -> Reply<Answered<Vec<Stored>>> {
        self.link
            .send(look("page"), move |server| Ok(server.page(&query)))
    }

    fn manifest(&self, edit: Option<ManifestEdit>) -> Reply<Option<StoredManifest>> {
        let kind = CallKind {
            name: "manifest",
            changes: edit.is_some(),
        };
        self.link
            .send(kind, move |server| Ok(server.manifest(edit.as_ref())))
    }

    fn watch(&self, keys: Vec<KeyRef>) -> Task {
        if !self.link.hints() {
            return Box::pin(pending());
        }
        Box::pin(self.server.watchers().watch(keys))
    }

    fn beat(&self, process: u128, for_ms: u64) -> Reply<u64> {
        self.link.send(change("beat"), move |server| {
            Ok(server.beat(process, for_ms))
        })
    }

    fn leave(&self, process: u128) -> Reply<()> {
        self.link.send(change("leave"), move |server| {
            server.leave(process);
            Ok(())
        })
    }

    fn spawn(&self, task: Task) {
        // A process that has ended runs nothing.
        if !self.link.is_ended() {
            self.server.executor().spawn(self.number, task);
        }
    }

    fn sleep(&self, span_ms: u64) -> Task {
        let due_ms = self.mono_ms().saturating_add(span_ms);
        let timers = self.server.timers();
        Box::pin(timers.sleep_until(self.skew.to_server(due_ms)))
    }

    fn mono_ms(&self) -> u64 {
        self.skew.of_server(self.server.clock().mono_ms())
    }

    fn close(&self) {
        if self.link.end(LinkEnd::Closed) {
            // What was sent is carried out, and its senders learn of it.
            self.link.deliver_all();
            self.server.executor().abandon_when_idle(self.number);
        }
    }
}
