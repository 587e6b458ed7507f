//! What a path stands for in a module. Re-exports lead to the item itself.

use std::collections::BTreeSet;

use crate::modules::{Import, Package, Path};

/// What a path stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Found {
    Module(usize),
    /// The module in which the item stands, and its name there.
    Item(usize, String),
    /// A path into another crate, or a name that means something here alone, such as a parameter's.
    Elsewhere(Path),
}

impl Package {
    /// Everything that a path stands for where `module` writes it.
    pub(crate) fn resolve(&self, module: usize, path: &[String]) -> BTreeSet<Found> {
        let mut search = Search {
            package: self,
            seen: BTreeSet::new(),
        };
        search.follow(module, path)
    }

    /// Everything that `use module::*` brings.
    pub(crate) fn everything(&self, module: usize) -> BTreeSet<Found> {
        let at = &self.modules[module];
        let exports = at.imports.iter().filter(|import| import.is_export);
        let names = exports.map(|import| &import.name).chain(&at.defined);
        names
            .flat_map(|name| self.resolve(module, &["self".to_owned(), name.clone()]))
            .collect()
    }
}

/// Imports that name each other would make ever longer paths.
const PATH_MAX: usize = 32;

struct Search<'a> {
    package: &'a Package,
    /// Where it has been: re-exports may lead in a circle.
    seen: BTreeSet<(usize, Path)>,
}

impl Search<'_> {
    /// Follows a path as a module writes it.
    fn follow(&mut self, module: usize, path: &[String]) -> BTreeSet<Found> {
        let at = &self.package.modules[module];
        let (first, rest) = path.split_first().expect("a path has a name");
        match first.as_str() {
            "crate" => self.descend(at.root, rest, true),
            "self" => self.descend(module, rest, true),
            "super" => {
                let above = at.parent.expect("nothing is above the root");
                match rest.first() {
                    Some(next) if next == "super" => self.follow(above, rest),
                    _ => self.descend(above, rest, true),
                }
            }
            _ => {
                let found = self.descend(module, path, false);
                match &self.package.library {
                    _ if !found.is_empty() => found,
                    Some((name, root)) if name == first => self.descend(*root, rest, true),
                    _ => [Found::Elsewhere(path.to_vec())].into(),
                }
            }
        }
    }

    /// Follows a path into a module. A macro makes what the module must have (`is_there`) and does not show.
    fn descend(&mut self, module: usize, path: &[String], is_there: bool) -> BTreeSet<Found> {
        let Some((first, rest)) = path.split_first() else {
            return [Found::Module(module)].into();
        };
        if path.len() > PATH_MAX || !self.seen.insert((module, path.to_vec())) {
            return BTreeSet::new();
        }
        let at = &self.package.modules[module];
        let children = at.children.get(first).map_or(&[][..], Vec::as_slice);
        if !rest.is_empty() && !children.is_empty() {
            let below = children.iter();
            return below.flat_map(|id| self.descend(*id, rest, true)).collect();
        }
        let mut found = self.imported(module, path);
        if at.defined.contains(first) {
            found.insert(Found::Item(module, first.clone()));
        }
        if found.is_empty() {
            found.extend(children.iter().map(|id| Found::Module(*id)));
        }
        if found.is_empty() && is_there {
            found.insert(Found::Item(module, first.clone()));
        }
        found
    }

    /// Follows a path through the imports of a module.
    fn imported(&mut self, module: usize, path: &[String]) -> BTreeSet<Found> {
        let at = &self.package.modules[module];
        let named = at.imports.iter().filter(|import| import.name == path[0]);
        let found: BTreeSet<_> = named
            .flat_map(|import| self.through(module, import, &path[1..]))
            .collect();
        let is_known = at.defined.contains(&path[0]) || at.children.contains_key(&path[0]);
        if !found.is_empty() || is_known {
            return found;
        }
        let globs = at.imports.iter().filter(|import| import.name == "*");
        globs
            .flat_map(|import| self.package.resolve(module, &import.path))
            .flat_map(|place| match place {
                Found::Module(id) => self.descend(id, path, false),
                Found::Item(..) | Found::Elsewhere(_) => BTreeSet::new(),
            })
            .collect()
    }

    fn through(&mut self, module: usize, import: &Import, rest: &[String]) -> BTreeSet<Found> {
        let whole = [&import.path, rest].concat();
        let names_itself = import.path[0] == import.name;
        let children = &self.package.modules[module].children;
        if !names_itself || children.contains_key(&import.name) && import.path.len() > 1 {
            return self.follow(module, &whole);
        }
        // `use bytes::bytes` means the crate, not itself.
        match import.path.len() {
            1 => BTreeSet::new(),
            _ => [Found::Elsewhere(whole)].into(),
        }
    }
}
