//! The members of a query, and how their values are read.

use crate::answer::problem::Problem;
use crate::notation::percent::decoded;

/// Rows of a page without `limit`.
pub(crate) const ROWS: usize = 100;

/// Members that may appear several times.
const SEVERAL: &[&str] = &["state", "transition"];

/// The members of a query by name, decoded. Refuses unknown members, and repeated ones that are not in
/// `SEVERAL`.
pub(crate) fn members<'a>(
    query: Option<&str>,
    known: &[&'a str],
) -> Result<Vec<(&'a str, Vec<u8>)>, Problem> {
    let mut members: Vec<(&str, Vec<u8>)> = Vec::new();
    let pairs = query.unwrap_or_default().split('&');
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(name) = known.iter().find(|known| **known == name) else {
            return Err(unknown(known));
        };
        if !SEVERAL.contains(name) && members.iter().any(|(seen, _)| seen == name) {
            return Err(Problem::invalid(format!("{name} is given twice")));
        }
        let bytes = decoded(&value.replace('+', " ")).ok_or_else(|| {
            Problem::invalid(format!("{name} has a % without two hexadecimal digits"))
        })?;
        members.push((*name, bytes));
    }
    Ok(members)
}

pub(crate) fn text(name: &str, bytes: Vec<u8>) -> Result<String, Problem> {
    String::from_utf8(bytes).map_err(|_| Problem::invalid(format!("{name} is not UTF-8")))
}

fn unknown(known: &[&str]) -> Problem {
    // The problem does not repeat the name, which may be a part of a key that was not escaped.
    let known = if known.is_empty() {
        "no members".to_owned()
    } else {
        known.join(", ")
    };
    Problem::invalid(format!(
        "the query has a member that this path does not take; it takes {known}"
    ))
}

pub(crate) fn rows(text: &str, most: usize) -> Result<usize, Problem> {
    let rows = text.parse().ok().filter(|rows| (1..=most).contains(rows));
    rows.ok_or_else(|| Problem::invalid(format!("limit must be a number from 1 to {most}")))
}

pub(crate) fn truth(name: &str, text: &str) -> Result<bool, Problem> {
    match text {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Problem::invalid(format!("{name} must be true or false"))),
    }
}

/// A number of seconds, or a number followed by s, m, h or d.
pub(crate) fn seconds(name: &str, text: &str) -> Result<u64, Problem> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    let with_unit = |(unit, each): (char, u64)| Some((text.strip_suffix(unit)?, each));
    let (number, each) = units.into_iter().find_map(with_unit).unwrap_or((text, 1));
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse::<u64>().ok().filter(|_| is_number);
    number
        .and_then(|number| number.checked_mul(each))
        .ok_or_else(|| {
            Problem::invalid(format!("{name} must be a time such as 90s, 15m, 2h or 7d"))
        })
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_have_units() {
        let secs = |text| seconds("older_than", text).ok();
        assert_eq!(secs("90"), Some(90));
        assert_eq!(secs("7d"), Some(604_800));
        for text in ["", "s", "1ss", "+1", "1.5h", "999999999999999999d"] {
            assert_eq!(secs(text), None, "{text}");
        }
    }
}
