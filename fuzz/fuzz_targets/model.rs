//! A few sentences of the contract that every answer must agree with, after any history.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use hapax::{Claim, FencingToken, KeyInfo, KeyState};

pub const LEASE: Duration = Duration::from_secs(10);
pub const RETENTION: Duration = Duration::from_secs(100);
const RETENTION_MS: u64 = 100_000;

/// The index of a namespace, and a key in it.
pub type Place = (usize, u8);

/// The index of the namespace whose effects never start twice on their own.
pub const AT_MOST_ONCE: usize = 1;

/// Where store time is: nowhere before `least`, nowhere after `most`. In milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct StoreTime {
    least: u64,
    most: u64,
    wall: u64,
}

/// The first of January 2026, where a manual clock starts.
const START_MS: u64 = 1_767_225_600_000;

/// Beyond it the seconds of a record end.
const END_MS: u64 = 4_000_000_000_000;

const OFFLINE_MAX_MS: u64 = 30 * 24 * 60 * 60 * 1000;

impl StoreTime {
    fn start() -> Self {
        Self {
            least: START_MS,
            most: START_MS,
            wall: START_MS,
        }
    }

    /// Whether the wall clock may move by this much and stay within the times that records can
    /// hold.
    pub fn may_step(&self, seconds: i64) -> bool {
        let wall = self.wall.saturating_add_signed(seconds * 1000);
        wall < END_MS && self.most < END_MS
    }

    pub fn step(&mut self, seconds: i64) {
        self.wall = self.wall.saturating_add_signed(seconds * 1000);
    }

    /// It runs with the monotonic clock, and leans towards the wall clock by a sixteenth at most.
    fn advance(&mut self, by_ms: u64) {
        self.wall += by_ms;
        let (wall, lean) = (self.wall, by_ms / 16);
        let follow = |at: u64| {
            let straight = at + by_ms;
            if wall >= straight {
                straight + lean.min(wall - straight)
            } else {
                straight - lean.min(straight - wall)
            }
        };
        (self.least, self.most) = (follow(self.least), follow(self.most));
    }

    /// It goes on from the later of the wall clock and what the medium remembers.
    fn reopened(&mut self, closed: bool) {
        let kept = if closed { self.least } else { 0 };
        self.least = self.wall.max(kept);
        self.most = self.wall.max(self.most);
    }

    /// Holds a store that opened, or did not for the sake of its clock, against the limit.
    pub fn check_opened(&self, refused: bool) {
        if refused {
            assert!(self.wall > START_MS + OFFLINE_MAX_MS, "refused {self:?}");
        } else {
            let offline = self.wall.saturating_sub(self.most);
            assert!(offline <= OFFLINE_MAX_MS, "opened {self:?}");
        }
    }
}

/// The model. It knows less than the store, but nothing that is wrong.
pub struct Model {
    /// The monotonic clock: leases and waits.
    pub now: Duration,
    pub time: StoreTime,
    newest: Option<FencingToken>,
    keys: BTreeMap<Place, Known>,
    /// Every response and error that a key was ever given.
    bodies: HashSet<(Place, Vec<u8>)>,
}

#[derive(Default)]
struct Known {
    settled: Option<Settled>,
    /// The outcome of an effect is unknown, so no other may start. The flag says whether the medium
    /// has it.
    open: Option<bool>,
    /// The last holder, and the end of its lease.
    holder: Option<(FencingToken, Duration)>,
}

/// An outcome that was acknowledged.
struct Settled {
    state: KeyState,
    body: Vec<u8>,
    at: StoreTime,
    durable: bool,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            now: Duration::ZERO,
            time: StoreTime::start(),
            newest: None,
            keys: BTreeMap::new(),
            bodies: HashSet::new(),
        }
    }
}

impl Model {
    pub fn advance(&mut self, by: Duration) {
        self.now += by;
        self.time.advance(by.as_millis() as u64);
    }

    /// A claim was answered.
    pub fn claimed(&mut self, place: Place, claim: &Claim) {
        let (now, time) = (self.now, self.time);
        let known = self.keys.entry(place).or_default();
        match claim {
            Claim::Granted(lease) => {
                let token = lease.token();
                assert!(self.newest < Some(token), "{token:?} is not new");
                self.newest = Some(token);
                let free = known.holder.is_none_or(|(_, until)| until <= now);
                assert!(free, "granted while {:?} holds it", known.holder);
                assert!(!known.has_to_answer(time), "granted though it is settled");
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
                assert!(
                    self.bodies.contains(&body),
                    "a response that no caller gave"
                );
                assert!(!known.has_to_be_gone(time), "answered after its time");
            }
            Claim::Failed(_) => assert!(!known.has_to_be_gone(time), "answered after its time"),
            Claim::InProgress(_) | Claim::InDoubt(_) => {
                assert!(!known.has_to_answer(time), "{claim:?} though it is settled");
            }
            Claim::Mismatch(_) => {}
        }
    }

    /// An outcome was acknowledged.
    pub fn settled(&mut self, place: Place, state: KeyState, body: Vec<u8>, durable: bool) {
        self.bodies.insert((place, body.clone()));
        let settled = Settled {
            state,
            body,
            at: self.time,
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

    /// It is unknown whether the key got this response.
    pub fn unknown(&mut self, place: Place, body: Vec<u8>) {
        self.bodies.insert((place, body));
        self.keys.remove(&place);
    }

    /// A key was marked as done, or was found done.
    pub fn inserted(&mut self, place: Place, is_new: bool, durable: bool) {
        let known = self.keys.entry(place).or_default();
        if is_new {
            let free = known.holder.is_none_or(|(_, until)| until <= self.now);
            assert!(free, "marked as done while {:?} holds it", known.holder);
            assert!(!known.has_to_answer(self.time), "new though it is settled");
            assert_eq!(known.open, None, "marked as done though its effect is open");
            self.settled(place, KeyState::Completed, Vec::new(), durable);
        }
    }

    /// The holders are gone, and what was not on the medium may be.
    pub fn crashed(&mut self, closed: bool) {
        self.time.reopened(closed);
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

    /// The holder of the key, if its lease runs.
    pub fn holder(&self, place: Place) -> Option<FencingToken> {
        let (token, until) = self.keys.get(&place)?.holder?;
        (until > self.now).then_some(token)
    }

    /// Holds every outcome that has to be there against what the store says; where the store is
    /// poisoned, every durable one.
    pub fn check(&self, poisoned: bool, get: impl Fn(Place) -> Option<KeyInfo>) {
        for (place, known) in &self.keys {
            let Some(settled) = &known.settled else {
                continue;
            };
            if poisoned && !settled.durable {
                continue;
            }
            if known.has_to_answer(self.time) {
                let info = get(*place).unwrap_or_else(|| panic!("{place:?} is gone too early"));
                assert_eq!(info.state(), settled.state, "{place:?}");
                assert_eq!(info.body(), settled.body, "{place:?}");
            }
        }
    }
}

impl Known {
    fn has_to_answer(&self, now: StoreTime) -> bool {
        let settled = self.settled.as_ref();
        settled.is_some_and(|settled| now.most < settled.at.least + RETENTION_MS)
    }

    /// A retention is rounded up to a second, and counted from a whole one.
    fn has_to_be_gone(&self, now: StoreTime) -> bool {
        let settled = self.settled.as_ref();
        settled.is_some_and(|settled| now.least > settled.at.most + RETENTION_MS + 2000)
    }
}
