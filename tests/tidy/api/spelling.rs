//! Tokens as people write them: spaces where the standard style has them.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// Some code in one line.
pub(super) fn spell(code: impl ToTokens) -> String {
    let mut words = Vec::new();
    collect(code.to_token_stream(), &mut words);
    let mut line = String::new();
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |at| &words[at]);
        let further = at.checked_sub(2).map_or("", |at| &words[at]);
        if !line.is_empty() && is_apart(further, before, word) {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Names, literals, signs and brackets, one by one.
fn collect(tokens: TokenStream, words: &mut Vec<String>) {
    let mut joint = false;
    for token in tokens {
        let continues = std::mem::take(&mut joint);
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                words.push(open.to_owned());
                collect(group.stream(), words);
                words.push(close.to_owned());
            }
            TokenTree::Punct(sign) => {
                joint = sign.spacing() == Spacing::Joint;
                match words.last_mut() {
                    Some(last) if continues && is_one(last, sign.as_char()) => {
                        last.push(sign.as_char());
                    }
                    _ => words.push(sign.to_string()),
                }
            }
            TokenTree::Ident(name) => match words.last_mut() {
                // A lifetime.
                Some(last) if last == "'" => last.push_str(&name.to_string()),
                _ => words.push(name.to_string()),
            },
            TokenTree::Literal(literal) => words.push(literal.to_string()),
        }
    }
}

/// Whether two signs are one operator. `>>` may close two lists, and `&&` may be two references.
fn is_one(first: &str, second: char) -> bool {
    let both = format!("{first}{second}");
    let operators = [
        "->", "=>", "::", "..", "...", "..=", "==", "<=", ">=", "!=", "<<", "||",
    ];
    operators.contains(&both.as_str())
}

fn is_apart(further: &str, left: &str, right: &str) -> bool {
    let is_word =
        |word: &str| word.starts_with(|c: char| c.is_alphanumeric() || "_'\"".contains(c));
    let takes_brackets = |word: &str| {
        [
            "dyn", "for", "impl", "in", "mut", "const", "where", "as", "return", "else",
        ]
        .contains(&word)
    };
    match (left, right) {
        ("{", "}") | ("", _) | (_, "") => false,
        ("(" | "[" | "<" | "&" | "::" | "#" | "$", _) => left == "<" && right == "=",
        (_, "," | ";" | ":" | "." | ")" | "]" | ">") => false,
        ("?" | ".", _) => false,
        ("!", _) => is_word(further) && right == "{",
        ("*", "const" | "mut") => false,
        (_, "!") => !is_word(left),
        (_, "?") => [":", "+"].contains(&left),
        (_, "::") => !(is_word(left) || left == ">"),
        (_, "(" | "[") => {
            let is_name = is_word(left) && !left.starts_with('\'') && !takes_brackets(left);
            !is_name && ![">", ")", "]"].contains(&left)
        }
        (_, "<") => left == "->" || left == ":" || left == "=" || left == "," || left == "{",
        (_, "..") => left == "{" || left == ",",
        ("..", _) => right == "}",
        _ => true,
    }
}

#[test]
fn code_is_spelled_as_people_write_it() {
    for line in [
        "pub fn a<'b, T: ?Sized + C<'b>>(&'b self, d: &mut [u8; 3], e: impl Fn(&str) -> Option<F>) -> Result<(), G>",
        "impl<T> From<T> for H<T, 3> where T: Into<Box<dyn I + 'static>> { type J = <T as K>::L; }",
        "pub const M: u64 = 7 * (1 << 10) - 2;",
        "pub type N = fn(*const O, [P; 2], &'static [P]) -> !;",
        "#[non_exhaustive] pub struct Q<const R: usize>(pub S, T) where [U; R]: V;",
        "W { x: y::Z, .. }",
        "for<'a> &'a B: C",
    ] {
        let tokens: TokenStream = line.parse().expect("it is Rust");
        assert_eq!(spell(tokens), line);
    }
}
