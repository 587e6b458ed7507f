//! No circle between files, in any crate: each file has a rank, one more than the highest of those it imports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use crate::cfg::without_tests;
use crate::imports::{Imports, imports};
use crate::modules::{Package, Reader};
use crate::{check, files, read, root};

/// The packages of this repository, each by its name and folder.
pub(crate) fn packages() -> Vec<(String, String)> {
    let mut found = vec![("hapax".to_owned(), "src".to_owned())];
    for manifest in files("crates", "toml") {
        let folder = manifest.strip_suffix("/Cargo.toml").map(str::to_owned);
        let folder = folder.filter(|folder| root().join(folder).join("src").is_dir());
        found.extend(folder.map(|folder| (folder["crates/".len()..].to_owned(), folder + "/src")));
    }
    found
}

/// Who imports what within a package, its tests left out.
fn imports_of(name: &str, folder: &str) -> Imports {
    let roots = ["lib.rs", "main.rs"].map(|root| format!("{folder}/{root}"));
    let roots: Vec<_> = roots
        .into_iter()
        .filter(|file| root().join(file).is_file())
        .collect();
    let text = |file: &str| root().join(file).is_file().then(|| read(file));
    let package = Package::read(
        name,
        &roots,
        &Reader {
            text: &text,
            answers: without_tests,
            expand: |items| items,
        },
    );
    imports(&package)
}

/// The imports of the core, computed once for all tests.
pub(crate) fn core_imports() -> &'static Imports {
    static CORE: OnceLock<Imports> = OnceLock::new();
    CORE.get_or_init(|| imports_of("hapax", "src"))
}

/// The rank of each file that neither stands on a circle nor above one.
pub(crate) fn ranks(imports: &Imports) -> BTreeMap<&str, usize> {
    let mut ranks: BTreeMap<&str, usize> = BTreeMap::new();
    loop {
        let before = ranks.len();
        for (file, ties) in imports {
            let below: Option<Vec<usize>> = ties
                .keys()
                .map(|to| ranks.get(to.as_str()).copied())
                .collect();
            if let Some(below) = below {
                ranks.insert(file, 1 + below.into_iter().max().unwrap_or_default());
            }
        }
        if ranks.len() == before {
            return ranks;
        }
    }
}

/// Every group of files that reach each other, each file with the ties that keep it there.
fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> = imports
        .keys()
        .map(|file| (file.as_str(), reached(imports, file)))
        .collect();
    let mut placed = BTreeSet::new();
    let mut found = Vec::new();
    for (file, there) in &reached {
        if !there.contains(file) || placed.contains(file) {
            continue;
        }
        let together: BTreeSet<&str> = there
            .iter()
            .copied()
            .filter(|other| reached[other].contains(file))
            .collect();
        found.push(told(imports, &together));
        placed.extend(together);
    }
    found
}

/// The files to which a chain of imports leads.
fn reached<'a>(imports: &'a Imports, from: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        for to in imports[file].keys() {
            if found.insert(to.as_str()) {
                next.push(to);
            }
        }
    }
    found
}

/// The ties between the files of a circle.
fn told(imports: &Imports, together: &BTreeSet<&str>) -> Vec<String> {
    let mut lines = Vec::new();
    for from in together {
        for (to, names) in &imports[*from] {
            if together.contains(to.as_str()) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                lines.push(format!("{from} -> {to}: {}", names.join(", ")));
            }
        }
    }
    lines
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut faults = Vec::new();
    for (name, folder) in packages() {
        for circle in circles(&imports_of(&name, &folder)) {
            let told = circle.join("\n    ");
            faults.push(format!(
                "{name}: a circle of {} imports\n    {told}",
                circle.len()
            ));
        }
    }
    check(&faults);
}

/// The same between the rooms of a package: the folders and the loose files of its `src/`.
fn between_rooms(imports: &Imports, folder: &str) -> Imports {
    let room = |file: &str| {
        let within = &file[folder.len() + 1..];
        let end = within.find(['/', '.']).unwrap_or(within.len());
        format!("{folder}/{}", &within[..end])
    };
    let mut found = Imports::new();
    for (from, ties) in imports {
        let known = found.entry(room(from)).or_default();
        for (to, names) in ties.iter().filter(|(to, _)| room(to) != room(from)) {
            let ties = known.entry(room(to)).or_default();
            ties.extend(names.iter().cloned());
        }
    }
    found
}

/// The core has its own order: see `layers.rs`.
#[test]
fn no_rooms_of_a_crate_import_each_other_in_a_circle() {
    let mut faults = Vec::new();
    for (name, folder) in packages().iter().filter(|(name, _)| name != "hapax") {
        let imports = between_rooms(&imports_of(name, folder), folder);
        for circle in circles(&imports) {
            faults.push(format!(
                "{name}: rooms in a circle\n    {}",
                circle.join("\n    ")
            ));
        }
    }
    check(&faults);
}

/// The imports of a made-up package.
#[cfg(test)]
fn made_up(sources: &[(&str, &str)]) -> Imports {
    let sources: BTreeMap<&str, &str> = sources.iter().copied().collect();
    let roots = ["src/lib.rs", "src/main.rs"].map(str::to_owned);
    let roots: Vec<_> = roots
        .into_iter()
        .filter(|file| sources.contains_key(file.as_str()))
        .collect();
    let text = |file: &str| sources.get(file).map(|text| (*text).to_owned());
    let reader = Reader {
        text: &text,
        answers: without_tests,
        expand: |items| items,
    };
    imports(&Package::read("made-up", &roots, &reader))
}

/// The ties of a made-up package, as `from -> to: names`.
fn ties(sources: &[(&str, &str)]) -> Vec<String> {
    let imports = made_up(sources);
    let every = imports.keys().map(String::as_str).collect();
    told(&imports, &every)
}

#[test]
fn a_circle_leads_through_a_re_export_to_the_file_itself() {
    let sources = [
        ("src/lib.rs", "mod a; mod b;"),
        ("src/a/mod.rs", "mod c; pub(crate) use c::C as D;"),
        ("src/a/c.rs", "use crate::b::B; pub(crate) struct C(B);"),
        ("src/b.rs", "use crate::a::D; pub(crate) struct B(D);"),
    ];
    let imports = made_up(&sources);
    let circle = ["src/a/c.rs -> src/b.rs: B", "src/b.rs -> src/a/c.rs: C"];
    assert_eq!(circles(&imports), [circle]);
    let free = [("src/a/mod.rs", 1), ("src/lib.rs", 1)];
    assert_eq!(
        ranks(&imports),
        free.into(),
        "only these stand on no circle"
    );
}

#[test]
fn a_file_that_uses_what_it_hands_on_imports_it() {
    let sources = |own: &str| {
        ties(&[
            ("src/lib.rs", "mod a;"),
            (
                "src/a/mod.rs",
                &format!("mod c; pub(crate) use self::c::C; {own}"),
            ),
            ("src/a/c.rs", "pub(crate) struct C;"),
        ])
    };
    assert_eq!(sources(""), [""; 0]);
    let tie = ["src/a/mod.rs -> src/a/c.rs: C"];
    assert_eq!(sources("fn own(_: C) {}"), tie);
    assert_eq!(sources("fn own() { let _ = C { }; }"), tie);
}

#[test]
fn groups_renames_and_paths_from_above_are_followed() {
    let sources = [
        ("src/lib.rs", "mod a; mod b; mod d; mod e;"),
        (
            "src/a.rs",
            "mod f; use crate::{b::{self, B as C}, d::*}; fn x(_: b::Other, _: C) {}",
        ),
        ("src/a/f.rs", "use super::super::e::{E, G as _};"),
        ("src/b.rs", "pub(crate) struct B; pub(crate) struct Other;"),
        ("src/d.rs", "pub(crate) fn d() {}"),
        ("src/e.rs", "pub(crate) struct E; pub(crate) trait G {}"),
    ];
    let expected = [
        "src/a.rs -> src/b.rs: B, Other",
        "src/a.rs -> src/d.rs: d",
        "src/a/f.rs -> src/e.rs: E, G",
    ];
    assert_eq!(ties(&sources), expected);
}

#[test]
fn paths_within_code_macros_and_attributes_are_followed() {
    let sources = |own: &str| {
        ties(&[
            ("src/lib.rs", "mod a; mod b;"),
            ("src/a.rs", own),
            ("src/b.rs", "pub(crate) mod c;"),
            ("src/b/c.rs", "pub(crate) fn f() {} pub(crate) struct S;"),
        ])
    };
    let f = ["src/a.rs -> src/b/c.rs: f"];
    let s = ["src/a.rs -> src/b/c.rs: S"];
    assert_eq!(sources("fn x() { crate::b::c::f(); }"), f);
    assert_eq!(sources("fn x() { super::b::c::f(); }"), f);
    assert_eq!(sources("use crate::b::c; fn x() { c::f(); }"), f);
    assert_eq!(sources("use crate::b as d; fn x() { d::c::f(); }"), f);
    assert_eq!(sources("fn x() { use crate::b::c as d; g(d::f); }"), f);
    assert_eq!(sources("fn x() { vec![1, crate::b::c::f()]; }"), f);
    assert_eq!(
        sources("macro_rules! m { () => { $crate::b::c::f() }; }"),
        f
    );
    assert_eq!(
        sources("macro_rules! m { () => { use crate::b::{c::f}; }; }"),
        f
    );
    assert_eq!(
        sources("#[serde(default, with = \"crate::b::c::f\")] struct X;"),
        f
    );
    assert_eq!(
        sources("#[arg(value_parser = crate::b::c::f)] struct X;"),
        f
    );
    assert_eq!(sources("impl X for Vec<crate::b::c::S> {}"), s);
    assert_eq!(sources("fn x() { <Y as crate::b::c::S>::y(); }"), s);
    assert_eq!(sources("mod inner { use super::super::b::c::S; }"), s);
}

#[test]
fn what_only_looks_like_an_import_does_not_count() {
    let other = "src/b.rs";
    let sources = |own: &str| {
        ties(&[
            ("src/lib.rs", "mod a; mod b; pub use a::A;"),
            ("src/a.rs", own),
            (other, "pub(crate) fn f() {}"),
            ("src/a/tests.rs", "use crate::b::f;"),
        ])
    };
    let none = [""; 0];
    assert_eq!(
        sources("// crate::b::f()\n/* use crate::b::f; */ struct A;"),
        none
    );
    assert_eq!(
        sources("fn x() { y(\"crate::b::f()\", r#\"use crate::b::f;\"#); }"),
        none
    );
    assert_eq!(sources("#[cfg(test)] mod tests; pub struct A;"), none);
    assert_eq!(sources("#[cfg(test)] mod tests { use crate::b::f; }"), none);
    assert_eq!(
        sources("#[cfg(all(test, x))] use crate::b::f; fn f() {}"),
        none
    );
    assert_eq!(sources("pub(in crate::b) struct A;"), none);
    assert_eq!(
        sources("use crate::b; use std::b::f; fn x() { b.f(); }"),
        none
    );
    let ties = sources("#[cfg(not(test))] use crate::b::f;");
    assert_eq!(ties, ["src/a.rs -> src/b.rs: f"]);
}

#[test]
fn both_roots_of_a_package_are_read() {
    let sources = [
        ("src/lib.rs", "pub mod a; pub use a::A;"),
        (
            "src/main.rs",
            "mod b; use made_up::A; fn main() { b::f(); }",
        ),
        ("src/a.rs", "pub struct A;"),
        (
            "src/b.rs",
            "use made_up::a; pub(crate) fn f() { let _ = a::A; crate::main(); }",
        ),
    ];
    let expected = [
        "src/b.rs -> src/a.rs: A",
        "src/b.rs -> src/main.rs: main",
        "src/main.rs -> src/a.rs: A",
        "src/main.rs -> src/b.rs: f",
    ];
    assert_eq!(ties(&sources), expected);
}

#[test]
fn rooms_can_stand_in_a_circle_though_no_files_do() {
    let imports = made_up(&[
        ("src/lib.rs", "mod a; mod b;"),
        ("src/a.rs", "mod c; mod d;"),
        ("src/a/c.rs", "use crate::b::B;"),
        ("src/a/d.rs", "pub(crate) struct D;"),
        ("src/b.rs", "pub(crate) struct B(crate::a::d::D);"),
    ]);
    assert_eq!(circles(&imports), [[""; 0]; 0]);
    let circle = ["src/a -> src/b: B", "src/b -> src/a: D"];
    assert_eq!(circles(&between_rooms(&imports, "src")), [circle]);
}

#[test]
fn a_rank_is_one_more_than_the_highest_below() {
    let sources = [
        ("src/lib.rs", "mod a; mod b; mod c;"),
        ("src/a.rs", "use crate::{b::B, c::C};"),
        ("src/b.rs", "pub(crate) struct B(crate::c::C);"),
        ("src/c.rs", "pub(crate) struct C;"),
    ];
    let ranked = [
        ("src/a.rs", 3),
        ("src/b.rs", 2),
        ("src/c.rs", 1),
        ("src/lib.rs", 1),
    ];
    assert_eq!(ranks(&made_up(&sources)), ranked.into());
}
