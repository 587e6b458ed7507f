//! Waiters: claims that are polled by hand.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hapax::{Claim, FencingToken, Pending, Result};

use crate::model::{Model, Place};

const WAITERS_MAX: usize = 16;

struct Waiter {
    place: Place,
    deadline: Duration,
    pending: Pending<Result<Claim>>,
}

/// Claims that have not been answered, oldest first.
#[derive(Default)]
pub struct Line(Vec<Waiter>);

impl Line {
    /// The claim is made when it is first polled.
    pub fn push(&mut self, place: Place, deadline: Duration, pending: Pending<Result<Claim>>) {
        if self.0.len() < WAITERS_MAX {
            self.0.push(Waiter {
                place,
                deadline,
                pending,
            });
        }
    }

    /// Drops the oldest, unheard. What they were granted is taken back, and goes to the next.
    pub fn cancel(&mut self, waiters: usize) {
        self.0.drain(..waiters.min(self.0.len()));
    }

    /// Polls all of them, and gives what was answered, grants in the order of their tokens.
    pub fn poll(&mut self, model: &Model) -> Vec<(Place, Result<Claim>)> {
        let mut context = Context::from_waker(Waker::noop());
        let mut answered = Vec::new();
        let mut waiting = Vec::new();
        for mut waiter in std::mem::take(&mut self.0) {
            match Pin::new(&mut waiter.pending).poll(&mut context) {
                Poll::Ready(answer) => answered.push((waiter.place, answer)),
                Poll::Pending => {
                    assert!(model.now < waiter.deadline, "it waits past its deadline");
                    waiting.push(waiter);
                }
            }
        }
        answered.sort_by_key(|(_, answer)| token(answer));
        for waiter in &waiting {
            let granted = |(place, answer): &(Place, Result<Claim>)| {
                *place == waiter.place && token(answer).is_some()
            };
            let is_held = model.holder(waiter.place).is_some() || answered.iter().any(granted);
            assert!(is_held, "it waits for a key without a holder");
        }
        self.0 = waiting;
        answered
    }
}

fn token(answer: &Result<Claim>) -> Option<FencingToken> {
    match answer {
        Ok(Claim::Granted(lease)) => Some(lease.token()),
        _ => None,
    }
}
