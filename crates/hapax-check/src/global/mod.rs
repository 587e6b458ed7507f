//! What is judged over all keys: tokens, and the store's own clock.

mod clock;
mod tokens;

pub use self::clock::StoreClock;
pub use self::tokens::tokens;
