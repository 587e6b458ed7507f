//! [`KeyRule`]: what a client's key has to look like, checked before anything is looked up.
//! A key that was read from its header comes in.
//! Nothing here knows requests or the store.
//!
//! A key that can be guessed lets a stranger read the answer that is stored under it, so a service
//! should publish a form for its keys and refuse all others.

mod alphabet;
mod choice;
mod entropy;
mod form;
mod refused;
mod rule;
#[cfg(test)]
mod tests;

pub use refused::{InvalidRule, KeyFault, KeyRefused};
pub use rule::KeyRule;
