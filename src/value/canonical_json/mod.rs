//! One spelling for every JSON body that means the same request.
//! What comes in: the bytes of a body, and JSON pointers.
//! It knows neither fingerprints nor stores.
//!
//! `form.rs` has the options, `pass.rs` reads a body and writes its form, `number.rs` has the two forms of
//! numbers, `pick.rs` says what counts, `refusal.rs` why a body is refused.

mod form;
mod number;
mod pass;
mod pick;
mod refusal;
#[cfg(test)]
mod tests;

pub use crate::value::canonical_json::form::CanonicalJson;
pub use crate::value::canonical_json::refusal::CanonicalJsonError;
