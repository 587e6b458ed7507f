//! The bytes of stored responses.

use bytes::Bytes;
use hapax_http::StoredResponse;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use proptest::prelude::*;

#[test]
fn the_format_is_pinned() {
    let answer = Response::builder()
        .status(201)
        .header("a", "b")
        .body(Bytes::from("c"))
        .unwrap();
    let bytes = StoredResponse::new(answer).to_bytes();
    assert_eq!(
        bytes,
        &b"\x01\x00\xc9\x00\x01\x00\x01\x00a\x01\x00\x00\x00bc"[..]
    );
    let short = StoredResponse::without_body(StatusCode::OK, 258);
    let status = short.clone().into_response().unwrap_err();
    assert_eq!((status, short.body_bytes()), (StatusCode::OK, 258));
    let short = short.to_bytes();
    assert_eq!(
        short,
        &b"\x01\x01\xc8\x00\x00\x00\x02\x01\x00\x00\x00\x00\x00\x00"[..]
    );
}

/// The bytes had no place for trailers, so a replay of gRPC had no status.
#[test]
fn the_format_of_trailers_is_pinned() {
    let answer = || Response::builder().status(200).header("a", "b");
    let trailers = HeaderMap::from_iter([("t".parse().unwrap(), HeaderValue::from_static("0"))]);
    let stored = StoredResponse::new(answer().body(Bytes::from("c")).unwrap());
    let with = stored.clone().with_trailers(trailers.clone());
    let bytes = with.to_bytes();
    assert_eq!(
        bytes,
        &b"\x01\x02\xc8\x00\x01\x00\x01\x00a\x01\x00\x00\x00b\x01\x00\x01\x00t\x01\x00\x00\x000c"[..]
    );
    for end in 2..bytes.len() - 1 {
        assert!(
            StoredResponse::from_bytes(bytes.slice(..end)).is_err(),
            "{end}"
        );
    }
    assert_eq!(StoredResponse::from_bytes(bytes).unwrap(), with);
    assert_eq!(with.trailers(), &trailers);
    // Without trailers, the bytes are the same as before the format had trailers.
    let none = stored.clone().with_trailers(HeaderMap::new());
    assert_eq!(none.to_bytes(), stored.to_bytes());
    let left_out = StoredResponse::without_body(StatusCode::OK, 1).with_trailers(trailers);
    assert!(left_out.trailers().is_empty());
}

#[test]
fn bytes_that_were_cut_or_changed_are_no_response_or_another_one() {
    let answer = Response::builder()
        .status(201)
        .header("a", "b")
        .body(Bytes::new())
        .unwrap();
    let bytes = StoredResponse::new(answer).to_bytes();
    for end in 0..bytes.len() {
        assert!(
            StoredResponse::from_bytes(bytes.slice(..end)).is_err(),
            "{end}"
        );
    }
    for version in [0, 2, 255] {
        let mut other = bytes.to_vec();
        other[0] = version;
        assert!(StoredResponse::from_bytes(other.into()).is_err());
    }
    let mut status = bytes.to_vec();
    status[2..4].copy_from_slice(&99_u16.to_le_bytes());
    assert!(StoredResponse::from_bytes(status.into()).is_err());
}

/// A value that its handler marked as sensitive came back without the mark: debug texts showed it, and HTTP/2 put it
/// into the tables that a connection shares.
#[test]
fn a_sensitive_value_stays_sensitive() {
    let mut secret = HeaderValue::from_static("s");
    secret.set_sensitive(true);
    let answer = Response::builder()
        .header("a", secret)
        .header("b", "c")
        .body(Bytes::new())
        .unwrap();
    let bytes = StoredResponse::new(answer).to_bytes();
    assert_eq!(
        bytes,
        &b"\x01\x00\xc8\x00\x02\x00\x01\x00a\x01\x00\x00\x80s\x01\x00b\x01\x00\x00\x00c"[..]
    );
    let read = StoredResponse::from_bytes(bytes).unwrap();
    let sensitive = read.headers().values().map(HeaderValue::is_sensitive);
    assert!(sensitive.eq([true, false]));
}

#[test]
fn more_header_lines_than_can_be_counted_are_left_out() {
    let mut answer = Response::new(Bytes::from("body"));
    // A map has at most 24,576 names, but any number of values for one name.
    for value in 0..=u16::MAX {
        answer.headers_mut().append("x", value.into());
    }
    let bytes = StoredResponse::new(answer).to_bytes();
    let read = StoredResponse::from_bytes(bytes).unwrap();
    assert_eq!(
        (read.body(), read.body_bytes(), read.headers().len()),
        (None, 4, 0)
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        status in 100..1000_u16,
        lines in prop::collection::vec(("[a-z][a-z0-9_-]{0,30}", "[ -~]{0,40}"), 0..20),
        trailers in prop::collection::vec(("[a-z][a-z0-9_-]{0,30}", "[ -~]{0,40}"), 0..4),
        body in prop::collection::vec(any::<u8>(), 0..500),
    ) {
        let mut answer = Response::new(Bytes::from(body));
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in &lines {
            let name: HeaderName = name.parse().unwrap();
            answer.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
        let mut follows = HeaderMap::new();
        for (name, value) in &trailers {
            let name: HeaderName = name.parse().unwrap();
            follows.append(name, HeaderValue::from_str(value).unwrap());
        }
        let stored = StoredResponse::new(answer).with_trailers(follows);
        let read = StoredResponse::from_bytes(stored.to_bytes()).unwrap();
        prop_assert!(read.headers().iter().eq(stored.headers().iter()), "in their order");
        prop_assert_eq!(&read, &stored);
        prop_assert!(read.trailers().iter().eq(stored.trailers().iter()));
        let trailers = read.trailers().clone();
        let response = read.into_response().unwrap();
        prop_assert_eq!(StoredResponse::new(response).with_trailers(trailers), stored);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(read) = StoredResponse::from_bytes(bytes.into()) {
            let again = StoredResponse::from_bytes(read.to_bytes()).unwrap();
            prop_assert_eq!(again, read);
        }
    }
}
