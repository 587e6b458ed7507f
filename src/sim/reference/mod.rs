//! The reference backend: a server in memory, and the link by which each process reaches it.
//! What comes in: the calls of the trait `Backend`, the rates of what goes wrong, the steps of a driver.
//! It knows no rule of the contract: it compares and sets whole rows, as every backend does.
//!
//! There are no threads of its own. Tasks run on the thread that starts or wakes them, sleeps end when the
//! [`ManualClock`](crate::testing::ManualClock) is moved, and with nothing going wrong every answer is ready when
//! its call returns. So a test on one thread is repeatable to the last step, and may still block.

mod client;
mod executor;
mod faults;
mod link;
mod rows;
mod server;
mod skew;
#[cfg(test)]
mod tests;
mod timers;
mod validation;
mod watchers;

pub use crate::sim::reference::client::ReferenceBackend;
pub use crate::sim::reference::faults::{LinkFault, LinkFaults};
pub use crate::sim::reference::link::{InFlight, Leg};
pub use crate::sim::reference::rows::Mark;
pub use crate::sim::reference::server::Server;
pub use crate::sim::reference::skew::Skew;
