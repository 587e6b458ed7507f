//! The line of an item: what it declares, not how it works.

use quote::{ToTokens, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Fields, FnArg, Generics, ImplItem, Item, Pat, Signature, TraitItem};

use super::spelling::spell;

/// Longer values of constants are left out.
const VALUE_BYTES_MAX: usize = 60;

/// Whether the documentation leaves it out.
pub(super) fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("doc")
            && attribute.to_token_stream().to_string().contains("hidden")
    })
}

/// The declaration of an item without its members; `None` if it has no name.
pub(super) fn of_item(item: &Item) -> Option<String> {
    let line = match item {
        Item::Const(it) => constant(&it.ident, &it.ty, &it.expr),
        Item::Enum(it) => headed("enum", &it.ident, &it.generics),
        Item::Fn(it) => format!("pub {}", signature(&it.sig)),
        Item::Macro(it) => format!("macro_rules! {}", it.ident.as_ref()?),
        Item::Static(it) => format!("pub static {}: {}", it.ident, spell(near((*it.ty).clone()))),
        Item::Struct(it) => {
            let is_open = it.fields.iter().all(|field| is_public(&field.vis));
            let rest = if is_open { "" } else { " { .. }" };
            headed("struct", &it.ident, &it.generics) + rest
        }
        Item::Trait(it) => {
            let (name, generics) = (&it.ident, near(it.generics.clone()));
            let (above, condition) = (&it.supertraits, &generics.where_clause);
            let colon = it.colon_token;
            spell(quote!(pub trait #name #generics #colon #above #condition))
        }
        Item::Type(it) => {
            let (name, generics, of) = (&it.ident, &it.generics, near((*it.ty).clone()));
            spell(quote!(pub type #name #generics = #of))
        }
        _ => return None,
    };
    Some(marked(crate::cfg::of_item(item), line))
}

fn headed(kind: &str, name: &syn::Ident, generics: &Generics) -> String {
    let generics = near(generics.clone());
    let condition = &generics.where_clause;
    format!("pub {kind} {}", spell(quote!(#name #generics #condition)))
}

fn constant(name: &syn::Ident, of: &syn::Type, value: &syn::Expr) -> String {
    let (of, value) = (spell(near(of.clone())), spell(value));
    let value = if value.len() > VALUE_BYTES_MAX {
        ".."
    } else {
        &value
    };
    format!("pub const {name}: {of} = {value}")
}

/// The members that belong to the declaration itself: variants, public fields, items of a trait.
pub(super) fn members(item: &Item) -> Vec<(String, String)> {
    match item {
        Item::Enum(it) => {
            let seen = it
                .variants
                .iter()
                .filter(|variant| !is_hidden(&variant.attrs));
            seen.map(variant).collect()
        }
        Item::Struct(it) => fields(&it.fields),
        Item::Trait(it) => {
            let seen = it.items.iter();
            let seen = seen.filter(|item| !is_hidden(crate::cfg::of_trait_item(item)));
            seen.filter_map(of_trait_item).collect()
        }
        _ => Vec::new(),
    }
}

fn variant(variant: &syn::Variant) -> (String, String) {
    let mut bare = near(variant.clone());
    bare.attrs.clear();
    bare.fields.iter_mut().for_each(|field| field.attrs.clear());
    (
        variant.ident.to_string(),
        marked(&variant.attrs, spell(bare)),
    )
}

fn fields(fields: &Fields) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        let name = field
            .ident
            .as_ref()
            .map_or(at.to_string(), ToString::to_string);
        if is_public(&field.vis) && !is_hidden(&field.attrs) {
            let line = format!("pub {name}: {}", spell(near(field.ty.clone())));
            found.push((name, line));
        }
    }
    found
}

fn of_trait_item(item: &TraitItem) -> Option<(String, String)> {
    let (name, mut line, is_provided) = match item {
        TraitItem::Const(it) => {
            let line = format!("const {}: {}", it.ident, spell(near(it.ty.clone())));
            (&it.ident, line, it.default.is_some())
        }
        TraitItem::Fn(it) => (&it.sig.ident, signature(&it.sig), it.default.is_some()),
        TraitItem::Type(it) => {
            let (name, generics, colon, bounds) =
                (&it.ident, &it.generics, it.colon_token, &it.bounds);
            let line = spell(quote!(type #name #generics #colon #bounds));
            (name, line, it.default.is_some())
        }
        _ => return None,
    };
    if is_provided {
        line.push_str(" { .. }");
    }
    Some((
        name.to_string(),
        marked(crate::cfg::of_trait_item(item), line),
    ))
}

/// The public item of an `impl` without a trait.
pub(super) fn of_impl_item(item: &ImplItem) -> Option<(String, String)> {
    let (name, line) = match item {
        ImplItem::Const(it) if is_public(&it.vis) => {
            (&it.ident, constant(&it.ident, &it.ty, &it.expr))
        }
        ImplItem::Fn(it) if is_public(&it.vis) => {
            (&it.sig.ident, format!("pub {}", signature(&it.sig)))
        }
        ImplItem::Macro(it) => panic!("cannot see what `{}!` makes", spell(&it.mac.path)),
        _ => return None,
    };
    Some((
        name.to_string(),
        marked(crate::cfg::of_impl_item(item), line),
    ))
}

/// The head of an `impl`, with the types that it chooses.
pub(super) fn of_impl(block: &syn::ItemImpl) -> String {
    let block = near(block.clone());
    let (params, condition, of) = (
        &block.generics,
        &block.generics.where_clause,
        &block.self_ty,
    );
    let unsafety = &block.unsafety;
    let header = match &block.trait_ {
        Some((not, path, _)) => {
            // `fmt::Debug` and a derived `Debug` are one.
            let name = path.segments.last();
            quote!(#unsafety impl #params #not #name for #of #condition)
        }
        None => quote!(impl #params #of #condition),
    };
    let chosen = block.items.iter().filter_map(|item| match item {
        ImplItem::Type(it) => Some(spell(it)),
        _ => None,
    });
    let chosen: Vec<_> = chosen.collect();
    if chosen.is_empty() {
        spell(header)
    } else {
        format!("{} {{ {} }}", spell(header), chosen.join(" "))
    }
}

/// The traits that an item derives, as the implementations that they are.
pub(super) fn derived(item: &Item) -> Vec<String> {
    let (name, generics) = match item {
        Item::Enum(it) => (&it.ident, &it.generics),
        Item::Struct(it) => (&it.ident, &it.generics),
        _ => return Vec::new(),
    };
    let (params, args, condition) = generics.split_for_impl();
    let mut found = Vec::new();
    for attribute in crate::cfg::of_item(item) {
        if attribute.path().is_ident("derive") {
            let _ = attribute.parse_nested_meta(|meta| {
                let of = &meta.path.segments.last().expect("a path has a name").ident;
                found.push(spell(quote!(impl #params #of for #name #args #condition)));
                Ok(())
            });
        }
    }
    found
}

/// What a caller sees of a function: not whether a parameter is changed within.
fn signature(signature: &Signature) -> String {
    let mut signature = near(signature.clone());
    for parameter in &mut signature.inputs {
        match parameter {
            FnArg::Receiver(it) if it.reference.is_none() => it.mutability = None,
            FnArg::Receiver(_) => {}
            FnArg::Typed(it) => {
                it.attrs.clear();
                if let Pat::Ident(name) = &mut *it.pat {
                    name.mutability = None;
                }
            }
        }
    }
    if signature.inputs.trailing_punct() {
        let last = signature.inputs.pop().expect("it has a parameter");
        signature.inputs.push(last.into_value());
    }
    spell(signature)
}

/// The marks that change what a caller may do.
fn marked(attributes: &[Attribute], line: String) -> String {
    let marks = ["non_exhaustive", "deprecated"].into_iter().filter(|mark| {
        let mut paths = attributes.iter().map(Attribute::path);
        paths.any(|path| path.is_ident(mark))
    });
    let marks: String = marks.map(|mark| format!("#[{mark}] ")).collect();
    marks + &line
}

pub(super) fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

/// The same with names instead of the paths within this crate: moving a file changes no API.
fn near<T: Near>(mut code: T) -> T {
    code.shorten();
    code
}

trait Near {
    fn shorten(&mut self);
}

struct Shorten;

impl VisitMut for Shorten {
    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        let first = &path.segments[0].ident;
        let is_within = ["crate", "self", "super"].iter().any(|word| first == word);
        if is_within && path.segments.len() > 1 {
            let last = path.segments.pop().expect("it has a name").into_value();
            *path = syn::Path::from(last);
        }
        visit_mut::visit_path_mut(self, path);
    }

    fn visit_where_clause_mut(&mut self, clause: &mut syn::WhereClause) {
        clause.predicates.pop_punct();
        visit_mut::visit_where_clause_mut(self, clause);
    }
}

macro_rules! near {
    ($($kind:ident: $visit:ident,)*) => {$(
        impl Near for syn::$kind {
            fn shorten(&mut self) {
                Shorten.$visit(self);
            }
        }
    )*};
}

near! {
    Generics: visit_generics_mut,
    ItemImpl: visit_item_impl_mut,
    Signature: visit_signature_mut,
    Type: visit_type_mut,
    Variant: visit_variant_mut,
}
