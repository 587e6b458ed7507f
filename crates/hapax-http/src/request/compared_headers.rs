//! Which headers of a request say what it does, so that they are compared without being asked for.

use http::HeaderName;
use http::header::{
    CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_RANGE,
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};

/// On which state the request is to act (RFC 9110 section 13), on which part (section 14), and what the body
/// is apart from its type (section 8).
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

/// The operation itself: `WebDAV` (RFC 4918), SOAP, and methods that travel within a `POST`.
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

/// Resumable uploads, tus and the draft of the IETF alike: where the body goes, and to which upload.
const UPLOADS: &str = "upload-";

/// Whether this header is compared by default.
pub(crate) fn counts(name: &HeaderName) -> bool {
    STANDARD.contains(name)
        || OPERATIONS.contains(&name.as_str())
        || name.as_str().starts_with(UPLOADS)
}
