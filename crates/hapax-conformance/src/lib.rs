//! The tests of hapax's contract, the same for each home that a store may have.
//!
//! A [`World`] is a place for one store, with a clock that only a test moves. Each test of [`CASES`] is a function of
//! a world. [`conformance!`] makes a `#[test]` of each for one kind of world, and one more that holds the list of those
//! that this kind [does not have to pass](not_applicable), because it lacks a [`Capability`] that they need.
//!
//! ```ignore
//! hapax_conformance::conformance!(DirectoryWorld::files, not applicable: ["processes::..."]);
//! ```

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

mod contract;
mod homes;
mod site;
mod suite;
mod world;

pub use crate::homes::directory_world::DirectoryWorld;
pub use crate::homes::memory_world::MemoryWorld;
pub use crate::homes::reference_world::ReferenceWorld;
pub use crate::suite::case::Case;
pub use crate::suite::run::{not_applicable, run};
pub use crate::suite::table::CASES;
pub use crate::world::capability::{Capabilities, Capability};
pub use crate::world::settings::Settings;
pub use crate::world::world::World;
