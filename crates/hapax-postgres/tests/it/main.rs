//! The backend over a real server, which the tests start for themselves.
//!
//! Where no PostgreSQL is installed they say so, loudly, and pass. `HAPAX_POSTGRES_BIN` names the folder of its
//! programs where they are not found.

mod cells;
mod closing;
mod cluster;
mod conformance;
mod crashes;
mod errors;
mod hot;
mod manifests;
mod migrations;
mod pages;
mod processes;
mod races;
mod stamps;
mod stores;
mod sweeping;
mod throughput;
#[cfg(feature = "tls")]
mod tls;
mod tokens;
mod world;
