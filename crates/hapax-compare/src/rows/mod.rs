//! The rows, in the order of the table. A further one is a file, and a line in `ROWS`.

mod batch;
mod claim;
mod durable;
pub mod load;
mod memory;
pub mod number;
mod pair;
pub(crate) mod recovery;
mod replay;
pub mod row;
mod written;

use self::row::Row;

/// All of them.
pub static ROWS: &[Row] = &[
    claim::CLAIM,
    claim::INSERT,
    pair::ONE,
    pair::TWO,
    batch::CLAIM_MANY,
    batch::CLAIM_MANY_OLD,
    batch::INSERT_MANY,
    durable::BATCH,
    durable::ONE,
    durable::EIGHT,
    durable::SIXTY_FOUR,
    replay::ROW,
    memory::ROW,
    written::INTERVAL,
    written::SYNC_1,
    written::SYNC_8,
    written::SYNC_64,
    written::SYNC_512,
    recovery::ROW,
    recovery::SMALL,
];

/// The row of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

/// The rows that a list names: names, or beginnings of names followed by a star, between commas.
///
/// # Errors
/// When a part of the list names no row.
pub fn pick(list: &str) -> Result<Vec<&'static Row>, String> {
    let parts: Vec<&str> = list.split(',').map(str::trim).collect();
    let names = |part: &str, row: &Row| match part.strip_suffix('*') {
        Some(head) => row.name.starts_with(head),
        None => row.name == part,
    };
    for part in &parts {
        if !ROWS.iter().any(|row| names(part, row)) {
            let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
            return Err(format!(
                "there is no row {part:?}; there are {}",
                known.join(", ")
            ));
        }
    }
    let picked = ROWS
        .iter()
        .filter(|row| parts.iter().any(|part| names(part, row)));
    Ok(picked.collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn names(rows: &[&'static Row]) -> Vec<&'static str> {
        rows.iter().map(|row| row.name).collect()
    }

    #[test]
    fn rows_are_picked_by_name_and_by_star_in_the_order_of_the_table() {
        assert_eq!(names(&pick("replay, claim").unwrap()), ["claim", "replay"]);
        assert_eq!(
            names(&pick("sync*").unwrap()),
            ["sync-batch", "sync-1", "sync-8", "sync-64"]
        );
        assert_eq!(pick("*").unwrap().len(), ROWS.len());
    }

    #[test]
    fn a_row_that_does_not_exist_is_told() {
        let error = pick("pair,nothing").unwrap_err();
        assert!(
            error.contains("\"nothing\"") && error.contains("pair-2"),
            "{error}"
        );
        assert!(pick("").is_err());
    }

    #[test]
    fn names_are_distinct() {
        let rows: HashSet<&str> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(rows.len(), ROWS.len());
        let figures = ROWS.iter().flat_map(|row| row.figures);
        let figures: Vec<&str> = figures.map(|figure| figure.name).collect();
        let distinct: HashSet<&&str> = figures.iter().collect();
        assert_eq!(distinct.len(), figures.len());
    }
}
