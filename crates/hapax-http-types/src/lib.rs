//! What `hapax-http` stores, for code that reads or settles its keys without a server: [`StoredResponse`] is an
//! outcome as bytes, [`KeyParts`] is what a key is made of.

mod key_parts;
mod plain;
mod stored;

pub use key_parts::{CLIENT_KEY_BYTES_MAX, KeyParts, OPERATION_BYTES_MAX, SCOPE_BYTES_MAX};
pub use plain::BadAnswer;
pub use stored::{NotAResponse, StoredResponse};
