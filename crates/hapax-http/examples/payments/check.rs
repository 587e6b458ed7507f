//! Checks that the ledger and the answers to the clients agree.

use std::collections::HashMap;

use hapax::Guarantee;

use crate::book::{Book, Page};
use crate::ledger::Entry;

/// The bits of a fencing token below the epoch, which every start of the store raises.
const COUNTER_BITS: u32 = 32;

/// The result of the check.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) payments: u64,
    /// The lines of the ledger.
    pub(crate) effects: u64,
    /// Repeated effects of a payment that at-least-once allows, because a kill came between them.
    pub(crate) repeated_by_kill: u64,
    /// Repeated effects of a payment that no guarantee allows.
    pub(crate) double_effects: u64,
    /// Everything that must not happen, by key.
    pub(crate) faults: Vec<String>,
}

impl Verdict {
    pub(crate) fn holds(&self) -> bool {
        self.double_effects == 0 && self.faults.is_empty()
    }
}

pub(crate) fn check(entries: &[Entry], book: &Book, guarantee: Guarantee) -> Verdict {
    let pages = book.all();
    let mut by_key: HashMap<&str, Vec<&Entry>> = HashMap::new();
    for entry in entries {
        by_key.entry(&entry.key).or_default().push(entry);
    }
    let mut verdict = Verdict {
        payments: count(pages.len()),
        effects: count(entries.len()),
        ..Verdict::default()
    };
    for (key, page) in &pages {
        let effects = by_key.remove(key.as_str()).unwrap_or_default();
        repeats(&mut verdict, &effects, guarantee);
        verdict.faults.extend(fault_of(page, &effects));
    }
    verdict.faults.extend(book.faults());
    if !book.tally().adds_up() {
        let fault = format!(
            "requests were counted twice or not at all: {:?}",
            book.tally()
        );
        verdict.faults.push(fault);
    }
    let unknown = by_key.keys();
    verdict
        .faults
        .extend(unknown.map(|key| format!("{key}: it was made, but no client asked for it")));
    verdict
}

/// Counts the repeated effects of one payment, in the order in which they were made.
fn repeats(verdict: &mut Verdict, effects: &[&Entry], guarantee: Guarantee) {
    let life = |entry: &Entry| entry.token.map(|token| token.as_i64() >> COUNTER_BITS);
    let mut doubled = false;
    for (at, effect) in effects.iter().enumerate().skip(1) {
        let is_new_life = effects[..at]
            .iter()
            .all(|earlier| life(earlier).is_some() && life(earlier) < life(effect));
        if guarantee == Guarantee::AtLeastOnce && is_new_life {
            verdict.repeated_by_kill += 1;
        } else {
            verdict.double_effects += 1;
            doubled = true;
        }
    }
    if doubled {
        let fault = format!("{}: made {} times", effects[0].key, effects.len());
        verdict.faults.push(fault);
    }
}

/// The payment must have an answer, the answer must be that of an effect, and every effect must match the payment.
fn fault_of(page: &Page, effects: &[&Entry]) -> Option<String> {
    let payment = &page.payment;
    let as_asked =
        |effect: &&Entry| (effect.amount, &effect.currency) == (payment.amount, &payment.currency);
    let last = effects.last().map(|effect| effect.answer());
    let fault = match (&page.told, last) {
        _ if !effects.iter().all(as_asked) => "another amount was paid",
        (None, _) => "no client got an answer in the end",
        (Some(_), None) => "it was answered, but never made",
        // Only the last run can have answered: the runs before it were killed.
        (Some(told), Some(last)) if told.body != last => "the answer is not that of the last run",
        (Some(_), Some(_)) => return None,
    };
    Some(format!("{}: {fault}", payment.key))
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}
