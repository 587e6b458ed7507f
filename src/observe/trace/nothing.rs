//! The empty forms of spans and events, without the feature `tracing`.

use std::future::Future;
use std::time::Duration;

use crate::observe::trace::decision::{Decision, Lapse};
use crate::observe::trace::subject::TraceSubject;

/// A span of one operation, shown to no one.
#[derive(Clone, Debug)]
pub(crate) struct Operation;

impl Operation {
    #[inline]
    pub(crate) fn begin(_: &'static str, _: impl FnOnce() -> TraceSubject) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn is_wanted() -> bool {
        false
    }

    #[inline]
    pub(crate) fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        work()
    }

    #[inline]
    pub(crate) fn follow<F: Future>(&self, work: F) -> F {
        work
    }

    #[inline]
    pub(crate) fn begin_batch(_: &'static str, _: &str) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn end<I: Iterator<Item = &'static str>>(
        &self,
        _: &'static str,
        _: impl FnOnce() -> I,
    ) {
    }
}

#[inline]
pub(crate) fn accepted_salvage(_: &str, _: &'static str) {}

#[inline]
pub(crate) fn decided<'a>(
    _: &'static str,
    _: impl FnOnce() -> TraceSubject,
    _: impl FnOnce() -> Decision<'a>,
) {
}

#[inline]
pub(crate) fn lapsed(_: impl FnOnce() -> TraceSubject, _: Lapse) {}

#[inline]
pub(crate) fn poisoned(_: &str, _: &std::io::Error) {}

#[inline]
pub(crate) fn ailing(_: &'static str, _: &str) {}

#[inline]
pub(crate) fn healed(_: &'static str) {}

#[inline]
pub(crate) fn recovered(_: u64, _: u64, _: u32, _: Duration) {}

#[inline]
pub(crate) fn compacted(_: u64, _: u64) {}
