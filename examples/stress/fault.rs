//! Faults that are planted between the store and the recorder, so that the checker has something to
//! find. Each does to the store, or to the answer, what a real fault of that name would.

use hapax::operator::Operator;
use hapax::{Claim, Namespace, Resolution};
use hapax_check::history::{Answer, Refusal};

use crate::Failure;

/// What goes wrong, now and then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// A running key is granted to another caller.
    TwoGrants,
    /// A completion that was acknowledged is gone.
    LostCompletion,
    /// A holder whose token is not current gets a success.
    SupersededAccepted,
    /// A stored answer has other bytes.
    WrongBody,
    /// A forgotten key answers as before.
    ForgetUndone,
    /// An at-most-once key is granted again after its lease lapsed.
    GrantedAfterLapse,
    /// A grant has a token that was given before.
    TokenNotRising,
    /// A caller that has to wait gets a time that is too short.
    ShortWait,
}

impl Fault {
    pub(crate) const ALL: [(&'static str, Self); 8] = [
        ("two-grants", Self::TwoGrants),
        ("lost-completion", Self::LostCompletion),
        ("superseded-accepted", Self::SupersededAccepted),
        ("wrong-body", Self::WrongBody),
        ("forget-undone", Self::ForgetUndone),
        ("granted-after-lapse", Self::GrantedAfterLapse),
        ("token-not-rising", Self::TokenNotRising),
        ("short-wait", Self::ShortWait),
    ];

    pub(crate) fn named(name: &str) -> Result<Self, Failure> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        let names = || Self::ALL.map(|(known, _)| known).join(", ");
        found
            .map(|(_, fault)| *fault)
            .ok_or_else(|| format!("--fault is {name:?}: give it one of {}", names()).into())
    }

    /// What the claim is answered instead.
    pub(crate) fn claimed(
        self,
        operator: &Operator,
        on: &Namespace,
        key: &str,
        claim: Claim,
    ) -> hapax::Result<Claim> {
        match (self, claim) {
            (Self::TwoGrants, Claim::InProgress(_)) => {
                if let Some(info) = on.get(key)? {
                    // If the key was settled meanwhile, this is not a fault.
                    let _ = operator.forget_forced(on.name(), key, info.token());
                }
                on.claim(key)
            }
            (Self::GrantedAfterLapse, Claim::InDoubt(doubt)) => {
                let _ = operator.resolve_forced(&doubt, Resolution::NeverHappened);
                on.claim(key)
            }
            (_, claim) => Ok(claim),
        }
    }

    /// The answer that is recorded instead.
    pub(crate) fn told(self, answer: Answer) -> Answer {
        match (self, answer) {
            (Self::WrongBody, Answer::Completed(mut stored)) => {
                stored.body.push('!');
                Answer::Completed(stored)
            }
            (Self::TokenNotRising, Answer::Granted(mut granted)) => {
                granted.token = (granted.token - 40).max(0);
                Answer::Granted(granted)
            }
            (
                Self::ShortWait,
                Answer::InProgress {
                    attempt,
                    meta,
                    left_ms,
                },
            ) => Answer::InProgress {
                left_ms: left_ms / 8,
                attempt,
                meta,
            },
            (Self::SupersededAccepted, Answer::Refused(refused))
                if refused.kind == Refusal::Superseded =>
            {
                Answer::Done
            }
            (_, answer) => answer,
        }
    }

    /// The fault of a key that was just completed.
    pub(crate) fn completed(self, on: &Namespace, key: &str) {
        if self == Self::LostCompletion {
            // The completion must be lost, even if the key changed meanwhile.
            let _ = on.forget(key);
        }
    }

    /// The answer to `forget`.
    pub(crate) fn forget(self, on: &Namespace, key: &str) -> hapax::Result<bool> {
        match (self, on.get(key)?) {
            (Self::ForgetUndone, Some(info)) if info.state() == hapax::KeyState::Completed => {
                Ok(true)
            }
            _ => on.forget(key),
        }
    }

    /// Some are rare enough by themselves.
    pub(crate) fn percent(self) -> u64 {
        match self {
            Self::TokenNotRising | Self::WrongBody => 1,
            Self::SupersededAccepted | Self::GrantedAfterLapse => 50,
            _ => 5,
        }
    }
}
