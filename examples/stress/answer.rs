//! Answers of the store, as a history has them.

use std::time::{SystemTime, UNIX_EPOCH};

use hapax::{Claim, Doubt, Error, ErrorKind, KeyInfo, KeyState, Lease};
use hapax_check::history::{Answer, Doubtful, Granted, Info, Refusal, Refused, Status, Stored};

/// What a claim leaves in hand.
#[derive(Debug)]
pub(crate) enum Left {
    Lease(Lease),
    Doubt(Doubt),
    Nothing,
}

/// Longer bytes are recorded as their beginning, length and digest.
const TEXT_MAX: usize = 96;

pub(crate) fn text(bytes: &[u8]) -> String {
    let plain = String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_MAX)]);
    if bytes.len() <= TEXT_MAX {
        return plain.into_owned();
    }
    let digest = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| {
            (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("{}~{}~{digest:016x}", &plain[..24], bytes.len())
}

/// A moment as seconds since 1970.
fn secs(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

pub(crate) fn of_claim(claim: Claim) -> (Answer, Left) {
    let answer = match claim {
        Claim::Granted(lease) => {
            let granted = Granted {
                token: lease.token().as_i64(),
                attempt: lease.attempt(),
                first: secs(lease.first_claimed_at()),
                checkpoint: text(lease.last_checkpoint()),
                reason: text(lease.last_reason()),
            };
            return (Answer::Granted(granted), Left::Lease(lease));
        }
        Claim::InDoubt(doubt) => {
            let told = Doubtful {
                token: doubt.token().as_i64(),
                attempt: doubt.attempt(),
                reason: text(doubt.reason()),
                checkpoint: text(doubt.checkpoint()),
                meta: text(doubt.metadata()),
                alive: doubt.holder_alive(),
            };
            return (Answer::InDoubt(told), Left::Doubt(doubt));
        }
        Claim::InProgress(busy) => Answer::InProgress {
            left_ms: u64::try_from(busy.lease_left().as_millis()).unwrap_or(u64::MAX),
            attempt: busy.attempt(),
            meta: text(busy.metadata()),
        },
        Claim::Completed(answer) => Answer::Completed(Stored {
            token: answer.token().as_i64(),
            attempts: answer.attempts(),
            body: text(answer.response()),
            meta: text(answer.metadata()),
            first: secs(answer.first_claimed_at()),
            at: secs(answer.settled_at()),
            expires: secs(answer.expires_at()),
        }),
        Claim::Failed(answer) => Answer::Failed(Stored {
            token: answer.token().as_i64(),
            attempts: answer.attempts(),
            body: text(answer.error()),
            meta: text(answer.metadata()),
            first: secs(answer.first_claimed_at()),
            at: secs(answer.settled_at()),
            expires: secs(answer.expires_at()),
        }),
        Claim::Mismatch(other) => Answer::Mismatch {
            state: status(other.state()),
        },
    };
    (answer, Left::Nothing)
}

pub(crate) fn of_info(info: Option<KeyInfo>) -> Answer {
    let Some(info) = info else {
        return Answer::Absent;
    };
    Answer::Info(Info {
        state: status(info.state()),
        token: info.token().as_i64(),
        attempt: info.attempt(),
        body: text(info.body()),
        reason: text(info.reason()),
        meta: text(info.metadata()),
    })
}

fn status(state: KeyState) -> Status {
    match state {
        KeyState::InProgress => Status::InProgress,
        KeyState::Completed => Status::Completed,
        KeyState::Failed => Status::Failed,
        KeyState::InDoubt => Status::InDoubt,
        KeyState::Released => Status::Released,
        other => unreachable!("a state that this example does not know: {other}"),
    }
}

/// A refusal, or an error that leaves the effect open. Anything else has no place in a run.
pub(crate) fn of_error(error: &Error) -> Answer {
    let kind = match error.kind() {
        ErrorKind::Superseded => Refusal::Superseded,
        ErrorKind::NotHeld => Refusal::NotHeld,
        ErrorKind::AlreadySettled => Refusal::AlreadySettled,
        ErrorKind::InUse => Refusal::InUse,
        ErrorKind::AtCapacity => Refusal::AtCapacity,
        ErrorKind::Closed | ErrorKind::Poisoned | ErrorKind::Io => return Answer::Unknown,
        other => panic!("no call of this example may end in {other:?}: {error}"),
    };
    let current = error.current();
    Answer::Refused(Refused {
        kind,
        current: current.map(|info| (status(info.state()), info.token().as_i64())),
    })
}
