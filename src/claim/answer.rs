//! What the answers to a claim carry: [`InProgress`], [`Completed`], [`Failed`] and [`Mismatch`].

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::value::blob::Blob;
use crate::value::fencing_token::FencingToken;
use crate::value::key_state::KeyState;
use crate::value::record::Record;
use crate::value::time::system_time;

/// Someone runs the key.
#[derive(Clone)]
pub struct InProgress {
    pub(crate) lease_left: Duration,
    pub(crate) attempt: u32,
    pub(crate) metadata: Blob,
    pub(crate) compared: bool,
}

impl InProgress {
    /// When it makes sense to come back, at the latest.
    #[must_use]
    pub fn lease_left(&self) -> Duration {
        self.lease_left
    }

    /// Which attempt is running.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The metadata of the claim that runs it.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    /// Whether the fingerprints were compared, and found the same.
    #[must_use]
    pub fn fingerprint_compared(&self) -> bool {
        self.compared
    }
}

impl fmt::Debug for InProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProgress")
            .field("lease_left", &self.lease_left)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

macro_rules! stored_answer {
    ($name:ident, $doc:literal, $body:ident, $body_doc:literal, $omitted:ident, $shown:ident) => {
        #[doc = $doc]
        #[derive(Clone)]
        pub struct $name {
            pub(crate) record: Arc<Record>,
            pub(crate) compared: bool,
        }

        impl $name {
            #[doc = $body_doc]
            #[must_use]
            pub fn $body(&self) -> &[u8] {
                &self.record.body
            }

            #[doc = concat!("The bytes of the ", stringify!($body), ", shared and not copied.")]
            #[must_use]
            pub fn into_bytes(self) -> Arc<[u8]> {
                self.record.body.clone().into_shared()
            }

            /// Whether the bytes were left out because they were over the limit of the policy.
            #[must_use]
            pub fn $omitted(&self) -> bool {
                self.record.head.body_omitted
            }

            /// Runs that it took.
            #[must_use]
            pub fn attempts(&self) -> u32 {
                self.record.head.attempt
            }

            /// The token under which it was settled.
            #[must_use]
            pub fn token(&self) -> FencingToken {
                self.record.head.token
            }

            /// Store time of the first claim, in whole seconds.
            #[must_use]
            pub fn first_claimed_at(&self) -> SystemTime {
                system_time(self.record.head.first_claimed_at)
            }

            /// Store time at which it was settled, in whole seconds.
            #[must_use]
            pub fn settled_at(&self) -> SystemTime {
                system_time(self.record.head.recorded_at)
            }

            /// Store time until which it is remembered, in whole seconds.
            #[must_use]
            pub fn expires_at(&self) -> SystemTime {
                system_time(self.record.head.expires_at)
            }

            /// The metadata of the first claim of the request.
            #[must_use]
            pub fn metadata(&self) -> &[u8] {
                &self.record.metadata
            }

            /// Whether the fingerprints were compared, and found the same.
            #[must_use]
            pub fn fingerprint_compared(&self) -> bool {
                self.compared
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut shown = f.debug_struct(stringify!($name));
                $shown(&mut shown, &self.record.body);
                shown
                    .field("attempts", &self.attempts())
                    .field("token", &self.token())
                    .finish_non_exhaustive()
            }
        }

        #[cfg(feature = "bytes")]
        impl From<$name> for bytes::Bytes {
            fn from(answer: $name) -> Self {
                bytes::Bytes::from_owner(answer.into_bytes())
            }
        }
    };
}

stored_answer!(
    Completed,
    "The stored response of a key that ran.",
    response,
    "The stored response.",
    response_omitted,
    show_length
);
stored_answer!(
    Failed,
    "The stored error of a key that failed for good.",
    error,
    "The stored error.",
    error_omitted,
    show_error
);

/// The text of the error.
impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the work failed for good before")?;
        match shown_text(self.error()) {
            Some("") => Ok(()),
            Some(text) => write!(f, ": {text}"),
            None => write!(f, ", with an error of {} bytes", self.error().len()),
        }
    }
}

/// What was stored does not belong in a log.
fn show_length(shown: &mut fmt::DebugStruct<'_, '_>, body: &[u8]) {
    shown.field("bytes", &body.len());
}

/// Unlike a response, an error is there to be read.
fn show_error(shown: &mut fmt::DebugStruct<'_, '_>, body: &[u8]) {
    match shown_text(body) {
        Some(text) => shown.field("error", &text),
        None => shown.field("bytes", &body.len()),
    };
}

/// Bytes of an error that are shown.
const SHOWN_BYTES: usize = 1024;

/// The text that an error begins with; `None` for one that is no text.
fn shown_text(error: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(error).ok()?;
    Some(beginning(text, SHOWN_BYTES))
}

/// As much of a text as these bytes hold.
pub(crate) fn beginning(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The key was used for another request.
#[derive(Clone, Debug)]
pub struct Mismatch {
    pub(crate) labels: Vec<String>,
    pub(crate) state: KeyState,
}

impl Mismatch {
    /// The labels of the parts that differ; empty when one side has no fingerprint at all.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// What the key is.
    #[must_use]
    pub fn state(&self) -> KeyState {
        self.state
    }
}
