//! Does whatever comes to a store on a log in memory, crashes included, and holds every
//! answer against the model.
//!
//! `cargo +nightly fuzz run state_machine`

#![no_main]

mod machine;
mod model;

use libfuzzer_sys::fuzz_target;

use machine::{Machine, Operation};

const OPERATIONS_MAX: usize = 256;

fuzz_target!(|input: (bool, Vec<Operation>)| {
    let (interval, operations) = input;
    let mut machine = Machine::new(interval);
    for operation in operations.iter().take(OPERATIONS_MAX) {
        machine.step(operation);
        machine.validate();
    }
    machine.crash(0);
    machine.validate();
});
