//! `#[cfg(..)]`: what remains of some code when its conditions have these answers.

use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, ImplItem, Item, Meta, Stmt, Token, TraitItem};

/// Whether a condition such as `test` or `feature = "json"` holds; `None` if that depends on the build.
pub(crate) type Answers = fn(&str, Option<&str>) -> Option<bool>;

/// All code except tests.
pub(crate) fn without_tests(name: &str, _: Option<&str>) -> Option<bool> {
    (name == "test").then_some(false)
}

/// What `--all-features` compiles on Linux.
pub(crate) fn with_all_features(name: &str, value: Option<&str>) -> Option<bool> {
    match name {
        "feature" | "unix" => Some(true),
        "doc" | "doctest" | "fuzzing" | "hapax_shuttle" | "miri" | "test" => Some(false),
        "target_os" => Some(value == Some("linux")),
        _ => None,
    }
}

/// Takes away what is never compiled under these answers.
pub(crate) fn prune(file: &mut syn::File, answers: Answers) {
    if is_out(&file.attrs, answers) {
        file.items.clear();
    }
    Prune { answers }.visit_file_mut(file);
}

/// The features that these attributes ask for.
pub(crate) fn features(attributes: &[Attribute]) -> Vec<String> {
    let mut found = Vec::new();
    for meta in conditions(attributes) {
        collect_features(&meta, &mut found);
    }
    found
}

fn collect_features(meta: &Meta, found: &mut Vec<String>) {
    if let Meta::List(list) = meta {
        for meta in nested(list) {
            collect_features(&meta, found);
        }
    } else if meta.path().is_ident("feature") {
        found.extend(text_of(meta));
    }
}

fn is_out(attributes: &[Attribute], answers: Answers) -> bool {
    conditions(attributes).any(|meta| holds(&meta, answers) == Some(false))
}

fn conditions(attributes: &[Attribute]) -> impl Iterator<Item = Meta> + '_ {
    let conditions = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"));
    conditions.map(|attribute| attribute.parse_args().expect("a cfg has one condition"))
}

fn holds(meta: &Meta, answers: Answers) -> Option<bool> {
    let name = meta.path().to_token_stream().to_string();
    let Meta::List(list) = meta else {
        return answers(&name, text_of(meta).as_deref());
    };
    let parts: Vec<_> = nested(list)
        .iter()
        .map(|meta| holds(meta, answers))
        .collect();
    match name.as_str() {
        "not" => parts[0].map(|holds| !holds),
        "all" => joined(&parts, false),
        "any" => joined(&parts, true),
        other => panic!("cfg knows no `{other}`"),
    }
}

/// The answer of one decisive part, or the one that all parts give.
fn joined(parts: &[Option<bool>], decisive: bool) -> Option<bool> {
    if parts.contains(&Some(decisive)) {
        Some(decisive)
    } else if parts.contains(&None) {
        None
    } else {
        Some(!decisive)
    }
}

fn nested(list: &syn::MetaList) -> Punctuated<Meta, Token![,]> {
    list.parse_args_with(Punctuated::parse_terminated)
        .expect("conditions are separated by commas")
}

/// The string of `name = "string"`.
fn text_of(meta: &Meta) -> Option<String> {
    match &meta.require_name_value().ok()?.value {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}

struct Prune {
    answers: Answers,
}

impl Prune {
    fn keeps(&self, attributes: &[Attribute]) -> bool {
        !is_out(attributes, self.answers)
    }

    fn keep<T, P: Default>(&self, list: &mut Punctuated<T, P>, attributes: fn(&T) -> &[Attribute]) {
        let all = std::mem::take(list);
        let kept = all.into_iter().filter(|one| self.keeps(attributes(one)));
        *list = kept.collect();
    }
}

impl VisitMut for Prune {
    fn visit_file_mut(&mut self, file: &mut syn::File) {
        file.items.retain(|item| self.keeps(of_item(item)));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| self.keeps(of_item(item)));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, block: &mut syn::ItemImpl) {
        block.items.retain(|item| self.keeps(of_impl_item(item)));
        visit_mut::visit_item_impl_mut(self, block);
    }

    fn visit_item_trait_mut(&mut self, it: &mut syn::ItemTrait) {
        it.items.retain(|item| self.keeps(of_trait_item(item)));
        visit_mut::visit_item_trait_mut(self, it);
    }

    fn visit_item_enum_mut(&mut self, it: &mut syn::ItemEnum) {
        self.keep(&mut it.variants, |variant| &variant.attrs);
        visit_mut::visit_item_enum_mut(self, it);
    }

    fn visit_fields_mut(&mut self, fields: &mut syn::Fields) {
        match fields {
            syn::Fields::Named(fields) => self.keep(&mut fields.named, |field| &field.attrs),
            syn::Fields::Unnamed(fields) => self.keep(&mut fields.unnamed, |field| &field.attrs),
            syn::Fields::Unit => {}
        }
        visit_mut::visit_fields_mut(self, fields);
    }

    fn visit_block_mut(&mut self, block: &mut syn::Block) {
        block.stmts.retain(|stmt| self.keeps(&of_stmt(stmt)));
        visit_mut::visit_block_mut(self, block);
    }

    fn visit_expr_match_mut(&mut self, it: &mut syn::ExprMatch) {
        it.arms.retain(|arm| self.keeps(&arm.attrs));
        visit_mut::visit_expr_match_mut(self, it);
    }

    fn visit_expr_struct_mut(&mut self, it: &mut syn::ExprStruct) {
        self.keep(&mut it.fields, |field| &field.attrs);
        visit_mut::visit_expr_struct_mut(self, it);
    }
}

pub(crate) fn of_item(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::ExternCrate(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::ForeignMod(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::TraitAlias(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

pub(crate) fn of_impl_item(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(it) => &it.attrs,
        ImplItem::Fn(it) => &it.attrs,
        ImplItem::Macro(it) => &it.attrs,
        ImplItem::Type(it) => &it.attrs,
        _ => &[],
    }
}

pub(crate) fn of_trait_item(item: &TraitItem) -> &[Attribute] {
    match item {
        TraitItem::Const(it) => &it.attrs,
        TraitItem::Fn(it) => &it.attrs,
        TraitItem::Macro(it) => &it.attrs,
        TraitItem::Type(it) => &it.attrs,
        _ => &[],
    }
}

fn of_stmt(stmt: &Stmt) -> Vec<Attribute> {
    match stmt {
        Stmt::Item(item) => of_item(item).to_vec(),
        Stmt::Local(it) => it.attrs.clone(),
        Stmt::Macro(it) => it.attrs.clone(),
        Stmt::Expr(it, _) => leading(it),
    }
}

/// The attributes that an expression begins with: each of its forty kinds has them in its own field.
fn leading(it: &syn::Expr) -> Vec<Attribute> {
    let tokens = it.to_token_stream();
    let parser = |input: syn::parse::ParseStream<'_>| {
        let attributes = Attribute::parse_outer(input)?;
        let _rest: proc_macro2::TokenStream = input.parse()?;
        Ok(attributes)
    };
    Parser::parse2(parser, tokens).unwrap_or_default()
}

#[test]
fn what_is_never_compiled_is_taken_away() {
    let text = r#"
        #[cfg(test)] mod a;
        #[cfg(all(test, loom))] fn b() {}
        #[cfg(not(test))] fn c() { #[cfg(test)] { d(); } #[cfg(any(test, x))] e(); }
        #[cfg(not(feature = "f"))] use g;
        struct H { #[cfg(test)] i: u8, j: u8 }
        enum K { #[cfg(test)] L, M }
        impl H { #[cfg(test)] fn n() {} fn o() { match p { #[cfg(test)] q => 1, r => 2 } } }
    "#;
    let left = |answers: Answers| {
        let mut file = syn::parse_file(text).expect("it is Rust");
        prune(&mut file, answers);
        let tokens = file.to_token_stream().to_string();
        [
            "a", "b", "c", "d", "e", "g", "i", "j", "L", "M", "n", "q", "r",
        ]
        .into_iter()
        .filter(|name| {
            tokens
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| word == *name)
        })
        .collect::<String>()
    };
    assert_eq!(left(without_tests), "cegjMr");
    assert_eq!(left(with_all_features), "cejMr");
}
