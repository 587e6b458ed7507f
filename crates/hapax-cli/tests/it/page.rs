//! docs/cli.md: the page shows what the program prints.

use std::fmt;
use std::fs;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::rig::{Place, keys_of_http, normal, some_of_everything, words};

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    fs::read_to_string(path).unwrap()
}

/// A command of the page, and the output below it.
struct Shown {
    command: String,
    said: String,
}

/// Every command in the `console` blocks.
fn shown(page: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            shown.push(Shown {
                command: command.to_owned(),
                said: String::new(),
            });
        } else if inside {
            let last = shown.last_mut().expect("a block begins with a command");
            last.said.push_str(line);
            last.said.push('\n');
        }
    }
    shown
}

/// The commands of the page are one story: the test runs them in their order, on one store, and compares
/// their output.
#[test]
fn what_the_page_shows_is_what_is_said() {
    let place = Place::new();
    some_of_everything(&place.path());
    keys_of_http(&place.root.path().join("shop"));
    let mut faults = Vec::new();
    let page = page();
    for shown in shown(&page) {
        let (line, code) = match shown.command.split_once("; echo $?") {
            Some((line, _)) => (line, true),
            None => (shown.command.as_str(), false),
        };
        if let Some((text, file)) = line
            .strip_prefix("echo ")
            .and_then(|rest| rest.split_once(" > "))
        {
            fs::write(place.root.path().join(file), words(text).join(" ") + "\n").unwrap();
            continue;
        }
        let line = line
            .strip_prefix("hapax ")
            .expect("every other command is one of hapax");
        let ran = place.hapax(words(line));
        let mut said = format!("{}{}", ran.out, ran.err);
        if code {
            said.push_str(&format!("{}\n", ran.code));
        }
        if normal(&said) != normal(&shown.said) {
            faults.push(format!("$ {}\n{said}", shown.command));
        }
    }
    assert!(
        faults.is_empty(),
        "docs/cli.md must show:\n{}",
        faults.join("\n")
    );
}

/// The names of an object's members, in their order.
struct Members(Vec<String>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry()? {
                    names.push(name);
                }
                Ok(Members(names))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

/// The members of the first object that a command prints.
fn members(place: &Place, line: &str) -> String {
    let ran = place.run(&format!("{line} --format json"));
    let first = ran.out.lines().next();
    let first = first.unwrap_or_else(|| panic!("{line} says something: {}", ran.err));
    let Members(names) = serde_json::from_str(first).unwrap();
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Each verb whose objects have their own members, with a command.
const OBJECTS: &[(&str, &str)] = &[
    ("info", "info dedup"),
    ("stat", "stat dedup"),
    ("get", "get dedup order-40 -n pay --body"),
    ("scan", "scan dedup"),
    ("stuck", "stuck dedup"),
    ("in-doubt", "in-doubt dedup"),
    ("forget", "forget dedup order-40 -n pay"),
    ("verify", "verify dedup"),
    ("backup", "backup dedup before"),
    ("restore", "restore before again"),
    ("salvage", "salvage dedup saved"),
    ("accept-salvage", "accept-salvage saved"),
    ("compact", "compact again"),
    ("import", "import again keys.jsonl"),
    ("audit list", "audit list again"),
    ("audit verify", "audit verify again"),
    ("bench", "bench . --time 1ms"),
];

#[test]
fn the_page_has_the_members_of_every_object() {
    let place = Place::new();
    some_of_everything(&place.path());
    place.run("export dedup --output keys.jsonl");
    let page = page();
    let mut faults = Vec::new();
    for (verb, line) in OBJECTS {
        if *verb == "audit list" {
            place.run("forget again order-40 -n pay --confirm --reason test");
        }
        let row = format!("| `{verb}` | {} |", members(&place, line));
        if !page.contains(&row) {
            faults.push(row);
        }
    }
    assert!(
        faults.is_empty(),
        "docs/cli.md must have:\n{}",
        faults.join("\n")
    );
}

#[test]
fn every_verb_has_its_heading_and_says_whether_it_changes_something() {
    let place = Place::new();
    let help = place.run("--help").out;
    let verbs = help.split("Commands:\n").nth(1).unwrap();
    let verbs: Vec<(&str, &str)> = verbs
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.trim().split_once("  "))
        .filter(|(verb, _)| *verb != "help" && !verb.contains(' '))
        .collect();
    let page = page();
    for (verb, _) in &verbs {
        assert!(
            page.contains(&format!("### `{verb}`")),
            "docs/cli.md has no heading for {verb}"
        );
        assert_eq!(place.run(&format!("{verb} --help")).code, 0);
    }
    let changing = [
        "resolve",
        "reconcile",
        "release",
        "forget",
        "accept-salvage",
        "compact",
        "import",
    ];
    for verb in changing {
        let said = place.run(&format!("{verb} --help")).out;
        assert!(said.contains("changes the store"), "{verb}: {said}");
    }
    let silent = verbs.iter().filter(|(verb, _)| !changing.contains(verb));
    for (verb, _) in silent {
        assert!(
            !place
                .run(&format!("{verb} --help"))
                .out
                .contains("changes the store"),
            "{verb}"
        );
    }
}

#[test]
fn the_page_has_the_exit_codes_of_the_help() {
    let page = page();
    let help = Place::new().run("--help").out;
    let codes = help.split("Exit codes:\n").nth(1).unwrap();
    let codes = codes.lines().take_while(|line| !line.is_empty());
    let mut count = 0;
    for line in codes {
        let (code, meaning) = line.trim().split_once("  ").unwrap();
        assert!(
            page.contains(&format!("| {code} | {meaning} |")),
            "docs/cli.md has no row for: {line}"
        );
        count += 1;
    }
    assert_eq!(count, 7);
}
