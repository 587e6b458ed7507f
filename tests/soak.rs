//! The example `soak`: it finds what grows, and only that.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

#[allow(dead_code, reason = "a test has no command line")]
#[path = "../examples/soak/args.rs"]
mod args;
#[path = "../examples/soak/histogram.rs"]
mod histogram;
#[path = "../examples/soak/load.rs"]
mod load;
#[path = "../examples/soak/process.rs"]
mod process;
#[allow(dead_code, reason = "the example `stress` draws more kinds of chance")]
#[path = "../examples/stress/random.rs"]
mod random;
#[allow(dead_code, reason = "a test prints no table")]
#[path = "../examples/soak/sample.rs"]
mod sample;
#[path = "../examples/soak/session.rs"]
mod session;
#[allow(dead_code, reason = "the example prints what a test only matches")]
#[path = "../examples/soak/verdict.rs"]
mod verdict;

use std::time::Duration;

use args::{Args, Command};
use histogram::Histogram;
use sample::Sample;
use verdict::{Verdict, judge};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn args(line: &str) -> Args {
    match args::parse(lexopt::Parser::from_args(line.split(' '))).unwrap() {
        Command::Run(args) => args,
        Command::Help => panic!("a run"),
    }
}

fn soak(args: &Args) -> Vec<Sample> {
    let dir = tempfile::tempdir().unwrap();
    let mut told = 0;
    let mut tell = |_: &Sample, before: usize| {
        assert_eq!(before, told);
        told += 1;
        Ok(())
    };
    let soaked = session::run(args, dir.path(), &mut tell).unwrap();
    assert!(soaked.wrong.is_none(), "{:?}", soaked.wrong);
    assert_eq!(soaked.samples.len(), told);
    soaked.samples
}

/// Nothing is dropped in the first two minutes after open, so until then live keys do grow.
#[test]
fn growth_is_found_and_told() {
    let args =
        args("--minutes 0.15 --interval 1 --warm-up 1 --retention 2 --rate 4000 --log files");
    let samples = soak(&args);
    for sample in &samples {
        assert!(
            sample.memory_bytes > 0 && sample.disk_bytes > 0,
            "{sample:?}"
        );
        assert!(
            sample.pairs_per_second > 0 && sample.live_keys > 0,
            "{sample:?}"
        );
        assert!(sample.claim[0] <= sample.claim[2] && sample.claim[2] <= sample.claim[3]);
    }
    assert!(samples.iter().any(|sample| sample.replays > 0));
    let Verdict::Grows(lines) = judge(&samples, args.warm_up) else {
        panic!("it grows: {samples:?}")
    };
    assert!(
        lines.iter().any(|line| line.starts_with("live keys")),
        "{lines:?}"
    );
    let few = judge(&samples[..3], args.warm_up);
    assert!(matches!(few, Verdict::TooShort(_)), "{few:?}");
    judges_each_figure(&samples[samples.len() - 1]);
}

/// A row of similar samples is flat, even with noise and one bad interval; a figure that doubles or
/// grows more is found.
fn judges_each_figure(like: &Sample) {
    let flat = |bad: usize| -> Vec<Sample> {
        let sample = |at: usize| {
            let mut sample = like.clone();
            sample.elapsed = Duration::from_secs(1 + at as u64);
            sample.memory_bytes = 100_000_000 + (at as u64 % 3) * 1_000_000;
            sample.disk_bytes = 500_000_000;
            sample.live_keys = 100_000;
            if at == bad {
                sample.claim[2] = Duration::from_secs(1);
            }
            sample
        };
        (0..12).map(sample).collect()
    };
    for bad in 0..12 {
        let verdict = judge(&flat(bad), Duration::ZERO);
        assert!(matches!(verdict, Verdict::Flat(_)), "{verdict:?}");
    }
    type Grow = fn(&mut Sample, u32);
    let grown: [(&str, Grow); 5] = [
        ("memory", |sample, at| {
            sample.memory_bytes += u64::from(at) * 10_000_000;
        }),
        ("disk", |sample, at| {
            sample.disk_bytes += u64::from(at) * 50_000_000;
        }),
        ("live keys", |sample, at| {
            sample.live_keys += u64::from(at) * 10_000;
        }),
        ("p99.9 of claim", |sample, at| {
            sample.claim[2] += Duration::from_millis(5) * at;
        }),
        ("p99.9 of complete", |sample, at| {
            sample.complete[2] += Duration::from_millis(5) * at;
        }),
    ];
    for (what, grow) in grown {
        let mut samples = flat(99);
        for (sample, at) in samples.iter_mut().zip(0..) {
            grow(sample, at);
        }
        let Verdict::Grows(lines) = judge(&samples, Duration::ZERO) else {
            panic!("{what} grows")
        };
        assert!(lines.len() == 1 && lines[0].starts_with(what), "{lines:?}");
    }
}

#[test]
fn percentiles_are_right_to_a_sixteenth() {
    let mut histogram = Histogram::default();
    let values: Vec<u64> = (1..=10_000)
        .map(|value: u64| value * value % 1_000_003)
        .collect();
    for value in &values {
        histogram.add(Duration::from_nanos(*value));
    }
    let mut sorted = values;
    sorted.sort_unstable();
    assert_eq!(histogram.count(), 10_000);
    assert_eq!(histogram.max(), Duration::from_nanos(sorted[9999]));
    for per_mille in [1, 500, 990, 999] {
        let exact = sorted[usize::try_from(per_mille * 10 - 1).unwrap()];
        let told = u64::try_from(histogram.per_mille(per_mille).as_nanos()).unwrap();
        assert!(
            told >= exact && told <= exact + exact / 16 + 1,
            "{per_mille}: {told} for {exact}"
        );
    }
    let mut both = Histogram::default();
    both.append(&histogram);
    assert_eq!(both.per_mille(500), histogram.per_mille(500));
}
