//! [`repeats`]: the items of a batch whose key an earlier item has.

use crate::engine::sizes::to_index;
use crate::value::digest::Digest;

/// Tells `found` of each item whose key the batch has already: the first item of that key, and this one.
///
/// A table of open addresses over the digests, at most half full: an item costs one look at it. Digests come of
/// a secret, so no choice of keys makes a probe long. `is_same` compares two items whole.
pub(in crate::engine) fn repeats(
    digests: impl ExactSizeIterator<Item = Digest>,
    is_same: impl Fn(usize, usize) -> bool,
    mut found: impl FnMut(usize, usize),
) {
    let mask = (digests.len() * 2).next_power_of_two() - 1;
    // The index of an item, and one more: 0 is a free place.
    let mut places = vec![0_u32; mask + 1];
    for (index, digest) in digests.enumerate() {
        let mut at = to_index(digest.words[0]) & mask;
        loop {
            let place = &mut places[at];
            if *place == 0 {
                *place = u32::try_from(index + 1).expect("a batch has at most 65,536 items");
                break;
            }
            let first = to_index(*place - 1);
            if is_same(first, index) {
                found(first, index);
                break;
            }
            at = (at + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Digest, repeats};

    fn found(items: &[(u32, &str)]) -> Vec<(usize, usize)> {
        let digest = |(word, _): &(u32, &str)| Digest {
            words: [*word, 0, 0],
            route: 0,
        };
        let mut pairs = Vec::new();
        repeats(
            items.iter().map(digest),
            |a, b| items[a] == items[b],
            |first, index| pairs.push((first, index)),
        );
        pairs
    }

    #[test]
    fn a_repeat_names_the_first_item_of_its_key() {
        assert_eq!(found(&[]), []);
        let items = [(1, "a"), (2, "b"), (1, "a"), (1, "a")];
        assert_eq!(found(&items), [(0, 2), (0, 3)]);
    }

    #[test]
    fn keys_whose_places_or_digests_are_the_same_are_told_apart() {
        // All want the last place of the table, and go on at its first.
        let items = [(15, "a"), (31, "b"), (15, "c"), (31, "b")];
        assert_eq!(found(&items), [(1, 3)]);
        let whole: Vec<_> = (0..1000).map(|word| (word << 16, "k")).collect();
        assert_eq!(found(&whole), []);
    }
}
