//! The form that keys must have ([`KeyRule`](rule::KeyRule)), checked before any look-up.
//! What comes in: keys that are text, as clients sent them.
//! It knows neither namespaces nor what is stored under a key.

mod alphabet;
mod choice;
mod entropy;
mod form;
pub(crate) mod refused;
pub(crate) mod rule;
#[cfg(test)]
mod tests;
