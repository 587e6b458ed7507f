//! [`ShardScope`]: while a thread holds the lock of a shard, it must not wait or wake.

#[cfg(debug_assertions)]
use crate::runtime::sync::thread_local;

#[cfg(debug_assertions)]
thread_local! {
    static IN_SHARD: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// The time during which this thread holds the lock of a shard. Debug builds check that it holds
/// one at a time, and that nothing waits, wakes or does I/O meanwhile.
#[derive(Debug)]
pub(crate) struct ShardScope(());

impl ShardScope {
    pub(crate) fn enter() -> Self {
        #[cfg(debug_assertions)]
        assert!(
            !IN_SHARD.with(|flag| flag.replace(true)),
            "a thread holds the lock of one shard at a time"
        );
        Self(())
    }
}

impl Drop for ShardScope {
    fn drop(&mut self) {
        #[cfg(debug_assertions)]
        IN_SHARD.with(|flag| flag.set(false));
    }
}

/// Checks in debug builds that this thread holds no shard while it does this.
pub(crate) fn assert_outside_shards(doing: &str) {
    #[cfg(debug_assertions)]
    assert!(
        !IN_SHARD.with(std::cell::Cell::get),
        "{doing} under the lock of a shard"
    );
    #[cfg(not(debug_assertions))]
    let _ = doing;
}

#[cfg(test)]
mod tests {
    use super::ShardScope;

    #[test]
    #[should_panic(expected = "one shard at a time")]
    fn a_second_shard_lock_is_caught() {
        let _first = ShardScope::enter();
        let _second = ShardScope::enter();
    }
}
