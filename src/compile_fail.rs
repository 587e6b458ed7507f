//! What the compiler has to refuse: a lease has one outcome.
//!
//! Each case names the error that it has to end in; a nightly compiler checks that too. The last one
//! compiles, so that a mistake that they all share would show.

/// A grant that is not looked at is dropped at once.
///
/// ```compile_fail
/// #![deny(unused_must_use)]
///
/// use hapax::{Policy, Store};
///
/// fn main() -> Result<(), hapax::Error> {
///     let store = Store::in_memory().open()?;
///     let jobs = store.namespace("jobs", Policy::at_least_once())?;
///     jobs.claim("job")?;
///     Ok(())
/// }
/// ```
mod claim_has_to_be_looked_at {}

/// Work may not have run, whatever the store could answer.
///
/// ```compile_fail
/// #![deny(unused_must_use)]
///
/// use hapax::{Policy, RunError, Store};
///
/// fn main() -> Result<(), RunError<String>> {
///     let store = Store::in_memory().open()?;
///     let jobs = store.namespace("jobs", Policy::at_least_once())?;
///     jobs.run_once("job", |_| Ok::<_, String>("done".to_owned()))?;
///     Ok(())
/// }
/// ```
mod run_has_to_be_looked_at {}

/// A value of any type is stored as `Json`; the compiler says so.
///
/// ```compile_fail,E0277
/// use hapax::{Policy, Store};
///
/// struct Receipt;
///
/// fn main() -> Result<(), hapax::Error> {
///     let store = Store::in_memory().open()?;
///     let jobs = store.namespace("jobs", Policy::at_least_once())?;
///     let _ran = jobs.run_once("job", |_| Ok::<_, std::io::Error>(Receipt));
///     Ok(())
/// }
/// ```
mod run_with_a_value_of_any_type {}

/// There is one holder.
///
/// ```compile_fail,E0599
/// use hapax::{Claim, Policy, Store};
///
/// fn main() -> Result<(), hapax::Error> {
///     let store = Store::in_memory().open()?;
///     let jobs = store.namespace("jobs", Policy::at_least_once())?;
///     let Claim::Granted(lease) = jobs.claim("job")? else { return Ok(()) };
///     let _copy = lease.clone();
///     drop(lease);
///     Ok(())
/// }
/// ```
mod clone_lease {}

/// An outcome is final.
///
/// ```compile_fail,E0382
/// use hapax::{Claim, Policy, Store};
///
/// fn main() -> Result<(), hapax::Error> {
///     let store = Store::in_memory().open()?;
///     let jobs = store.namespace("jobs", Policy::at_least_once())?;
///     let Claim::Granted(lease) = jobs.claim("job")? else { return Ok(()) };
///     lease.complete("done")?;
///     lease.fail("not done")?;
///     Ok(())
/// }
/// ```
mod complete_and_fail {}

/// A key is completed once.
///
/// ```compile_fail,E0382
/// use hapax::{Claim, Policy, Store};
///
/// fn main() -> Result<(), hapax::Error> {
///     let store = Store::in_memory().open()?;
///     let jobs = store.namespace("jobs", Policy::at_least_once())?;
///     let Claim::Granted(lease) = jobs.claim("job")? else { return Ok(()) };
///     lease.complete("done")?;
///     lease.complete("done again")?;
///     Ok(())
/// }
/// ```
mod complete_twice {}

/// A match that forgets an answer does not compile.
///
/// ```compile_fail,E0004
/// use hapax::{Claim, Policy, Store};
///
/// fn main() -> Result<(), hapax::Error> {
///     let store = Store::in_memory().open()?;
///     let jobs = store.namespace("jobs", Policy::at_most_once())?;
///     match jobs.claim("job")? {
///         Claim::Granted(lease) => lease.complete("done")?,
///         Claim::InProgress(_) | Claim::Completed(_) | Claim::Failed(_) | Claim::Mismatch(_) => {}
///     }
///     Ok(())
/// }
/// ```
mod every_answer_is_handled {}

/// A settled lease is gone.
///
/// ```compile_fail,E0382
/// use hapax::{Claim, Policy, Store};
///
/// fn main() -> Result<(), hapax::Error> {
///     let store = Store::in_memory().open()?;
///     let jobs = store.namespace("jobs", Policy::at_least_once())?;
///     let Claim::Granted(lease) = jobs.claim("job")? else { return Ok(()) };
///     lease.complete("done")?;
///     lease.renew()?;
///     Ok(())
/// }
/// ```
mod renew_after_complete {}

/// Who only borrows a lease cannot settle it.
///
/// ```compile_fail,E0507
/// use hapax::{Claim, Policy, Store};
///
/// fn main() -> Result<(), hapax::Error> {
///     let store = Store::in_memory().open()?;
///     let jobs = store.namespace("jobs", Policy::at_least_once())?;
///     let Claim::Granted(lease) = jobs.claim("job")? else { return Ok(()) };
///     let shared = &lease;
///     shared.complete("done")?;
///     Ok(())
/// }
/// ```
mod settle_shared {}

/// The async form takes the lease when it is called.
///
/// ```compile_fail,E0382
/// use hapax::{Claim, Policy, Store};
///
/// fn main() -> Result<(), hapax::Error> {
///     let store = Store::in_memory().open()?;
///     let jobs = store.namespace("jobs", Policy::at_least_once())?;
///     let Claim::Granted(lease) = jobs.claim("job")? else { return Ok(()) };
///     let _waits = lease.complete_async("done");
///     let _ = lease.token();
///     Ok(())
/// }
/// ```
mod use_after_async {}

/// A detached lease lives on as its ticket only.
///
/// ```compile_fail,E0382
/// use hapax::{Claim, Policy, Store};
///
/// fn main() -> Result<(), hapax::Error> {
///     let store = Store::in_memory().open()?;
///     let jobs = store.namespace("jobs", Policy::at_least_once())?;
///     let Claim::Granted(lease) = jobs.claim("job")? else { return Ok(()) };
///     let _ticket = lease.detach()?;
///     lease.checkpoint("half way")?;
///     Ok(())
/// }
/// ```
mod use_after_detach {}

/// A lease that is settled once compiles.
///
/// ```
/// use hapax::{Claim, Policy, Store};
///
/// fn main() -> Result<(), hapax::Error> {
///     let store = Store::in_memory().open()?;
///     let jobs = store.namespace("jobs", Policy::at_least_once())?;
///     let Claim::Granted(lease) = jobs.claim("job")? else { return Ok(()) };
///     lease.renew()?;
///     lease.complete("done")?;
///     Ok(())
/// }
/// ```
mod one_outcome {}
