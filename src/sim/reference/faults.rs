//! [`LinkFaults`]: what goes wrong between a process and its server, and how often.

use std::time::Duration;

use fastrand::Rng;

use crate::value::time::millis;

/// What goes wrong between a process and its server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum LinkFault {
    /// A call is refused before it is sent: `Unavailable`, and nothing is carried out.
    Refused,
    /// A request is lost on its way: nothing is carried out, and its sender cannot know that.
    LostRequest,
    /// A request is kept back.
    LateRequest,
    /// A request arrives once more, later: what it asks for is carried out twice.
    Twice,
    /// An answer is lost: what was asked for was carried out, and its sender cannot know that.
    LostAnswer,
    /// An answer is kept back.
    LateAnswer,
    /// The hint that a row has changed never comes.
    LostHint,
}

const FAULTS: usize = LinkFault::LostHint as usize + 1;

/// The rate of each [`LinkFault`], per ten thousand calls; and how long something is kept back.
///
/// # Examples
///
/// ```
/// use hapax::sim::{LinkFault, LinkFaults, Server};
///
/// // Every request and every answer waits until the driver lets it go on.
/// let steps = LinkFaults::none()
///     .rate(LinkFault::LateRequest, 10_000)
///     .rate(LinkFault::LateAnswer, 10_000)
///     .by_hand();
/// let client = Server::new().client();
/// client.set_faults(7, steps);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct LinkFaults {
    per_10_000: [u32; FAULTS],
    delay_ms: u64,
    notice_ms: u64,
    by_hand: bool,
}

impl LinkFaults {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self {
            per_10_000: [0; FAULTS],
            delay_ms: 100,
            notice_ms: 0,
            by_hand: false,
        }
    }

    /// Sets the rate of a fault, per ten thousand calls.
    pub fn rate(mut self, fault: LinkFault, per_10_000: u32) -> Self {
        self.per_10_000[fault as usize] = per_10_000;
        self
    }

    /// Keeps requests and answers back for at most this time, instead of 100 ms.
    pub fn delay(mut self, longest: Duration) -> Self {
        self.delay_ms = millis(longest);
        self
    }

    /// A loss is noticed after this time, instead of at once.
    pub fn notice_after(mut self, span: Duration) -> Self {
        self.notice_ms = millis(span);
        self
    }

    /// What is kept back, and the notice of a loss, waits for
    /// [`deliver_one`](crate::sim::ReferenceBackend::deliver_one), for however long that takes.
    pub fn by_hand(mut self) -> Self {
        self.by_hand = true;
        self
    }

    /// Whether it comes at this opportunity. A rate of zero draws nothing, so that it leaves the others as they are.
    pub(super) fn strikes(&self, fault: LinkFault, random: &mut Rng) -> bool {
        let rate = self.per_10_000[fault as usize];
        rate > 0 && random.u32(0..10_000) < rate
    }

    /// How long something is kept back; `None` until the driver delivers it.
    pub(super) fn draw_delay(&self, random: &mut Rng) -> Option<u64> {
        (!self.by_hand).then(|| random.u64(0..self.delay_ms.max(1)) + 1)
    }

    /// After how long a loss is noticed; `None` when the driver says so.
    pub(super) fn notice(&self) -> Option<u64> {
        (!self.by_hand).then_some(self.notice_ms)
    }
}

impl Default for LinkFaults {
    fn default() -> Self {
        Self::none()
    }
}
