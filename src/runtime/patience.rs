//! [`Patience`]: how long another thread has kept a watcher waiting.

/// How long another thread has kept waiting a watcher that looks now and then.
///
/// Counts only time in which the watcher itself ran: a process that was stopped, or a machine that
/// was suspended, says nothing about the other thread, which could not answer either.
#[derive(Debug)]
pub(crate) struct Patience {
    last_ms: u64,
    seen_ms: u64,
}

/// Between two looks no more than this counts: a few of the ticks at which looks come.
pub(crate) const LOOK_MS_MAX: u64 = 500;

impl Patience {
    /// Waits from `since_ms` on.
    pub(crate) fn new(since_ms: u64) -> Self {
        Self {
            last_ms: since_ms,
            seen_ms: 0,
        }
    }

    /// Looks again, and returns how long the wait has taken.
    pub(crate) fn look(&mut self, now_ms: u64) -> u64 {
        let passed_ms = now_ms.saturating_sub(self.last_ms).min(LOOK_MS_MAX);
        self.last_ms = self.last_ms.max(now_ms);
        self.seen_ms = self.seen_ms.saturating_add(passed_ms);
        self.seen_ms
    }
}

#[cfg(test)]
mod tests {
    use super::{LOOK_MS_MAX, Patience};

    #[test]
    fn patience_counts_only_what_was_watched() {
        let mut patience = Patience::new(1000);
        assert_eq!(patience.look(1100), 100);
        assert_eq!(
            patience.look(61_100),
            100 + LOOK_MS_MAX,
            "the watcher stood still"
        );
        assert_eq!(
            patience.look(61_000),
            100 + LOOK_MS_MAX,
            "time never runs back"
        );
        assert_eq!(patience.look(61_200), 200 + LOOK_MS_MAX);
    }
}
