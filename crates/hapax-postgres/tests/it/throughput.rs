//! What a server carries here, in numbers; only where `HAPAX_MEASURE` has numbers of connections, such as `1,4`.

use std::sync::atomic::{AtomicUsize, Ordering};

use hapax::backend::{Backend, Change};

use crate::cluster::{Cluster, runtime};
use crate::world::{World, absent_to, completed, key, options, row_to, running};

const SECONDS: u64 = 5;

/// Pairs of claim and completion in a second, by so many callers of one backend.
fn pairs(world: &World, callers: usize, at_once: usize, durable: bool) -> u64 {
    static RUN: AtomicUsize = AtomicUsize::new(0);
    let run = RUN.fetch_add(1, Ordering::SeqCst);
    let count = AtomicUsize::new(0);
    let start = world.server.mono_ms();
    std::thread::scope(|scope| {
        for caller in 0..callers {
            let (count, server) = (&count, &world.server);
            scope.spawn(move || {
                let runtime = runtime();
                for round in 0.. {
                    if server.mono_ms() - start > SECONDS * 1000 {
                        return;
                    }
                    let names = (0..at_once).map(|at| key(&format!("{run}-{caller}-{round}-{at}")));
                    let names: Vec<_> = names.collect();
                    let mut claims: Vec<Change> = Vec::new();
                    let mut completions: Vec<Change> = Vec::new();
                    for name in &names {
                        let mut claim = absent_to(name, running(60_000));
                        claim.durable = durable;
                        let mut completion = row_to(name, claim.nonce, completed("{\"ok\":true}"));
                        completion.durable = durable;
                        claims.push(claim);
                        completions.push(completion);
                    }
                    for changes in [claims, completions] {
                        let sent = runtime.block_on(server.submit(changes));
                        sent.expect("it runs");
                    }
                    count.fetch_add(at_once, Ordering::Relaxed);
                }
            });
        }
    });
    let spent = world.server.mono_ms() - start;
    u64::try_from(count.into_inner()).expect("it is small") * 1000 / spent
}

/// How many rows were changed so far, and how many of them stayed in their page. The server counts with a delay.
fn updates(world: &World) -> (i64, i64) {
    world.wait(world.server.sleep(1500));
    let number = |column: &str| {
        world.count(&format!(
            "SELECT {column} FROM pg_stat_user_tables WHERE schemaname = '{{s}}' AND relname = 'keys'"
        ))
    };
    (number("n_tup_upd"), number("n_tup_hot_upd"))
}

/// Duplicates of one settled key in a second.
fn duplicates(world: &World, callers: usize) -> u64 {
    let names: Vec<_> = (0..callers).map(|at| key(&format!("d{at}"))).collect();
    for name in &names {
        world.submit(absent_to(name, completed("answer")));
    }
    let count = AtomicUsize::new(0);
    let start = world.server.mono_ms();
    std::thread::scope(|scope| {
        for name in &names {
            let (count, server) = (&count, &world.server);
            scope.spawn(move || {
                let runtime = runtime();
                while server.mono_ms() - start < SECONDS * 1000 {
                    let claim = absent_to(name, running(60_000));
                    runtime
                        .block_on(server.submit(vec![claim]))
                        .expect("it runs");
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let spent = world.server.mono_ms() - start;
    u64::try_from(count.into_inner()).expect("it is small") * 1000 / spent
}

#[test]
fn what_a_server_carries() {
    let Ok(wanted) = std::env::var("HAPAX_MEASURE") else {
        return;
    };
    let Some(cluster) = Cluster::start(&["fsync=on", "shared_buffers=512MB", "max_wal_size=8GB"])
    else {
        return;
    };
    for connections in wanted.split(',') {
        let connections = connections.parse().expect("numbers of connections");
        let mut world = World::on(&cluster, &format!("measure{connections}"));
        let options = options(&world.schema).connections(connections).sweep(true);
        world.server = hapax_postgres::backend(&world.url, &options).expect("it runs");
        for (callers, at_once, durable) in
            [(1, 1, true), (64, 1, true), (64, 1, false), (4, 512, true)]
        {
            let before = updates(&world);
            let rate = pairs(&world, callers, at_once, durable);
            let after = updates(&world);
            let hot = (after.1 - before.1) * 100 / (after.0 - before.0).max(1);
            eprintln!(
                "{connections} connections, {callers} callers of {at_once}, durable {durable}: {rate} pairs/s, {hot} % HOT"
            );
        }
        eprintln!(
            "{connections} connections: {} duplicates/s of 1 caller, {} of 64",
            duplicates(&world, 1),
            duplicates(&world, 64)
        );
    }
}
