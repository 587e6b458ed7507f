//! What hapax turns on in the crates that it shares with the rest of a build.
//!
//! Cargo unifies features: one that hapax asks for is on in every crate of a user's build. So each must only add
//! to an API. `arbitrary_precision` of `serde_json` was once on, and handlers that knew nothing of hapax stopped
//! decoding; `ci/beside` runs such a program.

use std::process::Command;

use crate::{check, files, read, root};

/// Features that add an API and change nothing, by the crate that has them.
const ADDITIVE: &[(&str, &[&str])] = &[
    ("axum", &["matched-path", "original-uri"]),
    ("bincode", &["bincode_derive", "derive"]),
    ("chacha20", &["rng"]),
    ("digest", &["block-api", "mac", "oid"]),
    ("futures-channel", &["futures-sink", "sink"]),
    (
        "futures-util",
        &[
            "async-await",
            "async-await-macro",
            "futures-macro",
            "futures-sink",
            "sink",
            "slab",
        ],
    ),
    ("getrandom", &["sys_rng"]),
    (
        "linux-raw-sys",
        &[
            "auxvec", "elf", "errno", "general", "ioctl", "no_std", "prctl",
        ],
    ),
    ("lock_api", &["atomic_usize"]),
    ("md-5", &["oid"]),
    ("mio", &["net", "os-ext", "os-poll"]),
    ("once_cell", &["race"]),
    ("rand", &["std_rng", "sys_rng", "thread_rng"]),
    ("ring", &["dev_urandom_fallback"]),
    ("rustix", &["fs", "process"]),
    ("rustls", &["ring", "tls12"]),
    ("rustls-webpki", &["ring"]),
    ("serde", &["derive", "serde_derive"]),
    ("serde_core", &["result"]),
    ("sha2", &["oid"]),
    // What sled does without features; it says so by one.
    ("sled", &["no_metrics"]),
    ("socket2", &["all"]),
    ("spin", &["mutex", "spin_mutex"]),
    (
        "tokio",
        &[
            "bytes", "io-util", "libc", "mio", "net", "rt", "socket2", "sync", "time",
        ],
    ),
    ("tokio-postgres", &["runtime"]),
    ("tokio-rustls", &["ring", "tls12"]),
    ("tokio-util", &["codec", "futures-util", "libc", "rt"]),
    (
        "tower",
        &[
            "futures-core",
            "futures-util",
            "load-shed",
            "pin-project-lite",
            "sync_wrapper",
            "util",
        ],
    ),
    ("tracing-core", &["once_cell"]),
    ("typenum", &["const-generics"]),
    ("unicode-bidi", &["hardcoded-data"]),
    ("unicode-properties", &["emoji", "general-category"]),
    // For targets on the web only.
    ("whoami", &["wasi-wasite", "wasm-web"]),
    ("xxhash-rust", &["xxh3"]),
];

/// Of any crate.
const ANYWHERE: [&str; 3] = ["alloc", "default", "std"];

/// The libraries that a user's build may have.
pub(crate) fn libraries() -> Vec<String> {
    let mut names = vec!["hapax".to_owned()];
    for path in files("crates", "toml") {
        let manifest: toml::Table = read(&path).parse().expect("a manifest is TOML");
        let Some(package) = manifest.get("package") else {
            continue;
        };
        let is_library = root().join(&path).with_file_name("src/lib.rs").exists();
        let is_published = package.get("publish").and_then(toml::Value::as_bool) != Some(false);
        if is_library && is_published {
            names.extend(package["name"].as_str().map(str::to_owned));
        }
    }
    names
}

fn is_additive(package: &str, feature: &str) -> bool {
    let known = ADDITIVE.iter().filter(|(name, _)| *name == package);
    ANYWHERE.contains(&feature) || known.into_iter().any(|(_, known)| known.contains(&feature))
}

#[test]
fn no_feature_changes_what_other_crates_of_a_build_do() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tree = Command::new(cargo);
    tree.current_dir(root())
        .args(["tree", "--offline", "--locked", "--all-features"]);
    tree.args([
        "--edges",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--format",
        "{p};{f}",
    ]);
    let libraries = libraries();
    assert!(libraries.len() > 2, "{libraries:?}");
    for name in &libraries {
        tree.args(["--package", name]);
    }
    let output = tree.output().expect("cargo runs, as it runs this test");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let mut faults = Vec::new();
    let mut seen = 0;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((package, features)) = line.split_once(';') else {
            continue;
        };
        let name = package.split(' ').next().unwrap_or_default();
        if libraries.iter().any(|library| library == name) {
            continue;
        }
        seen += 1;
        // A package that was shown before ends in a mark.
        let features = features.trim_end_matches(" (*)").split(',');
        for feature in features.filter(|feature| !feature.is_empty()) {
            if !is_additive(name, feature) {
                faults.push(format!(
                    "{name}: {feature} is on for the whole build of a user"
                ));
            }
        }
    }
    assert!(seen > 30, "{seen} packages");
    faults.sort();
    faults.dedup();
    check(&faults);
}
