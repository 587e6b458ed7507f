//! The numbers that SQL computes are those of `Draft::stamped`.

use fastrand::Rng;
use hapax::FencingToken;
use hapax::backend::{
    Begins, Draft, DraftRun, Ends, HolderGuard, LeaseEnd, Outcome, RowState, Stamps,
};

use crate::world::{World, absent_to, bytes, key};

fn second(rng: &mut Rng) -> u32 {
    match rng.u8(..4) {
        0 => 0,
        1 => u32::MAX - rng.u32(..3),
        _ => rng.u32(..),
    }
}

fn begins(rng: &mut Rng) -> Begins {
    match rng.bool() {
        true => Begins::Now,
        false => Begins::At(second(rng)),
    }
}

fn span(rng: &mut Rng) -> u64 {
    match rng.u8(..4) {
        0 => 0,
        1 => u64::try_from(i64::MAX).expect("it is positive") - rng.u64(..3),
        2 => rng.u64(..100_000),
        _ => rng.u64(..1 << 50),
    }
}

fn ends(rng: &mut Rng) -> Ends {
    match rng.u8(..4) {
        0 => Ends::Never,
        // Later than the clock of this test, so that the row can be read.
        1 => Ends::At(u32::MAX - 1 - rng.u32(..1000)),
        2 => Ends::After(second(rng).max(1)),
        _ => Ends::AfterLease(second(rng).max(1)),
    }
}

fn run(rng: &mut Rng, now_ms: u64) -> DraftRun {
    DraftRun {
        process: if rng.bool() { 0 } else { rng.u128(..) },
        guard: rng
            .choice([HolderGuard::Lease, HolderGuard::Ticket, HolderGuard::Gone])
            .expect("three"),
        lease_ms: span(rng),
        lease_ends: match rng.u8(..3) {
            0 => LeaseEnd::AfterMs(span(rng)),
            1 => LeaseEnd::AfterMsOrAt(span(rng), now_ms + rng.u64(..200_000)),
            _ => LeaseEnd::At(now_ms + span(rng).min(1 << 50)),
        },
        claimed_at: begins(rng),
        metadata: bytes("m"),
    }
}

fn draft(rng: &mut Rng, now_ms: u64) -> Draft {
    let states = [
        RowState::InProgress,
        RowState::Completed,
        RowState::Failed,
        RowState::InDoubt,
        RowState::Released,
    ];
    let state = rng.choice(states).expect("five");
    let is_running = state == RowState::InProgress;
    Draft {
        state,
        token: match rng.bool() {
            true => None,
            false => FencingToken::from_i64(rng.i64(0..)),
        },
        attempt: second(rng),
        first_claimed_at: begins(rng),
        recorded_at: begins(rng),
        expires: ends(rng),
        retention_secs: second(rng),
        body_omitted: rng.bool(),
        attached: rng.bool(),
        fingerprint: bytes("fingerprint"),
        metadata: bytes(""),
        reason: bytes("reason"),
        body: bytes(&"b".repeat(rng.usize(..3000))),
        run: is_running.then(|| run(rng, now_ms)),
    }
}

#[test]
fn sql_stamps_as_the_draft_does() {
    let Some(world) = World::new("stamps") else {
        return;
    };
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    for round in 0..40 {
        let now_ms = rng.u64(1_000_000..4_000_000_000_000);
        world.stop_clock(now_ms);
        for at in 0..25 {
            let name = key(&format!("{round}-{at}"));
            let draft = draft(&mut rng, now_ms);
            let change = absent_to(&name, draft.clone());
            let answered = world.submit_at(change.clone());
            let Outcome::Done(Some(row)) = answered.found else {
                panic!("{round}-{at}: {draft:?}");
            };
            assert_eq!(answered.now_ms, now_ms);
            let process = draft.run.as_ref().map_or(0, |run| run.process);
            let stamps = Stamps {
                now_ms,
                token: row.token,
                alive_until_ms: if process == 0 { u64::MAX } else { 0 },
            };
            if let Some(token) = draft.token {
                assert_eq!(row.token, token);
            }
            // What the client computed, and what the server did.
            let read = world.read(&name).unwrap_or_else(|| panic!("{draft:?}"));
            assert_eq!(read, row, "{draft:?} at {now_ms}");
            let mut stamped = draft.stamped(change.nonce, stamps);
            if let Some(run) = &mut stamped.run {
                let last = u64::try_from(i64::MAX).expect("it is positive");
                for moment in [&mut run.lease_ms, &mut run.lease_until_ms] {
                    if *moment >= last {
                        *moment = u64::MAX;
                    }
                }
            }
            assert_eq!(read, stamped, "{draft:?} at {now_ms}");
        }
    }
}
