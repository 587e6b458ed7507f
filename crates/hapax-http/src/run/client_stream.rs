//! [`ClientStream`]: a response on its way to its client, piece by piece.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

use crate::body::error::BoxError;
use crate::body::reply_body::{Piece, ReplyBody};

/// Pieces of a body that wait for a slow client before its handler has to.
const PIECES_MAX: usize = 8;

/// A response on its way to a client, which may be slow, or gone.
///
/// A client that knows the length takes the last byte for the end, so that byte is sent when the end
/// is stored. A stream of unknown length is not held up: its end is sent when it is stored.
pub(crate) struct ClientStream {
    /// `None` once the client has gone away: it is not waited for again.
    client: Option<mpsc::Sender<Piece>>,
    /// The length that the client knows.
    length: Option<u64>,
    sent: u64,
    /// From the last byte of that length on.
    held: Vec<Frame<Bytes>>,
}

impl ClientStream {
    /// The stream, and the body that its client reads.
    pub(crate) fn open<B>(headers: &HeaderMap, hint: SizeHint) -> (Self, ReplyBody<B>) {
        let (client, pieces) = mpsc::channel(PIECES_MAX);
        let stream = Self {
            client: Some(client),
            length: told_length(headers).or(hint.exact()),
            sent: 0,
            held: Vec::new(),
        };
        (stream, ReplyBody::stream(pieces, hint))
    }

    /// How many bytes came.
    pub(crate) fn bytes(&self) -> u64 {
        self.sent
    }

    /// Sends a frame, or holds it until the end is stored.
    pub(crate) async fn push(&mut self, frame: Frame<Bytes>) {
        // A piece without bytes tells nothing, and is not the end.
        if frame.data_ref().is_some_and(Bytes::is_empty) {
            return;
        }
        if let Some(data) = frame.data_ref() {
            self.sent += u64::try_from(data.len()).unwrap_or(u64::MAX);
            // What comes after the length that was told is not waited for, so nothing is held for it.
            self.send_held().await;
        }
        if self.length.is_some_and(|length| self.sent >= length) {
            self.held.push(frame);
        } else {
            self.send(Some(Ok(frame))).await;
        }
    }

    /// Sends what is held, and the end.
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

/// The length that the head tells, of a body that may not know it.
fn told_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
