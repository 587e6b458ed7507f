//! Answers requests that have a key.

use std::future::poll_fn;
use std::sync::Arc;

use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::answer::outcome::Outcome;
use crate::body::error::BoxError;
use crate::body::reply_body::ReplyBody;
use crate::body::request_body::RequestBody;
use crate::config::Config;
use crate::layer::claim::{Guarded, claim};
use crate::layer::request_watch::RequestWatch;
use crate::request::header::ClientKey;
use crate::run::handler_task::run;

/// Answers a request that has a key.
pub(crate) async fn guard<S, Q, B>(
    config: Arc<Config>,
    mut inner: S,
    parts: Parts,
    body: Q,
    key: ClientKey,
    mut watch: RequestWatch,
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
            match run(config, inner, request, lease, fingerprint).await {
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
            config.reply_headers.mark_stored(answer.headers_mut(), None);
            answer.extensions_mut().insert(Outcome::Unprotected);
            return Ok(answer.map(ReplyBody::passed));
        }
        Err(refusal) => config.problems.refuse(refusal).map(ReplyBody::whole),
    };
    watch.answered(answer.status(), answer.extensions());
    Ok(answer)
}
