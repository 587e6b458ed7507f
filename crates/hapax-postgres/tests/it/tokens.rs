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
    // Until the postmaster notices, other connections go on as before.
    let mut last = before;
    let mut number = 0;
    while epoch(last) == epoch(before) {
        number += 1;
        let claim = absent_to(&key(&number.to_string()), running(1));
        match world.wait(world.server.submit(vec![claim])) {
            Ok(mut answered) => {
                let outcome = answered.found.pop().expect("one");
                let token = done(outcome).expect("a row").token;
                assert!(token > last, "{token} after {last}");
                last = token;
            }
            Err(_) => world.wait(world.server.sleep(20)),
        }
    }
    assert_eq!(epoch(last), epoch(before) + 1);
}

#[test]
fn what_keeps_tokens_apart_cannot_be_switched_off() {
    let Some(world) = World::new("tokens_logged") else {
        return;
    };
    world.run("ALTER TABLE {s}.incarnation SET LOGGED");
    let options = crate::world::options("tokens_logged");
    let error = hapax_postgres::backend(&world.url, &options).unwrap_err();
    assert_eq!(error.kind(), hapax::ErrorKind::Unsupported, "{error}");
}

/// A claim that need not be durable is acknowledged before the log of the sequence is on the medium. After a crash
/// the sequence goes back: only the epoch keeps the tokens apart.
#[test]
fn tokens_that_a_crash_forgot_are_not_given_again() {
    let Some(mut cluster) = Cluster::start(&["wal_writer_delay=10s"]) else {
        return;
    };
    let world = World::on(&cluster, "tokens_forgotten");
    let claims = (0..2000).map(|at| hapax::backend::Change {
        durable: false,
        ..absent_to(&key(&at.to_string()), running(1))
    });
    let claims = world.wait(world.server.submit(claims.collect()));
    let tokens = claims.expect("it runs").found.into_iter();
    let tokens = tokens.map(|outcome| done(outcome).expect("a row").token);
    let highest = tokens.max().expect("there are many");
    cluster.kill();
    drop(world);
    cluster.run();
    let world = World::on(&cluster, "tokens_forgotten");
    let kept = world.count("SELECT count(*) FROM {s}.keys");
    eprintln!("{kept} of 2000 claims were kept");
    let after = grant(&world, "after");
    assert!(after > highest, "{after} after {highest}");
    assert_eq!(epoch(after), epoch(highest) + 1);
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

/// The new primary never heard of the newest grants, nor of the epoch in which they were made.
#[test]
fn tokens_rise_over_a_failover_that_loses_grants() {
    let Some(mut primary) = Cluster::start(&["fsync=off"]) else {
        return;
    };
    let world = World::on(&primary, "tokens_failover");
    grant(&world, "a");
    let mut follower = primary.follower();
    follower.stop();
    drop(world);
    // Two crashes that the follower does not see: each raises the epoch.
    for name in ["b", "c"] {
        primary.kill();
        primary.run();
        grant(&World::on(&primary, "tokens_failover"), name);
    }
    let world = World::on(&primary, "tokens_failover");
    let claims = (0..1000).map(|at| absent_to(&key(&at.to_string()), running(1)));
    let granted = world.wait(world.server.submit(claims.collect()));
    let granted = granted.expect("it runs").found.into_iter();
    let granted = granted.map(|outcome| done(outcome).expect("a row").token);
    let highest = granted.max().expect("there are many");
    assert_eq!(epoch(highest), 4098);
    primary.kill();
    drop(world);
    follower.run();
    follower.promote();
    let world = World::on(&follower, "tokens_failover");
    assert!(world.read(&key("a")).is_some());
    assert!(world.read(&key("1")).is_none(), "it was lost");
    let after = grant(&world, "1");
    assert!(after > highest, "{after} after {highest}");
    assert_eq!(epoch(after), 8192, "the first of the second timeline");
}
