//! [`HttpStats`]: what the layer did, in numbers. The metrics of the store have the same numbers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use hapax::metrics::{Family, MetricSource};

use crate::answer::ending::Ending;
use crate::answer::reason::Reason;

/// The most routes that are counted separately; all others count as one.
const ROUTES_MAX: usize = 64;

/// The name of all routes beyond the limit.
const OTHER_ROUTES: &str = "other";

/// The endings without a reason, in the order of their counters.
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

/// The names of the endings in labels.
fn names() -> impl Iterator<Item = String> {
    let plain = PLAIN.iter().map(|(_, name)| (*name).to_owned());
    let refused = Reason::ALL
        .iter()
        .map(|reason| reason.code().replace('-', "_"));
    plain.chain(refused)
}

/// Requests by their ending.
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
        /// Each request counts once among the answers. When no request is in flight, `requests` is the sum of
        /// `uncovered`, `unkeyed`, `screened`, `executed`, `replayed`, `unprotected`, `abandoned`, `inner_errors`
        /// and the refusals. Each run of a handler under a key also counts once among the runs, when it is over.
        ///
        /// The metrics of the store have the same numbers by route: see `docs/http.md`.
        ///
        /// # Examples
        ///
        /// ```
        /// use hapax::{Policy, Store};
        /// use hapax_http::IdempotencyLayer;
        ///
        /// # let store = Store::in_memory().open()?;
        /// # let payments = store.namespace("payments", Policy::at_least_once())?;
        /// let layer = IdempotencyLayer::new(payments).one_tenant();
        /// let stats = layer.stats();
        /// assert_eq!((stats.requests(), stats.replayed(), stats.refusals()), (0, 0, 0));
        /// # Ok::<(), hapax::Error>(())
        /// ```
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
    runs_omitted: "Runs that are stored without their response.",
    runs_released: "Runs that released their key for another attempt.",
    runs_in_doubt: "Runs that left their key in doubt.",
    runs_lost: "Runs that lost their key to another holder before they answered.",
    runs_unstored: "Runs whose outcome the store did not accept, because it could not write or was closed.",
    runs_not_begun: "Runs that did not begin, because the inner service had no room or refused the request. Their key is as it was.",
    runs_panicked: "Runs that panicked. They also count among the released runs or the runs in doubt.",
    runs_without_client: "Runs whose client had left when they answered.",
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
    uncovered, Uncovered: "Requests that were passed on because of their method, or because keys are ignored.",
    unkeyed, Unkeyed: "Requests that were passed on because they had no key and the key is optional.",
    screened, Screened: "Requests that the hook `screen` answered, before anything was claimed.",
    executed, Executed: "Requests that their own run of the handler answered.",
    replayed, Replayed: "Requests that got a stored response.",
    unprotected, Unprotected: "Requests that were passed on without protection, because the store could not answer and the layer fails open; whatever their result.",
    abandoned, Abandoned: "Requests whose client left before the answer, or for which a hook panicked. Their runs continued.",
    inner_errors, InnerError: "Requests that got an error of the inner service.",
}

impl HttpStats {
    /// All requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Requests that were refused for this reason.
    #[must_use]
    pub fn refused(&self, reason: Reason) -> u64 {
        self.answers[index_of(Ending::Refused(reason))]
    }

    /// Requests that were refused, for any reason.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.answers[PLAIN.len()..].iter().sum()
    }
}

impl Counters {
    /// The tally of a route; routes beyond the limit share one.
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

/// The endings that every route shows even at zero, so that a rate counts the first one.
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
