//! What the `macro_rules!` of a file make of its items.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Item, Result};

/// The items, with each call of a macro replaced by what it makes. Knows the macros that stand among the items;
/// a call of another one, such as `pin_project!`, counts as the items that it wraps.
pub(super) fn expand(items: Vec<Item>) -> Vec<Item> {
    let mut macros = BTreeMap::new();
    for item in &items {
        if let Item::Macro(defined) = item {
            let rules = |name: &Ident| (name.to_string(), rules(defined.mac.tokens.clone()));
            macros.extend(defined.ident.as_ref().map(rules));
        }
    }
    expand_with(items, &macros)
}

fn expand_with(items: Vec<Item>, macros: &BTreeMap<String, Vec<Rule>>) -> Vec<Item> {
    let mut found = Vec::new();
    for item in items {
        match &item {
            Item::Macro(call) if call.ident.is_none() => {
                let name = call.mac.path.to_token_stream().to_string();
                let made = match macros.get(&name) {
                    Some(rules) => made(rules, &call.mac.tokens),
                    None => Some(call.mac.tokens.clone()),
                };
                let made = made.and_then(|made| syn::parse2::<syn::File>(made).ok());
                let made = made.unwrap_or_else(|| panic!("cannot see what `{name}!` makes"));
                found.extend(expand_with(made.items, macros));
            }
            _ => found.push(item),
        }
    }
    found
}

struct Rule {
    pattern: Vec<Part>,
    body: Vec<Part>,
}

/// A part of a pattern or of a body.
enum Part {
    Token(TokenTree),
    Group(Delimiter, Vec<Part>),
    /// `$name:kind`; a body names no kind.
    Variable(String, String),
    Repeat(Vec<Part>, Option<TokenTree>),
}

/// What a variable stands for: several things, within a repetition.
#[derive(Clone)]
enum Binding {
    One(TokenStream),
    Many(Vec<Binding>),
}

type Bindings = BTreeMap<String, Binding>;

fn rules(tokens: TokenStream) -> Vec<Rule> {
    let groups = tokens.into_iter().filter_map(|token| match token {
        TokenTree::Group(group) => Some(group.stream()),
        _ => None,
    });
    let groups: Vec<_> = groups.collect();
    let rule = |pair: &[TokenStream]| Rule {
        pattern: parts(pair[0].clone(), true),
        body: parts(pair[1].clone(), false),
    };
    groups.chunks(2).map(rule).collect()
}

fn parts(tokens: TokenStream, is_pattern: bool) -> Vec<Part> {
    let mut rest = tokens.into_iter().peekable();
    let mut found = Vec::new();
    while let Some(token) = rest.next() {
        let part = match token {
            TokenTree::Punct(sign) if sign.as_char() == '$' => match rest.next() {
                Some(TokenTree::Ident(name)) => {
                    let kind = is_pattern.then(|| rest.nth(1)).flatten();
                    let kind = kind.map_or(String::new(), |kind| kind.to_string());
                    Part::Variable(name.to_string(), kind)
                }
                Some(TokenTree::Group(group)) => {
                    // The sign that says how often, perhaps after a separator.
                    let next = rest
                        .next()
                        .filter(|next| !"*+?".contains(&next.to_string()));
                    if next.is_some() {
                        rest.next();
                    }
                    Part::Repeat(parts(group.stream(), is_pattern), next)
                }
                other => panic!("`$` before {other:?}"),
            },
            TokenTree::Group(group) => {
                Part::Group(group.delimiter(), parts(group.stream(), is_pattern))
            }
            token => Part::Token(token),
        };
        found.push(part);
    }
    found
}

/// What the first rule that fits makes of some tokens.
fn made(rules: &[Rule], tokens: &TokenStream) -> Option<TokenStream> {
    rules.iter().find_map(|rule| {
        let bound = matched(&rule.pattern, tokens.clone()).ok()?;
        Some(written(&rule.body, &bound))
    })
}

/// Matches all the tokens.
fn matched(pattern: &[Part], tokens: TokenStream) -> Result<Bindings> {
    let all = |input: ParseStream<'_>| {
        let mut bound = Bindings::new();
        match_parts(pattern, input, &mut bound)?;
        Ok(bound)
    };
    all.parse2(tokens)
}

fn match_parts(pattern: &[Part], input: ParseStream<'_>, bound: &mut Bindings) -> Result<()> {
    for part in pattern {
        match part {
            Part::Token(token) => match_token(token, input)?,
            Part::Group(delimiter, inside) => match input.parse::<TokenTree>()? {
                TokenTree::Group(group) if group.delimiter() == *delimiter => {
                    bound.extend(matched(inside, group.stream())?);
                }
                _ => return Err(input.error("another group")),
            },
            Part::Variable(name, kind) => {
                let tokens = fragment(kind, input)?;
                bound.insert(name.clone(), Binding::One(tokens));
            }
            Part::Repeat(inside, separator) => {
                match_repeat(inside, separator.as_ref(), input, bound);
            }
        }
    }
    Ok(())
}

fn match_token(token: &TokenTree, input: ParseStream<'_>) -> Result<()> {
    let next: TokenTree = input.parse()?;
    if next.to_string() == token.to_string() {
        Ok(())
    } else {
        Err(input.error("another token"))
    }
}

/// As often as it matches.
fn match_repeat(
    inside: &[Part],
    separator: Option<&TokenTree>,
    input: ParseStream<'_>,
    bound: &mut Bindings,
) {
    let mut each = Vec::new();
    while !input.is_empty() {
        let ahead = input.fork();
        let mut once = Bindings::new();
        let separated = match separator {
            Some(separator) if !each.is_empty() => match_token(separator, &ahead),
            _ => Ok(()),
        };
        if separated.is_err() || match_parts(inside, &ahead, &mut once).is_err() {
            break;
        }
        syn::parse::discouraged::Speculative::advance_to(input, &ahead);
        each.push(once);
    }
    for name in variables(inside) {
        let values = each.iter().map(|once| once[name].clone());
        bound.insert(name.to_owned(), Binding::Many(values.collect()));
    }
}

fn fragment(kind: &str, input: ParseStream<'_>) -> Result<TokenStream> {
    Ok(match kind {
        "expr" => input.parse::<syn::Expr>()?.into_token_stream(),
        "ident" => input.call(Ident::parse_any)?.into_token_stream(),
        "literal" => input.parse::<syn::Lit>()?.into_token_stream(),
        "meta" => input.parse::<syn::Meta>()?.into_token_stream(),
        "path" => input.parse::<syn::Path>()?.into_token_stream(),
        "tt" => input.parse::<TokenTree>()?.into_token_stream(),
        "ty" => input.parse::<syn::Type>()?.into_token_stream(),
        "vis" => input.parse::<syn::Visibility>()?.into_token_stream(),
        other => panic!("this reader of macros does not know `{other}`"),
    })
}

/// The variables in some parts.
fn variables(parts: &[Part]) -> Vec<&str> {
    let inside = parts.iter().map(|part| match part {
        Part::Variable(name, _) => vec![name.as_str()],
        Part::Group(_, parts) | Part::Repeat(parts, _) => variables(parts),
        Part::Token(_) => Vec::new(),
    });
    inside.flatten().collect()
}

fn written(body: &[Part], bound: &Bindings) -> TokenStream {
    let mut tokens = TokenStream::new();
    for part in body {
        match part {
            Part::Token(token) => tokens.extend([token.clone()]),
            Part::Group(delimiter, inside) => {
                let group = Group::new(*delimiter, written(inside, bound));
                tokens.extend([TokenTree::Group(group)]);
            }
            Part::Variable(name, _) => match bound.get(name) {
                Some(Binding::One(value)) => tokens.extend(value.clone()),
                Some(Binding::Many(_)) => panic!("`${name}` stands outside of its repetition"),
                // `$crate`
                None => tokens.extend(name.parse::<TokenStream>().expect("it is a word")),
            },
            Part::Repeat(inside, separator) => {
                tokens.extend(repeated(inside, separator.as_ref(), bound));
            }
        }
    }
    tokens
}

fn repeated(inside: &[Part], separator: Option<&TokenTree>, bound: &Bindings) -> TokenStream {
    let names = variables(inside);
    let many: Vec<(&str, &Vec<Binding>)> = names
        .into_iter()
        .filter_map(|name| match bound.get(name)? {
            Binding::Many(values) => Some((name, values)),
            Binding::One(_) => None,
        })
        .collect();
    let times = many.first().map_or(0, |(_, values)| values.len());
    let mut tokens = TokenStream::new();
    for time in 0..times {
        let mut once = bound.clone();
        let values = many
            .iter()
            .map(|(name, values)| ((*name).to_owned(), values[time].clone()));
        once.extend(values);
        if time > 0 {
            tokens.extend(separator.cloned());
        }
        tokens.extend(written(inside, &once));
    }
    tokens
}

#[test]
fn macros_are_expanded() {
    let expanded = |text: &str| {
        let file = syn::parse_file(text).expect("it is Rust");
        let items = expand(file.items).into_iter();
        let items = items.filter(|item| !matches!(item, Item::Macro(_)));
        let tokens: TokenStream = items.map(ToTokens::into_token_stream).collect();
        super::spelling::spell(tokens)
    };
    let fields = "macro_rules! m { ($type:ident { $($(#[$doc:meta])* $name:ident: $of:ty = $value:expr),* }) => {
            struct $type { $($(#[$doc])* $name: $of,)* }
            impl $type { const ALL: &[u8] = &[$($value),*]; $(fn $name(&self) -> $of { $crate::n!($value) })* }
        } }
        m!(A { #[b] #[c] d: Vec<u8> = 1 + 1, e: u8 = 2 });";
    assert_eq!(
        expanded(fields),
        "struct A { #[b] #[c] d: Vec<u8>, e: u8, } impl A { const ALL: &[u8] = &[1 + 1, 2]; \
         fn d(&self) -> Vec<u8> { crate::n!(1 + 1) } fn e(&self) -> u8 { crate::n!(2) } }"
    );
    let rules = "macro_rules! m { (a $x:literal) => { const A: u8 = $x; }; (b) => { m! { a 1 } }; } m! { b }";
    assert_eq!(expanded(rules), "const A: u8 = 1;");
    assert_eq!(expanded("wrap! { pub struct A; }"), "pub struct A;");
}
