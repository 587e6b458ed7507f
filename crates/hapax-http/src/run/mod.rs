//! One run of a handler: its task, the key that it holds, and the response that it streams.
//! A granted lease, its request and the inner service come in.
//! Nothing here knows how a key is read or claimed.

pub(crate) mod client_stream;
#[cfg(feature = "axum")]
mod extractor;
pub(crate) mod handler_task;
pub(crate) mod held_key;
mod panic;
pub(crate) mod run_handle;
