//! [`Leases`]: the ends of leases, in queues of one length each.
//!
//! Leases of one length end in the order of their grants, so the end of a new one goes to the back of a
//! queue, and nothing is done where a lease ends early: an entry whose key has gone, or has another
//! deadline by now, is dead, and is dropped when it is met.

use std::collections::VecDeque;

use crate::state::slab::SlabRef;

/// When a lease ends, unless it is settled, renewed or handed on before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LeaseEnd {
    pub(super) deadline_ms: u64,
    pub(super) at: SlabRef,
}

/// The ends of leases, in queues of one length each.
#[derive(Debug, Default)]
pub(super) struct Leases {
    queues: Vec<Queue>,
}

#[derive(Debug)]
struct Queue {
    lease_ms: u64,
    /// Invariant: ascending in their deadlines.
    ends: VecDeque<LeaseEnd>,
}

/// Lengths that have a queue. A namespace mostly has one.
const QUEUES_MAX: usize = 4;

/// A queue has room for so many ends at least.
const ENDS_MIN: usize = 32;

/// A queue that has grown beyond this gives its memory back once no key is running.
const ENDS_KEPT: usize = 1024;

impl Leases {
    /// Takes the end of a lease of this length; false where it needs a timer of its own.
    #[inline]
    pub(super) fn push(
        &mut self,
        lease_ms: u64,
        end: LeaseEnd,
        is_live: impl Fn(&LeaseEnd) -> bool,
    ) -> bool {
        let queue = match self.queues.iter_mut().find(|of| of.lease_ms == lease_ms) {
            Some(queue) => queue,
            None => match self.begin(lease_ms) {
                Some(queue) => queue,
                None => return false,
            },
        };
        if queue
            .ends
            .back()
            .is_some_and(|last| last.deadline_ms > end.deadline_ms)
        {
            return false;
        }
        if queue.ends.len() == queue.ends.capacity() {
            queue.make_room(is_live);
        }
        queue.ends.push_back(end);
        true
    }

    #[cold]
    fn begin(&mut self, lease_ms: u64) -> Option<&mut Queue> {
        if self.queues.len() == QUEUES_MAX {
            let unused = self.queues.iter().position(|queue| queue.ends.is_empty())?;
            self.queues.swap_remove(unused);
        }
        self.queues.push(Queue {
            lease_ms,
            ends: VecDeque::new(),
        });
        self.queues.last_mut()
    }

    /// Gives the live leases that have ended to `take`.
    pub(super) fn take_due(
        &mut self,
        now_ms: u64,
        is_live: impl Fn(&LeaseEnd) -> bool,
        mut take: impl FnMut(LeaseEnd),
    ) {
        for queue in &mut self.queues {
            while let Some(end) = queue.ends.front().copied() {
                if end.deadline_ms > now_ms {
                    break;
                }
                queue.ends.pop_front();
                if is_live(&end) {
                    take(end);
                }
            }
        }
    }

    /// When the first live lease ends.
    pub(super) fn next_ms(&mut self, is_live: impl Fn(&LeaseEnd) -> bool) -> Option<u64> {
        let first = |queue: &mut Queue| {
            while queue.ends.front().is_some_and(|end| !is_live(end)) {
                queue.ends.pop_front();
            }
            queue.ends.front().map(|end| end.deadline_ms)
        };
        self.queues.iter_mut().filter_map(first).min()
    }

    /// Every lease has been settled.
    #[inline]
    pub(super) fn clear(&mut self) {
        for queue in &mut self.queues {
            queue.ends.clear();
            if queue.ends.capacity() > ENDS_KEPT {
                queue.ends = VecDeque::new();
            }
        }
    }

    /// Whether the end of a lease is queued; for tests.
    pub(super) fn contains(&self, end: LeaseEnd) -> bool {
        self.queues.iter().any(|queue| {
            let from = queue
                .ends
                .partition_point(|it| it.deadline_ms < end.deadline_ms);
            let same = queue.ends.iter().skip(from);
            same.take_while(|it| it.deadline_ms == end.deadline_ms)
                .any(|it| *it == end)
        })
    }

    /// Checks the order of each queue.
    pub(super) fn validate(&self) {
        for queue in &self.queues {
            let is_sorted = queue.ends.iter().is_sorted_by_key(|end| end.deadline_ms);
            assert!(is_sorted, "leases of one length end in the order of grants");
        }
    }
}

impl Queue {
    /// Drops what is dead, and grows only if more than half is live: so a queue is at most four times as
    /// long as its live ends.
    #[cold]
    fn make_room(&mut self, is_live: impl Fn(&LeaseEnd) -> bool) {
        self.ends.retain(is_live);
        let live = self.ends.len();
        if live * 2 >= self.ends.capacity() {
            self.ends.reserve((live * 2).max(ENDS_MIN));
        } else {
            self.ends.shrink_to((live * 4).max(ENDS_MIN));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ENDS_KEPT, ENDS_MIN, LeaseEnd, Leases, QUEUES_MAX};
    use crate::state::slab::SlabRef;

    fn end(deadline_ms: u64) -> LeaseEnd {
        let index = u32::try_from(deadline_ms).unwrap();
        LeaseEnd {
            deadline_ms,
            at: SlabRef {
                index,
                generation: 1,
            },
        }
    }

    fn push(leases: &mut Leases, lease_ms: u64, deadline_ms: u64) -> bool {
        leases.push(lease_ms, end(deadline_ms), |_| true)
    }

    fn taken(leases: &mut Leases, now_ms: u64, dead: u64) -> Vec<u64> {
        let mut taken = Vec::new();
        let is_live = |end: &LeaseEnd| end.deadline_ms != dead;
        leases.take_due(now_ms, is_live, |end| taken.push(end.deadline_ms));
        taken
    }

    #[test]
    fn leases_end_at_their_time_and_dead_ones_not_at_all() {
        let mut leases = Leases::default();
        for deadline_ms in [10, 20, 20, 30] {
            assert!(push(&mut leases, 5, deadline_ms));
        }
        assert!(push(&mut leases, 7, 15));
        leases.validate();
        assert_eq!(leases.next_ms(|_| true), Some(10));
        assert_eq!(taken(&mut leases, 9, 0), [0; 0]);
        assert_eq!(taken(&mut leases, 20, 10), [20, 20, 15]);
        assert!(leases.contains(end(30)) && !leases.contains(end(20)));
        assert_eq!(leases.next_ms(|_| false), None, "what is dead comes never");
        assert!(!leases.contains(end(30)));
    }

    #[test]
    fn an_end_that_is_out_of_order_needs_a_timer() {
        let mut leases = Leases::default();
        assert!(push(&mut leases, 5, 10) && !push(&mut leases, 5, 9));
        assert_eq!(taken(&mut leases, 99, 0), [10]);
    }

    #[test]
    fn lengths_that_are_in_use_keep_their_queues() {
        let mut leases = Leases::default();
        let lengths = 1..=QUEUES_MAX as u64;
        assert!(lengths.clone().all(|lease| push(&mut leases, lease, 10)));
        assert!(!push(&mut leases, 99, 10));
        assert_eq!(taken(&mut leases, 10, 0).len(), QUEUES_MAX);
        assert!(push(&mut leases, 99, 10), "one that is empty is taken");
    }

    #[test]
    fn a_queue_grows_with_what_is_live_alone() {
        let mut leases = Leases::default();
        for deadline_ms in 0..10_000 {
            let is_live = |end: &LeaseEnd| end.deadline_ms + 10 > deadline_ms;
            assert!(leases.push(5, end(deadline_ms), is_live));
        }
        assert_eq!(leases.queues[0].ends.capacity(), ENDS_MIN);
        for deadline_ms in 10_000..20_000 {
            assert!(push(&mut leases, 5, deadline_ms));
        }
        assert!(leases.queues[0].ends.capacity() < 50_000);
        leases.clear();
        assert!(leases.queues[0].ends.capacity() <= ENDS_KEPT);
        assert_eq!(taken(&mut leases, 99_999, 0), [0; 0]);
    }
}
