//! [`HttpStats`]: what the layer did, in numbers; the same numbers go to the metrics of the store.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use hapax::{Family, MetricSource};

use crate::answer::ending::Ending;
use crate::answer::reason::Reason;

/// Routes that are counted by themselves; all others share one more.
const ROUTES_MAX: usize = 64;

/// What routes over the most are counted as.
const OTHER_ROUTES: &str = "other";

/// The endings without a reason of their own, in the order in which they are counted.
const PLAIN: [(Ending, &str); 8] = [
    (Ending::Uncovered, "uncovered"),
    (Ending::Unkeyed, "unkeyed"),
    (Ending::Screened, "screened"),
    (Ending::Executed, "executed"),
    (Ending::Replayed, "replayed"),
    (Ending::Unprotected, "unprotected"),
    (Ending::Abandoned, "abandoned"),
    (Ending::InnerError, "inner_error"),
];

const ENDINGS: usize = PLAIN.len() + Reason::ALL.len();

fn index_of(ending: Ending) -> usize {
    let place = match ending {
        Ending::Refused(reason) => {
            let place = Reason::ALL.iter().position(|each| *each == reason);
            place.map(|place| PLAIN.len() + place)
        }
        plain => PLAIN.iter().position(|(each, _)| *each == plain),
    };
    place.expect("the lists have every ending")
}

/// The names of the endings, as in labels.
fn names() -> impl Iterator<Item = String> {
    let plain = PLAIN.iter().map(|(_, name)| (*name).to_owned());
    let refused = Reason::ALL
        .iter()
        .map(|reason| reason.code().replace('-', "_"));
    plain.chain(refused)
}

/// Requests by how they ended.
#[derive(Debug)]
pub(crate) struct Tally([Count; ENDINGS]);

impl Default for Tally {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Count::default()))
    }
}

impl Tally {
    fn of(&self, ending: Ending) -> &Count {
        &self.0[index_of(ending)]
    }
}

macro_rules! runs {
    ($($name:ident: $doc:literal,)*) => {
        /// What a layer and its clones count.
        #[derive(Default, Debug)]
        pub(crate) struct Counters {
            pub(crate) requests: Count,
            totals: Tally,
            routes: RwLock<HashMap<Box<str>, Arc<Tally>>>,
            $(pub(crate) $name: Count,)*
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> HttpStats {
                HttpStats {
                    requests: self.requests.value(),
                    answers: std::array::from_fn(|place| self.totals.0[place].value()),
                    $($name: self.$name.value(),)*
                }
            }
        }

        /// What a layer and its clones did since they were made.
        ///
        /// Each request counts once among the answers: `requests` is the sum of `uncovered`,
        /// `unkeyed`, `screened`, `executed`, `replayed`, `unprotected`, `abandoned`,
        /// `inner_errors` and the refusals, as soon as none is under way. Each run of a handler
        /// under a key counts once more among the runs, when it is over.
        ///
        /// The metrics of the store have the same numbers by route: see `docs/http.md`.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct HttpStats {
            requests: u64,
            answers: [u64; ENDINGS],
            $($name: u64,)*
        }

        impl HttpStats {
            $(#[doc = $doc]
            #[must_use]
            pub fn $name(&self) -> u64 {
                self.$name
            })*
        }
    };
}

runs! {
    runs_stored: "Runs whose response is stored.",
    runs_omitted: "Runs of which it is stored that they ran, and no response.",
    runs_released: "Runs that gave their key up, to be tried again.",
    runs_in_doubt: "Runs that left their key in doubt.",
    runs_lost: "Runs whose key another holder had taken over when they answered.",
    runs_unstored: "Runs whose outcome the store did not take: it could not write, or was closed.",
    runs_not_begun: "Runs that did not begin, because the inner service had no room or refused the request: their key is as it was.",
    runs_panicked: "Runs that panicked; they count among the released or the ones in doubt too.",
    runs_without_client: "Runs whose client was gone when they answered.",
}

macro_rules! answers {
    ($($name:ident, $ending:ident: $doc:literal,)*) => {
        impl HttpStats {
            $(#[doc = $doc]
            #[must_use]
            pub fn $name(&self) -> u64 {
                self.answers[index_of(Ending::$ending)]
            })*
        }
    };
}

answers! {
    uncovered, Uncovered: "Passed on because of their method, or because keys are ignored.",
    unkeyed, Unkeyed: "Passed on because they had no key, where one is optional.",
    screened, Screened: "Answered by the hook `screen`, before anything was claimed.",
    executed, Executed: "Answered by their handler, run for them.",
    replayed, Replayed: "Answered with a stored response.",
    unprotected, Unprotected: "Passed on because the store could not answer and the layer fails open, whatever came of them.",
    abandoned, Abandoned: "Whose client went away before they were answered, or for which a hook panicked; what ran for them went on.",
    inner_errors, InnerError: "Answered with an error of the inner service.",
}

impl HttpStats {
    /// Requests that came.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Requests refused for this reason.
    #[must_use]
    pub fn refused(&self, reason: Reason) -> u64 {
        self.answers[index_of(Ending::Refused(reason))]
    }

    /// Requests refused for any reason.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.answers[PLAIN.len()..].iter().sum()
    }
}

impl Counters {
    /// Where the answers of a route are counted. The first so many routes have a tally of their own.
    pub(crate) fn route(&self, route: &str) -> Arc<Tally> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let is_full = routes.len() > ROUTES_MAX;
        let others = || routes.get(OTHER_ROUTES).filter(|_| is_full);
        if let Some(tally) = routes.get(route).or_else(others) {
            return Arc::clone(tally);
        }
        drop(routes);
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let is_full = routes.len() >= ROUTES_MAX && !routes.contains_key(route);
        let route = if is_full { OTHER_ROUTES } else { route };
        Arc::clone(routes.entry(route.into()).or_default())
    }

    /// Counts a request that has ended.
    pub(crate) fn ended(&self, route: &Tally, ending: Ending) {
        self.totals.of(ending).one_more();
        route.of(ending).one_more();
    }
}

/// Endings that every route shows, so that a rate can be taken from the first one on.
const SHOWN: [Ending; 2] = [Ending::Executed, Ending::Replayed];

impl MetricSource for Counters {
    fn families(&self) -> Vec<Family> {
        let mut requests = Family::counter(
            "hapax_http_requests_total",
            "Requests by their route and how they ended.",
        );
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let mut routes: Vec<_> = routes.iter().collect();
        routes.sort_by_key(|(route, _)| *route);
        for (route, tally) in routes {
            for (place, name) in names().enumerate() {
                let count = tally.0[place].value();
                if count > 0 || SHOWN.iter().any(|shown| index_of(*shown) == place) {
                    let labels = [("route", route.to_string()), ("outcome", name)];
                    requests = requests.count(labels.map(owned), count);
                }
            }
        }
        let mut runs = Family::counter(
            "hapax_http_runs_total",
            "Runs of handlers under a key by what became of the key.",
        );
        for (outcome, count) in [
            ("stored", &self.runs_stored),
            ("omitted", &self.runs_omitted),
            ("released", &self.runs_released),
            ("in_doubt", &self.runs_in_doubt),
            ("lost", &self.runs_lost),
            ("unstored", &self.runs_unstored),
            ("not_begun", &self.runs_not_begun),
        ] {
            runs = runs.count([("outcome", Cow::Borrowed(outcome))], count.value());
        }
        let panicked = Family::counter(
            "hapax_http_runs_panicked_total",
            "Runs of handlers that panicked.",
        );
        let without = Family::counter(
            "hapax_http_runs_without_client_total",
            "Runs of handlers whose client was gone when they answered.",
        );
        vec![
            requests,
            runs,
            panicked.count([], self.runs_panicked.value()),
            without.count([], self.runs_without_client.value()),
        ]
    }
}

fn owned((label, value): (&'static str, String)) -> (&'static str, Cow<'static, str>) {
    (label, Cow::Owned(value))
}

/// A number that only grows.
#[derive(Default, Debug)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn one_more(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
