//! Signs of life, and what ends without them.

use hapax::backend::{Backend, KeyRef};

use crate::world::{World, key, nonce, running_of};

fn alive_until(world: &World, key: &KeyRef) -> u64 {
    let row = world.read(key).expect("a row");
    row.run.expect("it runs").alive_until_ms
}

#[test]
fn a_run_lives_as_long_as_its_process() {
    let Some(world) = World::new("processes") else {
        return;
    };
    world.hold_clock();
    let (process, key) = (nonce(), key("a"));
    let now = world.wait(world.server.beat(process, 10_000));
    let row = world.put(&key, running_of(process, 60_000));
    let alive = row.run.expect("it runs").alive_until_ms;
    assert_eq!(alive, now.expect("it runs") + 10_000);
    assert_eq!(alive_until(&world, &key), alive);
    world.advance(5_000);
    let now = world.wait(world.server.beat(process, 10_000));
    assert_eq!(alive_until(&world, &key), now.expect("it runs") + 10_000);
    world.wait(world.server.leave(process)).expect("it runs");
    assert_eq!(alive_until(&world, &key), 0);
    // A sign of life that comes late does not bring it back.
    let late = world.wait(world.server.beat(process, 10_000));
    assert!(late.is_ok());
    assert_eq!(alive_until(&world, &key), 0);
    let for_ever = nonce();
    let beat = world.wait(world.server.beat(for_ever, u64::MAX));
    assert!(beat.is_ok());
    let row = world.put(&crate::world::key("b"), running_of(for_ever, 1));
    assert_eq!(row.run.expect("it runs").alive_until_ms, u64::MAX);
    let stranger = nonce();
    world.wait(world.server.leave(stranger)).expect("it runs");
}

#[test]
fn processes_that_are_gone_are_forgotten() {
    let Some(world) = World::new("processes_gone") else {
        return;
    };
    world.hold_clock();
    let (gone, silent, alive) = (nonce(), nonce(), nonce());
    for process in [gone, silent] {
        world
            .wait(world.server.beat(process, 1_000))
            .expect("it runs");
    }
    world.wait(world.server.leave(gone)).expect("it runs");
    let count = "SELECT count(*) FROM {s}.processes";
    world.wait(world.server.sweep_once()).expect("it runs");
    assert_eq!(world.count(count), 2, "not at once");
    world.advance(86_402_000);
    world
        .wait(world.server.beat(alive, 1_000))
        .expect("it runs");
    world.wait(world.server.sweep_once()).expect("it runs");
    assert_eq!(world.count(count), 1);
}
