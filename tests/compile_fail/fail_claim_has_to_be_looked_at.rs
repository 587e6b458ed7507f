//! A grant that nobody looks at is dropped at once.
#![deny(unused_must_use)]

use hapax::{Policy, Store};

fn main() -> Result<(), hapax::Error> {
    let store = Store::in_memory().open()?;
    let jobs = store.namespace("jobs", Policy::at_least_once())?;
    jobs.claim("job")?;
    Ok(())
}
