//! Short files, short functions, plain characters, and the words of the vocabulary.

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Expr, ExprBinary};

use crate::source::{library, mask, words};
use crate::{check, files, read};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Everything that people write here.
fn written() -> Vec<String> {
    let folders = [
        "src", "tests", "examples", "benches", "crates", "docs", "ops", ".ci",
    ];
    let mut found: Vec<String> = ["rs", "md", "toml", "json", "yml", "html", "css", "js"]
        .iter()
        .flat_map(|extension| folders.iter().flat_map(|folder| files(folder, extension)))
        .collect();
    let root = [
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Cargo.toml",
        "README.md",
        "clippy.toml",
        "deny.toml",
        "justfile",
        ".ci/run",
    ];
    found.extend(root.map(str::to_owned));
    found
}

#[test]
fn files_are_short() {
    let mut faults = Vec::new();
    for source in library() {
        if source.lines > FILE_LINES_MAX {
            faults.push(format!("{}: {} lines", source.path, source.lines));
        }
    }
    check(&faults);
}

/// The functions of some code: name, line, and how many lines of their bodies hold code.
fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let mut rest = words(line)
            .into_iter()
            .map(|(_, word)| word)
            .skip_while(|word| *word != "fn");
        let (Some(_), Some(name)) = (rest.next(), rest.next()) else {
            continue;
        };
        // A type such as `fn(&Self)` names nothing.
        if line.contains(&format!("fn {name}")) {
            found.extend(body(&lines[at..]).map(|length| (name.to_owned(), at + 1, length)));
        }
    }
    found
}

/// The lines of code between the braces of the function that begins here; `None` without a body.
fn body(lines: &[&str]) -> Option<usize> {
    let (mut depth, mut inside, mut length) = (0_i32, false, 0);
    for line in lines {
        let opened = inside;
        for c in line.chars() {
            match c {
                '{' => {
                    inside = true;
                    depth += 1;
                }
                '}' => depth -= 1,
                ';' if !inside && depth == 0 && !line.contains('[') => return None,
                _ => {}
            }
        }
        if inside && depth == 0 {
            return Some(length);
        }
        length += usize::from(opened && !line.trim().is_empty());
    }
    None
}

#[test]
fn functions_are_measured() {
    let code = "fn a() {\n    b();\n\n    c();\n}\nfn d(e: fn(u8));\npub(crate) fn f()\nwhere\n{\n    g();\n}";
    let found = functions(code);
    assert_eq!(
        found,
        [("a".to_owned(), 1, 2), ("f".to_owned(), 7, 1)],
        "blank lines do not count, and declarations have no body"
    );
}

#[test]
fn functions_are_short() {
    let mut faults = Vec::new();
    let sources = ["src", "tests", "examples", "benches", "crates"];
    for path in sources.iter().flat_map(|folder| files(folder, "rs")) {
        for (name, line, length) in functions(&mask(&read(&path))) {
            if length > FUNCTION_LINES_MAX {
                faults.push(format!("{path}:{line}: `{name}` has {length} lines"));
            }
        }
    }
    check(&faults);
}

/// Chains of `let` conditions, as text.
#[derive(Default)]
struct LetChains(Vec<String>);

impl<'ast> Visit<'ast> for LetChains {
    fn visit_expr_binary(&mut self, binary: &'ast ExprBinary) {
        let is_let = |side: &Expr| matches!(side, Expr::Let(_));
        if is_let(&binary.left) || is_let(&binary.right) {
            self.0.push(binary.to_token_stream().to_string());
        }
        visit::visit_expr_binary(self, binary);
    }
}

fn let_chains(code: &str) -> Vec<String> {
    let mut found = LetChains::default();
    found.visit_file(&syn::parse_file(code).expect("it compiles"));
    found.0
}

/// A newer compiler takes them without a word, and the machine that builds may have no other.
#[test]
fn the_oldest_compiler_knows_the_syntax() {
    let chain = "fn f(a: Option<u8>) { if let Some(b) = a && b > 0 {} }";
    assert_eq!(let_chains(chain), ["let Some (b) = a && b > 0"]);
    let mut faults = Vec::new();
    let sources = ["src", "tests", "examples", "benches", "crates"];
    for path in sources.iter().flat_map(|folder| files(folder, "rs")) {
        for chain in let_chains(&read(&path)) {
            faults.push(format!("{path}: Rust 1.85 has no `{chain}`"));
        }
    }
    check(&faults);
}

#[test]
fn everything_is_plain_ascii() {
    let mut faults = Vec::new();
    for path in written() {
        for (line, number) in read(&path).lines().zip(1..) {
            if !line.is_ascii() {
                faults.push(format!("{path}:{number}: {line}"));
            }
        }
    }
    check(&faults);
}

/// What is left out, put off or slept through. In halves, so that this list is not found.
const UNFINISHED: &[(&str, &str)] = &[
    ("to", "do!"),
    ("unimpl", "emented!"),
    ("#[ig", "nore"),
    ("thread::", "sleep"),
    ("db", "g!("),
];

/// Words that leave open who is meant; the text names the caller, the holder or the operator instead.
const VAGUE: &[&str] = &["anybody", "nobody", "somebody", "whoever"];

#[test]
fn comments_and_pages_name_who_is_meant() {
    let mut faults = Vec::new();
    for path in written() {
        let is_page = path.ends_with(".md") && !path.starts_with("docs/decisions/");
        // This file lists the words.
        if path == "tests/tidy/style.rs" || !is_page && !path.ends_with(".rs") {
            continue;
        }
        for (at, line) in read(&path).lines().enumerate() {
            let is_text = is_page || line.trim_start().starts_with("//");
            let vague = words(line)
                .into_iter()
                .find(|(_, word)| VAGUE.contains(&word.to_lowercase().as_str()));
            if let (true, Some((_, word))) = (is_text, vague) {
                faults.push(format!("{path}:{}: {word}", at + 1));
            }
        }
    }
    check(&faults);
}

#[test]
fn nothing_is_put_off_or_slept_through() {
    let mut faults = Vec::new();
    let sources = ["src", "tests", "examples", "benches", "crates"];
    for path in sources.iter().flat_map(|folder| files(folder, "rs")) {
        for (line, number) in mask(&read(&path)).lines().zip(1..) {
            for (head, tail) in UNFINISHED {
                let word = format!("{head}{tail}");
                if line.contains(&word) {
                    faults.push(format!("{path}:{number}: {word}"));
                }
            }
        }
    }
    check(&faults);
}

/// Words that mean the same as one of the vocabulary, which is the one to use.
const BANNED: &[(&str, &str)] = &[
    ("acquire", "claim"),
    ("begin", "claim"),
    ("broken", "poisoned"),
    ("evict", "expire"),
    ("fenced", "superseded"),
    ("gc", "compaction"),
    ("stale", "superseded"),
    ("stripe", "shard"),
    ("ttl", "lease time or retention"),
    ("vacuum", "compaction"),
];

/// The names that a line of public API introduces, in parts.
fn public_parts(line: &str) -> Vec<String> {
    let Some(item) = line.trim().strip_prefix("pub ") else {
        return Vec::new();
    };
    let before = [
        "async", "unsafe", "fn", "struct", "enum", "trait", "const", "static", "type", "mod",
    ];
    let mut words = words(item).into_iter().map(|(_, word)| word);
    let name = words
        .find(|word| !before.contains(word))
        .unwrap_or_default();
    let mut parts = vec![String::new()];
    for c in name.chars() {
        if c == '_'
            || (c.is_uppercase()
                && parts
                    .last()
                    .is_some_and(|part| !part.ends_with(char::is_uppercase)))
        {
            parts.push(String::new());
        }
        if c != '_' {
            parts.last_mut().expect("there is one").push(c);
        }
    }
    parts.iter().map(|part| part.to_lowercase()).collect()
}

#[test]
fn the_public_api_uses_one_word_per_thing() {
    assert_eq!(public_parts("    pub fn gc_now(&self)"), ["gc", "now"]);
    let mut faults = Vec::new();
    for source in library() {
        for (line, number) in source.code.lines().zip(1..) {
            for part in public_parts(line) {
                if let Some((word, instead)) = BANNED.iter().find(|(word, _)| *word == part) {
                    faults.push(format!("{}:{number}: `{word}`: say {instead}", source.path));
                }
            }
        }
    }
    check(&faults);
}
