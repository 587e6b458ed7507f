//! The counter-example: as few calls as show the fault, for people.

use super::{Fault, Verdict, judge_from, only_looks};
use crate::global::StoreClock;
use crate::history::{Call, Reopen, Rules, millis};
use crate::spec::Key;

/// Calls that are shown at most.
const SHOWN_MAX: usize = 60;

/// The calls from the last quiet moment to the fault, without those that the fault does not need.
pub(crate) fn show<'a>(
    rules: &Rules,
    clock: &StoreClock,
    calls: &[&'a Call],
    reopens: &[Reopen],
    fault: &Fault<'a>,
) -> Vec<String> {
    let mut calls = calls.to_vec();
    calls.sort_by_key(|call| (call.start, call.end));
    let culprit = fault.call.map(|at| calls[at]);
    let until = culprit.and_then(|call| call.end).unwrap_or(u64::MAX);
    let mut window: Vec<&Call> = calls[fault.from..]
        .iter()
        .copied()
        .filter(|call| call.start <= until)
        .collect();
    let violated = |calls: &[&'a Call]| {
        let judged = judge_from(rules, clock, calls, reopens, fault.keys.clone());
        matches!(judged.verdict, Verdict::Violated(_))
    };
    if culprit.is_some() && window.len() <= 400 {
        shrink(&mut window, culprit, rules, violated);
    }
    let base = window.first().map_or(0, |call| call.start);
    let mut shown = vec![format!(
        "times in ms since {:.3} ms; before that the key was {}",
        millis(base),
        described(&fault.keys)
    )];
    let skipped = window.len().saturating_sub(SHOWN_MAX);
    if skipped > 0 {
        shown.push(format!("({skipped} earlier calls are not shown)"));
    }
    for call in &window[skipped..] {
        let mark = if culprit.is_some_and(|other| std::ptr::eq(other, *call)) {
            "   <-- nothing explains this"
        } else {
            ""
        };
        shown.push(format!("{}{mark}", call.line(base)));
    }
    shown
}

/// Drops calls that only look, one after the other, as long as the fault stays.
fn shrink<'a>(
    window: &mut Vec<&'a Call>,
    culprit: Option<&Call>,
    rules: &Rules,
    violated: impl Fn(&[&'a Call]) -> bool,
) {
    let mut at = 0;
    while at < window.len() {
        let call = window[at];
        let needed = culprit.is_some_and(|other| std::ptr::eq(other, call));
        if needed || !only_looks(call, rules) {
            at += 1;
            continue;
        }
        window.remove(at);
        if !violated(window) {
            window.insert(at, call);
            at += 1;
        }
    }
}

fn described(keys: &[Key<'_>]) -> String {
    let one = |key: &Key<'_>| match (&key.run, &key.rec) {
        (Some(run), _) => format!("run under {:?}, attempt {}", run.tok, run.attempt),
        (None, Some(rec)) => format!("{:?} under {:?}: {:?}", rec.kind, rec.tok, rec.body),
        (None, None) => "absent".to_owned(),
    };
    let mut all: Vec<String> = keys.iter().map(one).collect();
    all.sort();
    all.dedup();
    all.truncate(4);
    all.join(", or ")
}
