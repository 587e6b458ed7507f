//! Every state against a ticket: the whole table, written out.

use crate::state::holder::Guard;
use crate::state::transition::tests::{LIVE, policy, record, running, token};
use crate::state::transition::{AttachRefusal, attach_running, attach_settled};
use crate::value::guarantee::Guarantee::{AtLeastOnce, AtMostOnce};
use crate::value::record::RecordKind::{
    Completed, Failed, Forgotten, InDoubt, InProgress, Released,
};

use AttachRefusal::{Held, NotHeld, Settled, Superseded, Used};

/// One ticket made a lease as often as it came: of a key with its outcome, of one in doubt, and of
/// one whose holder had died in the middle of an effect that must not run twice.
#[test]
fn every_ticket_of_a_settled_key() {
    const GIVEN_UP: AttachRefusal = AttachRefusal::Released;
    #[rustfmt::skip]
    let table = [
        // Fresh, used, and that of another token.
        (Completed,  AtLeastOnce, None,    [Err(Settled),  Err(Settled),  Err(Settled)]),
        (Completed,  AtMostOnce,  None,    [Err(Settled),  Err(Settled),  Err(Settled)]),
        (Failed,     AtLeastOnce, None,    [Err(Settled),  Err(Settled),  Err(Settled)]),
        (Failed,     AtMostOnce,  Some(3), [Err(Settled),  Err(Settled),  Err(Settled)]),
        (InDoubt,    AtLeastOnce, None,    [Err(Used),     Err(Used),     Err(Superseded)]),
        (InDoubt,    AtMostOnce,  None,    [Err(Used),     Err(Used),     Err(Superseded)]),
        (InProgress, AtLeastOnce, None,    [Ok(()),        Ok(()),        Err(Superseded)]),
        // The attempt of a used one counts: a claim makes the next.
        (InProgress, AtLeastOnce, Some(3), [Ok(()),        Err(GIVEN_UP), Err(Superseded)]),
        (InProgress, AtMostOnce,  None,    [Ok(()),        Err(Used),     Err(Superseded)]),
        (InProgress, AtMostOnce,  Some(3), [Ok(()),        Err(Used),     Err(Superseded)]),
        (Released,   AtLeastOnce, None,    [Err(GIVEN_UP), Err(GIVEN_UP), Err(Superseded)]),
        (Released,   AtMostOnce,  None,    [Err(GIVEN_UP), Err(GIVEN_UP), Err(Superseded)]),
        (Forgotten,  AtLeastOnce, None,    [Err(NotHeld),  Err(NotHeld),  Err(NotHeld)]),
        (Forgotten,  AtMostOnce,  None,    [Err(NotHeld),  Err(NotHeld),  Err(NotHeld)]),
    ];
    for (kind, guarantee, most, [fresh, used, stranger]) in table {
        let at = format!("{kind:?} {guarantee:?} {most:?}");
        let mut policy = policy(guarantee);
        if let Some(most) = most {
            policy = policy.max_attempts(most);
        }
        let mut record = record(kind);
        assert_eq!(attach_settled(&record, token(5), &policy), fresh, "{at}");
        for other in [token(4), token(6)] {
            assert_eq!(attach_settled(&record, other, &policy), stranger, "{at}");
        }
        record.head.attached = true;
        assert_eq!(attach_settled(&record, token(5), &policy), used, "{at}");
    }
}

#[test]
fn every_ticket_of_a_running_key() {
    #[rustfmt::skip]
    let table = [
        (Guard::Lease,  AtLeastOnce, None,    Err(Held)),
        (Guard::Lease,  AtMostOnce,  None,    Err(Held)),
        (Guard::Ticket, AtLeastOnce, None,    Ok(())),
        (Guard::Ticket, AtMostOnce,  Some(3), Ok(())),
        (Guard::Gone, AtLeastOnce, None,    Ok(())),
        (Guard::Gone, AtLeastOnce, Some(3), Err(Used)),
        (Guard::Gone, AtMostOnce,  None,    Err(Used)),
    ];
    for (guard, guarantee, most, expected) in table {
        let mut policy = policy(guarantee);
        if let Some(most) = most {
            policy = policy.max_attempts(most);
        }
        let mut running = running(policy, LIVE);
        running.holder.guard = guard;
        let at = format!("{guard:?} {guarantee:?} {most:?}");
        assert_eq!(attach_running(&running, token(5)), expected, "{at}");
        for other in [token(4), token(6)] {
            assert_eq!(attach_running(&running, other), Err(Superseded), "{at}");
        }
    }
}
