//! [`run`]: one test of the table in one world, and those that are not for it.

use std::io::Write;

use crate::suite::table::CASES;
use crate::world::world::World;

/// The tests that a world does not have to pass, by their names.
#[must_use]
pub fn not_applicable(world: &dyn World) -> Vec<&'static str> {
    let out = CASES.iter().filter(|case| !case.lacks(world).is_empty());
    out.map(|case| case.name).collect()
}

/// Runs the test of this name, or says past the capture of the harness that it is not applicable.
///
/// # Panics
///
/// If the test fails, or no test has this name.
pub fn run(world: &dyn World, name: &str) {
    let case = CASES.iter().find(|case| case.name == name);
    let case = case.unwrap_or_else(|| panic!("there is no test {name}"));
    let lacks = case.lacks(world);
    if lacks.is_empty() {
        (case.test)(world);
    } else {
        let _ = writeln!(
            std::io::stderr(),
            "\n**** NOT APPLICABLE: {name} needs {lacks:?}"
        );
    }
}
