//! What an answer looks like: keys, bytes and troubles as JSON, and problems with their codes.
//! May come in: values of the core, and a refusal by the service.
//! Must not know: requests, routes, and how values are read.

pub(crate) mod bytes_view;
pub(crate) mod json;
pub(crate) mod key_view;
pub(crate) mod page;
pub(crate) mod problem;
pub(crate) mod trouble_view;
