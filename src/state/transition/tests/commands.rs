//! Every state against a command of a holder.

use crate::state::transition::tests::{LAPSED, LIVE, NOW, policy, record, running, token};
use crate::state::transition::{Accepted, Command, Refusal, act_running, act_settled};
use crate::value::blob::Blob;
use crate::value::guarantee::Guarantee;
use crate::value::policy::{Oversize, Policy};
use crate::value::record::RecordKind;

use Guarantee::{AtLeastOnce, AtMostOnce};
use RecordKind::{Completed, Failed, Forgotten, InDoubt, InProgress, Released};

/// Every command; those that say something, with what is stored and with something else.
const COMMANDS: [Command<'static>; 11] = [
    Command::Complete(b"outcome"),
    Command::Complete(b"other"),
    Command::Fail(b"outcome"),
    Command::Fail(b"other"),
    Command::Release(b"again"),
    Command::Release(b"other"),
    Command::Doubt(b"again"),
    Command::Checkpoint(b"half"),
    Command::Renew,
    Command::Abandon,
    Command::Record,
];

type Acts = [Result<Accepted, Refusal>; 11];

/// A record of a kind is written.
const fn w(kind: RecordKind) -> Result<Accepted, Refusal> {
    Ok(Accepted::Write(kind))
}

const EXTEND: Result<Accepted, Refusal> = Ok(Accepted::Extend);
const DONE: Result<Accepted, Refusal> = Ok(Accepted::Done);
const NOT: Result<Accepted, Refusal> = Err(Refusal::AlreadySettled);
const UNSURE: Result<Accepted, Refusal> = Err(Refusal::InDoubt);

#[test]
fn every_command_on_a_running_key() {
    let (c, f, r, d, p) = (
        w(Completed),
        w(Failed),
        w(Released),
        w(InDoubt),
        w(InProgress),
    );
    type Row = (Guarantee, u64, Option<u32>, bool, Acts);
    #[rustfmt::skip]
    let table: [Row; 12] = [
        //                    max_attempts    complete fail  release doubt checkpoint renew   abandon record
        (AtLeastOnce, LIVE,   None,    false, [c, c,   f, f, r, r,   d,    p,         EXTEND, r,      p]),
        (AtLeastOnce, LIVE,   Some(3), true,  [c, c,   f, f, r, r,   d,    p,         EXTEND, r,      DONE]),
        (AtLeastOnce, LIVE,   Some(2), false, [c, c,   f, f, f, f,   d,    p,         EXTEND, f,      p]),
        (AtLeastOnce, LAPSED, None,    false, [c, c,   f, f, r, r,   d,    p,         EXTEND, r,      p]),
        (AtLeastOnce, LAPSED, Some(3), true,  [c, c,   f, f, r, r,   d,    p,         EXTEND, r,      DONE]),
        (AtLeastOnce, LAPSED, Some(2), false, [c, c,   f, f, f, f,   d,    p,         EXTEND, f,      p]),
        (AtMostOnce,  LIVE,   None,    true,  [c, c,   f, f, r, r,   d,    p,         EXTEND, d,      DONE]),
        (AtMostOnce,  LIVE,   Some(3), false, [c, c,   f, f, r, r,   d,    p,         EXTEND, d,      p]),
        (AtMostOnce,  LIVE,   Some(2), true,  [c, c,   f, f, f, f,   d,    p,         EXTEND, d,      DONE]),
        (AtMostOnce,  LAPSED, None,    true,  [c, c,   f, f, r, r,   d,    UNSURE,    UNSURE, d,      DONE]),
        (AtMostOnce,  LAPSED, Some(3), false, [c, c,   f, f, r, r,   d,    UNSURE,    UNSURE, d,      p]),
        (AtMostOnce,  LAPSED, Some(2), true,  [c, c,   f, f, f, f,   d,    UNSURE,    UNSURE, d,      DONE]),
    ];
    for (guarantee, end_ms, max_attempts, journaled, acts) in table {
        let mut policy = policy(guarantee);
        policy.max_attempts = max_attempts;
        let mut running = running(policy, end_ms);
        running.holder.journaled = journaled;
        for (command, expected) in COMMANDS.into_iter().zip(acts) {
            let at = format!("{guarantee:?} {end_ms} {max_attempts:?} {command:?}");
            assert_eq!(
                act_running(&running, token(5), command, NOW),
                expected,
                "{at}"
            );
            for stranger in [token(4), token(6)] {
                let refused = act_running(&running, stranger, command, NOW);
                assert_eq!(refused, Err(Refusal::Superseded), "{at}");
            }
        }
    }
}

#[test]
fn every_command_on_a_settled_key() {
    let (c, f) = (w(Completed), w(Failed));
    let gone = [Err(Refusal::NotHeld); 11];
    type Row = (RecordKind, Guarantee, Acts);
    #[rustfmt::skip]
    let table: [Row; 12] = [
        //                         complete   fail       release         doubt checkpoint renew   abandon record
        (Completed,  AtLeastOnce, [DONE, NOT, NOT,  NOT, NOT,    NOT,    NOT,  NOT,       NOT,    NOT,    NOT]),
        (Completed,  AtMostOnce,  [DONE, NOT, NOT,  NOT, NOT,    NOT,    NOT,  NOT,       NOT,    NOT,    NOT]),
        (Failed,     AtLeastOnce, [NOT,  NOT, DONE, NOT, NOT,    NOT,    NOT,  NOT,       NOT,    NOT,    NOT]),
        (Failed,     AtMostOnce,  [NOT,  NOT, DONE, NOT, NOT,    NOT,    NOT,  NOT,       NOT,    NOT,    NOT]),
        (InDoubt,    AtLeastOnce, [c,    c,   f,    f,   UNSURE, UNSURE, DONE, UNSURE,    UNSURE, DONE,   UNSURE]),
        (InDoubt,    AtMostOnce,  [c,    c,   f,    f,   UNSURE, UNSURE, DONE, UNSURE,    UNSURE, DONE,   UNSURE]),
        (InProgress, AtMostOnce,  [c,    c,   f,    f,   UNSURE, UNSURE, DONE, UNSURE,    UNSURE, DONE,   UNSURE]),
        (InProgress, AtLeastOnce, [c,    c,   f,    f,   DONE,   NOT,    NOT,  NOT,       NOT,    NOT,    NOT]),
        (Released,   AtLeastOnce, [NOT,  NOT, NOT,  NOT, DONE,   NOT,    NOT,  NOT,       NOT,    NOT,    NOT]),
        (Released,   AtMostOnce,  [NOT,  NOT, NOT,  NOT, DONE,   NOT,    NOT,  NOT,       NOT,    NOT,    NOT]),
        (Forgotten,  AtLeastOnce, gone),
        (Forgotten,  AtMostOnce,  gone),
    ];
    for (kind, guarantee, acts) in table {
        let record = record(kind);
        for (command, expected) in COMMANDS.into_iter().zip(acts) {
            let at = format!("{kind:?} {guarantee:?} {command:?}");
            assert_eq!(
                act_settled(&record, token(5), command, &policy(guarantee)),
                expected,
                "{at}"
            );
            for stranger in [token(4), token(6)] {
                let refused = act_settled(&record, stranger, command, &policy(guarantee));
                let expected = match kind {
                    Forgotten => Refusal::NotHeld,
                    _ => Refusal::Superseded,
                };
                assert_eq!(refused, Err(expected), "{at}");
            }
        }
    }
}

/// An outcome that was stored without its bytes took any other one for its repetition: a holder that
/// had failed to store a small answer was told that it was stored.
#[test]
fn an_outcome_that_was_left_out_is_repeated_by_what_would_be_left_out() {
    let policy = policy(AtLeastOnce)
        .max_response(3)
        .oversize(Oversize::OutcomeOnly);
    for (kind, other) in [(Completed, Failed), (Failed, Completed)] {
        let act = |body_omitted, kind, said| {
            let mut record = record(kind);
            (record.head.body_omitted, record.body) = (body_omitted, Blob::EMPTY);
            let command = match kind {
                Completed => Command::Complete(said),
                _ => Command::Fail(said),
            };
            act_settled(&record, token(5), command, &policy)
        };
        assert_eq!(act(true, kind, b"four"), DONE, "{kind:?}");
        for small in [&b"abc"[..], b""] {
            assert_eq!(act(true, kind, small), NOT, "{kind:?} {small:?}");
        }
        assert_eq!(act(false, kind, b""), DONE, "{kind:?}");
        assert_eq!(act(false, kind, b"four"), NOT, "{kind:?}");
        let mut omitted = record(other);
        (omitted.head.body_omitted, omitted.body) = (true, Blob::EMPTY);
        let command = match kind {
            Completed => Command::Complete(b"four"),
            _ => Command::Fail(b"four"),
        };
        assert_eq!(act_settled(&omitted, token(5), command, &policy), NOT);
    }
    // Again without it is the same; a whole one is not.
    let without = Command::CompleteWithout;
    let mut record = record(Completed);
    record.head.body_omitted = true;
    assert_eq!(act_settled(&record, token(5), without, &policy), DONE);
    record.head.body_omitted = false;
    assert_eq!(act_settled(&record, token(5), without, &policy), NOT);
    let doubt = crate::state::transition::tests::record(InDoubt);
    let settles = act_settled(&doubt, token(5), without, &Policy::at_most_once());
    assert_eq!(settles, w(Completed));
}
