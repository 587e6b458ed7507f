//! The layout and the style of this repository, as a test.
//!
//! Imports point one way, files and functions stay short, what the documents name exists, and no feature
//! changes what other crates of a build do.

mod api;
mod cfg;
mod circles;
mod docs;
mod features;
mod imports;
mod layers;
mod modules;
mod names;
mod rooms;
mod source;
mod style;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` with this extension, sorted, by its path from the root.
fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(&root().join(folder), extension, &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry
            .expect("a folder of the repository is readable")
            .path();
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|there| there == extension) {
            let from_root = path.strip_prefix(root()).expect("it lies below the root");
            found.push(from_root.to_string_lossy().into_owned());
        }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails with every fault at once, so that one run shows them all.
fn check(faults: &[String]) {
    assert!(
        faults.is_empty(),
        "{} fault(s):\n  {}",
        faults.len(),
        faults.join("\n  ")
    );
}
