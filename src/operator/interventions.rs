//! [`Operator`]: what people and tools do to a store, each action under a name and a reason.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::claim::calls::Calls;
use crate::claim::doubt::{Doubt, Resolution};
use crate::claim::local_calls::LocalCalls;
use crate::claim::remote_calls::RemoteCalls;
use crate::engine::call::batch::gather;
use crate::engine::engine::Engine;
use crate::engine::intervene::end_hold::HoldEnd;
use crate::engine::intervene::insertion::check_insertion;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::refusals::Refused;
use crate::observe::trace::{Decision, Operation, accepted_salvage, decided};
use crate::remote::home::RemoteHome;
use crate::remote::remote::Remote;
use crate::runtime::sync::block_on;
use crate::store::handle::{Homes, StoreHome};
use crate::store::store::Store;
use crate::value::attribution::Attribution;
use crate::value::audit::Transition;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::insertion::Insertion;
use crate::value::key::within_limit;

/// The actions of people and tools on a store, each under a name and a reason.
///
/// Namespaces are named, and keep their stored policy; no call makes or changes one. Every action is written
/// into the [audit log](crate::Store::audit), under every policy.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, Policy, Resolution, Store};
/// use hapax::operator::Attribution;
///
/// let store = Store::in_memory().allow_at_most_once().open()?;
/// let pay = store.namespace("pay", Policy::at_most_once())?;
/// let Claim::Granted(lease) = pay.claim("order-42")? else { unreachable!() };
/// lease.doubt("the provider timed out")?;
///
/// let operator = store.operator(Attribution::new("alice", "INC-42: the provider confirmed")?);
/// for doubt in store.doubts()? {
///     operator.resolve(&doubt?, Resolution::Happened(b"receipt".to_vec()))?;
/// }
/// assert!(pay.contains("order-42")?);
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone)]
pub struct Operator {
    store: StoreHome,
    by: Attribution,
}

impl Operator {
    pub(crate) fn new(store: &StoreHome, by: Attribution) -> Self {
        Self {
            store: store.clone(),
            by,
        }
    }

    /// Who acts, and why.
    #[must_use]
    pub fn action(&self) -> &Attribution {
        &self.by
    }

    /// Settles a doubt, as [`Doubt::resolve`] does.
    ///
    /// # Errors
    /// As for [`Doubt::resolve`], and [`Invalid`](crate::ErrorKind::Invalid) for a doubt of another
    /// store.
    pub fn resolve(&self, doubt: &Doubt, resolution: Resolution) -> Result<()> {
        self.settle(doubt, &resolution, false)
    }

    /// As [`resolve`](Self::resolve), also while the holder is alive. Call it only if you know that the
    /// holder has stopped.
    ///
    /// # Errors
    /// As for [`resolve`](Self::resolve).
    pub fn resolve_forced(&self, doubt: &Doubt, resolution: Resolution) -> Result<()> {
        self.settle(doubt, &resolution, true)
    }

    fn settle(&self, doubt: &Doubt, resolution: &Resolution, force: bool) -> Result<()> {
        if !doubt.is_of(&self.store) {
            return Err(Error::invalid(
                "the doubt is of another store than the operator: take both from one",
            ));
        }
        doubt.settle(resolution, force, Some(&self.by))
    }

    /// Frees a key that is held under `token`, as if the holder had released it: the holder
    /// is [`Superseded`](crate::ErrorKind::Superseded), and the key can be claimed again. The last
    /// attempt that the policy allows is a final failure instead, whose error names no person.
    ///
    /// # Errors
    /// [`InUse`](crate::ErrorKind::InUse) under at-most-once, where a key is put [in doubt](Self::doubt)
    /// instead, and for a key in doubt; [`Superseded`](crate::ErrorKind::Superseded) when the token is not
    /// current, [`NotHeld`](crate::ErrorKind::NotHeld) when the key is not there,
    /// [`AlreadySettled`](crate::ErrorKind::AlreadySettled) when it is not held any more,
    /// [`NoNamespace`](crate::ErrorKind::NoNamespace), and the errors of a store that cannot answer.
    pub fn release(
        &self,
        namespace: &str,
        key: impl AsRef<[u8]>,
        token: FencingToken,
    ) -> Result<()> {
        self.end_hold(namespace, key.as_ref(), token, HoldEnd::Release)
    }

    /// Puts a key that is held under `token` into doubt; the holder is superseded.
    ///
    /// The holder may still cause its effect. [`Doubt::holder_alive`] is true until its lease is dropped, and
    /// until then only force resolves the doubt as "never happened".
    ///
    /// # Errors
    /// As for [`release`](Self::release), but under either guarantee.
    pub fn doubt(&self, namespace: &str, key: impl AsRef<[u8]>, token: FencingToken) -> Result<()> {
        self.end_hold(namespace, key.as_ref(), token, HoldEnd::Doubt)
    }

    /// Fails a key for good that is held under `token`; the holder is superseded.
    ///
    /// Under at-most-once this says that the effect has not happened and will not: if you do
    /// not know, put the key [in doubt](Self::doubt).
    ///
    /// # Errors
    /// As for [`doubt`](Self::doubt), and [`TooLarge`](crate::ErrorKind::TooLarge).
    pub fn fail(
        &self,
        namespace: &str,
        key: impl AsRef<[u8]>,
        token: FencingToken,
        error: impl AsRef<[u8]>,
    ) -> Result<()> {
        let end = HoldEnd::Fail(error.as_ref());
        self.end_hold(namespace, key.as_ref(), token, end)
    }

    fn end_hold(
        &self,
        namespace: &str,
        key: &[u8],
        token: FencingToken,
        end: HoldEnd<'_>,
    ) -> Result<()> {
        self.store.limits().check_key(key)?;
        match &self.store {
            StoreHome::Local(store) => {
                let engine = &store.engine;
                let core = engine.existing(namespace)?;
                let ended = engine.end_hold(engine.named(&core, key), token, end, &self.by);
                let failed = ended.as_ref().err().map(Refused::kind);
                let subject = || engine.subject(&core, key);
                decided(end.name(), subject, || self.ended(failed, token));
                block_on(engine.acknowledged(&core, ended.map(|frame| ((), Some(frame)))))
            }
            StoreHome::Remote(store) => {
                let remote = &store.remote;
                let core = block_on(remote.existing(namespace))?;
                let named = Remote::key(&core, key);
                let ended = block_on(remote.end_hold(&core, named, token, end, self.by.line()));
                let failed = ended.as_ref().err().map(Error::kind);
                let subject = || remote.subject(&core, key);
                decided(end.name(), subject, || self.ended(failed, token));
                ended
            }
        }
    }

    /// How the end of a hold is shown in traces.
    fn ended(&self, failed: Option<ErrorKind>, token: FencingToken) -> Decision<'_> {
        Decision {
            token: Some(token),
            ..self.decision(failed.map_or("ok", ErrorKind::name))
        }
    }

    /// Brings in a key with what is known of it, for example from another store. False if the key was there,
    /// in any state: then it stays as it is.
    ///
    /// Its token, its times and its attempt are those of a new key, and it has no fingerprint. A store that
    /// was salvaged with losses takes it before they are [accepted](Self::accept_salvage), so that lost keys
    /// can be brought in again.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), also where the namespace requires fingerprints;
    /// [`TooLarge`](crate::ErrorKind::TooLarge), [`AtCapacity`](crate::ErrorKind::AtCapacity),
    /// [`NoNamespace`](crate::ErrorKind::NoNamespace), and the errors of a store that cannot answer.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Policy, Store};
    /// use hapax::operator::{Attribution, Insertion};
    ///
    /// let store = Store::in_memory().open()?;
    /// let mail = store.namespace("mail", Policy::at_least_once())?;
    /// let operator = store.operator(Attribution::new("alice", "INC-42: sent by hand")?);
    /// assert!(operator.insert("mail", Insertion::completed("user-7", "sent"))?);
    /// assert!(!operator.insert("mail", Insertion::failed("user-7", "bounced"))?);
    /// assert!(mail.contains("user-7")?);
    /// # Ok::<(), hapax::Error>(())
    /// ```
    pub fn insert(&self, namespace: &str, insertion: Insertion) -> Result<bool> {
        let StoreHome::Local(store) = &self.store else {
            let inserted = self.insert_many(namespace, [insertion])?;
            return inserted
                .into_iter()
                .next()
                .expect("one item has one result");
        };
        let engine = &store.engine;
        let core = engine.existing(namespace)?;
        let (is_new, frame) = self.start_insert(engine, &core, &insertion)?;
        block_on(engine.acknowledge(engine.is_sync(&core), frame))?;
        Ok(is_new)
    }

    /// As [`insert`](Self::insert), for many keys in one commit; results come in the order of the
    /// items, and what keeps one key out keeps no other out.
    ///
    /// # Errors
    /// An error of the whole call means that nothing was brought in:
    /// [`TooLarge`](crate::ErrorKind::TooLarge) for too many items,
    /// [`NoNamespace`](crate::ErrorKind::NoNamespace), a store that cannot answer at all. From then on
    /// each item has its own result, as for [`insert`](Self::insert).
    pub fn insert_many(
        &self,
        namespace: &str,
        items: impl IntoIterator<Item = Insertion>,
    ) -> Result<Vec<Result<bool>>> {
        let engine = match &self.store {
            StoreHome::Local(store) => &store.engine,
            StoreHome::Remote(store) => return self.bring_in(&store.remote, namespace, items),
        };
        let core = engine.existing(namespace)?;
        let items = engine.gather(items, |_, item| Ok(item))?;
        let batch = Operation::begin_batch("insert_many", namespace);
        batch.run(|| {
            engine.check_change()?;
            let begun = items
                .iter()
                .map(|item| self.start_insert(engine, &core, item));
            let begun = begun.collect();
            let inserted = block_on(engine.acknowledge_each(engine.is_sync(&core), begun));
            batch.end("ok", || inserted.iter().map(of_item));
            Ok(inserted)
        })
    }

    /// As [`insert_many`](Self::insert_many), into a store over a backend. A key that came before in the batch is
    /// there by then.
    fn bring_in(
        &self,
        remote: &Arc<Remote>,
        namespace: &str,
        items: impl IntoIterator<Item = Insertion>,
    ) -> Result<Vec<Result<bool>>> {
        let core = block_on(remote.existing(namespace))?;
        let items = gather(&remote.options.limits, items, |_, item| Ok(item))?;
        let mut places: Vec<Result<bool>> = Vec::with_capacity(items.len());
        let (mut sent, mut known) = (Vec::new(), HashSet::new());
        for item in items {
            let checked = check_insertion(&remote.options.limits, &core.policy, &item);
            let key = Remote::key(&core, within_limit(&item.key));
            let is_sent = checked.is_ok() && known.insert(key.clone());
            if is_sent {
                sent.push((key, item));
            }
            places.push(checked.map(|()| is_sent));
        }
        let batch = Operation::begin_batch("insert_many", namespace);
        let mut answers = batch
            .run(|| block_on(remote.bring_in(&core, sent)))?
            .into_iter();
        let inserted: Vec<_> = places
            .into_iter()
            .map(|place| match place? {
                true => answers.next().expect("each key that was sent has a result"),
                false => Ok(false),
            })
            .collect();
        batch.end("ok", || inserted.iter().map(of_item));
        Ok(inserted)
    }

    fn start_insert(
        &self,
        engine: &Engine,
        core: &Arc<NamespaceCore>,
        insertion: &Insertion,
    ) -> Result<(bool, Option<u64>)> {
        let named = engine.named(core, &insertion.key);
        let inserted = engine
            .check_insertion(core, insertion)
            .and_then(|()| engine.insert_as(named, insertion, &self.by));
        let of = || match &inserted {
            Ok((is_new, _)) => of_inserted(*is_new),
            Err(error) => error.kind().name(),
        };
        let subject = || engine.subject(core, within_limit(&insertion.key));
        decided("insert", subject, || self.decision(of()));
        inserted
    }

    fn decision(&self, outcome: &'static str) -> Decision<'_> {
        Decision {
            outcome,
            actor: Some(self.by.actor()),
            ..Decision::default()
        }
    }

    /// Removes a key, as [`Namespace::forget`](crate::Namespace::forget) does. False when it was not there.
    ///
    /// # Errors
    /// As for [`Namespace::forget`](crate::Namespace::forget), and [`NoNamespace`](crate::ErrorKind::NoNamespace).
    pub fn forget(&self, namespace: &str, key: impl AsRef<[u8]>) -> Result<bool> {
        self.forget_as(namespace, key.as_ref(), None)
    }

    /// As [`forget`](Self::forget), also for the key in progress or in doubt under this token.
    ///
    /// # Errors
    /// As for [`forget`](Self::forget), and [`Superseded`](crate::ErrorKind::Superseded) when the token is not
    /// current.
    pub fn forget_forced(
        &self,
        namespace: &str,
        key: impl AsRef<[u8]>,
        token: FencingToken,
    ) -> Result<bool> {
        self.forget_as(namespace, key.as_ref(), Some(token))
    }

    fn forget_as(&self, namespace: &str, key: &[u8], force: Option<FencingToken>) -> Result<bool> {
        let calls = match &self.store {
            StoreHome::Local(store) => {
                let core = store.engine.existing(namespace)?;
                Calls::Local(LocalCalls::new(Homes::new(store, &core)))
            }
            StoreHome::Remote(store) => {
                let core = block_on(store.remote.existing(namespace))?;
                let inner = Arc::clone(store);
                Calls::Remote(RemoteCalls::new(RemoteHome { inner, core }))
            }
        };
        calls.forget(key, force, Some(&self.by))
    }

    /// Lets the at-most-once namespaces of a store that was salvaged with losses grant again, for good.
    /// Call it once you have settled elsewhere what was under way when the store was damaged. Without such
    /// losses it does and writes nothing.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io) if the manifest cannot be written, and the errors of a store that
    /// cannot answer.
    pub fn accept_salvage(&self) -> Result<()> {
        let engine = &self.store.local("salvage to accept")?.engine;
        engine.check_change()?;
        if !engine.is_salvaged() {
            accepted_salvage(self.by.actor(), "nothing_to_accept");
            return Ok(());
        }
        // The entry comes first: without it nothing is granted again.
        let frame = engine.audit_store(Transition::SalvageAccepted, &self.by);
        let accepted = block_on(engine.rest(Some(frame))).and_then(|()| engine.accept_salvage());
        let outcome = accepted
            .as_ref()
            .map_or_else(|error| error.kind().name(), |()| "ok");
        accepted_salvage(self.by.actor(), outcome);
        accepted
    }
}

impl Store {
    /// The actions of people and tools on the store, under this name and reason.
    #[must_use]
    pub fn operator(&self, by: Attribution) -> Operator {
        Operator::new(self.home(), by)
    }
}

fn of_item(inserted: &Result<bool>) -> &'static str {
    match inserted {
        Ok(is_new) => of_inserted(*is_new),
        Err(error) => error.kind().name(),
    }
}

fn of_inserted(is_new: bool) -> &'static str {
    if is_new { "inserted" } else { "present" }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator")
            .field("by", &self.by)
            .finish_non_exhaustive()
    }
}
