//! [`AdminRouter`]: what to mount, and its options.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use hapax::Store;

use crate::actions;
use crate::actor::{Actor, Refusal};
use crate::audit;
use crate::gate::Gate;
use crate::glance;
use crate::operation::Operation;
use crate::problem::{Code, Problem, method_not_allowed};
use crate::reads;
use crate::vitals;

type Who = Arc<dyn Fn(&Parts) -> Result<Actor, Refusal> + Send + Sync>;

/// A router for the operators of a store: metrics, health, lists of keys and, if it is told who acts,
/// operations on them.
///
/// It asks nobody for a password. Mount it behind the authentication of the service, on an address
/// that the public does not reach: whoever reads it reads keys.
///
/// # Examples
///
/// ```
/// use axum::Router;
/// use hapax::Store;
/// use hapax_admin::{Actor, AdminRouter, Refusal};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("dedup");
/// let store = Store::open(path)?;
/// let admin = AdminRouter::new(store).allow_actions(|request| {
///     // What the authentication of the service has put there.
///     let operator = request.extensions.get::<String>();
///     operator.map(Actor::new).ok_or_else(|| Refusal::unauthenticated("Bearer"))
/// });
/// let app: Router = Router::new().nest("/admin/hapax", admin.into_router());
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "it is nothing before it is mounted"]
pub struct AdminRouter {
    pub(crate) store: Store,
    who: Option<Who>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) forces: bool,
    pub(crate) request_bytes_max: usize,
    pub(crate) rows_max: usize,
    pub(crate) shown_bytes_max: usize,
    scan_time: Duration,
}

/// What the handlers share.
pub(crate) struct Admin {
    pub(crate) options: AdminRouter,
    /// Reading the log: two at a time, so that a page that is reloaded does not read it ten times.
    pub(crate) scans: Gate,
    /// Reading one record, or a few facts.
    pub(crate) reads: Gate,
    /// Reading counters: reads that hang take no place from whoever scrapes them.
    pub(crate) scrapes: Gate,
    /// The same for pages, which take no place from scrapers either.
    pub(crate) glances: Gate,
    /// Changing something.
    pub(crate) actions: Gate,
    pub(crate) run: String,
}

impl AdminRouter {
    /// A router that reads and changes nothing.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            who: None,
            operations: Operation::ALL.to_vec(),
            forces: false,
            request_bytes_max: 64 * 1024,
            rows_max: 1000,
            shown_bytes_max: 4096,
            scan_time: Duration::from_secs(2),
        }
    }

    /// Allows operations, for whomever `who` names: it is asked before the body of the request is
    /// read, and what it refuses is not carried out. The actor stands in the audit log.
    pub fn allow_actions(
        mut self,
        who: impl Fn(&Parts) -> Result<Actor, Refusal> + Send + Sync + 'static,
    ) -> Self {
        self.who = Some(Arc::new(who));
        self
    }

    /// Which operations are allowed, of those that [`allow_actions`](Self::allow_actions) opens;
    /// all of them unless this is called.
    pub fn operations(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.operations = operations.into_iter().collect();
        self
    }

    /// Allows what goes against a holder that is alive: a doubt resolved as "never happened" while
    /// its holder may still cause the effect, and a key in progress or in doubt forgotten.
    pub fn allow_forced(mut self) -> Self {
        self.forces = true;
        self
    }

    /// Most bytes of the body of a request; 64 KiB unless this is called.
    pub fn request_bytes(mut self, bytes: usize) -> Self {
        self.request_bytes_max = bytes;
        self
    }

    /// Most rows of a page; 1000 unless this is called.
    pub fn rows(mut self, rows: usize) -> Self {
        self.rows_max = rows.max(1);
        self
    }

    /// Most bytes that are shown of a reason, of metadata and of a stored body; 4096 unless this is
    /// called.
    pub fn shown_bytes(mut self, bytes: usize) -> Self {
        self.shown_bytes_max = bytes;
        self
    }

    /// How long a list goes through the log before it answers with what it has found; 2 s unless
    /// this is called. Compaction waits meanwhile.
    pub fn scan_time(mut self, time: Duration) -> Self {
        self.scan_time = time;
        self
    }

    /// The router, to be mounted where the service wants it. It needs a tokio runtime with time.
    pub fn into_router(self) -> Router {
        let admin = self.into_admin();
        Router::new()
            .route("/", get(glance::front))
            .route("/glance", get(glance::page))
            .route("/glance.json", get(glance::snapshot))
            .route("/metrics", get(vitals::metrics))
            .route("/health/live", get(vitals::live))
            .route("/health/ready", get(vitals::ready))
            .route("/info", get(reads::info))
            .route("/namespaces", get(reads::namespaces))
            .route("/options", get(reads::options))
            .route("/keys", get(reads::keys))
            .route("/in-progress", get(reads::in_progress))
            .route("/in-doubt", get(reads::in_doubt))
            .route("/keys/{namespace}/{key}", get(reads::key))
            .route("/keys/{namespace}/{key}/{operation}", post(actions::on_key))
            .route("/audit", get(audit::entries))
            .route("/accept-salvage", post(actions::accept_salvage))
            .method_not_allowed_fallback(method_not_allowed)
            .layer(map_response(harden))
            .with_state(admin)
    }

    /// `/health/live` and `/health/ready` alone, for whoever probes the service without a name. They
    /// say nothing of keys.
    pub fn probes(store: Store) -> Router {
        Router::new()
            .route("/health/live", get(vitals::live))
            .route("/health/ready", get(vitals::ready))
            .method_not_allowed_fallback(method_not_allowed)
            .layer(map_response(harden))
            .with_state(Self::new(store).into_admin())
    }

    /// `/metrics` alone, for a scraper that has another way in than operators. Names of namespaces
    /// stand there, keys never.
    pub fn metrics(store: Store) -> Router {
        Router::new()
            .route("/metrics", get(vitals::metrics))
            .method_not_allowed_fallback(method_not_allowed)
            .layer(map_response(harden))
            .with_state(Self::new(store).into_admin())
    }

    pub(crate) fn into_admin(self) -> Arc<Admin> {
        let secs = Duration::from_secs;
        Arc::new(Admin {
            scans: Gate::new(2, self.scan_time, secs(5), Code::TooSlow),
            reads: Gate::new(16, secs(5), secs(1), Code::TooSlow),
            scrapes: Gate::new(4, secs(5), secs(1), Code::TooSlow),
            glances: Gate::new(4, secs(5), secs(1), Code::TooSlow),
            actions: Gate::new(8, secs(30), secs(1), Code::StillRunning),
            run: glance::run_name(),
            options: self,
        })
    }

    /// Whether this router carries out what it is told.
    pub(crate) fn acts(&self) -> bool {
        self.who.is_some()
    }

    /// Who acts, if that may be done here at all.
    pub(crate) fn actor(&self, parts: &Parts, operation: Operation) -> Result<Actor, Problem> {
        let Some(who) = &self.who else {
            let text = "nothing can be changed here: the service has allowed no actions";
            return Err(Problem::new(Code::ActionsOff, text));
        };
        if !self.operations.contains(&operation) {
            let text = format!("the service does not allow {operation} here");
            return Err(Problem::new(Code::OperationOff, text));
        }
        check_same_site(&parts.headers)?;
        Ok(who(parts)?)
    }
}

impl fmt::Debug for AdminRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminRouter")
            .field("store", &self.store)
            .field("acts", &self.acts())
            .field("operations", &self.operations)
            .field("forces", &self.forces)
            .finish_non_exhaustive()
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what a page of another site makes the browser of an operator send.
fn check_same_site(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(Problem::new(
            Code::CrossSite,
            "a page of another site has sent this: operations are taken from this site alone",
        )),
    }
}

/// No answer is kept by anybody on its way, and none is taken for a page.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
