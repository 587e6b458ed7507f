//! The contract, through the public API.

mod compaction;
mod contract_claim;
mod contract_support;
mod smoke;
