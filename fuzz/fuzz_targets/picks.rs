//! JSON values with only a part that counts, against a model that removes the rest first.

use hapax::CanonicalJson;

use crate::json::{Choices, Json};

/// A reference token; `None` is `*`.
type Token = Option<String>;

/// Compares the form of a value under pointers that the fuzzer chooses with the form of what the
/// pointers leave.
pub fn check(value: &Json, choices: &[u8]) {
    let value = plain(value);
    let mut chosen = Choices(choices.iter());
    let mut pointers = || -> Vec<Vec<Token>> {
        let count = chosen.next() % 4;
        (0..count).map(|_| pointer(&value, &mut chosen)).collect()
    };
    let (only, without) = (pointers(), pointers());
    let mut form = CanonicalJson::new();
    if !only.is_empty() {
        form = form
            .only(only.iter().map(|one| spelt(one)))
            .expect("pointers");
    }
    form = form
        .without(without.iter().map(|one| spelt(one)))
        .expect("pointers");
    let left = Left {
        is_picked: only.is_empty(),
        only: only.iter().map(Vec::as_slice).collect(),
        without: without.iter().map(Vec::as_slice).collect(),
    };
    let body = value.spelt(choices);
    for (form, whole) in [
        (form.clone(), CanonicalJson::new()),
        (form.strict_rfc8785(), CanonicalJson::new().strict_rfc8785()),
    ] {
        let written = form.canonicalize(body.as_bytes());
        match whole.canonicalize(body.as_bytes()) {
            Err(error) => assert_eq!(written, Err(error), "all of it is checked: {body}"),
            Ok(_) => {
                let rest = left.rest(&value).unwrap_or(match value {
                    Json::Array(_) => Json::Array(Vec::new()),
                    Json::Object(_) => Json::Object(Vec::new()),
                    _ => Json::Null,
                });
                let expected = whole.canonicalize(rest.spelt(&[]).as_bytes());
                assert_eq!(written, expected, "{body}: {only:?} without {without:?}");
            }
        }
    }
}

/// The value with its depths written out.
fn plain(value: &Json) -> Json {
    match value {
        Json::Deep(0) => Json::Integer(1),
        Json::Deep(levels) => {
            let inmost = Json::Array(Vec::new());
            (1..*levels).fold(inmost, |inner, _| Json::Array(vec![inner]))
        }
        Json::Array(items) => Json::Array(items.iter().map(plain).collect()),
        Json::Object(members) => {
            let members = members.iter();
            Json::Object(
                members
                    .map(|(name, value)| (name.clone(), plain(value)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

/// A pointer into the value, or to what is not quite there.
fn pointer(value: &Json, choices: &mut Choices<'_>) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = value;
    for _ in 0..choices.next() % 5 {
        let (way, choice) = (choices.next() % 8, usize::from(choices.next()));
        let (name, inner) = match at {
            Json::Array(items) if !items.is_empty() => {
                let index = choice % items.len();
                (index.to_string(), &items[index])
            }
            Json::Object(members) if !members.is_empty() => {
                let (name, value) = &members[choice % members.len()];
                (name.clone(), value)
            }
            _ => ("0".to_owned(), at),
        };
        tokens.push(match way {
            0 | 1 => None,
            2 => Some(format!("{name}~/")),
            3 => Some(choice.to_string()),
            _ => Some(name),
        });
        at = inner;
    }
    tokens
}

fn spelt(pointer: &[Token]) -> String {
    let token = |token: &Token| match token {
        Some(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
        None => "/*".to_owned(),
    };
    pointer.iter().map(token).collect()
}

/// What the pointers say of a value, without the tokens that led to it.
struct Left<'a> {
    is_picked: bool,
    only: Vec<&'a [Token]>,
    without: Vec<&'a [Token]>,
}

impl<'a> Left<'a> {
    /// What they say of a member, or of the element whose index is spelt like that.
    fn step(&self, name: &str) -> Self {
        let after = |pointers: &[&'a [Token]]| -> Vec<&'a [Token]> {
            let steps = pointers.iter().filter_map(|pointer| pointer.split_first());
            let leads = |token: &Token| token.as_deref().is_none_or(|it| it == "*" || it == name);
            steps
                .filter(|(first, _)| leads(first))
                .map(|(_, rest)| rest)
                .collect()
        };
        Left {
            is_picked: self.is_picked || self.only.iter().any(|pointer| pointer.is_empty()),
            only: after(&self.only),
            without: after(&self.without),
        }
    }

    /// What is left of a value.
    fn rest(&self, value: &Json) -> Option<Json> {
        if self.without.iter().any(|pointer| pointer.is_empty()) {
            return None;
        }
        let is_picked = self.is_picked || self.only.iter().any(|pointer| pointer.is_empty());
        match value {
            Json::Array(items) => {
                let items = items.iter().enumerate();
                let rest: Vec<_> = items
                    .map(|(index, item)| self.step(&index.to_string()).rest(item))
                    .collect();
                let count = rest
                    .iter()
                    .rposition(Option::is_some)
                    .map_or(0, |last| last + 1);
                let rest = rest.into_iter().take(count);
                let rest: Vec<_> = rest.map(|item| item.unwrap_or(Json::Null)).collect();
                (is_picked || count > 0).then_some(Json::Array(rest))
            }
            Json::Object(members) => {
                let members = members.iter();
                let rest: Vec<_> = members
                    .filter_map(|(name, value)| Some((name.clone(), self.step(name).rest(value)?)))
                    .collect();
                (is_picked || !rest.is_empty()).then_some(Json::Object(rest))
            }
            leaf => is_picked.then(|| leaf.clone()),
        }
    }
}
