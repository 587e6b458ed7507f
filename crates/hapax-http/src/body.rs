//! [`ReplyBody`]: the body of a response that came through the layer; and reading up to a limit.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::mpsc;

use crate::request_body::in_bytes;

/// What goes wrong in a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error, and what it was caused by.
pub(crate) fn causes<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// A part of a body on its way from the task of a handler to its client; `None` is its end.
pub(crate) type Piece = Option<Result<Frame<Bytes>, BoxError>>;

/// A body that is all there, and the trailers that follow it.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    pub(crate) data: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
    /// Whether its length is told before it comes; HTTP/1.1 has no trailers behind a length.
    is_sized: bool,
}

impl Whole {
    /// As it was stored.
    pub(crate) fn stored(data: Bytes, trailers: HeaderMap) -> Self {
        Self {
            data,
            is_sized: trailers.is_empty(),
            trailers: (!trailers.is_empty()).then_some(trailers),
        }
    }
}

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = if self.data.is_empty() {
            self.trailers.take().map(Frame::trailers)
        } else {
            Some(Frame::data(std::mem::take(&mut self.data)))
        };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let left = u64::try_from(self.data.len()).unwrap_or(u64::MAX);
        let mut hint = SizeHint::new();
        hint.set_lower(left);
        if self.is_sized {
            hint.set_exact(left);
        }
        hint
    }
}

impl From<Bytes> for Whole {
    fn from(data: Bytes) -> Self {
        Self::stored(data, HeaderMap::new())
    }
}

pin_project! {
    /// The body of a response that came through the layer.
    pub struct ReplyBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindOf]
    enum Kind<B> {
        Whole { #[pin] body: Whole },
        Stream { pieces: mpsc::Receiver<Piece>, hint: SizeHint, ended: bool },
        Passed { #[pin] body: B },
    }
}

impl<B> ReplyBody<B> {
    pub(crate) fn whole(body: impl Into<Whole>) -> Self {
        let body = body.into();
        Self {
            kind: Kind::Whole { body },
        }
    }

    pub(crate) fn stream(pieces: mpsc::Receiver<Piece>, hint: SizeHint) -> Self {
        Self {
            kind: Kind::Stream {
                pieces,
                hint,
                ended: false,
            },
        }
    }

    pub(crate) fn passed(body: B) -> Self {
        Self {
            kind: Kind::Passed { body },
        }
    }
}

/// Empty, for layers further out that answer by themselves, such as timeouts.
impl<B> Default for ReplyBody<B> {
    fn default() -> Self {
        Self::whole(Bytes::new())
    }
}

impl<B> Body for ReplyBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindOf::Whole { body } => body.poll_frame(context).map_err(|never| match never {}),
            KindOf::Passed { body } => {
                let frame = ready!(body.poll_frame(context));
                Poll::Ready(frame.map(|frame| frame.map(in_bytes).map_err(Into::into)))
            }
            KindOf::Stream { ended: true, .. } => Poll::Ready(None),
            KindOf::Stream {
                pieces,
                ended,
                hint,
            } => {
                let piece = ready!(pieces.poll_recv(context));
                *ended = !matches!(piece, Some(Some(Ok(_))));
                Poll::Ready(match piece {
                    Some(Some(Ok(frame))) => {
                        let bytes = frame.data_ref().map_or(0, Bytes::len);
                        *hint = less(hint, bytes);
                        Some(Ok(frame))
                    }
                    Some(Some(Err(error))) => Some(Err(error)),
                    Some(None) => None,
                    // An end that nobody announced must not look like one.
                    None => Some(Err("the handler's task ended within the response".into())),
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole { body } => body.is_end_stream(),
            Kind::Stream { ended, .. } => *ended,
            Kind::Passed { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole { body } => body.size_hint(),
            Kind::Stream { hint, .. } => *hint,
            Kind::Passed { body } => body.size_hint(),
        }
    }
}

fn less(hint: &SizeHint, bytes: usize) -> SizeHint {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let mut rest = SizeHint::new();
    if let Some(upper) = hint.upper() {
        rest.set_upper(upper.saturating_sub(bytes));
    }
    rest.set_lower(hint.lower().saturating_sub(bytes));
    rest
}

impl<B> fmt::Debug for ReplyBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Whole { .. } => "ReplyBody::Whole",
            Kind::Stream { .. } => "ReplyBody::Stream",
            Kind::Passed { .. } => "ReplyBody::Passed",
        })
    }
}

/// What reading a body up to a limit came to.
pub(crate) enum Read<B> {
    Whole(Whole),
    /// There is more than that: what was read, and the rest.
    Longer {
        start: Bytes,
        rest: Pin<Box<B>>,
    },
    Broken(BoxError),
}

/// Reads a body to its end, trailers too, or until more than `limit` bytes are there.
pub(crate) async fn read_up_to<B>(body: B, limit: usize) -> Read<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let was_sized = body.size_hint().exact().is_some();
    let mut body = Box::pin(body);
    let mut trailers: Option<HeaderMap> = None;
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    loop {
        let frame = match next_frame(&mut body).await {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Read::Broken(error),
            None => {
                return Read::Whole(Whole {
                    data: first.unwrap_or_else(|| all.freeze()),
                    is_sized: was_sized || trailers.is_none(),
                    trailers,
                });
            }
        };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                let more = frame.into_trailers().unwrap_or_default();
                trailers.get_or_insert_default().extend(more);
                continue;
            }
        };
        // One frame, which is how most bodies come, is not copied.
        match first.take() {
            None if all.is_empty() => first = Some(data),
            before => {
                all.extend_from_slice(&before.unwrap_or_default());
                all.extend_from_slice(&data);
            }
        }
        let read = first.as_ref().map_or(all.len(), Bytes::len);
        if read > limit {
            let start = first.unwrap_or_else(|| all.freeze());
            return Read::Longer { start, rest: body };
        }
    }
}

/// The next frame of a body.
pub(crate) async fn next_frame<B>(body: &mut Pin<Box<B>>) -> Option<Result<Frame<Bytes>, BoxError>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    // A body that is always ready must not keep its thread from everything else.
    tokio::task::coop::consume_budget().await;
    let frame = poll_fn(|context| body.as_mut().poll_frame(context));
    let frame = pin!(frame).await;
    frame.map(|frame| frame.map(in_bytes).map_err(Into::into))
}
