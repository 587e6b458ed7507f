//! The contract, through the public API.

mod smoke;
