//! What the layer reads of a request: its key, its operation, its body, and its fingerprint.
//! The head and the body of a request come in.
//! Nothing here knows claims, leases or the inner service.

mod compared_headers;
pub(crate) mod coverage;
pub(crate) mod fingerprint;
mod form_body;
mod framing;
pub mod header;
pub(crate) mod key_composition;
pub(crate) mod limited_body;
mod media_type;
pub(crate) mod operation;
mod uri_spelling;
