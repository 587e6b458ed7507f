//! What is read of a request: its key, its operation, its body, and what is compared when its key comes again.
//! The head and the body of a request come in, and a key, a fingerprint or a refusal comes out.
//! Nothing here knows the store's answers, leases or the service inside.

mod compared_headers;
pub(crate) mod coverage;
pub(crate) mod fingerprint;
mod form_body;
mod framing;
pub mod header;
pub(crate) mod key_composition;
pub mod key_rule;
pub(crate) mod limited_body;
mod media_type;
pub(crate) mod operation;
mod uri_spelling;
