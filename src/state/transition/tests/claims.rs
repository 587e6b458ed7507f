//! Every state against a claim.

use crate::state::transition::tests::{LAPSED, LIVE, NOW, policy, print, record, running};
use crate::state::transition::{
    Basis, RunningVerdict, SettledVerdict, claim_running, claim_settled,
};
use crate::value::comparison::FingerprintPolicy;
use crate::value::fingerprint::Fingerprint;
use crate::value::guarantee::Guarantee;
use crate::value::key_state::KeyState;
use crate::value::policy::OnChange;
use crate::value::record::RecordKind;

use Guarantee::{AtLeastOnce, AtMostOnce};
use RecordKind::{Completed, Failed, Forgotten, InDoubt, InProgress, Released};

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
enum Expected {
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

use Expected::{Changed, Exhausted, Fresh, Mismatch, Next, Plain, Same};

fn basis(attempt: u32, same_request: bool, continues: bool) -> Basis {
    Basis {
        attempt,
        same_request,
        continues,
    }
}

/// The labels that differ.
fn labels(sent: Sent) -> Vec<String> {
    match sent {
        Sent::Other => vec!["body".to_owned()],
        Sent::OtherScheme => vec!["scheme".to_owned()],
        Sent::Same | Sent::Nothing => Vec::new(),
    }
}

/// What a cell means in a row of running keys whose other answer is `stored`.
fn of_running(
    cell: Expected,
    sent: Sent,
    stored: fn(bool) -> RunningVerdict,
    state: KeyState,
) -> RunningVerdict {
    match cell {
        Fresh => RunningVerdict::TakeOver(basis(1, false, false)),
        Next => RunningVerdict::TakeOver(basis(3, true, true)),
        Changed => RunningVerdict::TakeOver(basis(3, false, true)),
        Same => stored(true),
        Plain => stored(false),
        Mismatch => RunningVerdict::Mismatch {
            labels: labels(sent),
            state,
        },
        Exhausted => RunningVerdict::Exhausted,
    }
}

fn busy(compared: bool) -> RunningVerdict {
    RunningVerdict::InProgress { compared }
}

fn unsure(compared: bool) -> RunningVerdict {
    RunningVerdict::InDoubt { compared }
}

/// The other answer of a row of settled keys.
type Stored = fn(KeyState, bool) -> SettledVerdict;

/// What a cell means in a row of settled keys whose other answer is `stored`.
fn of_settled(cell: Expected, sent: Sent, stored: Stored, state: KeyState) -> SettledVerdict {
    match cell {
        Fresh => SettledVerdict::Grant(basis(1, false, false)),
        Next => SettledVerdict::Grant(basis(3, true, true)),
        Changed => SettledVerdict::Grant(basis(3, false, true)),
        Same => stored(state, true),
        Plain => stored(state, false),
        Mismatch => SettledVerdict::Mismatch {
            labels: labels(sent),
            state,
        },
        Exhausted => SettledVerdict::Exhausted,
    }
}

fn outcome(state: KeyState, compared: bool) -> SettledVerdict {
    SettledVerdict::Outcome { state, compared }
}

fn doubt(_: KeyState, compared: bool) -> SettledVerdict {
    SettledVerdict::InDoubt { compared }
}

/// What a verdict says the key of a record is.
fn state_of(kind: RecordKind) -> KeyState {
    match kind {
        Completed => KeyState::Completed,
        Failed => KeyState::Failed,
        Released => KeyState::Released,
        InDoubt | InProgress | Forgotten => KeyState::InDoubt,
    }
}

/// How fingerprints count, for the three groups of columns.
const COUNTS: [FingerprintPolicy; 3] = [
    FingerprintPolicy::Optional,
    FingerprintPolicy::Required,
    FingerprintPolicy::Ignored,
];

type Columns = [[Expected; 4]; 3];

/// An answer that does not depend on a change of the request but by comparing it.
const COMPARED: Columns = [
    [Same, Mismatch, Plain, Plain],
    [Same, Mismatch, Mismatch, Mismatch],
    [Plain, Plain, Plain, Plain],
];

#[test]
fn a_claim_of_an_absent_key_is_granted_afresh() {
    assert_eq!(Basis::FRESH, basis(1, false, false));
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
    type Row = (
        Guarantee,
        u64,
        Option<u32>,
        fn(bool) -> RunningVerdict,
        Columns,
    );
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
        (AtMostOnce,  LAPSED, None,    unsure, COMPARED),
        (AtMostOnce,  LAPSED, Some(3), unsure, COMPARED),
        (AtMostOnce,  LAPSED, Some(2), unsure, COMPARED),
    ];
    for (guarantee, end_ms, max_attempts, stored, columns) in table {
        let state = match (guarantee, end_ms) {
            (AtMostOnce, LAPSED) => KeyState::InDoubt,
            _ => KeyState::InProgress,
        };
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
                    assert_eq!(got, of_running(cell, sent, stored, state), "{at}");
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
        Stored,
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
        (InProgress, AtLeastOnce, Refuse, None,    outcome, RETRY),
        (InProgress, AtLeastOnce, Rerun,  Some(3), outcome, RETRY),
        (InProgress, AtLeastOnce, Refuse, Some(2), outcome, NO_MORE),
        (InProgress, AtLeastOnce, Rerun,  Some(1), outcome, NO_MORE),
        (Released,   AtLeastOnce, Refuse, None,    outcome, RETRY),
        (Released,   AtLeastOnce, Rerun,  Some(3), outcome, RETRY),
        (Released,   AtLeastOnce, Refuse, Some(2), outcome, NO_MORE),
        (Released,   AtMostOnce,  Refuse, None,    outcome, RETRY),
        (Released,   AtMostOnce,  Rerun,  Some(3), outcome, RETRY),
        (Released,   AtMostOnce,  Refuse, Some(2), outcome, NO_MORE),
        (Forgotten,  AtLeastOnce, Refuse, None,    outcome, GONE),
        (Forgotten,  AtMostOnce,  Rerun,  Some(1), outcome, GONE),
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
                assert_eq!(got, of_settled(cell, sent, stored, state_of(kind)), "{at}");
            }
        }
    }
}
