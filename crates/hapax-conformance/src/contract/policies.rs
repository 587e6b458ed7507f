//! Namespaces, their policies, their guarantees, and the tokens of all of them.

use std::time::Duration;

use hapax::limits::NAME_BYTES_MAX;
use hapax::{Claim, ErrorKind, FencingToken, Policy, Resolution};

use crate::site::answers::{claim, completed, in_doubt, in_progress, refused};
use crate::site::site::{Site, both, durabilities};
use crate::site::times::{HOUR, MINUTE};
use crate::world::settings::Settings;
use crate::world::world::World;

// Policies.

pub(crate) fn a_second_live_handle_with_another_policy_is_refused(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let other = Policy::at_least_once().retention(HOUR);
    let open = |policy: &Policy| site.store.namespace("work", policy.clone());
    assert_eq!(open(&other).unwrap_err().kind(), ErrorKind::PolicyConflict);
    open(&Policy::at_least_once()).unwrap();
    let lease = claim(&work, "key");
    drop(work);
    assert_eq!(
        open(&other).unwrap_err().kind(),
        ErrorKind::PolicyConflict,
        "a lease is a handle"
    );
    lease.complete("done").unwrap();
    open(&other).unwrap();
    let error = open(&Policy::at_most_once().retention(HOUR)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PolicyConflict);
    assert!(error.to_string().contains("change_guarantee"), "{error}");
}

pub(crate) fn changing_the_guarantee_is_refused_while_keys_are_in_progress_or_in_doubt(
    world: &dyn World,
) {
    for (from, to) in [both(), {
        let [a, b] = both();
        [b, a]
    }]
    .map(Into::into)
    {
        let site = Site::new(world);
        let work = site.namespace(from);
        let change = || site.store.change_guarantee("work", to.clone());
        let lease = claim(&work, "key");
        assert_eq!(change().unwrap_err().kind(), ErrorKind::InUse);
        lease.doubt("unsure").unwrap();
        assert_eq!(change().unwrap_err().kind(), ErrorKind::InUse);
        let doubt = in_doubt(work.claim("key").unwrap());
        doubt
            .resolve(Resolution::Happened(b"done".to_vec()))
            .unwrap();
        assert_eq!(
            change().unwrap_err().kind(),
            ErrorKind::PolicyConflict,
            "a handle is alive"
        );
        drop((work, doubt));
        let work = change().unwrap();
        assert_eq!(work.policy(), &to);
        assert_eq!(completed(work.claim("key").unwrap()).response(), b"done");
    }
    let site = Site::new(world);
    let error = site
        .store
        .change_guarantee("none", Policy::at_most_once())
        .unwrap_err();
    assert!(
        error.to_string().contains("make it with namespace()"),
        "{error}"
    );
}

pub(crate) fn policy_and_guarantee_survive_a_restart(world: &dyn World) {
    let mut site = Site::new(world);
    drop(site.namespace(Policy::at_least_once()));
    site.crash();
    assert_eq!(site.store.namespaces(), ["work"]);
    let error = site
        .store
        .namespace("work", Policy::at_most_once())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PolicyConflict);
}

// Tokens.

pub(crate) fn tokens_rise_over_crashes_and_restarts(world: &dyn World) {
    for durability in durabilities(world, MINUTE) {
        let mut site = Site::with(world, Settings::new().durability(durability));
        let mut last = None;
        for round in 0..6 {
            let work = site.namespace(Policy::at_least_once());
            for key in 0..4 {
                let lease = claim(&work, &format!("{round} {key}"));
                assert!(Some(lease.token()) > last, "round {round}");
                last = Some(lease.token());
                lease.complete("maybe lost").unwrap();
            }
            drop(work);
            if round % 2 == 0 {
                site.crash();
            } else {
                site.restart();
            }
        }
    }
}

pub(crate) fn a_token_goes_through_a_number_and_a_string(world: &dyn World) {
    let site = Site::new(world);
    let lease = claim(&site.namespace(Policy::at_least_once()), "key");
    let token = lease.token();
    assert_eq!(FencingToken::from_i64(token.as_i64()), Some(token));
    assert_eq!(FencingToken::from_i64(-1), None);
    let json = serde_json::to_string(&token).unwrap();
    assert_eq!(json, format!("\"{token}\""), "JSON numbers lose bits");
    assert_eq!(serde_json::from_str::<FencingToken>(&json).unwrap(), token);
    serde_json::from_str::<FencingToken>("\"9223372036854775808\"").unwrap_err();
    serde_json::from_str::<FencingToken>("7").unwrap_err();
}

// One process owns the directory.

pub(crate) fn at_open_every_older_holder_is_superseded_without_a_lease_to_wait_out(
    world: &dyn World,
) {
    let mut site = Site::new(world);
    let spaces = |site: &Site| {
        both().map(|policy| {
            let name = format!("{:?}", policy.guarantee());
            site.store.namespace(&name, policy).unwrap()
        })
    };
    let [least, most] = spaces(&site);
    let held = (claim(&least, "key"), claim(&most, "key"));
    drop((least, most));
    site.restart();
    assert!(held.0.is_lost() && held.1.is_lost());
    let [least, most] = spaces(&site);
    let lease = claim(&least, "key");
    assert!(lease.token() > held.0.token());
    assert!(matches!(most.claim("key").unwrap(), Claim::InDoubt(_)));
    assert_eq!(
        held.0.complete("late").unwrap_err().kind(),
        ErrorKind::Closed
    );
    in_progress(least.claim("key").unwrap());
    assert!(lease.lease_left() > Duration::ZERO);
}

pub(crate) fn names_of_namespaces_have_limits(world: &dyn World) {
    let site = Site::new(world);
    let open = |name: &str| site.store.namespace(name, Policy::at_least_once());
    refused(open(""), ErrorKind::Invalid, &["empty", "name what"]);
    refused(
        open(&"n".repeat(NAME_BYTES_MAX + 1)),
        ErrorKind::TooLarge,
        &["shorten"],
    );
    open(&"n".repeat(NAME_BYTES_MAX)).unwrap();
    open("../\u{0}\n").unwrap();
}
