//! The storm: many clients, which send each payment until they know its result and misbehave meanwhile, and a killer
//! of the server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::Failure;
use crate::args::ServerArgs;
use crate::book::{Book, Heard};
use crate::client::{Answer, Client};
use crate::payment::Payment;
use crate::process::{Launch, Process};
use crate::random::Random;

/// `Retry-After` comes in whole seconds; the clients of a storm wait no longer than this.
const RETRY_AFTER_MAX: Duration = Duration::from_millis(25);
/// The longest wait before a retry after the connection was refused or cut.
const RECONNECT_MAX: Duration = Duration::from_millis(25);
/// The longest that a patient client waits for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests after which a client gives up.
const TRIES_MAX: u32 = 2000;
/// The longest delay of a duplicate after the first request.
const SPREAD: Duration = Duration::from_millis(30);
/// The longest time between a kill and the restart.
const DOWN_MAX: Duration = Duration::from_millis(50);
/// The longest time between a restart and a second kill.
const START_MAX: Duration = Duration::from_millis(30);

/// The state that all clients share.
pub(crate) struct Storm {
    pub(crate) seed: u64,
    pub(crate) client: Client,
    pub(crate) book: Book,
}

/// The behaviour of one request for a payment.
#[derive(Clone, Copy, Debug)]
struct Manner {
    /// The delay before it is sent.
    delay: Duration,
    /// The part, in thousandths, that is sent before the client leaves, the first time.
    cut_per_mille: Option<u64>,
    /// How long the client waits for the answer, the next time.
    impatience: Option<Duration>,
}

impl Manner {
    fn drawn(random: &mut Random) -> Self {
        let cut = random.percent(15).then(|| random.below(1000));
        let impatience = random.percent(30).then(|| random.up_to(SPREAD));
        Self {
            delay: random.up_to(SPREAD),
            cut_per_mille: cut,
            impatience,
        }
    }

    const PLAIN: Self = Self {
        delay: Duration::ZERO,
        cut_per_mille: None,
        impatience: None,
    };
}

impl Storm {
    /// A client: it makes one payment after the other until the storm is over.
    pub(crate) async fn pay_until(
        self: Arc<Self>,
        number: u64,
        until: Instant,
    ) -> Result<(), Failure> {
        let mut payments = 0;
        while Instant::now() < until {
            let name = format!("client {number}, payment {payments}");
            self.clone()
                .payment(Random::named(self.seed, &name))
                .await?;
            payments += 1;
        }
        Ok(())
    }

    /// One payment: a request and its duplicates; after it was made, a late retry or a changed body.
    async fn payment(self: Arc<Self>, mut random: Random) -> Result<(), Failure> {
        let payment = Payment::drawn(&mut random);
        self.book.open(&payment);
        let mut requests = JoinSet::new();
        for number in 0..=random.below(4) {
            let mut manner = Manner::drawn(&mut random);
            if number == 0 {
                manner.delay = Duration::ZERO;
            }
            let random = Random::named(self.seed, &format!("{} {number}", payment.key));
            requests.spawn(self.clone().ask(payment.clone(), manner, random));
        }
        let mut made = false;
        while let Some(request) = requests.join_next().await {
            made |= request?;
        }
        if made && random.percent(30) {
            // The store detects the change by the used key, so the change must come last.
            let changed = payment.changed();
            self.clone().ask(changed, Manner::PLAIN, random).await;
        } else if made {
            self.clone().ask(payment, Manner::PLAIN, random).await;
        }
        Ok(())
    }

    /// Asks until the result is known; whether the payment was made.
    pub(crate) async fn ask_again(self: Arc<Self>, payment: Payment) -> bool {
        let random = Random::named(self.seed, &format!("{} again", payment.key));
        self.ask(payment, Manner::PLAIN, random).await
    }

    async fn ask(self: Arc<Self>, payment: Payment, manner: Manner, mut random: Random) -> bool {
        sleep(manner.delay).await;
        if let Some(per_mille) = manner.cut_per_mille {
            self.book.sent();
            let heard = match self.client.cut(&payment, per_mille).await {
                Ok(()) => Heard::Disconnected,
                Err(_) => Heard::Lost,
            };
            self.book.hear(&payment, &heard);
        }
        let mut patience = manner.impatience.unwrap_or(PATIENCE);
        for _ in 0..TRIES_MAX {
            let heard = self.send(&payment, patience).await;
            self.book.hear(&payment, &heard);
            patience = PATIENCE;
            match heard {
                Heard::Answer(answer) if answer.is_paid() => return true,
                Heard::Answer(answer) => match wait_of(&answer) {
                    Some(wait) => sleep(wait).await,
                    None => return false,
                },
                _ => sleep(random.up_to(RECONNECT_MAX)).await,
            }
        }
        self.book.fault(format!("{}: given up", payment.key));
        false
    }

    async fn send(&self, payment: &Payment, patience: Duration) -> Heard {
        self.book.sent();
        match timeout(patience, self.client.pay("/payments", payment)).await {
            Ok(Ok(answer)) => Heard::Answer(answer),
            Ok(Err(_)) => Heard::Lost,
            Err(_) => Heard::TimedOut,
        }
    }
}

/// How long a refused client waits before it asks again; `None` if asking again is useless now.
fn wait_of(answer: &Answer) -> Option<Duration> {
    let is_doubt = answer.code().as_deref() == Some("in-doubt");
    let is_busy = matches!(answer.status, 409 | 503) && !is_doubt;
    let told = answer.retry_after.unwrap_or(RETRY_AFTER_MAX);
    is_busy.then_some(told.min(RETRY_AFTER_MAX))
}

/// Kills the server at random moments and starts it again.
pub(crate) struct Killer<'a> {
    pub(crate) launch: &'a Launch,
    pub(crate) server: &'a ServerArgs,
    pub(crate) address: &'a watch::Sender<Option<SocketAddr>>,
    pub(crate) planned: u64,
    /// The number of kills so far.
    pub(crate) kills: u64,
}

impl Killer<'_> {
    /// Returns the server that runs at the end.
    pub(crate) async fn run(
        &mut self,
        mut process: Process,
        length: Duration,
        mut random: Random,
    ) -> Result<Process, Failure> {
        let begun = Instant::now();
        let mut moments: Vec<Duration> = (0..self.planned).map(|_| random.up_to(length)).collect();
        moments.sort_unstable();
        for moment in moments {
            sleep_until(begun + moment).await;
            process.kill().await?;
            self.kills += 1;
            self.address.send_replace(None);
            sleep(random.up_to(DOWN_MAX)).await;
            process = Process::start(self.launch, self.server)?;
            if random.percent(20) {
                // Recovery can be killed too.
                sleep(random.up_to(START_MAX)).await;
                process.kill().await?;
                self.kills += 1;
                process = Process::start(self.launch, self.server)?;
            }
            self.address.send_replace(Some(process.listening().await?));
        }
        Ok(process)
    }
}
