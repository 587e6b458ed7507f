//! [`repeats`]: the items of a batch whose key an earlier item has.

use crate::engine::call::batch::BatchItem;
use crate::engine::sizes::to_index;

/// Tells `found` of each item whose key the batch has already: the first item of that key, and this one.
///
/// A table of open addresses over the digests, at most half full: an item costs one look at it. Digests come of
/// a secret, so no choice of keys makes a probe long.
pub(in crate::engine) fn repeats(items: &[BatchItem], mut found: impl FnMut(usize, usize)) {
    let mask = (items.len() * 2).next_power_of_two() - 1;
    // The index of an item, and one more: 0 is a free place.
    let mut places = vec![0_u32; mask + 1];
    for (index, item) in items.iter().enumerate() {
        let mut at = to_index(item.digest.words[0]) & mask;
        loop {
            let place = &mut places[at];
            if *place == 0 {
                *place = u32::try_from(index + 1).expect("a batch has at most 65,536 items");
                break;
            }
            let first = to_index(*place - 1);
            if items[first].digest == item.digest && items[first].key == item.key {
                found(first, index);
                break;
            }
            at = (at + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BatchItem, repeats};
    use crate::state::request::Request;
    use crate::value::digest::Digest;
    use crate::value::key_bytes::KeyBytes;

    /// An item whose key is `key`, with this digest, or as good as.
    fn item(word: u32, key: &str) -> BatchItem {
        BatchItem {
            digest: Digest {
                words: [word, 0, 0],
                route: 0,
            },
            key: KeyBytes::from(key.as_bytes()),
            request: Request {
                lease_ms: 1,
                keep_alive_ms: 0,
                parts: None,
            },
        }
    }

    fn found(items: &[BatchItem]) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        repeats(items, |first, index| pairs.push((first, index)));
        pairs
    }

    #[test]
    fn a_repeat_names_the_first_item_of_its_key() {
        assert_eq!(found(&[]), []);
        let items = [item(1, "a"), item(2, "b"), item(1, "a"), item(1, "a")];
        assert_eq!(found(&items), [(0, 2), (0, 3)]);
    }

    #[test]
    fn keys_whose_places_or_digests_are_the_same_are_told_apart() {
        // All want the last place of the table, and go on at its first.
        let items = [item(15, "a"), item(31, "b"), item(15, "c"), item(31, "b")];
        assert_eq!(found(&items), [(1, 3)]);
        let whole: Vec<_> = (0..1000).map(|word| item(word << 16, "k")).collect();
        assert_eq!(found(&whole), []);
    }
}
