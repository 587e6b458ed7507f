//! The frames of a body, one at a time, as [`Bytes`].

use std::future::poll_fn;
use std::pin::{Pin, pin};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame};

use crate::body::error::BoxError;

/// Turns a frame of any buffer into a frame of [`Bytes`], without copying `Bytes`.
pub(crate) fn in_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}

/// The next frame of a body.
pub(crate) async fn next_frame<B>(body: &mut Pin<Box<B>>) -> Option<Result<Frame<Bytes>, BoxError>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    // A body that is always ready must not block the other tasks of its thread.
    tokio::task::coop::consume_budget().await;
    let frame = poll_fn(|context| body.as_mut().poll_frame(context));
    let frame = pin!(frame).await;
    frame.map(|frame| frame.map(in_bytes).map_err(Into::into))
}
