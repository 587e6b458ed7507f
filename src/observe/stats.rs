//! [`Stats`]: what a store holds, and what opening it found.

use std::time::{Duration, SystemTime};

use crate::value::time::system_time;

macro_rules! gauges {
    ($(#[$about:meta])* struct Stats { $($(#[$doc:meta])* $name:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default)]
        pub struct Stats {
            pub(crate) store_secs: u32,
            $(pub(crate) $name: $type,)*
        }

        impl Stats {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(&self) -> $type {
                self.$name
            })*
        }
    };
}

gauges! {
    /// What a store holds now, and what opening it found. Its [`Metrics`](crate::metrics::Metrics) count what
    /// it has done since then.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Policy, Store};
    ///
    /// let store = Store::in_memory().open()?;
    /// store.namespace("seen", Policy::at_least_once())?.insert("event-7")?;
    /// let stats = store.stats();
    /// assert_eq!((stats.keys(), stats.running_keys()), (1, 0));
    /// # Ok::<(), hapax::Error>(())
    /// ```
    struct Stats {
        /// Keys in the tables; expired ones count until a sweep meets them.
        keys: u64,
        /// Running keys, including lapsed ones that were not taken over.
        running_keys: u64,
        /// Callers that wait for a key.
        waiters: u64,
        /// Bytes of the tables of settled keys.
        table_bytes: u64,
        /// Bytes of frames that are kept in memory for retries.
        window_bytes: u64,
        /// Segments of the log.
        segments: u64,
        /// Records that are the newest of their key and have not expired.
        live_records: u64,
        /// Bytes of records in the log, dead ones included.
        log_bytes: u64,
        /// An estimate of the bytes of live records in the log.
        live_bytes: u64,
        /// Bytes that the log occupies on its medium.
        disk_bytes: u64,
        /// The last frame that holds a record.
        last_frame: u64,
        /// The last frame that is on the medium with all before it.
        durable_frame: u64,
        /// Records that recovery read.
        recovered_records: u64,
        /// Frames that recovery found after the end of the log; none of them was acknowledged.
        torn_frames: u64,
        /// How long recovery took.
        recovery: Duration,
    }
}

impl Stats {
    /// Store time, in which retention is counted, in whole seconds.
    #[must_use]
    pub fn store_time(&self) -> SystemTime {
        system_time(self.store_secs)
    }
}
