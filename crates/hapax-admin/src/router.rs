//! [`AdminRouter`]: what to mount, and its options.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use hapax::Store;

use crate::admin::Admin;
use crate::answer::problem::method_not_allowed;
use crate::glance::page;
use crate::operator::actor::{Actor, Refusal};
use crate::operator::operation::Operation;
use crate::options::Options;
use crate::routes::{actions, audit, keys, store, vitals};

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
    options: Options,
}

impl AdminRouter {
    /// A router that reads and changes nothing.
    pub fn new(store: Store) -> Self {
        Self {
            options: Options::new(store),
        }
    }

    /// Allows operations, for whomever `who` names: it is asked before the body of the request is
    /// read, and what it refuses is not carried out. The actor stands in the audit log.
    pub fn allow_actions(
        mut self,
        who: impl Fn(&Parts) -> Result<Actor, Refusal> + Send + Sync + 'static,
    ) -> Self {
        self.options.who = Some(Arc::new(who));
        self
    }

    /// Which operations are allowed, of those that [`allow_actions`](Self::allow_actions) opens;
    /// all of them unless this is called.
    pub fn operations(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.options.operations = operations.into_iter().collect();
        self
    }

    /// Allows what goes against a holder that is alive: a doubt resolved as "never happened" while
    /// its holder may still cause the effect, and a key in progress or in doubt forgotten.
    pub fn allow_forced(mut self) -> Self {
        self.options.forces = true;
        self
    }

    /// Most bytes of the body of a request; 64 KiB unless this is called.
    pub fn request_bytes(mut self, bytes: usize) -> Self {
        self.options.request_bytes_max = bytes;
        self
    }

    /// Most rows of a page; 1000 unless this is called.
    pub fn rows(mut self, rows: usize) -> Self {
        self.options.rows_max = rows.max(1);
        self
    }

    /// Most bytes that are shown of a reason, of metadata and of a stored body; 4096 unless this is
    /// called.
    pub fn shown_bytes(mut self, bytes: usize) -> Self {
        self.options.shown_bytes_max = bytes;
        self
    }

    /// How long a list goes through the log before it answers with what it has found; 2 s unless
    /// this is called. Compaction waits meanwhile.
    pub fn scan_time(mut self, time: Duration) -> Self {
        self.options.scan_time = time;
        self
    }

    /// The router, to be mounted where the service wants it. It needs a tokio runtime with time.
    pub fn into_router(self) -> Router {
        let routes = Router::new()
            .route("/", get(page::front))
            .route("/glance", get(page::page))
            .route("/glance.json", get(page::snapshot))
            .route("/metrics", get(vitals::metrics))
            .route("/health/live", get(vitals::live))
            .route("/health/ready", get(vitals::ready))
            .route("/info", get(store::info))
            .route("/namespaces", get(store::namespaces))
            .route("/options", get(store::options))
            .route("/keys", get(keys::keys))
            .route("/in-progress", get(keys::in_progress))
            .route("/in-doubt", get(keys::in_doubt))
            .route("/keys/{namespace}/{key}", get(keys::key))
            .route("/keys/{namespace}/{key}/{operation}", post(actions::on_key))
            .route("/audit", get(audit::entries))
            .route("/accept-salvage", post(actions::accept_salvage));
        complete(routes, self.options)
    }

    /// `/health/live` and `/health/ready` alone, for whoever probes the service without a name. They
    /// say nothing of keys.
    pub fn probes(store: Store) -> Router {
        let routes = Router::new()
            .route("/health/live", get(vitals::live))
            .route("/health/ready", get(vitals::ready));
        complete(routes, Options::new(store))
    }

    /// `/metrics` alone, for a scraper that has another way in than operators. Names of namespaces
    /// stand there, keys never.
    pub fn metrics(store: Store) -> Router {
        let routes = Router::new().route("/metrics", get(vitals::metrics));
        complete(routes, Options::new(store))
    }
}

impl fmt::Debug for AdminRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminRouter")
            .field("store", &self.options.store)
            .field("acts", &self.options.acts())
            .field("operations", &self.options.operations)
            .field("forces", &self.options.forces)
            .finish_non_exhaustive()
    }
}

/// Adds what every router has: the answer to a wrong method, the headers, and what the handlers share.
fn complete(routes: Router<Arc<Admin>>, options: Options) -> Router {
    routes
        .method_not_allowed_fallback(method_not_allowed)
        .layer(map_response(harden))
        .with_state(Arc::new(Admin::new(options)))
}

/// No answer is kept by anybody on its way, and none is taken for a page.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
