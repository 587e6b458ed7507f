//! [`ClientKey`], read from its header: an RFC 8941 String, or the bare form that clients send.
//! The lines of one header come in, and a key or the reason why there is none goes out.
//! Nothing here knows which keys a service takes, or what is stored under them.
//!
//! The draft asks for a String in double quotes; many clients send the same key without them. Both
//! are read as one key, unless [`KeySyntax::Strict`] is asked for.
//!
//! | value | [`Lenient`](KeySyntax::Lenient) | [`Strict`](KeySyntax::Strict) |
//! | --- | --- | --- |
//! | `"8e03978e"` | the key `8e03978e` | the key `8e03978e` |
//! | `"8e03978e";a=1` | the key `8e03978e`, the parameter counts for nothing | the same |
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
