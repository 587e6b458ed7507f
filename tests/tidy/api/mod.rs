//! The public API of every library, as a file: `docs/api.txt` changes with it, in the same commit.

mod declaration;
mod expansion;
mod spelling;
mod surface;

use std::collections::{BTreeMap, BTreeSet};

use crate::cfg::with_all_features;
use crate::features::libraries;
use crate::modules::{Package, Reader};
use crate::{read, root};

const FILE: &str = "docs/api.txt";

const ABOUT: &str = "\
# What users of these libraries can name, read from the source: the path, then the declaration. What stands in
# brackets at the end is a feature. `HAPAX_BLESS=1 cargo test --test tidy public_api` rewrites this file.
";

/// The lines of a library.
fn lines(name: &str, file: &str, text: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let reader = Reader {
        text,
        answers: with_all_features,
        expand: expansion::expand,
    };
    surface::lines(&Package::read(name, &[file.to_owned()], &reader))
}

fn listed() -> String {
    let mut listed = ABOUT.to_owned();
    for name in libraries() {
        let folder = match name.as_str() {
            "hapax" => "src".to_owned(),
            name => format!("crates/{name}/src"),
        };
        let text = |file: &str| root().join(file).is_file().then(|| read(file));
        for line in lines(&name, &format!("{folder}/lib.rs"), &text) {
            listed.push_str(&line);
            listed.push('\n');
        }
    }
    listed
}

/// The lines that only one of two lists has, in their order: `-` for the first, `+` for the second.
fn difference(before: &str, now: &str) -> Vec<String> {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (before, now) = (lines(before), lines(now));
    let gone = before.difference(&now).map(|line| (line, '-'));
    let new = now.difference(&before).map(|line| (line, '+'));
    let mut both: Vec<_> = gone.chain(new).collect();
    both.sort();
    both.iter()
        .map(|(line, sign)| format!("{sign} {line}"))
        .collect()
}

#[test]
fn the_public_api_is_the_one_in_its_file() {
    let now = listed();
    if std::env::var_os("HAPAX_BLESS").is_some() {
        std::fs::write(root().join(FILE), &now).expect("the file can be written");
        return;
    }
    let before = std::fs::read_to_string(root().join(FILE)).unwrap_or_default();
    assert!(
        before == now,
        "the public API is not the one in {FILE}; HAPAX_BLESS=1 rewrites the file:\n{}",
        difference(&before, &now).join("\n")
    );
}

/// The API of a made-up library, without its name at the front.
fn made_up(sources: &[(&str, &str)]) -> Vec<String> {
    let sources: BTreeMap<&str, &str> = sources.iter().copied().collect();
    let text = |file: &str| sources.get(file).map(|text| (*text).to_owned());
    let lines = lines("it", "src/lib.rs", &text);
    let bare = lines.iter().map(|line| line["it::".len()..].to_owned());
    bare.collect()
}

#[test]
fn items_are_listed_where_users_find_them() {
    let lib =
        "mod a; pub mod b; pub use a::{A, hidden as seen}; pub use other::C; pub(crate) use b::D;
        #[doc(hidden)] pub mod e; #[cfg(feature = \"f\")] pub use a::F; #[cfg(test)] pub use a::G;";
    let a =
        "pub struct A { pub x: crate::b::B, y: u8 } impl A { pub fn z(mut self) {} fn none() {} }
        pub fn hidden() {} pub struct F; pub struct G; pub struct Unseen;";
    let b = "pub struct B(pub u8); pub(crate) struct D; pub use crate::A; impl crate::a::A { pub(crate) fn w() {} }";
    let sources = [
        ("src/lib.rs", lib),
        ("src/a.rs", a),
        ("src/b.rs", b),
        ("src/e.rs", "pub fn e() {}"),
    ];
    let expected = [
        "A: pub struct A { .. }",
        "A::x: pub x: B",
        "A::z: pub fn z(self)",
        "C: pub use other::C",
        "F: pub struct F [f]",
        "b: pub mod",
        "b::A: pub use it::A",
        "b::B: pub struct B",
        "b::B::0: pub 0: u8",
        "seen: pub fn hidden()",
    ];
    assert_eq!(made_up(&sources), expected);
}

#[test]
fn kinds_of_items_have_their_declarations() {
    let lib = "
        #[non_exhaustive] #[derive(Clone, Debug)] pub enum E<T> { A, B(T), C { d: u8 }, #[doc(hidden)] H }
        pub trait T: Sized { type O: Copy; const N: u8; fn f(&self); fn g() {} }
        pub const K: u8 = 1 + 1; pub type L<X> = Vec<X>;
        impl<X: Copy> E<X> { pub fn all(self) -> L<X> { m!() } }
    ";
    let expected = [
        "E: #[non_exhaustive] pub enum E<T>",
        "E: impl<T> Clone for E<T>",
        "E: impl<T> Debug for E<T>",
        "E::A: A",
        "E::B: B(T)",
        "E::C: C { d: u8 }",
        "E::all: pub fn all(self) -> L<X> in impl<X: Copy> E<X>",
        "K: pub const K: u8 = 1 + 1",
        "L: pub type L<X> = Vec<X>",
        "T: pub trait T: Sized",
        "T::N: const N: u8",
        "T::O: type O: Copy",
        "T::f: fn f(&self)",
        "T::g: fn g() { .. }",
    ];
    assert_eq!(made_up(&[("src/lib.rs", lib)]), expected);
}

#[test]
fn implementations_stand_beside_the_first_public_item_that_they_name() {
    let lib = "
        pub struct A; struct B; pub trait T {} trait U {}
        impl Iterator for A { type Item = u8; fn next(&mut self) -> Option<u8> { None } }
        impl From<A> for Vec<u8> { } impl From<B> for A {} impl U for A {} impl Drop for B {}
        impl T for u8 {} impl<X: Copy> T for &X where X: Send {}
        #[cfg(feature = \"f\")] impl T for A {} #[doc(hidden)] impl Copy for A {}
    ";
    let expected = [
        "A: pub struct A",
        "A: impl From<A> for Vec<u8>",
        "A: impl Iterator for A { type Item = u8; }",
        "A: impl T for A [f]",
        "T: pub trait T",
        "T: impl T for u8",
        "T: impl<X: Copy> T for &X where X: Send",
    ];
    assert_eq!(made_up(&[("src/lib.rs", lib)]), expected);
}

#[test]
fn a_difference_shows_both_sides_in_order() {
    assert_eq!(
        difference("a\nb\nd\n", "a\nc\nd\ne\n"),
        ["- b", "+ c", "+ e"]
    );
}
