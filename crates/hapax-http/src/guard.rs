//! From a request to a claim: everything that is refused before anything runs.

use std::future::poll_fn;
use std::sync::Arc;

use hapax::{Claim, ClaimOptions, Doubt, ErrorKind, Fingerprint, InProgress, Key, Lease, Mismatch};
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::LengthLimitError;
use tower_service::Service;

use crate::body::{BoxError, Read, ReplyBody, Whole, causes, read_up_to};
use crate::counters::Answered;
use crate::header::{ClientKey, key_of};
use crate::layer::{Config, KeyUse};
use crate::life;
use crate::outcome::Outcome;
use crate::refusal::{Reason, Refusal};
use crate::request_body::RequestBody;
use crate::scope;
use crate::watch::Watch;

/// Most bytes of a request id that its duplicates are told.
const REQUEST_ID_BYTES_MAX: usize = 200;

/// What the head of a request says of its key.
pub(crate) enum Entry {
    /// Passed on as it is, and why.
    Pass(Answered),
    Guard(ClientKey),
    Refuse(Refusal),
}

impl Config {
    /// Looks at the head alone.
    pub(crate) fn enter(&self, parts: &Parts) -> Entry {
        if self.key_use == KeyUse::Ignored || !self.methods.contains(&parts.method) {
            return Entry::Pass(Answered::Uncovered);
        }
        match key_of(&parts.headers, &self.key_header, self.syntax) {
            Ok(Some(key)) => match self.rule.check(&key) {
                Ok(()) => Entry::Guard(key),
                Err(refused) => {
                    Entry::Refuse(Refusal::new(Reason::RefusedKey, refused.to_string()))
                }
            },
            Ok(None) if self.key_use == KeyUse::Optional => Entry::Pass(Answered::Unkeyed),
            Ok(None) => {
                let detail = format!("send {}: \"<a UUID of your own>\"", self.key_header);
                Entry::Refuse(Refusal::new(Reason::MissingKey, detail))
            }
            Err(malformed) => {
                Entry::Refuse(Refusal::new(Reason::MalformedKey, malformed.to_string()))
            }
        }
    }

    fn store_key(&self, parts: &Parts, key: &ClientKey) -> Result<Key, Refusal> {
        let whose = match &self.scope {
            None => String::new(),
            // An empty name is a lookup that found nobody, and all whom it does not find would be one.
            Some(scope) => scope(parts)
                .filter(|whose| !whose.is_empty())
                .ok_or_else(|| {
                    let detail =
                        "the service has not told whose request this is, so it was not run";
                    Refusal::new(Reason::MissingScope, detail)
                })?,
        };
        scope::key(&whose, &(self.operation)(parts), &self.rule.canonical(key))
    }

    async fn body<B>(&self, body: B) -> Result<Whole, Refusal>
    where
        B: Body,
        B::Error: Into<BoxError>,
    {
        let limit = self.request_bytes_max;
        let too_large = |detail: String| Refusal::new(Reason::BodyTooLarge, detail);
        let is_over = || too_large(format!("the limit of this route is {limit} bytes"));
        // What says that it is too long is not read at all.
        if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(is_over());
        }
        match read_up_to(body, limit).await {
            Read::Whole(body) => Ok(body),
            Read::Longer { .. } => Err(is_over()),
            Read::Broken(error) if is_limit(&*error) => Err(too_large(
                "the body is over the limit of this service".to_owned(),
            )),
            Read::Broken(_) => {
                let detail = "the body ended before its end; nothing was run";
                Err(Refusal::new(Reason::BodyUnreadable, detail))
            }
        }
    }

    fn options(&self, parts: &Parts, fingerprint: Fingerprint) -> ClaimOptions {
        let mut options = ClaimOptions::new()
            .fingerprint(fingerprint)
            .keep_alive(self.run_ceiling);
        if let Some(wait) = self.wait {
            options = options.wait(wait);
        }
        options.metadata(self.request_id(parts))
    }

    /// The id that the request came with; empty if it has no id, or one that is too long to be kept.
    pub(crate) fn request_id<'p>(&self, parts: &'p Parts) -> &'p [u8] {
        let id = parts.headers.get(&self.request_id_header);
        let id = id.map(HeaderValue::as_bytes).unwrap_or_default();
        if id.len() <= REQUEST_ID_BYTES_MAX {
            id
        } else {
            &[]
        }
    }

    /// The id of the request that used a key first; reading it may go to the medium.
    async fn first_request(&self, key: Key) -> Vec<u8> {
        let namespace = self.namespace.clone();
        let read = move || namespace.get(&key).ok().flatten();
        let info = tokio::task::spawn_blocking(read).await.ok().flatten();
        info.map_or(Vec::new(), |info| info.metadata().to_vec())
    }

    pub(crate) fn unavailable(&self, error: hapax::Error) -> Refusal {
        let detail = match error.kind() {
            ErrorKind::AtCapacity => "the store of this service is full; try again later",
            _ => "the store of this service cannot answer; try again later",
        };
        Refusal::new(Reason::Unavailable, detail)
            .retry_after(self.retry_after)
            .because(error)
    }

    fn in_progress(&self, busy: &InProgress) -> Refusal {
        let after = self.retry_after.min(busy.lease_left());
        let detail = "send the same request again, under the same key";
        Refusal::new(Reason::InProgress, detail)
            .retry_after(after)
            .first_request(busy.metadata())
    }

    fn in_doubt(&self, doubt: &Doubt) -> Refusal {
        let detail = "it was begun and its end is not known; it is not run again before somebody has looked, \
                      and then the same request gets its answer";
        Refusal::new(Reason::InDoubt, detail)
            .retry_after(self.doubt_retry_after)
            .first_request(doubt.metadata())
    }
}

/// Whether the body broke off at a limit of a layer further out.
fn is_limit(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<LengthLimitError>())
}

fn over_a_limit(error: hapax::Error) -> Refusal {
    let detail = "the key, the route or the request id is over a limit of the store of this service; send a shorter one";
    Refusal::new(Reason::RefusedKey, detail).because(error)
}

fn mismatch(other: &Mismatch) -> Refusal {
    let differs = other.labels();
    let detail = if differs.is_empty() {
        "take a new key for a new request".to_owned()
    } else {
        format!(
            "other: {}; take a new key for a new request",
            differs.join(", ")
        )
    };
    Refusal::new(Reason::Mismatch, detail).differing(differs)
}

/// What a covered request came to before it ran.
enum Guarded {
    Run(Lease, Fingerprint, Whole),
    Answer(Response<Whole>),
    Unprotected(Whole),
}

async fn claim<B>(
    config: &Config,
    parts: &Parts,
    body: B,
    key: &ClientKey,
    watch: &mut Watch,
) -> Result<Guarded, Refusal>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let key = config.store_key(parts, key)?;
    watch.found(&key);
    let body = config.body(body).await?;
    let screened = config
        .screen
        .as_ref()
        .and_then(|screen| screen(parts, &body.data));
    if let Some(mut answer) = screened {
        answer.extensions_mut().insert(Outcome::Screened);
        return Ok(Guarded::Answer(answer.map(Whole::from)));
    }
    let fingerprint = config
        .fingerprint
        .of(&config.namespace, parts, &body.data)?;
    let options = config.options(parts, fingerprint.clone());
    match config.namespace.claim_async(&key, options).await {
        Ok(Claim::Granted(lease)) => Ok(Guarded::Run(lease, fingerprint, body)),
        Ok(Claim::Completed(answer)) => config.replay(answer).map(Guarded::Answer),
        Ok(Claim::Failed(answer)) => config.replay_failure(answer).map(Guarded::Answer),
        Ok(Claim::InProgress(busy)) => Err(config.in_progress(&busy)),
        Ok(Claim::Mismatch(other)) => {
            let first = config.first_request(key).await;
            Err(mismatch(&other).first_request(&first))
        }
        Ok(Claim::InDoubt(doubt)) => Err(config.in_doubt(&doubt)),
        // That is an answer of the store: a client must not get past it by sending more.
        Err(error) if error.kind() == ErrorKind::TooLarge => Err(over_a_limit(error)),
        Err(_) if config.fails_open => Ok(Guarded::Unprotected(body)),
        Err(error) => Err(config.unavailable(error)),
    }
}

/// Answers a request that has a key.
pub(crate) async fn guard<S, Q, B>(
    config: Arc<Config>,
    mut inner: S,
    parts: Parts,
    body: Q,
    key: ClientKey,
    mut watch: Watch,
) -> Result<Response<ReplyBody<B>>, S::Error>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    Q: Body + Send + 'static,
    Q::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let answer = match claim(&config, &parts, body, &key, &mut watch).await {
        Ok(Guarded::Run(lease, fingerprint, body)) => {
            let request = Request::from_parts(parts, RequestBody::whole(body));
            match life::run(config, inner, request, lease, fingerprint).await {
                Ok(answer) => answer,
                Err(error) => {
                    watch.failed();
                    return Err(error);
                }
            }
        }
        Ok(Guarded::Answer(answer)) => answer.map(ReplyBody::whole),
        Ok(Guarded::Unprotected(body)) => {
            watch.unprotected();
            poll_fn(|context| inner.poll_ready(context)).await?;
            let request = Request::from_parts(parts, RequestBody::whole(body));
            let mut answer = inner.call(request).await?;
            config.mark_stored(answer.headers_mut(), None);
            answer.extensions_mut().insert(Outcome::Unprotected);
            return Ok(answer.map(ReplyBody::passed));
        }
        Err(refusal) => config.refuse(refusal).map(ReplyBody::whole),
    };
    watch.answered(answer.status(), answer.extensions());
    Ok(answer)
}
