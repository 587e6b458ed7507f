//! The headers that are compared by default, because they say what a request does.

use http::HeaderName;
use http::header::{
    CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_RANGE,
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};

/// The state that the request acts on (RFC 9110 section 13), the part (section 14), and what the body is besides its
/// type (section 8).
const STANDARD: [HeaderName; 11] = [
    IF_MATCH,
    IF_NONE_MATCH,
    IF_MODIFIED_SINCE,
    IF_UNMODIFIED_SINCE,
    IF_RANGE,
    RANGE,
    CONTENT_RANGE,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LOCATION,
    CONTENT_DISPOSITION,
];

/// The operation itself: `WebDAV` (RFC 4918), SOAP, and methods inside a `POST`.
const OPERATIONS: [&str; 8] = [
    "depth",
    "destination",
    "if",
    "overwrite",
    "soapaction",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// Resumable uploads, both tus and the draft of the IETF: the upload that the body belongs to, and where it goes.
const UPLOADS: &str = "upload-";

/// Whether this header is compared by default.
pub(crate) fn counts(name: &HeaderName) -> bool {
    STANDARD.contains(name)
        || OPERATIONS.contains(&name.as_str())
        || name.as_str().starts_with(UPLOADS)
}
