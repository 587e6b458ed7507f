//! The latency that the layer adds: one client, one connection, one request at a time, on a server that is
//! not killed and a ledger that is not synced.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::Failure;
use crate::args::ServerArgs;
use crate::client::Client;
use crate::payment::Payment;
use crate::process::{Launch, Process};
use crate::random::Random;

/// Requests of each kind that are sent before the first measured one, in percent of the measured ones.
const WARM_UP_PERCENT: u64 = 20;

/// The durations of requests, sorted.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// The duration that this percentage of the requests did not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100);
        let time = self.0.get(rank.saturating_sub(1));
        time.copied().unwrap_or_default()
    }
}

/// The three kinds of requests, in turn.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    /// To the handler, without the layer.
    pub(crate) bare: Times,
    /// Through the layer, with a new key.
    pub(crate) first: Times,
    /// Through the layer, with the same key again.
    pub(crate) replay: Times,
    /// How much longer each first request took than the bare request before it.
    pub(crate) added: Times,
}

pub(crate) async fn measure(
    launch: &Launch,
    args: &ServerArgs,
    requests: u64,
) -> Result<Latencies, Failure> {
    let mut process = Process::start(launch, args)?;
    let (_address, server) = watch::channel(Some(process.listening().await?));
    let client = Client::new(server);
    let mut random = Random::named(args.seed, "latency");
    let warm_up = requests * WARM_UP_PERCENT / 100;
    let mut latencies = Latencies::default();
    for number in 0..warm_up + requests {
        let payment = Payment::drawn(&mut random);
        let bare = time(&client, "/bare/payments", &payment, false).await?;
        let first = time(&client, "/payments", &payment, false).await?;
        let replay = time(&client, "/payments", &payment, true).await?;
        if number >= warm_up {
            latencies.bare.0.push(bare);
            latencies.first.0.push(first);
            latencies.replay.0.push(replay);
            latencies.added.0.push(first.saturating_sub(bare));
        }
    }
    for times in [
        &mut latencies.bare,
        &mut latencies.first,
        &mut latencies.replay,
        &mut latencies.added,
    ] {
        times.0.sort_unstable();
    }
    // Its connection would keep the server up.
    drop(client);
    process.stop().await?;
    Ok(latencies)
}

async fn time(
    client: &Client,
    path: &str,
    payment: &Payment,
    replayed: bool,
) -> Result<Duration, Failure> {
    let begun = Instant::now();
    let answer = client.pay(path, payment).await?;
    let took = begun.elapsed();
    if answer.is_paid() && answer.replayed == replayed {
        Ok(took)
    } else {
        Err(format!("{path} answered with {answer:?}").into())
    }
}
