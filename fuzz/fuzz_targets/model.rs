//! A few sentences of the contract that every answer has to agree with, whatever came before.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use hapax::{Claim, FencingToken, KeyInfo, State};

pub const LEASE: Duration = Duration::from_secs(10);
pub const RETENTION: Duration = Duration::from_secs(100);

/// The index of a namespace, and a key in it.
pub type Place = (usize, u8);

/// The index of the namespace whose effects never start twice on their own.
pub const AT_MOST_ONCE: usize = 1;

/// The model. It knows less than the store, but nothing that is wrong.
#[derive(Default)]
pub struct Model {
    pub now: Duration,
    newest: Option<FencingToken>,
    keys: BTreeMap<Place, Known>,
    /// Every response and error that a key was ever given.
    bodies: HashSet<(Place, Vec<u8>)>,
}

#[derive(Default)]
struct Known {
    settled: Option<Settled>,
    /// Nobody knows what came of an effect, so that none may start; and whether the medium has it.
    open: Option<bool>,
    /// The last holder, and the end of its lease.
    holder: Option<(FencingToken, Duration)>,
}

/// An outcome that was acknowledged.
struct Settled {
    state: State,
    body: Vec<u8>,
    at: Duration,
    durable: bool,
}

impl Model {
    /// A claim was answered.
    pub fn claimed(&mut self, place: Place, claim: &Claim) {
        let now = self.now;
        let known = self.keys.entry(place).or_default();
        match claim {
            Claim::Granted(lease) => {
                let token = lease.token();
                assert!(self.newest < Some(token), "{token:?} is not new");
                self.newest = Some(token);
                let free = known.holder.is_none_or(|(_, until)| until <= now);
                assert!(free, "granted while {:?} holds it", known.holder);
                assert!(!known.has_to_answer(now), "granted though it is settled");
                assert_eq!(known.open, None, "granted though its effect is open");
                *known = Known {
                    settled: None,
                    // Its claim is on the medium before it is granted, at every durability.
                    open: (place.0 == AT_MOST_ONCE).then_some(true),
                    holder: Some((token, now + LEASE)),
                };
            }
            Claim::Completed(answer) => {
                let body = (place, answer.response().to_vec());
                assert!(self.bodies.contains(&body), "a response of nobody");
                assert!(!known.has_to_be_gone(now), "answered after its time");
            }
            Claim::Failed(_) => assert!(!known.has_to_be_gone(now), "answered after its time"),
            Claim::InProgress(_) | Claim::InDoubt(_) => {
                assert!(!known.has_to_answer(now), "{claim:?} though it is settled");
            }
            Claim::Mismatch(_) => {}
        }
    }

    /// An outcome was acknowledged.
    pub fn settled(&mut self, place: Place, state: State, body: Vec<u8>, durable: bool) {
        self.bodies.insert((place, body.clone()));
        let settled = Settled {
            state,
            body,
            at: self.now,
            durable,
        };
        let known = Known {
            settled: Some(settled),
            ..Known::default()
        };
        self.keys.insert(place, known);
    }

    /// The key may be granted again: it was released or forgotten, or its effect never happened.
    pub fn freed(&mut self, place: Place) {
        self.keys.remove(&place);
    }

    /// A holder has said that it does not know.
    pub fn doubted(&mut self, place: Place, durable: bool) {
        let known = self.keys.entry(place).or_default();
        known.holder = None;
        known.open = Some(durable || known.open == Some(true));
    }

    /// A holder is gone without a word.
    pub fn abandoned(&mut self, place: Place, token: FencingToken) {
        let known = self.keys.entry(place).or_default();
        known.holder.take_if(|(holder, _)| *holder == token);
    }

    pub fn renewed(&mut self, place: Place, token: FencingToken) {
        let known = self.keys.entry(place).or_default();
        known.holder = Some((token, self.now + LEASE));
    }

    /// Everything that was acknowledged is on the medium.
    pub fn synced(&mut self) {
        for known in self.keys.values_mut() {
            known.open = known.open.map(|_| true);
            if let Some(settled) = &mut known.settled {
                settled.durable = true;
            }
        }
    }

    /// The holders are gone, and what was not on the medium may be.
    pub fn crashed(&mut self) {
        for known in self.keys.values_mut() {
            known.holder = None;
            known.open.take_if(|durable| !*durable);
            known.settled.take_if(|settled| !settled.durable);
        }
    }

    /// Whether this token holds the key, and its lease runs.
    pub fn is_held(&self, place: Place, token: FencingToken) -> bool {
        self.holder(place) == Some(token)
    }

    /// Who holds the key with a lease that runs.
    pub fn holder(&self, place: Place) -> Option<FencingToken> {
        let (token, until) = self.keys.get(&place)?.holder?;
        (until > self.now).then_some(token)
    }

    /// Holds every outcome that has to be there against what the store says.
    pub fn check(&self, get: impl Fn(Place) -> Option<KeyInfo>) {
        for (place, known) in &self.keys {
            let Some(settled) = &known.settled else {
                continue;
            };
            if known.has_to_answer(self.now) {
                let info = get(*place).unwrap_or_else(|| panic!("{place:?} is gone too early"));
                assert_eq!(info.state(), settled.state, "{place:?}");
                assert_eq!(info.body(), settled.body, "{place:?}");
            }
        }
    }
}

impl Known {
    fn has_to_answer(&self, now: Duration) -> bool {
        let settled = self.settled.as_ref();
        settled.is_some_and(|settled| now < settled.at + RETENTION)
    }

    /// A retention is rounded up to a second, and counted from a whole one.
    fn has_to_be_gone(&self, now: Duration) -> bool {
        let settled = self.settled.as_ref();
        settled.is_some_and(|settled| now > settled.at + RETENTION + Duration::from_secs(2))
    }
}
