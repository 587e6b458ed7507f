//! [`ReplyBody`]: the body of a response from the layer.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::mpsc;

use crate::body::error::BoxError;
use crate::body::frames::in_bytes;
use crate::body::whole::Whole;

/// A piece of a body on its way from the task of a handler to the client; `None` is the end.
pub(crate) type Piece = Option<Result<Frame<Bytes>, BoxError>>;

pin_project! {
    /// The body of a response from the layer.
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

/// An empty body, for outer layers that answer by themselves, such as timeouts.
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
                    // A task that just ended must not look like a complete response.
                    None => Some(Err(
                        "the handler's task ended in the middle of the response".into(),
                    )),
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
