//! Completions stay in their pages: no index is written.

use hapax::backend::{Backend, Change};

use crate::world::{World, absent_to, completed, key, row_to, running};

const AT_ONCE: usize = 8;

/// As a service does it: a few requests at a time, each claimed and then completed.
#[test]
fn completions_are_hot() {
    let Some(world) = World::new("hot") else {
        return;
    };
    for round in 0..500 {
        let names: Vec<_> = (0..AT_ONCE)
            .map(|at| key(&format!("request-{round}-{at}")))
            .collect();
        let claims: Vec<Change> = names
            .iter()
            .map(|name| absent_to(name, running(60_000)))
            .collect();
        let completions: Vec<Change> = names
            .iter()
            .zip(&claims)
            .map(|(name, claim)| {
                let body = "{\"status\":200,\"charge\":\"ch_000000000000000000000000\"}";
                row_to(name, claim.nonce, completed(body))
            })
            .collect();
        world.wait(world.server.submit(claims)).expect("it runs");
        world
            .wait(world.server.submit(completions))
            .expect("it runs");
    }
    let all = 500 * i64::try_from(AT_ONCE).expect("it is small");
    let number = |column: &str| {
        world.count(&format!(
            "SELECT {column} FROM pg_stat_user_tables WHERE schemaname = '{{s}}' AND relname = 'keys'"
        ))
    };
    world.until("all updates are counted", || number("n_tup_upd") >= all);
    let hot = number("n_tup_hot_upd");
    eprintln!("{hot} of {all} updates were HOT");
    assert!(hot * 100 >= all * 99, "{hot} of {all}");
}
