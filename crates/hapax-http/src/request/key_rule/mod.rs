//! The form that a client's key must have ([`KeyRule`]), checked before any look-up.
//! Keys that were read from their headers come in.
//! Nothing here knows requests or the store.
//!
//! A stranger who guesses a key can read the answer that is stored under it, so a service should publish a form for
//! its keys and refuse all others.

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
