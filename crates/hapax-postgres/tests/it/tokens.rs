//! Tokens rise for the life of the store, whatever becomes of the server.

use hapax::FencingToken;
use hapax::backend::Backend;

use crate::cluster::Cluster;
use crate::world::{World, absent_to, done, key, running};

fn epoch(token: FencingToken) -> i64 {
    token.as_i64() >> 32
}

fn grant(world: &World, name: &str) -> FencingToken {
    let claim = absent_to(&key(name), running(1));
    done(world.submit(claim)).expect("a row").token
}

#[test]
fn tokens_rise_from_key_to_key() {
    let Some(world) = World::new("tokens_rise") else {
        return;
    };
    let tokens: Vec<_> = (0..20).map(|at| grant(&world, &at.to_string())).collect();
    assert!(
        tokens.windows(2).all(|pair| pair[0] < pair[1]),
        "{tokens:?}"
    );
    assert_eq!(epoch(tokens[0]), 4096, "the first of the first timeline");
}

#[test]
fn another_system_raises_the_epoch_first() {
    let Some(world) = World::new("tokens_system") else {
        return;
    };
    let before = grant(&world, "a");
    // A dump brings the rows to another system, and a sequence that was set back.
    world.run(
        "UPDATE {s}.meta SET system_identifier = 1; UPDATE {s}.incarnation SET system_identifier = 1;
         SELECT setval('{s}.tokens', 1)",
    );
    let other = world.other();
    let claim = absent_to(&key("b"), running(1));
    let answered = world.wait(other.submit(vec![claim]));
    let outcome = answered.expect("it runs").found.pop().expect("one");
    let after = done(outcome).expect("a row").token;
    assert_eq!(epoch(after), epoch(before) + 65_536);
}

#[test]
fn a_crash_of_the_server_raises_the_epoch() {
    let Some(cluster) = Cluster::start(&[]) else {
        return;
    };
    let world = World::on(&cluster, "tokens_crash");
    let before = grant(&world, "a");
    // One process of the server is killed; the postmaster stays, and the server recovers.
    let victim = crate::world::Sql::open(&cluster.url());
    cluster.kill_process(victim.get("SELECT pg_backend_pid()"));
    let again = async {
        loop {
            let claim = absent_to(&key("b"), running(1));
            let answered = world.server.submit(vec![claim]).await;
            if let Ok(mut answered) = answered {
                return done(answered.found.pop().expect("one")).expect("a row");
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let after = world.wait(again).token;
    assert_eq!(epoch(after), epoch(before) + 1);
}

#[test]
fn a_clean_restart_needs_no_new_epoch() {
    let Some(mut cluster) = Cluster::start(&[]) else {
        return;
    };
    let world = World::on(&cluster, "tokens_restart");
    let before = grant(&world, "a");
    drop(world);
    cluster.stop();
    cluster.run();
    let world = World::on(&cluster, "tokens_restart");
    let after = grant(&world, "b");
    assert_eq!(epoch(after), epoch(before));
    assert!(after > before);
}
