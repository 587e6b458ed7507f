//! The payments that clients ask for.

use serde_json::json;

use crate::random::Random;

const CURRENCIES: [&str; 4] = ["EUR", "USD", "GBP", "JPY"];

/// A payment, and the key that its client chose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Payment {
    /// In the form of a UUID of version 4.
    pub(crate) key: String,
    pub(crate) amount: u64,
    pub(crate) currency: String,
}

impl Payment {
    pub(crate) fn drawn(random: &mut Random) -> Self {
        let (high, low) = (random.next(), random.next());
        let key = format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        );
        let currency = CURRENCIES[usize::try_from(random.below(4)).unwrap_or_default()];
        Self {
            key,
            amount: 1 + random.below(100_000),
            currency: currency.to_owned(),
        }
    }

    /// Another payment under the same key, which is a mistake of the client.
    pub(crate) fn changed(&self) -> Self {
        Self {
            amount: self.amount + 1,
            ..self.clone()
        }
    }

    pub(crate) fn body(&self) -> String {
        json!({ "amount": self.amount, "currency": self.currency }).to_string()
    }
}
