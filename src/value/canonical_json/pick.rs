//! [`Picks`]: what of a body counts, by JSON pointers.

use crate::value::error::{Error, Result};

/// The pointers of a `CanonicalJson`.
#[derive(Clone, Debug, Default)]
pub(super) struct Picks {
    pointers: Vec<Pointer>,
    /// Whether nothing counts but what a pointer picks.
    is_narrowed: bool,
}

#[derive(Clone, Debug)]
struct Pointer {
    role: Role,
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, Debug)]
enum Role {
    Only,
    Without,
}

/// A reference token of RFC 6901, or `*`.
#[derive(Clone, Debug)]
struct Token {
    /// Unescaped.
    name: String,
    /// What it is in an array, if it is an index.
    index: Option<usize>,
    is_any: bool,
}

/// One step down into an object or array.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    Member(&'a str),
    Element(usize),
}

impl Picks {
    pub(super) fn only<P: AsRef<str>>(
        &mut self,
        pointers: impl IntoIterator<Item = P>,
    ) -> Result<()> {
        let before = self.pointers.len();
        self.add(Role::Only, pointers)?;
        if self.pointers.len() == before {
            return Err(Error::invalid(
                "only() was given no JSON pointer: name what counts, or leave the call out",
            ));
        }
        self.is_narrowed = true;
        Ok(())
    }

    pub(super) fn without<P: AsRef<str>>(
        &mut self,
        pointers: impl IntoIterator<Item = P>,
    ) -> Result<()> {
        self.add(Role::Without, pointers)
    }

    fn add<P: AsRef<str>>(
        &mut self,
        role: Role,
        pointers: impl IntoIterator<Item = P>,
    ) -> Result<()> {
        for pointer in pointers {
            let tokens = tokens(pointer.as_ref())?;
            self.pointers.push(Pointer { role, tokens });
        }
        Ok(())
    }
}

/// The reference tokens of a pointer.
fn tokens(pointer: &str) -> Result<Vec<Token>> {
    let mut tokens = pointer.split('/');
    // What is before the first slash.
    if tokens.next() != Some("") {
        return Err(Error::invalid(format!(
            "the JSON pointer {pointer:?} does not start with a slash: put one before it"
        )));
    }
    let token = |text| {
        Token::new(text).ok_or_else(|| {
            Error::invalid(format!(
                "the JSON pointer {pointer:?} has a ~ that escapes nothing: write it as ~0"
            ))
        })
    };
    tokens.map(token).collect()
}

impl Token {
    /// `None` if a `~` is followed by neither `0` nor `1`.
    fn new(text: &str) -> Option<Self> {
        let mut name = String::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            name.push(match character {
                '~' => match characters.next()? {
                    '0' => '~',
                    '1' => '/',
                    _ => return None,
                },
                other => other,
            });
        }
        let is_index = text == "0" || (!text.starts_with('0') && !text.starts_with('+'));
        let index = text.parse().ok().filter(|_| is_index);
        let is_any = text == "*";
        Some(Self {
            name,
            index,
            is_any,
        })
    }

    fn leads(&self, step: Step<'_>) -> bool {
        let is_named = match step {
            Step::Member(name) => self.name == name,
            Step::Element(index) => self.index == Some(index),
        };
        self.is_any || is_named
    }
}

/// The way from the outermost value to the one that is being read.
pub(super) struct Walk<'a> {
    pointers: &'a [Pointer],
    /// Those that lead on from each value on the way, as a stack of indices.
    open: Vec<usize>,
    outermost: Scope,
}

/// What the pointers say of one value.
#[derive(Clone, Copy)]
pub(super) struct Scope {
    is_picked: bool,
    is_left_out: bool,
    /// The pointers that lead further down, as a range of [`Walk::open`].
    open: (usize, usize),
}

impl Scope {
    /// Whether a value counts in which something does, or nothing.
    pub(super) fn counts(self, something_in_it: bool) -> bool {
        !self.is_left_out && (self.is_picked || something_in_it)
    }

    fn is_named(&mut self, role: Role) {
        match role {
            Role::Only => self.is_picked = true,
            Role::Without => self.is_left_out = true,
        }
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(picks: &'a Picks) -> Self {
        let mut outermost = Scope {
            is_picked: !picks.is_narrowed,
            is_left_out: false,
            open: (0, 0),
        };
        let mut open = Vec::new();
        for (index, pointer) in picks.pointers.iter().enumerate() {
            if pointer.tokens.is_empty() {
                outermost.is_named(pointer.role);
            } else {
                open.push(index);
            }
        }
        outermost.open.1 = open.len();
        Self {
            pointers: &picks.pointers,
            open,
            outermost,
        }
    }

    pub(super) fn outermost(&self) -> Scope {
        self.outermost
    }

    /// Goes one step down from a value that `depth` steps lead to.
    pub(super) fn enter(&mut self, around: Scope, depth: usize, step: Step<'_>) -> Scope {
        let start = self.open.len();
        let mut scope = Scope {
            open: (start, start),
            ..around
        };
        for at in around.open.0..around.open.1 {
            let index = self.open[at];
            // It is open there, so it has a token for this step.
            let Pointer { role, tokens } = &self.pointers[index];
            if !tokens[depth].leads(step) {
                continue;
            }
            if tokens.len() == depth + 1 {
                scope.is_named(*role);
            } else {
                self.open.push(index);
            }
        }
        scope.open.1 = self.open.len();
        scope
    }

    /// Goes back up.
    pub(super) fn leave(&mut self, scope: Scope) {
        self.open.truncate(scope.open.0);
    }
}
