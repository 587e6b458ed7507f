//! One run: latencies, the storm, settling the doubts that it left, asking once more for every payment, the check.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Failure;
use crate::args::{Args, ServerArgs};
use crate::book::Book;
use crate::check::{self, Verdict};
use crate::client::Client;
use crate::latency::{self, Latencies};
use crate::ledger;
use crate::process::{Launch, Process};
use crate::random::Random;
use crate::settle::{self, Settled};
use crate::storm::{Killer, Storm};

/// The longest pause of a handler of the storm before its effect, and again after it.
const PAUSE: Duration = Duration::from_millis(15);
/// The number of clients that ask once more at the end.
const ASKING_AGAIN: usize = 8;

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) latencies: Option<Latencies>,
    pub(crate) kills: u64,
    pub(crate) settled: Settled,
    /// Payments that were in doubt, and got an answer once the doubt was settled.
    pub(crate) answered_after_doubt: u64,
    pub(crate) verdict: Verdict,
    /// The requests and answers of the clients.
    pub(crate) book: Book,
}

/// Plays a whole run in a directory, and reports the progress to `say`.
pub(crate) fn play(
    args: &Args,
    launch: &Launch,
    dir: &Path,
    say: fn(&str),
) -> Result<Outcome, Failure> {
    let quiet = dir.join("latency");
    fs::create_dir_all(&quiet)?;
    if ledger::path(dir).exists() {
        return Err(format!(
            "{} has a ledger already: name a new directory",
            dir.display()
        )
        .into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let server = server_args(args, dir);
        let latencies = if args.unprotected {
            None
        } else {
            say("latencies ...");
            let server = ServerArgs {
                dir: quiet,
                pause: Duration::ZERO,
                syncs: false,
                ..server.clone()
            };
            Some(latency::measure(launch, &server, args.requests).await?)
        };
        storm(args, launch, &server, latencies, say).await
    })
}

fn server_args(args: &Args, dir: &Path) -> ServerArgs {
    ServerArgs {
        dir: dir.to_owned(),
        guarantee: args.guarantee,
        seed: args.seed,
        pause: PAUSE,
        syncs: true,
        unprotected: args.unprotected,
    }
}

async fn storm(
    args: &Args,
    launch: &Launch,
    server: &ServerArgs,
    latencies: Option<Latencies>,
    say: fn(&str),
) -> Result<Outcome, Failure> {
    let mut process = Process::start(launch, server)?;
    let (address, listens) = watch::channel(Some(process.listening().await?));
    let storm = Arc::new(Storm {
        seed: args.seed,
        client: Client::new(listens),
        book: Book::default(),
    });
    say("storm ...");
    let until = Instant::now() + args.storm;
    let mut clients = JoinSet::new();
    for number in 0..args.clients {
        clients.spawn(storm.clone().pay_until(number, until));
    }
    let mut killer = Killer {
        launch,
        server,
        address: &address,
        planned: args.kills,
        kills: 0,
    };
    let moments = Random::named(args.seed, "kills");
    let process = killer.run(process, args.storm, moments).await?;
    while let Some(client) = clients.join_next().await {
        client??;
    }
    storm.client.hang_up();
    process.stop().await?;

    say("settling ...");
    let settled = settle::settle(&server.dir, args.guarantee)?;
    let mut process = Process::start(launch, server)?;
    address.send_replace(Some(process.listening().await?));
    say("asking once more ...");
    let answered_after_doubt = ask_again(&storm).await?;
    storm.client.hang_up();
    process.stop().await?;

    let entries = ledger::entries(&server.dir)?;
    let book = Arc::into_inner(storm)
        .ok_or("a client is still there")?
        .book;
    Ok(Outcome {
        latencies,
        kills: killer.kills,
        settled,
        answered_after_doubt,
        verdict: check::check(&entries, &book, args.guarantee),
        book,
    })
}

/// Asks once more for every payment; returns how many of those in doubt got an answer now.
async fn ask_again(storm: &Arc<Storm>) -> Result<u64, Failure> {
    let pages = storm.book.all();
    let mut pages = pages.into_values();
    let (mut asking, mut answered) = (JoinSet::new(), 0);
    loop {
        while asking.len() < ASKING_AGAIN {
            let Some(page) = pages.next() else { break };
            let asked = storm.clone().ask_again(page.payment);
            asking.spawn(async move { (page.doubted, asked.await) });
        }
        match asking.join_next().await {
            Some(asked) => {
                let (doubted, made) = asked?;
                answered += u64::from(doubted && made);
            }
            None => return Ok(answered),
        }
    }
}
