//! [`Collected`]: the result of reading a body up to a limit.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;

use crate::body::error::BoxError;
use crate::body::frames::next_frame;
use crate::body::whole::Whole;

/// The result of reading a body up to a limit.
pub(crate) enum Collected<B> {
    Whole(Whole),
    /// The body exceeds the limit: what was read, and the rest.
    Longer {
        start: Bytes,
        rest: Pin<Box<B>>,
    },
    Broken(BoxError),
}

/// Reads a body to its end, including trailers, or until it exceeds `limit` bytes.
pub(crate) async fn collect_up_to<B>(body: B, limit: usize) -> Collected<B>
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
            Some(Err(error)) => return Collected::Broken(error),
            None => {
                let data = first.unwrap_or_else(|| all.freeze());
                return Collected::Whole(Whole::read(data, trailers, was_sized));
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
        // Most bodies have one frame, which is not copied.
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
            return Collected::Longer { start, rest: body };
        }
    }
}
