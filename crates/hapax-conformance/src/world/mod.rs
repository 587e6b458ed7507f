//! What a test of the contract needs of a home of stores.
//! What comes in: stores that are opened, and spans of time.
//! It knows no test, and no particular home.

pub(crate) mod world;

pub(crate) mod capability;
pub(crate) mod settings;
