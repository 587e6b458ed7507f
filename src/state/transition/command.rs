//! [`Command`]: what a holder does, and whether it is accepted.

use crate::state::running::Running;
use crate::state::transition::settled::settled_state;
use crate::value::fencing_token::FencingToken;
use crate::value::guarantee::Guarantee;
use crate::value::key_state::KeyState;
use crate::value::policy::Policy;
use crate::value::record::{Record, RecordKind};
use crate::value::time::Now;

/// What a holder does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command<'a> {
    Complete(&'a [u8]),
    /// The response is too large to be stored: that it completed is recorded all the same.
    CompleteWithout,
    Fail(&'a [u8]),
    /// A failure that may be tried again, with its reason.
    Release(&'a [u8]),
    Doubt(&'a [u8]),
    Checkpoint(&'a [u8]),
    Renew,
    /// As `Renew`, and the store goes on renewing it for so long.
    KeepAlive {
        for_ms: u64,
    },
    /// The guard went away without an outcome.
    Abandon,
    /// Makes the claim outlive this process, for a ticket.
    Record,
}

impl Command<'_> {
    /// Its name in traces.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Complete(_) | Self::CompleteWithout => "complete",
            Self::Fail(_) => "fail",
            Self::Release(_) => "release",
            Self::Doubt(_) => "doubt",
            Self::Checkpoint(_) => "checkpoint",
            Self::Renew => "renew",
            Self::KeepAlive { .. } => "keep_alive",
            Self::Abandon => "drop",
            Self::Record => "detach",
        }
    }
}

/// Why a holder is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// The token is no longer current.
    Superseded,
    /// The key is not there.
    NotHeld,
    /// It was settled under this token, differently.
    AlreadySettled,
    /// The lease has lapsed under `AtMostOnce`: only an outcome settles the doubt.
    InDoubt,
}

/// What an accepted command leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Accepted {
    /// A record of this kind is written.
    Write(RecordKind),
    /// The lease is extended; nothing is written.
    Extend,
    /// It was done before.
    Done,
}

/// Judges what the holder of `token` does to a running key.
pub(crate) fn act_running<W: 'static>(
    running: &Running<W>,
    token: FencingToken,
    command: Command<'_>,
    now: Now,
) -> Result<Accepted, Refusal> {
    if running.holder.token != token {
        return Err(Refusal::Superseded);
    }
    let in_doubt = running.is_in_doubt(now);
    let retryable = if running.is_exhausted() {
        RecordKind::Failed
    } else {
        RecordKind::Released
    };
    Ok(match command {
        Command::Complete(_) | Command::CompleteWithout => Accepted::Write(RecordKind::Completed),
        Command::Fail(_) => Accepted::Write(RecordKind::Failed),
        Command::Doubt(_) => Accepted::Write(RecordKind::InDoubt),
        Command::Abandon if running.guarantee() == Guarantee::AtMostOnce => {
            Accepted::Write(RecordKind::InDoubt)
        }
        Command::Abandon => Accepted::Write(retryable),
        // The holder is there to say that it may be tried again, so there is no doubt left.
        Command::Release(_) => Accepted::Write(retryable),
        Command::Renew | Command::KeepAlive { .. } | Command::Checkpoint(_) if in_doubt => {
            return Err(Refusal::InDoubt);
        }
        Command::Renew | Command::KeepAlive { .. } => Accepted::Extend,
        // The record of a lease that came of a ticket says so, which a new ticket undoes.
        Command::Record if running.holder.journaled && !running.holder.attached => Accepted::Done,
        Command::Checkpoint(_) | Command::Record => Accepted::Write(RecordKind::InProgress),
    })
}

/// Judges what the holder of `token` does to a key that is not running, by its record.
pub(crate) fn act_settled(
    record: &Record,
    token: FencingToken,
    command: Command<'_>,
    policy: &Policy,
) -> Result<Accepted, Refusal> {
    let Some(state) = settled_state(record.head.kind, policy.guarantee) else {
        return Err(Refusal::NotHeld);
    };
    if record.head.token != token {
        return Err(Refusal::Superseded);
    }
    // Of an outcome without its bytes only this is known: they were too many, as these would be.
    let same = |bytes: &[u8]| match record.head.body_omitted {
        true => !policy.keeps(bytes),
        false => *record.body == *bytes,
    };
    match (state, command) {
        (KeyState::Completed, Command::Complete(response)) if same(response) => Ok(Accepted::Done),
        (KeyState::Completed, Command::CompleteWithout) if record.head.body_omitted => {
            Ok(Accepted::Done)
        }
        (KeyState::Failed, Command::Fail(error)) if same(error) => Ok(Accepted::Done),
        (KeyState::InDoubt, Command::Doubt(_) | Command::Abandon) => Ok(Accepted::Done),
        (KeyState::InDoubt, Command::Complete(_) | Command::CompleteWithout) => {
            Ok(Accepted::Write(RecordKind::Completed))
        }
        (KeyState::InDoubt, Command::Fail(_)) => Ok(Accepted::Write(RecordKind::Failed)),
        (KeyState::InDoubt, _) => Err(Refusal::InDoubt),
        (KeyState::Released, Command::Release(reason)) if *record.reason == *reason => {
            Ok(Accepted::Done)
        }
        // A key that only a crash released: what its holder knows still counts.
        (KeyState::Released, Command::Complete(_))
            if record.head.kind == RecordKind::InProgress =>
        {
            Ok(Accepted::Write(RecordKind::Completed))
        }
        (KeyState::Released, Command::Fail(_)) if record.head.kind == RecordKind::InProgress => {
            Ok(Accepted::Write(RecordKind::Failed))
        }
        _ => Err(Refusal::AlreadySettled),
    }
}
