//! Judges recorded histories of a hapax store.
//!
//! A history is linearizable if, for each key, there is an order of its calls that agrees with real
//! time and in which every answer is what the specification gives. Keys are judged one by one
//! ([`search`]); what a key is and answers is written down in [`spec`], without any code of hapax;
//! tokens and the store's clock are judged over all keys ([`global`]).

pub mod global;
pub mod history;
mod report;
pub mod search;
pub mod spec;

use std::collections::BTreeMap;

pub use history::{Call, History};
pub use report::{Report, Violation};

/// Judges a history.
#[must_use]
pub fn check(history: &History) -> Report {
    let mut report = Report {
        calls: history.calls.len(),
        reopens: history.reopens.len(),
        ..Report::default()
    };
    report.violations.extend(global::tokens(history));
    let clock = match global::StoreClock::of(history) {
        Ok(clock) => clock,
        Err(violation) => {
            report.violations.push(violation);
            return report;
        }
    };
    let mut keys: BTreeMap<(usize, &str), Vec<&Call>> = BTreeMap::new();
    for call in &history.calls {
        keys.entry((call.ns, &call.key)).or_default().push(call);
    }
    report.keys = keys.len();
    for ((ns, key), calls) in keys {
        let rules = &history.meta.namespaces[ns];
        let named = (rules.name.clone(), key.to_owned());
        let found = search::judge(rules, &clock, &calls, &history.reopens);
        report.most_orders = report.most_orders.max(found.most_orders);
        report.most_pending = report.most_pending.max(found.most_pending);
        match found.verdict {
            search::Verdict::Holds => {}
            search::Verdict::GaveUp => report.undecided.push(named),
            search::Verdict::Violated(at) => {
                let shown = search::window::show(rules, &clock, &calls, &history.reopens, &at);
                report.violations.push(Violation {
                    key: Some(named),
                    what: "no order of these calls explains every answer".to_owned(),
                    shown,
                });
            }
        }
    }
    report
}
