//! How requests and answers write bytes and states.
//! May come in: bytes, text, and the states of the core.
//! Must not know: HTTP, problems, and what the bytes mean.

pub(crate) mod hex;
pub(crate) mod percent;
pub(crate) mod seconds;
pub(crate) mod state_name;
