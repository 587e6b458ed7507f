//! Claims the key of a request, and refuses requests that must not run.

use hapax::{Claim, ClaimOptions, Doubt, ErrorKind, Fingerprint, InProgress, Key, Lease, Mismatch};
use http::Response;
use http::request::Parts;
use http_body::Body;

use crate::answer::outcome::Outcome;
use crate::answer::reason::Reason;
use crate::answer::refusal::Refusal;
use crate::answer::replay;
use crate::body::error::BoxError;
use crate::body::whole::Whole;
use crate::config::Config;
use crate::layer::request_watch::RequestWatch;
use crate::request::header::ClientKey;
use crate::request::limited_body::read_whole;

/// The result of claiming a key.
pub(crate) enum Guarded {
    Run(Lease, Fingerprint, Whole),
    Answer(Response<Whole>),
    Unprotected(Whole),
}

pub(crate) async fn claim<B>(
    config: &Config,
    parts: &Parts,
    body: B,
    key: &ClientKey,
    watch: &mut RequestWatch,
) -> Result<Guarded, Refusal>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let client_key = config.coverage.rule.canonical(key);
    let key = config.composition.key(parts, &client_key)?;
    watch.found(&key);
    let body = read_whole(body, config.request_bytes_max).await?;
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
    let options = options(config, parts, fingerprint.clone());
    match config.namespace.claim_async(&key, options).await {
        Ok(Claim::Granted(lease)) => Ok(Guarded::Run(lease, fingerprint, body)),
        Ok(Claim::Completed(answer)) => {
            replay::of_completed(answer, &config.reply_headers).map(Guarded::Answer)
        }
        Ok(Claim::Failed(answer)) => {
            replay::of_failed(answer, &config.reply_headers).map(Guarded::Answer)
        }
        Ok(Claim::InProgress(busy)) => Err(in_progress(config, &busy)),
        Ok(Claim::Mismatch(other)) => {
            let first = first_request(config, key).await;
            Err(mismatch(&other).first_request(&first))
        }
        Ok(Claim::InDoubt(doubt)) => Err(in_doubt(config, &doubt)),
        // The store did answer here, so a longer key must not bypass it.
        Err(error) if error.kind() == ErrorKind::TooLarge => Err(over_a_limit(error)),
        Err(_) if config.fails_open => Ok(Guarded::Unprotected(body)),
        Err(error) => Err(unavailable(config, error)),
    }
}

fn options(config: &Config, parts: &Parts, fingerprint: Fingerprint) -> ClaimOptions {
    let mut options = ClaimOptions::new()
        .fingerprint(fingerprint)
        .keep_alive(config.run_ceiling);
    if let Some(wait) = config.wait {
        options = options.wait(wait);
    }
    options.metadata(config.request_id(parts))
}

/// The id of the first request under a key; reading it may block on the medium.
async fn first_request(config: &Config, key: Key) -> Vec<u8> {
    let namespace = config.namespace.clone();
    let read = move || namespace.get(&key).ok().flatten();
    let info = tokio::task::spawn_blocking(read).await.ok().flatten();
    info.map_or(Vec::new(), |info| info.metadata().to_vec())
}

fn unavailable(config: &Config, error: hapax::Error) -> Refusal {
    let detail = match error.kind() {
        ErrorKind::AtCapacity => "the store of this service is full; try again later",
        _ => "the store of this service cannot answer; try again later",
    };
    Refusal::new(Reason::Unavailable, detail)
        .retry_after(config.retry_after)
        .because(error)
}

fn in_progress(config: &Config, busy: &InProgress) -> Refusal {
    let after = config.retry_after.min(busy.lease_left());
    let detail = "send the same request again, under the same key";
    Refusal::new(Reason::InProgress, detail)
        .retry_after(after)
        .first_request(busy.metadata())
}

fn in_doubt(config: &Config, doubt: &Doubt) -> Refusal {
    let detail = "it began, and its outcome is not known; it does not run again until that is resolved, \
                  and then the same request gets its answer";
    Refusal::new(Reason::InDoubt, detail)
        .retry_after(config.doubt_retry_after)
        .first_request(doubt.metadata())
}

fn over_a_limit(error: hapax::Error) -> Refusal {
    let detail = "the key, the route or the request id is over a limit of the store of this service; send a shorter one";
    Refusal::new(Reason::RefusedKey, detail).because(error)
}

fn mismatch(other: &Mismatch) -> Refusal {
    let differs = other.labels();
    let detail = if differs.is_empty() {
        "use a new key for a new request".to_owned()
    } else {
        format!(
            "these parts differ: {}; use a new key for a new request",
            differs.join(", ")
        )
    };
    Refusal::new(Reason::Mismatch, detail).differing(differs)
}
