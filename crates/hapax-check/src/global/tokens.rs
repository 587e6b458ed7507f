//! Tokens, over all keys.

use crate::history::{Call, Granted, History};
use crate::report::Violation;

/// Tokens rise for the life of the store: a grant that was asked for after another one had been
/// answered has the higher token, and no two are the same.
#[must_use]
pub fn tokens(history: &History) -> Vec<Violation> {
    let mut by_end: Vec<_> = history.grants().collect();
    let mut by_start = by_end.clone();
    by_end.sort_by_key(|(_, _, end)| *end);
    by_start.sort_by_key(|(call, ..)| call.start);
    let mut ended = by_end.into_iter().peekable();
    let mut highest: Option<(&Call, &Granted)> = None;
    for (call, granted, _) in &by_start {
        while let Some((earlier, token, _)) = ended.next_if(|(_, _, end)| *end < call.start) {
            if highest.is_none_or(|(_, most)| token.token > most.token) {
                highest = Some((earlier, token));
            }
        }
        if let Some((earlier, _)) = highest.filter(|(_, most)| granted.token <= most.token) {
            return vec![Violation {
                key: None,
                what: "a later grant has a token that is not higher".to_owned(),
                shown: vec![earlier.line(0), call.line(0)],
            }];
        }
    }
    let mut by_token = by_start;
    by_token.sort_by_key(|(_, granted, _)| granted.token);
    let twice = by_token
        .windows(2)
        .find(|pair| pair[0].1.token == pair[1].1.token);
    twice
        .map(|pair| Violation {
            key: None,
            what: "two grants have the same token".to_owned(),
            shown: vec![pair[0].0.line(0), pair[1].0.line(0)],
        })
        .into_iter()
        .collect()
}
