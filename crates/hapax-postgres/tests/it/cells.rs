//! Every cell of a submission: what is expected, what is there, and what becomes of it.

use hapax::backend::{Backend, Begins, Change, Ends, Outcome, Row};

use crate::world::{
    World, absent_to, absent_to_absent, completed, done, key, nonce, other, removal, row_to,
    running, running_of,
};

#[test]
fn an_absent_key_becomes_a_row() {
    let Some(world) = World::new("cells_absent") else {
        return;
    };
    let key = key("a");
    let change = absent_to(&key, running(60_000));
    let answered = world.submit_at(change.clone());
    let row = done(answered.found).expect("a row");
    assert_eq!(row.nonce, change.nonce);
    assert_eq!(world.read(&key).as_ref(), Some(&row));
    let run = row.run.expect("it runs");
    assert_eq!(run.lease_until_ms, answered.now_ms + 60_000);
    assert_eq!(run.alive_until_ms, u64::MAX);
    let bare = done(world.submit(absent_to_absent(&crate::world::key("b"))));
    assert_eq!(bare, None, "absent it was, and absent it is");
}

#[test]
fn a_row_in_the_way_is_shown() {
    let Some(world) = World::new("cells_other") else {
        return;
    };
    let key = key("a");
    let row = world.put(&key, completed("answer"));
    let duplicate = world.submit(absent_to(&key, running(1)));
    assert_eq!(other(duplicate).as_ref(), Some(&row));
    assert_eq!(
        other(world.submit(absent_to_absent(&key))).as_ref(),
        Some(&row)
    );
    let stranger = row_to(&key, nonce(), completed("mine"));
    assert_eq!(other(world.submit(stranger)).as_ref(), Some(&row));
    let stranger = removal(&key, nonce());
    assert_eq!(other(world.submit(stranger)).as_ref(), Some(&row));
    assert_eq!(world.read(&key), Some(row));
}

#[test]
fn the_expected_row_is_changed() {
    let Some(world) = World::new("cells_row") else {
        return;
    };
    let key = key("a");
    let claimed = world.put(&key, running(60_000));
    let mut next = completed("answer");
    next.token = Some(claimed.token);
    next.first_claimed_at = Begins::At(claimed.first_claimed_at);
    let change = row_to(&key, claimed.nonce, next);
    let row = done(world.submit(change.clone())).expect("a row");
    assert_eq!(row.token, claimed.token, "the draft brought it");
    assert_eq!(world.read(&key).as_ref(), Some(&row));
    let again = done(world.submit(change)).expect("a row");
    assert_eq!(again, row, "recognised by its nonce");
    assert_eq!(done(world.submit(removal(&key, row.nonce))), None);
    assert_eq!(world.read(&key), None);
}

#[test]
fn an_expected_row_that_is_not_there_stays_away() {
    let Some(world) = World::new("cells_gone") else {
        return;
    };
    let key = key("a");
    assert_eq!(
        other(world.submit(row_to(&key, nonce(), completed("x")))),
        None
    );
    assert_eq!(other(world.submit(removal(&key, nonce()))), None);
    assert_eq!(world.read(&key), None);
}

fn expired(world: &World, name: &str) -> Row {
    let mut draft = completed("old");
    draft.expires = Ends::At(1);
    world.put(&key(name), draft)
}

#[test]
fn an_expired_row_counts_as_absent() {
    let Some(world) = World::new("cells_expired") else {
        return;
    };
    let old = expired(&world, "a");
    let a = key("a");
    assert_eq!(world.read(&a), None);
    let late = row_to(&a, old.nonce, completed("late"));
    assert_eq!(other(world.submit(late)), None);
    assert_eq!(other(world.submit(removal(&a, old.nonce))), None);
    assert_eq!(done(world.submit(absent_to_absent(&a))), None);
    // There is no lease that could run, so none is asked for.
    let claim = Change {
        only_leased: true,
        ..absent_to(&a, running(1))
    };
    let row = done(world.submit(claim)).expect("a row");
    assert!(row.token > old.token);
    assert_eq!(world.read(&a), Some(row));
}

#[test]
fn a_row_expires_at_its_second() {
    let Some(world) = World::new("cells_second") else {
        return;
    };
    world.stop_clock(5_000_999);
    let key = key("a");
    let mut draft = completed("answer");
    draft.expires = Ends::After(10);
    let row = world.put(&key, draft);
    assert_eq!(row.expires_at, Some(5_010));
    world.stop_clock(5_009_999);
    assert_eq!(world.read(&key), Some(row));
    world.stop_clock(5_010_000);
    assert_eq!(world.read(&key), None);
    assert!(done(world.submit(absent_to(&key, running(1)))).is_some());
}

#[test]
fn a_removed_row_counts_as_absent() {
    let Some(world) = World::new("cells_removed") else {
        return;
    };
    let key = key("a");
    let row = world.put(&key, completed("secret"));
    let gone = removal(&key, row.nonce);
    assert_eq!(done(world.submit(gone.clone())), None);
    assert_eq!(world.read(&key), None);
    assert_eq!(done(world.submit(gone)), None, "recognised by its nonce");
    assert_eq!(
        other(world.submit(row_to(&key, row.nonce, completed("x")))),
        None
    );
    assert_eq!(done(world.submit(absent_to_absent(&key))), None);
    let left =
        world.count("SELECT count(*) FROM {s}.keys WHERE length(body) + length(metadata) > 0");
    assert_eq!(left, 0, "no byte of the answer is kept");
    let again = done(world.submit(absent_to(&key, running(1)))).expect("a row");
    assert!(again.token > row.token);
}

/// The change, sent while the lease of the expected row must run.
fn leased(world: &World, row: &Row, name: &str) -> Outcome {
    let change = Change {
        only_leased: true,
        ..row_to(&key(name), row.nonce, running(60_000))
    };
    world.submit(change)
}

#[test]
fn a_lease_that_has_to_run_runs() {
    let Some(world) = World::new("cells_leased") else {
        return;
    };
    world.hold_clock();
    let process = nonce();
    world
        .wait(world.server.beat(process, 30_000))
        .expect("it runs");
    let no_process = world.put(&key("a"), running(60_000));
    let of_process = world.put(&key("b"), running_of(process, 60_000));
    let of_dead = world.put(&key("c"), running_of(nonce(), 60_000));
    let settled = world.put(&key("d"), completed("x"));
    assert_eq!(of_dead.run.as_ref().map(|run| run.alive_until_ms), Some(0));
    assert!(done(leased(&world, &no_process, "a")).is_some());
    let renewed = done(leased(&world, &of_process, "b")).expect("a row");
    assert_eq!(other(leased(&world, &of_dead, "c")), Some(of_dead));
    assert_eq!(other(leased(&world, &settled, "d")), Some(settled));
    // The lease would run on, but the process no longer gives a sign of life.
    let lost = running_of(process, 60_000);
    let renewed = done(world.submit(row_to(&key("b"), renewed.nonce, lost))).expect("a row");
    world.advance(30_001);
    assert_eq!(
        other(leased(&world, &renewed, "b")).as_ref(),
        Some(&renewed)
    );
    world
        .wait(world.server.beat(process, 3_600_000))
        .expect("it runs");
    let alive = world.read(&key("b")).expect("a row");
    world.advance(30_001);
    // Now the lease itself has lapsed.
    assert_eq!(other(leased(&world, &alive, "b")), Some(alive));
}

#[test]
fn a_call_of_many_changes_answers_in_their_order() {
    let Some(world) = World::new("cells_many") else {
        return;
    };
    let names: Vec<String> = (0..1500)
        .map(|at| format!("{:04}", (at * 7) % 1500))
        .collect();
    let changes: Vec<Change> = names
        .iter()
        .map(|name| absent_to(&key(name), completed(name)))
        .collect();
    let sent: Vec<u128> = changes.iter().map(|change| change.nonce).collect();
    let answered = world.wait(world.server.submit(changes)).expect("it runs");
    let got: Vec<u128> = answered
        .found
        .into_iter()
        .map(|outcome| done(outcome).expect("a row").nonce)
        .collect();
    assert_eq!(got, sent);
    let keys = names.iter().map(|name| key(name)).collect();
    let read = world.wait(world.server.read(keys)).expect("it runs");
    for (name, row) in names.iter().zip(read.found) {
        assert_eq!(&*row.expect("a row").body, name.as_bytes());
    }
    let nothing = world
        .wait(world.server.submit(Vec::new()))
        .expect("it runs");
    assert!(nothing.found.is_empty() && nothing.now_ms > 0);
    let nothing = world.wait(world.server.read(Vec::new())).expect("it runs");
    assert!(nothing.found.is_empty() && nothing.now_ms > 0);
}
