//! Histories written by hand: each promise once kept, and once not.

use hapax_check::history::{
    Answer, Ask, Call, Doubtful, FORMAT, Granted, How, Meta, Op, Refusal, Refused, Reopen, Rules,
    Status, Stored,
};
use hapax_check::{History, check};

const WALL_SECS: u64 = 1_000_000;
const AGAIN: usize = 0;
const ONCE: usize = 1;
const MILLI: u64 = 1_000_000;

/// Calls one after the other, on one key unless told otherwise.
struct Script {
    history: History,
    ns: usize,
    /// Milliseconds.
    now: u64,
}

fn script(ns: usize) -> Script {
    let rules = |name: &str, at_most_once| Rules {
        name: name.to_owned(),
        at_most_once,
        retention_secs: 10,
        failed_secs: 10,
        attempt_secs: 20,
        max_attempts: None,
    };
    let meta = Meta {
        format: FORMAT,
        wall_ms: WALL_SECS * 1000,
        store_time_slack_ms: 100,
        namespaces: vec![rules("again", false), rules("once", true)],
        ..Meta::default()
    };
    Script {
        history: History {
            meta,
            ..History::default()
        },
        ns,
        now: 200,
    }
}

impl Script {
    /// The store's clock may be further from the one on the wall.
    fn loosely(mut self) -> Self {
        self.history.meta.store_time_slack_ms = 20_000;
        self
    }

    fn passes(mut self, ms: u64) -> Self {
        self.now += ms;
        self
    }

    fn call(self, op: Op, result: Answer) -> Self {
        self.call_on("key", op, result)
    }

    /// A millisecond long.
    fn call_on(mut self, key: &str, op: Op, result: Answer) -> Self {
        let start = self.now * MILLI;
        self.now += 2;
        self.history.calls.push(Call {
            ns: self.ns,
            key: key.to_owned(),
            thread: 0,
            start,
            end: Some(start + MILLI),
            op,
            result,
        });
        self
    }

    fn reopens(mut self) -> Self {
        let (start, end) = (self.now * MILLI, (self.now + 1) * MILLI);
        self.now += 2;
        self.history.reopens.push(Reopen { start, end });
        self
    }

    fn holds(self) {
        let report = check(&self.history);
        assert!(report.holds(), "{report}");
    }

    fn fails(self) {
        let report = check(&self.history);
        assert!(!report.violations.is_empty(), "nothing was found: {report}");
        assert!(
            report
                .violations
                .iter()
                .all(|violation| !violation.shown.is_empty()),
            "it shows the calls"
        );
    }

    /// A claim that is granted.
    fn granted(self, token: i64, attempt: u32) -> Self {
        let answer = granted(token, attempt, WALL_SECS + self.now / 1000);
        self.call(claim(), answer)
    }

    fn completes(self, token: i64, body: &str) -> Self {
        let body = body.to_owned();
        self.call(Op::Complete { token, body }, Answer::Done)
    }

    fn told(self, token: i64, body: &str, at_secs: u64) -> Self {
        let answer = completed(token, body, at_secs);
        self.call(claim(), answer)
    }
}

/// With a lease of 50 ms.
fn claim() -> Op {
    Op::Claim(Ask {
        lease_ms: 50,
        wait_ms: None,
        print: None,
        meta: "m".to_owned(),
    })
}

fn granted(token: i64, attempt: u32, first: u64) -> Answer {
    Answer::Granted(Granted {
        token,
        attempt,
        first,
        checkpoint: String::new(),
        reason: String::new(),
    })
}

/// First claimed and settled in the same second.
fn completed(token: i64, body: &str, at_secs: u64) -> Answer {
    let at = WALL_SECS + at_secs;
    Answer::Completed(Stored {
        token,
        attempts: 1,
        body: body.to_owned(),
        meta: "m".to_owned(),
        first: at,
        at,
        expires: at + 11,
    })
}

fn in_progress() -> Answer {
    in_progress_for(46)
}

fn in_progress_for(left_ms: u64) -> Answer {
    Answer::InProgress {
        left_ms,
        attempt: 1,
        meta: "m".to_owned(),
    }
}

fn in_doubt(token: i64) -> Answer {
    Answer::InDoubt(Doubtful {
        token,
        attempt: 1,
        reason: "the lease lapsed without an outcome".to_owned(),
        checkpoint: String::new(),
        meta: "m".to_owned(),
        alive: true,
    })
}

fn refused(kind: Refusal, state: Status, token: i64) -> Answer {
    Answer::Refused(Refused {
        kind,
        current: Some((state, token)),
    })
}

#[test]
fn two_grants_at_once() {
    for ns in [AGAIN, ONCE] {
        let one = || script(ns).granted(1, 1);
        one().call(claim(), in_progress()).holds();
        one().granted(2, 1).fails();
        one().granted(2, 2).fails();
    }
}

#[test]
fn a_lost_completion() {
    let done = || script(AGAIN).granted(1, 1).completes(1, "a");
    done().passes(9000).told(1, "a", 0).holds();
    done().passes(9000).granted(2, 1).fails();
    done().reopens().told(1, "a", 0).holds();
    done().reopens().granted(2, 1).fails();
    done().reopens().granted(2, 2).fails();
}

// At the end of a history nothing shows the time any more, so the checker assumed that the retention of a
// lost completion had passed, by as much as the store's clock may be ahead. The grant that follows tells the
// second itself.
#[test]
fn a_lost_completion_at_the_end_of_a_history() {
    let done = || script(AGAIN).loosely().granted(1, 1).completes(1, "a");
    done().granted(2, 1).fails();
    done().reopens().granted(2, 1).fails();
    done().passes(9000).granted(2, 1).fails();
    done().passes(12_000).granted(2, 1).holds();
    // So does the one that follows a lost failure, or a lost release.
    let (body, reason) = (String::new(), String::new());
    let settles = [
        (Op::Fail { token: 1, body }, 12_000),
        (Op::Release { token: 1, reason }, 22_000),
    ];
    for (settle, life_ms) in settles {
        let lost = || {
            script(AGAIN)
                .loosely()
                .granted(1, 1)
                .call(settle.clone(), Answer::Done)
        };
        lost().granted(2, 1).fails();
        lost().passes(life_ms).granted(2, 1).holds();
    }
    // What never happened is not an attempt, so a key that was claimed before may be granted as its first
    // attempt.
    let never = Op::Resolve {
        token: 1,
        how: How::NeverHappened,
        force: true,
    };
    let again = Answer::Granted(Granted {
        token: 5,
        attempt: 1,
        first: WALL_SECS,
        checkpoint: String::new(),
        reason: "resolved: it never happened".to_owned(),
    });
    let lapsed = || script(ONCE).loosely().granted(1, 1).passes(60);
    let resolved = || lapsed().call(never.clone(), Answer::Done);
    resolved().call(claim(), again.clone()).holds();
    resolved().passes(9000).call(claim(), again).holds();
    // Without a time that is told, it may have passed.
    done().call(Op::Get, Answer::Absent).holds();
    done().call(Op::Contains, Answer::Flag(false)).holds();
}

/// An outcome shows that the second in which it was stored had come, on any key.
#[test]
fn an_outcome_of_another_key_tells_the_time() {
    let told = |at_secs| {
        let at = WALL_SECS + at_secs;
        let inserted = Answer::Completed(Stored {
            token: 2,
            attempts: 1,
            body: String::new(),
            meta: String::new(),
            first: at,
            at,
            expires: at + 11,
        });
        let script = script(AGAIN).loosely().granted(1, 1).completes(1, "a");
        let script = script.passes(9000);
        let script = script.call_on("other", Op::Insert, Answer::Flag(true));
        script.call_on("other", claim(), inserted)
    };
    told(9).told(1, "a", 0).holds();
    told(12).told(1, "a", 0).fails();
    told(12).call(Op::Get, Answer::Absent).holds();
}

// The checker compared the time left of a lease with its upper bound only: a caller who was told
// too little came back too early, and the checker accepted that.
#[test]
fn the_time_that_is_left_of_a_lease() {
    let told = |left_ms| {
        script(AGAIN)
            .granted(1, 1)
            .call(claim(), in_progress_for(left_ms))
    };
    told(49).holds();
    told(51).fails();
    told(43).fails();
    told(0).fails();
    let renewed = |left_ms| {
        let script = script(AGAIN).granted(1, 1).passes(40);
        let script = script.call(Op::Renew { token: 1 }, Answer::Done);
        script.call(claim(), in_progress_for(left_ms))
    };
    renewed(47).holds();
    renewed(6).fails();
}

/// Claims, completions and deletions of a key, all at once.
fn crowd(size: i64) -> Script {
    let mut script = script(AGAIN);
    for token in 1..=size {
        script = script.granted(token, 1).completes(token, "a");
        script = script.call(Op::Forget { force: None }, Answer::Flag(true));
    }
    let end = script.now * MILLI;
    for call in &mut script.history.calls {
        call.end = Some(end + call.start);
        call.start = 200 * MILLI;
    }
    script
}

// With many concurrent calls of a key, the checker kept so many orders apart that it gave up. The
// tokens tell in which order most of them came.
#[test]
fn a_crowd_at_one_key_is_decided() {
    let one = crowd(20);
    let report = check(&one.history);
    assert!(report.most_pending == 60, "{report}");
    one.holds();
    // The last of six needs no deletion after it, and the other five are one short.
    let mut lost = crowd(6);
    for _ in 0..2 {
        let calls = &mut lost.history.calls;
        let is_forget = |call: &Call| matches!(call.op, Op::Forget { .. });
        let at = calls.iter().position(is_forget).unwrap();
        calls.remove(at);
    }
    lost.fails();
}

#[test]
fn an_answer_after_its_retention() {
    let done = || script(AGAIN).granted(1, 1).completes(1, "a");
    done().passes(12_000).granted(2, 1).holds();
    done().passes(12_000).told(1, "a", 0).fails();
}

#[test]
fn an_outcome_that_comes_back() {
    let twice = || {
        let first = script(AGAIN).granted(1, 1).completes(1, "a");
        first.passes(12_000).granted(2, 1).completes(2, "b")
    };
    twice().told(2, "b", 12).holds();
    twice().told(1, "a", 0).fails();
    let absent = || script(AGAIN).granted(1, 1).completes(1, "a").passes(12_000);
    absent().call(Op::Get, Answer::Absent).granted(2, 1).holds();
    absent()
        .call(Op::Get, Answer::Absent)
        .told(1, "a", 0)
        .fails();
}

#[test]
fn a_wrong_answer() {
    let done = || script(AGAIN).granted(1, 1).completes(1, "a");
    done().told(1, "b", 0).fails();
    done().told(3, "a", 0).fails();
    done().told(1, "a", 1).fails();
}

#[test]
fn a_token_that_is_not_current_and_accepted() {
    let taken = || script(AGAIN).granted(1, 1).passes(60).granted(2, 2);
    let body = "late".to_owned();
    let late = || Op::Complete {
        token: 1,
        body: body.clone(),
    };
    let no = refused(Refusal::Superseded, Status::InProgress, 2);
    taken().call(late(), no).completes(2, "b").holds();
    taken().call(late(), Answer::Done).fails();
    taken().call(Op::Renew { token: 1 }, Answer::Done).fails();
}

#[test]
fn an_answer_after_forget() {
    let gone = || {
        let done = script(AGAIN).granted(1, 1).completes(1, "a");
        done.call(Op::Forget { force: None }, Answer::Flag(true))
    };
    gone().granted(2, 1).holds();
    gone().told(1, "a", 0).fails();
    gone().reopens().told(1, "a", 0).fails();
    gone().call(Op::Contains, Answer::Flag(true)).fails();
}

#[test]
fn at_most_once_and_granted_twice() {
    let lapsed = || script(ONCE).granted(1, 1).passes(60);
    lapsed().call(claim(), in_doubt(1)).holds();
    lapsed().granted(2, 2).fails();
    lapsed().granted(2, 1).fails();
    script(ONCE).granted(1, 1).reopens().granted(2, 2).fails();
    let never = Op::Resolve {
        token: 1,
        how: How::NeverHappened,
        force: true,
    };
    let resolved = lapsed().call(never, Answer::Done);
    let again = Answer::Granted(Granted {
        token: 5,
        attempt: 1,
        first: WALL_SECS,
        checkpoint: String::new(),
        reason: "resolved: it never happened".to_owned(),
    });
    resolved.call(claim(), again).holds();
    let doubted = lapsed().call(claim(), in_doubt(1));
    doubted.call(Op::Renew { token: 1 }, Answer::Done).fails();
}

#[test]
fn a_lease_that_ends_early_or_never() {
    let again = || script(AGAIN).granted(1, 1);
    again().passes(30).granted(2, 2).fails();
    again().passes(60).granted(2, 2).holds();
    again().passes(60).call(claim(), in_progress()).fails();
}

#[test]
fn tokens_that_do_not_rise() {
    let one = || script(AGAIN).granted(7, 1).completes(7, "a");
    let other = |token| granted(token, 1, WALL_SECS);
    one().call_on("other", claim(), other(8)).holds();
    one().call_on("other", claim(), other(6)).fails();
    one().call_on("other", claim(), other(7)).fails();
}

/// A completion that overlaps a claim may come before it or after.
#[test]
fn calls_that_overlap_may_be_put_in_either_order() {
    let overlapped = |answer| {
        let mut script = script(AGAIN).granted(1, 1).completes(1, "a");
        script.now -= 1;
        script.call(claim(), answer)
    };
    overlapped(in_progress()).holds();
    overlapped(completed(1, "a", 0)).holds();
    overlapped(granted(2, 2, WALL_SECS)).fails();
}

/// A call that never returned either had an effect or did not, but not both.
#[test]
fn a_call_that_never_returned_may_have_had_an_effect() {
    let lost = || {
        let body = "a".to_owned();
        let script = script(AGAIN).granted(1, 1);
        let mut script = script.call(Op::Complete { token: 1, body }, Answer::Unknown);
        script.history.calls.last_mut().unwrap().end = None;
        script.reopens()
    };
    lost().told(1, "a", 0).holds();
    lost().granted(2, 1).holds();
    lost()
        .granted(2, 1)
        .completes(2, "b")
        .told(1, "a", 0)
        .fails();
    lost().told(1, "a", 0).granted(2, 1).fails();
}

/// A grant that no caller received is taken back before its future is gone.
#[test]
fn a_claim_that_was_cancelled_leaves_nothing() {
    let cancelled = || script(AGAIN).call(claim(), Answer::Cancelled);
    cancelled().granted(2, 1).holds();
    cancelled().granted(2, 2).fails();
    cancelled().call(claim(), in_progress()).fails();
}
