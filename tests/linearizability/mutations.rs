//! Real histories of one thread: explained as they are, and with their calls stretched so that they
//! overlap; hardly ever with an answer that belongs to another call.

use std::time::Duration;

use hapax_check::history::Answer;
use hapax_check::{Call, History, check};

use crate::random::Random;
use crate::session::Plan;
use crate::{record, seed};

fn sequential(seed: u64) -> History {
    record(&Plan {
        lasting: Duration::from_secs(4),
        calls: 4000,
        threads: 1,
        keys: 2,
        reopen_every: Duration::from_millis(500),
        seed,
        ..Plan::default()
    })
}

#[test]
fn calls_that_are_stretched_are_explained_still() {
    // With more callers, too many calls of a key overlap, and the checker gives up now and then.
    const STRETCH_NANOS: u64 = 60_000;
    let seed = seed();
    let history = sequential(seed);
    let report = check(&history);
    assert!(report.holds(), "{report}");
    let mut random = Random::new(seed);
    for _ in 0..5 {
        let mut stretched = history.clone();
        for call in &mut stretched.calls {
            call.start = call.start.saturating_sub(random.below(STRETCH_NANOS));
            call.end = call.end.map(|end| end + random.below(STRETCH_NANOS));
        }
        let report = check(&stretched);
        assert!(report.holds(), "{report}");
        assert!(report.most_pending > 1, "they overlap");
    }
}

#[test]
fn an_answer_of_another_call_is_hardly_ever_explained() {
    const MUTATIONS: usize = 400;
    let seed = seed();
    let history = sequential(seed);
    let mut random = Random::new(seed);
    let (mut tried, mut found) = (0, 0);
    while tried < MUTATIONS {
        let at = random.index(history.calls.len());
        let from = random.index(history.calls.len());
        let (call, other) = (&history.calls[at], &history.calls[from]);
        if !says_more(call, other) {
            continue;
        }
        let mut changed = History {
            meta: history.meta.clone(),
            calls: Vec::new(),
            reopens: history.reopens.clone(),
        };
        changed.calls = history
            .calls
            .iter()
            .filter(|kept| (kept.ns, &kept.key) == (call.ns, &call.key))
            .cloned()
            .collect();
        let place = changed
            .calls
            .iter()
            .position(|kept| kept.start == call.start);
        changed.calls[place.unwrap()].result = other.result.clone();
        tried += 1;
        found += usize::from(!check(&changed).violations.is_empty());
    }
    println!("{found} of {tried} wrong answers were found");
    assert!(found * 100 >= tried * 90, "{found} of {tried}");
}

/// The other call asks for the same and is answered differently, with something that can be wrong.
fn says_more(call: &Call, other: &Call) -> bool {
    let same = std::mem::discriminant(&call.op) == std::mem::discriminant(&other.op);
    let known = |answer: &Answer| !matches!(answer, Answer::Unknown | Answer::Cancelled);
    same && call.result != other.result && known(&call.result) && known(&other.result)
}
