//! [`IdempotencyLayer`] and its options.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hapax::Namespace;
use hapax::key::KeyRule;
use http::header::{LINK, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode};
use tower_layer::Layer;

use crate::answer::disposition::Disposition;
use crate::answer::header_rules::HeaderRules;
use crate::answer::reason::Reason;
use crate::answer::refusal::Refusal;
use crate::answer::reply_headers::ReplyHeaders;
use crate::config::Config;
use crate::layer::service::Idempotency;
use crate::observe::counters::{Counters, HttpStats};
use crate::request::coverage::KeyUse;
use crate::request::fingerprint::RequestFingerprint;
use crate::request::header::{CLIENT_KEY_BYTES_MAX, KeySyntax};
use crate::run_tasks::RunTask;

/// Makes a service idempotent under the `Idempotency-Key` header of its requests.
///
/// A layer is a handle: its clones share their counters and the list of running handlers. For a route that needs other
/// options, clone the layer and change the clone.
///
/// | option | default |
/// | --- | --- |
/// | [`methods`](Self::methods) | `POST` and `PATCH` |
/// | [`key`](Self::key) | [`KeyUse::Required`] |
/// | [`key_header`](Self::key_header) | `Idempotency-Key` |
/// | [`syntax`](Self::syntax) | [`KeySyntax::Lenient`] |
/// | [`key_rule`](Self::key_rule) | 1 to 255 bytes |
/// | [`scope`](Self::scope) or [`one_tenant`](Self::one_tenant) | no default: [`new`](Self::new) asks for one of them |
/// | [`operation`](Self::operation) | method and route |
/// | [`fingerprint`](Self::fingerprint) | method, path, query, body, its type, conditions and ranges |
/// | [`request_bytes_max`](Self::request_bytes_max) | 1 MiB |
/// | [`response_bytes_max`](Self::response_bytes_max) | the limit of the policy of the namespace |
/// | [`wait`](Self::wait) | duplicates do not wait |
/// | [`retry_after`](Self::retry_after) | 1 s |
/// | [`run_ceiling`](Self::run_ceiling) | 1 hour |
/// | [`disposition`](Self::disposition) | [`by_status`](crate::by_status) |
/// | [`on_panic`](Self::on_panic) | [`Disposition::ByGuarantee`] |
/// | [`on_error`](Self::on_error) | [`by_error`](crate::by_error) |
/// | [`stored_headers`](Self::stored_headers) | all except secrets and headers of one connection |
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::post};
/// use hapax::{Policy, Store};
/// use hapax_http::IdempotencyLayer;
///
/// let store = Store::in_memory().open()?;
/// let payments = store.namespace("payments", Policy::at_least_once())?;
/// let app: Router = Router::new()
///     .route("/payments", post(|| async { "paid" }))
///     .layer(IdempotencyLayer::new(payments).one_tenant());
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct IdempotencyLayer {
    config: Arc<Config>,
}

impl IdempotencyLayer {
    /// A layer with the default options, on a namespace of a store. The policy of the namespace sets the
    /// lease time, the retention, and what happens when a process dies in the middle of a run.
    ///
    /// To get a layer, say first whose requests come in, with [`scope`](Unscoped::scope) or
    /// [`one_tenant`](Unscoped::one_tenant).
    ///
    /// # Panics
    /// If the policy allows responses of less than 64 bytes: even a response that is stored without its
    /// body takes 14.
    #[expect(
        clippy::new_ret_no_self,
        reason = "a layer without a choice of the scope would let tenants share their answers"
    )]
    pub fn new(namespace: Namespace) -> Unscoped {
        let response_bytes_max = namespace.policy().max_response_bytes();
        assert!(
            response_bytes_max >= 64,
            "the policy of namespace {:?} allows responses of {response_bytes_max} bytes: allow at least 64",
            namespace.name()
        );
        let config = Config::new(namespace);
        config.namespace.add_metrics::<Counters>(&config.counters);
        Unscoped {
            layer: Self {
                config: Arc::new(config),
            },
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }

    /// The methods that are covered. Requests with other methods are passed on as they are.
    pub fn methods(self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.with(|config| config.coverage.methods = methods.into_iter().collect())
    }

    /// Whether a covered request needs a key.
    pub fn key(self, key_use: KeyUse) -> Self {
        self.with(|config| config.coverage.key_use = key_use)
    }

    /// The header that has the key.
    pub fn key_header(self, name: HeaderName) -> Self {
        self.with(|config| config.coverage.key_header = name)
    }

    /// Whether a key may come without its quotes.
    pub fn syntax(self, syntax: KeySyntax) -> Self {
        self.with(|config| config.coverage.syntax = syntax)
    }

    /// The form that a key must have; the maximum length is lowered to 255 bytes.
    ///
    /// # Panics
    /// If the rule contradicts itself; [`KeyRule::validate`] says how.
    pub fn key_rule(self, rule: KeyRule) -> Self {
        let rule = rule.at_most(CLIENT_KEY_BYTES_MAX);
        if let Err(error) = rule.validate() {
            panic!("{error}");
        }
        self.with(|config| config.coverage.rule = rule)
    }

    /// Whose request it is: a tenant or principal, of 1 to 255 bytes. The same key in two scopes is two
    /// keys, and no answer tells one tenant that another has the key. If the scope is `None`, empty or
    /// longer, the request is refused.
    ///
    /// Choose a name that stays the same: what outer authentication puts among the extensions, or a
    /// header that only your own gateway can set. A token changes while the client stays the same, so a
    /// retry with a fresh token would run again. The store keeps scopes as they are, so do not use a
    /// secret.
    ///
    /// ```
    /// # use hapax::{Policy, Store};
    /// # use hapax_http::IdempotencyLayer;
    /// #[derive(Clone)]
    /// struct Tenant(String);
    ///
    /// # let store = Store::in_memory().open()?;
    /// # let payments = store.namespace("payments", Policy::at_least_once())?;
    /// let layer = IdempotencyLayer::new(payments).scope(|request| {
    ///     let tenant = request.extensions.get::<Tenant>();
    ///     tenant.map(|tenant| tenant.0.clone())
    /// });
    /// # Ok::<(), hapax::Error>(())
    /// ```
    pub fn scope(self, scope: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        self.with(|config| config.composition.scope = Some(Arc::new(scope)))
    }

    /// All requests belong to one tenant: any client that sends a used key gets the answer that is stored under
    /// it.
    pub fn one_tenant(self) -> Self {
        self.with(|config| config.composition.scope = None)
    }

    /// The operation that a request asks for, up to 500 bytes. The same key in two operations is two keys.
    /// By default [`operation`](crate::operation).
    pub fn operation(self, name: impl Fn(&Parts) -> String + Send + Sync + 'static) -> Self {
        self.with(|config| config.composition.operation = Arc::new(name))
    }

    /// Inspects a request before anything is claimed, and answers it if it must not run. Use it for
    /// validation that a client can correct under the same key. `None` lets the request continue. Outer
    /// layers that refuse requests, such as authentication, need no hook.
    pub fn screen(
        self,
        screen: impl Fn(&Parts, &Bytes) -> Option<Response<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.screen = Some(Arc::new(screen)))
    }

    /// Which parts of a request are compared when its key comes again.
    pub fn fingerprint(self, fingerprint: RequestFingerprint) -> Self {
        self.with(|config| config.fingerprint = fingerprint)
    }

    /// The most bytes of a request's body. A longer body is refused before anything is claimed.
    pub fn request_bytes_max(self, bytes: usize) -> Self {
        self.with(|config| config.request_bytes_max = bytes)
    }

    /// The most bytes of a response's body that is stored. A longer body is passed through, and a retry is
    /// told that the handler ran.
    pub fn response_bytes_max(self, bytes: usize) -> Self {
        self.with(|config| config.response_bytes_max = bytes)
    }

    /// Reads response bodies of unknown length to their end, or to the limit, before it answers, so that
    /// they can be stored with their trailers. Without this option they are passed through as they
    /// arrive, and not stored.
    pub fn collect_streams(self) -> Self {
        self.with(|config| config.collects_streams = true)
    }

    /// Lets a duplicate wait this long at most for the first request, before it is told that the request
    /// is still running.
    pub fn wait(self, wait: Duration) -> Self {
        self.with(|config| config.wait = Some(wait))
    }

    /// The `Retry-After` for a duplicate of a running request, unless its lease ends before.
    pub fn retry_after(self, after: Duration) -> Self {
        self.with(|config| config.retry_after = after)
    }

    /// The `Retry-After` for a duplicate of a request in doubt; 60 s by default.
    pub fn doubt_retry_after(self, after: Duration) -> Self {
        self.with(|config| config.doubt_retry_after = after)
    }

    /// How long the lease of a run is renewed. A handler that takes longer loses its key when the lease
    /// lapses.
    pub fn run_ceiling(self, ceiling: Duration) -> Self {
        self.with(|config| config.run_ceiling = ceiling)
    }

    /// What happens to a key when its handler has answered with a status. This replaces
    /// [`by_status`](crate::by_status) for every status. A handler that knows better puts a [`Disposition`] among the extensions of its response.
    pub fn disposition(
        self,
        decide: impl Fn(StatusCode) -> Disposition + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.dispositions.by_status = Arc::new(decide))
    }

    /// What happens to a key after this status; it overrides [`disposition`](Self::disposition).
    ///
    /// ```
    /// # use hapax::{Policy, Store};
    /// use hapax_http::{Disposition, IdempotencyLayer};
    /// use http::StatusCode;
    ///
    /// # let store = Store::in_memory().open()?;
    /// # let payments = store.namespace("payments", Policy::at_least_once())?;
    /// let layer = IdempotencyLayer::new(payments)
    ///     .one_tenant()
    ///     // In this service 403 means that a limit was reached, which is final.
    ///     .disposition_of(StatusCode::FORBIDDEN, Disposition::Store)
    ///     // Handlers validate before they do anything.
    ///     .disposition_of(StatusCode::BAD_REQUEST, Disposition::NotBegun)
    ///     .disposition_of(StatusCode::UNPROCESSABLE_ENTITY, Disposition::NotBegun);
    /// # Ok::<(), hapax::Error>(())
    /// ```
    pub fn disposition_of(self, status: StatusCode, disposition: Disposition) -> Self {
        self.with(|config| config.dispositions.of_statuses.push((status, disposition)))
    }

    /// What happens to a key after a panic of its handler, of the body of its response, or of the hooks
    /// [`disposition`](Self::disposition) and [`redact`](Self::redact). There is no response to store,
    /// so [`Store`](Disposition::Store) stores only that the handler ran.
    pub fn on_panic(self, disposition: Disposition) -> Self {
        self.with(|config| config.dispositions.on_panic = disposition)
    }

    /// What happens to a key when the inner service fails with a boxed error (`tower::BoxError`). For an error of
    /// another type it is [`Disposition::ByGuarantee`].
    ///
    /// Use [`Disposition::NotBegun`] for errors that provably happen before the handler begins.
    pub fn on_error(
        self,
        decide: impl Fn(&(dyn Error + 'static)) -> Disposition + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.dispositions.by_error = Arc::new(decide))
    }

    /// Wraps the task of each handler, for task-locals, which a spawned task does not inherit. The hook is called in
    /// the task of the request, and must return a future that runs the given one.
    ///
    /// The current span of `tracing` needs no hook.
    ///
    /// ```
    /// # use hapax::{Policy, Store};
    /// # use hapax_http::IdempotencyLayer;
    /// tokio::task_local! {
    ///     static TENANT: String;
    /// }
    ///
    /// # let store = Store::in_memory().open()?;
    /// # let payments = store.namespace("payments", Policy::at_least_once())?;
    /// let layer = IdempotencyLayer::new(payments).one_tenant().wrap_task(|task| match TENANT.try_get() {
    ///     Ok(tenant) => Box::pin(TENANT.scope(tenant, task)),
    ///     Err(_) => task,
    /// });
    /// # Ok::<(), hapax::Error>(())
    /// ```
    pub fn wrap_task(self, wrap: impl Fn(RunTask) -> RunTask + Send + Sync + 'static) -> Self {
        self.with(|config| config.runs.wrap = Some(Arc::new(wrap)))
    }

    /// The route of a request in counters and events. By default it is axum's template, such as `/payments/{id}`, or
    /// `unmatched` for a path without a route.
    ///
    /// The first 64 routes are counted separately and all others as `other`, so return a name that no client can
    /// invent.
    pub fn route_label(
        self,
        route: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.route = Some(Arc::new(route)))
    }

    /// Which headers of a response are stored.
    pub fn stored_headers(self, rules: HeaderRules) -> Self {
        self.with(|config| config.stored_form.headers = rules)
    }

    /// Changes headers and body before they are stored, but not the first answer. With this hook, trailers are stored
    /// only if [`redact_trailers`](Self::redact_trailers) is set too.
    pub fn redact(
        self,
        redact: impl Fn(&mut HeaderMap, &mut Bytes) + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.stored_form.redact = Some(Arc::new(redact)))
    }

    /// Changes trailers before they are stored, but not the first answer.
    pub fn redact_trailers(self, redact: impl Fn(&mut HeaderMap) + Send + Sync + 'static) -> Self {
        self.with(|config| config.stored_form.redact_trailers = Some(Arc::new(redact)))
    }

    /// Runs handlers without protection while the store cannot answer, and counts them as
    /// [`unprotected`](HttpStats::unprotected). Without this option such requests are refused. Such a handler
    /// has no [`Run`](crate::Run), so take it as an `Option`; and a retry runs again.
    pub fn fail_open(self) -> Self {
        self.with(|config| config.fails_open = true)
    }

    /// The status of a refusal, in place of [`Reason::status`].
    pub fn status(self, reason: Reason, status: StatusCode) -> Self {
        self.with(|config| config.problems.statuses.push((reason, status)))
    }

    /// The page that documents the keys of this service. Problems link to it, with their code as the
    /// fragment.
    pub fn documentation(self, url: impl Into<String>) -> Self {
        self.with(|config| config.problems.documentation = Some(url.into()))
    }

    /// Changes the response to a refusal; the hook gets the default response.
    pub fn render(
        self,
        render: impl Fn(&Refusal, Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.problems.render = Some(Arc::new(render)))
    }

    /// The headers that mark a replay, and say whether a response is stored and until when. By default
    /// these are `Idempotent-Replayed`, `Idempotency-Stored` and `Idempotency-Expires`.
    pub fn reply_headers(
        self,
        replayed: HeaderName,
        stored: HeaderName,
        expires: HeaderName,
    ) -> Self {
        let headers = ReplyHeaders {
            replayed,
            stored,
            expires,
        };
        self.with(|config| config.reply_headers = headers)
    }

    /// The header with the id of a request, which the [`Outcome`](crate::Outcome) of its duplicates has.
    /// By default it is `X-Request-Id`.
    pub fn request_id_header(self, name: HeaderName) -> Self {
        self.with(|config| config.request_id_header = name)
    }

    /// The headers that the layer adds to answers. Name them in `CorsLayer::expose_headers`, or scripts from another
    /// origin do not see them.
    #[must_use]
    pub fn reply_header_names(&self) -> Vec<HeaderName> {
        let own = self.config.reply_headers.names();
        own.into_iter().chain([RETRY_AFTER, LINK]).collect()
    }

    /// What this layer and its clones did.
    #[must_use]
    pub fn stats(&self) -> HttpStats {
        self.config.counters.snapshot()
    }

    /// The number of running handlers, including those whose client has left.
    #[must_use]
    pub fn running(&self) -> usize {
        self.config.runs.running()
    }

    /// Ends when no handler runs. Wait for it between the shutdown of a server and the close of its
    /// store, because a handler may outlive its connection.
    pub fn drained(&self) -> impl Future<Output = ()> + Send + use<> {
        self.config.runs.drained()
    }
}

/// A layer that does not know yet whose requests come in. [`IdempotencyLayer::new`] makes it.
///
/// Without a scope, the key of one customer would replay the answer of another, so there is no default:
///
/// ```compile_fail
/// # use axum::{Router, routing::post};
/// # use hapax::{Policy, Store};
/// # use hapax_http::IdempotencyLayer;
/// # let store = Store::in_memory().open().unwrap();
/// # let payments = store.namespace("payments", Policy::at_least_once()).unwrap();
/// let app: Router = Router::new()
///     .route("/payments", post(|| async { "paid" }))
///     .layer(IdempotencyLayer::new(payments)); // neither `scope` nor `one_tenant`
/// ```
#[derive(Clone, Debug)]
#[must_use = "say whose requests come in, with `scope` or `one_tenant`"]
pub struct Unscoped {
    layer: IdempotencyLayer,
}

impl Unscoped {
    /// Whose request it is; see [`IdempotencyLayer::scope`].
    pub fn scope(
        self,
        scope: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static,
    ) -> IdempotencyLayer {
        self.layer.scope(scope)
    }

    /// All requests belong to one tenant; see [`IdempotencyLayer::one_tenant`].
    pub fn one_tenant(self) -> IdempotencyLayer {
        self.layer.one_tenant()
    }
}

impl<S> Layer<S> for IdempotencyLayer {
    type Service = Idempotency<S>;

    fn layer(&self, inner: S) -> Idempotency<S> {
        Idempotency::new(inner, Arc::clone(&self.config))
    }
}

impl fmt::Debug for IdempotencyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyLayer")
            .field("namespace", &self.config.namespace.name())
            .field("key", &self.config.coverage.key_use)
            .field("running", &self.running())
            .finish_non_exhaustive()
    }
}
