//! What the actors do: anything that the contract allows. Each answer is compared with the model.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use hapax::audit::AuditLevel;
use hapax::sim::Actor;
use hapax::{
    BatchClaim, Claim, ClaimItem, ClaimOptions, Doubt, ErrorKind, FencingToken, KeyState, Lease,
    Namespace, Policy, Resolution, Result, Store, Ticket,
};

use crate::audit::AUDITED;
use crate::model::{Began, LEASE, Model, NAMES, Place, RETENTION_SECS, Told, secs};

const KEYS: u64 = 3;

/// What all actors of a simulation share; it outlives every crash.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) model: Model,
    tickets: Vec<(Place, Ticket)>,
    bodies: u64,
}

impl World {
    pub(crate) fn new(window: Option<Duration>) -> Self {
        Self {
            model: Model::new(window),
            tickets: Vec::new(),
            bodies: 0,
        }
    }
}

pub(crate) type Shared = Rc<RefCell<World>>;

pub(crate) fn namespace(store: &Store, index: usize) -> Result<Namespace> {
    let retention = Duration::from_secs(RETENTION_SECS);
    let policy = match index {
        0 => Policy::at_least_once(),
        1 => Policy::at_most_once(),
        _ => Policy::at_most_once().durability(hapax::Durability::Sync),
    };
    let policy = if index < AUDITED {
        policy.audit(AuditLevel::Keys)
    } else {
        policy
    };
    let policy = policy
        .lease(LEASE)
        .retention(retention)
        .failed_retention(retention);
    store.namespace(NAMES[index], policy.attempt_retention(retention / 2))
}

/// One round of one actor.
pub(crate) struct Round {
    actor: Actor,
    shared: Shared,
    place: Place,
    namespace: Namespace,
}

/// A lease, as the model knows it. Dropping it ends it.
struct Holding {
    shared: Shared,
    place: Place,
    token: FencingToken,
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.shared.borrow_mut().model.ends(self.place, self.token);
    }
}

/// Says on standard error what an actor has been told, where that was asked for.
fn trace(actor: &Actor, what: impl FnOnce() -> String) {
    if std::env::var_os("HAPAX_SIM_TRACE").is_some() {
        eprintln!(
            "{:>17} ms    actor {}: {}",
            actor.now().as_millis(),
            actor.number(),
            what()
        );
    }
}

pub(crate) async fn run(actor: Actor, shared: Shared) -> Result<()> {
    let index = usize::try_from(actor.below(3)).unwrap();
    let key = u8::try_from(actor.below(KEYS)).unwrap();
    let round = Round {
        namespace: namespace(actor.store(), index)?,
        place: (index, key),
        actor,
        shared,
    };
    match round.actor.below(100) {
        0..62 => round.claim().await,
        62..68 => round.claim_many().await,
        68..76 => round.get().await,
        76..80 => round.forget().await,
        80..94 => round.resolve().await,
        94..97 => round.attach().await,
        _ => round.sync().await,
    }
}

impl Round {
    fn begin(&self) -> Began {
        let mut world = self.shared.borrow_mut();
        world.model.begin(self.actor.store(), self.actor.now())
    }

    fn store_secs(&self) -> u64 {
        secs(self.actor.store().stats().store_time())
    }

    fn body(&self) -> Vec<u8> {
        let mut world = self.shared.borrow_mut();
        world.bodies += 1;
        let mut body = world.bodies.to_be_bytes().to_vec();
        let size = match self.actor.below(40) {
            0 => 200_000,
            1..4 => 20_000,
            _ => 8 + usize::try_from(self.actor.below(300)).unwrap(),
        };
        body.resize(size, 7);
        body
    }

    async fn claim(self) -> Result<()> {
        let mut options = ClaimOptions::new().metadata(b"request".to_vec());
        if self.actor.chance(40) {
            options = options.wait(Duration::from_millis(self.actor.below(15_000)));
        }
        let began = self.begin();
        let claim = self.namespace.claim_async([self.place.1], options).await?;
        self.answered(claim, self.place, began).await
    }

    async fn claim_many(self) -> Result<()> {
        let keys: Vec<u8> = (0..3)
            .map(|_| self.actor.below(KEYS))
            .map(|key| u8::try_from(key).unwrap())
            .collect();
        let items = keys.iter().map(|key| ClaimItem::new([*key]));
        let began = self.begin();
        let claims = self.namespace.claim_many_async(items).await?;
        // The model knows all of them before the first one waits.
        let mut leases = Vec::new();
        for (claim, key) in claims.into_iter().zip(keys) {
            let place = (self.place.0, key);
            if let BatchClaim::Claim(claim) = claim {
                leases.extend(self.note(claim, place, began));
            }
        }
        let mut whole = Vec::new();
        for (lease, holding) in leases {
            let body = self.body();
            let handed = self.hand(holding.place, KeyState::Completed, &body);
            whole.push(((lease, body), handed));
        }
        let (items, handed): (Vec<_>, Vec<_>) = whole.into_iter().unzip();
        let done = self.namespace.complete_many_async(items).await;
        for (done, handed) in done.into_iter().zip(handed) {
            if done.is_ok() {
                let mut world = self.shared.borrow_mut();
                world.model.acknowledge(handed);
            }
        }
        Ok(())
    }

    fn hand(&self, place: Place, state: KeyState, body: &[u8]) -> crate::model::Handed {
        let began = self.begin();
        self.shared
            .borrow_mut()
            .model
            .hand(place, state, body, began)
    }

    async fn answered(&self, claim: Claim, place: Place, began: Began) -> Result<()> {
        match self.note(claim, place, began) {
            Some((lease, holding)) => self.hold(lease, holding).await,
            None => Ok(()),
        }
    }

    /// Compares the answer to a claim with the model.
    fn note(&self, claim: Claim, place: Place, began: Began) -> Option<(Lease, Holding)> {
        trace(&self.actor, || format!("{place:?} {claim:?}"));
        let store_secs = self.store_secs();
        let mut world = self.shared.borrow_mut();
        let model = &mut world.model;
        match claim {
            Claim::Granted(lease) => {
                let (token, now) = (lease.token(), self.actor.now());
                model.granted(place, token, began, store_secs, now, lease.is_lost());
                let shared = Rc::clone(&self.shared);
                return Some((
                    lease,
                    Holding {
                        shared,
                        place,
                        token,
                    },
                ));
            }
            Claim::Completed(answer) => {
                let told = Told {
                    body: answer.response(),
                    token: answer.token(),
                    settled_at: secs(answer.settled_at()),
                    expires_at: secs(answer.expires_at()),
                };
                model.told(place, KeyState::Completed, &told, began);
            }
            Claim::Failed(answer) => {
                let told = Told {
                    body: answer.error(),
                    token: answer.token(),
                    settled_at: secs(answer.settled_at()),
                    expires_at: secs(answer.expires_at()),
                };
                model.told(place, KeyState::Failed, &told, began);
            }
            Claim::InDoubt(_) => {
                model.met.doubts += 1;
                model.unsettled(place, began, store_secs);
            }
            Claim::InProgress(_) => model.unsettled(place, began, store_secs),
            Claim::Mismatch(_) => unreachable!("no caller sends a fingerprint"),
        }
        None
    }

    /// Works for a while, and reports the outcome.
    async fn hold(&self, lease: Lease, holding: Holding) -> Result<()> {
        let (place, token) = (holding.place, holding.token);
        for _ in 0..self.actor.below(4) {
            match self.actor.below(5) {
                0 => {
                    let time = Duration::from_millis(self.actor.below(20_000));
                    self.actor.sleep(time).await;
                }
                1 => {
                    let began = self.begin();
                    let held = self.is_held(place, token);
                    match lease.renew() {
                        Ok(()) => self.shared.borrow_mut().model.renewed(place, token, began),
                        Err(error) => self.refused(place, held, &error),
                    }
                }
                2 => {
                    let held = self.is_held(place, token);
                    if let Err(error) = lease.checkpoint_async([self.place.1; 50]).await {
                        self.refused(place, held, &error);
                    }
                }
                _ => self.actor.pause().await,
            }
        }
        let ends_as = self.actor.below(20);
        trace(&self.actor, || {
            format!("{place:?} {token:?} is about to settle ({ends_as})")
        });
        match ends_as {
            0..11 => self.settle(lease, holding, KeyState::Completed).await,
            11..13 => self.settle(lease, holding, KeyState::Failed).await,
            13..15 => {
                self.shared.borrow_mut().model.free(place);
                lease.release_async("try again").await
            }
            15..17 => {
                drop(holding);
                trace(&self.actor, || {
                    format!("{place:?} {token:?} is put in doubt")
                });
                lease.doubt_async("no answer").await
            }
            17..19 => {
                drop(holding);
                trace(&self.actor, || {
                    format!("{place:?} {token:?} becomes a ticket")
                });
                let detached = lease.detach();
                let mut world = self.shared.borrow_mut();
                // What a poisoned store was told may be on the medium: a ticket of this lease that is
                // delivered again is good then.
                if !matches!(&detached, Err(error) if error.kind() != ErrorKind::Poisoned) {
                    world.model.detached(token);
                }
                world.tickets.push((place, detached?));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn settle(&self, lease: Lease, holding: Holding, state: KeyState) -> Result<()> {
        let (place, token) = (holding.place, holding.token);
        let body = self.body();
        let held = self.is_held(place, token);
        // It takes effect when it is called, and is acknowledged later.
        drop(holding);
        let handed = self.hand(place, state, &body);
        let completes = state == KeyState::Completed;
        let done = match (completes, self.actor.chance(20)) {
            (true, false) => lease.complete_async(&body).await,
            (false, false) => lease.fail_async(&body).await,
            (true, true) => lease.complete(&body),
            (false, true) => lease.fail(&body),
        };
        trace(&self.actor, || {
            format!("{place:?} {token:?} {state:?}: {done:?}")
        });
        match done {
            Ok(()) => {
                let mut world = self.shared.borrow_mut();
                world.model.acknowledge(handed);
                Ok(())
            }
            Err(refused) => {
                self.refused(place, held, &refused);
                Err(refused)
            }
        }
    }

    /// Only a holder that has lost its key may be told so.
    fn refused(&self, place: Place, held: bool, error: &hapax::Error) {
        let lost = [
            ErrorKind::Superseded,
            ErrorKind::NotHeld,
            ErrorKind::AlreadySettled,
        ];
        let mut world = self.shared.borrow_mut();
        world.model.met.refused += 1;
        let is_lost = lost.contains(&error.kind());
        assert!(
            !held || !is_lost,
            "{place:?}: the key was held, but {error}"
        );
    }

    fn is_held(&self, place: Place, token: FencingToken) -> bool {
        self.shared
            .borrow()
            .model
            .is_held(place, token, self.actor.now())
    }

    async fn get(self) -> Result<()> {
        let began = self.begin();
        let info = self.namespace.get_async([self.place.1]).await?;
        let store_secs = self.store_secs();
        let mut world = self.shared.borrow_mut();
        match info {
            Some(info) if matches!(info.state(), KeyState::Completed | KeyState::Failed) => {
                let told = Told {
                    body: info.body(),
                    token: info.token(),
                    settled_at: secs(info.recorded_at()),
                    expires_at: secs(info.expires_at().expect("outcomes expire")),
                };
                world.model.told(self.place, info.state(), &told, began);
            }
            _ => world.model.unsettled(self.place, began, store_secs),
        }
        Ok(())
    }

    async fn forget(self) -> Result<()> {
        let holder = || {
            let mut world = self.shared.borrow_mut();
            // Refused or not, and whenever it takes effect: from here on nothing is owed.
            world.model.forgets(self.place);
            world.model.holder(self.place, self.actor.now())
        };
        let before = holder();
        trace(&self.actor, || {
            format!("{:?} forgets, {before:?} holds it", self.place)
        });
        let forgotten = self.namespace.forget_async([self.place.1]).await;
        trace(&self.actor, || {
            format!("{:?} forget {forgotten:?}", self.place)
        });
        let held = before.is_some() && holder() == before;
        assert!(
            !held || forgotten.is_err(),
            "{:?} is forgotten while it is held",
            self.place
        );
        forgotten.map(|_| ())
    }

    /// Settles a doubt in one of the ways that there are.
    async fn resolve(self) -> Result<()> {
        let doubts = self.namespace.doubts()?.collect::<Result<Vec<Doubt>>>()?;
        let Some(doubt) = doubts.get(usize::try_from(self.actor.below(4)).unwrap()) else {
            return Ok(());
        };
        let place = (self.place.0, doubt.key()[0]);
        self.actor.pause().await;
        let (state, body) = match self.actor.below(3) {
            0 => {
                trace(&self.actor, || {
                    format!("{place:?} resolves {doubt:?}: it never was")
                });
                self.shared.borrow_mut().model.free(place);
                return doubt.resolve_async(Resolution::NeverHappened).await;
            }
            1 => (KeyState::Completed, self.body()),
            _ => (KeyState::Failed, self.body()),
        };
        trace(&self.actor, || {
            format!("{place:?} resolves {doubt:?} as {state:?}")
        });
        let handed = self.hand(place, state, &body);
        let resolution = if state == KeyState::Completed {
            Resolution::Happened(body)
        } else {
            Resolution::Failed(body)
        };
        doubt.resolve_async(resolution).await?;
        let mut world = self.shared.borrow_mut();
        world.model.acknowledge(handed);
        Ok(())
    }

    /// Takes up a ticket from any life of the store, perhaps not for the first time.
    async fn attach(self) -> Result<()> {
        let ticket = {
            let mut world = self.shared.borrow_mut();
            let count = world.tickets.len() as u64;
            if count == 0 {
                return Ok(());
            }
            let at = usize::try_from(self.actor.below(count)).unwrap();
            // What delivers tickets may deliver one again.
            if self.actor.chance(50) {
                world.tickets[at].clone()
            } else {
                world.tickets.swap_remove(at)
            }
        };
        let (place, ticket) = ticket;
        let attached = self.actor.store().attach(&ticket);
        trace(&self.actor, || {
            format!("{place:?} {:?} is attached: {:?}", ticket.token(), attached)
        });
        let lease = attached?;
        assert_eq!(lease.token(), ticket.token());
        self.shared
            .borrow_mut()
            .model
            .attached(place, lease.token());
        let holding = Holding {
            shared: Rc::clone(&self.shared),
            place,
            token: lease.token(),
        };
        self.hold(lease, holding).await
    }

    async fn sync(self) -> Result<()> {
        let began = self.begin();
        self.actor.store().sync_async().await?;
        self.shared.borrow_mut().model.synced(began);
        Ok(())
    }
}
