//! Key flooding: keys that were made to meet in one hash must not meet in the table.
//!
//! XXH3 reads a key of 32 bytes as two halves, and multiplies the two words of each half after they
//! were xored with a public constant. A first word that *is* the secret makes the
//! product zero, whatever the second word says: 2^128 keys of one hash, without any search.

use hashbrown::HashTable;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::state::slot::{Place, Settled, Slot};
use crate::state::table::Table;
use crate::value::digest::{Digest, Hasher128};
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;
use crate::value::time::NEVER;

/// The first 32 bytes of the default secret of XXH3, as its specification prints them.
const SECRET: [u8; 32] = [
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
];

/// Each of them is hashed a dozen times, which an interpreter takes its time for.
const KEYS: u32 = if cfg!(miri) { 100 } else { 20_000 };
const SHARDS: usize = 256;

/// A key of the one hash: both products have a factor of zero.
fn flood(number: u32) -> [u8; 32] {
    let mut key = SECRET;
    key[8..12].copy_from_slice(&number.to_le_bytes());
    key[24..28].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_le_bytes());
    key
}

/// Keys as an honest client numbers them.
fn honest(number: u32) -> [u8; 32] {
    let mut key = [b'0'; 32];
    key[28..].copy_from_slice(&number.to_be_bytes());
    key
}

fn slot(digest: Digest, frame: u64) -> Slot {
    let locator = Locator { frame, offset: 0 };
    Slot::new(digest, Place::Settled(Settled::Completed, locator), NEVER)
}

/// Comparisons to find every key once, and the keys in the fullest of 256 shards.
fn cost(seed: [u8; 16], key: fn(u32) -> [u8; 32]) -> (usize, usize) {
    let hasher = Hasher128::new(seed);
    let digest = |number| hasher.digest(NamespaceId(1), &key(number));
    let mut table = Table::default();
    let mut shards = vec![0; SHARDS];
    for number in 0..KEYS {
        let digest = digest(number);
        table.put(slot(digest, u64::from(number) + 1), 0);
        shards[usize::try_from(digest.route).unwrap() % SHARDS] += 1;
    }
    assert_eq!(
        Ok(table.len()),
        usize::try_from(KEYS),
        "no two keys are one"
    );
    let compared = (0..KEYS).map(|number| table.comparisons(digest(number)));
    (compared.sum(), *shards.iter().max().unwrap())
}

#[test]
fn the_flood_is_one_under_the_public_secret() {
    let one = xxh3_64(&flood(0));
    assert!((0..KEYS).all(|number| xxh3_64(&flood(number)) == one));
    assert!((0..KEYS).all(|number| xxh3_64_with_seed(&flood(number), 0) == one));
    assert_ne!(
        xxh3_64_with_seed(&flood(0), 1),
        xxh3_64_with_seed(&flood(1), 1)
    );

    // What it does to a table that hashes with it: every key is compared with every other.
    let few = KEYS / 10;
    let mut table = HashTable::new();
    for number in 0..few {
        let key = flood(number);
        table.insert_unique(xxh3_64(&key), key, |key| xxh3_64(key));
    }
    let mut compared = 0;
    for number in 0..few {
        let key = flood(number);
        let found = table.find(xxh3_64(&key), |other| {
            compared += 1;
            *other == key
        });
        assert!(found.is_some());
    }
    assert!(compared > few * few / 4, "only {compared} comparisons");
}

/// Secret keys of the process, zero among them: the flood knows nothing of any.
#[test]
fn a_flood_costs_what_honest_keys_cost() {
    for seed in [[0; 16], [1; 16], [0xa5; 16], *b"0123456789abcdef"] {
        for key in [flood, honest] {
            let (compared, fullest) = cost(seed, key);
            // Three quarters of the homes are taken at most: two and a half slots on average then.
            let most = usize::try_from(KEYS).unwrap() * 3;
            assert!(compared <= most, "{compared} comparisons for {KEYS} keys");
            // 78 on average; a shard of more than twice that would be a chance of one in 10^13.
            assert!(fullest <= 160, "{fullest} keys in one of {SHARDS} shards");
        }
    }
}
