//! The contract, through the public API.

mod compaction;
mod smoke;
