//! [`Link`]: the way of calls from a process to its server, and of answers back.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

use fastrand::Rng;

use crate::backend::{Reply, refused, unavailable, unknown};
use crate::runtime::sync::{Mailbox, Mutex, wake};
use crate::sim::reference::faults::{LinkFault, LinkFaults};
use crate::sim::reference::server::Server;
use crate::value::error::{Error, ErrorKind, Result};

/// The way of calls from a process to its server, and of answers back.
#[derive(Debug)]
pub(super) struct Link {
    server: Server,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    faults: LinkFaults,
    random: Rng,
    is_cut: bool,
    end: Option<LinkEnd>,
    /// What is kept back, in the order of the calls.
    parcels: BTreeMap<u64, Parcel>,
    sent: u64,
}

/// How a process has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LinkEnd {
    Closed,
    Crashed,
}

/// How far a call has come that is kept back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Leg {
    /// The request is on its way: nothing was carried out yet.
    Request,
    /// A second copy of the request is on its way. The first one was carried out.
    Copy,
    /// The answer is on its way: the call was carried out.
    Answer,
    /// Something was lost, which the process has not noticed yet.
    Loss,
}

/// A call that is kept back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct InFlight {
    /// The method of the backend.
    pub call: &'static str,
    /// How far it has come.
    pub leg: Leg,
}

struct Parcel {
    kind: CallKind,
    leg: Leg,
    load: Box<dyn Load>,
}

/// What is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallKind {
    pub(super) name: &'static str,
    /// Whether carrying it out leaves anything changed. If not, every failure is a call that did nothing.
    pub(super) changes: bool,
}

/// What becomes of a request.
enum Fate {
    Arrives,
    Refused(Error),
    /// Kept back on this leg; `None` until the driver delivers it.
    Waits(Leg, Option<u64>),
}

/// A call with its answer, whatever that is.
trait Load: Send {
    fn carry_out(&mut self, server: &Server);

    /// The answer is this error instead.
    fn fail(&mut self, error: Error);

    /// Gives the answer to the process.
    fn hand_over(self: Box<Self>);

    /// The same call, whose answer is of no use.
    fn copy(&self) -> Box<dyn Load>;
}

type Act<T> = Arc<dyn Fn(&Server) -> Result<T> + Send + Sync>;

struct Call<T> {
    act: Act<T>,
    answer: Option<Result<T>>,
    mailbox: Arc<Mailbox<Result<T>>>,
}

/// Waits for an answer.
struct Receipt<T>(Arc<Mailbox<Result<T>>>);

/// Delivers what is kept back until a moment of the clock.
struct Arrival {
    link: Weak<Link>,
    number: u64,
}

impl Link {
    pub(super) fn new(server: &Server, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            server: server.clone(),
            state: Mutex::new(State {
                faults: LinkFaults::none(),
                random: Rng::with_seed(seed),
                is_cut: false,
                end: None,
                parcels: BTreeMap::new(),
                sent: 0,
            }),
        })
    }

    pub(super) fn set_faults(&self, seed: u64, faults: LinkFaults) {
        let mut state = self.state.lock();
        state.random = Rng::with_seed(seed);
        state.faults = faults;
    }

    pub(super) fn set_cut(&self, is_cut: bool) {
        self.state.lock().is_cut = is_cut;
    }

    pub(super) fn is_ended(&self) -> bool {
        self.state.lock().end.is_some()
    }

    /// Whether a hint comes.
    pub(super) fn hints(&self) -> bool {
        let mut state = self.state.lock();
        state.end.is_none() && !state.is_cut && !state.strikes(LinkFault::LostHint)
    }

    /// Sends a call. With nothing going wrong it is carried out, and answered, on return.
    pub(super) fn send<T: Send + 'static>(
        self: &Arc<Self>,
        kind: CallKind,
        act: impl Fn(&Server) -> Result<T> + Send + Sync + 'static,
    ) -> Reply<T> {
        let (number, fate) = self.state.lock().admit(kind);
        let mailbox = Arc::new(Mailbox::new());
        let mut load = Box::new(Call {
            act: Arc::new(act),
            answer: None,
            mailbox: Arc::clone(&mailbox),
        });
        match fate {
            Fate::Arrives => self.arrive(number, kind, load),
            Fate::Refused(error) => {
                load.fail(error);
                load.hand_over();
            }
            Fate::Waits(leg, delay_ms) => {
                self.keep_back(number, Parcel { kind, leg, load }, delay_ms);
            }
        }
        Box::pin(Receipt(mailbox))
    }

    /// The request has come to the server.
    fn arrive(self: &Arc<Self>, number: u64, kind: CallKind, mut load: Box<dyn Load>) {
        load.carry_out(&self.server);
        let mut copy = None;
        let kept = {
            let mut state = self.state.lock();
            if state.strikes(LinkFault::Twice) {
                state.sent += 1;
                copy = Some((state.sent, state.draw_delay()));
            }
            if state.strikes(LinkFault::LostAnswer) {
                Some((Leg::Loss, state.faults.notice()))
            } else if state.strikes(LinkFault::LateAnswer) {
                Some((Leg::Answer, state.draw_delay()))
            } else {
                None
            }
        };
        if let Some((number, delay_ms)) = copy {
            let parcel = Parcel {
                kind,
                leg: Leg::Copy,
                load: load.copy(),
            };
            self.keep_back(number, parcel, delay_ms);
        }
        match kept {
            Some((leg, delay_ms)) => self.keep_back(number, Parcel { kind, leg, load }, delay_ms),
            None => load.hand_over(),
        }
    }

    fn keep_back(self: &Arc<Self>, number: u64, parcel: Parcel, delay_ms: Option<u64>) {
        self.state.lock().parcels.insert(number, parcel);
        match delay_ms {
            None => {}
            Some(0) => {
                self.deliver(number);
            }
            Some(delay_ms) => {
                let arrival = Arrival {
                    link: Arc::downgrade(self),
                    number,
                };
                let due_ms = self.server.clock().mono_ms().saturating_add(delay_ms);
                let timers = self.server.timers();
                timers.wake_at(due_ms, Waker::from(Arc::new(arrival)));
            }
        }
    }

    /// Lets go on what is kept back under this number; `false` if nothing is.
    fn deliver(self: &Arc<Self>, number: u64) -> bool {
        let (parcel, is_cut) = {
            let mut state = self.state.lock();
            (state.parcels.remove(&number), state.is_cut)
        };
        let Some(parcel) = parcel else {
            return false;
        };
        let Parcel {
            kind,
            leg,
            mut load,
        } = parcel;
        match leg {
            Leg::Copy if is_cut => {}
            Leg::Copy => load.carry_out(&self.server),
            Leg::Request if !is_cut => self.arrive(number, kind, load),
            Leg::Answer if !is_cut => load.hand_over(),
            Leg::Request | Leg::Answer | Leg::Loss => {
                load.fail(kind.lost());
                load.hand_over();
            }
        }
        true
    }

    pub(super) fn in_flight(&self) -> Vec<InFlight> {
        let state = self.state.lock();
        let shown = state.parcels.values().map(|parcel| InFlight {
            call: parcel.kind.name,
            leg: parcel.leg,
        });
        shown.collect()
    }

    /// Delivers the one at this place among those in flight.
    pub(super) fn deliver_at(self: &Arc<Self>, index: usize) -> bool {
        let number = self.state.lock().parcels.keys().nth(index).copied();
        number.is_some_and(|number| self.deliver(number))
    }

    /// Delivers what is in flight now, each call to its end.
    pub(super) fn deliver_all(self: &Arc<Self>) {
        let numbers: Vec<u64> = self.state.lock().parcels.keys().copied().collect();
        for number in numbers {
            while self.deliver(number) {}
        }
    }

    /// No call is sent any more. `false` if the process had ended before.
    pub(super) fn end(&self, end: LinkEnd) -> bool {
        let mut state = self.state.lock();
        let is_first = state.end.is_none();
        state.end.get_or_insert(end);
        is_first
    }

    /// Ends every wait for an answer. Requests that are on their way may still arrive.
    pub(super) fn give_up(&self) {
        let mut waiting = Vec::new();
        {
            let mut state = self.state.lock();
            for (number, parcel) in std::mem::take(&mut state.parcels) {
                let Parcel { kind, leg, load } = parcel;
                if matches!(leg, Leg::Request | Leg::Copy) {
                    let load = load.copy();
                    state.parcels.insert(number, Parcel { kind, leg, load });
                }
                waiting.push((kind, load));
            }
        }
        for (kind, mut load) in waiting {
            load.fail(kind.lost());
            load.hand_over();
        }
    }
}

impl State {
    /// Gives a call its number and its fate.
    fn admit(&mut self, kind: CallKind) -> (u64, Fate) {
        self.sent += 1;
        (self.sent, self.fate(kind))
    }

    fn fate(&mut self, kind: CallKind) -> Fate {
        match self.end {
            Some(LinkEnd::Closed) => {
                let error = refused(ErrorKind::Closed, "the backend was closed");
                return Fate::Refused(error);
            }
            Some(LinkEnd::Crashed) => {
                return Fate::Refused(unavailable("the process has crashed"));
            }
            None => {}
        }
        if self.is_cut {
            // A request that is refused looks different from one that is swallowed.
            let is_swallowed = self.random.bool();
            return Fate::Refused(if is_swallowed {
                kind.lost()
            } else {
                unavailable("the server cannot be reached")
            });
        }
        if self.strikes(LinkFault::Refused) {
            return Fate::Refused(unavailable("the server refuses the call"));
        }
        if self.strikes(LinkFault::LostRequest) {
            return Fate::Waits(Leg::Loss, self.faults.notice());
        }
        if self.strikes(LinkFault::LateRequest) {
            return Fate::Waits(Leg::Request, self.draw_delay());
        }
        Fate::Arrives
    }

    fn strikes(&mut self, fault: LinkFault) -> bool {
        self.faults.strikes(fault, &mut self.random)
    }

    fn draw_delay(&mut self) -> Option<u64> {
        self.faults.draw_delay(&mut self.random)
    }
}

impl CallKind {
    /// The error of a call of which the process does not learn what became.
    fn lost(self) -> Error {
        let name = self.name;
        if self.changes {
            unknown(format!("no answer came to `{name}`"))
        } else {
            unavailable(format!("no answer came to `{name}`, which changes nothing"))
        }
    }
}

impl<T: Send + 'static> Load for Call<T> {
    fn carry_out(&mut self, server: &Server) {
        self.answer = Some((self.act)(server));
    }

    fn fail(&mut self, error: Error) {
        self.answer = Some(Err(error));
    }

    fn hand_over(self: Box<Self>) {
        let Some(answer) = self.answer else {
            return;
        };
        // An answer that comes back has no receiver any more.
        if let Ok(Some(waker)) = self.mailbox.deliver(answer) {
            wake(waker);
        }
    }

    fn copy(&self) -> Box<dyn Load> {
        Box::new(Self {
            act: Arc::clone(&self.act),
            answer: None,
            mailbox: Arc::new(Mailbox::new()),
        })
    }
}

impl<T> Future for Receipt<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        self.0.poll(context)
    }
}

impl<T> Drop for Receipt<T> {
    fn drop(&mut self) {
        drop(self.0.shut());
    }
}

impl Wake for Arrival {
    fn wake(self: Arc<Self>) {
        if let Some(link) = self.link.upgrade() {
            link.deliver(self.number);
        }
    }
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parcel")
            .field("kind", &self.kind)
            .field("leg", &self.leg)
            .finish_non_exhaustive()
    }
}
