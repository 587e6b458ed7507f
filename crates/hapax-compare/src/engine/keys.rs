//! The same keys and records for every engine: the i-th key of a run is always the same 16 bytes.

/// Bytes of a key.
pub const KEY_BYTES: usize = 16;

/// Bytes of what a peer stores when it claims a key.
pub const CLAIM_BYTES: usize = 24;

/// Bytes of the response that a completion stores.
pub const RESPONSE_BYTES: usize = 64;

/// Bytes of key and value that a peer is handed for a pair.
pub const PAIR_BYTES: u64 = (2 * KEY_BYTES + CLAIM_BYTES + RESPONSE_BYTES) as u64;

/// Spread over the whole range, as a random UUID is.
pub type Key = [u8; KEY_BYTES];

/// The i-th key.
#[must_use]
pub fn key(i: u64) -> Key {
    let high = mix(i.wrapping_add(0x9E37_79B9_7F4A_7C15));
    let low = mix(high ^ i);
    ((u128::from(high) << 64) | u128::from(low)).to_be_bytes()
}

/// Keys `from..from + count`, in place of what `keys` held.
pub fn fill(keys: &mut Vec<Key>, from: u64, count: u64) {
    keys.clear();
    keys.extend((from..from + count).map(key));
}

/// The finalizer of splitmix64: one to one, and no bit of it is to be guessed from its neighbours.
#[must_use]
pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// What a peer stores under a key that is claimed: a state, and 23 bytes as a token and times take.
#[must_use]
pub fn claim_record(key: &Key) -> [u8; CLAIM_BYTES] {
    let mut record = [1; CLAIM_BYTES];
    record[8..].copy_from_slice(key);
    record
}

/// The response of a key; it begins with the key, so that a replay can be checked.
#[must_use]
pub fn response(key: &Key) -> [u8; RESPONSE_BYTES] {
    let mut response = [2; RESPONSE_BYTES];
    response[..KEY_BYTES].copy_from_slice(key);
    response
}

/// Whether these bytes are the response of this key.
#[must_use]
pub fn is_response(key: &Key, bytes: &[u8]) -> bool {
    bytes.len() == RESPONSE_BYTES && bytes[..KEY_BYTES] == key[..]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_are_distinct_and_always_the_same() {
        let keys: HashSet<Key> = (0..100_000).map(key).collect();
        assert_eq!(keys.len(), 100_000);
        assert_eq!(key(0), key(0));
        let mut filled = Vec::new();
        fill(&mut filled, 7, 3);
        assert_eq!(filled, [key(7), key(8), key(9)]);
    }

    #[test]
    fn a_response_tells_its_key() {
        assert!(is_response(&key(1), &response(&key(1))));
        assert!(!is_response(&key(2), &response(&key(1))));
        assert!(!is_response(&key(1), &claim_record(&key(1))));
    }
}
