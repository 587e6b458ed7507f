//! [`Settings`]: what decides a simulation.

use crate::sim::ended::Ended;
use crate::sim::faults::Faults;
use crate::store::builder::Builder;
use crate::store::store::Store;

type AtOpen = dyn FnMut(&Store, Ended);

/// What decides a simulation.
pub(super) struct Settings {
    pub(super) seed: u64,
    pub(super) actors: usize,
    pub(super) steps: u64,
    pub(super) faults: Faults,
    pub(super) cut_at: Option<u64>,
    pub(super) builder: Box<dyn Fn(Builder) -> Builder>,
    pub(super) at_open: Box<AtOpen>,
}

impl Settings {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            actors: 4,
            steps: 2000,
            faults: Faults::default(),
            cut_at: None,
            builder: Box::new(|builder| builder),
            at_open: Box::new(|_, _| {}),
        }
    }
}
