//! Every state against every command: the whole table, written out.

use std::sync::Arc;
use std::time::Duration;

use crate::observe::stats::Column;
use crate::state::running::{Awaits, Guard, Rare, Running};
use crate::state::transition::{
    Accepted, Basis, Command, Refusal, Subject, Verdict, act_running, act_settled, asked_retention,
    claim_absent, claim_running, claim_settled, settled_state,
};
use crate::value::blob::Blob;
use crate::value::comparison::FingerprintPolicy;
use crate::value::digest::Digest;
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::{Fingerprint, Part};
use crate::value::guarantee::Guarantee;
use crate::value::key_state::State;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::{OnChange, Oversize, Policy};
use crate::value::record::{Head, Record, RecordKind};
use crate::value::time::{NEVER, Now};

use Guarantee::{AtLeastOnce, AtMostOnce};
use RecordKind::{Completed, Failed, Forgotten, InDoubt, InProgress, Released};

const NOW: Now = Now {
    mono_ms: 60_000,
    store_secs: 1000,
};

/// The token that the key is under; the others are lower and higher.
pub(super) fn token(counter: u64) -> FencingToken {
    FencingToken::new(1, counter)
}

pub(super) fn policy(guarantee: Guarantee) -> Policy {
    match guarantee {
        AtLeastOnce => Policy::at_least_once(),
        AtMostOnce => Policy::at_most_once(),
    }
}

fn print(scheme: u32, body: u128) -> Fingerprint {
    Fingerprint {
        scheme,
        parts: vec![Part {
            label: "body".to_owned(),
            digest: body,
        }],
    }
}

pub(super) fn running(policy: Policy, lease_end_ms: u64) -> Running<()> {
    let mut rest = Rare::EMPTY;
    let some = rest.to_mut();
    some.fingerprint = Some(print(1, 7));
    some.metadata = Blob::from(&b"current"[..]);
    some.first_metadata = Blob::from(&b"first"[..]);
    some.checkpoint = Blob::from(&b"half"[..]);
    some.reason = Blob::from(&b"again"[..]);
    Running {
        digest: Digest {
            words: [1, 2, 3],
            route: 4,
        },
        namespace: NamespaceId(1),
        policy: Arc::new(policy),
        key: Arc::from(*b"key"),
        token: token(5),
        attempt: 2,
        first_claimed_at: 900,
        claimed_at: 950,
        granted_ms: 0,
        column: Column::default(),
        lease_ms: 60_000,
        deadline_ms: lease_end_ms,
        guard: Guard::Lease,
        awaits: Awaits::Lapse,
        journaled: false,
        attached: false,
        undelivered: false,
        timer: None,
        rest,
    }
}

/// A lease that ends a millisecond from now, and one that ends now.
pub(super) const LIVE: u64 = NOW.mono_ms + 1;
const LAPSED: u64 = NOW.mono_ms;

pub(super) fn record(kind: RecordKind) -> Record {
    let body: &[u8] = match kind {
        Completed | Failed => b"outcome",
        InProgress | InDoubt | Released => b"half",
        Forgotten => b"",
    };
    Record {
        head: Head {
            kind,
            namespace: NamespaceId(1),
            token: token(5),
            attempt: 2,
            first_claimed_at: 900,
            recorded_at: 990,
            expires_at: NEVER,
            retention_secs: 0,
            body_omitted: false,
            attached: false,
        },
        key: Arc::from(*b"key"),
        fingerprint: Some(print(1, 7)),
        metadata: Blob::from(&b"first"[..]),
        reason: Blob::from(&b"again"[..]),
        body: body.into(),
    }
}

// Claims.

#[derive(Clone, Copy, Debug)]
enum Sent {
    Same,
    Other,
    Nothing,
    OtherScheme,
}

impl Sent {
    const ALL: [Self; 4] = [Self::Same, Self::Other, Self::Nothing, Self::OtherScheme];

    fn fingerprint(self) -> Option<Fingerprint> {
        match self {
            Self::Same => Some(print(1, 7)),
            Self::Other => Some(print(1, 8)),
            Self::Nothing => None,
            Self::OtherScheme => Some(print(2, 7)),
        }
    }
}

/// The cells of the table, short enough to be read in columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// Granted as the first attempt of a new history.
    Fresh,
    /// Granted as the next attempt, with the last checkpoint.
    Next,
    /// Granted as the next attempt of another request, without it.
    Changed,
    /// In progress, the stored outcome, or in doubt: compared, or not.
    Same,
    Plain,
    Mismatch,
    Exhausted,
}

use Cell::{Changed, Exhausted, Fresh, Mismatch, Next, Plain, Same};

fn grant(attempt: u32, same_request: bool, continues: bool) -> Verdict {
    Verdict::Grant(Basis {
        attempt,
        same_request,
        continues,
    })
}

/// What a cell means in a row whose other answer is `stored`.
fn verdict(cell: Cell, sent: Sent, stored: fn(bool) -> Verdict) -> Verdict {
    match cell {
        Fresh => grant(1, false, false),
        Next => grant(3, true, true),
        Changed => grant(3, false, true),
        Same => stored(true),
        Plain => stored(false),
        Mismatch => Verdict::Mismatch(match sent {
            Sent::Other => vec!["body".to_owned()],
            Sent::OtherScheme => vec!["scheme".to_owned()],
            Sent::Same | Sent::Nothing => Vec::new(),
        }),
        Exhausted => Verdict::Exhausted,
    }
}

fn busy(compared: bool) -> Verdict {
    Verdict::InProgress { compared }
}

fn outcome(compared: bool) -> Verdict {
    Verdict::Outcome { compared }
}

fn doubt(compared: bool) -> Verdict {
    Verdict::InDoubt { compared }
}

/// How fingerprints count, for the three groups of columns.
const COUNTS: [FingerprintPolicy; 3] = [
    FingerprintPolicy::Optional,
    FingerprintPolicy::Required,
    FingerprintPolicy::Ignored,
];

type Columns = [[Cell; 4]; 3];

/// An answer that does not depend on a change of the request but by comparing it.
const COMPARED: Columns = [
    [Same, Mismatch, Plain, Plain],
    [Same, Mismatch, Mismatch, Mismatch],
    [Plain, Plain, Plain, Plain],
];

#[test]
fn a_claim_of_an_absent_key_is_granted_afresh() {
    assert_eq!(claim_absent(), grant(1, false, false));
}

#[test]
fn every_claim_of_a_running_key() {
    const TAKE_OVER: Columns = [
        [Next, Mismatch, Next, Next],
        [Next, Mismatch, Mismatch, Mismatch],
        [Next, Next, Next, Next],
    ];
    const NO_MORE: Columns = [
        [Exhausted, Mismatch, Exhausted, Exhausted],
        [Exhausted, Mismatch, Mismatch, Mismatch],
        [Exhausted, Exhausted, Exhausted, Exhausted],
    ];
    type Row = (Guarantee, u64, Option<u32>, fn(bool) -> Verdict, Columns);
    #[rustfmt::skip]
    let table: [Row; 12] = [
        //                             max_attempts
        (AtLeastOnce, LIVE,   None,    busy,  COMPARED),
        (AtLeastOnce, LIVE,   Some(2), busy,  COMPARED),
        (AtLeastOnce, LIVE,   Some(1), busy,  COMPARED),
        (AtLeastOnce, LAPSED, None,    busy,  TAKE_OVER),
        (AtLeastOnce, LAPSED, Some(3), busy,  TAKE_OVER),
        (AtLeastOnce, LAPSED, Some(2), busy,  NO_MORE),
        (AtLeastOnce, LAPSED, Some(1), busy,  NO_MORE),
        (AtMostOnce,  LIVE,   None,    busy,  COMPARED),
        (AtMostOnce,  LIVE,   Some(2), busy,  COMPARED),
        (AtMostOnce,  LAPSED, None,    doubt, COMPARED),
        (AtMostOnce,  LAPSED, Some(3), doubt, COMPARED),
        (AtMostOnce,  LAPSED, Some(2), doubt, COMPARED),
    ];
    for (guarantee, end_ms, max_attempts, stored, columns) in table {
        for (fingerprints, cells) in COUNTS.into_iter().zip(columns) {
            for (sent, cell) in Sent::ALL.into_iter().zip(cells) {
                for on_change in [OnChange::Refuse, OnChange::Rerun] {
                    let mut policy = policy(guarantee).fingerprints(fingerprints);
                    policy = policy.on_change(on_change);
                    policy.max_attempts = max_attempts;
                    let running = running(policy, end_ms);
                    let got = claim_running(&running, sent.fingerprint().as_ref(), NOW);
                    let at = format!(
                        "{guarantee:?} {end_ms} {max_attempts:?} {fingerprints:?} {sent:?}"
                    );
                    assert_eq!(got, verdict(cell, sent, stored), "{at}");
                }
            }
        }
    }
}

#[test]
fn every_claim_of_a_settled_key() {
    use OnChange::{Refuse, Rerun};
    const RERUN: Columns = [
        [Same, Fresh, Plain, Plain],
        [Same, Fresh, Fresh, Fresh],
        [Plain, Plain, Plain, Plain],
    ];
    const RETRY: Columns = [
        [Next, Changed, Next, Next],
        [Next, Changed, Changed, Changed],
        [Next, Next, Next, Next],
    ];
    const NO_MORE: Columns = [[Exhausted; 4]; 3];
    const GONE: Columns = [[Fresh; 4]; 3];
    type Row = (
        RecordKind,
        Guarantee,
        OnChange,
        Option<u32>,
        fn(bool) -> Verdict,
        Columns,
    );
    #[rustfmt::skip]
    let table: [Row; 28] = [
        //                                 max_attempts
        (Completed,  AtLeastOnce, Refuse, None,    outcome, COMPARED),
        (Completed,  AtLeastOnce, Rerun,  None,    outcome, RERUN),
        (Completed,  AtLeastOnce, Rerun,  Some(2), outcome, RERUN),
        (Completed,  AtMostOnce,  Refuse, None,    outcome, COMPARED),
        (Completed,  AtMostOnce,  Rerun,  None,    outcome, RERUN),
        (Failed,     AtLeastOnce, Refuse, None,    outcome, COMPARED),
        (Failed,     AtLeastOnce, Rerun,  None,    outcome, RERUN),
        (Failed,     AtLeastOnce, Refuse, Some(2), outcome, COMPARED),
        (Failed,     AtMostOnce,  Refuse, None,    outcome, COMPARED),
        (Failed,     AtMostOnce,  Rerun,  None,    outcome, RERUN),
        (InDoubt,    AtLeastOnce, Refuse, None,    doubt,   COMPARED),
        (InDoubt,    AtLeastOnce, Rerun,  None,    doubt,   COMPARED),
        (InDoubt,    AtMostOnce,  Refuse, None,    doubt,   COMPARED),
        (InDoubt,    AtMostOnce,  Rerun,  Some(2), doubt,   COMPARED),
        (InProgress, AtMostOnce,  Refuse, None,    doubt,   COMPARED),
        (InProgress, AtMostOnce,  Rerun,  Some(2), doubt,   COMPARED),
        (InProgress, AtLeastOnce, Refuse, None,    busy,    RETRY),
        (InProgress, AtLeastOnce, Rerun,  Some(3), busy,    RETRY),
        (InProgress, AtLeastOnce, Refuse, Some(2), busy,    NO_MORE),
        (InProgress, AtLeastOnce, Rerun,  Some(1), busy,    NO_MORE),
        (Released,   AtLeastOnce, Refuse, None,    busy,    RETRY),
        (Released,   AtLeastOnce, Rerun,  Some(3), busy,    RETRY),
        (Released,   AtLeastOnce, Refuse, Some(2), busy,    NO_MORE),
        (Released,   AtMostOnce,  Refuse, None,    busy,    RETRY),
        (Released,   AtMostOnce,  Rerun,  Some(3), busy,    RETRY),
        (Released,   AtMostOnce,  Refuse, Some(2), busy,    NO_MORE),
        (Forgotten,  AtLeastOnce, Refuse, None,    busy,    GONE),
        (Forgotten,  AtMostOnce,  Rerun,  Some(1), busy,    GONE),
    ];
    for (kind, guarantee, on_change, max_attempts, stored, columns) in table {
        for (fingerprints, cells) in COUNTS.into_iter().zip(columns) {
            for (sent, cell) in Sent::ALL.into_iter().zip(cells) {
                let mut policy = policy(guarantee).fingerprints(fingerprints);
                policy = policy.on_change(on_change);
                policy.max_attempts = max_attempts;
                let got = claim_settled(&record(kind), sent.fingerprint().as_ref(), &policy);
                let at = format!(
                    "{kind:?} {guarantee:?} {on_change:?} {max_attempts:?} {fingerprints:?} {sent:?}"
                );
                assert_eq!(got, verdict(cell, sent, stored), "{at}");
            }
        }
    }
}

// Holders.

/// Every command; those that say something, with what is stored and with something else.
const COMMANDS: [Command<'static>; 11] = [
    Command::Complete(b"outcome"),
    Command::Complete(b"other"),
    Command::Fail(b"outcome"),
    Command::Fail(b"other"),
    Command::Release(b"again"),
    Command::Release(b"other"),
    Command::Doubt(b"again"),
    Command::Checkpoint(b"half"),
    Command::Renew,
    Command::Abandon,
    Command::Record,
];

type Acts = [Result<Accepted, Refusal>; 11];

/// A record of a kind is written.
const fn w(kind: RecordKind) -> Result<Accepted, Refusal> {
    Ok(Accepted::Write(kind))
}

const EXTEND: Result<Accepted, Refusal> = Ok(Accepted::Extend);
const DONE: Result<Accepted, Refusal> = Ok(Accepted::Done);
const NOT: Result<Accepted, Refusal> = Err(Refusal::AlreadySettled);
const UNSURE: Result<Accepted, Refusal> = Err(Refusal::InDoubt);

#[test]
fn every_command_on_a_running_key() {
    let (c, f, r, d, p) = (
        w(Completed),
        w(Failed),
        w(Released),
        w(InDoubt),
        w(InProgress),
    );
    type Row = (Guarantee, u64, Option<u32>, bool, Acts);
    #[rustfmt::skip]
    let table: [Row; 12] = [
        //                    max_attempts    complete fail  release doubt checkpoint renew   abandon record
        (AtLeastOnce, LIVE,   None,    false, [c, c,   f, f, r, r,   d,    p,         EXTEND, r,      p]),
        (AtLeastOnce, LIVE,   Some(3), true,  [c, c,   f, f, r, r,   d,    p,         EXTEND, r,      DONE]),
        (AtLeastOnce, LIVE,   Some(2), false, [c, c,   f, f, f, f,   d,    p,         EXTEND, f,      p]),
        (AtLeastOnce, LAPSED, None,    false, [c, c,   f, f, r, r,   d,    p,         EXTEND, r,      p]),
        (AtLeastOnce, LAPSED, Some(3), true,  [c, c,   f, f, r, r,   d,    p,         EXTEND, r,      DONE]),
        (AtLeastOnce, LAPSED, Some(2), false, [c, c,   f, f, f, f,   d,    p,         EXTEND, f,      p]),
        (AtMostOnce,  LIVE,   None,    true,  [c, c,   f, f, r, r,   d,    p,         EXTEND, d,      DONE]),
        (AtMostOnce,  LIVE,   Some(3), false, [c, c,   f, f, r, r,   d,    p,         EXTEND, d,      p]),
        (AtMostOnce,  LIVE,   Some(2), true,  [c, c,   f, f, f, f,   d,    p,         EXTEND, d,      DONE]),
        (AtMostOnce,  LAPSED, None,    true,  [c, c,   f, f, r, r,   d,    UNSURE,    UNSURE, d,      DONE]),
        (AtMostOnce,  LAPSED, Some(3), false, [c, c,   f, f, r, r,   d,    UNSURE,    UNSURE, d,      p]),
        (AtMostOnce,  LAPSED, Some(2), true,  [c, c,   f, f, f, f,   d,    UNSURE,    UNSURE, d,      DONE]),
    ];
    for (guarantee, end_ms, max_attempts, journaled, acts) in table {
        let mut policy = policy(guarantee);
        policy.max_attempts = max_attempts;
        let mut running = running(policy, end_ms);
        running.journaled = journaled;
        for (command, expected) in COMMANDS.into_iter().zip(acts) {
            let at = format!("{guarantee:?} {end_ms} {max_attempts:?} {command:?}");
            assert_eq!(
                act_running(&running, token(5), command, NOW),
                expected,
                "{at}"
            );
            for stranger in [token(4), token(6)] {
                let refused = act_running(&running, stranger, command, NOW);
                assert_eq!(refused, Err(Refusal::Superseded), "{at}");
            }
        }
    }
}

#[test]
fn every_command_on_a_settled_key() {
    let (c, f) = (w(Completed), w(Failed));
    let gone = [Err(Refusal::NotHeld); 11];
    type Row = (RecordKind, Guarantee, Acts);
    #[rustfmt::skip]
    let table: [Row; 12] = [
        //                         complete   fail       release         doubt checkpoint renew   abandon record
        (Completed,  AtLeastOnce, [DONE, NOT, NOT,  NOT, NOT,    NOT,    NOT,  NOT,       NOT,    NOT,    NOT]),
        (Completed,  AtMostOnce,  [DONE, NOT, NOT,  NOT, NOT,    NOT,    NOT,  NOT,       NOT,    NOT,    NOT]),
        (Failed,     AtLeastOnce, [NOT,  NOT, DONE, NOT, NOT,    NOT,    NOT,  NOT,       NOT,    NOT,    NOT]),
        (Failed,     AtMostOnce,  [NOT,  NOT, DONE, NOT, NOT,    NOT,    NOT,  NOT,       NOT,    NOT,    NOT]),
        (InDoubt,    AtLeastOnce, [c,    c,   f,    f,   UNSURE, UNSURE, DONE, UNSURE,    UNSURE, DONE,   UNSURE]),
        (InDoubt,    AtMostOnce,  [c,    c,   f,    f,   UNSURE, UNSURE, DONE, UNSURE,    UNSURE, DONE,   UNSURE]),
        (InProgress, AtMostOnce,  [c,    c,   f,    f,   UNSURE, UNSURE, DONE, UNSURE,    UNSURE, DONE,   UNSURE]),
        (InProgress, AtLeastOnce, [c,    c,   f,    f,   DONE,   NOT,    NOT,  NOT,       NOT,    NOT,    NOT]),
        (Released,   AtLeastOnce, [NOT,  NOT, NOT,  NOT, DONE,   NOT,    NOT,  NOT,       NOT,    NOT,    NOT]),
        (Released,   AtMostOnce,  [NOT,  NOT, NOT,  NOT, DONE,   NOT,    NOT,  NOT,       NOT,    NOT,    NOT]),
        (Forgotten,  AtLeastOnce, gone),
        (Forgotten,  AtMostOnce,  gone),
    ];
    for (kind, guarantee, acts) in table {
        let record = record(kind);
        for (command, expected) in COMMANDS.into_iter().zip(acts) {
            let at = format!("{kind:?} {guarantee:?} {command:?}");
            assert_eq!(
                act_settled(&record, token(5), command, &policy(guarantee)),
                expected,
                "{at}"
            );
            for stranger in [token(4), token(6)] {
                let refused = act_settled(&record, stranger, command, &policy(guarantee));
                let expected = match kind {
                    Forgotten => Refusal::NotHeld,
                    _ => Refusal::Superseded,
                };
                assert_eq!(refused, Err(expected), "{at}");
            }
        }
    }
}

/// An outcome that was stored without its bytes took any other one for its repetition: a holder that
/// had failed to store a small answer was told that it was stored.
#[test]
fn an_outcome_that_was_left_out_is_repeated_by_what_would_be_left_out() {
    let policy = policy(AtLeastOnce)
        .max_response(3)
        .oversize(Oversize::OutcomeOnly);
    for (kind, other) in [(Completed, Failed), (Failed, Completed)] {
        let act = |body_omitted, kind, said| {
            let mut record = record(kind);
            (record.head.body_omitted, record.body) = (body_omitted, Blob::EMPTY);
            let command = match kind {
                Completed => Command::Complete(said),
                _ => Command::Fail(said),
            };
            act_settled(&record, token(5), command, &policy)
        };
        assert_eq!(act(true, kind, b"four"), DONE, "{kind:?}");
        for small in [&b"abc"[..], b""] {
            assert_eq!(act(true, kind, small), NOT, "{kind:?} {small:?}");
        }
        assert_eq!(act(false, kind, b""), DONE, "{kind:?}");
        assert_eq!(act(false, kind, b"four"), NOT, "{kind:?}");
        let mut omitted = record(other);
        (omitted.head.body_omitted, omitted.body) = (true, Blob::EMPTY);
        let command = match kind {
            Completed => Command::Complete(b"four"),
            _ => Command::Fail(b"four"),
        };
        assert_eq!(act_settled(&omitted, token(5), command, &policy), NOT);
    }
    // Again without it is the same; a whole one is not.
    let without = Command::CompleteWithout;
    let mut record = record(Completed);
    record.head.body_omitted = true;
    assert_eq!(act_settled(&record, token(5), without, &policy), DONE);
    record.head.body_omitted = false;
    assert_eq!(act_settled(&record, token(5), without, &policy), NOT);
    let doubt = super::tests::record(InDoubt);
    let settles = act_settled(&doubt, token(5), without, &Policy::at_most_once());
    assert_eq!(settles, w(Completed));
}

#[test]
fn an_asked_retention_is_written_in_whole_seconds_rounded_up() {
    let mut running = running(policy(AtLeastOnce), LIVE);
    for (asked_ms, secs) in [
        (1, 1),
        (1000, 1),
        (1001, 2),
        (90_000, 90),
        (u64::MAX, u32::MAX),
    ] {
        let asked = Some(Duration::from_millis(asked_ms));
        running.rest.to_mut().retention = asked;
        let record = Subject::of_running(&running).record(Completed, b"", NOW);
        assert_eq!(record.head.retention_secs, secs, "{asked_ms} ms");
        let read = asked_retention(&record.head);
        assert_eq!(read, Some(Duration::from_secs(u64::from(secs))));
    }
    running.rest.to_mut().retention = None;
    let record = Subject::of_running(&running).record(Completed, b"", NOW);
    assert_eq!(
        (record.head.retention_secs, asked_retention(&record.head)),
        (0, None)
    );
}

// What records mean, and what is written.

#[test]
fn every_record_by_what_its_key_is_and_whether_a_ticket_resumes_it() {
    #[rustfmt::skip]
    let table = [
        (Completed,  AtLeastOnce, Some(State::Completed)),
        (Completed,  AtMostOnce,  Some(State::Completed)),
        (Failed,     AtLeastOnce, Some(State::Failed)),
        (Failed,     AtMostOnce,  Some(State::Failed)),
        (InDoubt,    AtLeastOnce, Some(State::InDoubt)),
        (InDoubt,    AtMostOnce,  Some(State::InDoubt)),
        (InProgress, AtLeastOnce, Some(State::Released)),
        (InProgress, AtMostOnce,  Some(State::InDoubt)),
        (Released,   AtLeastOnce, Some(State::Released)),
        (Released,   AtMostOnce,  Some(State::Released)),
        (Forgotten,  AtLeastOnce, None),
        (Forgotten,  AtMostOnce,  None),
    ];
    for (kind, guarantee, state) in table {
        assert_eq!(
            settled_state(kind, guarantee),
            state,
            "{kind:?} {guarantee:?}"
        );
    }
}

#[test]
fn every_record_as_it_is_written() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    // A second more than the retention: it is rounded up, never down.
    let after = |hours: u32| 1000 + hours * 3600 + 1;
    type Row = (RecordKind, Guarantee, u32, &'static [u8], &'static [u8]);
    #[rustfmt::skip]
    let table: [Row; 12] = [
        //                        expires   reason     body
        (Completed,  AtLeastOnce, after(2), b"",       b"said"),
        (Completed,  AtMostOnce,  after(2), b"",       b"said"),
        (Failed,     AtLeastOnce, after(3), b"",       b"said"),
        (Failed,     AtMostOnce,  after(3), b"",       b"said"),
        (Released,   AtLeastOnce, after(4), b"said",   b"half"),
        (Released,   AtMostOnce,  after(4), b"said",   b"half"),
        (InDoubt,    AtLeastOnce, NEVER,    b"said",   b"half"),
        (InDoubt,    AtMostOnce,  NEVER,    b"said",   b"half"),
        (InProgress, AtLeastOnce, after(4), b"again",  b"said"),
        (InProgress, AtMostOnce,  NEVER,    b"again",  b"said"),
        (Forgotten,  AtLeastOnce, 1000,     b"",       b""),
        (Forgotten,  AtMostOnce,  1000,     b"",       b""),
    ];
    for (kind, guarantee, expires_at, reason, body) in table {
        let policy = policy(guarantee)
            .retention(hours(2))
            .failed_retention(hours(3))
            .attempt_retention(hours(4));
        let mut running = running(policy, LIVE);
        let record = Subject::of_running(&running).record(kind, b"said", NOW);
        let at = format!("{kind:?} {guarantee:?}");
        assert_eq!(record.head.expires_at, expires_at, "{at}");
        assert_eq!((record.reason, record.body), (reason, body), "{at}");
        assert_eq!(
            (record.head.token, record.head.attempt),
            (token(5), 2),
            "{at}"
        );
        assert_eq!(
            (record.head.first_claimed_at, record.head.recorded_at),
            (900, 1000),
            "{at}"
        );
        assert_eq!(record.metadata, b"first", "{at}: that of the first request");
        assert_eq!(record.fingerprint, Some(&print(1, 7)), "{at}");
        // The claim's own retention counts for its outcome alone.
        running.rest.to_mut().retention = Some(hours(9));
        let own = Subject::of_running(&running).record(kind, b"said", NOW);
        let outcome = matches!(kind, Completed | Failed);
        let expected = if outcome { after(9) } else { expires_at };
        assert_eq!(own.head.expires_at, expected, "{at}");
    }
}

#[test]
fn every_outcome_over_the_limit_is_written_as_the_policy_says() {
    #[rustfmt::skip]
    let table: [(RecordKind, Oversize, bool); 6] = [
        (Completed, Oversize::OutcomeOnly, true),
        (Failed,    Oversize::OutcomeOnly, true),
        (Released,  Oversize::OutcomeOnly, false),
        // The engine refuses it before: whatever comes here is whole.
        (Completed, Oversize::Refuse,      false),
        (Failed,    Oversize::Refuse,      false),
        (Released,  Oversize::Refuse,      false),
    ];
    for (kind, oversize, omitted) in table {
        let policy = policy(AtLeastOnce).max_response(3).oversize(oversize);
        let running = running(policy, LIVE);
        let record = Subject::of_running(&running).record(kind, b"said", NOW);
        assert_eq!(record.head.body_omitted, omitted, "{kind:?} {oversize:?}");
        assert_eq!(record.body.is_empty(), omitted, "{kind:?} {oversize:?}");
        let fits = Subject::of_running(&running).record(kind, b"fit", NOW);
        assert!(!fits.head.body_omitted);
    }
}
