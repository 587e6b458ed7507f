//! [`AuditScan`]: going through the audit log.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use crate::engine::audit::entry::outcome_digest;
use crate::engine::audit::reading::AuditCursor;
use crate::engine::upkeep::pin::Pin;
use crate::journal::format::audit::chain::genesis;
use crate::journal::format::audit::entry::Facts;
use crate::runtime::sync::block_on;
use crate::store::handle::{StoreHome, StoreInner};
use crate::store::store::Store;
use crate::value::audit::{AuditEntry, AuditFilter, AuditHead, AuditReport, Transition};
use crate::value::error::Result;
use crate::value::key_digest::KeyDigest;
use crate::value::namespace_id::NamespaceId;

/// An iterator over audit entries, oldest first. Compaction waits while it is alive.
///
/// # Examples
///
/// ```
/// use hapax::audit::{AuditFilter, AuditLevel};
/// use hapax::{Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let seen = store.namespace("seen", Policy::at_least_once().audit(AuditLevel::Digests))?;
/// seen.insert("event-7")?;
/// for entry in store.audit(AuditFilter::new().key("event-7"))? {
///     println!("{}", entry?.to_json());
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
pub struct AuditScan {
    _pin: Pin,
    store: Arc<StoreInner>,
    filter: AuditFilter,
    wanted: Wanted,
    cursor: AuditCursor,
    found: VecDeque<AuditEntry>,
    ended: bool,
}

/// The names of a filter as numbers, and the numbers of entries as names.
#[derive(Debug)]
struct Wanted {
    namespace: Option<NamespaceId>,
    names: HashMap<NamespaceId, Arc<str>>,
    /// The digest of the filter's key, by namespace.
    digests: HashMap<NamespaceId, KeyDigest>,
}

impl AuditScan {
    pub(crate) fn new(store: Arc<StoreInner>, filter: AuditFilter) -> Result<Self> {
        let engine = &store.engine;
        let wanted = Wanted::new(&store, &filter)?;
        let pin = Pin::hold(engine);
        let this = Self {
            cursor: engine.audit_start()?,
            _pin: pin,
            filter,
            wanted,
            found: VecDeque::new(),
            ended: false,
            store: Arc::clone(&store),
        };
        // An entry is given only once a power cut cannot undo it.
        block_on(store.engine.rest(Some(this.cursor.frames.end_frame)))?;
        Ok(this)
    }

    fn more(&mut self) -> Result<bool> {
        let Some(chunk) = self.store.engine.audit_chunk(&mut self.cursor)? else {
            return Ok(false);
        };
        let (filter, wanted, found) = (&self.filter, &self.wanted, &mut self.found);
        chunk.each(|number, facts| {
            if filter.passes(facts.transition, facts.origin, facts.at)
                && wanted.passes(filter, &facts)
            {
                found.push_back(wanted.entry(number, &facts));
            }
        })?;
        Ok(true)
    }
}

impl Wanted {
    fn new(store: &StoreInner, filter: &AuditFilter) -> Result<Self> {
        let engine = &store.engine;
        engine.check_alive()?;
        let named = filter.namespace.as_deref();
        let namespace = named.map(|name| engine.existing(name)).transpose()?;
        let mut wanted = Self {
            namespace: namespace.map(|core| core.id),
            names: HashMap::new(),
            digests: HashMap::new(),
        };
        for entry in &engine.namespaces.lock().manifest.namespaces {
            wanted.names.insert(entry.id, entry.name.as_str().into());
            if let Some(key) = &filter.key {
                let digest = engine.seeded.key_digest(entry.id, key);
                wanted.digests.insert(entry.id, digest);
            }
        }
        Ok(wanted)
    }

    fn passes(&self, filter: &AuditFilter, facts: &Facts<'_>) -> bool {
        let of_key = |_: &Vec<u8>| self.digests.get(&facts.namespace) == Some(&facts.key_digest);
        self.namespace.is_none_or(|only| only == facts.namespace)
            && filter.key.as_ref().is_none_or(of_key)
            && filter
                .key_digest
                .is_none_or(|digest| digest == facts.key_digest)
    }

    fn entry(&self, number: u64, facts: &Facts<'_>) -> AuditEntry {
        let of_store = facts.namespace == NamespaceId(0);
        let of_no_key = of_store || facts.transition == Transition::PolicyChanged;
        let name = || {
            // Made after this scan began.
            let unnamed = || format!("namespace {}", facts.namespace.0).into();
            let known = self.names.get(&facts.namespace);
            known.map_or_else(unnamed, Arc::clone)
        };
        AuditEntry {
            number,
            at: facts.at,
            expires_at: facts.expires_at,
            namespace: (!of_store).then(name),
            key_digest: (!of_no_key).then_some(facts.key_digest),
            key: facts.key.map(Into::into),
            transition: facts.transition,
            origin: facts.origin,
            actor: facts.actor.to_owned(),
            reason: facts.reason.to_owned(),
            token: facts.token,
            attempt: facts.attempt,
            fingerprint: facts.fingerprint,
            outcome: facts.outcome,
        }
    }
}

impl Store {
    /// Goes through the audit log, oldest entry first.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Claim, ClaimOptions, Policy, Store};
    /// use hapax::audit::{AuditFilter, AuditLevel};
    ///
    /// let store = Store::in_memory().open()?;
    /// let mail = store.namespace("mail", Policy::at_least_once().audit(AuditLevel::Digests))?;
    /// let options = ClaimOptions::new().actor("sender-3");
    /// let Claim::Granted(lease) = mail.claim_with("user-7", options)? else { unreachable!() };
    /// lease.complete("sent")?;
    ///
    /// let filter = AuditFilter::new().namespace("mail").key("user-7");
    /// let entries: Vec<_> = store.audit(filter)?.collect::<hapax::Result<_>>()?;
    /// assert_eq!(entries.len(), 2, "claimed and completed");
    /// assert_eq!(entries[1].actor(), "sender-3");
    /// println!("{}\n{}", entries[0], entries[1].to_json());
    /// store.verify_audit()?;
    /// # Ok::<(), hapax::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the store is closed, or a namespace of the filter does not exist
    /// ([`NoNamespace`](crate::ErrorKind::NoNamespace)). Each item has its own result.
    pub fn audit(&self, filter: AuditFilter) -> Result<AuditScan> {
        AuditScan::new(Arc::clone(self.home().local("audit log")?), filter)
    }

    /// The last entry of the audit log. Keep it elsewhere: it shows later whether anything before it was
    /// changed.
    #[must_use]
    pub fn audit_head(&self) -> AuditHead {
        match self.home() {
            StoreHome::Local(inner) => inner.engine.audit_head(),
            // It keeps no audit log, so nothing comes before the first entry.
            StoreHome::Remote(inner) => genesis(&inner.remote.manifest().store_id),
        }
    }

    /// The digest that stands for a response or an error in the audit log of this store.
    #[must_use]
    pub fn outcome_digest(&self, outcome: impl AsRef<[u8]>) -> u128 {
        let seeded = match self.home() {
            StoreHome::Local(inner) => &inner.engine.seeded,
            StoreHome::Remote(inner) => &inner.remote.seeded,
        };
        outcome_digest(seeded, outcome.as_ref())
    }

    /// Reads the whole audit log and checks its hash chain.
    ///
    /// # Errors
    /// [`Damaged`](crate::ErrorKind::Damaged) with the place where it breaks.
    pub fn verify_audit(&self) -> Result<AuditReport> {
        self.verify_chain(None)
    }

    /// As [`verify_audit`](Self::verify_audit), against a head that you kept. It also finds an entry that was
    /// changed together with every link after it.
    ///
    /// # Errors
    /// [`Damaged`](crate::ErrorKind::Damaged) with the place where it breaks, or where the noted entry is
    /// missing or different. A noted entry from before [`AuditReport::first`] has expired or was removed, and
    /// proves nothing any more.
    pub fn verify_audit_against(&self, noted: AuditHead) -> Result<AuditReport> {
        self.verify_chain(Some(noted))
    }

    fn verify_chain(&self, noted: Option<AuditHead>) -> Result<AuditReport> {
        let engine = &self.home().local("audit log")?.engine;
        engine.check_alive()?;
        let _pin = Pin::hold(engine);
        engine.verify_audit(noted)
    }
}

impl Iterator for AuditScan {
    type Item = Result<AuditEntry>;

    fn next(&mut self) -> Option<Result<AuditEntry>> {
        loop {
            if let Some(entry) = self.found.pop_front() {
                return Some(Ok(entry));
            }
            if self.ended {
                return None;
            }
            match self.more() {
                Ok(true) => {}
                Ok(false) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl fmt::Debug for AuditScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditScan")
            .field("filter", &self.filter)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}
