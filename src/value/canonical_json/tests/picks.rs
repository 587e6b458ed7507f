//! What counts, against a model that walks a value by paths.

use crate::value::canonical_json::tests::spelling::{AnyJson, Spelling, json, leaves, text};
use crate::value::canonical_json::tests::*;

/// A step to a member or an element.
#[derive(Clone, Debug, PartialEq)]
enum ModelStep {
    Member(String),
    Element(usize),
}

/// The pointers of a form, by their tokens; `None` is `*`.
#[derive(Clone, Debug, Default)]
struct ModelPicks {
    only: Vec<Vec<Option<String>>>,
    without: Vec<Vec<Option<String>>>,
}

fn spelt(pointer: &[Option<String>]) -> String {
    let token = |token: &Option<String>| match token {
        Some(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
        None => "/*".to_owned(),
    };
    pointer.iter().map(token).collect()
}

fn leads(pointer: &[Option<String>], path: &[ModelStep]) -> bool {
    let is_step = |(token, step): (&Option<String>, &ModelStep)| match (token.as_deref(), step) {
        (None | Some("*"), _) => true,
        (Some(token), ModelStep::Member(name)) => token == name,
        (Some(token), ModelStep::Element(index)) => token == index.to_string(),
    };
    pointer.len() == path.len() && pointer.iter().zip(path).all(is_step)
}

impl ModelPicks {
    fn form(&self) -> CanonicalJson {
        let mut form = CanonicalJson::new();
        if !self.only.is_empty() {
            let pointers = self.only.iter().map(|pointer| spelt(pointer));
            form = form.only(pointers).expect("they are pointers");
        }
        let pointers = self.without.iter().map(|pointer| spelt(pointer));
        form.without(pointers).expect("they are pointers")
    }

    /// Whether a value counts as such: it or something around it is picked, and neither is left out.
    fn counts(&self, path: &[ModelStep]) -> bool {
        let above = || (0..=path.len()).map(|steps| &path[..steps]);
        let any = |pointers: &[Vec<_>]| {
            above().any(|path| pointers.iter().any(|pointer| leads(pointer, path)))
        };
        (self.only.is_empty() || any(&self.only)) && !any(&self.without)
    }

    /// What is left of a value.
    fn rest(&self, value: &AnyJson, path: &mut Vec<ModelStep>) -> Option<AnyJson> {
        let counts = self.counts(path);
        match value {
            AnyJson::Array(elements) => {
                let mut rest = Vec::new();
                for (index, element) in elements.iter().enumerate() {
                    path.push(ModelStep::Element(index));
                    rest.push(self.rest(element, path));
                    path.pop();
                }
                while rest.last() == Some(&None) {
                    rest.pop();
                }
                let rest: Vec<_> = rest
                    .into_iter()
                    .map(|rest| rest.unwrap_or(AnyJson::Null))
                    .collect();
                (counts || !rest.is_empty()).then_some(AnyJson::Array(rest))
            }
            AnyJson::Object(members) => {
                let mut rest = BTreeMap::new();
                for (name, member) in members {
                    path.push(ModelStep::Member(name.clone()));
                    rest.extend(self.rest(member, path).map(|rest| (name.clone(), rest)));
                    path.pop();
                }
                (counts || !rest.is_empty()).then_some(AnyJson::Object(rest))
            }
            leaf => counts.then(|| leaf.clone()),
        }
    }

    fn rest_of(&self, value: &AnyJson) -> AnyJson {
        let rest = self.rest(value, &mut Vec::new());
        rest.unwrap_or_else(|| empty(value))
    }

    /// The values that count, each by where it is, and without what is in it.
    fn counted(
        &self,
        value: &AnyJson,
        path: &mut Vec<ModelStep>,
        found: &mut Vec<(Vec<ModelStep>, AnyJson)>,
    ) {
        if self.counts(path) {
            let own = match value {
                AnyJson::Array(_) | AnyJson::Object(_) => empty(value),
                leaf => leaf.clone(),
            };
            found.push((path.clone(), own));
        }
        for (step, inner) in steps(value) {
            path.push(step);
            self.counted(inner, path, found);
            path.pop();
        }
    }
}

/// The outermost value without its members: only its kind is left where its members do not count.
fn empty(value: &AnyJson) -> AnyJson {
    match value {
        AnyJson::Array(_) => AnyJson::Array(Vec::new()),
        AnyJson::Object(_) => AnyJson::Object(BTreeMap::new()),
        _ => AnyJson::Null,
    }
}

fn steps(value: &AnyJson) -> Vec<(ModelStep, &AnyJson)> {
    match value {
        AnyJson::Array(elements) => {
            let steps = (0..).map(ModelStep::Element);
            steps.zip(elements).collect()
        }
        AnyJson::Object(members) => members
            .iter()
            .map(|(name, member)| (ModelStep::Member(name.clone()), member))
            .collect(),
        _ => Vec::new(),
    }
}

/// A pointer to something in a value, or to what is not quite there.
fn pointer(value: &AnyJson, choices: &[usize]) -> Vec<Option<String>> {
    let mut pointer = Vec::new();
    let mut at = value;
    for choice in choices {
        let steps = steps(at);
        let Some((step, inner)) = steps.get(choice / 8 % steps.len().max(1)) else {
            pointer.push((choice % 8 > 4).then(|| "0".to_owned()));
            break;
        };
        let name = match step {
            ModelStep::Member(name) => name.clone(),
            ModelStep::Element(index) => index.to_string(),
        };
        pointer.push(match choice % 8 {
            0 | 1 => None,
            2 => Some(format!("{name}~")),
            _ => Some(name),
        });
        at = inner;
    }
    pointer
}

fn choices() -> impl Strategy<Value = Vec<Vec<usize>>> {
    vec(vec(0..800_usize, 0..4), 0..4)
}

fn picks(value: &AnyJson, only: &[Vec<usize>], without: &[Vec<usize>]) -> ModelPicks {
    let pointers = |choices: &[Vec<usize>]| choices.iter().map(|one| pointer(value, one)).collect();
    ModelPicks {
        only: pointers(only),
        without: pointers(without),
    }
}

/// Containers more often than [`json`] has them at the outermost place.
fn body() -> impl Strategy<Value = AnyJson> {
    prop_oneof![
        1 => json(),
        3 => vec(json(), 0..5).prop_map(AnyJson::Array),
        6 => btree_map(text(), json(), 0..6).prop_map(AnyJson::Object),
    ]
}

proptest! {
    #[test]
    fn what_counts_is_what_the_model_says(
        value in body(), only in choices(), without in choices(), one: u64, other: u64, one_more: u64,
        strict: bool,
    ) {
        let (one, other) = (Spelling::of(&value, one), Spelling::of(&value, other));
        let picks = picks(&value, &only, &without);
        let (mut form, mut plain) = (picks.form(), CanonicalJson::new());
        if strict && canonical_as(&plain.clone().strict_rfc8785(), &one).is_ok() {
            form = form.strict_rfc8785();
            plain = plain.strict_rfc8785();
        }
        let expected = canonical_as(&plain, Spelling::of(&picks.rest_of(&value), one_more));
        prop_assert_eq!(&canonical_as(&form, &one), &expected, "{:?}", picks);
        prop_assert_eq!(&canonical_as(&form, &other), &expected, "permuted, {:?}", picks);
    }

    #[test]
    fn the_form_tells_what_counts_and_nothing_else(
        value in body(), other in json(), only in choices(), without in choices(),
        at: proptest::sample::Index, seed: u64,
    ) {
        let mut changed = value.clone();
        let mut leaves = leaves(&mut changed);
        let leaf = at.index(leaves.len());
        *leaves[leaf] = other;
        let picks = picks(&value, &only, &without);
        let counted = |value: &AnyJson| {
            let mut found = Vec::new();
            picks.counted(value, &mut Vec::new(), &mut found);
            found.sort_by_key(|(path, _)| format!("{path:?}"));
            (empty(value), found)
        };
        let form = |value, seed| canonical_as(&picks.form(), Spelling::of(value, seed));
        let same = form(&value, seed) == form(&changed, !seed);
        prop_assert_eq!(same, counted(&value) == counted(&changed), "{:?}", picks);
    }

    #[test]
    fn any_text_is_a_pointer_or_is_refused(text in ".{0,12}", slashes in "(/([a-c]|~0|~1|~|[*])*){0,4}") {
        for text in [text, slashes] {
            let is_pointer = (text.is_empty() || text.starts_with('/'))
                && !text.replace("~0", "").replace("~1", "").contains('~');
            prop_assert_eq!(CanonicalJson::new().only([&text]).is_ok(), is_pointer);
            prop_assert_eq!(CanonicalJson::new().without([&text]).is_ok(), is_pointer);
        }
    }
}
