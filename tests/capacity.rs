//! The example `capacity`: it measures what it says, and the plot shows what was measured.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

#[path = "../examples/capacity/args.rs"]
mod args;
#[path = "../examples/capacity/figures.rs"]
mod figures;
#[path = "../examples/capacity/plot.rs"]
mod plot;
#[allow(dead_code, reason = "the example `soak` asks for more")]
#[path = "../examples/soak/process.rs"]
mod process;
#[allow(dead_code, reason = "a test starts no further processes")]
#[path = "../examples/capacity/series.rs"]
mod series;
#[path = "../examples/capacity/session.rs"]
mod session;

use std::cell::Cell;

use args::{Command, Fill};
use figures::Figures;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn parse(line: &str) -> Result<Command, Failure> {
    args::parse(lexopt::Parser::from_args(line.split_whitespace()))
}

fn fill(line: &str) -> Fill {
    match parse(line).unwrap() {
        Command::Fill(fill) => fill,
        other => panic!("one store, not {other:?}"),
    }
}

#[test]
fn arguments_are_checked() {
    let one = fill("--keys 5 --batch 1 --samples 7 --dir here");
    assert_eq!((one.keys, one.batch, one.samples), (5, 1, 7));
    assert!(matches!(parse("--help"), Ok(Command::Help)));
    for option in [
        "keys", "batch", "samples", "log", "dir", "plot", "from", "to",
    ] {
        assert!(args::USAGE.contains(&format!("--{option} ")), "{option}");
    }
    let Command::Plot(row) = parse("--plot a.svg --from 10 --to 1000 --batch 64").unwrap() else {
        panic!("a plot")
    };
    assert_eq!((row.from, row.to, row.fill.batch), (10, 1000, 64));
    for (line, says) in [
        ("--keys 0", "--keys is 0: give it 1 to"),
        ("--keys many", "many"),
        ("--batch 8193", "give it 1 to 8192"),
        ("--from 10", "are of a plot"),
        ("--plot a.svg --keys 10", "give the plot --from and --to"),
        ("--plot a.png", "a name in .svg"),
        ("--plot a.svg --from 10 --to 9", "a larger --to"),
        ("--log redb", "give it sled or files"),
        ("--fast", "try --help"),
    ] {
        let error = parse(line).unwrap_err().to_string();
        assert!(error.contains(says), "{line}: {error}");
    }
}

#[test]
fn ten_thousand_keys_are_filled_in_and_measured() {
    for (line, batches) in [
        ("--keys 10000 --samples 500", 3),
        ("--keys 5000 --samples 1 --batch 1 --log files", 2),
    ] {
        let (fill, dir) = (fill(line), tempfile::tempdir().unwrap());
        let (told, calls) = (Cell::new(0), Cell::new(0));
        let figures = session::run(&fill, dir.path(), &|keys| {
            assert!(keys > told.replace(keys), "it goes up");
            calls.set(calls.get() + 1);
        });
        let figures = figures.unwrap();
        assert_eq!((told.get(), calls.get()), (fill.keys, batches));
        assert_eq!(figures.keys.to_string(), fill.keys.to_string());
        assert!(figures.table_bytes_per_key >= 24.0, "{figures:?}");
        assert!(figures.disk_bytes_per_record > 64.0, "{figures:?}");
        for value in [
            figures.fill_seconds,
            figures.close_seconds,
            figures.reopen_seconds,
            figures.claim_rate_per_second,
            figures.replay_rate_per_second,
        ] {
            assert!(value > 0.0 && value.is_finite(), "{figures:?}");
        }
        assert!(
            !dir.path().join("store").exists(),
            "nothing is left on the disk"
        );
    }
}

#[test]
fn a_store_that_is_there_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("store")).unwrap();
    let error = session::run(&fill("--keys 5"), dir.path(), &|_| ()).unwrap_err();
    assert!(error.to_string().contains("is there already"), "{error}");
    let error = session::run(&fill("--keys 4000000000"), dir.path(), &|_| ());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("bytes of disk"), "{error}");
    assert!(dir.path().join("store").exists());
}

/// Figures of a store whose costs double with each step.
fn figures(step: i32) -> Figures {
    Figures {
        keys: 10_f64.powi(4 + step),
        claim_rate_per_second: 1e7 / 2_f64.powi(step),
        resident_bytes_per_key: 32.5 * 2_f64.powi(step),
        reopen_seconds: 0.125,
        ..Figures::default()
    }
}

#[test]
fn figures_are_read_as_they_were_printed() {
    let lines = figures(0).lines();
    assert_eq!(lines.lines().count(), Figures::NAMES.len());
    assert!(
        lines.starts_with("keys: 10000\nfill_seconds: 0.000\n"),
        "{lines}"
    );
    assert_eq!(Figures::read(&lines).unwrap(), figures(0));
    let twice = lines.clone() + "keys: 1\n";
    let less = lines.replace("keys: 10000\n", "");
    for (text, says) in [(twice, "2 times"), (less, "0 times")] {
        let error = Figures::read(&text).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let csv = series::csv(&[figures(0), figures(1)]);
    let columns: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
    assert_eq!(columns, [Figures::NAMES.len(); 3]);
}

#[test]
fn the_plot_has_a_point_for_each_store_in_each_panel() {
    assert_eq!(
        series::sizes(10_000, 1_000_000),
        [10_000, 100_000, 1_000_000]
    );
    assert_eq!(
        series::sizes(10_000, 2_000_000),
        [10_000, 100_000, 1_000_000, 2_000_000]
    );
    assert_eq!(series::sizes(7, 7), [7]);
    let row = [figures(0), figures(1), figures(2)];
    let svg = plot::svg(&row);
    assert!(
        svg.starts_with("<svg ") && svg.ends_with("</svg>\n"),
        "{svg}"
    );
    assert!(svg.is_ascii());
    assert_eq!(svg.matches("<circle ").count(), 9);
    assert_eq!(svg.matches("<polyline ").count(), 3);
    for number in svg.split('"').filter_map(|part| part.parse::<f64>().ok()) {
        assert!(
            (0.0..=720.0).contains(&number),
            "{number} is outside:\n{svg}"
        );
    }
    // Twice the cost is twice the height, on the linear axis; and the keys are evenly spaced.
    let first = svg.split("points=\"").nth(1).unwrap();
    let points: Vec<f64> = first
        .split('"')
        .next()
        .unwrap()
        .split([' ', ','])
        .map(|number| number.parse().unwrap())
        .collect();
    let floor = 200.0 - 34.0;
    assert!(
        (points[2] - points[0] - (points[4] - points[2])).abs() < 0.2,
        "{points:?}"
    );
    assert!(
        ((floor - points[3]) - 2.0 * (floor - points[1])).abs() < 0.2,
        "{points:?}"
    );
    assert!(
        plot::svg(&row[..1]).contains("<circle "),
        "one store is a point"
    );
}

#[test]
fn axes_end_at_round_numbers() {
    for (value, end) in [
        (0.3, "0.5"),
        (1.0, "1"),
        (1.1, "2"),
        (49.0, "50"),
        (51.0, "100"),
    ] {
        assert_eq!(plot::short(plot::round_up(value)), end, "{value}");
    }
    assert_eq!(plot::short(plot::round_up(f64::NAN)), "1");
    for (value, text) in [
        (0.0, "0"),
        (1e4, "10 k"),
        (2.5e6, "2.5 M"),
        (0.125, "0.125"),
        (1e9, "1 G"),
    ] {
        assert_eq!(plot::short(value), text);
    }
    assert_eq!(plot::share(10.0, 10.0, 1000.0).to_string(), "0");
    assert!((plot::share(100.0, 10.0, 1000.0) - 0.5).abs() < 1e-9);
    assert!((plot::share(1000.0, 10.0, 1000.0) - 1.0).abs() < 1e-9);
}
