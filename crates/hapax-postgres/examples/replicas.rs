//! Replicas of one service that get the same deliveries: each is handled once, whichever replica is first.
//!
//! Start it several times at once, with the URL of a PostgreSQL server:
//!
//! ```sh
//! cargo run -p hapax-postgres --example replicas -- postgres://app@localhost/shop
//! ```

use hapax::{Claim, Policy};
use hapax_postgres::Options;

/// Deliveries that every replica gets.
const DELIVERIES: u32 = 200;

fn main() -> hapax::Result<()> {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: replicas postgres://USER@HOST/DATABASE");
        std::process::exit(2);
    };
    let options = Options::new().migrate(true).application_name("replicas");
    let store = hapax_postgres::connect(&url, &options)?;
    let orders = store.namespace("orders", Policy::at_most_once())?;
    let (mut handled, mut known, mut elsewhere) = (0, 0, 0);
    for number in 0..DELIVERIES {
        match orders.claim(format!("delivery-{number}"))? {
            Claim::Granted(lease) => {
                // The work goes here: it is begun once in all replicas together.
                lease.complete(format!("handled by process {}", std::process::id()))?;
                handled += 1;
            }
            Claim::Completed(_) => known += 1,
            Claim::InProgress(_) => elsewhere += 1,
            other => println!("delivery {number}: {other:?}"),
        }
    }
    println!("{handled} handled here, {known} known already, {elsewhere} under way elsewhere");
    store.close()
}
