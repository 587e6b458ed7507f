//! Who imports what: every path of a package, from the file that writes it to the file that has the item.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::modules::{Import, Package, Path, leaves};
use crate::names::Found;

/// For each file the files that it imports from, each with the names that tie the two.
pub(crate) type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

pub(crate) fn imports(package: &Package) -> Imports {
    let mut found = Imports::new();
    for id in 0..package.modules.len() {
        found.entry(package.modules[id].file.clone()).or_default();
        let mut walk = Walk {
            package,
            module: id,
            local: Vec::new(),
            found: &mut found,
        };
        for item in &package.modules[id].items {
            walk.visit_item(item);
        }
    }
    found
}

struct Walk<'a> {
    package: &'a Package,
    module: usize,
    /// What the blocks around this place import.
    local: Vec<Import>,
    found: &'a mut Imports,
}

impl Walk<'_> {
    fn import(&mut self, import: &Import) {
        let found = self.package.resolve(self.module, &import.path);
        for found in found {
            match found {
                // An item that is only re-exported from below is not an import of this file.
                Found::Item(module, _)
                    if import.is_export && self.package.is_within(module, self.module) => {}
                Found::Module(module) if import.name == "*" => {
                    for found in self.package.everything(module) {
                        self.tie(&found);
                    }
                }
                found => self.tie(&found),
            }
        }
    }

    /// A path within code.
    fn path(&mut self, path: &Path) {
        let around = self.local.iter().rev();
        let local = around.clone().find(|import| import.name == path[0]);
        let whole = match local {
            Some(import) => [&import.path, &path[1..]].concat(),
            None => path.clone(),
        };
        for found in self.package.resolve(self.module, &whole) {
            self.tie(&found);
        }
    }

    /// Naming a module is not an import; taking an item out of it is.
    fn tie(&mut self, found: &Found) {
        let Found::Item(module, name) = found else {
            return;
        };
        let from = &self.package.modules[self.module].file;
        let to = &self.package.modules[*module].file;
        if from != to {
            let ties = self.found.entry(from.clone()).or_default();
            ties.entry(to.clone()).or_default().insert(name.clone());
        }
    }

    /// The paths among the tokens of a macro or an attribute.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(word) if word == "use" => {
                    at += self.macro_import(&tokens[at..]);
                    continue;
                }
                TokenTree::Ident(_) => {
                    let path = path_at(&tokens[at..]);
                    let is_field = at > 0 && is_punct(&tokens[at - 1], '.');
                    at += 3 * (path.len() - 1);
                    if !is_field && (path.len() > 1 || is_type(&path[0])) {
                        self.path(&path);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// A `use` in the body of a macro: gives how many tokens it has.
    fn macro_import(&mut self, tokens: &[TokenTree]) -> usize {
        let end = tokens.iter().position(|token| is_punct(token, ';'));
        let end = end.map_or(tokens.len(), |end| end + 1);
        let item = tokens[..end].iter().cloned().collect();
        if let Ok(item) = syn::parse2::<syn::ItemUse>(item) {
            for import in leaves(&item) {
                self.import(&import);
            }
        }
        end
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    /// A module within a file is a separate module of the package.
    fn visit_item_mod(&mut self, _: &'ast syn::ItemMod) {}

    /// `pub(in crate::a)` takes nothing out of `a`.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for import in leaves(item) {
            self.import(&import);
        }
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        let outside = self.local.len();
        for stmt in &block.stmts {
            if let syn::Stmt::Item(syn::Item::Use(item)) = stmt {
                self.local.extend(leaves(item));
            }
        }
        visit::visit_block(self, block);
        self.local.truncate(outside);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = names(path);
        if names.len() > 1 || is_type(&names[0]) {
            self.path(&names);
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let syn::Expr::Path(called) = &*call.func {
            self.path(&names(&called.path));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.path(&names(&call.path));
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
            if attribute.path().is_ident("serde") {
                for path in quoted_paths(list) {
                    self.path(&path);
                }
            }
        }
    }
}

/// The functions that `#[serde(with = "a::b")]` names.
fn quoted_paths(list: &syn::MetaList) -> Vec<Path> {
    let mut found = Vec::new();
    // An option of another form ends the list: those with paths are parsed before.
    let _ = list.parse_nested_meta(|meta| {
        if let Ok(value) = meta.value() {
            let text: syn::LitStr = value.parse()?;
            found.extend(text.parse::<syn::Path>().ok().map(|path| names(&path)));
        }
        Ok(())
    });
    found
}

fn names(path: &syn::Path) -> Path {
    let names = path.segments.iter();
    names.map(|segment| segment.ident.to_string()).collect()
}

/// Types begin with a capital; a single name in lower case may be a variable.
fn is_type(name: &str) -> bool {
    name.starts_with(char::is_uppercase)
}

/// The names that `::` joins at the front.
fn path_at(tokens: &[TokenTree]) -> Path {
    let mut path = Path::new();
    for part in tokens.chunks(3) {
        match part {
            [TokenTree::Ident(name), rest @ ..] => {
                path.push(name.to_string());
                if !matches!(rest, [one, two] if is_punct(one, ':') && is_punct(two, ':')) {
                    break;
                }
            }
            _ => break,
        }
    }
    path
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}
