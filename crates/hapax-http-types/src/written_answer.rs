//! An answer as an operator writes it down, and [`BadAnswer`]: why it cannot be sent to a client.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Headers that describe one connection, or the bytes on it: only the server that sends the answer can know them.
const OF_THE_CONNECTION: [&str; 9] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Why a written answer cannot be sent to a client.
///
/// # Examples
///
/// ```
/// use hapax_http_types::{BadAnswer, StoredResponse};
///
/// let refused = StoredResponse::plain(102, [], "");
/// assert_eq!(refused.err(), Some(BadAnswer::Status(102)));
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BadAnswer {
    /// The status is not a final one.
    Status(u16),
    /// A header is not `name: value`; its position, from 1.
    Header(usize),
    /// The server sets this header itself.
    OfTheConnection(HeaderName),
    /// An answer with this status has no body.
    Body(StatusCode),
}

impl fmt::Display for BadAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => {
                write!(
                    f,
                    "{status} is not a final status: give one from 200 to 599"
                )
            }
            Self::Header(place) => write!(
                f,
                "header {place} is not `name: value`: write it as content-type: application/json"
            ),
            Self::OfTheConnection(name) => {
                write!(f, "the server sets {name} itself: leave it out")
            }
            Self::Body(status) => write!(
                f,
                "an answer with status {} has no body: leave the body out",
                status.as_u16()
            ),
        }
    }
}

impl std::error::Error for BadAnswer {}

/// The status, if an answer can be final with it.
pub(crate) fn status(number: u16) -> Result<StatusCode, BadAnswer> {
    let status = StatusCode::from_u16(number).ok();
    let status = status.filter(|status| (200..600).contains(&status.as_u16()));
    status.ok_or(BadAnswer::Status(number))
}

/// The headers that these lines describe.
pub(crate) fn headers<'h>(
    lines: impl IntoIterator<Item = &'h str>,
) -> Result<HeaderMap, BadAnswer> {
    let mut headers = HeaderMap::new();
    for (index, line) in lines.into_iter().enumerate() {
        let (name, value) = header(line).ok_or(BadAnswer::Header(index + 1))?;
        if OF_THE_CONNECTION.contains(&name.as_str()) {
            return Err(BadAnswer::OfTheConnection(name));
        }
        headers.append(name, value);
    }
    Ok(headers)
}

/// Refuses a body if an answer with this status has no body.
pub(crate) fn check_body(status: StatusCode, body: &Bytes) -> Result<(), BadAnswer> {
    let is_bare = matches!(
        status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
    );
    if is_bare && !body.is_empty() {
        return Err(BadAnswer::Body(status));
    }
    Ok(())
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let value = HeaderValue::from_str(value.trim_matches([' ', '\t'])).ok()?;
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::BadAnswer;
    use crate::StoredResponse;

    #[test]
    fn an_answer_is_kept_as_it_was_written() {
        let lines = ["Content-Type: application/json", "link:<a>", "link: <b>"];
        let answer = StoredResponse::plain(201, lines, "{}").unwrap();
        let headers = answer.headers();
        assert_eq!(headers["content-type"], "application/json");
        let links: Vec<_> = headers.get_all("link").iter().collect();
        assert_eq!(links, ["<a>", "<b>"]);
        assert_eq!((answer.status().as_u16(), answer.body_bytes()), (201, 2));
    }

    #[test]
    fn what_no_client_can_be_sent_is_refused() {
        let refused = |status, line: &str, body: &'static str| {
            let lines = [line].into_iter().filter(|line| !line.is_empty());
            StoredResponse::plain(status, lines, body).unwrap_err()
        };
        for status in [0, 99, 100, 199, 600, 1000] {
            assert_eq!(refused(status, "", ""), BadAnswer::Status(status));
        }
        for line in ["x", ": y", "a b: c", "a: b\r\nc: d", "a\n: b"] {
            assert_eq!(refused(200, line, ""), BadAnswer::Header(1), "{line:?}");
        }
        for line in ["Transfer-Encoding: chunked", "content-length: 1", "date: x"] {
            assert!(
                matches!(refused(200, line, ""), BadAnswer::OfTheConnection(_)),
                "{line}"
            );
        }
        assert!(matches!(refused(204, "", "x"), BadAnswer::Body(_)));
    }
}
