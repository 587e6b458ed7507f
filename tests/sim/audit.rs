//! The audit log beside the keys: what the store says of a key, its last entries say too.

use std::collections::BTreeMap;

use hapax::audit::{AuditEntry, AuditFilter, Transition};
use hapax::{Error, ErrorKind, FencingToken, KeyInfo, KeyState, Store};

use crate::handler::namespace;
use crate::model::{RETENTION_SECS, secs};

/// Namespaces with an audit log.
pub(crate) const AUDITED: usize = 2;

const KEYS: u8 = 3;

const AUDIT_RETENTION_SECS: u64 = 400 * 24 * 60 * 60;

/// The state of a key after an entry; `None` for an entry that changes no record.
fn state_of(transition: Transition) -> Option<KeyState> {
    Some(match transition {
        Transition::Completed | Transition::Inserted | Transition::ResolvedHappened => {
            KeyState::Completed
        }
        Transition::Failed | Transition::ResolvedFailed => KeyState::Failed,
        Transition::Released | Transition::ResolvedNeverHappened => KeyState::Released,
        Transition::Doubted => KeyState::InDoubt,
        _ => return None,
    })
}

/// Holds the log against the keys of a store that was just opened. An error of the medium ends it.
pub(crate) fn check(store: &Store) -> Result<u64, Error> {
    match store.verify_audit() {
        Err(error) if error.kind() == ErrorKind::Damaged => panic!("{error}"),
        verified => verified?,
    };
    let mut histories: BTreeMap<(String, Vec<u8>), Vec<AuditEntry>> = BTreeMap::new();
    for entry in store.audit(AuditFilter::new())? {
        let entry = entry?;
        let (Some(name), Some(key)) = (entry.namespace(), entry.key()) else {
            panic!("not of a key: {entry}")
        };
        let place = (name.to_owned(), key.to_vec());
        histories.entry(place).or_default().push(entry);
    }
    let mut checked = 0;
    for index in 0..AUDITED {
        for key in 0..KEYS {
            let space = namespace(store, index)?;
            let info = space.get([key])?;
            let place = (space.name().to_owned(), vec![key]);
            let history = histories.remove(&place).unwrap_or_default();
            check_key(&history, info.as_ref(), secs(store.stats().store_time()));
            checked += history.len() as u64;
        }
    }
    assert!(histories.is_empty(), "of no key: {histories:?}");
    Ok(checked)
}

fn check_key(history: &[AuditEntry], info: Option<&KeyInfo>, store_secs: u64) {
    let tell = || {
        let lines: Vec<_> = history.iter().map(ToString::to_string).collect();
        format!("{info:?}\n{}", lines.join("\n"))
    };
    check_order(history, &tell);
    // A clock that jumps by years expires the entries of keys that never expire.
    let kept = |info: &&KeyInfo| store_secs < secs(info.recorded_at()) + AUDIT_RETENTION_SECS;
    if let Some(info) = info.filter(kept) {
        let mut same = history
            .iter()
            .filter(|entry| entry.token() == Some(info.token()));
        let of_state = |entry: &AuditEntry| match state_of(entry.transition()) {
            Some(state) => state == info.state(),
            // Journaled claims and what a withdrawal leaves: in doubt or released.
            None => !matches!(info.state(), KeyState::Completed | KeyState::Failed),
        };
        assert!(
            same.any(of_state),
            "no entry reports it at {store_secs}: {}",
            tell()
        );
    }
    // The other way round: the key has its last outcome, for as long as that is kept.
    let Some(last) = history.last() else { return };
    match state_of(last.transition()) {
        Some(KeyState::Completed | KeyState::Failed)
            if store_secs >= secs(last.at()) + RETENTION_SECS => {}
        Some(state @ (KeyState::Completed | KeyState::Failed)) => {
            let there = info.map(|info| (info.state(), Some(info.token())));
            assert_eq!(there, Some((state, last.token())), "{}", tell());
        }
        _ if last.transition() == Transition::Forgotten => {
            assert!(info.is_none(), "{}", tell());
        }
        _ => {}
    }
}

/// Tokens rise from claim to claim, and an outcome is that of the last claim or of a later token: a
/// claim that was withdrawn after a lapse leaves the one before it the last.
fn check_order(history: &[AuditEntry], tell: &dyn Fn() -> String) {
    let mut claimed: Option<FencingToken> = None;
    let mut standing: Vec<Option<FencingToken>> = Vec::new();
    for (at, entry) in history.iter().enumerate() {
        match entry.transition() {
            Transition::Claimed | Transition::Reclaimed => {
                assert!(claimed < entry.token(), "{}", tell());
                claimed = entry.token();
                standing.push(claimed);
            }
            // A claim without a record goes with its process: an older ticket is the last again.
            Transition::Attached => {
                claimed = entry.token();
                standing = vec![claimed];
            }
            Transition::Withdrawn => standing.retain(|token| *token != entry.token()),
            Transition::Completed | Transition::Failed | Transition::Released
                if at > 0 && claimed.is_some() =>
            {
                let last = standing.last().copied().flatten();
                assert!(last <= entry.token(), "{}", tell());
            }
            _ => {}
        }
        if at > 0 {
            assert!(history[at - 1].number() < entry.number(), "{}", tell());
        }
    }
}
