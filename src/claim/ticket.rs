//! [`Ticket`]: a lease on its way to another holder, by `detach` and `attach`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::claim::held::Held;
use crate::claim::lease::Lease;
use crate::claim::local_held::LocalHeld;
use crate::claim::remote_held::RemoteHeld;
use crate::remote::home::RemoteInner;
use crate::remote::remote::Remote;
use crate::runtime::sync::block_on;
use crate::state::transition::Command;
use crate::store::handle::{Homes, StoreHome, StoreInner};
use crate::store::store::Store;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;

/// A detached lease: with it, another task or process can settle the key later.
///
/// It can be stored and sent. Every process that opens the store can settle the key with it.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, Policy, Store, Ticket};
///
/// let store = Store::in_memory().open()?;
/// let jobs = store.namespace("jobs", Policy::at_least_once())?;
/// let Claim::Granted(lease) = jobs.claim("report")? else { panic!("it is new") };
/// let message = serde_json::to_string(&lease.detach()?).unwrap();
///
/// // Another task, or a later process that has opened the store:
/// let ticket: Ticket = serde_json::from_str(&message).unwrap();
/// store.attach(&ticket)?.complete("written")?;
/// assert!(jobs.contains("report")?);
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ticket {
    namespace: String,
    key: Vec<u8>,
    token: FencingToken,
}

impl Ticket {
    /// The name of its namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The token of the lease.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.token
    }
}

impl Lease {
    /// Turns the lease into a ticket that another task, thread or later process can attach.
    ///
    /// The claim is made durable, so the ticket outlives this process. Dropping no longer settles the key,
    /// but the lease goes on running.
    ///
    /// # Errors
    /// As for [`complete`](Self::complete). After [`Poisoned`](crate::ErrorKind::Poisoned) run nothing under
    /// this lease: its ticket may have become durable, and would be valid if it is delivered again.
    pub fn detach(self) -> Result<Ticket> {
        if let Err(error) = self.held().do_and_wait(Command::Record) {
            return Err(self.refused(error));
        }
        let ticket = Ticket {
            namespace: self.namespace().to_owned(),
            key: self.key().to_vec(),
            token: self.token(),
        };
        self.disarm();
        Ok(ticket)
    }
}

impl Store {
    /// Turns a ticket into a lease, after a restart too, if its token is still the last and the key
    /// has no outcome.
    ///
    /// A queue may deliver a ticket more than once: the second delivery is refused, and the error has [the
    /// current state](Error::current). Under at-most-once, and with
    /// [`max_attempts`](crate::Policy::max_attempts), a ticket works once, and its use is on the medium
    /// before this returns: if its holder dies, the key is in doubt, or can be claimed for the next attempt.
    /// [`detach`](Lease::detach) makes the lease a ticket again. A ticket that comes after its lease has
    /// lapsed still settles the key, unless another claim has taken it over.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Claim, ErrorKind, Policy, KeyState, Store, Ticket};
    ///
    /// /// Called for each delivery; `Ok` takes it off the queue.
    /// fn consume(store: &Store, ticket: &Ticket) -> hapax::Result<Vec<u8>> {
    ///     let error = match store.attach(ticket) {
    ///         Ok(lease) => {
    ///             let receipt = b"receipt".to_vec(); // here goes the effect
    ///             lease.complete(&receipt)?;
    ///             return Ok(receipt);
    ///         }
    ///         Err(error) => error,
    ///     };
    ///     match (error.kind(), error.current()) {
    ///         // It ran: the answer is the stored one, and nothing runs.
    ///         (ErrorKind::AlreadySettled, Some(key)) if key.state() == KeyState::Completed => {
    ///             Ok(key.body().to_vec())
    ///         }
    ///         // InUse: in progress, so deliver it later; in doubt, so the reconciler has it.
    ///         _ => Err(error),
    ///     }
    /// }
    ///
    /// let store = Store::in_memory().allow_at_most_once().open()?;
    /// let pay = store.namespace("pay", Policy::at_most_once())?;
    /// let Claim::Granted(lease) = pay.claim("order-42")? else { unreachable!() };
    /// let ticket = lease.detach()?;
    /// assert_eq!(consume(&store, &ticket)?, b"receipt");
    /// assert_eq!(consume(&store, &ticket)?, b"receipt", "delivered again");
    /// # Ok::<(), hapax::Error>(())
    /// ```
    ///
    /// # Errors
    /// - [`AlreadySettled`](ErrorKind::AlreadySettled) for a key that has its outcome from any source, and
    ///   for a key that the holder of this ticket gave up.
    /// - [`InUse`](ErrorKind::InUse) while its lease is held in this process, and for a ticket that was
    ///   used by a holder who left no outcome: the key is in doubt then, or its lease runs out.
    /// - [`Superseded`](ErrorKind::Superseded) when a later token has the key,
    ///   [`NotHeld`](ErrorKind::NotHeld) when the key or its namespace is not there,
    ///   [`Salvaged`](ErrorKind::Salvaged), and the errors of a store that cannot answer.
    pub fn attach(&self, ticket: &Ticket) -> Result<Lease> {
        self.home().limits().check_key(ticket.key())?;
        match self.home() {
            StoreHome::Local(store) => attach_here(store, ticket),
            StoreHome::Remote(store) => attach_over(store, ticket),
        }
    }
}

fn of_another_store(ticket: &Ticket) -> Error {
    let text = format!(
        "there is no namespace {:?}: this ticket is of another store",
        ticket.namespace()
    );
    Error::new(ErrorKind::NotHeld, text)
}

fn attach_over(store: &Arc<RemoteInner>, ticket: &Ticket) -> Result<Lease> {
    let remote = &store.remote;
    remote.check_open()?;
    let core =
        block_on(remote.existing(ticket.namespace())).map_err(|error| match error.kind() {
            ErrorKind::NoNamespace => of_another_store(ticket),
            _ => error,
        })?;
    let key = Remote::key(&core, ticket.key());
    let hold = block_on(remote.attach(&core, key, ticket.token()))?;
    Ok(Lease::new(Held::Remote(RemoteHeld::new(store, hold))))
}

fn attach_here(store: &Arc<StoreInner>, ticket: &Ticket) -> Result<Lease> {
    let engine = &store.engine;
    engine.check_alive()?;
    let core = engine
        .namespace_by_name(ticket.namespace())
        .ok_or_else(|| of_another_store(ticket))?;
    let named = engine.named(&core, ticket.key());
    let granted = engine
        .attach(named, ticket.token())
        .map_err(|refused| block_on(engine.refuse(refused)))?;
    let rests_on = granted.rests_on();
    let homes = Homes::new(store, &core);
    let lease = Lease::new(Held::Local(LocalHeld::new(&homes, named.digest, granted)));
    match block_on(engine.rest(rests_on)) {
        Ok(()) => Ok(lease),
        Err(error) => Err(lease.refused(error).without_lease()),
    }
}
