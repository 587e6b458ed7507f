//! The task of a handler, which goes on when its client leaves.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::SystemTime;

use bytes::Bytes;
use hapax::{Fingerprint, Lease};
use http::response::Parts;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use tower_service::Service;

use crate::answer::disposition::Disposition;
use crate::answer::reason::Reason;
use crate::answer::refusal::Refusal;
use crate::answer::replay;
use crate::body::collected::{Collected, collect_up_to};
use crate::body::error::BoxError;
use crate::body::frames::next_frame;
use crate::body::reply_body::ReplyBody;
use crate::body::request_body::RequestBody;
use crate::body::whole::Whole;
use crate::config::Config;
use crate::run::client_stream::ClientStream;
use crate::run::held_key::{HeldKey, Stored, Winner};
use crate::run::panic::{Panicked, caught};

type Answer<B, E> = Result<Response<ReplyBody<B>>, E>;

/// What the task of a handler sends to the waiting request.
enum Reply<B, E> {
    Answer(Response<ReplyBody<B>>),
    Refusal(Refusal),
    Error(E),
}

/// Runs the handler under its lease, and waits for its answer. Dropping the wait does not stop the handler.
pub(crate) async fn run<S, B>(
    config: Arc<Config>,
    inner: S,
    mut request: Request<RequestBody>,
    lease: Lease,
    fingerprint: Fingerprint,
) -> Answer<B, S::Error>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let key = HeldKey::new(Arc::clone(&config), lease, fingerprint);
    request.extensions_mut().insert(key.run().clone());
    let (sender, answer) = oneshot::channel();
    let task = HandlerTask {
        config: Arc::clone(&config),
        key,
        client: Some(sender),
        has_begun: false,
    };
    config.runs.spawn(task.live(inner, request));
    let refusal = match answer.await {
        Ok(Reply::Answer(answer)) => return Ok(answer),
        Ok(Reply::Error(error)) => return Err(error),
        Ok(Reply::Refusal(refusal)) => refusal,
        Err(_) => handler_failed(),
    };
    Ok(config.problems.refuse(refusal).map(ReplyBody::whole))
}

fn handler_failed() -> Refusal {
    let detail = "the handler ended without an answer; send the same request again, under the same key: the answer tells what happened to it";
    Refusal::new(Reason::HandlerFailed, detail)
}

/// The task of a handler. If a runtime that ends, or a hook, drops it before the handler began, the key stays as it
/// was.
struct HandlerTask<B, E> {
    config: Arc<Config>,
    key: HeldKey,
    /// `None` once the answer is sent.
    client: Option<oneshot::Sender<Reply<B, E>>>,
    /// From then on something may have taken effect.
    has_begun: bool,
}

/// The result of waiting for the inner service.
enum Room<E> {
    Ready,
    Failed(E),
    /// The client left first.
    Unwanted,
}

impl<B, E> HandlerTask<B, E>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
    E: Send + 'static,
{
    async fn live<S>(mut self, mut inner: S, request: Request<RequestBody>)
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = E>,
    {
        match caught(|| self.room(&mut inner)).await {
            Ok(Room::Ready) if self.key.run().is_lost() => {
                self.key.take_back();
                let detail = "the service had no room until the key was lost; nothing ran";
                let refusal = Refusal::new(Reason::Unavailable, detail);
                return self.refuse(refusal.retry_after(self.config.retry_after));
            }
            Ok(Room::Ready) => self.has_begun = true,
            Ok(Room::Unwanted) => return self.key.take_back(),
            Ok(Room::Failed(error)) => {
                self.key.take_back();
                return self.send(Reply::Error(error));
            }
            Err(Panicked) => {
                self.config.counters.runs_panicked.one_more();
                self.key.take_back();
                return self.refuse(handler_failed());
            }
        }
        match caught(|| inner.call(request)).await {
            Ok(Ok(response)) => {
                let answered = self.answer(response);
                if caught(|| answered).await.is_err() {
                    self.panicked().await;
                }
            }
            Ok(Err(error)) => {
                // The hook is code of the service, and may panic.
                let asked = catch_unwind(AssertUnwindSafe(|| {
                    self.config.dispositions.of_error(&error)
                }));
                let disposition = asked.unwrap_or(Disposition::ByGuarantee);
                self.key.give_up(disposition, "the service failed").await;
                self.send(Reply::Error(error));
            }
            Err(Panicked) => self.panicked().await,
        }
    }

    /// Waits until the inner service has room, or the client leaves.
    async fn room<S>(&mut self, inner: &mut S) -> Room<E>
    where
        S: Service<Request<RequestBody>, Error = E>,
    {
        poll_fn(|context| {
            if let Poll::Ready(ready) = inner.poll_ready(context) {
                return Poll::Ready(ready.map_or_else(Room::Failed, |()| Room::Ready));
            }
            let client = self.client.as_mut();
            let left = client.map_or(Poll::Pending, |client| client.poll_closed(context));
            left.map(|()| Room::Unwanted)
        })
        .await
    }

    /// After a panic of the handler, the body of its response, or a hook that inspects it.
    async fn panicked(&mut self) {
        self.config.counters.runs_panicked.one_more();
        let disposition = self.config.dispositions.on_panic;
        self.key.give_up(disposition, "the handler panicked").await;
        // The client of a stream sees that it broke off.
        if self.client.is_some() {
            self.refuse(handler_failed());
        }
    }

    async fn answer(&mut self, response: Response<B>) {
        let (mut parts, body) = response.into_parts();
        let chosen = parts.extensions.remove::<Disposition>();
        let disposition =
            chosen.unwrap_or_else(|| self.config.dispositions.of_status(parts.status));
        match disposition {
            Disposition::Store | Disposition::Omit if self.is_collected(&body.size_hint()) => {
                match collect_up_to(body, self.config.response_bytes_max).await {
                    Collected::Whole(body) if disposition == Disposition::Omit => {
                        self.key.omit(parts.status, length(&body.data)).await;
                        self.pass(parts, ReplyBody::whole(body), None);
                    }
                    Collected::Whole(body) => self.store(parts, body).await,
                    Collected::Longer { start, rest } => self.stream(parts, start, rest).await,
                    Collected::Broken(_) => {
                        let disposition = Disposition::ByGuarantee;
                        self.key
                            .give_up(disposition, "the response broke off")
                            .await;
                        let detail = "send the same request again, under the same key: the answer tells what happened to it";
                        self.refuse(Refusal::new(Reason::AnswerBroken, detail));
                    }
                }
            }
            Disposition::Store | Disposition::Omit => {
                self.stream(parts, Bytes::new(), Box::pin(body)).await;
            }
            _ => {
                let reason = format!("answered with status {}", parts.status.as_u16());
                self.key.give_up(disposition, &reason).await;
                self.pass(parts, ReplyBody::passed(body), None);
            }
        }
    }

    /// Whether a body is read to its end before it is sent.
    fn is_collected(&self, hint: &SizeHint) -> bool {
        let limit = u64::try_from(self.config.response_bytes_max).unwrap_or(u64::MAX);
        match hint.exact() {
            Some(bytes) => bytes <= limit,
            None => self.config.collects_streams,
        }
    }

    /// Stores a response, then sends it.
    async fn store(&mut self, parts: Parts, body: Whole) {
        let form = &self.config.stored_form;
        let response = form.of(parts.status, &parts.headers, &body);
        match self.key.store(&response).await {
            None => {}
            Some(Stored::Until(expires_at)) => {
                self.pass(parts, ReplyBody::whole(body), Some(expires_at));
            }
            Some(Stored::Lost(winner)) => self.answer_of_winner(winner, parts, body),
            Some(Stored::Not) => self.pass(parts, ReplyBody::whole(body), None),
        }
    }

    /// Answers with the stored response of the winner, so that all clients of the key get the same answer.
    fn answer_of_winner(&mut self, winner: Option<Box<Winner>>, parts: Parts, body: Whole) {
        let marks = &self.config.reply_headers;
        let replay =
            winner.map(|winner| replay::of_stored(winner.response, winner.expires_at, marks));
        match replay {
            Some(Ok(mut response)) => {
                let outcome = self.key.outcome(false);
                response.extensions_mut().insert(outcome);
                self.send(Reply::Answer(response.map(ReplyBody::whole)));
            }
            _ => self.pass(parts, ReplyBody::whole(body), None),
        }
    }

    /// Sends a response as it arrives, and stores at its end that the handler ran.
    async fn stream(&mut self, parts: Parts, start: Bytes, mut rest: Pin<Box<B>>) {
        let status = parts.status;
        let hint = longer(&rest.size_hint(), start.len());
        let (mut client, body) = ClientStream::open(&parts.headers, hint);
        self.pass(parts, body, None);
        let mut next = Some(Ok(Frame::data(start)));
        while let Some(frame) = next {
            match frame {
                Ok(frame) => client.push(frame).await,
                Err(error) => {
                    let disposition = Disposition::ByGuarantee;
                    self.key
                        .give_up(disposition, "the response broke off")
                        .await;
                    return client.fail(error).await;
                }
            }
            next = next_frame(&mut rest).await;
        }
        self.key.omit(status, client.bytes()).await;
        client.end().await;
    }

    fn pass(&mut self, mut parts: Parts, body: ReplyBody<B>, expires_at: Option<SystemTime>) {
        let marks = &self.config.reply_headers;
        marks.mark_stored(&mut parts.headers, expires_at);
        parts
            .extensions
            .insert(self.key.outcome(expires_at.is_some()));
        self.send(Reply::Answer(Response::from_parts(parts, body)));
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.send(Reply::Refusal(refusal));
    }

    fn send(&mut self, answer: Reply<B, E>) {
        let client = self.client.take();
        if client.is_none_or(|client| client.send(answer).is_err()) {
            self.config.counters.runs_without_client.one_more();
        }
    }
}

impl<B, E> Drop for HandlerTask<B, E> {
    fn drop(&mut self) {
        if !self.has_begun {
            self.key.take_back();
        }
    }
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn longer(rest: &SizeHint, bytes: usize) -> SizeHint {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let mut hint = SizeHint::new();
    if let Some(upper) = rest.upper() {
        hint.set_upper(upper.saturating_add(bytes));
    }
    hint.set_lower(rest.lower().saturating_add(bytes));
    hint
}
