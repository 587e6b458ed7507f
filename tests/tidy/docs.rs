//! What the documents name exists, and the pages stay short enough to be read.

use crate::{check, files, read, root};

/// Folders whose paths must exist when a document names one.
const FOLDERS: &[&str] = &[
    ".ci/",
    "benches/",
    "crates/",
    "docs/",
    "examples/",
    "ops/",
    "src/",
    "tests/",
];

/// Pages with a limit of their own, in lines.
const LIMITS: &[(&str, usize)] = &[("ARCHITECTURE.md", 150), ("README.md", 140)];

const DECISION_LINES_MAX: usize = 60;

fn pages() -> Vec<String> {
    let mut pages = files("docs", "md");
    let root = [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
    ];
    pages.extend(root.map(str::to_owned));
    pages
}

fn folder_of(page: &str) -> &str {
    page.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[test]
fn links_lead_somewhere() {
    let mut faults = Vec::new();
    for page in pages() {
        let text = read(&page);
        let inline = text.match_indices("](").map(|(at, _)| &text[at + 2..]);
        let defined = text
            .lines()
            .filter_map(|line| line.strip_prefix('[')?.split_once("]: "))
            .map(|(_, target)| target);
        for link in inline.chain(defined) {
            let target = link.split([')', '#', '\n']).next().unwrap_or_default();
            let is_ours = !target.is_empty() && !target.contains("://");
            if is_ours && !root().join(folder_of(&page)).join(target).exists() {
                faults.push(format!("{page}: links to {target}"));
            }
        }
    }
    check(&faults);
}

/// The paths of this repository that some text names.
fn paths(text: &str) -> Vec<&str> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    text.split(|c: char| !is_path(c))
        .map(|word| word.trim_start_matches("./").trim_end_matches(['.', '/']))
        .filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)))
        .collect()
}

#[test]
fn paths_in_documents_exist() {
    assert_eq!(
        paths("see `src/a.rs`, (tests/b). No src."),
        ["src/a.rs", "tests/b"]
    );
    let mut faults = Vec::new();
    let mut texts = pages();
    texts.extend(["justfile", "deny.toml", ".ci/run"].map(str::to_owned));
    for page in texts {
        for path in paths(&read(&page)) {
            let is_example =
                path.starts_with("examples/") && is_example(&path["examples/".len()..]);
            if !root().join(path).exists() && !is_example {
                faults.push(format!("{page}: names {path}"));
            }
        }
    }
    check(&faults);
}

/// Of the root package, or of one of those beside it.
fn is_example(name: &str) -> bool {
    let folders = [
        "examples",
        "crates/hapax-admin/examples",
        "crates/hapax-http/examples",
    ];
    folders
        .map(|folder| root().join(folder))
        .iter()
        .any(|folder| {
            folder.join(format!("{name}.rs")).is_file()
                || folder.join(name).join("main.rs").is_file()
        })
}

#[test]
fn named_examples_exist() {
    let mut faults = Vec::new();
    let mut texts = pages();
    texts.extend(["justfile", ".ci/run"].map(str::to_owned));
    for page in texts {
        let text = read(&page);
        for (at, flag) in text.match_indices("--example ") {
            let name = text[at + flag.len()..]
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .next()
                .unwrap_or_default();
            // A variable of a script has no name here.
            if !name.is_empty() && !is_example(name) {
                faults.push(format!("{page}: names the example {name}"));
            }
        }
    }
    check(&faults);
}

#[test]
fn pages_are_short() {
    let mut faults = Vec::new();
    let decisions = files("docs/decisions", "md");
    let decisions = decisions
        .iter()
        .map(|page| (page.as_str(), DECISION_LINES_MAX));
    for (page, most) in LIMITS.iter().copied().chain(decisions) {
        let lines = read(page).lines().count();
        if lines > most {
            faults.push(format!("{page}: {lines} lines, at most {most}"));
        }
    }
    check(&faults);
}

#[test]
fn the_readme_has_its_two_commands() {
    let text = read("README.md");
    let commands: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("cargo "))
        .collect();
    assert_eq!(
        commands,
        [
            "cargo run --release --example webhooks",
            "cargo test --workspace --exclude hapax-compare --all-features"
        ],
        "the continuous integration runs these lines as they stand"
    );
}
