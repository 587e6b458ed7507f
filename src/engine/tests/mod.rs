//! Tests of the engine with a log that fails, waits or lies.
//! What comes in: faults, told to the log beneath.
//! They use the public API where it reaches.

mod archives;
mod audit;
mod batches;
mod chores;
mod faults;
mod foreign_code;
mod holders;
mod hooked_log;
mod hostile;
mod stuck_medium;
