//! A settled lease is gone.
use hapax::{Claim, Policy, Store};

fn main() -> Result<(), hapax::Error> {
    let store = Store::in_memory().open()?;
    let jobs = store.namespace("jobs", Policy::at_least_once())?;
    let Claim::Granted(lease) = jobs.claim("job")? else { return Ok(()) };
    lease.complete("done")?;
    lease.renew()?;
    Ok(())
}
