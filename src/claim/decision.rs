//! The answers to calls, as traces show them.

use crate::claim::claim::{BatchClaim, Claim};
use crate::engine::refusals::Refused;
use crate::observe::claim_outcome::ClaimOutcome;
use crate::observe::trace::Decision;
use crate::value::attribution::Attribution;
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;

pub(crate) fn of_insertion(inserted: &Result<ClaimOutcome>) -> &'static str {
    match inserted {
        Ok(of) => of.name(),
        Err(error) => error.kind().name(),
    }
}

pub(crate) fn of_forgotten<'a>(
    forgotten: &Result<(bool, Option<u64>), Refused>,
    force: Option<FencingToken>,
    by: Option<&'a Attribution>,
) -> Decision<'a> {
    Decision {
        token: force,
        actor: by.map(Attribution::actor),
        ..outcome(match forgotten {
            Ok((true, _)) => "forgotten",
            Ok((false, _)) => "absent",
            Err(refused) => refused.kind().name(),
        })
    }
}

/// How a batch ended; each item has its own end besides.
pub(crate) fn of_all<T>(answered: &Result<T>) -> &'static str {
    answered
        .as_ref()
        .map_or_else(|error| error.kind().name(), |_| "ok")
}

pub(crate) fn of_item(claimed: &BatchClaim) -> Decision<'_> {
    match claimed {
        BatchClaim::Claim(claim) => of_answer(claim),
        BatchClaim::RepeatOf { .. } => outcome(ClaimOutcome::Repeat.name()),
        BatchClaim::Refused(error) => outcome(error.kind().name()),
    }
}

pub(crate) fn outcome(outcome: &'static str) -> Decision<'static> {
    Decision {
        outcome,
        ..Decision::default()
    }
}

pub(crate) fn of_claim(claimed: &Result<Claim>) -> Decision<'_> {
    match claimed {
        Ok(claim) => of_answer(claim),
        Err(error) => outcome(error.kind().name()),
    }
}

fn of_answer(claim: &Claim) -> Decision<'_> {
    let (of, token, attempt, first_request) = match claim {
        Claim::Granted(lease) => {
            let token = Some(lease.token());
            (ClaimOutcome::Granted, token, lease.attempt(), &[][..])
        }
        Claim::InProgress(busy) => (
            ClaimOutcome::InProgress,
            None,
            busy.attempt(),
            busy.metadata(),
        ),
        Claim::Completed(answer) => (
            ClaimOutcome::Completed,
            Some(answer.token()),
            answer.attempts(),
            answer.metadata(),
        ),
        Claim::Failed(answer) => (
            ClaimOutcome::Failed,
            Some(answer.token()),
            answer.attempts(),
            answer.metadata(),
        ),
        Claim::InDoubt(doubt) => (
            ClaimOutcome::InDoubt,
            Some(doubt.token()),
            doubt.attempt(),
            doubt.metadata(),
        ),
        Claim::Mismatch(_) => return outcome(ClaimOutcome::Mismatch.name()),
    };
    Decision {
        token,
        attempt: Some(attempt),
        first_request,
        ..outcome(of.name())
    }
}
