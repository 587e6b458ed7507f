//! A batch consumer behind a broker that redelivers what was not acknowledged and moves partitions
//! between two consumers, so that the same message reaches both. Each message is handled once.
//!
//! `cargo run --example batch_consumer`

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::error::Error;

use hapax::{BatchClaim, Claim, Key, Lease, Namespace, Policy, Store};

const PARTITIONS: u64 = 4;
const MESSAGES: u64 = 400;
const BATCH: usize = 32;

type Message = (u64, u64);

/// A stand-in for a broker with at-least-once delivery.
struct Broker {
    queues: Vec<VecDeque<Message>>,
    unacknowledged: BTreeSet<Message>,
    deliveries: u64,
}

impl Broker {
    fn new() -> Self {
        let queue = |partition| (0..MESSAGES / PARTITIONS).map(move |offset| (partition, offset));
        Self {
            queues: (0..PARTITIONS).map(|p| queue(p).collect()).collect(),
            unacknowledged: (0..PARTITIONS).flat_map(queue).collect(),
            deliveries: 0,
        }
    }

    fn poll(&mut self, mine: impl Fn(usize) -> bool) -> Vec<Message> {
        let mut batch = Vec::new();
        for (partition, queue) in self.queues.iter_mut().enumerate() {
            if mine(partition) {
                let some = queue.len().min(BATCH / 2);
                batch.extend(queue.drain(..some));
            }
        }
        self.deliveries += batch.len() as u64;
        batch
    }

    /// Partitions move: every unacknowledged delivery comes again from the start.
    fn rebalance(&mut self) {
        for (partition, queue) in self.queues.iter_mut().enumerate() {
            let left = self.unacknowledged.iter().copied();
            *queue = left.filter(|(p, _)| *p == partition as u64).collect();
        }
    }
}

/// A batch that was handled and is not settled yet.
#[derive(Default)]
struct Handled {
    leases: Vec<(Lease, String)>,
    acknowledge: Vec<Message>,
    at_the_other: u64,
}

/// Claims a batch and handles what is granted.
fn work(
    inbox: &Namespace,
    batch: &[Message],
    effects: &mut BTreeMap<Message, u32>,
) -> Result<Handled, Box<dyn Error>> {
    let keys = batch
        .iter()
        .map(|(partition, offset)| Key::join((partition, offset)));
    let mut handled = Handled::default();
    for (message, claim) in batch.iter().zip(inbox.claim_many(keys)?) {
        match claim {
            BatchClaim::Claim(Claim::Granted(lease)) => {
                *effects.entry(*message).or_default() += 1;
                let response = format!("handled {message:?}");
                handled.leases.push((lease, response));
                handled.acknowledge.push(*message);
            }
            // It was settled before, and its acknowledgement was lost: acknowledge it again.
            BatchClaim::Claim(Claim::Completed(_) | Claim::Failed(_)) => {
                handled.acknowledge.push(*message);
            }
            // Not acknowledged, so the broker delivers it again if the other consumer fails.
            BatchClaim::Claim(Claim::InProgress(_)) => handled.at_the_other += 1,
            other => return Err(format!("{message:?}: {other:?}").into()),
        }
    }
    Ok(handled)
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path().join("dedup"))?;
    let inbox = store.namespace("inbox", Policy::at_least_once())?;
    let (mut broker, mut effects) = (Broker::new(), BTreeMap::new());
    let (mut rounds, mut met_running) = (0, 0);

    while !broker.unacknowledged.is_empty() && rounds < 1000 {
        rounds += 1;
        let swap = rounds % 2;
        let batch = broker.poll(|partition| partition % 2 == swap);
        let first = work(&inbox, &batch, &mut effects)?;
        // The partitions move while the first consumer works, so its batch reaches the second too.
        broker.rebalance();
        let batch = broker.poll(|_| true);
        let second = work(&inbox, &batch, &mut effects)?;
        met_running += first.at_the_other + second.at_the_other;
        // One commit for many messages, and only then the acknowledgements.
        for result in inbox.complete_many(first.leases.into_iter().chain(second.leases)) {
            result?;
        }
        // Every third acknowledgement is lost on its way.
        let done = first.acknowledge.iter().chain(&second.acknowledge);
        for (_, message) in done.enumerate().filter(|(index, _)| index % 3 != 0) {
            broker.unacknowledged.remove(message);
        }
        broker.rebalance();
    }

    let twice = effects.values().filter(|times| **times != 1).count();
    println!("messages:   {MESSAGES} in {PARTITIONS} partitions");
    println!("deliveries: {} in {rounds} rounds", broker.deliveries);
    println!("met while the other consumer had them: {met_running}");
    println!("handled:    {}, more than once: {twice}", effects.len());
    if twice != 0 || effects.len() as u64 != MESSAGES || broker.deliveries <= MESSAGES {
        return Err("each message is handled once, however often it is delivered".into());
    }
    Ok(())
}
