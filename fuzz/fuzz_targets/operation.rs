//! What is done to the store under test.

use arbitrary::Arbitrary;

use crate::model::Place;

pub const KEYS: u8 = 4;

#[derive(Arbitrary, Debug)]
pub enum Operation {
    Claim {
        key: AnyKey,
        fingerprint: Option<bool>,
    },
    Complete {
        lease: u8,
        size: u8,
    },
    Fail {
        lease: u8,
        size: u8,
    },
    Release {
        lease: u8,
    },
    Doubt {
        lease: u8,
    },
    Renew {
        lease: u8,
    },
    Checkpoint {
        lease: u8,
        size: u8,
    },
    Drop {
        lease: u8,
    },
    Detach {
        lease: u8,
    },
    Attach {
        ticket: u8,
    },
    Advance {
        hundredths: u16,
    },
    Forget {
        key: AnyKey,
        force: bool,
    },
    Resolve {
        doubt: u8,
        how: How,
        force: bool,
    },
    /// A claim that waits in line, and is polled after every step.
    Wait {
        key: AnyKey,
        seconds: u8,
    },
    /// Drops this many waiters, before they can learn what this step has brought them.
    Cancel {
        waiters: u8,
        then: Box<Operation>,
    },
    ClaimMany {
        at_most_once: bool,
        keys: Vec<u8>,
    },
    SettleMany {
        at_most_once: bool,
        leases: u8,
        size: u8,
        how: Settling,
    },
    InsertMany {
        at_most_once: bool,
        keys: Vec<u8>,
    },
    /// A wrong answer about the time of day.
    StepWall {
        by: i8,
        unit: Unit,
    },
    Sync,
    Verify,
    /// The medium fails, and the store is opened again.
    FailMedium {
        append: bool,
        key: AnyKey,
        size: u8,
        keep: u8,
    },
    Crash {
        keep: u8,
    },
    Reopen,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Settling {
    Completed,
    Failed,
    Released,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Unit {
    Second,
    Hour,
    Week,
    Year,
}

/// How the store is opened.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub struct Setup {
    pub interval: bool,
    /// Few keys may live, few may run, few may wait.
    pub tight: bool,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
pub struct AnyKey {
    at_most_once: bool,
    number: u8,
}

impl AnyKey {
    pub fn place(self) -> Place {
        (usize::from(self.at_most_once), self.number % KEYS)
    }
}

#[derive(Arbitrary, Debug, Clone, Copy, PartialEq)]
pub enum How {
    Happened,
    Failed,
    NeverHappened,
}
