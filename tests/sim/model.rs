//! What is known of each key, across crashes: less than the store knows, but never wrong.
//!
//! A call has a beginning and an end, and others run in between. So an answer is compared only with
//! what had been acknowledged before its call began.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::AddAssign;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hapax::sim::Ended;
use hapax::{ErrorKind, FencingToken, KeyInfo, KeyState, Result, Store};

/// A moment as seconds since 1970.
pub(crate) fn secs(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) const NAMES: [&str; 3] = ["at-least-once", "at-most-once", "at-most-once, synced"];
pub(crate) const LEASE: Duration = Duration::from_secs(10);
pub(crate) const RETENTION_SECS: u64 = 600;

/// The index of a namespace, and a key in it.
pub(crate) type Place = (usize, u8);

/// The moment at which a call began: in events of the model, and in store time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Began {
    event: u64,
    store_secs: u64,
    now: Duration,
}

/// An outcome that a holder has handed to the store.
#[derive(Clone, Debug)]
pub(crate) struct Handed {
    place: Place,
    state: KeyState,
    body: Vec<u8>,
    began: Began,
}

/// An outcome that a caller has seen, or whose storage was acknowledged to its holder.
#[derive(Clone, Debug)]
struct Acknowledged {
    state: KeyState,
    body: Vec<u8>,
    /// Before this it has to be answered.
    until_secs: u64,
    handed: Began,
    event: u64,
    durable: bool,
}

/// Whether an effect may have begun whose end is unknown.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Open {
    No,
    /// It was settled; once that may have expired, the key may run again.
    Until(u64),
    Forever,
}

#[derive(Debug)]
struct Known {
    holder: Option<(FencingToken, Duration)>,
    newest: Option<FencingToken>,
    acknowledged: Option<Acknowledged>,
    open: Open,
    /// When the key was last let go on purpose.
    freed: u64,
}

#[derive(Debug)]
pub(crate) struct Model {
    /// By namespace: whether it is at-most-once, and whether its changes are synced.
    at_most_once: [bool; 3],
    synced: [bool; 3],
    window: Option<Duration>,
    events: u64,
    keys: BTreeMap<Place, Known>,
    tokens: HashSet<FencingToken>,
    /// Tickets that have become leases, and the leases no tickets again.
    used: HashSet<FencingToken>,
    /// The highest token of an earlier life.
    before: Option<FencingToken>,
    /// Every outcome that was ever handed over: to which key, and since when.
    bodies: HashMap<(KeyState, Vec<u8>), (Place, Began)>,
    pub(crate) met: Met,
}

/// What happened in the histories: a test without events finds no faults.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Met {
    pub(crate) granted: u64,
    pub(crate) replayed: u64,
    pub(crate) acknowledged: u64,
    pub(crate) doubts: u64,
    pub(crate) reruns: u64,
    pub(crate) refused: u64,
    pub(crate) checked: u64,
    pub(crate) audited: u64,
    pub(crate) attached: u64,
}

impl AddAssign for Met {
    fn add_assign(&mut self, other: Self) {
        self.granted += other.granted;
        self.replayed += other.replayed;
        self.acknowledged += other.acknowledged;
        self.doubts += other.doubts;
        self.reruns += other.reruns;
        self.refused += other.refused;
        self.checked += other.checked;
        self.audited += other.audited;
        self.attached += other.attached;
    }
}

impl Model {
    pub(crate) fn new(window: Option<Duration>) -> Self {
        Self {
            at_most_once: [false, true, true],
            synced: [window.is_none(), window.is_none(), true],
            window,
            events: 0,
            keys: BTreeMap::new(),
            tokens: HashSet::new(),
            used: HashSet::new(),
            before: None,
            bodies: HashMap::new(),
            met: Met::default(),
        }
    }

    fn known(&mut self, place: Place) -> &mut Known {
        self.keys.entry(place).or_insert(Known {
            holder: None,
            newest: None,
            acknowledged: None,
            open: Open::No,
            freed: 0,
        })
    }

    fn event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    pub(crate) fn begin(&mut self, store: &Store, now: Duration) -> Began {
        Began {
            event: self.event(),
            store_secs: secs(store.stats().store_time()),
            now,
        }
    }

    /// A claim was granted. `lost` is what the lease says of itself.
    pub(crate) fn granted(
        &mut self,
        place: Place,
        token: FencingToken,
        began: Began,
        store_secs: u64,
        now: Duration,
        lost: bool,
    ) {
        self.met.granted += 1;
        assert!(
            self.tokens.insert(token),
            "{token:?} is granted a second time"
        );
        assert!(
            self.before < Some(token),
            "{token:?} is not above those of earlier lives"
        );
        let at_most_once = self.at_most_once[place.0];
        let mut reruns = 0;
        let known = self.known(place);
        if known.newest > Some(token) {
            // It was decided earlier and told late: another caller has the key by now.
            assert!(
                lost,
                "{place:?}: {token:?} is alive beside {:?}",
                known.newest
            );
            return;
        }
        let free = known.holder.is_none_or(|(_, until)| until <= now);
        assert!(
            free,
            "{place:?}: {token:?} is granted while {:?} holds it",
            known.holder
        );
        if let Some(answer) = &known.acknowledged {
            let binds = answer.event < began.event && store_secs < answer.until_secs;
            assert!(!binds, "{place:?}: granted at {store_secs}, but {answer:?}");
            reruns = 1;
        }
        if at_most_once {
            let may_run = match known.open {
                Open::No => true,
                Open::Until(secs) => secs <= store_secs,
                Open::Forever => false,
            };
            assert!(
                may_run,
                "{place:?}: an effect begins twice, {:?}",
                known.open
            );
            known.open = Open::Forever;
        }
        known.newest = Some(token);
        known.acknowledged = None;
        known.holder = Some((token, began.now + LEASE));
        self.met.reruns += reruns;
    }

    /// A call found no outcome.
    pub(crate) fn unsettled(&mut self, place: Place, began: Began, store_secs: u64) {
        if let Some(answer) = &self.known(place).acknowledged {
            let binds = answer.event < began.event && store_secs < answer.until_secs;
            assert!(
                !binds,
                "{place:?}: not settled at {store_secs}, but {answer:?}"
            );
        }
    }

    /// Whether this token holds the key, and its lease certainly runs.
    pub(crate) fn is_held(&self, place: Place, token: FencingToken, now: Duration) -> bool {
        let holder = self.keys.get(&place).and_then(|known| known.holder);
        holder.is_some_and(|(holder, until)| holder == token && now < until)
    }

    /// The holder of the key, if its lease certainly runs.
    pub(crate) fn holder(&self, place: Place, now: Duration) -> Option<FencingToken> {
        let (token, until) = self.keys.get(&place)?.holder?;
        (now < until).then_some(token)
    }

    pub(crate) fn renewed(&mut self, place: Place, token: FencingToken, began: Began) {
        let known = self.known(place);
        if let Some((holder, until)) = &mut known.holder {
            if *holder == token {
                *until = (*until).max(began.now + LEASE);
            }
        }
    }

    /// A ticket became a lease, whose holder may begin the effect.
    pub(crate) fn attached(&mut self, place: Place, token: FencingToken) {
        self.met.attached += 1;
        let first = self.used.insert(token);
        assert!(
            first || !self.at_most_once[place.0],
            "{place:?}: the ticket of {token:?} is good a second time"
        );
    }

    /// The lease of this token became a ticket.
    pub(crate) fn detached(&mut self, token: FencingToken) {
        self.used.remove(&token);
    }

    /// The holder is about to say, or drop, its lease.
    pub(crate) fn ends(&mut self, place: Place, token: FencingToken) {
        let known = self.known(place);
        known.holder.take_if(|(holder, _)| *holder == token);
    }

    /// An outcome is handed to the store; whether it is kept is not known yet.
    pub(crate) fn hand(
        &mut self,
        place: Place,
        state: KeyState,
        body: &[u8],
        began: Began,
    ) -> Handed {
        let handed = (place, began);
        self.bodies.insert((state, body.to_vec()), handed);
        let known = self.known(place);
        // Of several outcomes, any may be kept, so this takes the earliest that may expire.
        let until_secs = began.store_secs + RETENTION_SECS;
        known.open = match known.open {
            Open::No => Open::No,
            Open::Until(other) => Open::Until(other.min(until_secs)),
            Open::Forever => Open::Until(until_secs),
        };
        Handed {
            place,
            state,
            body: body.to_vec(),
            began,
        }
    }

    /// The store has said that it keeps the outcome.
    pub(crate) fn acknowledge(&mut self, handed: Handed) {
        self.met.acknowledged += 1;
        let Handed {
            place,
            state,
            body,
            began,
        } = handed;
        let until_secs = began.store_secs + RETENTION_SECS;
        self.keep(place, state, body, until_secs, began);
        self.window_passed(place.0, began.now);
    }

    /// A caller was told the outcome of a key.
    pub(crate) fn told(&mut self, place: Place, state: KeyState, info: &Told<'_>, began: Began) {
        self.met.replayed += 1;
        let known_body = self.bodies.get(&(state, info.body.to_vec())).copied();
        let Some((of, handed)) = known_body else {
            panic!(
                "{place:?}: an answer that was never given: {state:?} {:?}",
                info.body
            );
        };
        assert_eq!(of, place, "the answer of another key");
        let late = handed.store_secs + RETENTION_SECS + 2;
        assert!(
            began.store_secs <= late,
            "{place:?}: answered after its time"
        );
        assert!(
            info.expires_at >= info.settled_at + RETENTION_SECS,
            "kept too short a time"
        );
        let known = self.known(place);
        if let Some(answer) = &known.acknowledged {
            let binds = answer.event < began.event && began.store_secs < answer.until_secs;
            let same = answer.state == state && answer.body == info.body;
            let newer = answer.handed.store_secs <= handed.store_secs;
            assert!(
                !binds || same || newer,
                "{place:?}: an older answer than {answer:?} came back"
            );
        }
        if known.freed < began.event && known.newest <= Some(info.token) {
            // A caller that waited may have begun long before the outcome was made, so the times are those of
            // the holder: by the caller's, an outcome could count as older than the window and be lost to a
            // power cut (seed 90475838305738).
            let handed = Began {
                event: began.event,
                ..handed
            };
            self.keep(place, state, info.body.to_vec(), info.expires_at, handed);
        }
    }

    fn keep(
        &mut self,
        place: Place,
        state: KeyState,
        body: Vec<u8>,
        until_secs: u64,
        handed: Began,
    ) {
        let event = self.event();
        let durable = self.synced[place.0];
        let known = self.known(place);
        // Freed, or overtaken, while the call was under way.
        let newer = known
            .acknowledged
            .as_ref()
            .is_none_or(|answer| answer.handed.event <= handed.event);
        if known.freed < handed.event && newer {
            let was_durable = known.acknowledged.as_ref().is_some_and(|answer| {
                answer.durable && answer.state == state && answer.body == body
            });
            known.holder = None;
            if known.open != Open::No {
                known.open = Open::Until(until_secs);
            }
            known.acknowledged = Some(Acknowledged {
                state,
                body,
                until_secs,
                handed,
                event,
                durable: durable || was_durable,
            });
        }
    }

    /// A change was acknowledged: what was older than the window when it was made is on the medium.
    fn window_passed(&mut self, namespace: usize, made: Duration) {
        let Some(window) = self.window.filter(|_| !self.synced[namespace]) else {
            return;
        };
        for known in self.keys.values_mut() {
            if let Some(answer) = &mut known.acknowledged {
                answer.durable |= answer.handed.now + window < made;
            }
        }
    }

    /// `sync` has returned.
    pub(crate) fn synced(&mut self, began: Began) {
        for known in self.keys.values_mut() {
            if let Some(answer) = &mut known.acknowledged {
                answer.durable |= answer.event < began.event;
            }
        }
    }

    /// The key is about to be let go: released, forgotten, or resolved as never begun.
    pub(crate) fn free(&mut self, place: Place) {
        let event = self.event();
        let known = self.known(place);
        known.freed = event;
        known.acknowledged = None;
        known.holder = None;
        known.open = Open::No;
    }

    /// A caller is about to forget the key, which is refused while its effect is open.
    pub(crate) fn forgets(&mut self, place: Place) {
        let event = self.event();
        let known = self.known(place);
        known.freed = event;
        known.acknowledged = None;
        if let Open::Until(_) = known.open {
            known.open = Open::No;
        }
    }

    /// The store was opened again.
    pub(crate) fn reopened(&mut self, ended: Ended) {
        self.before = self.tokens.iter().max().copied();
        for known in self.keys.values_mut() {
            known.holder = None;
            if ended != Ended::Closed {
                known.acknowledged.take_if(|answer| !answer.durable);
            }
            if let Some(answer) = &mut known.acknowledged {
                answer.durable = true;
            }
        }
    }

    /// Compares every outcome that is owed with what the store has.
    pub(crate) fn check(
        &mut self,
        store_secs: u64,
        get: impl Fn(Place) -> Result<Option<KeyInfo>>,
    ) {
        let mut checked = 0;
        for (place, known) in &self.keys {
            let Some(answer) = &known.acknowledged else {
                continue;
            };
            if store_secs < answer.until_secs {
                let info = match get(*place) {
                    Ok(info) => info,
                    // A fault, or the end of the process, has come between.
                    Err(error) => {
                        let faults = [ErrorKind::Io, ErrorKind::Poisoned];
                        assert!(faults.contains(&error.kind()), "{place:?}: {error}");
                        continue;
                    }
                };
                let info = info.unwrap_or_else(|| panic!("{place:?}: lost {answer:?}"));
                assert_eq!(info.state(), answer.state, "{place:?}");
                assert_eq!(info.body(), answer.body, "{place:?}");
                checked += 1;
            }
        }
        self.met.checked += checked;
    }
}

/// What an answer says.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    pub(crate) body: &'a [u8],
    pub(crate) token: FencingToken,
    pub(crate) settled_at: u64,
    pub(crate) expires_at: u64,
}
