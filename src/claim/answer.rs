//! The contents of the answers to a claim: [`InProgress`], [`Completed`], [`Failed`] and [`Mismatch`].

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[cfg(feature = "json")]
use serde::de::DeserializeOwned;

use crate::value::blob::Blob;
#[cfg(feature = "json")]
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;
#[cfg(feature = "json")]
use crate::value::json;
use crate::value::key_state::KeyState;
use crate::value::record::Record;
use crate::value::time::system_time;

/// The key is in progress: another caller runs it.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, ClaimOptions, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let jobs = store.namespace("jobs", Policy::at_least_once())?;
/// let options = ClaimOptions::new().metadata("worker 3");
/// let Claim::Granted(lease) = jobs.claim_with("report", options)? else { panic!("it is new") };
/// let Claim::InProgress(busy) = jobs.claim("report")? else { panic!("it is claimed") };
/// assert_eq!((busy.attempt(), busy.metadata()), (1, &b"worker 3"[..]));
/// println!("retry after {} s", busy.lease_left().as_secs());
/// lease.complete("written")?;
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone)]
pub struct InProgress {
    pub(crate) lease_left: Duration,
    pub(crate) attempt: u32,
    pub(crate) metadata: Blob,
    pub(crate) compared: bool,
}

impl InProgress {
    /// How long the lease of the holder still lasts: come back by then.
    #[must_use]
    pub fn lease_left(&self) -> Duration {
        self.lease_left
    }

    /// The number of the attempt that is in progress.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The metadata of the holder's claim.
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
    (
        $(#[$doc:meta])*
        $name:ident {
            $(#[$body_doc:meta])*
            $body:ident, $omitted:ident, $shown:ident
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            pub(crate) record: Arc<Record>,
            pub(crate) compared: bool,
        }

        impl $name {
            $(#[$body_doc])*
            #[must_use]
            pub fn $body(&self) -> &[u8] {
                &self.record.body
            }

            #[doc = concat!("The bytes of the ", stringify!($body), ". Callers that waited together share them.")]
            ///
            /// An answer may keep the frame of its record in memory, at most 64 KiB, for as long as it is held:
            /// a program that collects many answers collects these bytes instead.
            #[must_use]
            pub fn into_bytes(self) -> Arc<[u8]> {
                self.record.body.clone().into_shared()
            }

            #[doc = concat!("The ", stringify!($body), " as a value, where it was stored as [`Json`](crate::Json).")]
            ///
            /// # Errors
            /// [`Decode`](crate::ErrorKind::Decode) for bytes that are no `T`, or were left out.
            #[cfg(feature = "json")]
            pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
                self.record.decode(|bytes| Ok(json::read(bytes)?))
            }

            /// Whether the bytes were left out, because they were over the limit of the policy.
            #[must_use]
            pub fn $omitted(&self) -> bool {
                self.record.head.body_omitted
            }

            /// The number of attempts, the settling one included.
            #[must_use]
            pub fn attempts(&self) -> u32 {
                self.record.head.attempt
            }

            /// The token under which the key was settled.
            #[must_use]
            pub fn token(&self) -> FencingToken {
                self.record.head.token
            }

            /// Store time of the first claim, in whole seconds.
            #[must_use]
            pub fn first_claimed_at(&self) -> SystemTime {
                system_time(self.record.head.first_claimed_at)
            }

            /// Store time at which the key was settled, in whole seconds.
            #[must_use]
            pub fn settled_at(&self) -> SystemTime {
                system_time(self.record.head.recorded_at)
            }

            /// Store time until which the outcome is remembered, in whole seconds.
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
                bytes::Bytes::from_owner(answer.record.body.clone())
            }
        }
    };
}

stored_answer! {
    /// The stored response of a key that ran.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Claim, Policy, Store};
    ///
    /// let store = Store::in_memory().open()?;
    /// let jobs = store.namespace("jobs", Policy::at_least_once())?;
    /// let Claim::Granted(lease) = jobs.claim("report")? else { panic!("it is new") };
    /// lease.complete("written")?;
    /// let Claim::Completed(answer) = jobs.claim("report")? else { panic!("it ran") };
    /// assert_eq!((answer.response(), answer.attempts()), (&b"written"[..], 1));
    /// assert!(answer.expires_at() > answer.settled_at());
    /// # Ok::<(), hapax::Error>(())
    /// ```
    Completed {
        /// The stored response.
        response,
        response_omitted,
        show_length
    }
}
stored_answer! {
    /// The stored error of a key that failed for good.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Claim, Policy, Store};
    ///
    /// let store = Store::in_memory().open()?;
    /// let pay = store.namespace("pay", Policy::at_least_once())?;
    /// let Claim::Granted(lease) = pay.claim("order-42")? else { panic!("it is new") };
    /// lease.fail("card declined")?;
    /// let Claim::Failed(answer) = pay.claim("order-42")? else { panic!("it failed") };
    /// assert_eq!(answer.error(), b"card declined");
    /// assert_eq!(answer.to_string(), "the work failed for good before: card declined");
    /// # Ok::<(), hapax::Error>(())
    /// ```
    Failed {
        /// The stored error.
        error,
        error_omitted,
        show_error
    }
}

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

/// A response may be personal data, so a log does not show it.
fn show_length(shown: &mut fmt::DebugStruct<'_, '_>, body: &[u8]) {
    shown.field("bytes", &body.len());
}

/// An error is shown, because people have to read it.
fn show_error(shown: &mut fmt::DebugStruct<'_, '_>, body: &[u8]) {
    match shown_text(body) {
        Some(text) => shown.field("error", &text),
        None => shown.field("bytes", &body.len()),
    };
}

/// Bytes of an error that are shown.
const SHOWN_BYTES: usize = 1024;

/// The beginning of an error as text; `None` if it is not UTF-8.
fn shown_text(error: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(error).ok()?;
    Some(beginning(text, SHOWN_BYTES))
}

/// The beginning of a text, in at most this many bytes.
pub(crate) fn beginning(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The key was used for another request.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, ClaimOptions, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let pay = store.namespace("pay", Policy::at_least_once())?;
/// let of = |body: &str| -> hapax::Result<ClaimOptions> {
///     Ok(ClaimOptions::new().fingerprint(pay.fingerprint(1).part("body", body).build()?))
/// };
/// let Claim::Granted(lease) = pay.claim_with("order-42", of("12.99")?)? else { panic!("it is new") };
/// lease.complete("charged")?;
/// let Claim::Mismatch(other) = pay.claim_with("order-42", of("99.99")?)? else { panic!("it differs") };
/// assert_eq!(other.labels(), ["body"]);
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mismatch {
    pub(crate) labels: Vec<String>,
    pub(crate) state: KeyState,
}

impl Mismatch {
    /// The labels of the parts that differ; empty if one side has no fingerprint.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The state of the key.
    #[must_use]
    pub fn state(&self) -> KeyState {
        self.state
    }
}
