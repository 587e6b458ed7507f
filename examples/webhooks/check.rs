//! The final check: the ledger and the store have to tell the same story.

use std::collections::HashMap;

use hapax::{Guarantee, KeyState, Namespace};

use crate::Failure;
use crate::ledger::Entry;

/// Bits of a fencing token under the epoch, which every start of the store raises.
const COUNTER_BITS: u32 = 40;

/// The contents of the ledger, and where the store contradicts it.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Lines of the ledger.
    pub(crate) lines: u64,
    /// Deliveries that have a line.
    pub(crate) delivered: u64,
    /// Lines beyond the first of a delivery that another start of the process wrote.
    pub(crate) repeated_by_kill: u64,
    /// The same within one life of the process: the handler crashed after its effect.
    pub(crate) repeated_by_crash: u64,
    /// Deliveries that have more than one line.
    pub(crate) doubled: Vec<String>,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) in_doubt: u64,
    /// Events that have neither an answer nor a final failure, or whose answer does not follow from
    /// the ledger.
    pub(crate) wrong: Vec<String>,
}

impl Verdict {
    pub(crate) fn repeated(&self) -> u64 {
        self.repeated_by_kill + self.repeated_by_crash
    }

    /// At-least-once may repeat an effect, and may never lose one.
    pub(crate) fn holds(&self, guarantee: Guarantee) -> bool {
        let once = self.doubled.is_empty() || guarantee == Guarantee::AtLeastOnce;
        once && self.wrong.is_empty() && self.in_doubt == 0
    }
}

pub(crate) fn check<'a>(
    namespace: &Namespace,
    ids: impl Iterator<Item = &'a str>,
    entries: &[Entry],
) -> Result<Verdict, Failure> {
    let mut by_delivery: HashMap<&str, Vec<&Entry>> = HashMap::new();
    for entry in entries {
        by_delivery.entry(&entry.delivery).or_default().push(entry);
    }
    let mut verdict = Verdict {
        lines: u64::try_from(entries.len())?,
        delivered: u64::try_from(by_delivery.len())?,
        in_doubt: namespace
            .doubts()?
            .try_fold(0, |sum, doubt| doubt.map(|_| sum + 1))?,
        ..Verdict::default()
    };
    for (delivery, lines) in &by_delivery {
        count_repeats(&mut verdict, delivery, lines);
    }
    verdict.doubled.sort();
    for id in ids {
        let lines = by_delivery.get(id).map_or(&[][..], Vec::as_slice);
        check_event(&mut verdict, namespace, id, lines)?;
    }
    Ok(verdict)
}

fn count_repeats(verdict: &mut Verdict, delivery: &str, lines: &[&Entry]) {
    if lines.len() > 1 {
        verdict.doubled.push(delivery.to_owned());
    }
    for pair in lines.windows(2) {
        if pair[0].token >> COUNTER_BITS == pair[1].token >> COUNTER_BITS {
            verdict.repeated_by_crash += 1;
        } else {
            verdict.repeated_by_kill += 1;
        }
    }
}

/// A completed event has an effect, and its stored answer is that of one of its lines. A failed
/// event has no effect, unless an earlier attempt had it and was repeated.
fn check_event(
    verdict: &mut Verdict,
    namespace: &Namespace,
    id: &str,
    lines: &[&Entry],
) -> Result<(), Failure> {
    let info = namespace.get(id)?;
    let right = match &info {
        Some(info) if info.state() == KeyState::Completed => {
            verdict.completed += 1;
            lines.iter().any(|line| line.response() == info.body())
        }
        Some(info) if info.state() == KeyState::Failed => {
            verdict.failed += 1;
            lines.is_empty() || namespace.policy().guarantee() == Guarantee::AtLeastOnce
        }
        _ => false,
    };
    if !right {
        let state = info.map_or("absent".to_owned(), |info| info.state().to_string());
        verdict
            .wrong
            .push(format!("{id} ({state}, {} lines)", lines.len()));
    }
    Ok(())
}
