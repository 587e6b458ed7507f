//! What `hapax-http` stores, for code that reads or settles its keys without a server: [`StoredResponse`] is a
//! response as bytes, [`KeyParts`] are the parts of a key.

mod header_lines;
mod key_parts;
mod stored_response;
mod written_answer;

pub use key_parts::{CLIENT_KEY_BYTES_MAX, KeyParts, OPERATION_BYTES_MAX, SCOPE_BYTES_MAX};
pub use stored_response::{NotAResponse, StoredResponse};
pub use written_answer::BadAnswer;
