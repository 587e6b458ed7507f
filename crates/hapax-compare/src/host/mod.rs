//! The machine, its clock and its processes, and the servers that a run starts on it.

pub mod machine;
pub mod process;
pub mod server;
pub mod stopwatch;
