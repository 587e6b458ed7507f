//! [`Typed`]: a namespace whose responses are values of a type, stored as JSON.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::claim::answer::{Completed, Failed, InProgress, Mismatch};
use crate::claim::claim::Claim;
use crate::claim::doubt::Doubt;
use crate::claim::failure::IntoFailure;
use crate::claim::lease::{Lease, LeaseError};
use crate::claim::options::ClaimOptions;
use crate::claim::pending::Pending;
use crate::claim::ran::{Ran, RunError};
use crate::claim::run::{Run, run, run_async};
use crate::claim::stored_value::Codec;
use crate::store::namespace::Namespace;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::json;
use crate::value::json::Written;
use crate::value::key_state::KeyState;

/// A namespace whose responses are values of a type, stored as JSON. Cheap to clone.
///
/// Only the type of the responses is new: keys, policy, errors and everything else are those of
/// the [`Namespace`], and both can be used on the same keys.
///
/// A replay gives the stored value, floating-point numbers to the last bit. Values that JSON cannot express
/// are refused with [`Invalid`](ErrorKind::Invalid) before anything is stored: a NaN or an infinity, which it
/// writes as `null`, and a `Some` whose content is `null`, which reads as `None` (unless `T` reads it back as
/// a `Some`). hapax cannot see what the type itself leaves out or reads as another value, such as a skipped
/// field or the wrong variant of an untagged enum.
///
/// A stored response that does not decode as a `T`, for example after a deploy that changed the type, is an
/// error of kind [`Decode`](ErrorKind::Decode) with the bytes in [`Error::payload`]. It never makes the key
/// run again. So `T` has to decode from everything that it has ever serialised to. As `serde_json` does, a
/// reader gives up on more than 127 arrays and objects inside one another.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Store, TypedClaim};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, PartialEq, Debug)]
/// struct Receipt {
///     charge: String,
///     cents: u64,
/// }
///
/// let store = Store::in_memory().open()?;
/// let pay = store.namespace("pay", Policy::at_least_once())?.typed::<Receipt>();
/// if let TypedClaim::Granted(lease) = pay.claim("order-42")? {
///     lease.complete(&Receipt { charge: "ch_1".into(), cents: 1299 })?;
/// }
/// match pay.claim("order-42")? {
///     TypedClaim::Completed(answer) => assert_eq!(answer.value().cents, 1299),
///     other => panic!("it was completed: {other:?}"),
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
pub struct Typed<T> {
    namespace: Namespace,
    value: PhantomData<fn() -> T>,
}

impl Namespace {
    /// This namespace with responses of type `T` in place of bytes.
    #[must_use]
    pub fn typed<T: Serialize + DeserializeOwned>(&self) -> Typed<T> {
        Typed {
            namespace: self.clone(),
            value: PhantomData,
        }
    }
}

impl<T> Typed<T> {
    /// The namespace under it, for calls that are not about values.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }
}

impl<T: Serialize + DeserializeOwned> Typed<T> {
    /// Claims a key: asks to be the one that runs.
    ///
    /// # Errors
    /// As for [`Namespace::claim`], and [`Decode`](ErrorKind::Decode) for a stored response that is
    /// no `T`, or whose bytes were left out.
    pub fn claim(&self, key: impl AsRef<[u8]>) -> Result<TypedClaim<T>> {
        self.claim_with(key, ClaimOptions::new())
    }

    /// Claims a key, with a fingerprint, a wait, metadata, or another lease or retention.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim) and [`Namespace::claim_with`].
    pub fn claim_with(
        &self,
        key: impl AsRef<[u8]>,
        options: ClaimOptions,
    ) -> Result<TypedClaim<T>> {
        TypedClaim::decode(self.namespace.claim_with(key, options)?)
    }

    /// As [`claim_with`](Self::claim_with), without blocking; see [`Namespace::claim_async`].
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{ClaimOptions, Policy, Store, TypedClaim};
    ///
    /// async fn sum(store: &Store) -> hapax::Result<u64> {
    ///     let sums = store.namespace("sums", Policy::at_least_once())?.typed::<u64>();
    ///     match sums.claim_async("1+2", ClaimOptions::new()).await? {
    ///         TypedClaim::Granted(lease) => {
    ///             lease.complete_async(&3).await?;
    ///             Ok(3)
    ///         }
    ///         TypedClaim::Completed(answer) => Ok(answer.into_value()),
    ///         other => panic!("this is the only caller: {other:?}"),
    ///     }
    /// }
    /// ```
    pub fn claim_async(
        &self,
        key: impl AsRef<[u8]>,
        options: ClaimOptions,
    ) -> Pending<Result<TypedClaim<T>>>
    where
        T: 'static,
    {
        let claim = self.namespace.claim_async(key, options);
        Pending::new(async move { TypedClaim::decode(claim.await?) })
    }

    /// The stored value of a completed key; `None` for a key in any other state, which [`Namespace::get`]
    /// tells.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim).
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<T>> {
        match self.namespace.get(key)? {
            Some(info) if info.state() == KeyState::Completed => {
                decode(info.body(), info.body_omitted()).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// As [`Namespace::run_once`], with a value as its result.
    ///
    /// # Errors
    /// As for [`Namespace::run_once`]; also [`RunError::Store`] of kind
    /// [`Invalid`](ErrorKind::Invalid) for a result that JSON cannot tell. The work has run then, and
    /// must not run again: the key is recorded as completed, without the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Failure, Policy, Ran, Store};
    ///
    /// let store = Store::in_memory().open()?;
    /// let sums = store.namespace("sums", Policy::at_least_once())?.typed::<Vec<u32>>();
    /// let squares = || sums.run_once("squares", |_| Ok::<_, Failure<String>>(vec![1, 4, 9]));
    /// assert!(matches!(squares(), Ok(Ran::Executed(_))));
    /// let Ok(Ran::Replayed(replayed)) = squares() else { unreachable!() };
    /// assert_eq!(replayed, [1, 4, 9]);
    /// # Ok::<(), hapax::Error>(())
    /// ```
    pub fn run_once<F, W>(
        &self,
        key: impl AsRef<[u8]>,
        work: W,
    ) -> Result<Ran<T>, RunError<F::Error>>
    where
        F: IntoFailure,
        W: FnOnce(Run) -> Result<T, F>,
    {
        self.run_once_with(key, ClaimOptions::new(), work)
    }

    /// As [`run_once`](Self::run_once), with the options of the claim.
    ///
    /// # Errors
    /// As for [`run_once`](Self::run_once).
    pub fn run_once_with<F, W>(
        &self,
        key: impl AsRef<[u8]>,
        options: ClaimOptions,
        work: W,
    ) -> Result<Ran<T>, RunError<F::Error>>
    where
        F: IntoFailure,
        W: FnOnce(Run) -> Result<T, F>,
    {
        run(self.namespace.calls(), key.as_ref(), options, codec(), work)
    }

    /// As [`run_once_with`](Self::run_once_with), without blocking; see
    /// [`Namespace::run_once_async`].
    ///
    /// # Errors
    /// As for [`run_once`](Self::run_once).
    pub fn run_once_async<F, W, U>(
        &self,
        key: impl AsRef<[u8]>,
        options: ClaimOptions,
        work: W,
    ) -> impl Future<Output = Result<Ran<T>, RunError<F::Error>>>
    where
        F: IntoFailure,
        W: FnOnce(Run) -> U,
        U: Future<Output = Result<T, F>>,
    {
        run_async(self.namespace.calls(), key.as_ref(), options, codec(), work)
    }
}

impl<T> Clone for Typed<T> {
    fn clone(&self) -> Self {
        Self {
            namespace: self.namespace.clone(),
            value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Typed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Typed").field(&self.namespace).finish()
    }
}

/// The answer to a claim in a [`Typed`] namespace. Exhaustive on purpose, as [`Claim`] is.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Store, TypedClaim};
///
/// let store = Store::in_memory().open()?;
/// let sums = store.namespace("sums", Policy::at_least_once())?.typed::<u64>();
/// match sums.claim("1+2")? {
///     TypedClaim::Granted(lease) => lease.complete(&3)?,
///     TypedClaim::Completed(answer) => println!("it is {}", answer.value()),
///     other => println!("not now: {other:?}"),
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
#[expect(
    clippy::exhaustive_enums,
    reason = "a new answer has to break the code that does not handle it"
)]
#[derive(Debug)]
#[must_use = "a grant that is dropped gives its key up"]
pub enum TypedClaim<T> {
    /// Run it. The key is yours until the lease is settled or lapses.
    Granted(TypedLease<T>),
    /// Another caller runs it: come back later.
    InProgress(InProgress),
    /// It ran: here is the stored value.
    Completed(TypedCompleted<T>),
    /// It failed for good: here is the stored error.
    Failed(Failed),
    /// It may or may not have run. It does not start again before this is resolved.
    InDoubt(Doubt),
    /// The key was used for another request.
    Mismatch(Mismatch),
}

impl<T: DeserializeOwned> TypedClaim<T> {
    fn decode(claim: Claim) -> Result<Self> {
        Ok(match claim {
            Claim::Granted(lease) => Self::Granted(lease.into()),
            Claim::InProgress(busy) => Self::InProgress(busy),
            Claim::Completed(answer) => Self::Completed(TypedCompleted {
                value: answer.decode()?,
                answer,
            }),
            Claim::Failed(answer) => Self::Failed(answer),
            Claim::InDoubt(doubt) => Self::InDoubt(doubt),
            Claim::Mismatch(other) => Self::Mismatch(other),
        })
    }
}

/// A [`Lease`] that is completed with a value.
///
/// It dereferences to [`Lease`] for all calls that do not settle the key; [`into_inner`](Self::into_inner)
/// gives the lease itself, and `from` makes it typed again.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Store, TypedClaim};
///
/// let store = Store::in_memory().open()?;
/// let sums = store.namespace("sums", Policy::at_least_once())?.typed::<u64>();
/// let TypedClaim::Granted(lease) = sums.claim("1+2")? else { panic!("it is new") };
/// println!("attempt {} under {}", lease.attempt(), lease.token());
/// lease.complete(&3)?;
/// # Ok::<(), hapax::Error>(())
/// ```
#[must_use = "a lease that is dropped without an outcome gives its key up"]
pub struct TypedLease<T> {
    lease: Lease,
    value: PhantomData<fn() -> T>,
}

impl<T> TypedLease<T> {
    /// The lease without the type of its response.
    pub fn into_inner(self) -> Lease {
        self.lease
    }

    /// As [`Lease::fail`]: stores the text of a final error.
    ///
    /// # Errors
    /// As for [`Lease::fail`].
    pub fn fail(self, error: impl AsRef<[u8]>) -> Result<(), LeaseError> {
        self.lease.fail(error)
    }

    /// Stores a value as the final error, which [`Failed::decode`] reads; a `Some` whose content is `null`
    /// becomes `None`.
    ///
    /// # Errors
    /// As for [`complete`](Self::complete).
    pub fn fail_with(self, error: &impl Serialize) -> Result<(), LeaseError> {
        match json::write(error) {
            Ok(written) => self.lease.fail(written.bytes),
            Err(error) => Err(LeaseError::new(not_written(error, HELD), self.lease)),
        }
    }

    /// As [`Lease::release`].
    ///
    /// # Errors
    /// As for [`Lease::release`].
    pub fn release(self, reason: impl AsRef<[u8]>) -> Result<(), LeaseError> {
        self.lease.release(reason)
    }

    /// As [`Lease::doubt`].
    ///
    /// # Errors
    /// As for [`Lease::doubt`].
    pub fn doubt(self, reason: impl AsRef<[u8]>) -> Result<(), LeaseError> {
        self.lease.doubt(reason)
    }
}

impl<T: Serialize + DeserializeOwned> TypedLease<T> {
    /// Stores the value as the response. Later claims of the key are answered with it.
    ///
    /// # Errors
    /// As for [`Lease::complete`], and [`Invalid`](ErrorKind::Invalid) for a value that JSON cannot
    /// tell ([`Typed`] says which), before anything is done. Each gives the lease back.
    pub fn complete(self, value: &T) -> Result<(), LeaseError> {
        match encode(value, HELD) {
            Ok(bytes) => self.lease.complete(bytes),
            Err(error) => Err(LeaseError::new(error, self.lease)),
        }
    }

    /// As [`complete`](Self::complete); the future only waits for the acknowledgement.
    pub fn complete_async(self, value: &T) -> Pending<Result<(), LeaseError>> {
        match encode(value, HELD) {
            Ok(bytes) => self.lease.complete_async(bytes),
            Err(error) => {
                let refused = LeaseError::new(error, self.lease);
                Pending::new(async move { Err(refused) })
            }
        }
    }
}

impl<T> Deref for TypedLease<T> {
    type Target = Lease;

    fn deref(&self) -> &Lease {
        &self.lease
    }
}

impl<T> From<Lease> for TypedLease<T> {
    fn from(lease: Lease) -> Self {
        Self {
            lease,
            value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for TypedLease<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedLease").field(&self.lease).finish()
    }
}

/// The stored value of a key that ran.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Store, TypedClaim};
///
/// let store = Store::in_memory().open()?;
/// let sums = store.namespace("sums", Policy::at_least_once())?.typed::<u64>();
/// let TypedClaim::Granted(lease) = sums.claim("1+2")? else { panic!("it is new") };
/// lease.complete(&3)?;
/// let TypedClaim::Completed(answer) = sums.claim("1+2")? else { panic!("it ran") };
/// assert_eq!((*answer.value(), answer.answer().attempts()), (3, 1));
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone)]
pub struct TypedCompleted<T> {
    value: T,
    answer: Completed,
}

impl<T> TypedCompleted<T> {
    /// The value.
    #[must_use]
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The value alone.
    #[must_use]
    pub fn into_value(self) -> T {
        self.value
    }

    /// The answer that it was decoded from: its bytes, times, attempts, token and metadata.
    #[must_use]
    pub fn answer(&self) -> &Completed {
        &self.answer
    }
}

impl<T> fmt::Debug for TypedCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As for a `Completed`: a response may be personal data, so a log does not show it.
        f.debug_tuple("TypedCompleted").field(&self.answer).finish()
    }
}

impl Completed {
    /// The response as a value, where it was stored as one; see [`Typed`].
    ///
    /// # Errors
    /// [`Decode`](ErrorKind::Decode) for a response that is no `T`, or whose bytes were left out.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        decode(self.response(), self.response_omitted())
    }
}

impl Failed {
    /// The error as a value, where it was stored as one with [`TypedLease::fail_with`].
    ///
    /// # Errors
    /// [`Decode`](ErrorKind::Decode) for an error that is no `E`, or whose bytes were left out.
    pub fn decode<E: DeserializeOwned>(&self) -> Result<E> {
        decode(self.error(), self.error_omitted())
    }
}

fn codec<T: Serialize + DeserializeOwned>() -> Codec<T> {
    Codec {
        encode: |value| encode(value, RAN),
        decode: |answer| answer.decode(),
    }
}

const HELD: &str = "the key is still held, so settle it otherwise";
const RAN: &str = "the work has run, so the key is recorded as completed without it";

fn encode<T: Serialize + DeserializeOwned>(value: &T, then: &str) -> Result<Vec<u8>> {
    let written = json::write(value).map_err(|error| not_written(error, then))?;
    if written.blurred > 0 && reads_as_another::<T>(&written) {
        let text = format!(
            "the value has a Some whose content is null, which JSON gives back as None; {then}"
        );
        return Err(Error::new(ErrorKind::Invalid, text));
    }
    Ok(written.bytes)
}

/// Some types read a `Some` of nothing differently from a `None`; then as many are written again.
fn reads_as_another<T: Serialize + DeserializeOwned>(written: &Written) -> bool {
    let again = json::read::<T>(&written.bytes).and_then(|value| json::write(&value));
    again.is_ok_and(|again| again.blurred != written.blurred)
}

fn not_written(error: serde_json::Error, then: &str) -> Error {
    let text = format!("the value does not serialise as JSON: {error}; {then}");
    Error::new(ErrorKind::Invalid, text).with_source(error)
}

fn decode<T: DeserializeOwned>(bytes: &[u8], omitted: bool) -> Result<T> {
    if omitted {
        return Err(Error::new(
            ErrorKind::Decode,
            "the outcome was recorded without its bytes, which were over max_response or no JSON: \
             there is no value to give back, and the work is not run again",
        ));
    }
    json::read(bytes).map_err(|error| {
        let text = format!(
            "the stored bytes do not decode: {error}; they are in payload(), and the work is not run again"
        );
        Error::new(ErrorKind::Decode, text)
            .with_payload(bytes.to_vec())
            .with_source(error)
    })
}
