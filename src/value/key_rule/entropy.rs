//! The entropy of a text, estimated from its characters alone.

/// The Shannon entropy of the distribution of these characters times their number, in bits.
pub(super) fn shannon_bits(characters: impl Iterator<Item = u8>) -> f64 {
    let mut counts = [0_u32; 256];
    for character in characters {
        counts[usize::from(character)] += 1;
    }
    of_counts(&counts)
}

/// The most that [`shannon_bits`] can give for `length` characters out of `kinds`: the characters are spread as
/// evenly as possible.
pub(super) fn most_shannon_bits(length: usize, kinds: usize) -> f64 {
    let mut counts = [0_u32; 256];
    let kinds = kinds.min(counts.len());
    for at in 0..length {
        if let Some(kind) = at.checked_rem(kinds) {
            counts[kind] += 1;
        }
    }
    of_counts(&counts)
}

fn of_counts(counts: &[u32]) -> f64 {
    let length = f64::from(counts.iter().sum::<u32>());
    let seen = counts.iter().filter(|count| **count > 0);
    seen.map(|count| f64::from(*count) * (length / f64::from(*count)).log2())
        .sum()
}
