//! Looking at keys without claiming them, and marking them as done in one step.

use std::sync::Arc;

use crate::engine::audit::{By, Prepared};
use crate::engine::call::admission::Entry;
use crate::engine::call::claim::{Named, Read, check_same_key, state_of};
use crate::engine::call::waiting::told_of;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::shards::Locked;
use crate::engine::{Aftermath, Engine};
use crate::journal::damage::lost;
use crate::journal::format::codec::WireRecord;
use crate::journal::format::frame::open_frame;
use crate::journal::read::records;
use crate::observe::claim_outcome::ClaimOutcome;
use crate::runtime::sync::{Mailbox, block_on};
use crate::state::last_record::LastRecord;
use crate::state::running::Running;
use crate::state::shard::Found;
use crate::state::slot::Settled;
use crate::state::transition::Subject;
use crate::value::audit::Transition;
use crate::value::error::{Error, Result};
use crate::value::guarantee::Guarantee;
use crate::value::key_info::KeyInfo;
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;
use crate::value::progress::Meter;
use crate::value::record::{Record, RecordKind, RecordRef};
use crate::value::time::Now;

/// What `verify` looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) segments: u64,
    pub(crate) frames: u64,
    pub(crate) records: u64,
    pub(crate) live_records: u64,
}

/// A place in the log that a scan goes on from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScanCursor {
    pub(crate) next_frame: u64,
    pub(crate) end_frame: u64,
}

impl Engine {
    /// Reads a record; `None` when its segment is gone, so that the caller has to look again.
    pub(crate) fn read(&self, locator: Locator) -> Result<Option<Record>> {
        let read = self.journal.read(locator);
        // The log of a store that is being closed cannot be read, which is no fault of it.
        read.map_err(|error| self.check_alive().err().unwrap_or(error))
    }

    /// Reads a record without keeping this thread from other work longer than memory takes: a
    /// frame that lies on disk is read by the janitor where there is one.
    pub(crate) async fn fetch(&self, locator: Locator) -> Result<Option<Arc<Record>>> {
        if self.journal.is_at_hand(locator) || self.options.drive.is_inline() {
            return Ok(self.read(locator)?.map(Arc::new));
        }
        let mailbox = Arc::new(Mailbox::new());
        self.request_read(locator, &mailbox);
        let read = std::future::poll_fn(|context| mailbox.poll(context)).await;
        Ok(read?.map(Arc::new))
    }

    /// What a key is now; `None` when it is absent.
    pub(crate) async fn get(&self, named: Named<'_>) -> Result<Option<KeyInfo>> {
        self.check_alive()?;
        let mut read: Option<Read> = None;
        loop {
            let (found, running) = self.look(named)?;
            match found {
                Found::Absent => return Ok(None),
                Found::Forgotten(locator) => {
                    self.rest(self.rests_on(named.namespace, locator)).await?;
                    return Ok(None);
                }
                Found::Running(_) => return Ok(running),
                Found::Settled(_, _, locator) => {
                    if let Some((_, record)) = read.take().filter(|(at, _)| *at == locator) {
                        check_same_key(&record.key, named.key)?;
                        self.rest(self.rests_on(named.namespace, locator)).await?;
                        let state = state_of(&record, named.namespace.policy.guarantee);
                        return Ok(Some(self.info(named.namespace, state, record)));
                    }
                    read = self.fetch(locator).await?.map(|record| (locator, record));
                }
            }
        }
    }

    fn look(&self, named: Named<'_>) -> Result<(Found, Option<KeyInfo>)> {
        let (shard, now) = self.lock(named.digest);
        let found = shard.find(named.digest, now.store_secs);
        let running = match found {
            Found::Running(at) => shard.get(at),
            _ => None,
        };
        let told = running.map(|running| -> Result<KeyInfo> {
            check_same_key(&running.key, named.key)?;
            Ok(self.running_info(named, running, now))
        });
        Ok((found, told.transpose()?))
    }

    /// Whether a key was completed; reads no record.
    pub(crate) async fn contains(&self, named: Named<'_>) -> Result<bool> {
        self.check_alive()?;
        match self.look(named)?.0 {
            Found::Settled(_, settled, locator) => {
                self.rest(self.rests_on(named.namespace, locator)).await?;
                Ok(settled == Settled::Completed)
            }
            Found::Forgotten(locator) => {
                self.rest(self.rests_on(named.namespace, locator)).await?;
                Ok(false)
            }
            Found::Absent | Found::Running(_) => Ok(false),
        }
    }

    /// Completes a key that nobody runs and that has no outcome, in one step. Gives what a claim
    /// would have come to, "granted" where it did, and the frame that the answer waits for. Whoever
    /// calls this counts that as a claim.
    pub(crate) async fn insert(&self, named: Named<'_>) -> Result<(ClaimOutcome, Option<u64>)> {
        self.check_change()?;
        self.make_room().await?;
        let inserted = self.try_insert(named, None)?;
        self.go_on_inserting(named, inserted).await
    }

    /// As [`insert`](Self::insert) and its acknowledgement, on a thread that may block: most have
    /// nothing to wait for, and take no future.
    pub(crate) fn insert_blocking(&self, named: Named<'_>) -> Result<ClaimOutcome> {
        self.check_change()?;
        self.make_room_blocking()?;
        let (outcome, frame) = match self.try_insert(named, None)? {
            Inserted::Done(outcome, frame) => (outcome, frame),
            inserted @ Inserted::Read(_) => block_on(self.go_on_inserting(named, inserted))?,
        };
        let sync = self.is_sync(named.namespace);
        if !self.is_acknowledged(sync, frame) {
            block_on(self.acknowledge(sync, frame))?;
        }
        self.count_claim(named, outcome);
        Ok(outcome)
    }

    /// As [`insert`](Self::insert), for many keys in one commit, acknowledged and counted, each with
    /// a result of its own. An error is of the whole batch: nothing of it was done then.
    pub(crate) async fn insert_many(
        &self,
        namespace: &Arc<NamespaceCore>,
        keys: &[Box<[u8]>],
    ) -> Result<Vec<Result<ClaimOutcome>>> {
        let began_ns = self.clock_ns();
        self.check_change()?;
        let mut begun = Vec::with_capacity(keys.len());
        for key in keys {
            begun.push(self.insert(self.named(namespace, key)).await);
        }
        let results = self.acknowledge_each(self.is_sync(namespace), begun).await;
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            self.count_errors(namespace, 1, error.kind());
        }
        let outcomes: Vec<_> = results.iter().flatten().copied().collect();
        self.count_inserts(namespace, &outcomes, began_ns);
        Ok(results)
    }

    async fn go_on_inserting(
        &self,
        named: Named<'_>,
        mut inserted: Inserted,
    ) -> Result<(ClaimOutcome, Option<u64>)> {
        loop {
            match inserted {
                Inserted::Done(outcome, frame) => return Ok((outcome, frame)),
                Inserted::Read(locator) => {
                    let read = self.fetch(locator).await?.map(|record| (locator, record));
                    inserted = self.try_insert(named, read.as_ref())?;
                }
            }
        }
    }

    fn try_insert(&self, named: Named<'_>, read: Option<&Read>) -> Result<Inserted> {
        let (shard, now) = self.lock(named.digest);
        let found = shard.find(named.digest, now.store_secs);
        let (subject, last) = match found {
            Found::Absent | Found::Forgotten(_) => (None, shard.last_record(named.digest)),
            Found::Settled(slot, Settled::Released, locator) => {
                let Some((_, record)) = read.filter(|(at, _)| *at == locator) else {
                    return Ok(Inserted::Read(locator));
                };
                check_same_key(&record.key, named.key)?;
                (
                    Some(Subject::of_record(record, &named.namespace.policy)),
                    Some(LastRecord {
                        locator,
                        expires_at: slot.expires_at(),
                    }),
                )
            }
            Found::Settled(_, settled, locator) => {
                let rests_on = self.rests_on(named.namespace, locator);
                return Ok(Inserted::Done(settled.into(), rests_on));
            }
            Found::Running(at) => {
                let running = shard.running_at(at);
                check_same_key(&running.key, named.key)?;
                if !running.is_lapsed(now) || running.guarantee() == Guarantee::AtMostOnce {
                    return Ok(Inserted::Done(met_running(running, now), None));
                }
                (None, running.rest.last_record)
            }
        };
        self.write_inserted(shard, named, subject, last, now)
    }

    fn write_inserted(
        &self,
        mut shard: Locked<'_>,
        named: Named<'_>,
        subject: Option<Subject<'_>>,
        last: Option<LastRecord>,
        now: Now,
    ) -> Result<Inserted> {
        let policy = &named.namespace.policy;
        self.admit(&mut shard, named.digest, policy, Entry::Record)?;
        let token = self.next_token()?;
        let fresh = inserted(named, token, now);
        let record = match subject {
            Some(subject) => Subject { token, ..subject }.record(RecordKind::Completed, &[], now),
            None => fresh,
        };
        let made = (Transition::Inserted, By::Caller(&[]));
        let locator = self.append_transition(&record, made, policy, Prepared::default(), last, now);
        let guarantee = policy.guarantee;
        let ended = shard.apply(named.digest, &record.head, guarantee, locator);
        let tallies = &mut shard.tallies;
        tallies.count(named.namespace.column, |counters| counters.completed += 1);
        let mut aftermath = Aftermath::default();
        if let Some(ended) = ended {
            let shared = Arc::new(record.to_record());
            self.settle_waiters(&mut shard, ended, &shared, locator, now, &mut aftermath);
        }
        drop(shard);
        aftermath.carry_out();
        let frame = Some(locator.frame);
        Ok(Inserted::Done(ClaimOutcome::Granted, frame))
    }

    /// Where a scan over the log begins, and where it ends at the least.
    pub(crate) fn scan_start(&self) -> ScanCursor {
        self.journal.with_tail(|tail| ScanCursor {
            next_frame: tail
                .census
                .oldest()
                .map_or(u64::MAX, |stats| stats.first_frame),
            end_frame: tail.last_used(),
        })
    }

    /// Goes on with a scan: the current records of the next frame. `None` at the end.
    pub(crate) fn scan_frame(
        &self,
        cursor: &mut ScanCursor,
        only: Option<NamespaceId>,
    ) -> Result<Option<Vec<KeyInfo>>> {
        if cursor.next_frame > cursor.end_frame {
            return Ok(None);
        }
        let frame = cursor.next_frame;
        cursor.next_frame += 1;
        let mut found = Vec::new();
        let Some(payload) = self.journal.frame_bytes(frame)? else {
            return Ok(Some(found));
        };
        for record in records(frame, &payload) {
            let (locator, head, wire) = record?;
            if only.is_none_or(|only| only == head.namespace)
                && self.is_current(head.namespace, wire.key, locator)
            {
                found.extend(self.scanned(&wire, locator)?);
            }
        }
        Ok(Some(found))
    }

    /// Waits for what a listed record rests on; false where that can never be durable: a poisoned
    /// store names only what is.
    pub(in crate::engine) fn may_be_told(
        &self,
        namespace: &NamespaceCore,
        locator: Locator,
    ) -> Result<bool> {
        let rests_on = self.rests_on(namespace, locator);
        if rests_on.is_some() && self.journal.is_poisoned() {
            return Ok(false);
        }
        block_on(self.rest(rests_on))?;
        Ok(true)
    }

    fn scanned(&self, wire: &WireRecord<'_>, locator: Locator) -> Result<Option<KeyInfo>> {
        let Some(record) = self.journal.complete(wire, locator)? else {
            return Ok(None);
        };
        let namespace = self.namespace_by_id(record.head.namespace)?;
        if !self.may_be_told(&namespace, locator)? {
            return Ok(None);
        }
        let state = state_of(&record, namespace.policy.guarantee);
        Ok(Some(self.info(&namespace, state, Arc::new(record))))
    }

    /// Whether a record is what its key is now, and nobody runs the key.
    fn is_current(&self, namespace: NamespaceId, key: &[u8], locator: Locator) -> bool {
        let digest = self.digest_of(namespace, key);
        let (shard, now) = self.lock(digest);
        matches!(shard.find(digest, now.store_secs), Found::Settled(_, _, at) if at == locator)
    }

    /// The running keys of a shard, those of one namespace or all; `None` after the last shard.
    pub(crate) fn running_keys(
        &self,
        shard: usize,
        only: Option<NamespaceId>,
    ) -> Result<Option<Vec<KeyInfo>>> {
        if shard >= self.shards.len() {
            return Ok(None);
        }
        let mut found = Vec::new();
        {
            let shard = self.shards.lock_at(shard);
            let now = self.now();
            let wanted = |id: NamespaceId| only.is_none_or(|only| only == id);
            for running in shard.running().filter(|running| wanted(running.namespace)) {
                let (state, record) = told_of(running, now);
                found.push((state, Arc::new(record)));
            }
        }
        let infos = found.into_iter().map(|(state, record)| {
            let namespace = self.namespace_by_id(record.head.namespace)?;
            Ok(self.info(&namespace, state, record))
        });
        infos.collect::<Result<_>>().map(Some)
    }

    /// Reads the whole log back and compares it with what is in memory.
    pub(crate) fn verify(&self, meter: &mut Meter<'_>) -> Result<Verified> {
        self.check_alive()?;
        let segments: Vec<_> = self
            .journal
            .with_tail(|tail| tail.census.segments().copied().collect());
        let mut verified = Verified::default();
        let durable = self.journal.durable();
        let frames = segments.iter().map(|segment| u64::from(segment.frames));
        meter.expect(frames.sum());
        for segment in &segments {
            verified.segments += 1;
            let next = segment.first_frame + u64::from(segment.frames);
            // What the writer has not got to yet is read from memory below.
            self.verify_segment(segment.number, segment.first_frame, next.min(durable + 1))?;
            verified.frames += next - segment.first_frame;
            for frame in segment.first_frame..next {
                self.verify_frame(frame, &mut verified)?;
                meter.add(1);
            }
        }
        Ok(verified)
    }

    /// The bytes of a closed segment on its medium: each frame before `end_frame` whole, and none
    /// missing. What follows is the void that a crash has left there.
    fn verify_segment(&self, number: u64, first_frame: u64, end_frame: u64) -> Result<()> {
        if self.journal.open_segment() == Some(number) {
            // The open one is only ever read from memory.
            return Ok(());
        }
        let mut next = first_frame;
        let mut bad = None;
        let store_id = *self.journal.store_id();
        let read = self.journal.log().read_all(number, &mut |_, bytes| {
            match open_frame(bytes, &store_id) {
                Ok(view) if view.header.number == next => next += 1,
                _ => bad = Some(next),
            }
            bad.is_none()
        });
        match (read, bad) {
            (Err(error), _) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            (Err(error), _) => Err(Error::io(&format!("reading segment {number:016x}"), error)),
            (Ok(()), bad) => match bad.unwrap_or(next) {
                frame if frame < end_frame => Err(lost(frame)),
                _ => Ok(()),
            },
        }
    }

    fn verify_frame(&self, frame: u64, verified: &mut Verified) -> Result<()> {
        let Some(payload) = self.journal.frame_bytes(frame)? else {
            return Ok(());
        };
        for record in records(frame, &payload) {
            let (locator, head, wire) = record?;
            verified.records += 1;
            verified.live_records += u64::from(self.is_newest(head.namespace, wire.key, locator));
            self.journal.complete(&wire, locator)?;
        }
        Ok(())
    }

    /// Whether a record is the newest of its key, whoever runs the key.
    pub(crate) fn is_newest(&self, namespace: NamespaceId, key: &[u8], locator: Locator) -> bool {
        let digest = self.digest_of(namespace, key);
        let shard = self.shards.lock(digest);
        shard
            .last_record(digest)
            .is_some_and(|last| last.locator == locator)
    }

    pub(crate) fn digest_of(
        &self,
        namespace: NamespaceId,
        key: &[u8],
    ) -> crate::value::digest::Digest {
        self.hasher.digest(namespace, key)
    }
}

/// What an insert comes to that meets a key which somebody runs.
fn met_running<W: 'static>(running: &Running<W>, now: Now) -> ClaimOutcome {
    if running.is_in_doubt(now) {
        ClaimOutcome::InDoubt
    } else {
        ClaimOutcome::InProgress
    }
}

impl From<Settled> for ClaimOutcome {
    fn from(settled: Settled) -> Self {
        match settled {
            Settled::Failed => Self::Failed,
            Settled::InDoubt => Self::InDoubt,
            _ => Self::Completed,
        }
    }
}

enum Inserted {
    Done(ClaimOutcome, Option<u64>),
    Read(Locator),
}

fn inserted<'a>(
    named: Named<'a>,
    token: crate::value::fencing_token::FencingToken,
    now: Now,
) -> RecordRef<'a> {
    let namespace: &'a NamespaceCore = named.namespace;
    let subject = Subject {
        namespace: namespace.id,
        key: named.key,
        token,
        attempt: 1,
        first_claimed_at: now.store_secs,
        fingerprint: None,
        metadata: &[],
        reason: &[],
        checkpoint: &[],
        retention: None,
        attached: false,
        policy: &namespace.policy,
    };
    subject.record(RecordKind::Completed, &[], now)
}
