//! Many who want one key.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier, Mutex};

use hapax::FencingToken;
use hapax::backend::{Backend, Change, Expect, KeyRef, Next, Outcome};
use hapax_postgres::Postgres;

use crate::cluster::runtime;
use crate::world::{World, absent_to, completed, done, key, other, removal, row_to, running};

const CLAIMANTS: usize = 24;
const KEYS: usize = 6;
const ROUNDS: usize = 40;

/// Every grant of each key, in the order in which the claimants heard of them.
type Grants = Mutex<BTreeMap<KeyRef, Vec<FencingToken>>>;

/// Claims the keys again and again; a grant is given up at once, by a release or by a removal.
fn claim_all(server: &Postgres, grants: &Grants, seed: u64) {
    let runtime = runtime();
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..ROUNDS {
        let name = key(&format!("k{}", rng.usize(..KEYS)));
        let claim = absent_to(&name, running(600_000));
        let answered = runtime.block_on(server.submit(vec![claim]));
        let outcome = answered.expect("the server runs").found.pop();
        let Some(Outcome::Done(Some(row))) = outcome else {
            continue;
        };
        grants
            .lock()
            .expect("no claimant panicked")
            .entry(name.clone())
            .or_default()
            .push(row.token);
        let give_up = match rng.bool() {
            true => removal(&name, row.nonce),
            false => {
                let mut expired = completed("");
                expired.expires = hapax::backend::Ends::At(1);
                expired.token = Some(row.token);
                row_to(&name, row.nonce, expired)
            }
        };
        let answered = runtime.block_on(server.submit(vec![give_up]));
        let outcome = answered.expect("the server runs").found.pop();
        assert!(matches!(outcome, Some(Outcome::Done(_))), "{outcome:?}");
    }
}

#[test]
fn one_claimant_holds_a_key_and_tokens_rise() {
    let Some(world) = World::new("races_tokens") else {
        return;
    };
    let seed = fastrand::u64(..1 << 32);
    eprintln!("seed {seed}");
    let servers = [Arc::clone(&world.server), world.other(), world.other()];
    let grants = Grants::default();
    let start = Barrier::new(CLAIMANTS);
    std::thread::scope(|scope| {
        for at in 0..CLAIMANTS {
            let (grants, start) = (&grants, &start);
            let server = Arc::clone(&servers[at % servers.len()]);
            scope.spawn(move || {
                start.wait();
                let at = u64::try_from(at).expect("it is small");
                claim_all(&server, grants, seed + at);
            });
        }
    });
    let grants = grants.into_inner().expect("no claimant panicked");
    for (key, tokens) in &grants {
        // A holder notes its token before it gives the key up, so the notes are in the order of the grants.
        let rises = tokens.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(rises, "{key:?}: {tokens:?}");
    }
    assert_eq!(grants.len(), KEYS);
}

#[test]
fn of_many_claims_one_is_granted() {
    let Some(world) = World::new("races_one") else {
        return;
    };
    let servers = [Arc::clone(&world.server), world.other()];
    let granted = Mutex::new(BTreeMap::<KeyRef, usize>::new());
    let start = Barrier::new(CLAIMANTS);
    std::thread::scope(|scope| {
        for at in 0..CLAIMANTS {
            let (granted, start) = (&granted, &start);
            let server = &servers[at % servers.len()];
            scope.spawn(move || {
                let runtime = runtime();
                start.wait();
                for at in 0..50 {
                    let name = key(&at.to_string());
                    let claim = absent_to(&name, running(600_000));
                    let answered = runtime.block_on(server.submit(vec![claim]));
                    let outcome = answered.expect("the server runs").found.pop();
                    let is_mine = matches!(outcome, Some(Outcome::Done(_)));
                    *granted
                        .lock()
                        .expect("no claimant panicked")
                        .entry(name)
                        .or_default() += usize::from(is_mine);
                }
            });
        }
    });
    let granted = granted.into_inner().expect("no claimant panicked");
    assert!(granted.values().all(|&grants| grants == 1), "{granted:?}");
}

#[test]
fn changes_of_one_key_stay_in_order() {
    let Some(world) = World::new("races_order") else {
        return;
    };
    let name = key("a");
    let mut last = done(world.submit(absent_to(&name, running(1)))).expect("a row");
    for _ in 0..20 {
        // Each expects the one before it, and all are sent at once.
        let mut sent: Vec<Change> = Vec::new();
        for at in 0..10 {
            let expect = sent.last().map_or(last.nonce, |change| change.nonce);
            sent.push(row_to(&name, expect, completed(&at.to_string())));
        }
        let answers: Vec<_> = sent
            .iter()
            .map(|change| world.server.submit(vec![change.clone()]))
            .collect();
        for answer in answers {
            let outcome = world.wait(answer).expect("it runs").found.pop();
            last = done(outcome.expect("one outcome")).expect("a row");
        }
        assert_eq!(&*last.body, b"9");
    }
}

#[test]
fn duplicates_burn_no_transaction() {
    let Some(cluster) = crate::cluster::Cluster::start(&["autovacuum=off"]) else {
        return;
    };
    let world = World::on(&cluster, "races_xid");
    let name = key("a");
    let row = done(world.submit(absent_to(&name, completed("answer")))).expect("a row");
    let next = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
    let before: i64 = world.sql.get(next);
    for _ in 0..50 {
        assert!(other(world.submit(absent_to(&name, running(1)))).is_some());
        let other_row = row_to(&name, crate::world::nonce(), running(1));
        assert!(other(world.submit(other_row)).is_some());
        let again = Change {
            key: name.clone(),
            nonce: row.nonce,
            expect: Expect::Absent,
            only_leased: false,
            durable: true,
            next: Next::Row(Box::new(completed("answer"))),
        };
        assert_eq!(done(world.submit(again)).as_ref(), Some(&row));
    }
    let after: i64 = world.sql.get(next);
    assert_eq!(before, after);
}

#[test]
fn a_locked_key_holds_up_no_other() {
    let Some(world) = World::new("races_locked") else {
        return;
    };
    let (locked, free) = (key("a"), key("b"));
    let row = world.put(&locked, running(1));
    world.run("BEGIN; SELECT FROM {s}.keys FOR UPDATE");
    let slow = row_to(&locked, row.nonce, completed("late"));
    let slow = world
        .server
        .submit(vec![slow, absent_to(&free, running(1))]);
    // The other half of the same call is carried out while the lock is held.
    let seen = async {
        while world
            .server
            .read(vec![free.clone()])
            .await
            .expect("it runs")
            .found[0]
            .is_none()
        {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    world.wait(seen);
    world.run("COMMIT");
    let found = world.wait(slow).expect("it runs").found;
    assert!(found.into_iter().all(|outcome| done(outcome).is_some()));
}
