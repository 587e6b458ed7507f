//! The key in its header ([`ClientKey`]): an RFC 8941 String, or the same key without quotes.
//! The values of one header come in.
//! Nothing here knows which keys a service accepts, or the store.
//!
//! The draft asks for a String in double quotes, but many clients send the key without them. Both are the same key,
//! unless the service chooses [`KeySyntax::Strict`].
//!
//! | value | [`Lenient`](KeySyntax::Lenient) | [`Strict`](KeySyntax::Strict) |
//! | --- | --- | --- |
//! | `"8e03978e"` | the key `8e03978e` | the key `8e03978e` |
//! | `"8e03978e";a=1` | the key `8e03978e`; the parameter is ignored | the same |
//! | `8e03978e` | the key `8e03978e` | malformed |
//! | `"a", "b"`, `("a" "b")`, two lines | malformed | malformed |

mod client_key;
mod malformed_key;
mod parsing;
#[cfg(test)]
mod tests;

pub use client_key::ClientKey;
pub use hapax_http_types::CLIENT_KEY_BYTES_MAX;
pub use malformed_key::MalformedKey;
pub use parsing::{KeySyntax, key_of, parse_key};
