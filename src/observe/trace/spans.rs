//! Spans and events, for subscribers to the target `hapax`.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use tracing::field::Empty;
use tracing::instrument::Instrumented;
use tracing::{Instrument, Level, Span, debug, debug_span, enabled, error, info, warn};

use crate::observe::trace::decision::{Decision, Lapse};
use crate::observe::trace::subject::TraceSubject;
use crate::value::key_state::KeyState;

const TARGET: &str = "hapax";

/// The fields in which decisions are counted. Any other decision is an error of one key.
const COUNTS: &[(&str, &str)] = &[
    ("granted", "hapax.granted"),
    ("in_progress", "hapax.in_progress"),
    ("completed", "hapax.completed"),
    ("failed", "hapax.failed"),
    ("in_doubt", "hapax.in_doubt"),
    ("mismatch", "hapax.mismatch"),
    ("repeat", "hapax.repeat"),
    ("ok", "hapax.ok"),
    ("inserted", "hapax.inserted"),
    ("present", "hapax.present"),
];
const ERRORS: &str = "hapax.errors";

/// A span of one operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation(Span);

impl Operation {
    /// Begins an operation; `subject` is called only if a subscriber wants to see it.
    #[inline]
    pub(crate) fn begin(name: &'static str, subject: impl FnOnce() -> TraceSubject) -> Self {
        if !enabled!(target: TARGET, Level::DEBUG) {
            return Self(Span::none());
        }
        let subject = subject();
        Self(debug_span!(
            target: TARGET,
            "hapax",
            hapax.operation = name,
            hapax.namespace = subject.namespace,
            hapax.key_digest = %subject.digest,
            hapax.key = subject.key,
        ))
    }

    /// Whether a subscriber wants to see operations at all.
    #[inline]
    pub(crate) fn is_wanted() -> bool {
        enabled!(target: TARGET, Level::DEBUG)
    }

    /// Does something within the span.
    #[inline]
    pub(crate) fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        self.0.in_scope(work)
    }

    /// Enters the span whenever the future is polled.
    pub(crate) fn follow<F: Future>(&self, work: F) -> Instrumented<F> {
        work.instrument(self.0.clone())
    }

    /// Begins an operation on many keys, whose decisions [`end`](Self::end) counts.
    #[inline]
    pub(crate) fn begin_batch(name: &'static str, namespace: &str) -> Self {
        if !enabled!(target: TARGET, Level::DEBUG) {
            return Self(Span::none());
        }
        Self(debug_span!(
            target: TARGET,
            "hapax",
            hapax.operation = name,
            hapax.namespace = %namespace.escape_debug(),
            hapax.items = Empty,
            hapax.outcome = Empty,
            hapax.granted = Empty,
            hapax.in_progress = Empty,
            hapax.completed = Empty,
            hapax.failed = Empty,
            hapax.in_doubt = Empty,
            hapax.mismatch = Empty,
            hapax.repeat = Empty,
            hapax.ok = Empty,
            hapax.inserted = Empty,
            hapax.present = Empty,
            hapax.errors = Empty,
        ))
    }

    /// Counts the decisions, by their names; these are called for only if a subscriber wants to see them.
    #[inline]
    pub(crate) fn end<I: Iterator<Item = &'static str>>(
        &self,
        outcome: &'static str,
        decisions: impl FnOnce() -> I,
    ) {
        if self.0.is_disabled() {
            return;
        }
        let mut counts = BTreeMap::new();
        for decision in decisions() {
            let counted = COUNTS.iter().find(|(name, _)| *name == decision);
            let field = counted.map_or(ERRORS, |(_, field)| field);
            *counts.entry(field).or_insert(0_u64) += 1;
        }
        self.0.record("hapax.outcome", outcome);
        self.0.record("hapax.items", counts.values().sum::<u64>());
        for (field, count) in counts {
            self.0.record(field, count);
        }
    }
}

/// Emits the result of an operation; the closures are called only if a subscriber wants to see it.
#[inline]
pub(crate) fn decided<'a>(
    operation: &'static str,
    subject: impl FnOnce() -> TraceSubject,
    decision: impl FnOnce() -> Decision<'a>,
) {
    if enabled!(target: TARGET, Level::WARN) {
        show(operation, subject, &decision());
    }
}

fn show(operation: &'static str, subject: impl FnOnce() -> TraceSubject, decision: &Decision<'_>) {
    let token = decision.token.map(tracing::field::display);
    macro_rules! tell {
        ($level:ident) => {{
            let subject = subject();
            $level!(
                target: TARGET,
                {
                    hapax.operation = operation,
                    hapax.outcome = decision.outcome,
                    hapax.namespace = subject.namespace,
                    hapax.key_digest = %subject.digest,
                    hapax.key = subject.key,
                    hapax.token = token,
                    hapax.attempt = decision.attempt,
                    hapax.first_request = decision.first_request(),
                    hapax.actor = decision.actor(),
                },
                "decided"
            )
        }};
    }
    if decision.warns {
        tell!(warn);
    } else if decision.actor.is_some() {
        // Rare, and the reason why a service went on differently.
        if enabled!(target: TARGET, Level::INFO) {
            tell!(info);
        }
    } else if enabled!(target: TARGET, Level::DEBUG) {
        tell!(debug);
    }
}

pub(crate) fn accepted_salvage(actor: &str, outcome: &'static str) {
    info!(
        target: TARGET,
        {
            hapax.operation = "accept_salvage",
            hapax.outcome = outcome,
            hapax.actor = %actor.escape_debug(),
        },
        "decided"
    );
}

pub(crate) fn lapsed(subject: impl FnOnce() -> TraceSubject, lapse: Lapse) {
    if enabled!(target: TARGET, Level::WARN) {
        let subject = subject();
        let outcome = match lapse.state {
            KeyState::InDoubt => "in_doubt",
            _ => "lapsed",
        };
        warn!(
            target: TARGET,
            {
                hapax.operation = "lapse",
                hapax.outcome = outcome,
                hapax.namespace = subject.namespace,
                hapax.key_digest = %subject.digest,
                hapax.key = subject.key,
                hapax.token = %lapse.token,
                hapax.attempt = lapse.attempt,
            },
            "a lease has lapsed"
        );
    }
}

pub(crate) fn poisoned(doing: &str, error: &std::io::Error) {
    error!(
        target: TARGET,
        {
            hapax.operation = doing,
            "error.type" = ?error.kind(),
            error = %error.to_string().escape_debug(),
        },
        "the store is poisoned: nothing more is acknowledged until it is opened again"
    );
}

pub(crate) fn ailing(doing: &'static str, cause: &str) {
    warn!(
        target: TARGET,
        {
            hapax.operation = doing,
            error = %cause.escape_debug(),
        },
        "upkeep of the store fails, and is tried again"
    );
}

pub(crate) fn healed(doing: &'static str) {
    info!(
        target: TARGET,
        {
            hapax.operation = doing,
        },
        "upkeep of the store succeeds again"
    );
}

pub(crate) fn recovered(records: u64, torn_frames: u64, epoch: u32, took: Duration) {
    info!(
        target: TARGET,
        {
            hapax.operation = "open",
            hapax.records = records,
            hapax.torn_frames = torn_frames,
            hapax.epoch = epoch,
            hapax.seconds = took.as_secs_f64(),
        },
        "the store is open"
    );
}

pub(crate) fn compacted(segment: u64, carried: u64) {
    debug!(
        target: TARGET,
        {
            hapax.operation = "compact",
            hapax.segment = segment,
            hapax.carried_records = carried,
        },
        "a segment was dropped"
    );
}
