//! The store as users open it: builder, configuration, namespaces, maintenance.
//! What comes in: paths, options and calls of users. Limits are checked here, before any work.
//! It decides nothing about a key: that is the engine's.

pub(crate) mod builder;
#[cfg(feature = "prometheus-client")]
pub(crate) mod collector;
pub(crate) mod config;
pub(crate) mod configure;
pub(crate) mod handle;
pub(crate) mod location;
pub(crate) mod maintenance;
pub(crate) mod namespace;
mod over;
pub(crate) mod store;
pub(crate) mod survey;
