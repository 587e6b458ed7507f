//! [`ShardOrder`]: the items of a batch, shard by shard.

use crate::engine::shards::Shards;
use crate::value::digest::Digest;

/// The items of a batch, shard by shard, and within a shard in the order in which they came: a batch takes each
/// lock once, and goes through each key in its own order.
#[derive(Debug)]
pub(in crate::engine) struct ShardOrder {
    numbers: Vec<usize>,
    /// Where the items of each shard end among `numbers`.
    ends: Vec<usize>,
}

impl ShardOrder {
    /// Of items by their numbers.
    pub(in crate::engine) fn new(
        shards: &Shards,
        items: impl Iterator<Item = (usize, Digest)> + Clone,
    ) -> Self {
        let mut ends = vec![0; shards.len() + 1];
        for (_, digest) in items.clone() {
            ends[shards.index(digest) + 1] += 1;
        }
        let mut sum = 0;
        for count in &mut ends {
            sum += *count;
            *count = sum;
        }
        // Now each is where its shard begins; it moves to where that ends.
        let mut numbers = vec![0; sum];
        for (number, digest) in items {
            let at = &mut ends[shards.index(digest)];
            numbers[*at] = number;
            *at += 1;
        }
        Self { numbers, ends }
    }

    /// Each shard with its items, in pieces of at most `most`.
    pub(in crate::engine) fn runs(&self, most: usize) -> impl Iterator<Item = (usize, &[usize])> {
        let mut begin = 0;
        self.ends.iter().enumerate().flat_map(move |(shard, end)| {
            let run = &self.numbers[begin..*end];
            begin = *end;
            run.chunks(most).map(move |run| (shard, run))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Digest, ShardOrder, Shards};

    #[test]
    fn each_shard_has_its_items_in_their_order() {
        let shards = Shards::new(4, 0, false);
        let digest = |route| Digest {
            words: [0; 3],
            route,
        };
        let items = [2, 0, 2, 3, 0, 2].map(digest).into_iter().enumerate();
        let order = ShardOrder::new(&shards, items.filter(|(number, _)| *number != 3));
        let runs: Vec<_> = order.runs(2).collect();
        let expected: [(usize, &[usize]); 3] = [(0, &[1, 4]), (2, &[0, 2]), (2, &[5])];
        assert_eq!(runs, expected);
    }
}
