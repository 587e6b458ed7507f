//! A value that is stored as JSON comes back exactly, to the last bit.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use hapax::{
    Claim, ErrorKind, Failure, Json, Lease, Namespace, Policy, Ran, RunError, Store, StoredValue,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::{prop_assert, prop_assert_eq, proptest};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// A number that equals only the same bits, so minus zero differs from zero.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Wide(f64);

impl PartialEq for Wide {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Wide {}

impl Ord for Wide {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.to_bits().cmp(&other.0.to_bits())
    }
}

impl PartialOrd for Wide {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Narrow(f32);

impl PartialEq for Narrow {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Tagged {
    Rate {
        rate: Wide,
        narrow: Narrow,
        more: Vec<Option<Wide>>,
    },
    Inner(Inner),
    Nothing,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Inner {
    price: Wide,
    count: i64,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(Wide),
    Several { ratio: Narrow, of: Vec<Wide> },
    Text(String),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum Plain {
    Unit,
    Newtype(Wide),
    Tuple(Narrow, Wide, i128),
    Struct { a: Wide, b: Option<Narrow> },
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    One(Wide),
    Two(Narrow, Narrow),
}

/// Every way in which serde hands a number on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Everything {
    tagged: Tagged,
    untagged: Vec<Untagged>,
    plain: Vec<Plain>,
    adjacent: Option<Adjacent>,
    #[serde(flatten)]
    flat: Inner,
    #[serde(flatten)]
    rest: BTreeMap<String, Wide>,
    by_number: BTreeMap<Wide, Narrow>,
    by_count: BTreeMap<i128, char>,
    pair: (Wide, Narrow),
    boxed: Option<Box<Tagged>>,
    large: u128,
    small: i128,
}

fn wide() -> impl Strategy<Value = Wide> {
    let finite = |bits| Some(f64::from_bits(bits)).filter(|number| number.is_finite());
    prop_oneof![
        any::<u64>().prop_filter_map("finite", finite),
        (1_u32..200_000, 1_u32..40)
            .prop_map(|(cents, count)| { f64::from(cents) / 100.0 * f64::from(count) * 1.15 }),
        any::<i64>().prop_map(|number| {
            #[allow(clippy::cast_precision_loss, reason = "any number will do")]
            let number = number as f64;
            number
        }),
        select(vec![
            0.0,
            -0.0,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            f64::from_bits(1),
            16_118.744_999_999_997,
            1e16,
            1e-7,
        ]),
    ]
    .prop_map(Wide)
}

fn narrow() -> impl Strategy<Value = Narrow> {
    let finite = |bits| Some(f32::from_bits(bits)).filter(|number| number.is_finite());
    prop_oneof![
        4 => any::<u32>().prop_filter_map("finite", finite),
        1 => select(vec![7.038_531e-26, f32::MAX, f32::from_bits(1), -0.0]),
    ]
    .prop_map(Narrow)
}

fn inner() -> impl Strategy<Value = Inner> {
    (wide(), any::<i64>()).prop_map(|(price, count)| Inner { price, count })
}

fn tagged() -> impl Strategy<Value = Tagged> {
    let rate = (wide(), narrow(), vec(option::of(wide()), 0..3));
    prop_oneof![
        rate.prop_map(|(rate, narrow, more)| Tagged::Rate { rate, narrow, more }),
        inner().prop_map(Tagged::Inner),
        Just(Tagged::Nothing),
    ]
}

fn untagged() -> impl Strategy<Value = Untagged> {
    let several = (narrow(), vec(wide(), 0..3));
    prop_oneof![
        wide().prop_map(Untagged::Number),
        several.prop_map(|(ratio, of)| Untagged::Several { ratio, of }),
        "[a-z0-9.e-]{0,6}".prop_map(Untagged::Text),
    ]
}

fn plain() -> impl Strategy<Value = Plain> {
    prop_oneof![
        Just(Plain::Unit),
        wide().prop_map(Plain::Newtype),
        (narrow(), wide(), any::<i128>()).prop_map(|(a, b, c)| Plain::Tuple(a, b, c)),
        (wide(), option::of(narrow())).prop_map(|(a, b)| Plain::Struct { a, b }),
    ]
}

fn adjacent() -> impl Strategy<Value = Adjacent> {
    prop_oneof![
        wide().prop_map(Adjacent::One),
        (narrow(), narrow()).prop_map(|(a, b)| Adjacent::Two(a, b)),
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let first = (
        tagged(),
        vec(untagged(), 0..3),
        vec(plain(), 0..3),
        option::of(adjacent()),
        inner(),
        btree_map("x[a-z]{0,4}", wide(), 0..3),
    );
    let second = (
        btree_map(wide(), narrow(), 0..3),
        btree_map(any::<i128>(), any::<char>(), 0..3),
        (wide(), narrow()),
        option::of(tagged().prop_map(Box::new)),
        any::<u128>(),
        any::<i128>(),
    );
    (first, second).prop_map(|(first, second)| {
        let (tagged, untagged, plain, adjacent, flat, rest) = first;
        let (by_number, by_count, pair, boxed, large, small) = second;
        Everything {
            tagged,
            untagged,
            plain,
            adjacent,
            flat,
            rest,
            by_number,
            by_count,
            pair,
            boxed,
            large,
            small,
        }
    })
}

/// One store for all, as thousands of values go through it.
fn namespace() -> &'static Namespace {
    static OPEN: LazyLock<(Store, Namespace)> = LazyLock::new(|| {
        let store = Store::in_memory().open().expect("it opens");
        let namespace = store.namespace("json", Policy::at_least_once());
        (store, namespace.expect("a policy that holds"))
    });
    &OPEN.1
}

/// A key that was not there before.
fn new_key() -> String {
    static KEYS: AtomicU64 = AtomicU64::new(0);
    KEYS.fetch_add(1, Ordering::Relaxed).to_string()
}

fn granted(key: &str) -> Lease {
    match namespace().claim(key).expect("the store is open") {
        Claim::Granted(lease) => lease,
        other => panic!("granted, not {other:?}"),
    }
}

/// What the second call is told.
fn replayed<T: Serialize + DeserializeOwned + Clone>(value: &T) -> T {
    let (space, key) = (namespace(), new_key());
    let run = || space.run_once(&key, |_| Ok::<_, Failure<String>>(Json(value.clone())));
    assert!(matches!(run(), Ok(Ran::Executed(_))), "it runs once");
    match run() {
        Ok(Ran::Replayed(Json(value))) => value,
        Ok(_) => panic!("it ran before"),
        Err(error) => panic!("{error}"),
    }
}

/// A stored response, read as a `T` by the answer and by `serde_json` alone.
fn both<T: DeserializeOwned>(bytes: &[u8]) -> (hapax::Result<T>, serde_json::Result<T>) {
    let key = new_key();
    granted(&key).complete(bytes).expect("it fits");
    let info = namespace().get(&key).expect("the store is open");
    let read = info.expect("it is completed").json();
    (read, serde_json::from_slice(bytes))
}

/// The same kind of answer, and the same words; or a value that is equal except for its floating
/// point.
#[track_caller]
fn read_alike<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    let shown = String::from_utf8_lossy(bytes);
    match both::<T>(bytes) {
        (Ok(read), Ok(expected)) => {
            let value = |value: &T| serde_json::to_value(value).unwrap_or_else(|_| spelt(value));
            let (read, expected) = (value(&read), value(&expected));
            assert!(alike(&read, &expected), "{shown}: {read} and {expected}");
        }
        (Err(error), Err(expected)) => {
            assert_eq!(error.kind(), ErrorKind::Decode, "{shown}");
            let source = std::error::Error::source(&error).map(ToString::to_string);
            // Byte by byte, a column more may be counted; a number that is quoted is exact.
            let words = |error: &str| -> Vec<String> {
                let plain = error.split(" at line").next().unwrap_or_default();
                plain.split('`').step_by(2).map(str::to_owned).collect()
            };
            let (said, expected) = (source.unwrap_or_default(), expected.to_string());
            assert_eq!(words(&said), words(&expected), "{shown}");
        }
        (read, expected) => panic!("{shown}: {:?} and {:?}", read.map(drop), expected.map(drop)),
    }
}

/// A `Value` holds no integer beyond 64 bits, but its text does: the integers as they are spelt, and everything as a value, where such
/// integers are floating point.
fn spelt(value: &impl Serialize) -> Value {
    let text = serde_json::to_string(value).expect("it was JSON");
    let is_of_number = |letter: char| letter.is_ascii_digit() || "-+.eE".contains(letter);
    let numbers = text.split(|letter| !is_of_number(letter));
    let integers: Vec<_> = numbers
        .filter(|number| !number.contains(['.', 'e', 'E']))
        .collect();
    serde_json::json!([
        integers,
        serde_json::from_str::<Value>(&text).expect("it was JSON")
    ])
}

fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one.is_f64() => {
            let (Some(one), Some(other)) = (one.as_f64(), other.as_f64()) else {
                return false;
            };
            (one - other).abs() <= one.abs() * 1e-14 + f64::MIN_POSITIVE
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let same = |(name, one)| other.get(name).is_some_and(|other| alike(one, other));
            one.len() == other.len() && one.iter().all(same)
        }
        _ => one == other,
    }
}

fn read_alike_as_all(bytes: &[u8]) {
    read_alike::<Value>(bytes);
    read_alike::<Vec<Value>>(bytes);
    read_alike::<BTreeMap<String, Value>>(bytes);
    read_alike::<BTreeMap<i64, Option<u8>>>(bytes);
    read_alike::<Option<u64>>(bytes);
    read_alike::<f64>(bytes);
    read_alike::<f32>(bytes);
    read_alike::<u128>(bytes);
    read_alike::<i128>(bytes);
    read_alike::<String>(bytes);
    read_alike::<char>(bytes);
    read_alike::<()>(bytes);
    read_alike::<(bool, Wide)>(bytes);
    read_alike::<Tagged>(bytes);
    read_alike::<Untagged>(bytes);
    read_alike::<Plain>(bytes);
    read_alike::<Adjacent>(bytes);
    read_alike::<Skipped>(bytes);
}

/// The random test above found it in one of some thousand runs: an integer of more than 64 bits had the whole answer compared
/// as text, and so its floating point, which `serde_json` alone reads less exactly.
#[test]
fn floating_point_beside_a_wide_integer_is_read_alike() {
    read_alike_as_all(
        br#"{"Tuple":[-23950246589638504006948260743815880378,27584.543999999998,-59760714813440611675916195939768612601]}"#,
    );
}

/// Everything is skipped but one member.
#[derive(Debug, Serialize, Deserialize)]
struct Skipped {
    #[serde(skip_serializing)]
    #[allow(dead_code, reason = "it is there to be skipped")]
    a: IgnoredAny,
    b: Option<f64>,
}

/// Values of JSON, and a little of what is not.
fn text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "-0.0",
            "1",
            "-1",
            "1.5",
            "1e5",
            "1E+5",
            "1e-400",
            "1e400",
            "-1e309",
            "18446744073709551615",
            "18446744073709551616",
            "1.5-",
            "1.5.5",
            "01",
            "1.",
            "-",
            "1e",
            "\"\"",
            "\"a\\u00e9\"",
            "\"\\ud800\"",
            "\"1.5\"",
            "nul",
            "",
            "340282366920938463463374607431768211456",
            "\"Unit\"",
            "\"x\\n\u{1}\"",
            "123456789012345678901234567890.125",
        ])
        .prop_map(str::to_owned),
        wide().prop_map(|number| number.0.to_string()),
        wide().prop_map(|number| format!("{:e}", number.0)),
        any::<i128>().prop_map(|number| number.to_string()),
    ];
    let name = select(vec![
        "a", "b", "kind", "t", "c", "rate", "1", "-7", "Newtype", "Tuple", "ratio", "of", "1.5",
    ]);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let members = vec((name.clone(), inner.clone()), 0..4);
        let space = select(vec!["", " ", "\n\t"]);
        prop_oneof![
            (vec(inner, 0..4), space.clone()).prop_map(|(elements, space)| format!(
                "[{space}{}]",
                elements.join(space_comma(space))
            )),
            (members, space).prop_map(|(members, space)| {
                let members: Vec<String> = members
                    .iter()
                    .map(|(name, value)| format!("\"{name}\"{space}:{value}"))
                    .collect();
                format!("{{{}{space}}}", members.join(","))
            }),
        ]
    })
}

fn space_comma(space: &str) -> &'static str {
    if space.is_empty() { "," } else { " , " }
}

// A total of 934.42 * 15.0 * 1.15 was executed as 16118.744999999997 and replayed as
// 16118.744999999995: the bytes were right, and reading them rounded twice.
#[test]
fn a_total_is_replayed_as_it_was_executed() {
    let total: f64 = 934.42 * 15.0 * 1.15;
    assert_eq!(replayed(&total).to_bits(), total.to_bits());
    assert_eq!(replayed(&Value::from(total)), Value::from(total));
    assert_eq!(replayed(&vec![Some(total)]), [Some(total)]);
    let key = new_key();
    granted(&key).fail(Json(("declined", total))).unwrap();
    let Claim::Failed(failed) = namespace().claim(&key).unwrap() else {
        panic!("failed")
    };
    let (_, read): (String, f64) = failed.json().unwrap();
    assert_eq!(read.to_bits(), total.to_bits());
}

// A reader that buffers, as internally tagged enums do, rounds to an f64 before it rounds to an f32.
// This f32 then came back as its neighbour.
#[test]
fn an_f32_is_not_rounded_twice() {
    let number = Narrow(7.038_531e-26);
    assert_eq!(replayed(&number), number);
    let tagged = Tagged::Rate {
        rate: Wide(0.1),
        narrow: number,
        more: Vec::new(),
    };
    assert_eq!(replayed(&tagged), tagged);
    // As stored before numbers were written for such a reader.
    let (read, _) = both::<Narrow>(b"7.038531e-26");
    assert_eq!(read.unwrap(), number);
}

#[test]
fn what_serde_json_reads_with_its_own_features_is_read_too() {
    // A feature of another crate in the build may make numbers of a `Value` text; they stay exact.
    for number in [
        "1",
        "-7",
        "18446744073709551615",
        "0.1",
        "16118.744999999997",
    ] {
        let value: Value = serde_json::from_str(number).unwrap();
        let (read, _) = both::<Value>(number.as_bytes());
        let exact: f64 = number.parse().unwrap();
        assert_eq!(read.unwrap().as_f64(), Some(exact), "{number} as {value}");
    }
}

#[test]
fn nesting_is_read_as_deep_as_serde_json_does() {
    for depth in [1, 126, 127, 128, 129, 100_000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        read_alike::<Value>(nested.as_bytes());
        let nested = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        read_alike::<Value>(nested.as_bytes());
    }
}

// JSON has no NaN and no infinity, and `serde_json` writes `null`: an `Option` that held one was
// replayed as `None`, and any other number never decoded again.
#[test]
fn a_number_that_is_not_finite_is_refused_before_it_is_stored() {
    fn refused<T: Serialize + std::fmt::Debug>(value: T) {
        let key = new_key();
        let error = granted(&key).complete(Json(&value)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{value:?}");
        let held = namespace().claim(&key).unwrap();
        assert!(matches!(held, Claim::InProgress(_)), "{value:?}");
        let error = error.into_lease().unwrap().fail(Json(&value)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{value:?}");
    }
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        refused(number);
        refused(Some(number));
        refused(vec![(1, number)]);
        refused(BTreeMap::from([(Wide(number), 1)]));
        refused(BTreeMap::from([("a".to_owned(), Some(number))]));
        refused(Plain::Tuple(Narrow(0.0), Wide(number), 1));
        refused(Plain::Struct {
            a: Wide(number),
            b: None,
        });
        refused(Adjacent::One(Wide(number)));
        refused(Untagged::Number(Wide(number)));
        refused(Tagged::Inner(Inner {
            price: Wide(number),
            count: 1,
        }));
    }
    for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        refused(Some(number));
        refused(Adjacent::Two(Narrow(0.0), Narrow(number)));
    }
}

/// A type that tells a `Some` of nothing from a `None`, as patches of JSON documents do.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Patch {
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "given"
    )]
    name: Option<Option<String>>,
}

fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Deserialize::deserialize(from).map(Some)
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Newtype(Option<u8>);

// JSON has one `null`: `Some(None)` was executed, and `None` replayed.
#[test]
fn a_some_of_nothing_is_refused_where_it_would_be_replayed_as_none() {
    fn refused<T: Serialize + DeserializeOwned>(value: T) {
        let error = granted(&new_key()).complete(Json(&value)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("Some"), "{error}");
        let error = error.into_lease().unwrap().fail(Json(&value)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let ran = namespace().run_once(new_key(), |_| Ok::<_, Failure<String>>(Json(value)));
        assert!(matches!(ran, Err(RunError::Store(error)) if error.kind() == ErrorKind::Invalid));
    }
    refused(Some(None::<u8>));
    refused(Some(Some(None::<u8>)));
    refused(Some(()));
    refused(Some(Unit));
    refused(Some(Newtype(None)));
    refused(Some(Value::Null));
    refused(vec![Some(Some(1)), Some(None)]);
    refused(BTreeMap::from([(1, (Some(None::<u8>), 2))]));
    assert_eq!(replayed(&None::<Option<u8>>), None);
    assert_eq!(replayed(&Some(Newtype(Some(1)))), Some(Newtype(Some(1))));
    assert_eq!(replayed(&Some(vec![None::<u8>])), Some(vec![None]));
    assert_eq!(replayed(&Newtype(None)), Newtype(None));
    for name in [None, Some(None), Some(Some("al".to_owned()))] {
        let patch = Patch { name };
        assert_eq!(replayed(&patch), patch);
        let (key, bytes) = (new_key(), Json(patch.clone()).to_bytes().unwrap());
        granted(&key).complete(bytes).unwrap();
        let Claim::Completed(answer) = namespace().claim(&key).unwrap() else {
            panic!("completed")
        };
        assert_eq!(answer.json::<Patch>().unwrap(), patch);
    }
}

// The work of `run_once` had run when its result turned out not to be JSON; the lease lapsed, and
// the work ran again, each time.
#[test]
fn work_whose_result_cannot_be_stored_is_not_run_again() {
    let (space, key) = (namespace(), new_key());
    let mut runs = 0;
    let ran = space.run_once(&key, |_| {
        runs += 1;
        Ok::<_, Failure<String>>(Json(Some(f64::NAN)))
    });
    let Err(RunError::Store(error)) = ran else {
        panic!("not stored")
    };
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    let ran = space.run_once(&key, |_| -> Result<Json<Option<f64>>, Failure<String>> {
        panic!("a second run")
    });
    let Err(RunError::Store(error)) = ran else {
        panic!("the result has no value")
    };
    assert_eq!((error.kind(), error.payload()), (ErrorKind::Decode, None));
    assert!(space.contains(&key).unwrap());
    assert_eq!(runs, 1);
}

proptest! {
    #[test]
    fn every_f64_comes_back(number in wide()) {
        prop_assert_eq!(replayed(&number), number);
        prop_assert_eq!(replayed(&Some((number, 1))), Some((number, 1)));
        prop_assert_eq!(replayed(&Untagged::Number(number)), Untagged::Number(number));
        prop_assert_eq!(replayed(&Value::from(number.0)), Value::from(number.0));
    }

    #[test]
    fn every_f32_comes_back(number in narrow()) {
        prop_assert_eq!(replayed(&number), number);
        let adjacent = Adjacent::Two(number, number);
        prop_assert_eq!(replayed(&adjacent), adjacent);
        let several = Untagged::Several { ratio: number, of: vec![Wide(number.0.into())] };
        prop_assert_eq!(replayed(&several), several);
    }

    #[test]
    fn every_shape_comes_back(value in everything()) {
        prop_assert_eq!(replayed(&value), value);
    }

    #[test]
    fn what_is_stored_is_what_serde_json_writes(value in everything()) {
        let key = new_key();
        let expected = serde_json::to_vec(&value).unwrap();
        granted(&key).complete(Json(value)).unwrap();
        let Claim::Completed(answer) = namespace().claim(&key).unwrap() else {
            panic!("completed")
        };
        // Except for the few f32s that a reader would round twice.
        let same = answer.response() == expected;
        prop_assert!(same || String::from_utf8_lossy(&expected).contains("7.038531e-26"));
    }

    #[test]
    fn stored_text_is_read_as_serde_json_reads_it(text in text()) {
        read_alike_as_all(text.as_bytes());
    }

    #[test]
    fn damaged_bytes_are_read_as_serde_json_reads_them(
        text in text(), at: proptest::sample::Index, byte: u8, cut: bool,
    ) {
        let mut bytes = text.into_bytes();
        if bytes.is_empty() {
            return Ok(());
        }
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = byte;
        }
        read_alike_as_all(&bytes);
    }
}
