//! Rust source as these checks see it: comments and literals blanked out, tests taken away.

use std::collections::BTreeSet;
use std::path::Path;

/// A file under `src/`, without its tests.
pub(crate) struct Source {
    pub(crate) path: String,
    /// As many lines as the file, those of tests empty.
    pub(crate) code: String,
    /// Lines that are not of tests.
    pub(crate) lines: usize,
}

/// Every file under `src/` that is more than tests.
pub(crate) fn library() -> Vec<Source> {
    let mut sources = Vec::new();
    let mut tests = BTreeSet::new();
    let mut folders = Vec::new();
    for path in crate::files("src", "rs") {
        let (code, modules, lines) = without_tests(&mask(&crate::read(&path)));
        for module in modules {
            let places = places_of(&path, &module);
            folders.extend(places[0].strip_suffix("rs").map(|at| at.replace('.', "/")));
            tests.extend(places);
        }
        sources.push(Source { path, code, lines });
    }
    let is_test =
        |path: &str| tests.contains(path) || folders.iter().any(|folder| path.starts_with(folder));
    sources.retain(|source| !is_test(&source.path));
    sources
}

/// The identifiers of some code, each with the line it stands in.
pub(crate) fn words(code: &str) -> Vec<(usize, &str)> {
    let numbered = code.lines().zip(1..);
    numbered
        .flat_map(|(line, number)| {
            line.split(|c: char| !c.is_alphanumeric() && c != '_')
                .filter(|word| !word.is_empty())
                .map(move |word| (number, word))
        })
        .collect()
}

/// Where the file of a module that `parent` declares may lie.
fn places_of(parent: &str, module: &str) -> [String; 2] {
    let path = Path::new(parent);
    let folder = path.parent().expect("a source lies in a folder");
    let stem = path.file_stem().expect("a source has a name");
    let folder = if stem == "mod" || stem == "lib" {
        folder.to_owned()
    } else {
        folder.join(stem)
    };
    let folder = folder.to_string_lossy();
    [
        format!("{folder}/{module}.rs"),
        format!("{folder}/{module}/mod.rs"),
    ]
}

/// What stands under one of these is of tests.
const TESTS: &[&str] = &["#[cfg(test)]", "#[cfg(all(test, hapax_shuttle))]"];

/// Empties what stands under one of [`TESTS`]; gives the rest, the modules in files of their own
/// there, and how many lines are left.
fn without_tests(code: &str) -> (String, Vec<String>, usize) {
    let lines: Vec<&str> = code.lines().collect();
    let mut kept = vec![""; lines.len()];
    let mut modules = Vec::new();
    let (mut at, mut left) = (0, 0);
    while at < lines.len() {
        if !TESTS.contains(&lines[at].trim()) {
            left += 1;
            kept[at] = lines[at];
            at += 1;
            continue;
        }
        let end = end_of_item(&lines, at + 1);
        let item = lines[at + 1].trim();
        if let Some((_, name)) = item.split_once("mod ") {
            modules.extend(name.strip_suffix(';').map(str::to_owned));
        }
        at = end + 1;
    }
    (kept.join("\n"), modules, left)
}

/// The last line of the item, field or statement that begins at a line.
fn end_of_item(lines: &[&str], from: usize) -> usize {
    let mut depth = 0_i32;
    for (at, line) in lines.iter().enumerate().skip(from) {
        depth += depth_of(line);
        let ends = line.trim_end().ends_with([';', ',', '}']);
        if depth == 0 && ends {
            return at;
        }
    }
    lines.len() - 1
}

/// How many more brackets of any kind a line opens than it closes.
pub(crate) fn depth_of(line: &str) -> i32 {
    line.chars()
        .map(|c| match c {
            '{' | '(' | '[' => 1,
            '}' | ')' | ']' => -1,
            _ => 0,
        })
        .sum()
}

/// Blanks out comments and the insides of literals; lines stay where they are.
pub(crate) fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = literal(rest, out.chars().next_back());
        if taken == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (hidden, after) = rest.split_at(taken);
        out.extend(hidden.chars().map(|c| if c == '\n' { c } else { ' ' }));
        rest = after;
    }
    out
}

/// How many bytes at the front are a comment or a literal.
fn literal(text: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return text.find("*/").map_or(text.len(), |end| end + 2);
    }
    if text.starts_with('"') {
        return quoted(text);
    }
    let raw = text.strip_prefix('b').unwrap_or(text);
    if !in_word && raw.starts_with('r') {
        let hashes = raw[1..].chars().take_while(|c| *c == '#').count();
        if raw[1 + hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let from = text.len() - raw.len() + 2 + hashes;
            let end = text[from..].find(&close);
            return end.map_or(text.len(), |end| from + end + close.len());
        }
    }
    character(text)
}

/// How many bytes at the front are a string with escapes.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// How many bytes at the front are a character literal; 0 for a lifetime.
fn character(text: &str) -> usize {
    let Some(inside) = text.strip_prefix('\'') else {
        return 0;
    };
    if let Some(escape) = inside.strip_prefix('\\') {
        let from = escape.chars().next().map_or(0, char::len_utf8);
        return escape[from..]
            .find('\'')
            .map_or(0, |end| 2 + from + end + 1);
    }
    let first = inside.chars().next().map_or(0, char::len_utf8);
    if first > 0 && inside[first..].starts_with('\'') {
        first + 2
    } else {
        0
    }
}

#[test]
fn comments_and_literals_are_blanked_out() {
    let text = "let a = \"b\\\"c\"; // d\nlet e: &'f str = r#\"g\"h\"#; '\\''; 'i' /* j */ k";
    let code = mask(text);
    let words: Vec<&str> = words(&code).iter().map(|(_, word)| *word).collect();
    assert_eq!(words, ["let", "a", "let", "e", "f", "str", "k"]);
}

#[test]
fn tests_are_taken_away() {
    let text =
        "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n#[cfg(test)]\nmod c;\nfn d() {}";
    let (code, modules, left) = without_tests(&mask(text));
    assert_eq!((modules, left), (vec!["c".to_owned()], 2));
    assert_eq!(code.replace('\n', ""), "fn a() {}fn d() {}");
    assert_eq!(code.lines().count(), text.lines().count());
}
