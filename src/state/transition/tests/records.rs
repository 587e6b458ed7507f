//! What each record means, and what is written.

use std::time::Duration;

use crate::state::transition::tests::{LIVE, NOW, policy, print, running, token};
use crate::state::transition::{Subject, asked_retention, settled_state};
use crate::value::guarantee::Guarantee;
use crate::value::key_state::KeyState;
use crate::value::policy::Oversize;
use crate::value::record::RecordKind;
use crate::value::time::NEVER;

use Guarantee::{AtLeastOnce, AtMostOnce};
use RecordKind::{Completed, Failed, Forgotten, InDoubt, InProgress, Released};

#[test]
fn an_asked_retention_is_written_in_whole_seconds_rounded_up() {
    let mut running = running(policy(AtLeastOnce), LIVE);
    for (asked_ms, secs) in [
        (1, 1),
        (1000, 1),
        (1001, 2),
        (90_000, 90),
        (u64::MAX, u32::MAX),
    ] {
        let asked = Some(Duration::from_millis(asked_ms));
        running.rest.to_mut().holder.retention = asked;
        let record = Subject::of_running(&running).record(Completed, b"", NOW);
        assert_eq!(record.head.retention_secs, secs, "{asked_ms} ms");
        let read = asked_retention(&record.head);
        assert_eq!(read, Some(Duration::from_secs(u64::from(secs))));
    }
    running.rest.to_mut().holder.retention = None;
    let record = Subject::of_running(&running).record(Completed, b"", NOW);
    assert_eq!(
        (record.head.retention_secs, asked_retention(&record.head)),
        (0, None)
    );
}

#[test]
fn every_record_by_what_its_key_is_and_whether_a_ticket_resumes_it() {
    #[rustfmt::skip]
    let table = [
        (Completed,  AtLeastOnce, Some(KeyState::Completed)),
        (Completed,  AtMostOnce,  Some(KeyState::Completed)),
        (Failed,     AtLeastOnce, Some(KeyState::Failed)),
        (Failed,     AtMostOnce,  Some(KeyState::Failed)),
        (InDoubt,    AtLeastOnce, Some(KeyState::InDoubt)),
        (InDoubt,    AtMostOnce,  Some(KeyState::InDoubt)),
        (InProgress, AtLeastOnce, Some(KeyState::Released)),
        (InProgress, AtMostOnce,  Some(KeyState::InDoubt)),
        (Released,   AtLeastOnce, Some(KeyState::Released)),
        (Released,   AtMostOnce,  Some(KeyState::Released)),
        (Forgotten,  AtLeastOnce, None),
        (Forgotten,  AtMostOnce,  None),
    ];
    for (kind, guarantee, state) in table {
        assert_eq!(
            settled_state(kind, guarantee),
            state,
            "{kind:?} {guarantee:?}"
        );
    }
}

#[test]
fn every_record_as_it_is_written() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    // A second more than the retention: it is rounded up, never down.
    let after = |hours: u32| 1000 + hours * 3600 + 1;
    type Row = (RecordKind, Guarantee, u32, &'static [u8], &'static [u8]);
    #[rustfmt::skip]
    let table: [Row; 12] = [
        //                        expires   reason     body
        (Completed,  AtLeastOnce, after(2), b"",       b"said"),
        (Completed,  AtMostOnce,  after(2), b"",       b"said"),
        (Failed,     AtLeastOnce, after(3), b"",       b"said"),
        (Failed,     AtMostOnce,  after(3), b"",       b"said"),
        (Released,   AtLeastOnce, after(4), b"said",   b"half"),
        (Released,   AtMostOnce,  after(4), b"said",   b"half"),
        (InDoubt,    AtLeastOnce, NEVER,    b"said",   b"half"),
        (InDoubt,    AtMostOnce,  NEVER,    b"said",   b"half"),
        (InProgress, AtLeastOnce, after(4), b"again",  b"said"),
        (InProgress, AtMostOnce,  NEVER,    b"again",  b"said"),
        (Forgotten,  AtLeastOnce, 1000,     b"",       b""),
        (Forgotten,  AtMostOnce,  1000,     b"",       b""),
    ];
    for (kind, guarantee, expires_at, reason, body) in table {
        let policy = policy(guarantee)
            .retention(hours(2))
            .failed_retention(hours(3))
            .attempt_retention(hours(4));
        let mut running = running(policy, LIVE);
        let record = Subject::of_running(&running).record(kind, b"said", NOW);
        let at = format!("{kind:?} {guarantee:?}");
        assert_eq!(record.head.expires_at, expires_at, "{at}");
        assert_eq!((record.reason, record.body), (reason, body), "{at}");
        assert_eq!(
            (record.head.token, record.head.attempt),
            (token(5), 2),
            "{at}"
        );
        assert_eq!(
            (record.head.first_claimed_at, record.head.recorded_at),
            (900, 1000),
            "{at}"
        );
        assert_eq!(record.metadata, b"first", "{at}: that of the first request");
        assert_eq!(record.fingerprint, Some(&print(1, 7)), "{at}");
        // The claim's own retention counts for its outcome alone.
        running.rest.to_mut().holder.retention = Some(hours(9));
        let own = Subject::of_running(&running).record(kind, b"said", NOW);
        let outcome = matches!(kind, Completed | Failed);
        let expected = if outcome { after(9) } else { expires_at };
        assert_eq!(own.head.expires_at, expected, "{at}");
    }
}

#[test]
fn every_outcome_over_the_limit_is_written_as_the_policy_says() {
    #[rustfmt::skip]
    let table: [(RecordKind, Oversize, bool); 6] = [
        (Completed, Oversize::OutcomeOnly, true),
        (Failed,    Oversize::OutcomeOnly, true),
        (Released,  Oversize::OutcomeOnly, false),
        // The engine refuses it before: whatever comes here is whole.
        (Completed, Oversize::Refuse,      false),
        (Failed,    Oversize::Refuse,      false),
        (Released,  Oversize::Refuse,      false),
    ];
    for (kind, oversize, omitted) in table {
        let policy = policy(AtLeastOnce).max_response(3).oversize(oversize);
        let running = running(policy, LIVE);
        let record = Subject::of_running(&running).record(kind, b"said", NOW);
        assert_eq!(record.head.body_omitted, omitted, "{kind:?} {oversize:?}");
        assert_eq!(record.body.is_empty(), omitted, "{kind:?} {oversize:?}");
        let fits = Subject::of_running(&running).record(kind, b"fit", NOW);
        assert!(!fits.head.body_omitted);
    }
}
