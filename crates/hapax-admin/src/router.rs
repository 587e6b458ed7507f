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

/// A router for the operators of a store: metrics, health, lists of keys and, once it knows who acts,
/// operations on them.
///
/// It has no authentication of its own. Mount it behind that of the service, on an address that the
/// public cannot reach: it shows keys to all of its readers.
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
///     // The authentication of the service has put the name there.
///     let operator = request.extensions.get::<String>();
///     operator.map(Actor::new).ok_or_else(|| Refusal::unauthenticated("Bearer"))
/// });
/// let app: Router = Router::new().nest("/admin/hapax", admin.into_router());
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a router does nothing until it is mounted"]
pub struct AdminRouter {
    options: Options,
}

impl AdminRouter {
    /// A router that only reads.
    pub fn new(store: Store) -> Self {
        Self {
            options: Options::new(store),
        }
    }

    /// Allows operations by the actors that `who` names. `who` runs before the body of the request is
    /// read; when it refuses, nothing is done. The audit log records the actor.
    pub fn allow_actions(
        mut self,
        who: impl Fn(&Parts) -> Result<Actor, Refusal> + Send + Sync + 'static,
    ) -> Self {
        self.options.who = Some(Arc::new(who));
        self
    }

    /// Allows these operations only, once [`allow_actions`](Self::allow_actions) allows any. Default: all
    /// operations.
    pub fn operations(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.options.operations = operations.into_iter().collect();
        self
    }

    /// Allows operations against a live holder: resolving a doubt as "never happened" while its holder
    /// may still cause the effect, and forgetting a key in progress or in doubt.
    pub fn allow_forced(mut self) -> Self {
        self.options.forces = true;
        self
    }

    /// The most bytes that the body of a request may have. Default: 64 KiB.
    pub fn request_bytes(mut self, bytes: usize) -> Self {
        self.options.request_bytes_max = bytes;
        self
    }

    /// The most rows of a page. Default: 1000.
    pub fn rows(mut self, rows: usize) -> Self {
        self.options.rows_max = rows.max(1);
        self
    }

    /// The most bytes to show of a reason, of metadata and of a stored body. Default: 4096.
    pub fn shown_bytes(mut self, bytes: usize) -> Self {
        self.options.shown_bytes_max = bytes;
        self
    }

    /// How long a list reads the log before it answers with the keys found so far. Default: 2 s.
    /// Compaction waits for the list.
    pub fn scan_time(mut self, time: Duration) -> Self {
        self.options.scan_time = time;
        self
    }

    /// The router, ready to be mounted. It needs a tokio runtime with time enabled.
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

    /// `/health/live` and `/health/ready` alone, for probes that do not authenticate. They show no keys.
    pub fn probes(store: Store) -> Router {
        let routes = Router::new()
            .route("/health/live", get(vitals::live))
            .route("/health/ready", get(vitals::ready));
        complete(routes, Options::new(store))
    }

    /// `/metrics` alone, for a scraper that authenticates in another way than operators. It shows the
    /// names of namespaces, and no keys.
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

/// Adds the answer to a wrong method, the headers of every answer, and what the handlers share.
fn complete(routes: Router<Arc<Admin>>, options: Options) -> Router {
    routes
        .method_not_allowed_fallback(method_not_allowed)
        .layer(map_response(harden))
        .with_state(Arc::new(Admin::new(options)))
}

/// Tells caches to store no answer, and browsers to trust its content type.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
