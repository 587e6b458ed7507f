//! [`DoubtedGuards`]: guards that are still there after an operator has put their keys in doubt.

use crate::runtime::sync::Mutex;
use crate::value::fencing_token::FencingToken;

/// Guards that are still there after an operator has put their keys in doubt: whoever has one may
/// yet cause the effect, though the key itself is settled as far as its shard knows.
#[derive(Debug, Default)]
pub(in crate::engine) struct DoubtedGuards {
    /// The token of the guard, and the one of the doubt. Few: each stands for an intervention.
    guards: Mutex<Vec<(FencingToken, FencingToken)>>,
}

impl DoubtedGuards {
    /// The guard of `holder` outlives its hold, which has ended in this doubt. Called under the
    /// lock of the key's shard, under which it was seen that the guard is there.
    pub(in crate::engine) fn note(&self, holder: FencingToken, doubt: FencingToken) {
        self.guards.lock().push((holder, doubt));
    }

    /// The guard of `holder` is gone. Called after the shard was looked at, so that an operator who
    /// was there first has noted it.
    pub(in crate::engine) fn end(&self, holder: FencingToken) {
        self.guards.lock().retain(|(guard, _)| *guard != holder);
    }

    /// Whether the holder whose hold has ended in this doubt may still cause the effect.
    pub(in crate::engine) fn is_alive(&self, doubt: FencingToken) -> bool {
        let guards = self.guards.lock();
        guards.iter().any(|(_, of)| *of == doubt)
    }
}
