//! The life of a run: a task of its own, so that a client that goes away takes nothing with it.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use hapax::{ErrorKind, Fingerprint, Guarantee, Lease, LeaseError, State};
use http::header::CONTENT_LENGTH;
use http::response::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{mpsc, oneshot};
use tower_service::Service;

use crate::body::{BoxError, Piece, Read, ReplyBody, Whole, next_frame, read_up_to};
use crate::disposition::Disposition;
use crate::layer::Config;
use crate::outcome::Outcome;
use crate::refusal::{Reason, Refusal};
use crate::request_body::RequestBody;
use crate::run::Held;
use hapax_http_types::StoredResponse;

/// Pieces of a body that wait for a slow client before its handler has to.
const PIECES_MAX: usize = 8;

type Answer<B, E> = Result<Response<ReplyBody<B>>, E>;

/// What the task of a handler hands to whoever waits for it.
enum Told<B, E> {
    Answer(Response<ReplyBody<B>>),
    Refusal(Refusal),
    Error(E),
}

/// Runs the handler under its lease, and waits for its answer. Whoever stops waiting stops nothing.
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
    let held = Held::new(lease);
    request.extensions_mut().insert(held.run().clone());
    let (sender, answer) = oneshot::channel();
    let life = Life {
        config: Arc::clone(&config),
        held,
        fingerprint,
        client: Some(sender),
        has_begun: false,
    };
    config.spawn(life.live(inner, request));
    let refusal = match answer.await {
        Ok(Told::Answer(answer)) => return Ok(answer),
        Ok(Told::Error(error)) => return Err(error),
        Ok(Told::Refusal(refusal)) => refusal,
        Err(_) => handler_failed(),
    };
    Ok(config.refuse(refusal).map(ReplyBody::whole))
}

fn handler_failed() -> Refusal {
    let detail = "the handler ended without an answer; the same request under the same key tells what became of it";
    Refusal::new(Reason::HandlerFailed, detail)
}

/// Dropped before the handler has begun, by a runtime that ends or a hook, it leaves the key as it was.
struct Life<B, E> {
    config: Arc<Config>,
    held: Held,
    /// Of the request that runs.
    fingerprint: Fingerprint,
    /// Where the answer goes, until it has gone.
    client: Option<oneshot::Sender<Told<B, E>>>,
    /// From here on nobody can say that nothing took effect.
    has_begun: bool,
}

/// What settling a key came to.
enum Settled {
    /// As asked.
    Done,
    /// Another holder has won; this is its response, where there is one and it ran the same request.
    Lost(Option<Box<(StoredResponse, u64)>>),
    /// The store did not take it.
    Not,
}

/// What waiting for the inner service came to.
enum Room<E> {
    Ready,
    Failed(E),
    /// The client went away first.
    Unwanted,
}

impl<B, E> Life<B, E>
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
            Ok(Room::Ready) if self.held.run().is_lost() => {
                self.take_back();
                let detail = "there was no room for so long that the key was lost; nothing was run";
                let refusal = Refusal::new(Reason::Unavailable, detail);
                return self.refuse(refusal.retry_after(self.config.retry_after));
            }
            Ok(Room::Ready) => self.has_begun = true,
            Ok(Room::Unwanted) => return self.take_back(),
            Ok(Room::Failed(error)) => {
                self.take_back();
                return self.send(Told::Error(error));
            }
            Err(Panicked) => {
                self.config.counters.runs_panicked.one_more();
                self.take_back();
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
                // The hook that is asked is code of the service.
                let asked = catch_unwind(AssertUnwindSafe(|| self.disposition_of(&error)));
                let disposition = asked.unwrap_or(Disposition::ByGuarantee);
                self.give_up(disposition, "the service failed").await;
                self.send(Told::Error(error));
            }
            Err(Panicked) => self.panicked().await,
        }
    }

    /// Waits until the inner service has room for a request, as long as its client waits for the answer.
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

    /// What becomes of the key under an error. Only a boxed one can be looked into.
    fn disposition_of(&self, error: &E) -> Disposition {
        let error: &dyn Any = error;
        match error.downcast_ref::<BoxError>() {
            Some(error) => (self.config.decide_error)(&**error),
            None => Disposition::ByGuarantee,
        }
    }

    /// The handler panicked, or the body of its response, or a hook that looks at that.
    async fn panicked(&mut self) {
        self.config.counters.runs_panicked.one_more();
        let disposition = self.config.on_panic;
        self.give_up(disposition, "the handler panicked").await;
        // Within a stream, its client sees that it broke off.
        if self.client.is_some() {
            self.refuse(handler_failed());
        }
    }

    async fn answer(&mut self, response: Response<B>) {
        let (mut parts, body) = response.into_parts();
        let told = parts.extensions.remove::<Disposition>();
        let disposition = told.unwrap_or_else(|| self.config.disposition(parts.status));
        match disposition {
            Disposition::Store | Disposition::Omit if self.is_collected(&body.size_hint()) => {
                match read_up_to(body, self.config.response_bytes_max).await {
                    Read::Whole(body) if disposition == Disposition::Omit => {
                        self.leave_out(parts, body).await;
                    }
                    Read::Whole(body) => self.store(parts, body).await,
                    Read::Longer { start, rest } => self.stream(parts, start, rest).await,
                    Read::Broken(_) => {
                        let disposition = Disposition::ByGuarantee;
                        self.give_up(disposition, "the response broke off").await;
                        let detail = "the same request under the same key tells what became of it";
                        self.refuse(Refusal::new(Reason::AnswerBroken, detail));
                    }
                }
            }
            Disposition::Store | Disposition::Omit => {
                self.stream(parts, Bytes::new(), Box::pin(body)).await;
            }
            _ => {
                let reason = format!("answered with status {}", parts.status.as_u16());
                self.give_up(disposition, &reason).await;
                self.pass(parts, ReplyBody::passed(body), None);
            }
        }
    }

    /// Whether a body is read before anything of it is sent.
    fn is_collected(&self, hint: &SizeHint) -> bool {
        let limit = u64::try_from(self.config.response_bytes_max).unwrap_or(u64::MAX);
        match hint.exact() {
            Some(bytes) => bytes <= limit,
            None => self.config.collects_streams,
        }
    }

    /// Stores a response, then sends it.
    async fn store(&mut self, parts: Parts, body: Whole) {
        let stored = self.config.stored(parts.status, &parts.headers, &body);
        let bytes = stored.to_bytes();
        let Some(lease) = self.held.take() else {
            return;
        };
        if bytes.len() > self.config.namespace.policy().max_response_bytes() {
            self.omit(lease, parts.status, stored.body_bytes()).await;
            return self.pass(parts, ReplyBody::whole(body), None);
        }
        // From before it is stored: the store counts from when it has the outcome, not from when that
        // is on the medium.
        let expires_at = self.config.expiry();
        let settled = self.settled(lease.complete_async(&bytes).await);
        let counters = &self.config.counters;
        match settled {
            Settled::Done => {
                counters.runs_stored.one_more();
                self.pass(parts, ReplyBody::whole(body), Some(expires_at));
            }
            Settled::Lost(winner) => {
                counters.runs_lost.one_more();
                self.answer_of_winner(winner, parts, body);
            }
            Settled::Not => {
                counters.runs_unstored.one_more();
                self.pass(parts, ReplyBody::whole(body), None);
            }
        }
    }

    /// Stores that it ran, then sends the response.
    async fn leave_out(&mut self, parts: Parts, body: Whole) {
        if let Some(lease) = self.held.take() {
            self.omit(lease, parts.status, length(&body.data)).await;
        }
        self.pass(parts, ReplyBody::whole(body), None);
    }

    /// Everybody gets the answer that is stored, the run that came too late as well.
    fn answer_of_winner(
        &mut self,
        winner: Option<Box<(StoredResponse, u64)>>,
        parts: Parts,
        body: Whole,
    ) {
        let replay = winner.map(|winner| self.config.replay_of(winner.0, winner.1));
        match replay {
            Some(Ok(mut response)) => {
                let outcome = self.outcome(false);
                response.extensions_mut().insert(outcome);
                self.send(Told::Answer(response.map(ReplyBody::whole)));
            }
            _ => self.pass(parts, ReplyBody::whole(body), None),
        }
    }

    /// Sends a response as it comes, and stores that it ran when it has ended.
    ///
    /// A client that knows the length takes the last byte for the end, so that byte is sent when the end
    /// is stored. A stream of unknown length is not held up: its end is sent when it is stored.
    async fn stream(&mut self, parts: Parts, start: Bytes, mut rest: Pin<Box<B>>) {
        let status = parts.status;
        let (pieces, receiver) = mpsc::channel(PIECES_MAX);
        let hint = longer(&rest.size_hint(), start.len());
        let whole = told_length(&parts.headers).or(hint.exact());
        self.pass(parts, ReplyBody::stream(receiver, hint), None);
        let (mut sent, mut client) = (0, Some(pieces));
        let mut held: Vec<Frame<Bytes>> = Vec::new();
        let mut start = Some(Frame::data(start));
        loop {
            let next = match start.take() {
                Some(start) => Some(Ok(start)),
                None => next_frame(&mut rest).await,
            };
            let frame = match next {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    let disposition = Disposition::ByGuarantee;
                    self.give_up(disposition, "the response broke off").await;
                    return send_piece(&mut client, Some(Err(error))).await;
                }
                None => break,
            };
            // A piece without bytes tells nothing, and is not the end.
            if frame.data_ref().is_some_and(Bytes::is_empty) {
                continue;
            }
            if let Some(data) = frame.data_ref() {
                sent += length(data);
                // What comes after the length that was told is not waited for, so nothing is held for it.
                send_all(&mut client, held.drain(..)).await;
            }
            if whole.is_some_and(|whole| sent >= whole) {
                held.push(frame);
            } else {
                send_piece(&mut client, Some(Ok(frame))).await;
            }
        }
        if let Some(lease) = self.held.take() {
            self.omit(lease, status, sent).await;
        }
        send_all(&mut client, held.into_iter()).await;
        send_piece(&mut client, None).await;
    }

    /// Stores that it ran, and how it answered, without the answer.
    async fn omit(&self, lease: Lease, status: StatusCode, bytes: u64) {
        let stored = StoredResponse::without_body(status, bytes).to_bytes();
        let counters = &self.config.counters;
        match self.settled(lease.complete_async(stored).await) {
            Settled::Done => counters.runs_omitted.one_more(),
            Settled::Lost(_) => counters.runs_lost.one_more(),
            Settled::Not => counters.runs_unstored.one_more(),
        }
    }

    /// Settles a key without a response.
    async fn give_up(&self, disposition: Disposition, reason: &str) {
        let Some(lease) = self.held.take() else {
            return;
        };
        let guarantee = self.config.namespace.policy().guarantee();
        let counters = &self.config.counters;
        let (settled_as, count) = match (disposition, guarantee) {
            (Disposition::NotBegun, _) if !lease.is_lost() => return self.withdraw(lease).await,
            (Disposition::Store | Disposition::Omit, _) => {
                return self.omit(lease, StatusCode::INTERNAL_SERVER_ERROR, 0).await;
            }
            (Disposition::Release | Disposition::NotBegun, _)
            | (Disposition::ByGuarantee, Guarantee::AtLeastOnce) => {
                (lease.release_async(reason).await, &counters.runs_released)
            }
            (Disposition::Doubt | Disposition::ByGuarantee, _) => {
                (lease.doubt_async(reason).await, &counters.runs_in_doubt)
            }
        };
        match self.settled(settled_as) {
            Settled::Done => count.one_more(),
            Settled::Lost(_) => counters.runs_lost.one_more(),
            Settled::Not => counters.runs_unstored.one_more(),
        }
    }

    /// Leaves the key as it was before the request.
    async fn withdraw(&self, lease: Lease) {
        let key = lease.key().to_vec();
        lease.withdraw();
        self.config.counters.runs_not_begun.one_more();
        // An answer about the key waits until that is on the medium: a crash is not to leave a doubt about what the
        // client was told to be refused.
        let _ = self.config.namespace.contains_async(key).await;
    }

    fn settled(&self, result: Result<(), LeaseError>) -> Settled {
        let Err(error) = result else {
            return Settled::Done;
        };
        match error.kind() {
            ErrorKind::Superseded | ErrorKind::NotHeld | ErrorKind::AlreadySettled => {
                // Once a key is released, another request may run under it.
                let winner = error.error().current().filter(|current| {
                    current.state() == State::Completed
                        && current.fingerprint() == Some(&self.fingerprint)
                });
                Settled::Lost(winner.and_then(|winner| {
                    let body = Bytes::copy_from_slice(winner.body());
                    let stored = StoredResponse::from_bytes(body).ok()?;
                    Some(Box::new((stored, winner.expires_at().unwrap_or_default())))
                }))
            }
            _ => Settled::Not,
        }
    }

    fn outcome(&self, stored: bool) -> Outcome {
        let run = self.held.run();
        Outcome::Executed {
            stored,
            token: run.token(),
            attempt: run.attempt(),
        }
    }

    fn pass(&mut self, mut parts: Parts, body: ReplyBody<B>, expires_at: Option<u64>) {
        self.config.mark_stored(&mut parts.headers, expires_at);
        parts.extensions.insert(self.outcome(expires_at.is_some()));
        self.send(Told::Answer(Response::from_parts(parts, body)));
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.send(Told::Refusal(refusal));
    }

    fn send(&mut self, answer: Told<B, E>) {
        let client = self.client.take();
        if client.is_none_or(|client| client.send(answer).is_err()) {
            self.config.counters.runs_without_client.one_more();
        }
    }
}

impl<B, E> Life<B, E> {
    /// Leaves the key as it was: nothing was begun.
    fn take_back(&self) {
        if let Some(lease) = self.held.take() {
            lease.withdraw();
            self.config.counters.runs_not_begun.one_more();
        }
    }
}

impl<B, E> Drop for Life<B, E> {
    fn drop(&mut self) {
        if !self.has_begun {
            self.take_back();
        }
    }
}

/// A client that has gone away is not waited for again.
async fn send_piece(client: &mut Option<mpsc::Sender<Piece>>, piece: Piece) {
    if let Some(open) = client {
        if open.send(piece).await.is_err() {
            *client = None;
        }
    }
}

async fn send_all(
    client: &mut Option<mpsc::Sender<Piece>>,
    frames: impl Iterator<Item = Frame<Bytes>>,
) {
    for frame in frames {
        send_piece(client, Some(Ok(frame))).await;
    }
}

/// The length that the head tells, of a body that may not know it.
fn told_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
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

struct Panicked;

/// Runs a call to its end, or its panic.
async fn caught<F: Future>(call: impl FnOnce() -> F) -> Result<F::Output, Panicked> {
    let begun = catch_unwind(AssertUnwindSafe(call)).map_err(|_| Panicked)?;
    let mut begun = pin!(begun);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| begun.as_mut().poll(context)));
        match polled {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}
