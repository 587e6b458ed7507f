//! What only a token that is used twice shows, or a key that shares its digest with another: no
//! public call comes to either.

use std::sync::Arc;

use crate::engine::engine::Engine;
use crate::engine::intervene::end_hold::HoldEnd;
use crate::engine::intervene::resolve::Settlement;
use crate::engine::named::Named;
use crate::engine::namespaces::NamespaceCore;
use crate::operator::Attribution;
use crate::runtime::sync::block_on;
use crate::state::transition::Command;
use crate::testing::{ManualClock, MemoryLog};
use crate::value::fencing_token::FencingToken;
use crate::value::policy::Oversize;
use crate::{Claim, ErrorKind, KeyState, Lease, Policy, Store};

struct Rig {
    store: Store,
    clock: ManualClock,
    core: Arc<NamespaceCore>,
}

impl Rig {
    fn new(policy: Policy) -> Self {
        let clock = ManualClock::new();
        let builder = Store::in_memory().log(&MemoryLog::new()).clock(&clock);
        let store = builder.open().unwrap();
        let work = store.namespace("work", policy).unwrap();
        let core = Arc::clone(work.homes().core());
        Self { store, clock, core }
    }

    fn engine(&self) -> &Engine {
        self.store.engine()
    }

    fn named<'a>(&'a self, key: &'a [u8]) -> Named<'a> {
        self.engine().named(&self.core, key)
    }

    fn lease(&self, key: &str) -> Lease {
        let work = self.store.open_namespace("work").unwrap();
        match work.claim(key).unwrap() {
            Claim::Granted(lease) => lease,
            other => panic!("{other:?}"),
        }
    }

    /// What a holder of this token does to the key "key".
    fn act(&self, token: FencingToken, command: Command<'_>) -> Result<Option<u64>, ErrorKind> {
        let acted = self.engine().act(self.named(b"key"), token, command);
        acted.map_err(|error| error.kind())
    }
}

const SAME: [Command<'static>; 3] = [
    Command::Complete(b"same"),
    Command::Fail(b"same"),
    Command::Release(b"same"),
];

#[test]
fn the_same_outcome_again_is_a_no_op_and_any_other_is_refused() {
    for policy in [Policy::at_least_once(), Policy::at_most_once()] {
        for (at, command) in SAME.into_iter().enumerate() {
            let world = Rig::new(policy.clone());
            let lease = world.lease("key");
            let token = lease.token();
            world.act(token, command).unwrap();
            let frames = world.store.stats().last_frame();
            world.act(token, command).unwrap();
            let others = [
                Command::Complete(b"other"),
                Command::Fail(b"other"),
                Command::Release(b"other"),
                Command::Doubt(b"x"),
                Command::Renew,
                Command::Checkpoint(b"x"),
                Command::Record,
                Command::CompleteWithout,
            ];
            let rest = SAME
                .into_iter()
                .enumerate()
                .filter(|(other, _)| *other != at);
            for other in others.into_iter().chain(rest.map(|(_, other)| other)) {
                let refused = world.act(token, other);
                assert_eq!(
                    refused,
                    Err(ErrorKind::AlreadySettled),
                    "{command:?} {other:?}"
                );
            }
            assert_eq!(
                world.store.stats().last_frame(),
                frames,
                "nothing was written"
            );
            drop(lease);
            assert_eq!(
                world.store.stats().last_frame(),
                frames,
                "a guard that goes away asks nothing"
            );
        }
    }
}

/// An outcome stored without its bytes passed for the same as any other.
#[test]
fn a_small_outcome_is_not_the_one_that_was_left_out() {
    let policy = Policy::at_least_once().max_response(4);
    let world = Rig::new(policy.oversize(Oversize::OutcomeOnly));
    let lease = world.lease("key");
    let token = lease.token();
    lease.complete("too long").unwrap();
    let refused = Err(ErrorKind::AlreadySettled);
    assert_eq!(world.act(token, Command::Complete(b"okay")), refused);
    assert_eq!(world.act(token, Command::Complete(b"")), refused);
    assert_eq!(world.act(token, Command::Fail(b"too long")), refused);
    for again in [Command::Complete(b"too long"), Command::CompleteWithout] {
        assert!(world.act(token, again).is_ok(), "{again:?}");
    }
    let info = block_on(world.engine().get(world.named(b"key"))).unwrap();
    assert!(info.unwrap().body_omitted());
}

/// Two keys with one digest, which no test can wait for, planted: no call takes one for the other.
#[test]
fn a_key_is_never_taken_for_another_one_with_its_digest() {
    for (settle, state) in [
        (None, KeyState::InProgress),
        (Some(Command::Release(b"busy")), KeyState::Released),
        (Some(Command::Doubt(b"unsure")), KeyState::InDoubt),
        (Some(Command::Complete(b"done")), KeyState::Completed),
    ] {
        let world = Rig::new(Policy::at_least_once());
        let lease = world.lease("key");
        let token = lease.token();
        if let Some(settle) = settle {
            world.act(token, settle).unwrap();
        }
        let own = world.named(b"key");
        let other = Named {
            key: b"other",
            ..own
        };
        confused_by_none(&world, other, token, state);
        world.clock.advance(std::time::Duration::from_secs(60));
        confused_by_none(&world, other, token, state);
        let info = block_on(world.engine().get(own)).unwrap().unwrap();
        assert_eq!((info.state(), info.token()), (state, token));
        world.store.validate();
        drop(lease);
    }
}

#[track_caller]
fn confused_by_none(world: &Rig, other: Named<'_>, token: FencingToken, state: KeyState) {
    let engine = world.engine();
    let by = Attribution::new("alice", "INC-42").unwrap();
    let request = crate::state::request::Request {
        lease_ms: 60_000,
        keep_alive_ms: 0,
        parts: None,
    };
    let told = |refused| block_on(engine.refuse(refused));
    let kinds = [
        (
            "claim",
            engine.start_claim(other, &request, None, true).wait().err(),
        ),
        (
            "complete",
            engine
                .act(other, token, Command::Complete(b"x"))
                .err()
                .map(told),
        ),
        (
            "renew",
            engine.act(other, token, Command::Renew).err().map(told),
        ),
        ("attach", engine.attach(other, token).err().map(told)),
        (
            "resolve",
            engine
                .resolve(other, token, Settlement::NeverHappened, true, None)
                .err()
                .map(told),
        ),
        (
            "release",
            engine
                .end_hold(other, token, HoldEnd::Release, &by)
                .err()
                .map(told),
        ),
        ("get", block_on(engine.get(other)).err()),
        ("doubt_of", block_on(engine.doubt_of(other)).err()),
    ];
    for (call, error) in kinds {
        let error = error.unwrap_or_else(|| panic!("{call} of {state} met another key"));
        assert_eq!(error.kind(), ErrorKind::InUse, "{call} of {state}: {error}");
        assert!(
            error.to_string().contains("same digest"),
            "{call} of {state}: {error}"
        );
    }
    let held = matches!(state, KeyState::InProgress | KeyState::InDoubt);
    for force in [None, Some(token)] {
        // Of any other key, `forget` reads no record.
        if held {
            let error = told(engine.forget(other, force, None).unwrap_err());
            assert!(
                error.to_string().contains("same digest"),
                "forget of {state}: {error}"
            );
        }
    }
    if matches!(state, KeyState::InProgress | KeyState::Released) {
        let error = engine.start_insert(other).wait().unwrap_err();
        assert!(
            error.to_string().contains("same digest"),
            "insert of {state}: {error}"
        );
    }
}
