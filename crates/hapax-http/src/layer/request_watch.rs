//! [`RequestWatch`]: counts the ending of a request once, and reports it in one event.

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

/// A request in flight. If it is dropped before its answer, the request is abandoned: its client left, or a hook
/// panicked.
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

    /// Adds the digest of the key to the event, which never has the key itself.
    #[cfg_attr(
        not(feature = "tracing"),
        expect(
            unused_variables,
            clippy::unused_self,
            reason = "there are no events without the feature"
        )
    )]
    pub(crate) fn found(&mut self, key: &Key) {
        #[cfg(feature = "tracing")]
        if let Some(event) = &mut self.event {
            event.key_digest = Some(self.config.namespace.key_digest(key));
        }
    }

    /// The request is passed on as it is. The layer decides nothing, so there is no event.
    pub(crate) fn passed(mut self, ending: Ending) {
        self.count(ending);
    }

    /// The request has a response, with its outcome among the extensions.
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

    /// The request runs without protection. It counts before it runs, so that no such run is missed.
    pub(crate) fn unprotected(mut self) {
        self.count(Ending::Unprotected);
        self.report("unprotected");
    }

    /// The inner service failed.
    pub(crate) fn failed(mut self) {
        self.count(Ending::InnerError);
        self.report("inner_error");
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
            reason = "there are no events without the feature"
        )
    )]
    fn report(&self, decision: &'static str) {
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
            self.report("abandoned");
        }
    }
}
