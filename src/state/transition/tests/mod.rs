//! Every state against every claim, command and ticket: the whole table, written out.

mod claims;
mod commands;
mod records;
mod tickets;

use std::sync::Arc;

use crate::observe::tallies::Column;
use crate::state::holder::{Holder, HolderRest};
use crate::state::running::Armed;
use crate::state::running::{Rare, Running};
use crate::value::blob::Blob;
use crate::value::digest::Digest;
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::{Fingerprint, Part};
use crate::value::guarantee::Guarantee;
use crate::value::key_bytes::KeyBytes;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::Policy;
use crate::value::record::{Head, Record, RecordKind};
use crate::value::time::{NEVER, Now};

use Guarantee::{AtLeastOnce, AtMostOnce};
use RecordKind::{Completed, Failed, Forgotten, InDoubt, InProgress, Released};

pub(super) const NOW: Now = Now {
    mono_ms: 60_000,
    store_secs: 1000,
};

/// When the holder was granted the key.
const GRANTED: Now = Now {
    mono_ms: 0,
    store_secs: 950,
};

/// The token that the key is under; the others are lower and higher.
pub(super) fn token(counter: u64) -> FencingToken {
    FencingToken::new(1, counter)
}

pub(super) fn policy(guarantee: Guarantee) -> Policy {
    match guarantee {
        AtLeastOnce => Policy::at_least_once(),
        AtMostOnce => Policy::at_most_once(),
    }
}

pub(super) fn print(scheme: u32, body: u128) -> Fingerprint {
    Fingerprint {
        scheme,
        parts: vec![Part {
            label: "body".to_owned(),
            digest: body,
        }],
    }
}

pub(super) fn running(policy: Policy, lease_end_ms: u64) -> Running<()> {
    let mut rest = Rare::EMPTY;
    let some = rest.to_mut();
    some.holder = HolderRest {
        fingerprint: Some(print(1, 7)),
        metadata: Blob::from(&b"current"[..]),
        first_metadata: Blob::from(&b"first"[..]),
        checkpoint: Blob::from(&b"half"[..]),
        ..HolderRest::EMPTY
    };
    some.reason = Blob::from(&b"again"[..]);
    Running {
        digest: Digest {
            words: [1, 2, 3],
            route: 4,
        },
        namespace: NamespaceId(1),
        policy: Arc::new(policy),
        key: KeyBytes::from(&b"key"[..]),
        holder: Holder {
            deadline_ms: lease_end_ms,
            ..Holder::new(token(5), 2, 60_000, GRANTED)
        },
        first_claimed_at: 900,
        column: Column::default(),
        timer: Armed::No,
        rest,
    }
}

/// A lease that ends a millisecond from now, and one that ends now.
pub(super) const LIVE: u64 = NOW.mono_ms + 1;
pub(super) const LAPSED: u64 = NOW.mono_ms;

pub(super) fn record(kind: RecordKind) -> Record {
    let body: &[u8] = match kind {
        Completed | Failed => b"outcome",
        InProgress | InDoubt | Released => b"half",
        Forgotten => b"",
    };
    Record {
        head: Head {
            kind,
            namespace: NamespaceId(1),
            token: token(5),
            attempt: 2,
            first_claimed_at: 900,
            recorded_at: 990,
            expires_at: NEVER,
            retention_secs: 0,
            body_omitted: false,
            attached: false,
        },
        key: KeyBytes::from(&b"key"[..]),
        fingerprint: Some(print(1, 7)),
        metadata: Blob::from(&b"first"[..]),
        reason: Blob::from(&b"again"[..]),
        body: body.into(),
    }
}
