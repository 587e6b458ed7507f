//! [`ClientStream`]: a response that is sent to its client piece by piece.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

use crate::body::error::BoxError;
use crate::body::reply_body::{Piece, ReplyBody};

/// The most pieces that wait for a slow client before the handler has to wait.
const PIECES_MAX: usize = 8;

/// A response that is sent to its client, which may be slow or gone.
///
/// A client that knows the length takes the last byte for the end, so that byte is held until the end is stored. In a
/// stream of unknown length only the end itself waits until it is stored.
pub(crate) struct ClientStream {
    /// `None` once the client has left.
    client: Option<mpsc::Sender<Piece>>,
    /// The length that the client knows.
    length: Option<u64>,
    sent: u64,
    /// The frames from the last byte of that length on.
    held: Vec<Frame<Bytes>>,
}

impl ClientStream {
    /// The stream, and the body for the client.
    pub(crate) fn open<B>(headers: &HeaderMap, hint: SizeHint) -> (Self, ReplyBody<B>) {
        let (client, pieces) = mpsc::channel(PIECES_MAX);
        let stream = Self {
            client: Some(client),
            length: announced_length(headers).or(hint.exact()),
            sent: 0,
            held: Vec::new(),
        };
        (stream, ReplyBody::stream(pieces, hint))
    }

    /// The number of bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.sent
    }

    /// Sends a frame, or holds it until the end is stored.
    pub(crate) async fn push(&mut self, frame: Frame<Bytes>) {
        // An empty piece is not the end.
        if frame.data_ref().is_some_and(Bytes::is_empty) {
            return;
        }
        if let Some(data) = frame.data_ref() {
            self.sent += u64::try_from(data.len()).unwrap_or(u64::MAX);
            // A client does not wait for bytes beyond the announced length, so they hold nothing back.
            self.send_held().await;
        }
        if self.length.is_some_and(|length| self.sent >= length) {
            self.held.push(frame);
        } else {
            self.send(Some(Ok(frame))).await;
        }
    }

    /// Sends the held frames, and the end.
    pub(crate) async fn end(mut self) {
        self.send_held().await;
        self.send(None).await;
    }

    /// Sends the error in place of the end.
    pub(crate) async fn fail(mut self, error: BoxError) {
        self.send(Some(Err(error))).await;
    }

    async fn send_held(&mut self) {
        for frame in std::mem::take(&mut self.held) {
            self.send(Some(Ok(frame))).await;
        }
    }

    async fn send(&mut self, piece: Piece) {
        if let Some(client) = &self.client {
            if client.send(piece).await.is_err() {
                self.client = None;
            }
        }
    }
}

/// The length that the head announces, even if the body does not know it.
fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
