//! Bringing a batch of new keys in: claimed together, settled together.

use std::time::Duration;

use hapax::{BatchClaim, Claim, ClaimItem, ClaimOptions, Lease, LeaseError, Namespace, State};

use super::line::KeyLine;
use crate::trouble::Result;

pub(super) const BATCH_KEYS_MAX: usize = 512;
pub(super) const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What became of each key of a batch, or why it was refused.
pub(super) type Brought = Vec<(KeyLine, Result<(), String>)>;

/// Brings keys in that are absent. An error is one of the store; refusals are each key's own.
pub(super) fn bring(space: &Namespace, keys: Vec<KeyLine>, now_secs: u64) -> Result<Brought> {
    let items = keys.iter().map(|key| {
        let options = options(key, now_secs);
        ClaimItem::new(&key.key).options(options)
    });
    // An item of which the options make no sense would refuse the batch, so it is asked alone.
    let claims = match space.claim_many(items.clone()) {
        Ok(claims) => claims,
        Err(_) if keys.len() > 1 => {
            let mut brought = Vec::new();
            for key in keys {
                brought.extend(bring(space, vec![key], now_secs)?);
            }
            return Ok(brought);
        }
        Err(error) => {
            let refused = |key| (key, Err(error.to_string()));
            return Ok(keys.into_iter().map(refused).collect());
        }
    };
    let mut brought = Vec::new();
    let mut granted = Vec::new();
    for (key, claim) in keys.into_iter().zip(claims) {
        match claim {
            BatchClaim::Claim(Claim::Granted(lease)) => granted.push((key, lease)),
            BatchClaim::Refused(error) => brought.push((key, Err(error.to_string()))),
            BatchClaim::RepeatOf { .. } => {
                brought.push((key, Err("the file has it twice".to_owned())));
            }
            BatchClaim::Claim(_) => {
                brought.push((key, Err("it is there in the meantime".to_owned())));
            }
        }
    }
    settle(space, granted, &mut brought);
    Ok(brought)
}

/// The longest lease that a key needs to be settled at once.
const LEASE: Duration = Duration::from_secs(10);

fn options(key: &KeyLine, now_secs: u64) -> ClaimOptions {
    let options = ClaimOptions::new().metadata(key.metadata.clone());
    let has_outcome = matches!(key.state, State::Completed | State::Failed);
    match key.expires_at {
        Some(at) if has_outcome => {
            let left = Duration::from_secs(at.saturating_sub(now_secs));
            options.retention(left).lease(LEASE.min(left / 2))
        }
        _ => options,
    }
}

/// Gives each key what its line says; one commit for each kind of outcome.
fn settle(space: &Namespace, granted: Vec<(KeyLine, Lease)>, brought: &mut Brought) {
    let mut kinds: [Vec<(KeyLine, Lease)>; 4] = Default::default();
    for (key, lease) in granted {
        let kind = match key.state {
            State::Completed => 0,
            State::Failed => 1,
            State::Released => 2,
            _ => 3,
        };
        if kind >= 2 && !key.body.is_empty() {
            if let Err(error) = lease.checkpoint(&key.body) {
                let text = undo(space, &key, lease, error.to_string());
                brought.push((key, Err(text)));
                continue;
            }
        }
        kinds[kind].push((key, lease));
    }
    for (kind, granted) in kinds.into_iter().enumerate() {
        let (keys, leases): (Vec<KeyLine>, Vec<Lease>) = granted.into_iter().unzip();
        let pairs = leases.into_iter().zip(&keys);
        let results: Vec<Result<(), LeaseError>> = match kind {
            0 => space.complete_many(pairs.map(|(lease, key)| (lease, &key.body))),
            1 => space.fail_many(pairs.map(|(lease, key)| (lease, &key.body))),
            2 => space.release_many(pairs.map(|(lease, key)| (lease, &key.reason))),
            _ => pairs.map(|(lease, key)| lease.doubt(&key.reason)).collect(),
        };
        for (key, result) in keys.into_iter().zip(results) {
            let result = result.map_err(|error| {
                let text = error.to_string();
                undo(space, &key, error.into_lease(), text)
            });
            brought.push((key, result));
        }
    }
}

/// Takes back a claim whose outcome was refused, so that the key is as absent as it was.
fn undo(space: &Namespace, key: &KeyLine, lease: Lease, text: String) -> String {
    let released = lease.release("its import was refused");
    let forgotten = released.map_err(LeaseError::into_error);
    match forgotten.and_then(|()| space.forget(&key.key)) {
        Ok(_) => text,
        Err(error) => format!("{text}; and it could not be taken back: {error}"),
    }
}
