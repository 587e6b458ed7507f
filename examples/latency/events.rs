//! The events beside the callers: keys that come, expire, or have to be carried.

use std::time::{Duration, Instant, SystemTime};

use hapax::{BatchClaim, Claim, ClaimItem, ClaimOptions, Lease, Namespace, Store};

use crate::Failure;
use crate::args::Scenario;
use crate::histogram::instant;
use crate::load::{Phase, Phases, RESPONSE};

/// How long the phases of a run were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lasted {
    pub(crate) quiet: Duration,
    pub(crate) event: Duration,
}

const WARM_UP: Duration = Duration::from_secs(1);

/// Keys of one call of a filler: in the hurry before a run, and beside the callers.
const FILL: u64 = 4096;
const SMALL_FILL: u64 = 256;

/// Keys that come during growth, for each one of the event, and how many in a second: a load that
/// leaves room for the callers, so that growth is measured, and not a log that is full.
const GROWTH: u64 = 4;
const GROWTH_RATE: u64 = 400_000;

/// One key in this many outlives the others in the compaction scenario, so that every segment has a few keys
/// to carry, and most of it is dead.
const LONG_LIVED_ONE_IN: u64 = 4;

/// Keys a second that a slow machine fills in.
const FILL_RATE_LEAST: u64 = 100_000;

/// The callers' own keys live on while the keys of the event are filled in and die. With at least this many
/// keys of the event, most bytes of the log are dead: compaction carries nothing before that. The keys and
/// responses of both are as long as each other.
pub(crate) fn keys_to_carry(rate: u64, quiet: Duration) -> Result<u64, Failure> {
    // Of each four keys three die, so every second one outnumbers a caller's; and each takes time to
    // fill in, in which the callers bring more.
    let most = FILL_RATE_LEAST / 4;
    if rate > most {
        let text = format!("--rate is {rate}: for compaction give it at most {most}");
        return Err(text.into());
    }
    let waiting = filling_seconds(0) + quiet.as_secs() + SPARE_SECONDS;
    // And once more as many: compaction begins some time after they have died, and the callers go on.
    Ok(rate * waiting * 2 * FILL_RATE_LEAST / (FILL_RATE_LEAST - 2 * rate) * 2)
}

/// How long a fill may take.
fn filling_seconds(keys: u64) -> u64 {
    keys / FILL_RATE_LEAST + 3
}

/// Between the fill and the quiet.
const SPARE_SECONDS: u64 = 2;

/// An event that takes longer counts as missing.
const EVENT_MOST: Duration = Duration::from_secs(120);

/// Carrying has ended when nothing was carried for this long.
const CALM: Duration = Duration::from_secs(2);

/// The keys of the callers have small numbers in their upper half.
fn key(serial: u64) -> [u8; 16] {
    ((u128::from(u64::MAX) << 64) | u128::from(serial)).to_be_bytes()
}

fn complete(on: &Namespace, claims: Vec<BatchClaim>) -> Result<(), Failure> {
    let lease = |claim| match claim {
        BatchClaim::Claim(Claim::Granted(lease)) => Ok((lease, RESPONSE)),
        other => Err(format!(
            "a new key is granted, but the answer was {other:?}"
        )),
    };
    let leases: Vec<(Lease, _)> = claims.into_iter().map(lease).collect::<Result<_, _>>()?;
    for result in on.complete_many(leases) {
        result?;
    }
    Ok(())
}

/// An event is looked at this often: the counts take the lock of each shard.
const LOOK: Duration = Duration::from_millis(200);

fn park(lasting: Duration, phases: &Phases) {
    let until = instant() + lasting;
    let mut now = instant();
    while now < until && phases.now() != Phase::Over {
        std::thread::park_timeout((until - now).min(Duration::from_millis(50)));
        now = instant();
    }
}

/// Nothing happens; then, for the growth scenario, the event's keys come.
pub(crate) fn steady_then_growth(
    scenario: Scenario,
    quiet: Duration,
    keys: u64,
    on: &Namespace,
    phases: &Phases,
) -> Result<Lasted, Failure> {
    park(WARM_UP.min(quiet), phases);
    let start = instant();
    phases.enter(Phase::Quiet);
    park(quiet, phases);
    let event_start = instant();
    let mut lasted = Lasted {
        quiet: event_start - start,
        event: Duration::ZERO,
    };
    if scenario == Scenario::Growth {
        phases.enter(Phase::Event);
        grow(keys * GROWTH, on, phases)?;
        lasted.event = instant() - event_start;
    }
    Ok(lasted)
}

/// Brings this many keys at their rate, or as fast as it goes.
fn grow(keys: u64, on: &Namespace, phases: &Phases) -> Result<(), Failure> {
    let from = instant();
    let mut done = 0;
    while done < keys && phases.now() != Phase::Over {
        let end = (done + SMALL_FILL).min(keys);
        complete(on, on.claim_many((done..end).map(key))?)?;
        done = end;
        let due = from + Duration::from_nanos(done.saturating_mul(1_000_000_000) / GROWTH_RATE);
        std::thread::park_timeout(due.saturating_duration_since(instant()));
    }
    Ok(())
}

/// Keys that are to expire at one second of store time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expiring {
    keys: u64,
    expire_at: SystemTime,
}

/// How long it is until then, by store time.
fn left_until(moment: SystemTime, store: &Store) -> Duration {
    let left = moment.duration_since(store.stats().store_time());
    left.unwrap_or_default()
}

impl Expiring {
    /// Fills the store with keys that expire when there was time to fill, and for the quiet.
    pub(crate) fn fill(
        scenario: Scenario,
        quiet: Duration,
        keys: u64,
        store: &Store,
        on: &Namespace,
    ) -> Result<Self, Failure> {
        let lasting = filling_seconds(keys) + quiet.as_secs() + SPARE_SECONDS;
        let expire_at = store.stats().store_time() + Duration::from_secs(lasting);
        let mut done = 0;
        while done < keys {
            let end = (done + FILL).min(keys);
            let left = left_until(expire_at, store).as_secs();
            if left <= quiet.as_secs() {
                let text = "it takes too long to fill the store here: give it fewer --keys";
                return Err(text.into());
            }
            let retention = Duration::from_secs(left);
            let dies = ClaimOptions::new()
                .lease(retention / 2)
                .retention(retention);
            let item = |serial| {
                let lives = scenario == Scenario::Compaction && serial % LONG_LIVED_ONE_IN == 0;
                let options = if lives {
                    ClaimOptions::new()
                } else {
                    dies.clone()
                };
                ClaimItem::new(key(serial)).options(options)
            };
            complete(on, on.claim_many((done..end).map(item))?)?;
            done = end;
        }
        Ok(Self { keys, expire_at })
    }

    /// Quiet until just before they expire, then the event until it has passed.
    pub(crate) fn watch(
        self,
        scenario: Scenario,
        quiet: Duration,
        store: &Store,
        phases: &Phases,
    ) -> Result<Lasted, Failure> {
        let left = |store: &Store| {
            // From a second before it: the watch must not be late.
            left_until(self.expire_at, store).saturating_sub(Duration::from_secs(1))
        };
        park(left(store).saturating_sub(quiet), phases);
        let start = instant();
        phases.enter(Phase::Quiet);
        park(left(store), phases);
        let event_start = instant();
        phases.enter(Phase::Event);
        match scenario {
            Scenario::Compaction => carried(store, event_start, phases)?,
            _ => self.swept(store, event_start, phases)?,
        }
        Ok(Lasted {
            quiet: event_start - start,
            event: instant() - event_start,
        })
    }

    /// Waits until the tables have freed the expired keys.
    fn swept(self, store: &Store, from: Instant, phases: &Phases) -> Result<(), Failure> {
        let look = || {
            let completed = [("outcome", "completed")];
            let come = store.metrics().total("hapax_settlements_total", &completed);
            (store.stats().keys(), come)
        };
        let before = look();
        let swept = || {
            let now = look();
            let come = now.1.saturating_sub(before.1);
            (before.0 + come).saturating_sub(now.0)
        };
        while phases.now() != Phase::Over && swept() < self.keys / 100 * 99 {
            check_time(from, "the keys have not expired")?;
            park(LOOK, phases);
        }
        Ok(())
    }
}

/// Waits until compaction has carried records, and carries no more.
fn carried(store: &Store, from: Instant, phases: &Phases) -> Result<(), Failure> {
    let (mut carried, mut since) = (0, instant());
    while phases.now() != Phase::Over && (carried == 0 || instant() - since < CALM) {
        check_time(from, "compaction has carried nothing, or does not end")?;
        let now = (store.metrics()).total("hapax_carried_records_total", &[]);
        if now != carried {
            (carried, since) = (now, instant());
        }
        park(LOOK, phases);
    }
    Ok(())
}

fn check_time(from: Instant, what: &str) -> Result<(), Failure> {
    if instant() - from > EVENT_MOST {
        return Err(format!("{what} within {EVENT_MOST:?}: give it other --keys").into());
    }
    Ok(())
}
