//! One run of a handler: the task that it lives in, the lease that it holds, the response that it streams.
//! A granted lease and a request come in, and an answer goes out.
//! Nothing here knows how the key was found, or what is refused before it.

pub(crate) mod client_stream;
#[cfg(feature = "axum")]
mod extractor;
pub(crate) mod handler_task;
pub(crate) mod held_key;
mod panic;
pub(crate) mod run_handle;
