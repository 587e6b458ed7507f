//! Changes of many keys: made in turn up to the first failure, then shown row by row.

use crate::output::row::Row;
use crate::trouble::Result;

/// Makes the changes in turn, up to the first failure.
pub(crate) fn all_up_to_an_error<D>(deeds: impl Iterator<Item = Result<D>>) -> Vec<Result<D>> {
    let mut results = Vec::new();
    for result in deeds {
        let failed = result.is_err();
        results.push(result);
        if failed {
            break;
        }
    }
    results
}

/// A row for each change that was made, with its result; with `None`, for each change of a dry run.
pub(crate) fn told<T, D>(
    done: Option<Vec<Result<D>>>,
    all: &[T],
    row: impl Fn(&T, Option<D>) -> Row,
) -> impl Iterator<Item = Result<Row>> {
    let results: Vec<Result<Option<D>>> = match done {
        Some(results) => results.into_iter().map(|result| result.map(Some)).collect(),
        None => all.iter().map(|_| Ok(None)).collect(),
    };
    let pairs = results.into_iter().zip(all);
    pairs.map(move |(result, one)| result.map(|came| row(one, came)))
}
