//! What a store holds, summed over its shards and its log.

use crate::engine::engine::Engine;
use crate::engine::sizes::to_u64;
use crate::observe::stats::Stats;

impl Engine {
    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for shard in self.shards.all() {
            stats.keys += to_u64(shard.keys());
            stats.running_keys += to_u64(shard.running_keys());
            stats.table_bytes += to_u64(shard.memory_bytes());
        }
        stats.waiters = to_u64(self.line.waiters());
        self.journal.with_tail(|tail| {
            stats.window_bytes = to_u64(tail.window_bytes());
            stats.last_frame = tail.last_used();
            for segment in tail.census.segments() {
                stats.segments += 1;
                stats.live_records += segment.live;
                stats.log_bytes += segment.bytes;
                stats.live_bytes += segment.live_bytes();
            }
        });
        stats.store_secs = self.time.store_secs();
        stats.durable_frame = self.journal.durable();
        stats.disk_bytes = self.journal.log().disk_bytes().unwrap_or(0);
        stats.recovered_records = self.opened.recovered_records;
        stats.torn_frames = self.opened.torn_frames;
        stats.recovery = self.opened.recovery;
        stats
    }
}
