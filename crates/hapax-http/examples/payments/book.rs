//! The requests and answers of the clients, with a page for each payment.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::client::Answer;
use crate::payment::Payment;

/// The result of a request, as its client sees it.
#[derive(Debug)]
pub(crate) enum Heard {
    Answer(Answer),
    /// The client stopped waiting.
    TimedOut,
    /// The client left in the middle of the request.
    Disconnected,
    /// The server refused or cut the connection: it was killed, or does not run.
    Lost,
}

/// The number of requests for each result.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Tally {
    pub(crate) requested: u64,
    pub(crate) executed: u64,
    pub(crate) replayed: u64,
    pub(crate) in_progress: u64,
    pub(crate) mismatched: u64,
    pub(crate) in_doubt: u64,
    pub(crate) unavailable: u64,
    pub(crate) refused_otherwise: u64,
    pub(crate) timeouts: u64,
    pub(crate) disconnects: u64,
    pub(crate) lost: u64,
}

impl Tally {
    pub(crate) fn refused(&self) -> u64 {
        self.in_progress
            + self.mismatched
            + self.in_doubt
            + self.unavailable
            + self.refused_otherwise
    }

    /// Whether every request has exactly one result.
    pub(crate) fn adds_up(&self) -> bool {
        let answered = self.executed + self.replayed + self.refused();
        self.requested == answered + self.timeouts + self.disconnects + self.lost
    }
}

/// What is known about a payment.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) payment: Payment,
    /// The first answer that confirmed the payment.
    pub(crate) told: Option<Answer>,
    /// Whether a client was told that it is in doubt.
    pub(crate) doubted: bool,
    /// Answers that were not marked as replays.
    executed: u64,
}

#[derive(Default, Debug)]
struct Pages {
    tally: Tally,
    pages: BTreeMap<String, Page>,
    faults: Vec<String>,
}

/// Everything that the clients saw.
#[derive(Default, Debug)]
pub(crate) struct Book(Mutex<Pages>);

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the page of a payment, before the first request.
    pub(crate) fn open(&self, payment: &Payment) {
        let page = Page {
            payment: payment.clone(),
            told: None,
            doubted: false,
            executed: 0,
        };
        self.pages().pages.insert(payment.key.clone(), page);
    }

    /// Notes that a request was sent.
    pub(crate) fn sent(&self) {
        self.pages().tally.requested += 1;
    }

    /// Notes the result of a request.
    pub(crate) fn hear(&self, asked: &Payment, heard: &Heard) {
        let mut pages = self.pages();
        let Pages {
            tally,
            pages,
            faults,
        } = &mut *pages;
        let Some(page) = pages.get_mut(&asked.key) else {
            return faults.push(format!("{}: it has no page", asked.key));
        };
        let count = match heard {
            Heard::TimedOut => &mut tally.timeouts,
            Heard::Disconnected => &mut tally.disconnects,
            Heard::Lost => &mut tally.lost,
            Heard::Answer(answer) if answer.is_paid() => {
                faults.extend(page.paid(asked, answer));
                if answer.replayed {
                    &mut tally.replayed
                } else {
                    &mut tally.executed
                }
            }
            Heard::Answer(answer) => match (answer.status, answer.code().as_deref()) {
                (409, Some("in-progress")) if answer.retry_after.is_some() => {
                    &mut tally.in_progress
                }
                (409, Some("in-doubt")) if answer.retry_after.is_some() => {
                    page.doubted = true;
                    &mut tally.in_doubt
                }
                (422, Some("mismatch")) if *asked != page.payment => &mut tally.mismatched,
                (503, Some("unavailable")) if answer.retry_after.is_some() => {
                    &mut tally.unavailable
                }
                (status, code) => {
                    faults.push(format!("{}: answered with {status}, {code:?}", asked.key));
                    &mut tally.refused_otherwise
                }
            },
        };
        *count += 1;
    }

    /// Notes something that must not happen.
    pub(crate) fn fault(&self, fault: String) {
        self.pages().faults.push(fault);
    }

    pub(crate) fn tally(&self) -> Tally {
        self.pages().tally
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.pages().faults.clone()
    }

    /// All pages, by key.
    pub(crate) fn all(&self) -> BTreeMap<String, Page> {
        self.pages().pages.clone()
    }
}

impl Page {
    /// Every client of a payment must get the same answer, and only one of them without the mark of a replay.
    fn paid(&mut self, asked: &Payment, answer: &Answer) -> Option<String> {
        let key = &asked.key;
        if *asked != self.payment {
            return Some(format!("{key}: a changed payment was made under its key"));
        }
        self.executed += u64::from(!answer.replayed);
        if self.executed > 1 && !answer.replayed {
            return Some(format!("{key}: two requests were told that they ran"));
        }
        match &self.told {
            None => self.told = Some(answer.clone()),
            Some(told) if told.says_the_same(answer) => {}
            Some(told) => {
                return Some(format!("{key}: one was told {told:?}, another {answer:?}"));
            }
        }
        None
    }
}
