//! [`Nonces`]: numbers that no other change of any process has.

use crate::runtime::sync::{AtomicU64, Ordering};
use crate::value::digest::Hasher128;

/// Draws numbers from a secret of this process and a counter: no two of them are equal, and none of another process
/// is equal to one of these, but for a chance of 2^-128 each.
#[derive(Debug)]
pub(super) struct Nonces {
    secret: Hasher128,
    drawn: AtomicU64,
}

impl Nonces {
    pub(super) fn new(secret: [u8; 16]) -> Self {
        Self {
            secret: Hasher128::new(secret),
            drawn: AtomicU64::new(0),
        }
    }

    /// The next number, which is not zero.
    pub(super) fn draw(&self) -> u128 {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        self.secret.hash(&[b"nonce", &number.to_le_bytes()]).max(1)
    }
}
