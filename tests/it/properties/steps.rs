//! The steps of a random history, and how they are drawn.

use proptest::prelude::*;

use super::world::KEYS;
use crate::model::{Act, Asked, Id, Rules, Settle};

/// How the store of a history is opened.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) shards: usize,
    /// Without one, the store is under `Sync`.
    pub(crate) interval_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    pub(crate) seed: u8,
    pub(crate) size: usize,
}

/// One of the leases that are held, counted modulo their number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held(pub usize);

#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub(crate) print: Option<u8>,
    pub(crate) metadata: u8,
    pub(crate) lease_ms: Option<u64>,
    pub(crate) retention_secs: Option<u64>,
}

impl Asking {
    pub(crate) fn under(&self, rules: &Rules) -> Asked {
        Asked {
            print: self.print,
            metadata: vec![self.metadata; usize::from(self.metadata)],
            lease_ms: self.lease_ms.unwrap_or(rules.lease_ms),
            retention_secs: self.retention_secs,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Doing {
    Complete(Body),
    Fail(Body),
    Release(u8),
    Doubt(u8),
    Checkpoint(Body),
    Renew,
    Detach,
    Drop,
}

impl Doing {
    pub(crate) fn act(self) -> Act {
        let bytes = |body: Body| vec![body.seed; body.size];
        let few = |seed: u8| vec![seed; usize::from(seed % 5)];
        match self {
            Self::Complete(body) => Act::Complete(bytes(body)),
            Self::Fail(body) => Act::Fail(bytes(body)),
            Self::Release(seed) => Act::Release(few(seed)),
            Self::Doubt(seed) => Act::Doubt(few(seed)),
            Self::Checkpoint(body) => Act::Checkpoint(vec![body.seed; body.size % 16_384]),
            Self::Renew => Act::Renew,
            Self::Detach => Act::Detach,
            Self::Drop => Act::Drop,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Settling {
    Happened(Body),
    Failed(Body),
    Never,
}

impl Settling {
    pub(crate) fn settle(self) -> Settle {
        match self {
            Self::Happened(body) => Settle::Happened(vec![body.seed; body.size]),
            Self::Failed(body) => Settle::Failed(vec![body.seed; body.size]),
            Self::Never => Settle::Never,
        }
    }
}

/// What happens while a claim waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meanwhile {
    Nothing,
    Lapse,
    Act(Doing),
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Claim {
        id: Id,
        asked: Asking,
    },
    /// A refused holder takes its lease back, or drops it.
    Act {
        lease: Held,
        act: Doing,
        lets_go: bool,
    },
    /// A claim waits for the key, something happens to its holder, and the wait ends or is given up.
    Wait {
        id: Id,
        asked: Asking,
        meanwhile: Meanwhile,
        cancelled: bool,
    },
    KeepAlive {
        lease: Held,
        ms: u64,
    },
    ForgetLease {
        lease: Held,
    },
    Attach {
        ticket: usize,
    },
    Resolve {
        id: Id,
        settle: Settling,
        stale: bool,
        force: bool,
    },
    /// Forced with the right token, a wrong one, or not.
    Forget {
        id: Id,
        force: Option<bool>,
    },
    Insert {
        id: Id,
    },
    ClaimMany {
        space: usize,
        keys: Vec<usize>,
        asked: Asking,
    },
    CompleteMany {
        space: usize,
        body: Body,
    },
    Scan {
        space: usize,
        state: Option<hapax::KeyState>,
    },
    InDoubt,
    Advance {
        ms: u64,
    },
    Wall {
        secs: i64,
    },
    Sync,
    Reopen,
    Crash {
        keeping: usize,
    },
    Churn {
        mib: usize,
    },
    Verify,
}

fn id() -> impl Strategy<Value = Id> {
    (0..4_usize, 0..KEYS)
}

fn held() -> impl Strategy<Value = Held> {
    (0..8_usize).prop_map(Held)
}

fn body() -> impl Strategy<Value = Body> {
    let size = prop_oneof![
        20 => 0..200_usize,
        4 => 5_000..24_577_usize,
        3 => 24_570..60_000_usize,
        1 => 64_000..66_000_usize,
        1 => 250_000..350_000_usize,
    ];
    (any::<u8>(), size).prop_map(|(seed, size)| Body { seed, size })
}

fn asked() -> impl Strategy<Value = Asking> {
    let print = proptest::option::weighted(0.6, prop_oneof![4 => Just(0_u8), 1 => 1..4_u8]);
    let lease = proptest::option::weighted(0.2, prop_oneof![1..100_u64, 1000..59_000_u64]);
    let retention = proptest::option::weighted(0.2, 60..5000_u64);
    (print, 0..4_u8, lease, retention).prop_map(|(print, metadata, lease_ms, retention_secs)| {
        Asking {
            print,
            metadata,
            lease_ms,
            retention_secs,
        }
    })
}

fn doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        6 => body().prop_map(Doing::Complete),
        2 => body().prop_map(Doing::Fail),
        3 => any::<u8>().prop_map(Doing::Release),
        2 => any::<u8>().prop_map(Doing::Doubt),
        3 => body().prop_map(Doing::Checkpoint),
        2 => Just(Doing::Renew),
        3 => Just(Doing::Detach),
        2 => Just(Doing::Drop),
    ]
}

fn settling() -> impl Strategy<Value = Settling> {
    prop_oneof![
        body().prop_map(Settling::Happened),
        body().prop_map(Settling::Failed),
        Just(Settling::Never),
    ]
}

fn state() -> impl Strategy<Value = Option<hapax::KeyState>> {
    use hapax::KeyState;
    proptest::option::of(prop_oneof![
        Just(KeyState::InProgress),
        Just(KeyState::Completed),
        Just(KeyState::Failed),
        Just(KeyState::InDoubt),
        Just(KeyState::Released),
    ])
}

fn time() -> impl Strategy<Value = Step> {
    const HOUR: i64 = 3600;
    let ms = prop_oneof![
        3 => 0..200_u64,
        6 => 1000..12_000_u64,
        2 => 20_000..200_000_u64,
        2 => 600_000..3_700_000_u64,
        1 => 3_600_000..864_000_000_u64,
    ];
    let wall = prop_oneof![
        -30..30_i64,
        -48 * HOUR..48 * HOUR,
        prop_oneof![
            Just(-4 * 8766 * HOUR),
            Just(5 * 8766 * HOUR),
            Just(31 * 24 * HOUR)
        ],
    ];
    prop_oneof![
        8 => ms.prop_map(|ms| Step::Advance { ms }),
        1 => wall.prop_map(|secs| Step::Wall { secs }),
    ]
}

fn batch() -> impl Strategy<Value = Step> {
    let keys = proptest::collection::vec(0..KEYS, 0..6);
    prop_oneof![
        (0..4_usize, keys, asked()).prop_map(|(space, keys, asked)| Step::ClaimMany {
            space,
            keys,
            asked
        }),
        (0..4_usize, body()).prop_map(|(space, body)| Step::CompleteMany { space, body }),
    ]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let resolve = (
        id(),
        settling(),
        proptest::bool::weighted(0.1),
        any::<bool>(),
    );
    let meanwhile = prop_oneof![
        1 => Just(Meanwhile::Nothing),
        4 => Just(Meanwhile::Lapse),
        6 => doing().prop_map(Meanwhile::Act),
    ];
    let wait = (id(), asked(), meanwhile, any::<bool>());
    let wait = wait.prop_map(|(id, asked, meanwhile, cancelled)| Step::Wait {
        id,
        asked,
        meanwhile,
        cancelled,
    });
    prop_oneof![
        300 => (id(), asked()).prop_map(|(id, asked)| Step::Claim { id, asked }),
        300 => (held(), doing(), any::<bool>()).prop_map(|(lease, act, lets_go)| Step::Act { lease, act, lets_go }),
        80 => wait,
        20 => (held(), 0..100_000_u64).prop_map(|(lease, ms)| Step::KeepAlive { lease, ms }),
        20 => held().prop_map(|lease| Step::ForgetLease { lease }),
        40 => (0..8_usize).prop_map(|ticket| Step::Attach { ticket }),
        50 => resolve.prop_map(|(id, settle, stale, force)| Step::Resolve { id, settle, stale, force }),
        40 => (id(), proptest::option::of(any::<bool>())).prop_map(|(id, force)| Step::Forget { id, force }),
        40 => id().prop_map(|id| Step::Insert { id }),
        40 => batch(),
        20 => (0..4_usize, state()).prop_map(|(space, state)| Step::Scan { space, state }),
        20 => Just(Step::InDoubt),
        200 => time(),
        20 => Just(Step::Sync),
        40 => Just(Step::Reopen),
        60 => (0..6_usize).prop_map(|keeping| Step::Crash { keeping }),
        4 => (1..40_usize).prop_map(|mib| Step::Churn { mib }),
        20 => Just(Step::Verify),
    ]
}

pub(crate) fn setup() -> impl Strategy<Value = Setup> {
    let shards = prop_oneof![4 => 1..5_usize, 1 => Just(256_usize)];
    let interval = proptest::option::of(prop_oneof![Just(1_u64), Just(50), Just(10_000)]);
    (shards, interval).prop_map(|(shards, interval_ms)| Setup {
        shards,
        interval_ms,
    })
}
