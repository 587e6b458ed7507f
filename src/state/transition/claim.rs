//! Whether a claim is granted: one verdict for a running key, one for a key that is not running.

use crate::state::running::Running;
use crate::state::transition::basis::Basis;
use crate::state::transition::settled::settled_state;
use crate::value::comparison::{Comparison, compare};
use crate::value::fingerprint::Fingerprint;
use crate::value::guarantee::Guarantee;
use crate::value::key_state::KeyState;
use crate::value::policy::{OnChange, Policy};
use crate::value::record::Record;
use crate::value::time::Now;

/// The verdict on a claim of a running or lapsed key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RunningVerdict {
    /// The lease has lapsed: the caller becomes the holder.
    TakeOver(Basis),
    InProgress {
        compared: bool,
    },
    InDoubt {
        compared: bool,
    },
    /// The labels that differ, and what the key is.
    Mismatch {
        labels: Vec<String>,
        state: KeyState,
    },
    /// The last attempt that is allowed has lapsed: the key fails for good.
    Exhausted,
}

/// The verdict on a claim of a key that is not running.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SettledVerdict {
    Grant(Basis),
    /// The stored outcome, and which of the two it is.
    Outcome {
        state: KeyState,
        compared: bool,
    },
    InDoubt {
        compared: bool,
    },
    /// The labels that differ, and what the key is.
    Mismatch {
        labels: Vec<String>,
        state: KeyState,
    },
    /// The last attempt that is allowed has gone without an outcome: the key fails for good.
    Exhausted,
}

/// Judges a claim of a running or lapsed key.
pub(crate) fn claim_running<W: 'static>(
    running: &Running<W>,
    sent: Option<&Fingerprint>,
    now: Now,
) -> RunningVerdict {
    let stored = running.rest.holder.fingerprint.as_ref();
    let compared = match compare(stored, sent, running.policy.fingerprints) {
        Comparison::Differs(labels) => {
            let state = running.state(now);
            return RunningVerdict::Mismatch { labels, state };
        }
        Comparison::Same => true,
        Comparison::NotCompared => false,
    };
    if !running.is_lapsed(now) {
        return RunningVerdict::InProgress { compared };
    }
    match running.guarantee() {
        Guarantee::AtMostOnce => RunningVerdict::InDoubt { compared },
        Guarantee::AtLeastOnce if running.is_exhausted() => RunningVerdict::Exhausted,
        Guarantee::AtLeastOnce => RunningVerdict::TakeOver(Basis {
            attempt: running.holder.attempt.saturating_add(1),
            same_request: true,
            continues: true,
        }),
    }
}

/// Judges a claim of a key that is not running, by its record.
pub(crate) fn claim_settled(
    record: &Record,
    sent: Option<&Fingerprint>,
    policy: &Policy,
) -> SettledVerdict {
    let Some(state) = settled_state(record.head.kind, policy.guarantee) else {
        return SettledVerdict::Grant(Basis::FRESH);
    };
    let comparison = compare(record.fingerprint.as_ref(), sent, policy.fingerprints);
    if state == KeyState::Released {
        return claim_released(record, &comparison, policy);
    }
    let compared = comparison == Comparison::Same;
    match comparison {
        Comparison::Differs(_)
            if state != KeyState::InDoubt && policy.on_change == OnChange::Rerun =>
        {
            SettledVerdict::Grant(Basis::FRESH)
        }
        Comparison::Differs(labels) => SettledVerdict::Mismatch { labels, state },
        _ if state == KeyState::InDoubt => SettledVerdict::InDoubt { compared },
        _ => SettledVerdict::Outcome { state, compared },
    }
}

fn claim_released(record: &Record, comparison: &Comparison, policy: &Policy) -> SettledVerdict {
    let same_request = !matches!(comparison, Comparison::Differs(_));
    if policy
        .max_attempts
        .is_some_and(|most| record.head.attempt >= most)
    {
        return SettledVerdict::Exhausted;
    }
    SettledVerdict::Grant(Basis {
        attempt: record.head.attempt.saturating_add(1),
        same_request,
        continues: true,
    })
}
