//! A client of the service: HTTP/1.1 over TCP, with connections that are reused, dropped and cut.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use axum::http::{HeaderMap, Method, Request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::Failure;
use crate::payment::Payment;

/// The parts of an answer that a client reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
    pub(crate) replayed: bool,
    pub(crate) retry_after: Option<Duration>,
}

impl Answer {
    pub(crate) fn is_paid(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether two clients got the same answer, apart from the mark of a replay.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let said = |answer: &Self| {
            (
                answer.status,
                answer.content_type.clone(),
                answer.body.clone(),
            )
        };
        said(self) == said(other)
    }

    /// The code of a refusal, such as `in-progress`.
    pub(crate) fn code(&self) -> Option<String> {
        let problem: Value = serde_json::from_slice(&self.body).ok()?;
        Some(problem.get("code")?.as_str()?.to_owned())
    }
}

/// A connection; dropping it in the middle of a request cuts it.
struct Connection {
    to: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    _driver: AbortOnDropHandle<()>,
}

/// A client; all payments share its idle connections.
pub(crate) struct Client {
    /// The address of the server; `None` while it does not run.
    server: watch::Receiver<Option<SocketAddr>>,
    idle: Mutex<Vec<Connection>>,
}

impl Client {
    pub(crate) fn new(server: watch::Receiver<Option<SocketAddr>>) -> Self {
        Self {
            server,
            idle: Mutex::default(),
        }
    }

    /// Sends a payment and reads the answer. After an error it is not known whether the payment was made.
    pub(crate) async fn pay(&self, path: &str, payment: &Payment) -> Result<Answer, Failure> {
        let mut connection = self.connection().await?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, connection.to.to_string())
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", format!("\"{}\"", payment.key))
            .body(Full::from(payment.body()))?;
        connection.sender.ready().await?;
        let (parts, body) = connection.sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        self.idle().push(connection);
        Ok(answer(parts.status.as_u16(), &parts.headers, body))
    }

    /// Sends a part of a request, and leaves, so the request cannot run.
    pub(crate) async fn cut(&self, payment: &Payment, per_mille: u64) -> Result<(), Failure> {
        let to = self.address()?;
        let body = payment.body();
        let whole = format!(
            "POST /payments HTTP/1.1\r\nhost: {to}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nidempotency-key: \"{}\"\r\n\r\n{body}",
            body.len(),
            payment.key,
        );
        let part = whole.len() * usize::try_from(per_mille)? / 1000;
        let mut stream = TcpStream::connect(to).await?;
        stream.write_all(&whole.as_bytes()[..part]).await?;
        Ok(())
    }

    /// Closes the idle connections.
    pub(crate) fn hang_up(&self) {
        self.idle().clear();
    }

    async fn connection(&self) -> Result<Connection, Failure> {
        let to = self.address()?;
        loop {
            let idle = self.idle().pop();
            match idle {
                Some(connection) if connection.to == to && !connection.sender.is_closed() => {
                    return Ok(connection);
                }
                Some(_) => {}
                None => return connect(to).await,
            }
        }
    }

    fn address(&self) -> Result<SocketAddr, Failure> {
        let address = *self.server.borrow();
        address.ok_or_else(|| "the server does not run".into())
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connect(to: SocketAddr) -> Result<Connection, Failure> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (sender, driver) = handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(async move {
        // The request that waits for the answer gets the error.
        let _ = driver.await;
    });
    Ok(Connection {
        to,
        sender,
        _driver: AbortOnDropHandle::new(driver),
    })
}

fn answer(status: u16, headers: &HeaderMap, body: Bytes) -> Answer {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let seconds = text(RETRY_AFTER.as_str()).and_then(|after| after.parse().ok());
    Answer {
        status,
        content_type: text(CONTENT_TYPE.as_str()).unwrap_or_default().to_owned(),
        body,
        replayed: text("idempotent-replayed") == Some("true"),
        retry_after: seconds.map(Duration::from_secs),
    }
}
