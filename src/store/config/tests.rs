use std::time::Duration;

use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

use crate::store::config::form::{DiskSize, Form, Span, Window};
use crate::store::config::raw::Raw;
use crate::store::config::{Config, LimitsConfig, PolicyConfig, StoreConfig};
use crate::value::durability::Durability;
use crate::value::policy::Policy;
use crate::{Builder, ErrorKind, Store};

const PAGE: &str = include_str!("../../../docs/configuration.md");

/// The example of the documentation.
fn example() -> &'static str {
    let from = PAGE.split_once("```toml\n").expect("the page has one").1;
    from.split_once("```").expect("it ends").0
}

fn read(text: &str) -> Result<Config, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn span(text: &str) -> Option<Duration> {
    Span::read(&Raw::Text(text.to_owned()))
}

fn size(text: &str) -> Option<u64> {
    DiskSize::read(&Raw::Text(text.to_owned()))
}

#[test]
fn the_example_is_what_holds_by_default() {
    let config = read(example()).unwrap();
    config.check().unwrap();
    let set = |builder: Builder| {
        let options = &builder.options;
        let limits = LimitsConfig::of(&options.limits);
        (StoreConfig::kept_by(options), limits)
    };
    let by_default = set(Store::builder("somewhere"));
    assert_eq!(
        (&config.store, &config.limits),
        (&by_default.0, &by_default.1)
    );
    let policy = config.namespaces["payments"].policy().unwrap();
    assert_eq!(policy, Policy::at_least_once());
    assert_eq!(config.namespaces["payments"], PolicyConfig::from(&policy));
    let nothing = read("").unwrap();
    assert_eq!(nothing, Config::default());
    assert_eq!(
        set(Store::builder("somewhere").config(&nothing)),
        by_default
    );
}

/// With the options that are absent by default, each is there: in the page and in the code.
#[test]
fn the_example_has_every_option() {
    let all = example().replace("\n# ", "\n");
    let config = read(&all).unwrap();
    config.check().unwrap();
    let sections = [
        ("store", StoreConfig::OPTIONS),
        ("limits", LimitsConfig::OPTIONS),
        ("namespaces.payments", PolicyConfig::OPTIONS),
    ];
    for (section, options) in sections {
        let table = all.split_once(&format!("[{section}]\n")).unwrap().1;
        let table = table.split("\n[").next().unwrap();
        let lines = table.lines().filter(|line| !line.is_empty());
        let named: Vec<_> = lines.filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(named, options, "[{section}], in this order");
    }
    let written = toml::to_string(&config).unwrap();
    assert_eq!(read(&written).unwrap(), config, "{written}");
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), config);
}

#[test]
fn what_is_wrong_is_named_with_what_may_stand_there() {
    let cases = [
        ("[store]\ndurabilty = \"sync\"", "unknown field `durabilty`"),
        ("[storage]", "unknown field `storage`"),
        (
            "[limits]\nkey_bytes = \"1 KB\"",
            "key_bytes: \"1 KB\" is not a number of bytes",
        ),
        (
            "[limits]\nbatch_items = \"10\"",
            "batch_items: \"10\" is not a whole number",
        ),
        (
            "[limits]\nwaiters = -1",
            "waiters: \"-1\" is not a whole number",
        ),
        ("[store]\ncreate = 1", "create: 1 is not true or false"),
        (
            "[store]\nwrite_deadline = 30",
            "write_deadline: 30 is not a duration",
        ),
        (
            "[store]\nwrite_deadline = \"1.5s\"",
            "write_deadline: \"1.5s\" is not a duration",
        ),
        (
            "[store]\ndurability = \"Sync\"",
            "durability: \"Sync\" is not \"sync\"",
        ),
        (
            "[namespaces.a]\nguarantee = \"exactly-once\"",
            "\"at-least-once\" or \"at-most-once\"",
        ),
        ("[namespaces.a]\nlease = [1]", "text, a whole number"),
    ];
    for (text, said) in cases {
        let error = read(text).unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
    let twice = serde_json::from_str::<Config>(r#"{"store": {"shards": 1, "shards": 2}}"#);
    assert!(twice.unwrap_err().to_string().contains("duplicate field"));
    let checked = [
        (
            "[namespaces.a]\nlease = \"1s\"",
            "[namespaces.a] the guarantee is missing",
        ),
        (
            "[namespaces.a]\nguarantee = \"at-most-once\"\nlease = \"2d\"",
            "[namespaces.a] the lease",
        ),
        (
            "[limits]\nkey_bytes = 0",
            "[limits] the limit key_bytes is 0",
        ),
        (
            "[namespaces.\"\"]\nguarantee = \"at-most-once\"",
            "the name of the namespace is empty",
        ),
    ];
    for (text, said) in checked {
        let error = read(text).unwrap().check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(said), "{text}: {error}");
    }
}

#[test]
fn durations_and_sizes_are_read_as_they_are_written() {
    let secs = Duration::from_secs;
    let spans = [
        ("500ms", Duration::from_millis(500)),
        ("60s", secs(60)),
        ("90m", secs(5400)),
        ("24h", secs(86_400)),
        ("7d", secs(7 * 86_400)),
        ("0s", secs(0)),
        ("1500ns", Duration::from_nanos(1500)),
        ("18446744073709551615s", secs(u64::MAX)),
    ];
    for (text, value) in spans {
        assert_eq!(span(text), Some(value), "{text}");
    }
    for text in [
        "",
        "s",
        "1",
        "1 s",
        " 1s",
        "1s ",
        "+1s",
        "-1s",
        "1.5s",
        "1S",
        "1sec",
        "01s",
        "1h30m",
        "18446744073709551616s",
        "18446744073709551615d",
        "\u{0661}s",
    ] {
        assert_eq!(span(text), None, "{text}");
    }
    let sizes = [
        ("0 B", 0),
        ("256 MiB", 256 << 20),
        ("256MiB", 256 << 20),
        ("3 TiB", 3 << 40),
    ];
    for (text, value) in sizes {
        assert_eq!(size(text), Some(value), "{text}");
    }
    for text in [
        "",
        "1",
        "1 ",
        "1  KiB",
        "1 kib",
        "1 KB",
        "1 MB",
        "1k",
        "-1 B",
        "1.5 KiB",
        "01 B",
        "16777216 TiB",
    ] {
        assert_eq!(size(text), None, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_value_comes_back_from_its_text(secs in any::<u64>(), nanos in 0..1_000_000_000_u32, bytes in any::<u64>()) {
        // The shortest unit that is needed has to hold the number.
        let nanos = if secs > 1 << 33 { 0 } else { nanos };
        let duration = Duration::new(secs, nanos);
        let written = Span::write(&duration);
        prop_assert_eq!(Span::read(&written), Some(duration), "{}", written);
        let window = Durability::Interval(duration);
        prop_assert_eq!(Window::read(&Window::write(&window)), Some(window));
        for bytes in [bytes, bytes & !0xf_ffff, bytes % 4096] {
            let written = DiskSize::write(&bytes);
            prop_assert_eq!(DiskSize::read(&written), Some(bytes), "{}", written);
        }
    }

    /// Any value is read or refused, and a value that was read is written so that it reads the same.
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,12}", number in "[0-9]{1,22}", unit in "(ns|us|ms|s|m|h|d| B| KiB|MiB|TiB)") {
        for text in [text, format!("{number}{unit}")] {
            if let Some(read) = span(&text) {
                prop_assert_eq!(Span::read(&Span::write(&read)), Some(read));
                prop_assert!(text.starts_with(|c: char| c.is_ascii_digit()));
            }
            if let Some(read) = size(&text) {
                prop_assert_eq!(DiskSize::read(&DiskSize::write(&read)), Some(read));
            }
        }
    }
}
