//! The transitions of a key: pure functions of what is stored, what is asked for, and the time.
//! What comes in: a running key or a record, and a claim, a command or a ticket.
//! They know neither slots nor shards, and change nothing.

mod basis;
mod claim;
mod command;
mod settled;
mod subject;
mod ticket;

#[cfg(test)]
mod tests;

pub(crate) use crate::state::transition::basis::Basis;
pub(crate) use crate::state::transition::claim::{
    RunningVerdict, SettledVerdict, claim_running, claim_settled,
};
pub(crate) use crate::state::transition::command::{
    Accepted, Command, Refusal, act_running, act_settled,
};
pub(crate) use crate::state::transition::settled::settled_state;
pub(crate) use crate::state::transition::subject::{Subject, asked_retention, retention_secs};
pub(crate) use crate::state::transition::ticket::{
    AttachRefusal, attach_running, attach_settled, attaches_once,
};
