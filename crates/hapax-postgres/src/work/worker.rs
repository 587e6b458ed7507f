//! [`Worker`]: gives what waits to connections that are free.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hapax::backend::{Answered, Change, Outcome};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

use crate::call::ask::{Ask, ReplyTo};
use crate::call::lane::Lane;
use crate::call::submission::{self, Answer};
use crate::fault::Fault;
use crate::server::target::Target;
use crate::work::queue::{Batch, Queue};

/// While statements are under way, another one goes out when it has so many changes for each of them. Few large
/// statements cost the server less than many small ones.
const SHARE: usize = 16;

/// But no change waits longer for others than this.
const HOLD: Duration = Duration::from_millis(1);

/// What happens to a worker.
pub(crate) enum Event {
    Submit(Vec<Change>, ReplyTo<Answered<Vec<Outcome>>>),
    Ask(Ask),
    /// A statement has its answers.
    Carried(Lane, Arc<Batch>, Vec<Answer>),
    /// An ask has its answer.
    Asked(Lane),
    /// Changes were held back for long enough.
    Overdue,
    /// No call comes any more.
    Close,
}

/// Gives what waits to connections that are free.
pub(crate) struct Worker {
    events: UnboundedReceiver<Event>,
    target: Arc<Target>,
    /// For what it starts.
    sender: UnboundedSender<Event>,
    queue: Queue,
    asks: VecDeque<Ask>,
    /// Asks that have to see what was sent before them, and the changes that they wait for.
    behind: Vec<(HashSet<u64>, Ask)>,
    free: Vec<Lane>,
    lanes: usize,
    /// Statements of changes that are under way.
    batches: usize,
    hold: Hold,
    /// Whether an ask went last: neither kind of call holds up the other.
    asked: bool,
    closing: bool,
}

impl Worker {
    pub(crate) fn new(
        target: &Arc<Target>,
        first: Lane,
        lanes: usize,
        channel: (UnboundedSender<Event>, UnboundedReceiver<Event>),
    ) -> Self {
        let mut free: Vec<Lane> = (1..lanes).map(|_| Lane::new(Arc::clone(target))).collect();
        // The last one is used first: the others connect when there is work for them.
        free.push(first);
        let (sender, events) = channel;
        Self {
            events,
            target: Arc::clone(target),
            sender,
            queue: Queue::default(),
            asks: VecDeque::new(),
            behind: Vec::new(),
            lanes: free.len(),
            free,
            batches: 0,
            hold: Hold::Not,
            asked: false,
            closing: false,
        }
    }

    /// Works until it is closed, and what was sent is carried out.
    pub(crate) async fn run(mut self) {
        while let Some(event) = self.events.recv().await {
            self.take_in(event);
            // What came meanwhile goes out together.
            while let Ok(event) = self.events.try_recv() {
                self.take_in(event);
            }
            self.give_out();
            if self.closing && self.free.len() == self.lanes && self.queue.is_empty() {
                break;
            }
        }
        self.events.close();
        while let Ok(event) = self.events.try_recv() {
            self.take_in(event);
        }
        for lane in self.free {
            lane.close().await;
        }
    }

    fn take_in(&mut self, event: Event) {
        match event {
            Event::Submit(_, reply) if self.closing => {
                let _caller_is_gone = reply.send(Err(Fault::closed().into()));
            }
            Event::Ask(ask) if self.closing => ask.refuse(Fault::closed()),
            Event::Submit(changes, reply) => self.queue.push(changes, reply),
            Event::Ask(ask) => self.take_ask(ask),
            Event::Carried(lane, batch, answers) => {
                let now = Instant::now();
                let since = now.checked_sub(self.target.statement_deadline);
                self.queue.finish(&batch, answers, since);
                self.batches -= 1;
                self.free.push(lane);
                self.release_asks();
            }
            Event::Overdue => self.hold = Hold::Over,
            Event::Asked(lane) => self.free.push(lane),
            Event::Close => self.closing = true,
        }
    }

    /// A caller sees what it changed before, even where it did not wait for the answer.
    fn take_ask(&mut self, ask: Ask) {
        let changes = match &ask {
            Ask::Look(keys, _) => self.queue.changes_of(keys),
            Ask::Page(..) | Ask::Leave(..) => self.queue.changes(),
            _ => HashSet::new(),
        };
        match ask {
            _ if !changes.is_empty() => self.behind.push((changes, ask)),
            // A sign of life waits for nothing.
            Ask::Beat(..) => self.asks.push_front(ask),
            _ => self.asks.push_back(ask),
        }
    }

    fn release_asks(&mut self) {
        for (mut changes, ask) in std::mem::take(&mut self.behind) {
            changes.retain(|change| self.queue.is_open(*change));
            match changes.is_empty() {
                true => self.asks.push_back(ask),
                false => self.behind.push((changes, ask)),
            }
        }
    }

    fn give_out(&mut self) {
        while let Some(lane) = self.free.pop() {
            let changes_may = self.asked || self.asks.is_empty();
            let batch = match changes_may && self.is_time() {
                true => self.queue.take(Instant::now()),
                false => None,
            };
            self.asked = batch.is_none();
            if let Some(batch) = batch {
                self.batches += 1;
                start_batch(lane, batch, self.next());
            } else if let Some(ask) = self.asks.pop_front() {
                start_ask(lane, ask, self.next());
            } else {
                self.free.push(lane);
                break;
            }
        }
    }

    fn next(&self) -> NextStep {
        NextStep {
            target: Arc::clone(&self.target),
            events: self.sender.clone(),
        }
    }

    /// Whether what is ready goes out now, or waits for more.
    fn is_time(&mut self) -> bool {
        let ready = self.queue.ready();
        if self.queue.may_try_lock() {
            return true;
        }
        if self.hold == Hold::Over || ready >= SHARE * self.batches {
            if self.hold == Hold::Over {
                self.hold = Hold::Not;
            }
            return true;
        }
        if ready > 0 && self.hold == Hold::Not {
            self.hold = Hold::Runs;
            let overdue = self.sender.clone();
            tokio::spawn(async move {
                tokio::time::sleep(HOLD).await;
                let _worker_is_gone = overdue.send(Event::Overdue);
            });
        }
        false
    }
}

/// Whether changes are held back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hold {
    Not,
    /// Until its time is over.
    Runs,
    Over,
}

/// Where a call goes on when it has ended.
struct NextStep {
    target: Arc<Target>,
    events: UnboundedSender<Event>,
}

impl NextStep {
    /// Another lane for one that a panic took along.
    fn lane(&self) -> Lane {
        Lane::new(Arc::clone(&self.target))
    }

    fn send(&self, event: Event) {
        let _worker_is_gone = self.events.send(event);
    }
}

fn start_ask(mut lane: Lane, ask: Ask, next: NextStep) {
    let carried = tokio::spawn(async move {
        ask.carry_out(&mut lane).await;
        lane
    });
    tokio::spawn(async move {
        let lane = carried.await.unwrap_or_else(|_| next.lane());
        next.send(Event::Asked(lane));
    });
}

fn start_batch(mut lane: Lane, batch: Batch, next: NextStep) {
    let batch = Arc::new(batch);
    let sent = Arc::clone(&batch);
    let carried = tokio::spawn(async move {
        let answers = submission::carry_out(&mut lane, &sent.changes).await;
        (lane, answers)
    });
    tokio::spawn(async move {
        let (lane, answers) = carried.await.unwrap_or_else(|_| {
            // No caller may wait for ever, whatever is wrong here.
            let open = Fault::unknown("a statement ended in a panic");
            (next.lane(), vec![Answer::Fault(open); batch.changes.len()])
        });
        next.send(Event::Carried(lane, batch, answers));
    });
}
