//! [`IdempotencyLayer`]: what to wrap a service in, and its options.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hapax::Namespace;
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
use crate::request::header::KeySyntax;
use crate::request::key_rule::KeyRule;
use crate::run_tasks::RunTask;

/// Makes a service idempotent under the `Idempotency-Key` header of its requests.
///
/// A layer is a handle: its clones share their counters and the list of what runs, so routes that
/// want other options take a clone and change it.
///
/// | option | default |
/// | --- | --- |
/// | [`methods`](Self::methods) | `POST` and `PATCH` |
/// | [`key`](Self::key) | [`KeyUse::Required`] |
/// | [`key_header`](Self::key_header) | `Idempotency-Key` |
/// | [`syntax`](Self::syntax) | [`KeySyntax::Lenient`] |
/// | [`key_rule`](Self::key_rule) | 1 to 255 bytes |
/// | [`scope`](Self::scope) or [`one_tenant`](Self::one_tenant) | none: [`new`](Self::new) asks for one of them |
/// | [`operation`](Self::operation) | method and route |
/// | [`fingerprint`](Self::fingerprint) | method, path, query, body, its type, conditions and ranges |
/// | [`request_bytes_max`](Self::request_bytes_max) | 1 MiB |
/// | [`response_bytes_max`](Self::response_bytes_max) | what the policy of the namespace allows |
/// | [`wait`](Self::wait) | duplicates do not wait |
/// | [`retry_after`](Self::retry_after) | 1 s |
/// | [`run_ceiling`](Self::run_ceiling) | 1 hour |
/// | [`disposition`](Self::disposition) | [`by_status`] |
/// | [`on_panic`](Self::on_panic) | [`Disposition::ByGuarantee`] |
/// | [`on_error`](Self::on_error) | [`by_error`] |
/// | [`stored_headers`](Self::stored_headers) | all but secrets and those of one connection |
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
    /// With the defaults, on a namespace of a store. The policy of the namespace has the lease, the
    /// retention, and what happens when a process dies in the middle of a run.
    ///
    /// It is no layer yet: say first whose requests come, with [`scope`](Unscoped::scope) or
    /// [`one_tenant`](Unscoped::one_tenant).
    ///
    /// # Panics
    /// When the policy allows responses of less than 64 bytes: even what is stored of a response that
    /// is left out takes 14.
    #[expect(
        clippy::new_ret_no_self,
        reason = "without a choice of the scope there is no layer: tenants would share their answers"
    )]
    pub fn new(namespace: Namespace) -> Unscoped {
        let response_bytes_max = namespace.policy().max_response_bytes();
        assert!(
            response_bytes_max >= 64,
            "the policy of namespace {:?} allows responses of {response_bytes_max} bytes: give it at least 64",
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

    /// The methods that are covered; requests with others are passed on as they are.
    pub fn methods(self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.with(|config| config.coverage.methods = methods.into_iter().collect())
    }

    /// Whether a covered request has to have a key.
    pub fn key(self, key_use: KeyUse) -> Self {
        self.with(|config| config.coverage.key_use = key_use)
    }

    /// The header that the key comes in.
    pub fn key_header(self, name: HeaderName) -> Self {
        self.with(|config| config.coverage.key_header = name)
    }

    /// Whether a key may come without its quotes.
    pub fn syntax(self, syntax: KeySyntax) -> Self {
        self.with(|config| config.coverage.syntax = syntax)
    }

    /// What a key has to look like.
    ///
    /// # Panics
    /// When the rule contradicts itself: [`KeyRule::validate`] says how.
    pub fn key_rule(self, rule: KeyRule) -> Self {
        if let Err(error) = rule.validate() {
            panic!("{error}");
        }
        self.with(|config| config.coverage.rule = rule)
    }

    /// Whose request it is: a tenant or principal, of 1 to 255 bytes. The same key in two scopes never
    /// meets, and no answer tells one that the other has it. A request for which this is `None`, empty
    /// or longer is refused, not let through.
    ///
    /// Take a name that stays: what authentication further out has found and put among the extensions,
    /// or a header that only a gateway of your own can set. A token changes while the client does not,
    /// and a retry with a fresh token would run again. Scopes lie in the store as they are, so no
    /// secret may be one.
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

    /// All requests are of one tenant: a client that sends a key that was used gets the answer that is stored
    /// under it.
    pub fn one_tenant(self) -> Self {
        self.with(|config| config.composition.scope = None)
    }

    /// The operation that a request asks for, up to 500 bytes: the same key in two operations never
    /// meets. By default [`operation`](crate::operation).
    pub fn operation(self, name: impl Fn(&Parts) -> String + Send + Sync + 'static) -> Self {
        self.with(|config| config.composition.operation = Arc::new(name))
    }

    /// Looks at a request before anything is claimed, and answers it if it is not to run: validation
    /// that a client mends under the same key. `None` lets it go on. What refuses requests further
    /// out, such as authentication, needs no hook.
    pub fn screen(
        self,
        screen: impl Fn(&Parts, &Bytes) -> Option<Response<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.screen = Some(Arc::new(screen)))
    }

    /// What of a request has to be the same when its key comes again.
    pub fn fingerprint(self, fingerprint: RequestFingerprint) -> Self {
        self.with(|config| config.fingerprint = fingerprint)
    }

    /// Most bytes of a request's body; one that is longer is refused before anything is claimed.
    pub fn request_bytes_max(self, bytes: usize) -> Self {
        self.with(|config| config.request_bytes_max = bytes)
    }

    /// Most bytes of a response's body that are stored. A longer one is passed through, and a retry is
    /// told that it ran.
    pub fn response_bytes_max(self, bytes: usize) -> Self {
        self.with(|config| config.response_bytes_max = bytes)
    }

    /// Reads bodies of unknown length to their end, or the limit, before it answers, so that they can
    /// be stored, with their trailers. Without it they are passed through as they come, and not stored.
    pub fn collect_streams(self) -> Self {
        self.with(|config| config.collects_streams = true)
    }

    /// Lets a duplicate wait for the first request, for at most this long, before it is told that it
    /// is still running.
    pub fn wait(self, wait: Duration) -> Self {
        self.with(|config| config.wait = Some(wait))
    }

    /// What a duplicate of a running request is told in `Retry-After`, unless its lease ends before.
    pub fn retry_after(self, after: Duration) -> Self {
        self.with(|config| config.retry_after = after)
    }

    /// What a duplicate of a request in doubt is told in `Retry-After`; 60 s by default.
    pub fn doubt_retry_after(self, after: Duration) -> Self {
        self.with(|config| config.doubt_retry_after = after)
    }

    /// How long the lease of a run is renewed; a handler that takes longer loses its key when the
    /// lease lapses.
    pub fn run_ceiling(self, ceiling: Duration) -> Self {
        self.with(|config| config.run_ceiling = ceiling)
    }

    /// What becomes of a key when its handler has answered with a status. It replaces [`by_status`] for all of
    /// them; a handler that knows better puts a [`Disposition`] among the extensions of its response.
    pub fn disposition(
        self,
        decide: impl Fn(StatusCode) -> Disposition + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.dispositions.by_status = Arc::new(decide))
    }

    /// What becomes of a key under this status; it goes before [`disposition`](Self::disposition).
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
    ///     // Here it tells that a limit was met, and is meant to last.
    ///     .disposition_of(StatusCode::FORBIDDEN, Disposition::Store)
    ///     // Handlers validate before they do anything.
    ///     .disposition_of(StatusCode::BAD_REQUEST, Disposition::NotBegun)
    ///     .disposition_of(StatusCode::UNPROCESSABLE_ENTITY, Disposition::NotBegun);
    /// # Ok::<(), hapax::Error>(())
    /// ```
    pub fn disposition_of(self, status: StatusCode, disposition: Disposition) -> Self {
        self.with(|config| config.dispositions.of_statuses.push((status, disposition)))
    }

    /// What becomes of a key when its handler has panicked, or the body of its response, or the hooks
    /// [`disposition`](Self::disposition) and [`redact`](Self::redact). There is no response to store,
    /// so [`Store`](Disposition::Store) stores that it ran.
    pub fn on_panic(self, disposition: Disposition) -> Self {
        self.with(|config| config.dispositions.on_panic = disposition)
    }

    /// What becomes of a key when the inner service has failed with a boxed error (`tower::BoxError`), rather than
    /// answered; under an error of another type it is [`Disposition::ByGuarantee`].
    ///
    /// [`Disposition::NotBegun`] is for what provably fails before the handler begins.
    pub fn on_error(
        self,
        decide: impl Fn(&(dyn Error + 'static)) -> Disposition + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.dispositions.by_error = Arc::new(decide))
    }

    /// Wraps the task of each handler: for task-locals, which stay behind when a task is spawned. The hook is called
    /// in the task of the request, and has to give back a future that runs the one it is given.
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

    /// The route that a request is counted and logged under. Without it that is axum's template, such as
    /// `/payments/{id}`, and `unmatched` for a path without a route.
    ///
    /// The first 64 routes are counted by themselves and all others as `other`, so give a name that no client can
    /// make up.
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

    /// Changes headers and body before they are stored; the first answer is not changed. No trailers are stored then,
    /// unless [`redact_trailers`](Self::redact_trailers) says what of them is.
    pub fn redact(
        self,
        redact: impl Fn(&mut HeaderMap, &mut Bytes) + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.stored_form.redact = Some(Arc::new(redact)))
    }

    /// Changes trailers before they are stored; the first answer is not changed.
    pub fn redact_trailers(self, redact: impl Fn(&mut HeaderMap) + Send + Sync + 'static) -> Self {
        self.with(|config| config.stored_form.redact_trailers = Some(Arc::new(redact)))
    }

    /// Runs handlers without protection while the store cannot answer; they are counted as
    /// [`unprotected`](HttpStats::unprotected). Without it such requests are refused. There is no
    /// [`Run`](crate::Run) then, so handlers take it as an `Option`; and a retry runs again.
    pub fn fail_open(self) -> Self {
        self.with(|config| config.fails_open = true)
    }

    /// The status that a refusal is answered with, in place of [`Reason::status`].
    pub fn status(self, reason: Reason, status: StatusCode) -> Self {
        self.with(|config| config.problems.statuses.push((reason, status)))
    }

    /// Where the keys of this service are documented. Problems link to it, with their code as the
    /// fragment.
    pub fn documentation(self, url: impl Into<String>) -> Self {
        self.with(|config| config.problems.documentation = Some(url.into()))
    }

    /// Gives a refusal another form; it is handed the response that would be sent.
    pub fn render(
        self,
        render: impl Fn(&Refusal, Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.problems.render = Some(Arc::new(render)))
    }

    /// The headers that mark a replay, tell whether a response is stored, and until when; by default
    /// `Idempotent-Replayed`, `Idempotency-Stored` and `Idempotency-Expires`.
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

    /// The header with the id of a request, which its duplicates are told of in their
    /// [`Outcome`](crate::Outcome); by default `X-Request-Id`.
    pub fn request_id_header(self, name: HeaderName) -> Self {
        self.with(|config| config.request_id_header = name)
    }

    /// The headers that the layer adds to answers: those that `CorsLayer::expose_headers` has to name, or a script
    /// of another origin does not see them.
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

    /// Handlers that run now, whether or not their clients are still there.
    #[must_use]
    pub fn running(&self) -> usize {
        self.config.runs.running()
    }

    /// Ends when no handler runs: wait for it between the shutdown of a server and the close of its
    /// store, because a handler outlives its connection.
    pub fn drained(&self) -> impl Future<Output = ()> + Send + use<> {
        self.config.runs.drained()
    }
}

/// A layer that has not been told whose requests come. [`IdempotencyLayer::new`] makes it.
///
/// Without a scope one customer's key replays another's answer, so there is no default:
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
#[must_use = "say whose requests come, with `scope` or `one_tenant`"]
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

    /// All requests are of one tenant; see [`IdempotencyLayer::one_tenant`].
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
