//! Who only borrows a lease cannot settle it.
use hapax::{Claim, Policy, Store};

fn main() -> Result<(), hapax::Error> {
    let store = Store::in_memory().open()?;
    let jobs = store.namespace("jobs", Policy::at_least_once())?;
    let Claim::Granted(lease) = jobs.claim("job")? else { return Ok(()) };
    let shared = &lease;
    shared.complete("done")?;
    Ok(())
}
