//! Random histories of several processes over a link that fails, with crashes, clocks that drift and failovers:
//! thousands of seeds, each repeatable to the last step.
//!
//! What has to hold, whatever comes between: no two holders believe in the same key at one time; an effect that must
//! not run twice never does; an outcome that was acknowledged is what every later claim gets; tokens of a key rise.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fastrand::Rng;
use hapax::sim::{LinkFault, LinkFaults, Skew};
use hapax::{Claim, ClaimOptions, ErrorKind, FencingToken, Lease, Namespace, OpenOptions};

use crate::world::{MINUTE, Process, World};

const PROCESSES: usize = 3;
const KEYS: u64 = 4;
const STEPS: u32 = 400;
const SEEDS: u64 = 400;

type Claiming = Pin<Box<dyn Future<Output = hapax::Result<Claim>>>>;
type Settling = Pin<Box<dyn Future<Output = hapax::Result<()>>>>;

/// What one caller of a process is about.
enum Doing {
    Claims(Claiming),
    Works(Lease),
    Settles {
        settling: Settling,
        token: FencingToken,
        said: Vec<u8>,
    },
}

struct Caller {
    process: usize,
    once: bool,
    key: u64,
    doing: Doing,
}

/// What is known of a key: by what was acknowledged, not by what was asked for.
#[derive(Default)]
struct Known {
    /// The outcomes that holders have sent: one of them is the answer, if there is one.
    sent: Vec<Vec<u8>>,
    /// The outcome that was acknowledged, or answered.
    outcome: Option<Vec<u8>>,
    effects: u32,
    last: Option<FencingToken>,
}

struct Run {
    random: Rng,
    world: World,
    processes: Vec<Option<Process>>,
    opened: u64,
    callers: Vec<Caller>,
    known: BTreeMap<(bool, u64), Known>,
}

fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

impl Run {
    fn new(seed: u64) -> Self {
        Self {
            random: Rng::with_seed(seed),
            world: World::new(),
            processes: (0..PROCESSES).map(|_| None).collect(),
            opened: 0,
            callers: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    fn open(&mut self, at: usize) {
        self.opened += 1;
        let random = &mut self.random;
        let skew = Skew::default().offset_ms(random.u64(0..1_000_000));
        let options = OpenOptions::new().call_deadline(Duration::from_secs(random.u64(0..5)));
        let process = self.world.process_with(self.opened, skew, options);
        let mut faults = LinkFaults::none().delay(Duration::from_millis(random.u64(1..3000)));
        for fault in [
            LinkFault::Refused,
            LinkFault::LostRequest,
            LinkFault::LateRequest,
            LinkFault::Twice,
            LinkFault::LostAnswer,
            LinkFault::LateAnswer,
            LinkFault::LostHint,
        ] {
            faults = faults.rate(fault, random.u32(0..1500));
        }
        process.jobs();
        process.payments();
        process.link.set_faults(random.u64(..), faults);
        self.processes[at] = Some(process);
    }

    fn space(&self, at: usize, once: bool) -> Option<Namespace> {
        let process = self.processes[at].as_ref()?;
        let name = if once { "payments" } else { "jobs" };
        process.store.open_namespace(name).ok()
    }

    fn step(&mut self) {
        match self.random.u32(0..100) {
            0..25 => self.begin(),
            25..80 => self.go_on(),
            80..94 => {
                let span_ms = match self.random.u32(0..10) {
                    0 => self.random.u64(0..90_000),
                    1..4 => self.random.u64(0..5000),
                    _ => self.random.u64(0..300),
                };
                trace(|| format!("{span_ms} ms pass"));
                self.world.advance(Duration::from_millis(span_ms));
            }
            94..96 => {
                if let Some(process) = &self.processes[self.random.usize(0..PROCESSES)] {
                    trace(|| "a link is cut".to_owned());
                    process.link.cut();
                }
            }
            96..98 => {
                if let Some(process) = &self.processes[self.random.usize(0..PROCESSES)] {
                    trace(|| "a link is healed".to_owned());
                    process.link.heal();
                }
            }
            _ => self.crash(),
        }
        self.check_holders();
    }

    fn begin(&mut self) {
        let at = self.random.usize(0..PROCESSES);
        if self.processes[at].is_none() {
            return self.open(at);
        }
        let (once, key) = (self.random.bool(), self.random.u64(0..KEYS));
        let Some(space) = self.space(at, once) else {
            return;
        };
        let options = match self.random.bool() {
            true => ClaimOptions::new(),
            false => ClaimOptions::new().wait(Duration::from_secs(self.random.u64(0..90))),
        };
        let claim = space.claim_async(key.to_le_bytes(), options);
        self.callers.push(Caller {
            process: at,
            once,
            key,
            doing: Doing::Claims(Box::pin(claim)),
        });
    }

    /// A process ends where it stands, with all its callers.
    fn crash(&mut self) {
        let at = self.random.usize(0..PROCESSES);
        let Some(process) = self.processes[at].take() else {
            return;
        };
        trace(|| format!("process {at} crashes"));
        process.link.crash();
        self.callers.retain(|caller| caller.process != at);
    }

    fn go_on(&mut self) {
        if self.callers.is_empty() {
            return;
        }
        let caller = self
            .callers
            .swap_remove(self.random.usize(0..self.callers.len()));
        if let Some(caller) = self.go_on_with(caller) {
            self.callers.push(caller);
        }
    }

    fn go_on_with(&mut self, caller: Caller) -> Option<Caller> {
        let known = self.known.entry((caller.once, caller.key)).or_default();
        let doing = match caller.doing {
            Doing::Claims(mut claiming) => match poll(&mut claiming) {
                Poll::Pending => Doing::Claims(claiming),
                Poll::Ready(claim) => Doing::Works(known.hear(claim, caller.once)?),
            },
            Doing::Works(lease) if self.random.u8(0..4) == 0 => {
                let said = format!("outcome of {}", lease.token()).into_bytes();
                known.sent.push(said.clone());
                let token = lease.token();
                let settling: Settling = Box::pin(lease.complete_async(&said));
                Doing::Settles {
                    settling,
                    token,
                    said,
                }
            }
            Doing::Works(lease) if !caller.once && self.random.u8(0..6) == 0 => {
                trace(|| format!("{} is dropped", lease.token()));
                drop(lease);
                return None;
            }
            Doing::Works(lease) => Doing::Works(lease),
            Doing::Settles {
                mut settling,
                token,
                said,
            } => match poll(&mut settling) {
                Poll::Pending => Doing::Settles {
                    settling,
                    token,
                    said,
                },
                Poll::Ready(Ok(())) => {
                    trace(|| format!("{token} is settled"));
                    known.answer(&said);
                    return None;
                }
                Poll::Ready(Err(error)) => {
                    trace(|| format!("{token} could not be settled: {error}"));
                    check_error(&error);
                    let lease = error.into_lease().ok()?;
                    Doing::Works(Some(lease).filter(|lease| !lease.is_lost())?)
                }
            },
        };
        Some(Caller { doing, ..caller })
    }

    /// No two callers believe in one key at a time.
    fn check_holders(&self) {
        let mut believers = BTreeMap::new();
        for caller in &self.callers {
            if let Doing::Works(lease) = &caller.doing {
                let is_cut = self.processes[caller.process].is_none();
                if !lease.is_lost() && !is_cut {
                    let before = believers.insert((caller.once, caller.key), lease.token());
                    assert_eq!(
                        before, None,
                        "two holders of key {} believe in it",
                        caller.key
                    );
                }
            }
        }
        self.world.server.validate();
    }

    /// The link is healed, and every key has one end that all processes agree on.
    fn finish(mut self) {
        self.callers.clear();
        for process in self.processes.iter().flatten() {
            process.link.set_faults(0, LinkFaults::none());
            process.link.heal();
        }
        self.world.advance(MINUTE * 3);
        self.opened += 1;
        let last = self.world.process(self.opened);
        for ((once, key), known) in &self.known {
            let space = if *once { last.payments() } else { last.jobs() };
            match space.claim(key.to_le_bytes()).unwrap() {
                Claim::Completed(answer) => {
                    let is_known = known.sent.iter().any(|sent| *sent == answer.response());
                    assert!(is_known, "a holder has sent what is answered");
                    if let Some(outcome) = &known.outcome {
                        assert_eq!(answer.response(), outcome, "what was acknowledged stands");
                    }
                }
                other => assert_eq!(
                    known.outcome, None,
                    "an acknowledged outcome is gone: {other:?}"
                ),
            }
            if *once {
                assert!(
                    known.effects <= 1,
                    "an effect that must not run twice ran {} times",
                    known.effects
                );
            }
        }
    }
}

impl Known {
    /// The lease of a claim that was granted; any other answer is taken in.
    fn hear(&mut self, claim: hapax::Result<Claim>, once: bool) -> Option<Lease> {
        match claim {
            Ok(Claim::Granted(lease)) => {
                trace(|| format!("{} is granted", lease.token()));
                self.grant(&lease, once);
                return Some(lease);
            }
            Ok(Claim::Completed(answer)) => self.answer(answer.response()),
            Ok(Claim::InDoubt(_)) => assert!(once, "only a payment can be in doubt"),
            Ok(Claim::InProgress(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => check_error(&error),
        }
        None
    }

    fn grant(&mut self, lease: &Lease, once: bool) {
        assert_eq!(self.outcome, None, "a key is granted that has its outcome");
        assert!(
            self.last.is_none_or(|last| last < lease.token()),
            "tokens of a key rise"
        );
        self.last = Some(lease.token());
        self.effects += u32::from(once);
    }

    fn answer(&mut self, said: &[u8]) {
        let outcome = self.outcome.get_or_insert_with(|| said.to_vec());
        assert_eq!(outcome, said, "a key has one outcome");
    }
}

/// `HAPAX_REMOTE_TRACE=1` shows what happens.
fn trace(what: impl FnOnce() -> String) {
    if std::env::var_os("HAPAX_REMOTE_TRACE").is_some() {
        eprintln!("{}", what());
    }
}

fn check_error(error: &hapax::Error) {
    let expected = matches!(
        error.kind(),
        ErrorKind::Unavailable
            | ErrorKind::Unknown
            | ErrorKind::Superseded
            | ErrorKind::NotHeld
            | ErrorKind::AlreadySettled
            | ErrorKind::InUse
    );
    assert!(expected, "{error}");
}

/// Prints the seed of a history that fails.
struct OnPanic(u64);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}: HAPAX_REMOTE_SEED={} repeats it", self.0, self.0);
        }
    }
}

fn run(seed: u64) {
    let printer = OnPanic(seed);
    let mut run = Run::new(seed);
    for at in 0..PROCESSES {
        run.open(at);
    }
    for _ in 0..STEPS {
        run.step();
    }
    run.finish();
    drop(printer);
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn any_history_of_processes_keeps_the_contract() {
    if let Some(seed) = number("HAPAX_REMOTE_SEED") {
        return run(seed);
    }
    let seeds = number("HAPAX_SIM_SEEDS").unwrap_or(SEEDS);
    let first = number("HAPAX_SIM_FIRST_SEED").unwrap_or(0);
    for seed in first..first + seeds {
        run(seed);
    }
}
