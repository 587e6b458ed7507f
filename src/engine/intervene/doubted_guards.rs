//! [`DoubtedGuards`]: guards that outlive the operator's doubt about their keys.

use crate::runtime::sync::Mutex;
use crate::value::fencing_token::FencingToken;

/// Guards that outlive the operator's doubt about their keys. Their holders may still cause the effect, but the
/// shards only know that these keys are in doubt.
#[derive(Debug, Default)]
pub(in crate::engine) struct DoubtedGuards {
    /// The token of the guard, and that of the doubt. There are few: each stands for an intervention.
    guards: Mutex<Vec<(FencingToken, FencingToken)>>,
}

impl DoubtedGuards {
    /// The guard of `holder` outlives its hold, which has ended in this doubt. Called under the lock of the
    /// key's shard, under which the guard was seen.
    pub(in crate::engine) fn note(&self, holder: FencingToken, doubt: FencingToken) {
        self.guards.lock().push((holder, doubt));
    }

    /// The guard of `holder` is gone. Called after the look at the shard, so that an earlier operator has
    /// noted the guard by then.
    pub(in crate::engine) fn end(&self, holder: FencingToken) {
        self.guards.lock().retain(|(guard, _)| *guard != holder);
    }

    /// Whether the holder whose hold has ended in this doubt may still cause the effect.
    pub(in crate::engine) fn is_alive(&self, doubt: FencingToken) -> bool {
        let guards = self.guards.lock();
        guards.iter().any(|(_, of)| *of == doubt)
    }
}
