//! The modules of a package as the compiler sees them: their files, their items, and what each imports.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Item, UseTree, Visibility};

use crate::cfg::{self, Answers};

/// Names that `::` joins.
pub(crate) type Path = Vec<String>;

/// Every module of a package, of its library and of its binaries.
pub(crate) struct Package {
    pub(crate) modules: Vec<Module>,
    /// The name and the root of its library.
    pub(crate) library: Option<(String, usize)>,
}

/// A module, in its own file or within the file of another.
pub(crate) struct Module {
    pub(crate) file: String,
    pub(crate) items: Vec<Item>,
    /// The features without which the module is left out.
    pub(crate) features: BTreeSet<String>,
    pub(crate) root: usize,
    pub(crate) parent: Option<usize>,
    pub(crate) children: BTreeMap<String, Vec<usize>>,
    pub(crate) imports: Vec<Import>,
    /// The names of the items that stand here.
    pub(crate) defined: BTreeSet<String>,
    /// Where the files of its children lie.
    folder: String,
}

/// One leaf of a `use`.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    /// What it is called here; `_` for a trait without a name, `*` for everything.
    pub(crate) name: String,
    pub(crate) path: Path,
    /// Other modules can name it too.
    pub(crate) is_export: bool,
}

/// How to read a package.
pub(crate) struct Reader<'a> {
    /// The text of a file, if it exists.
    pub(crate) text: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) answers: Answers,
    /// What the macros among some items make of them.
    pub(crate) expand: fn(Vec<Item>) -> Vec<Item>,
}

impl Package {
    /// Reads these files (`lib.rs`, `main.rs`) and every module that they declare.
    pub(crate) fn read(name: &str, roots: &[String], reader: &Reader<'_>) -> Self {
        let mut package = Self {
            modules: Vec::new(),
            library: None,
        };
        for file in roots {
            let id = package.modules.len();
            if file.ends_with("/lib.rs") {
                package.library = Some((name.replace('-', "_"), id));
            }
            let text = (reader.text)(file).unwrap_or_else(|| panic!("there is no {file}"));
            let (folder, _) = file.rsplit_once('/').expect("a source lies in a folder");
            let mut module = Module::new(file.clone(), reader.items(file, &text));
            folder.clone_into(&mut module.folder);
            module.root = id;
            package.add(module, reader);
        }
        package
    }

    fn add(&mut self, module: Module, reader: &Reader<'_>) {
        let id = self.modules.len();
        let declares = |item: &Item| match item {
            Item::Mod(child) => Some(child.clone()),
            _ => None,
        };
        let declared: Vec<_> = module.items.iter().filter_map(declares).collect();
        self.modules.push(module);
        for child in declared {
            self.add_child(id, child, reader);
        }
    }

    fn add_child(&mut self, parent: usize, declared: syn::ItemMod, reader: &Reader<'_>) {
        let id = self.modules.len();
        let above = &mut self.modules[parent];
        let name = declared.ident.to_string();
        let folder = format!("{}/{name}", above.folder);
        let mut child = match declared.content {
            Some((_, items)) => Module::new(above.file.clone(), reader.expanded(items)),
            None => reader.child(&folder),
        };
        child.folder = folder;
        child.root = above.root;
        child.parent = Some(parent);
        child.features.clone_from(&above.features);
        child.features.extend(cfg::features(&declared.attrs));
        above.children.entry(name).or_default().push(id);
        self.add(child, reader);
    }

    pub(crate) fn is_within(&self, module: usize, ancestor: usize) -> bool {
        let mut at = Some(module);
        while let Some(id) = at {
            if id == ancestor {
                return true;
            }
            at = self.modules[id].parent;
        }
        false
    }
}

impl Module {
    fn new(file: String, items: Vec<Item>) -> Self {
        Self {
            file,
            imports: items.iter().flat_map(imports_of).collect(),
            defined: items.iter().filter_map(name_of).collect(),
            items,
            features: BTreeSet::new(),
            root: 0,
            parent: None,
            children: BTreeMap::new(),
            folder: String::new(),
        }
    }
}

impl Reader<'_> {
    fn items(&self, file: &str, text: &str) -> Vec<Item> {
        let mut parsed =
            syn::parse_file(text).unwrap_or_else(|error| panic!("{file} does not parse: {error}"));
        cfg::prune(&mut parsed, self.answers);
        self.expanded(parsed.items)
    }

    fn expanded(&self, items: Vec<Item>) -> Vec<Item> {
        let mut file = syn::File {
            shebang: None,
            attrs: Vec::new(),
            items: (self.expand)(items),
        };
        cfg::prune(&mut file, self.answers);
        file.items
    }

    /// The module whose children lie in this folder.
    fn child(&self, folder: &str) -> Module {
        for file in [format!("{folder}.rs"), format!("{folder}/mod.rs")] {
            if let Some(text) = (self.text)(&file) {
                let items = self.items(&file, &text);
                return Module::new(file, items);
            }
        }
        panic!("there is no file for the module {folder}");
    }
}

fn imports_of(item: &Item) -> Vec<Import> {
    match item {
        Item::Use(it) => leaves(it),
        _ => Vec::new(),
    }
}

/// Every leaf of a `use`.
pub(crate) fn leaves(item: &syn::ItemUse) -> Vec<Import> {
    let is_export = match &item.vis {
        Visibility::Inherited => false,
        Visibility::Restricted(within) => !within.path.is_ident("self"),
        Visibility::Public(_) => true,
    };
    let mut found = Vec::new();
    collect(&item.tree, &[], &mut |name, path| {
        found.push(Import {
            name,
            path,
            is_export,
        });
    });
    found
}

fn collect(tree: &UseTree, above: &[String], tell: &mut dyn FnMut(String, Path)) {
    let below = |name: &syn::Ident| match name.to_string().as_str() {
        // `a::{self}` is `a`.
        "self" if !above.is_empty() => above.to_vec(),
        name => [above, &[name.to_owned()]].concat(),
    };
    match tree {
        UseTree::Path(it) => collect(&it.tree, &below(&it.ident), tell),
        UseTree::Name(it) => {
            let path = below(&it.ident);
            tell(path.last().expect("it has a name").clone(), path);
        }
        UseTree::Rename(it) => tell(it.rename.to_string(), below(&it.ident)),
        UseTree::Glob(_) => tell("*".to_owned(), above.to_vec()),
        UseTree::Group(it) => {
            for tree in &it.items {
                collect(tree, above, tell);
            }
        }
    }
}

/// The name that an item has among the others; modules and imports do not count as items here.
pub(crate) fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(it) => &it.ident,
        Item::Enum(it) => &it.ident,
        Item::Fn(it) => &it.sig.ident,
        Item::Macro(it) => it.ident.as_ref()?,
        Item::Static(it) => &it.ident,
        Item::Struct(it) => &it.ident,
        Item::Trait(it) => &it.ident,
        Item::TraitAlias(it) => &it.ident,
        Item::Type(it) => &it.ident,
        Item::Union(it) => &it.ident,
        _ => return None,
    };
    Some(name.to_string())
}
