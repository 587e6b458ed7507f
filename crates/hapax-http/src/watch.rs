//! [`Watch`]: follows a request to its one answer, counts that, and tells it in one line.

use std::sync::Arc;

use hapax::Key;
use http::request::Parts;
use http::{Extensions, StatusCode};

use crate::counters::{Answered, Tally};
use crate::layer::Config;
#[cfg(feature = "tracing")]
use crate::line::Line;
use crate::outcome::Outcome;

/// A request that is under way. Dropped before its answer it is abandoned: its client went away, or a hook panicked.
pub(crate) struct Watch {
    config: Arc<Config>,
    route: Arc<Tally>,
    #[cfg(feature = "tracing")]
    line: Option<Line>,
    ended: bool,
}

impl Watch {
    pub(crate) fn new(config: &Arc<Config>, parts: &Parts) -> Self {
        config.counters.requests.one_more();
        let route = config.route_label(parts);
        Self {
            config: Arc::clone(config),
            route: config.counters.route(&route),
            #[cfg(feature = "tracing")]
            line: Line::begin(&route, config.request_id(parts)),
            ended: false,
        }
    }

    /// What stands for the key in the line: the key itself is never told.
    #[cfg_attr(
        not(feature = "tracing"),
        expect(
            unused_variables,
            clippy::unused_self,
            reason = "nothing is told without the feature"
        )
    )]
    pub(crate) fn found(&mut self, key: &Key) {
        #[cfg(feature = "tracing")]
        if let Some(line) = &mut self.line {
            line.key_digest = Some(self.config.namespace.key_digest(key));
        }
    }

    /// It is passed on as it is: the layer decides nothing, so there is nothing to tell.
    pub(crate) fn passed(mut self, answered: Answered) {
        self.count(answered);
    }

    /// It has a response, whose outcome lies among its extensions.
    pub(crate) fn answered(mut self, status: StatusCode, extensions: &Extensions) {
        let outcome = extensions.get::<Outcome>();
        self.count(match outcome {
            Some(Outcome::Replayed { .. }) => Answered::Replayed,
            Some(Outcome::Refused(refusal)) => Answered::Refused(refusal.reason()),
            Some(Outcome::Screened) => Answered::Screened,
            Some(Outcome::Unprotected) => Answered::Unprotected,
            Some(Outcome::Executed { .. }) | None => Answered::Executed,
        });
        #[cfg(feature = "tracing")]
        if let Some(line) = &self.line {
            line.answered(&self.config, status, outcome);
        }
        #[cfg(not(feature = "tracing"))]
        let _ = status;
    }

    /// It runs without protection. That counts at once, so that nothing runs so in no count.
    pub(crate) fn unprotected(mut self) {
        self.count(Answered::Unprotected);
        self.tell("unprotected");
    }

    /// The inner service failed.
    pub(crate) fn failed(mut self) {
        self.count(Answered::InnerError);
        self.tell("inner_error");
    }

    fn count(&mut self, answered: Answered) {
        self.ended = true;
        self.config.counters.ended(&self.route, answered);
    }

    #[cfg_attr(
        not(feature = "tracing"),
        expect(
            unused_variables,
            clippy::unused_self,
            reason = "nothing is told without the feature"
        )
    )]
    fn tell(&self, decision: &'static str) {
        #[cfg(feature = "tracing")]
        if let Some(line) = &self.line {
            line.decided(&self.config, decision);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.ended {
            self.count(Answered::Abandoned);
            self.tell("abandoned");
        }
    }
}
