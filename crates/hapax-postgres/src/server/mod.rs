//! A server and one connection to it.
//! What comes in: a URL and options; statements with their parameters.
//! It knows no call: it sends text and gives rows back, or says what went wrong.

pub(crate) mod connection;
pub(crate) mod target;
#[cfg(feature = "tls")]
pub(crate) mod tls;
