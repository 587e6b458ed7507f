//! All parking and waking: the one room where a thread or a task goes to sleep.
//! What comes in: futures and wakers of callers, the work of a store's own threads.
//! It does not know the reason of a wait.
//!
//! Every wait is a future that needs no runtime; a blocking call drives the same future on its own thread.
//! Wakers run foreign code, so no waker is woken under a lock.
//!
//! Every lock, atomic and thread of the library is named here: with `--cfg hapax_shuttle` the unit
//! tests get those of shuttle, which tries out the orders in which threads can run.

mod block_on;
mod drive;
mod duty;
pub(crate) mod forks;
mod mailbox;
#[cfg(not(all(test, hapax_shuttle)))]
mod native;
pub(crate) mod refusals;
mod shard_scope;
#[cfg(all(test, hapax_shuttle))]
mod shuttled;
mod signal;
#[cfg(feature = "sim")]
pub(crate) mod simulated;
mod spawn;
mod wakes;

pub(crate) use crate::runtime::sync::block_on::block_on;
pub(crate) use crate::runtime::sync::drive::Drive;
pub(crate) use crate::runtime::sync::duty::{Duty, serve};
pub(crate) use crate::runtime::sync::mailbox::Mailbox;
#[cfg(not(all(test, hapax_shuttle)))]
pub(crate) use crate::runtime::sync::native::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Builder, Condvar, JoinHandle, Mutex, MutexGuard,
    Ordering, Thread, current, panicking, park, thread_local,
};
pub(crate) use crate::runtime::sync::shard_scope::{ShardScope, assert_outside_shards};
#[cfg(all(test, hapax_shuttle))]
pub(crate) use crate::runtime::sync::shuttled::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Builder, Condvar, JoinHandle, Mutex, MutexGuard,
    Ordering, Thread, current, panicking, park, thread_local,
};
pub(crate) use crate::runtime::sync::signal::Signal;
pub(crate) use crate::runtime::sync::spawn::{is_this_thread, pipe, spawn};
pub(crate) use crate::runtime::sync::wakes::{Wakes, contain, wake};
/// Only the logs on a disk use these, and shuttle cannot run those logs.
pub(crate) use parking_lot::RwLock;
