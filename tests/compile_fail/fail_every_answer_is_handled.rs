//! A match that forgets an answer does not compile.

use hapax::{Claim, Policy, Store};

fn main() -> Result<(), hapax::Error> {
    let store = Store::in_memory().open()?;
    let jobs = store.namespace("jobs", Policy::at_most_once())?;
    match jobs.claim("job")? {
        Claim::Granted(lease) => lease.complete("done")?,
        Claim::InProgress(_) | Claim::Completed(_) | Claim::Failed(_) | Claim::Mismatch(_) => {}
    }
    Ok(())
}
