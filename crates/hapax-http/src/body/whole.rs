//! [`Whole`]: a complete body in memory.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// A complete body in memory, with the trailers that follow it.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    pub(crate) data: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
    /// Whether its length is announced: HTTP/1.1 sends no trailers after a body of announced length.
    is_sized: bool,
}

impl Whole {
    /// A body that was read. Its length is announced if it was announced before, or if no trailers follow.
    pub(crate) fn read(data: Bytes, trailers: Option<HeaderMap>, was_sized: bool) -> Self {
        Self {
            data,
            is_sized: was_sized || trailers.is_none(),
            trailers,
        }
    }

    /// A body from the store.
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
