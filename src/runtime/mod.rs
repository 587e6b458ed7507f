//! The services of the process: time, threads, locks, and whether this is still the same process.
//! What comes in: wakers, closures of threads, durations. Only this room reads a clock and makes a lock.
//! It knows nothing of keys, records or stores.

pub(crate) mod begun;
pub(crate) mod clock;
pub(crate) mod manual_clock;
pub(crate) mod patience;
pub(crate) mod prefetch;
pub(crate) mod process;
pub(crate) mod store_time;
pub(crate) mod sync;
