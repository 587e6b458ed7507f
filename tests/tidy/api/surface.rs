//! What the users of a library can name, and under which path.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemImpl};

use super::declaration::{derived, is_hidden, is_public, members, of_impl, of_impl_item, of_item};
use crate::cfg::{self, features};
use crate::modules::{Import, Package, leaves, name_of};
use crate::names::Found;

/// The lines of a library, sorted: of each path first what it is, then what it implements.
pub(super) fn lines(package: &Package) -> Vec<String> {
    let mut surface = Surface {
        package,
        public: BTreeMap::new(),
        lines: BTreeSet::new(),
    };
    surface.walk();
    for id in 0..package.modules.len() {
        for item in &package.modules[id].items {
            match item {
                Item::Impl(block) if !is_hidden(&block.attrs) => surface.implementation(id, block),
                _ => {}
            }
        }
    }
    surface.lines.into_iter().map(Line::told).collect()
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    path: String,
    is_impl: bool,
    text: String,
    features: BTreeSet<String>,
}

impl Line {
    fn told(self) -> String {
        let mut line = format!("{}: {}", self.path, self.text);
        if !self.features.is_empty() {
            let features: Vec<_> = self.features.into_iter().collect();
            line.push_str(&format!(" [{}]", features.join(", ")));
        }
        line
    }
}

/// An item by the module in which it stands.
type Place = (usize, String);

struct Surface<'a> {
    package: &'a Package,
    /// The public path of each item that has one.
    public: BTreeMap<Place, String>,
    lines: BTreeSet<Line>,
}

/// A public module that is still to be listed.
struct Open {
    module: usize,
    path: String,
    features: BTreeSet<String>,
}

impl Surface<'_> {
    /// Lists what the public modules show, those near the root first: they have the shortest paths.
    fn walk(&mut self) {
        let (name, root) = self.package.library.clone().expect("it is a library");
        let mut open = VecDeque::from([Open {
            module: root,
            path: name,
            features: BTreeSet::new(),
        }]);
        while let Some(next) = open.pop_front() {
            self.module(&next, &mut open);
        }
    }

    fn module(&mut self, at: &Open, open: &mut VecDeque<Open>) {
        let package = self.package;
        for item in &package.modules[at.module].items {
            let attributes = cfg::of_item(item);
            let features = &at.features | &features(attributes).into_iter().collect();
            match item {
                _ if is_hidden(attributes) => {}
                Item::Use(it) if is_public(&it.vis) => {
                    for import in leaves(it) {
                        self.export(at, &import, &features, open);
                    }
                }
                Item::Mod(it) if is_public(&it.vis) => {
                    let name = it.ident.to_string();
                    let child = package.modules[at.module].children[&name][0];
                    self.open(child, format!("{}::{name}", at.path), &features, open);
                }
                item if is_seen(item) => {
                    let name = name_of(item).expect("what is seen has a name");
                    let path = format!("{}::{name}", at.path);
                    self.item((at.module, name), path, &features);
                }
                _ => {}
            }
        }
    }

    fn open(
        &mut self,
        module: usize,
        path: String,
        features: &BTreeSet<String>,
        open: &mut VecDeque<Open>,
    ) {
        self.tell(&path, false, "pub mod".to_owned(), features.clone());
        open.push_back(Open {
            module,
            path,
            features: features.clone(),
        });
    }

    /// A `pub use`.
    fn export(
        &mut self,
        at: &Open,
        import: &Import,
        features: &BTreeSet<String>,
        open: &mut VecDeque<Open>,
    ) {
        assert_ne!(
            import.name, "*",
            "{}: a wildcard hides what it exports",
            at.path
        );
        let path = format!("{}::{}", at.path, import.name);
        for found in self.package.resolve(at.module, &import.path) {
            match found {
                Found::Elsewhere(other) => {
                    let text = format!("pub use {}", other.join("::"));
                    self.tell(&path, false, text, features.clone());
                }
                Found::Module(module) => self.open(module, path.clone(), features, open),
                Found::Item(module, name) => self.item((module, name), path.clone(), features),
            }
        }
    }

    /// An item under a path; only the first path shows its members.
    fn item(&mut self, place: Place, path: String, around: &BTreeSet<String>) {
        if let Some(first) = self.public.get(&place) {
            if *first != path {
                self.tell(&path, false, format!("pub use {first}"), around.clone());
            }
            return;
        }
        let module = &self.package.modules[place.0];
        for item in &module.items {
            let attributes = cfg::of_item(item);
            if name_of(item).as_ref() != Some(&place.1) || is_hidden(attributes) {
                continue;
            }
            let mut all = around | &module.features;
            all.extend(features(attributes));
            let line = of_item(item).expect("a public item has a declaration");
            self.tell(&path, false, line, all.clone());
            for (name, line) in members(item) {
                self.tell(&format!("{path}::{name}"), false, line, all.clone());
            }
            for line in derived(item) {
                self.tell(&path, true, line, all.clone());
            }
        }
        self.public.insert(place, path);
    }

    fn implementation(&mut self, module: usize, block: &ItemImpl) {
        let mut around = self.package.modules[module].features.clone();
        around.extend(features(&block.attrs));
        let Some(path) = self.owner(module, block) else {
            return;
        };
        if block.trait_.is_some() {
            self.tell(&path, true, of_impl(block), around);
            return;
        }
        let bounds = if block.generics.params.is_empty() {
            String::new()
        } else {
            format!(" in {}", of_impl(block))
        };
        for item in &block.items {
            let attributes: &[Attribute] = cfg::of_impl_item(item);
            if let (false, Some((name, line))) = (is_hidden(attributes), of_impl_item(item)) {
                let mut all = around.clone();
                all.extend(features(attributes));
                self.tell(&format!("{path}::{name}"), false, line + &bounds, all);
            }
        }
    }

    /// The path under which an implementation is listed: that of the first public item that it names, the
    /// type before the trait. `None`, if it is about an item that users cannot name.
    fn owner(&self, module: usize, block: &ItemImpl) -> Option<String> {
        let mut paths = Paths::default();
        paths.visit_type(&block.self_ty);
        let mut of_trait = Paths::default();
        if let Some((_, path, _)) = &block.trait_ {
            of_trait.visit_path(path);
            // The parameters of a trait are nearer than the trait.
            of_trait.0.rotate_left(1);
        }
        paths.0.extend(of_trait.0);
        let mut owner = None;
        for path in paths.0 {
            for found in self.package.resolve(module, &path) {
                if let Found::Item(module, name) = found {
                    let path = self.public.get(&(module, name))?;
                    owner.get_or_insert(path);
                }
            }
        }
        owner.cloned()
    }

    fn tell(&mut self, path: &str, is_impl: bool, text: String, features: BTreeSet<String>) {
        self.lines.insert(Line {
            path: path.to_owned(),
            is_impl,
            text,
            features,
        });
    }
}

/// Every path in a type, from the outside in.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path.segments.iter();
        self.0
            .push(names.map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

fn is_seen(item: &Item) -> bool {
    match item {
        Item::Const(it) => is_public(&it.vis),
        Item::Enum(it) => is_public(&it.vis),
        Item::Fn(it) => is_public(&it.vis),
        Item::Static(it) => is_public(&it.vis),
        Item::Struct(it) => is_public(&it.vis),
        Item::Trait(it) => is_public(&it.vis),
        Item::Type(it) => is_public(&it.vis),
        _ => false,
    }
}
