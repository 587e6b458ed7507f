//! Who acts on a store, and what can be done to it: the plain values that a service meets.
//! May come in: what the service says of its operators.
//! Must not know: HTTP, routes, and how an operation is carried out.

pub(crate) mod actor;
pub(crate) mod operation;
