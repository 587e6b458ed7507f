//! What callers name: keys, tokens, tickets, policies, limits, options, fingerprints and JSON bodies
//! at their extremes. A typed refusal or a value that works, and no overflow.
//!
//! `ci/fuzz 60 key_options`

#![no_main]

mod bounded;
mod json;
mod picks;

use std::time::Duration;

use arbitrary::Arbitrary;
use hapax::limits::RETENTION_MAX;
use hapax::testing::ManualClock;
use hapax::{
    Claim, ClaimOptions, Durability, Error, ErrorKind, FencingToken, FingerprintPolicy, Key,
    Limits, OnChange, Oversize, Policy, Store, Ticket,
};
use libfuzzer_sys::fuzz_target;

use json::Json;

#[derive(Arbitrary, Debug)]
enum Input {
    Join(Vec<Vec<u8>>, Vec<Vec<u8>>),
    Token(i64, String),
    Ticket(String),
    Store(Box<AnyStore>),
    Json(Json, Vec<u8>),
    JsonBytes(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
struct AnyStore {
    limits: AnyLimits,
    durability: Option<Span>,
    offline: Span,
    deadline: Span,
    shards: u8,
    policy: AnyPolicy,
    name: String,
    key: Vec<u8>,
    options: AnyOptions,
    then: Vec<(Span, i64)>,
}

#[derive(Arbitrary, Debug)]
struct AnyLimits([Option<Amount>; 9], Option<u64>);

#[derive(Arbitrary, Debug)]
struct AnyPolicy {
    at_most_once: bool,
    lease: Option<Span>,
    retention: Option<Span>,
    failed: Option<Span>,
    attempt: Option<Span>,
    max_attempts: Option<u32>,
    max_response: Option<Amount>,
    durability: Option<Span>,
    choices: [bool; 4],
}

#[derive(Arbitrary, Debug)]
struct AnyOptions {
    wait: Option<Span>,
    lease: Option<Span>,
    retention: Option<Span>,
    metadata: Vec<u8>,
    scheme: u32,
    parts: Vec<(String, Vec<u8>)>,
}

/// A call that sets a time.
type Set<T> = fn(T, Duration) -> T;

/// A time, often one at an edge.
#[derive(Arbitrary, Debug, Clone, Copy)]
enum Span {
    Zero,
    Nano,
    Max,
    Ten,
    Nanos(u64),
    Millis(u64),
    Secs(u64, u32),
    Power(u8),
    Below(u8),
}

impl Span {
    fn get(self) -> Duration {
        match self {
            Self::Zero => Duration::ZERO,
            Self::Nano => Duration::from_nanos(1),
            Self::Max => Duration::MAX,
            Self::Ten => RETENTION_MAX,
            Self::Nanos(nanos) => Duration::from_nanos(nanos),
            Self::Millis(millis) => Duration::from_millis(millis),
            Self::Secs(secs, nanos) => Duration::new(secs, nanos % 1_000_000_000),
            Self::Power(bit) => Duration::from_millis(1 << (bit % 64)),
            Self::Below(bit) => Duration::from_millis((1 << (bit % 64)) - 1),
        }
    }
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Amount {
    Small(u8),
    Any(usize),
    Max,
}

impl Amount {
    fn get(self) -> usize {
        match self {
            Self::Small(amount) => usize::from(amount),
            Self::Any(amount) => amount,
            Self::Max => usize::MAX,
        }
    }
}

fuzz_target!(|input: Input| match input {
    Input::Join(a, b) => join(&a, &b),
    Input::Token(value, text) => token(value, &text),
    Input::Ticket(text) => ticket(&text),
    Input::Store(any) => store(&any),
    Input::Json(value, spelling) => {
        value.check(&spelling);
        picks::check(&value, &spelling);
    }
    Input::JsonBytes(bytes) => json::check_bytes(&bytes),
});

fn join(a: &[Vec<u8>], b: &[Vec<u8>]) {
    assert_eq!(
        Key::join(a) == Key::join(b),
        a == b,
        "no two splits collide"
    );
    let mut longer = a.to_vec();
    longer.push(Vec::new());
    assert_ne!(Key::join(a), Key::join(&longer));
    let key = Key::join(a);
    let parts = Key::split(key.as_ref()).expect("what was joined splits");
    assert_eq!(Key::join(parts), key);
}

fn token(value: i64, text: &str) {
    let token = FencingToken::from_i64(value);
    assert_eq!(token.is_some(), value >= 0);
    if let Some(token) = token {
        assert_eq!(token.as_i64(), value);
        let json = serde_json::to_string(&token).expect("a token is a string");
        assert_eq!(json, format!("\"{value}\""));
        let again: FencingToken = serde_json::from_str(&json).expect("its own form");
        assert_eq!(again, token);
    }
    let quoted = serde_json::Value::from(text).to_string();
    if let Ok(token) = serde_json::from_str::<FencingToken>(&quoted) {
        assert_eq!(text.parse(), Ok(token.as_i64()));
    }
    let _ = serde_json::from_str::<FencingToken>(text);
}

fn ticket(text: &str) {
    let Ok(ticket) = serde_json::from_str::<Ticket>(text) else {
        return;
    };
    let json = serde_json::to_string(&ticket).expect("a ticket is plain data");
    assert_eq!(
        serde_json::from_str::<Ticket>(&json).ok().as_ref(),
        Some(&ticket)
    );
    let clock = ManualClock::new();
    let store = Store::in_memory().clock(&clock).shards(1).open();
    let store = store.expect("an empty store opens");
    store
        .namespace("n", Policy::at_least_once())
        .expect("plain");
    let refused = store.attach(&ticket).expect_err("nothing was ever claimed");
    typed(
        &refused,
        &[ErrorKind::NotHeld, ErrorKind::Invalid, ErrorKind::TooLarge],
    );
}

#[track_caller]
fn typed(error: &Error, kinds: &[ErrorKind]) {
    assert!(kinds.contains(&error.kind()), "{error:?}");
    assert!(!error.to_string().is_empty());
}

const REFUSED: &[ErrorKind] = &[
    ErrorKind::Invalid,
    ErrorKind::TooLarge,
    ErrorKind::AtCapacity,
];

fn limits(any: &AnyLimits) -> Limits {
    let set: [fn(Limits, usize) -> Limits; 9] = [
        Limits::key_bytes,
        Limits::metadata_bytes,
        Limits::reason_bytes,
        Limits::batch_items,
        Limits::waiters_per_key,
        Limits::waiters,
        Limits::running_keys,
        Limits::live_keys,
        Limits::unwritten_bytes,
    ];
    let mut limits = Limits::new();
    for (amount, set) in any.0.iter().zip(set) {
        if let Some(amount) = amount {
            limits = set(limits, amount.get());
        }
    }
    any.1
        .map_or(limits.clone(), |bytes| limits.free_disk_bytes(bytes))
}

fn policy(any: &AnyPolicy) -> Policy {
    let mut policy = if any.at_most_once {
        Policy::at_most_once()
    } else {
        Policy::at_least_once()
    };
    let spans: [(_, Set<Policy>); 4] = [
        (any.lease, Policy::lease),
        (any.retention, Policy::retention),
        (any.failed, Policy::failed_retention),
        (any.attempt, Policy::attempt_retention),
    ];
    for (span, set) in spans {
        if let Some(span) = span {
            policy = set(policy, span.get());
        }
    }
    if let Some(attempts) = any.max_attempts {
        policy = policy.max_attempts(attempts);
    }
    if let Some(amount) = any.max_response {
        policy = policy.max_response(amount.get());
    }
    if let Some(window) = any.durability {
        policy = policy.durability(Durability::Interval(window.get()));
    }
    if any.choices[0] {
        policy = policy.oversize(Oversize::OutcomeOnly);
    }
    if any.choices[1] {
        policy = policy.on_change(OnChange::Rerun);
    }
    match (any.choices[2], any.choices[3]) {
        (true, true) => policy.fingerprints(FingerprintPolicy::Required),
        (true, false) => policy.fingerprints(FingerprintPolicy::Ignored),
        _ => policy,
    }
}

/// Opens, claims, completes and moves the clock, all at the extremes.
fn store(any: &AnyStore) {
    let clock = ManualClock::new();
    let mut builder = Store::in_memory().clock(&clock).allow_at_most_once();
    builder = builder
        .limits(limits(&any.limits))
        .shards(usize::from(any.shards));
    builder = builder
        .max_offline(any.offline.get())
        .write_deadline(any.deadline.get());
    if let Some(window) = any.durability {
        builder = builder.durability(Durability::Interval(window.get()));
    }
    let store = match builder.open() {
        Ok(store) => store,
        Err(error) => return typed(&error, REFUSED),
    };
    let namespace = match store.namespace(&any.name, policy(&any.policy)) {
        Ok(namespace) => namespace,
        Err(error) => return typed(&error, REFUSED),
    };
    let mut options = ClaimOptions::new().metadata(any.options.metadata.clone());
    let spans: [(_, Set<ClaimOptions>); 3] = [
        (any.options.wait, ClaimOptions::wait),
        (any.options.lease, ClaimOptions::lease),
        (any.options.retention, ClaimOptions::retention),
    ];
    for (span, set) in spans {
        if let Some(span) = span {
            options = set(options, span.get());
        }
    }
    if !any.options.parts.is_empty() {
        let builder = namespace.fingerprint(any.options.scheme);
        let parts = any.options.parts.iter();
        let built = parts.fold(builder, |print, (label, bytes)| print.part(label, bytes));
        match built.build() {
            Ok(print) => options = options.fingerprint(print),
            Err(error) => typed(&error, REFUSED),
        }
    }
    let lease = match namespace.claim_with(&any.key, options) {
        Ok(Claim::Granted(lease)) => lease,
        Ok(other) => panic!("no other caller exists: {other:?}"),
        Err(error) => return typed(&error, REFUSED),
    };
    if let Some((ceiling, _)) = any.then.first() {
        let kept = lease.keep_alive(ceiling.get());
        assert!(kept.is_ok(), "{kept:?}");
    }
    for (by, wall) in any.then.iter().take(8) {
        clock.step_wall(*wall);
        clock.advance(by.get());
        let _ = lease.lease_left();
        store.validate();
    }
    if let Err(error) = lease.complete("done") {
        let kinds = [
            ErrorKind::Superseded,
            ErrorKind::NotHeld,
            ErrorKind::TooLarge,
        ];
        typed(&error, &kinds);
    }
    store.validate();
    store.close().expect("a log in memory closes");
}
