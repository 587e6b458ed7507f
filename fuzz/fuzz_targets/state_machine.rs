//! Puts a store on a log in memory through anything: claims alone, in line and in batches, wrong
//! clocks, failing media, crashes. Every answer is compared with the model.
//!
//! `ci/fuzz 60 state_machine`

#![no_main]

mod bounded;
mod line;
mod machine;
mod model;
mod operation;

use libfuzzer_sys::fuzz_target;

use machine::Machine;
use operation::{Operation, Setup};

const OPERATIONS_MAX: usize = 256;

fuzz_target!(|input: (Setup, Vec<Operation>)| {
    let (setup, operations) = input;
    let mut machine = Machine::new(setup);
    for operation in operations.iter().take(OPERATIONS_MAX) {
        machine.step(operation);
        machine.validate();
    }
    machine.crash(0);
    machine.validate();
});
