//! The audit log: who did what to which key, and why.

use hapax::audit::AuditLevel;
use hapax::{Policy, Store};
use hapax_admin::AdminRouter;
use serde_json::{Value, json};

use crate::rig::{World, act, claim, get};

fn entries(reply: &crate::rig::Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["entries"].as_array().unwrap().clone()
}

/// The audit log records operations under every policy.
#[tokio::test]
async fn an_operation_stands_there_with_its_actor_and_reason() {
    let world = World::new();
    let token = world.doubt("order-42");
    let app = world.acting().into_router();
    let order = json!({"token": token, "reason": "INC-42: looked up", "outcome": "failed", "error": "declined"});
    let done = act(&app, "/keys/pay/order-42/resolve", &order).await;
    assert_eq!(done.status, 200, "{done:?}");
    world.store.verify_audit().unwrap();
    let found = entries(&get(&app, "/audit?operators=true").await);
    let [entry] = &found[..] else {
        panic!("one operation: {found:?}");
    };
    assert_eq!(entry["transition"], "resolved_failed");
    assert_eq!(entry["origin"], "operator");
    assert_eq!(entry["actor"], "alice");
    assert_eq!(entry["reason"], "INC-42: looked up");
    assert_eq!(entry["namespace"], "pay");
    assert_eq!(
        entry["digest"],
        world.pay.key_digest("order-42").to_string()
    );
    assert_eq!(entry["token"], done.json()["now"]["token"]);
    assert!(entry["key"].is_null(), "the policy keeps no keys");
}

#[tokio::test]
async fn entries_are_chosen_by_key_time_and_transition() {
    let world = World::new();
    let policy = Policy::at_least_once().audit(AuditLevel::Keys);
    let mail = world.store.namespace("mail", policy).unwrap();
    claim(&mail, "a/1").complete("sent").unwrap();
    world.pass(100);
    claim(&mail, "b").fail("no such address").unwrap();
    let app = world.reading();
    let chosen = async |query: &str| {
        let found = entries(&get(&app, &format!("/audit?{query}")).await).into_iter();
        found
            .map(|entry| format!("{} {}", entry["key"], entry["transition"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    let all = ["a%2F1 claimed", "a%2F1 completed", "b claimed", "b failed"];
    assert_eq!(chosen("namespace=mail").await, all);
    assert_eq!(chosen("namespace=mail&key=a%2F1").await, all[..2]);
    assert_eq!(
        chosen(&format!("digest={}", mail.key_digest("b"))).await,
        all[2..]
    );
    assert_eq!(
        chosen("transition=claimed&transition=failed&newer_than=50s").await,
        all[2..]
    );
    assert_eq!(chosen("older_than=100s").await, all[..2]);
    assert!(chosen("operators=true").await.is_empty());
    let page = get(&app, "/audit?limit=3").await.json();
    assert_eq!(page["entries"].as_array().unwrap().len(), 3);
    assert_eq!(
        (&page["more"], &page["stopped_by"]),
        (&true.into(), &"limit".into())
    );
    assert_eq!(page["head"], world.store.audit_head().to_string());
}

#[tokio::test]
async fn what_the_audit_log_cannot_be_asked_is_refused() {
    let world = World::new();
    let app = world.reading();
    for query in [
        "key=a",
        "digest=xyz",
        "transition=stolen",
        "operators=maybe",
        "state=failed",
        "limit=0",
    ] {
        let reply = get(&app, &format!("/audit?{query}")).await;
        assert_eq!(reply.problem(), (400, "invalid".into()), "{query}");
    }
    let reply = get(&app, "/audit?namespace=wrok").await;
    assert_eq!(reply.problem(), (404, "unknown-namespace".into()));
}

/// The scan used to filter by itself, and checked no time between entries that did not pass. A key with
/// few entries in a long log got no answer, and held up compaction and one of two places.
#[tokio::test]
async fn a_search_that_takes_too_long_answers_with_what_it_has() {
    let store = Store::in_memory().open().unwrap();
    let policy = Policy::at_least_once().audit(AuditLevel::Digests);
    let mail = store.namespace("mail", policy).unwrap();
    let keys: Vec<_> = (0..30_000).map(|n| format!("key-{n}")).collect();
    for some in keys.chunks(8192) {
        mail.insert_many(some).unwrap();
    }
    let admin = AdminRouter::new(store).scan_time(std::time::Duration::ZERO);
    let app = admin.into_router();
    let page = get(&app, "/audit?namespace=mail&key=none").await.json();
    assert_eq!(page["stopped_by"], "time");
    assert_eq!(page["more"], true);
}
