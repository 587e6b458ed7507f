//! The handlers: each reads its request, passes a gate, and answers from the store.
//! May come in: requests, and what the handlers of one router share.
//! Must not know: where the router is mounted, and the page of `glance/`.

pub(crate) mod actions;
pub(crate) mod audit;
pub(crate) mod keys;
pub(crate) mod store;
pub(crate) mod vitals;
