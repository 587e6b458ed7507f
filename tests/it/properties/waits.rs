//! Waits: a claim waits for a key, and gives up before or after it is handed on.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hapax::{Claim, Pending, Result};

use super::steps::{Asking, Meanwhile};
use super::world::{SECOND, World, name};
use crate::model::{Asked, Expected, Id};

/// Longer than anything that happens meanwhile.
const PATIENCE: Duration = Duration::from_secs(3600 * 24 * 365);

fn poll(pending: &mut Pending<Result<Claim>>) -> Poll<Result<Claim>> {
    Pin::new(pending).poll(&mut Context::from_waker(Waker::noop()))
}

impl World {
    pub(super) fn wait(&mut self, id: Id, asked: &Asking, meanwhile: Meanwhile, cancelled: bool) {
        let asked = asked.under(&self.model.rules[id.0]);
        let options = self.options(id, &asked).wait(PATIENCE);
        let mut pending = self.spaces[id.0].claim_async(name(id.1), options);
        match poll(&mut pending) {
            Poll::Ready(answer) => return self.check_claim(id, &asked, answer.unwrap()),
            Poll::Pending => {
                let busy = self.model.claim(id, &asked);
                assert!(
                    matches!(busy, Expected::InProgress { .. }),
                    "{id:?} waits for {busy:?}"
                );
            }
        }
        self.happen(id, meanwhile);
        if self.is_held(id) {
            // The wait ends without a grant: the claim gives up, and leaves no trace.
            assert!(poll(&mut pending).is_pending(), "{id:?} is held");
            return;
        }
        if cancelled {
            drop(pending);
            return self.given_up(id, &asked);
        }
        let Poll::Ready(answer) = poll(&mut pending) else {
            panic!("{id:?}: the wait is over")
        };
        let granted = matches!(answer, Ok(Claim::Granted(_)));
        self.met.handed_on += u64::from(granted);
        self.check_claim(id, &asked, answer.unwrap());
    }

    fn is_held(&self, id: Id) -> bool {
        let run = self.model.run(id);
        run.is_some_and(|run| !self.model.lapsed(run))
    }

    /// Does something to the holder of a key.
    fn happen(&mut self, id: Id, meanwhile: Meanwhile) {
        let run = self.model.run(id).expect("the key is held").clone();
        match meanwhile {
            Meanwhile::Nothing => {}
            Meanwhile::Lapse => {
                let left_ms = run.end_ms() - self.model.now_ms;
                // A lease kept alive for years would move the clock past the whole history.
                if left_ms < 1000 * SECOND {
                    self.advance(left_ms);
                }
            }
            Meanwhile::Act(doing) => {
                let ours = |(of, lease): &(Id, hapax::Lease)| {
                    *of == id && lease.token().as_i64() == run.token
                };
                if let Some(at) = self.leases.iter().position(ours) {
                    let (id, lease) = self.leases.swap_remove(at);
                    self.act_with(id, lease, &doing, true);
                }
            }
        }
    }

    /// The claim that waited has given up: a grant on its way is taken back.
    fn given_up(&mut self, id: Id, asked: &Asked) {
        let before = self.model.keys[&id].clone();
        if !self.model.would_grant(id, asked) {
            return;
        }
        let granted = self.model.claim(id, asked);
        assert!(matches!(granted, Expected::Granted { .. }));
        self.model.granted(id, 0);
        self.model.withdraw(id, before);
        self.met.withdrawn += 1;
        // A power cut before this would leave a record whose token no caller ever saw.
        self.store.sync().unwrap();
        self.model.acknowledge();
    }
}
