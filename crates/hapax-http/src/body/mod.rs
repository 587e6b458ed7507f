//! Bodies of requests and responses: read whole up to a limit, passed on as they arrive, or streamed.
//! Any `http_body::Body` comes in, and goes out as frames of `Bytes`.
//! Nothing here knows keys, options or the store.

pub(crate) mod collected;
pub(crate) mod error;
pub(crate) mod frames;
pub(crate) mod reply_body;
pub(crate) mod request_body;
pub(crate) mod whole;
