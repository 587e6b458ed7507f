//! Who acts on a store, and what an operator can do: plain values, all of them public.
//! May come in: what the service knows about its operators.
//! Must not know: routes, problems, and how an operation is carried out.

pub(crate) mod actor;
pub(crate) mod operation;
