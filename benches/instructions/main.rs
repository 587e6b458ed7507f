//! One kind of call, made over and over on the main thread, for `ci/instructions` to count.
//!
//! `cargo bench --bench instructions -- claim` makes the calls of one scenario, without a name those of
//! all; nothing is counted without callgrind. Where to look first: `scenarios.rs` has the calls,
//! `rig.rs` the store, its keys, and the function in which callgrind counts.

mod batches;
mod rig;
mod scenarios;
mod singles;

use std::io::{self, Write};
use std::process::ExitCode;

use scenarios::{SCENARIOS, Scenario};

fn main() -> ExitCode {
    // `cargo bench` adds flags for a harness, which this is not.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--") || arg == "--list")
        .collect();
    if wanted.iter().any(|arg| arg == "--list") {
        return list();
    }
    let picked: Vec<&Scenario> = SCENARIOS
        .iter()
        .filter(|scenario| wanted.is_empty() || wanted.iter().any(|name| name == scenario.name))
        .collect();
    for scenario in picked {
        let calls = scenario.make_calls();
        if writeln!(io::stdout(), "{} {calls}", scenario.name).is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn list() -> ExitCode {
    let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    match writeln!(io::stdout(), "{}", names.join("\n")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
