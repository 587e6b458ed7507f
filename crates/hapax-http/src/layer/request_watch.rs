//! [`RequestWatch`]: follows a request to its one answer, counts that, and tells it in one line.

use std::sync::Arc;

use hapax::Key;
use http::request::Parts;
use http::{Extensions, StatusCode};

use crate::answer::ending::Ending;
use crate::answer::outcome::Outcome;
use crate::config::Config;
use crate::observe::counters::Tally;
#[cfg(feature = "tracing")]
use crate::observe::request_event::RequestEvent;

/// A request that is under way. Dropped before its answer it is abandoned: its client went away, or a hook panicked.
pub(crate) struct RequestWatch {
    config: Arc<Config>,
    route: Arc<Tally>,
    #[cfg(feature = "tracing")]
    event: Option<RequestEvent>,
    ended: bool,
}

impl RequestWatch {
    pub(crate) fn new(config: &Arc<Config>, parts: &Parts) -> Self {
        config.counters.requests.one_more();
        let route = config.route_label(parts);
        Self {
            config: Arc::clone(config),
            route: config.counters.route(&route),
            #[cfg(feature = "tracing")]
            event: RequestEvent::begin(&route, config.request_id(parts)),
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
        if let Some(event) = &mut self.event {
            event.key_digest = Some(self.config.namespace.key_digest(key));
        }
    }

    /// It is passed on as it is: the layer decides nothing, so there is nothing to tell.
    pub(crate) fn passed(mut self, ending: Ending) {
        self.count(ending);
    }

    /// It has a response, whose outcome lies among its extensions.
    pub(crate) fn answered(mut self, status: StatusCode, extensions: &Extensions) {
        let outcome = extensions.get::<Outcome>();
        self.count(match outcome {
            Some(Outcome::Replayed { .. }) => Ending::Replayed,
            Some(Outcome::Refused(refusal)) => Ending::Refused(refusal.reason()),
            Some(Outcome::Screened) => Ending::Screened,
            Some(Outcome::Unprotected) => Ending::Unprotected,
            Some(Outcome::Executed { .. }) | None => Ending::Executed,
        });
        #[cfg(feature = "tracing")]
        if let Some(event) = &self.event {
            event.answered(&self.config.namespace, status, outcome);
        }
        #[cfg(not(feature = "tracing"))]
        let _ = status;
    }

    /// It runs without protection. That counts at once, so that nothing runs so in no count.
    pub(crate) fn unprotected(mut self) {
        self.count(Ending::Unprotected);
        self.tell("unprotected");
    }

    /// The inner service failed.
    pub(crate) fn failed(mut self) {
        self.count(Ending::InnerError);
        self.tell("inner_error");
    }

    fn count(&mut self, ending: Ending) {
        self.ended = true;
        self.config.counters.ended(&self.route, ending);
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
        if let Some(event) = &self.event {
            event.decided(&self.config.namespace, decision);
        }
    }
}

impl Drop for RequestWatch {
    fn drop(&mut self) {
        if !self.ended {
            self.count(Ending::Abandoned);
            self.tell("abandoned");
        }
    }
}
