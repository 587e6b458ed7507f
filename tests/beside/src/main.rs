//! A program that knows nothing of hapax, and prints what it gets from crates that hapax uses too.
//!
//! `ci/beside` runs it alone and with all of hapax linked, and compares. They differed once: hapax had
//! turned on a feature of `serde_json`, and an internally tagged enum with an f64 stopped decoding in
//! programs that linked it.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(feature = "hapax")]
use {hapax as _, hapax_admin as _, hapax_http as _};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(dead_code, reason = "it is printed")]
enum Tagged {
    Rate { rate: f64, narrow: Option<f32> },
    Count { count: u64 },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is printed")]
enum Untagged {
    Whole(u64),
    Below(i64),
    Broken(f64),
    Text(String),
    Other(Value),
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "it is printed")]
struct Flat {
    id: u32,
    #[serde(flatten)]
    rest: BTreeMap<String, f64>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "t", content = "c")]
#[allow(dead_code, reason = "it is printed")]
enum Adjacent {
    One(f64),
}

const NUMBERS: [&str; 14] = [
    "1",
    "1.0",
    "1.50",
    "-0",
    "-0.0",
    "1e3",
    "1E+400",
    "1e-400",
    "16118.744999999997",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211455",
    "123456789.123456789123456789",
];

fn told(what: impl Display, text: &str, answer: impl Debug) {
    let text: String = text.chars().take(60).collect();
    println!("{what}: {text}: {answer:?}");
}

fn read<T: DeserializeOwned + Debug>(text: &str) {
    let read = serde_json::from_str::<T>(text);
    let read = read.map_err(|error| error.to_string());
    told(std::any::type_name::<T>(), text, read);
}

fn json() {
    for number in NUMBERS {
        read::<Value>(number);
        read::<Number>(number);
        read::<f64>(number);
        read::<Untagged>(number);
        read::<Tagged>(&format!(r#"{{"kind":"rate","rate":{number}}}"#));
        read::<Tagged>(&format!(r#"{{"narrow":{number},"rate":1,"kind":"rate"}}"#));
        read::<Tagged>(&format!(r#"{{"kind":"count","count":{number}}}"#));
        read::<Flat>(&format!(r#"{{"id":7,"rate":{number}}}"#));
        read::<Adjacent>(&format!(r#"{{"c":{number},"t":"One"}}"#));
        let read = serde_json::from_str::<f64>(number).map(f64::to_bits).ok();
        told("bits", number, read);
        let number: Option<Value> = serde_json::from_str(number).ok();
        let written = number.map(|number| number.to_string());
        told("written", "a number", written);
    }
    for private in ["Number", "RawValue"] {
        let text = format!(r#"{{"$serde_json::private::{private}":"1.50"}}"#);
        read::<Value>(&text);
        read::<BTreeMap<String, Value>>(&text);
    }
    read::<Value>(r#"{"b":1,"a":{"d":2,"c":3},"b":4}"#);
    let value: Value = serde_json::from_str(r#"{"b":1,"a":{"d":2,"c":3}}"#).unwrap_or_default();
    told("order", "members", value.to_string());
    for depth in [127, 128] {
        read::<Value>(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    }
    told("f64", "0.1", serde_json::to_string(&0.1_f64).ok());
    told("NaN", "", Number::from_f64(f64::NAN));
}

/// Counts what comes through `log`.
struct Counter(AtomicUsize);

impl log::Log for Counter {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &log::Record<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn flush(&self) {}
}

static COUNTER: Counter = Counter(AtomicUsize::new(0));

fn logs() {
    if log::set_logger(&COUNTER).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
    let counted = |what: &str| told("records of log", what, COUNTER.0.load(Ordering::Relaxed));
    tracing::info!("an event");
    tracing::trace_span!("a span").in_scope(|| tracing::error!("another event"));
    counted("after events of tracing");
    log::trace!("a record");
    counted("after one of its own");
    told("log", "greatest level", log::STATIC_MAX_LEVEL);
    let level = tracing::level_filters::STATIC_MAX_LEVEL;
    told("tracing", "greatest level", level);
}

fn main() {
    json();
    logs();
}
