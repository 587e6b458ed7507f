//! Histories that once found a fault, each with its cause.

use super::replay;
use super::steps::{Asking, Body, Doing, Held, Setup, Step};

const SMALL: Body = Body { seed: 3, size: 10 };
const PLAIN: Asking = Asking {
    print: None,
    metadata: 0,
    lease_ms: None,
    retention_secs: None,
};

fn setup(interval_ms: Option<u64>) -> Setup {
    Setup {
        shards: 1,
        interval_ms,
    }
}

fn claim(space: usize, key: usize) -> Step {
    Step::Claim {
        id: (space, key),
        asked: PLAIN,
    }
}

fn act(act: Doing) -> Step {
    Step::Act {
        lease: Held(0),
        act,
        lets_go: false,
    }
}

/// The marks were written between two commits, after frames had been written that were not synced
/// yet, and called those frames durable. A power cut then lost them, and `open` refused the store
/// as damaged, although nothing that it had promised was missing.
#[test]
fn marks_vouch_only_for_what_was_synced() {
    let large = Body {
        seed: 0,
        size: 250_000,
    };
    let history = [
        claim(0, 0),
        act(Doing::Complete(SMALL)),
        Step::Sync,
        Step::Advance { ms: 200 },
        claim(0, 1),
        act(Doing::Complete(large)),
        Step::Advance { ms: 60_000 - 200 },
        Step::Crash { keeping: 0 },
    ];
    replay(setup(Some(60_000)), &history);
    let history = [
        Step::Advance { ms: 59_966 },
        Step::Sync,
        claim(0, 0),
        act(Doing::Complete(large)),
        Step::Advance { ms: 34 },
        Step::Crash { keeping: 0 },
    ];
    replay(setup(Some(10_000)), &history);
}

/// Forgetting a key twice reported both times that it had been there, as long as its removal was
/// recent.
#[test]
fn a_key_is_forgotten_once() {
    let id = (0, 0);
    let forget = || Step::Forget { id, force: None };
    replay(setup(None), &[Step::Insert { id }, forget(), forget()]);
    replay(
        setup(Some(1000)),
        &[Step::Insert { id }, forget(), forget()],
    );
}

/// A table that grew in the first minutes after open freed expired slots, which `validate` took for
/// a wrong count: counts do not change in those minutes.
#[test]
fn a_table_that_grows_after_open_may_free_expired_keys() {
    let fill = (0..4).flat_map(|space| (0..4).map(move |key| claim(space, key)));
    let mut history: Vec<Step> = (0..4).map(|key| Step::Insert { id: (3, key) }).collect();
    history.extend([Step::Advance { ms: 600_000 }, Step::Crash { keeping: 9 }]);
    history.extend(fill);
    replay(setup(None), &history);
}

/// A holder whose lease had lapsed long ago stored a checkpoint. When the lapsed key had been kept
/// for long enough it was dropped, and the checkpoint with it, which had time left.
#[test]
fn a_late_checkpoint_outlives_the_lapsed_lease() {
    let history = [
        claim(0, 0),
        Step::Advance { ms: 11_000 },
        Step::Advance { ms: 2_000_000 },
        act(Doing::Checkpoint(SMALL)),
        Step::Advance { ms: 500_000 },
        Step::Verify,
        claim(0, 0),
    ];
    replay(setup(None), &history);
}

/// A claim without a fingerprint took a lapsed key over and removed the stored fingerprint, so a
/// changed request was answered with the response of another.
#[test]
fn a_claim_that_is_not_compared_leaves_the_fingerprint_there() {
    let asked = |print| Step::Claim {
        id: (0, 0),
        asked: Asking { print, ..PLAIN },
    };
    let lapse = || Step::Advance { ms: 11_000 };
    let taken_over = [
        asked(Some(1)),
        lapse(),
        asked(None),
        act(Doing::Complete(SMALL)),
        asked(Some(2)),
    ];
    replay(setup(None), &taken_over);
    let released = [
        asked(Some(1)),
        act(Doing::Release(1)),
        asked(None),
        act(Doing::Complete(SMALL)),
        asked(Some(2)),
    ];
    replay(setup(None), &released);
}

/// A ticket for a claim that was journaled anyway, because attempts were counted, was given out
/// before that record was on the medium: after a power cut it was worth nothing.
#[test]
fn a_ticket_of_a_counted_attempt_outlives_a_power_cut() {
    let detach = || act(Doing::Detach);
    let history = [
        claim(2, 0),
        act(Doing::Release(1)),
        claim(2, 0),
        detach(),
        Step::Crash { keeping: 0 },
        Step::Attach { ticket: 0 },
        act(Doing::Complete(SMALL)),
    ];
    replay(setup(None), &history);
}

/// The model was at fault: a crash may have lost a `detach`, and a key looks the same with it as
/// without it, but its ticket is good again or still used. At the next restart the model took it for
/// certain that the `detach` was there.
#[test]
fn a_detach_that_may_be_lost_stays_in_question_over_a_restart() {
    let detach = || act(Doing::Detach);
    for space in 1..4 {
        let history = [
            claim(space, 0),
            detach(),
            Step::Attach { ticket: 0 },
            Step::Sync,
            detach(),
            Step::Crash { keeping: 0 },
            Step::Reopen,
            Step::Attach { ticket: 0 },
            Step::Attach { ticket: 1 },
        ];
        replay(setup(Some(1)), &history);
    }
}

/// The model was at fault: it took a `release` for certain that a crash had lost. A key that was
/// released without a reason looks like one whose holder died, and only a ticket tells them apart.
#[test]
fn a_release_that_may_be_lost_is_in_question() {
    let history = [
        claim(0, 0),
        act(Doing::Detach),
        Step::Sync,
        Step::Attach { ticket: 0 },
        act(Doing::Release(0)),
        Step::Crash { keeping: 0 },
        Step::Attach { ticket: 0 },
    ];
    replay(setup(Some(1)), &history);
}
