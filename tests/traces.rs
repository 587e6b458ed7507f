//! What a store tells a subscriber of `tracing`: every decision, under a digest that stays the same,
//! and never the key.
//!
//! This test has its own program: a place in the code that another thread reaches first, without a subscriber,
//! may stay silent for good. That happened once, beside the other tests.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hapax::operator::{Attribution, Insertion};
use hapax::testing::{ManualClock, MemoryLog};
use hapax::{
    BatchClaim, Claim, ClaimItem, ClaimOptions, Error, Lease, Namespace, Policy, Resolution, Store,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// A span or an event: its level, and its fields as text.
#[derive(Clone, Debug)]
struct Told {
    level: Level,
    fields: BTreeMap<&'static str, String>,
}

impl Told {
    fn is(&self, operation: &str, outcome: &str) -> bool {
        self.get("hapax.operation") == operation && self.get("hapax.outcome") == outcome
    }

    fn get(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }
}

/// A subscriber that keeps what it is told.
#[derive(Clone, Default)]
struct Listener {
    spans: Arc<Mutex<Vec<Told>>>,
    events: Arc<Mutex<Vec<Told>>>,
}

struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        write!(text, "{value:?}").unwrap();
        self.0.insert(field.name(), text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "hapax"
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields(BTreeMap::new());
        attributes.record(&mut fields);
        let level = *attributes.metadata().level();
        let mut spans = self.spans.lock().unwrap();
        spans.push(Told {
            level,
            fields: fields.0,
        });
        Id::from_u64(u64::try_from(spans.len()).unwrap())
    }

    fn record(&self, id: &Id, record: &Record<'_>) {
        let mut fields = Fields(BTreeMap::new());
        record.record(&mut fields);
        let at = usize::try_from(id.into_u64()).unwrap() - 1;
        self.spans.lock().unwrap()[at].fields.extend(fields.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        let level = *event.metadata().level();
        self.events.lock().unwrap().push(Told {
            level,
            fields: fields.0,
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A key that would make a line of a log up, and that no digest contains.
const KEY: &str = "secret\n2026 ERROR all is lost\u{1b}[2J\"}";

fn lease(space: &Namespace, options: ClaimOptions) -> Lease {
    match space.claim_with(KEY, options).unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("granted, not {other:?}"),
    }
}

/// A store that sees some of everything, and everything that it tells.
fn history(trace_keys: bool) -> (Listener, String) {
    let listener = Listener::default();
    let digest = tracing::subscriber::with_default(listener.clone(), || {
        let (clock, log) = (ManualClock::new(), MemoryLog::new());
        let open = || {
            let builder = Store::in_memory().log(&log).clock(&clock);
            builder.trace_keys(trace_keys).open().unwrap()
        };
        let store = open();
        let mail = Policy::at_least_once().lease(Duration::from_secs(60));
        let mail = store.namespace("mail\nspace", mail).unwrap();
        let first = ClaimOptions::new().metadata(format!("request-1\r\n{}", "x".repeat(500)));
        let lost = lease(&mail, first);
        drop(mail.claim(KEY).unwrap());
        clock.advance(Duration::from_secs(61));
        let winner = lease(&mail, ClaimOptions::new());
        lost.complete("late").unwrap_err();
        winner.renew().unwrap();
        winner.checkpoint("half").unwrap();
        drop(winner);
        lease(&mail, ClaimOptions::new()).complete("done").unwrap();
        drop(mail.claim(KEY).unwrap());
        mail.claim("").unwrap_err();
        assert!(!mail.insert(KEY).unwrap());
        mail.insert_many([KEY]).unwrap();
        let batch = mail.claim_many([KEY, KEY].map(ClaimItem::new)).unwrap();
        assert!(matches!(batch[1], BatchClaim::RepeatOf { .. }));
        drop(batch);
        drop(mail.claim_async(KEY, ClaimOptions::new()));
        let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
        lease(&pay, ClaimOptions::new()).doubt("who knows").unwrap();
        let doubt = store.doubts().unwrap().next().unwrap().unwrap();
        doubt.resolve(Resolution::NeverHappened).unwrap();
        let digest = mail.key_digest(KEY).to_string();
        drop((doubt, mail, pay));
        store.close().unwrap();
        let store = open();
        let mail = store.namespace(
            "mail\nspace",
            Policy::at_least_once().lease(Duration::from_secs(60)),
        );
        let mail = mail.unwrap();
        assert_eq!(
            mail.key_digest(KEY).to_string(),
            digest,
            "after a restart too"
        );
        log.crash();
        mail.insert("another").unwrap_err();
        digest
    });
    (listener, digest)
}

#[test]
fn every_decision_is_told() {
    let (listener, digest) = history(false);
    let events = listener.events.lock().unwrap();
    for (level, operation, outcome) in [
        (Level::DEBUG, "claim", "granted"),
        (Level::DEBUG, "claim", "in_progress"),
        (Level::DEBUG, "claim", "completed"),
        (Level::DEBUG, "claim", "invalid"),
        (Level::DEBUG, "insert", "completed"),
        (Level::DEBUG, "insert_many", "completed"),
        (Level::DEBUG, "claim_many", "completed"),
        (Level::DEBUG, "claim_many", "repeat"),
        (Level::DEBUG, "complete", "ok"),
        (Level::WARN, "complete", "superseded"),
        (Level::DEBUG, "renew", "ok"),
        (Level::DEBUG, "checkpoint", "ok"),
        (Level::WARN, "drop", "dropped"),
        (Level::WARN, "lapse", "lapsed"),
        (Level::WARN, "doubt", "ok"),
        (Level::DEBUG, "resolve", "never_happened"),
        (Level::INFO, "open", ""),
        (Level::ERROR, "writing to the log", ""),
    ] {
        let told = events.iter().find(|told| told.is(operation, outcome));
        let told = told.unwrap_or_else(|| panic!("{operation}: {outcome} in {events:#?}"));
        assert_eq!(told.level, level, "{told:?}");
        let of_mail = told.get("hapax.namespace") == "mail\\nspace";
        let of_key = operation != "open" && outcome != "invalid" && of_mail;
        assert!(
            !of_key || told.get("hapax.key_digest") == digest,
            "{told:?}"
        );
    }
    let answered = |told: &&Told| told.is("claim", "completed");
    let answered = events.iter().find(answered).unwrap();
    let first = answered.get("hapax.first_request");
    assert!(first.starts_with("request-1\\r\\nxxx"), "{first}");
    assert_eq!(first.len(), 128 + 2, "cut before it is escaped");
    assert_eq!(answered.get("hapax.attempt"), "3");
    assert!(answered.get("hapax.token").parse::<u64>().is_ok());
    let spans = listener.spans.lock().unwrap();
    for operation in ["claim", "insert", "complete", "doubt"] {
        let span = spans.iter().find(|told| told.is(operation, ""));
        let span = span.unwrap_or_else(|| panic!("a span of {operation}"));
        assert_eq!(span.level, Level::DEBUG);
    }
}

#[test]
fn no_key_and_no_control_character_is_told_unless_asked() {
    for trace_keys in [false, true] {
        let (listener, _) = history(trace_keys);
        let (events, spans) = (
            listener.events.lock().unwrap(),
            listener.spans.lock().unwrap(),
        );
        assert!(events.len() > 20 && spans.len() > 10);
        let mut shown = 0;
        for told in events.iter().chain(&*spans) {
            for (field, value) in &told.fields {
                assert!(!value.contains(char::is_control), "{told:?}");
                if value.contains("secret") {
                    assert_eq!(*field, "hapax.key", "{told:?}");
                    assert!(value.starts_with("secret\\n2026 ERROR"), "{value}");
                    shown += 1;
                }
            }
        }
        assert_eq!(shown > 0, trace_keys);
    }
}

/// The bug: of the actions of operators, the trace showed only resolutions, and without the operator.
#[test]
fn what_an_operator_does_is_told_with_the_name() {
    let listener = Listener::default();
    let digest = tracing::subscriber::with_default(listener.clone(), || {
        let store = Store::in_memory().allow_at_most_once().open().unwrap();
        let pay = store.namespace("pay", Policy::at_least_once()).unwrap();
        let by = Attribution::new("alice \\ on call", "a secret reason").unwrap();
        let operator = store.operator(by);
        let hold = || lease(&pay, ClaimOptions::new());
        let token = hold().token();
        operator.release("pay", KEY, token).unwrap_err();
        let held = hold();
        operator.release("pay", KEY, held.token()).unwrap();
        let held = hold();
        operator.doubt("pay", KEY, held.token()).unwrap();
        let doubt = store.doubts().unwrap().next().unwrap().unwrap();
        operator
            .resolve_forced(&doubt, Resolution::NeverHappened)
            .unwrap();
        let held = hold();
        operator.fail("pay", KEY, held.token(), "a secret").unwrap();
        assert!(operator.forget("pay", KEY).unwrap());
        assert!(!operator.forget("pay", KEY).unwrap());
        assert!(pay.insert(KEY).unwrap());
        assert!(pay.forget(KEY).unwrap());
        let brought = Insertion::completed(KEY, "a secret response");
        assert!(operator.insert("pay", brought.clone()).unwrap());
        assert!(!operator.insert("pay", brought).unwrap());
        operator.accept_salvage().unwrap();
        pay.key_digest(KEY).to_string()
    });
    let events = listener.events.lock().unwrap();
    let acted = events
        .iter()
        .filter(|told| !told.get("hapax.actor").is_empty());
    let acted: Vec<&Told> = acted.collect();
    let ends: Vec<(&str, &str)> = acted
        .iter()
        .map(|told| (told.get("hapax.operation"), told.get("hapax.outcome")))
        .collect();
    let expected = [
        ("release", "already_settled"),
        ("release", "ok"),
        ("doubt", "ok"),
        ("resolve", "never_happened"),
        ("fail", "ok"),
        ("forget", "forgotten"),
        ("forget", "absent"),
        ("insert", "inserted"),
        ("insert", "present"),
        ("accept_salvage", "nothing_to_accept"),
    ];
    assert_eq!(ends, expected);
    for told in acted {
        assert_eq!(told.level, Level::INFO, "{told:?}");
        assert_eq!(told.get("hapax.actor"), "alice \\\\ on call");
        let of_store = told.get("hapax.operation") == "accept_salvage";
        assert!(
            of_store || told.get("hapax.key_digest") == digest,
            "{told:?}"
        );
        assert!(!format!("{told:?}").contains("secret"), "{told:?}");
    }
    let by_caller = |told: &&Told| told.is("forget", "forgotten") && told.level == Level::DEBUG;
    assert_eq!(events.iter().filter(by_caller).count(), 1);
}

/// The bug: a batch traced each of its keys, but not itself.
#[test]
fn a_batch_has_one_span_with_the_number_of_each_decision() {
    let listener = Listener::default();
    tracing::subscriber::with_default(listener.clone(), || {
        let store = Store::in_memory().open().unwrap();
        let mail = store.namespace("mail\n", Policy::at_least_once()).unwrap();
        assert!(mail.insert("done").unwrap());
        let claims = mail.claim_many(["a", "b", "c", "a", "done"]).unwrap();
        let granted = claims.into_iter().filter_map(|claim| match claim {
            BatchClaim::Claim(Claim::Granted(lease)) => Some(lease),
            _ => None,
        });
        let mut granted: Vec<Lease> = granted.collect();
        let lost = granted.pop().unwrap();
        let operator = store.operator(Attribution::new("alice", "INC-42").unwrap());
        let name = mail.name();
        operator
            .forget_forced(name, lost.key(), lost.token())
            .unwrap();
        granted.push(lost);
        let results = mail.complete_many(granted.into_iter().map(|lease| (lease, "x")));
        let kinds = results.into_iter().filter_map(Result::err);
        let kinds = kinds.map(|error: Error| error.kind());
        assert_eq!(kinds.count(), 1);
        let inserted = mail.insert_many(["a", "d", "e"]).unwrap();
        let inserted: Vec<bool> = inserted.into_iter().map(Result::unwrap).collect();
        assert_eq!(inserted, [false, true, true]);
        mail.claim_many([""]).unwrap_err();
        let operator = store.operator(Attribution::new("alice", "INC-42").unwrap());
        let items = ["d", "f", ""].map(|key| Insertion::completed(key, ""));
        assert_eq!(operator.insert_many("mail\n", items).unwrap().len(), 3);
    });
    let spans = listener.spans.lock().unwrap();
    let batches = spans
        .iter()
        .filter(|told| told.get("hapax.operation").ends_with("_many"));
    let counts: Vec<String> = batches
        .map(|told| {
            assert_eq!(told.level, Level::DEBUG);
            assert_eq!(told.get("hapax.namespace"), "mail\\n");
            let fields = told.fields.iter();
            let plain = ["hapax.operation", "hapax.namespace"];
            let said = fields.filter(|(name, _)| !plain.contains(name));
            let said: Vec<String> = said
                .map(|(name, value)| format!("{}={value}", &name["hapax.".len()..]))
                .collect();
            format!("{}: {}", told.get("hapax.operation"), said.join(" "))
        })
        .collect();
    let expected = [
        "claim_many: completed=1 granted=3 items=5 outcome=ok repeat=1",
        "complete_many: errors=1 items=3 ok=2 outcome=ok",
        "insert_many: completed=1 granted=2 items=3 outcome=ok",
        "claim_many: items=0 outcome=invalid",
        "insert_many: errors=1 inserted=1 items=3 outcome=ok present=1",
    ];
    assert_eq!(counts, expected);
}
