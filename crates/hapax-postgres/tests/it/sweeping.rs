//! Expired rows go, and nothing else.

use hapax::backend::{Backend, Ends};

use crate::world::{World, absent_to, completed, done, key, removal, running};

const MINUTES_SIX: i64 = 360_000;

fn sweep_all(world: &World) -> u64 {
    let mut removed = 0;
    loop {
        let swept = world.wait(world.server.sweep_once()).expect("it runs");
        removed += swept.removed.expect("no other process sweeps");
        if swept.wrapped {
            return removed;
        }
    }
}

#[test]
fn expired_rows_go_after_a_while() {
    let Some(world) = World::new("sweep_expired") else {
        return;
    };
    world.hold_clock();
    let changes = (0..8000).map(|at| {
        let mut draft = completed("0123456789012345678901234567890123456789");
        draft.expires = match at % 4 {
            0 => Ends::Never,
            1 => Ends::After(100_000),
            _ => Ends::After(60),
        };
        absent_to(&key(&at.to_string()), draft)
    });
    world
        .wait(world.server.submit(changes.collect()))
        .expect("it runs");
    let gone = done(world.submit(absent_to(&key("gone"), running(1)))).expect("a row");
    done(world.submit(removal(&key("gone"), gone.nonce)));
    world.advance(61_000);
    assert_eq!(sweep_all(&world), 0, "a statement may still be under way");
    world.advance(MINUTES_SIX);
    assert_eq!(sweep_all(&world), 4001);
    assert_eq!(sweep_all(&world), 0);
    assert_eq!(world.count("SELECT count(*) FROM {s}.keys"), 4000);
    // What expires next lies in the same pages, and goes too.
    world.advance(200_000_000);
    assert_eq!(sweep_all(&world), 2000);
}

#[test]
fn a_row_that_is_locked_is_left() {
    let Some(world) = World::new("sweep_locked") else {
        return;
    };
    world.hold_clock();
    let mut draft = completed("x");
    draft.expires = Ends::After(1);
    for name in ["a", "b"] {
        world.put(&key(name), draft.clone());
    }
    world.advance(MINUTES_SIX);
    world.run("BEGIN; SELECT FROM {s}.keys WHERE key = 'a' FOR UPDATE");
    assert_eq!(sweep_all(&world), 1);
    world.run("COMMIT");
    assert_eq!(sweep_all(&world), 1);
}

#[test]
fn one_process_sweeps_at_a_time() {
    let Some(world) = World::new("sweep_one") else {
        return;
    };
    world.run("BEGIN; SELECT FROM {s}.sweeper FOR UPDATE");
    let swept = world.wait(world.server.sweep_once()).expect("it runs");
    assert_eq!(swept.removed, None);
    world.run("COMMIT");
}

#[test]
fn the_worker_sweeps_by_itself() {
    let Some(world) = World::new("sweep_worker") else {
        return;
    };
    world.hold_clock();
    let mut draft = completed("x");
    draft.expires = Ends::After(1);
    world.put(&key("a"), draft);
    world.advance(MINUTES_SIX);
    let options = crate::world::options("sweep_worker").sweep(true);
    let sweeper = hapax_postgres::backend(&world.url, &options).expect("it runs");
    world.until("nothing was swept", || {
        world.count("SELECT count(*) FROM {s}.keys") == 0
    });
    sweeper.close();
}
