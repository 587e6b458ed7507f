//! Each invariant of a shard is broken on purpose: `validate` has to notice.

use std::sync::Arc;
use std::time::Duration;

use crate::observe::tallies::Column;
use crate::state::found::Found;
use crate::state::grant::Grant;
use crate::state::holder::Awaits;
use crate::state::request::{Request, RequestParts};
use crate::state::running::Armed;
use crate::state::shard::Shard;
use crate::state::slot::{Place, Settled, Slot};
use crate::state::transition::Basis;
use crate::value::digest::{Digest, Hasher128};
use crate::value::fencing_token::FencingToken;
use crate::value::guarantee::Guarantee;
use crate::value::key_bytes::KeyBytes;
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::Policy;
use crate::value::record::{Head, RecordKind};
use crate::value::time::{NEVER, Now};

const NOW: Now = Now {
    mono_ms: 1000,
    store_secs: 1000,
};

fn digest(key: u8) -> Digest {
    Hasher128::new([1; 16]).digest(NamespaceId(1), &[key])
}

fn grant(shard: &mut Shard<()>, key: u8) {
    let grant = Grant {
        namespace: NamespaceId(1),
        column: Column::default(),
        policy: &Arc::new(Policy::at_least_once()),
        key: KeyBytes::from(&[key][..]),
        token: FencingToken::new(1, u64::from(key)),
        request: Request {
            lease_ms: 60_000,
            keep_alive_ms: 0,
            parts: Some(Box::new(RequestParts {
                retention: Some(Duration::from_secs(60)),
                ..RequestParts::default()
            })),
        },
        basis: Basis {
            attempt: 1,
            same_request: false,
            continues: false,
        },
        record: None,
    };
    shard.grant(digest(key), grant, NOW);
}

fn locator(frame: u64) -> Locator {
    Locator { frame, offset: 0 }
}

fn settled(key: u8, frame: u64) -> Slot {
    Slot::new(
        digest(key),
        Place::Settled(Settled::Completed, locator(frame)),
        NEVER,
    )
}

/// A shard with two running keys and one that was completed in frame 3.
fn whole() -> Shard<()> {
    let mut shard = Shard::new(NOW.mono_ms);
    shard.put_for_test(settled(1, 3));
    grant(&mut shard, 2);
    grant(&mut shard, 3);
    shard.validate(3);
    shard
}

fn running(shard: &Shard<()>, key: u8) -> crate::state::slab::SlabRef {
    match shard.find(digest(key), NOW.store_secs) {
        Found::Running(at) => at,
        other => panic!("running: {other:?}"),
    }
}

#[test]
#[should_panic(expected = "a slot names a frame that was appended")]
fn a_slot_that_names_a_frame_of_the_future() {
    whole().validate(2);
}

#[test]
#[should_panic(expected = "every running key is named by one slot")]
fn a_running_key_without_a_slot() {
    let mut shard = whole();
    shard.put_for_test(settled(2, 1));
    shard.validate(3);
}

#[test]
#[should_panic(expected = "a slot names a running key that is there")]
fn a_slot_of_a_running_key_that_is_gone() {
    let mut shard = whole();
    let at = running(&shard, 2);
    let slot = Slot::new(digest(2), Place::Running(at), NEVER);
    let _ = shard.restore(at);
    shard.put_for_test(slot);
    shard.validate(3);
}

#[test]
#[should_panic(expected = "the slot of a running key is that of its digest")]
fn two_slots_of_one_running_key() {
    let mut shard = whole();
    let at = running(&shard, 2);
    shard.put_for_test(Slot::new(digest(9), Place::Running(at), NEVER));
    shard.validate(3);
}

#[test]
#[should_panic(expected = "a running key has a timer")]
fn a_running_key_without_a_timer() {
    let mut shard = whole();
    let at = running(&shard, 2);
    shard.get_mut(at).unwrap().timer = Armed::No;
    shard.validate(3);
}

#[test]
#[should_panic(expected = "the timer of a running key is set to what it awaits")]
fn a_timer_that_stands_for_something_else() {
    let mut shard = whole();
    let at = running(&shard, 2);
    shard.get_mut(at).unwrap().holder.awaits = Awaits::Forgetting;
    shard.validate(3);
}

#[test]
#[should_panic(expected = "what a running key awaits follows from its guarantee")]
fn a_key_that_waits_for_a_resolution_and_is_in_no_doubt() {
    let mut shard = whole();
    let at = running(&shard, 2);
    shard.get_mut(at).unwrap().holder.awaits = Awaits::Resolution;
    shard.arm(at);
    shard.validate(3);
}

#[test]
#[should_panic(expected = "a lapse that was seen has come")]
fn a_lapse_that_was_seen_before_it_came() {
    let mut shard = whole();
    let at = running(&shard, 2);
    shard.get_mut(at).unwrap().holder.awaits = Awaits::Forgetting;
    shard.arm(at);
    shard.validate(3);
}

#[test]
#[should_panic(expected = "what a key was before is its newest record")]
fn a_key_that_would_go_back_to_an_older_record() {
    let mut shard = Shard::new(NOW.mono_ms);
    shard.put_for_test(settled(2, 3));
    grant(&mut shard, 2);
    shard.validate(3);
    let at = running(&shard, 2);
    shard.get_mut(at).unwrap().rest.to_mut().previous = Some(settled(2, 1));
    shard.validate(3);
}

fn head(kind: RecordKind, sequence: u64) -> Head {
    Head {
        kind,
        namespace: NamespaceId(1),
        token: FencingToken::new(1, sequence),
        attempt: 1,
        first_claimed_at: 0,
        recorded_at: 0,
        expires_at: NEVER,
        retention_secs: 0,
        body_omitted: false,
        attached: false,
    }
}

/// For one key, log order is the order of its transitions: a record from before the newest one is
/// never applied.
#[test]
#[should_panic(expected = "the order of the log is the order of a key's transitions")]
fn a_record_that_is_applied_out_of_order() {
    let mut shard = whole();
    let head = head(RecordKind::Failed, 9);
    // The newest record of key 1 lies in frame 3.
    shard.apply(digest(1), &head, Guarantee::AtLeastOnce, locator(2));
}

fn doubt(shard: &mut Shard<()>, key: u8, frame: u64) {
    let head = head(RecordKind::InDoubt, u64::from(key));
    shard.apply(digest(key), &head, Guarantee::AtLeastOnce, locator(frame));
}

#[test]
#[should_panic(expected = "every key in doubt is known as one")]
fn a_doubt_that_no_list_has() {
    let mut shard = whole();
    doubt(&mut shard, 4, 3);
    shard.validate(3);
    let place = Place::Settled(Settled::InDoubt, locator(3));
    shard.put_for_test(Slot::new(digest(5), place, NEVER));
    shard.validate(3);
}

#[test]
#[should_panic(expected = "a doubt has a slot")]
fn a_doubt_that_was_settled_and_is_listed() {
    let mut shard = whole();
    doubt(&mut shard, 4, 3);
    shard.validate(3);
    shard.put_for_test(settled(4, 3));
    shard.validate(3);
}
