//! Claims whose answer is known, and what a key is.

use hapax::{
    Claim, ClaimOptions, Completed, Doubt, Error, ErrorKind, Failed, Fingerprint, InProgress,
    KeyInfo, KeyState, Lease, Mismatch, Namespace, Result, Ticket,
};

/// A fingerprint of scheme 1 with one part, `body`.
pub(crate) fn print(namespace: &Namespace, body: &str) -> Fingerprint {
    namespace.fingerprint(1).part("body", body).build().unwrap()
}

pub(crate) fn with_print(namespace: &Namespace, body: &str) -> ClaimOptions {
    ClaimOptions::new().fingerprint(print(namespace, body))
}

macro_rules! answers {
    ($($name:ident: $variant:ident -> $type:ty,)*) => {
        $(
            #[track_caller]
            pub(crate) fn $name(claim: Claim) -> $type {
                match claim {
                    Claim::$variant(inner) => inner,
                    other => panic!("{} expected, got {other:?}", stringify!($variant)),
                }
            }
        )*
    };
}

answers! {
    granted: Granted -> Lease,
    in_progress: InProgress -> InProgress,
    completed: Completed -> Completed,
    failed: Failed -> Failed,
    in_doubt: InDoubt -> Doubt,
    mismatch: Mismatch -> Mismatch,
}

#[track_caller]
pub(crate) fn claim(namespace: &Namespace, key: &str) -> Lease {
    granted(namespace.claim(key).unwrap())
}

/// What the key is, or `None` when it is absent.
#[track_caller]
pub(crate) fn state(namespace: &Namespace, key: &str) -> Option<KeyState> {
    namespace.get(key).unwrap().as_ref().map(KeyInfo::state)
}

/// An error of this kind whose text names all of these.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(
    result: Result<T, impl Into<Error>>,
    kind: ErrorKind,
    words: &[&str],
) {
    let error: Error = result.expect_err("a refusal").into();
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

/// The ticket as it comes out of a queue that stores text.
pub(crate) fn ticket_json(ticket: &Ticket) -> Ticket {
    serde_json::from_str(&serde_json::to_string(ticket).unwrap()).unwrap()
}

/// A holder that is silent for ever, as one whose process has died.
#[expect(clippy::mem_forget, reason = "a process that dies drops nothing")]
pub(crate) fn die(lease: Lease) {
    std::mem::forget(lease);
}
