//! [`ListQuery`]: what a list is asked for.

use hapax::{Rank, State};
use hapax_http_types::KeyParts;

use crate::key_path::decoded;
use crate::problem::Problem;
use crate::view::{state_name, state_of};

/// Rows of a page that names no limit.
pub(crate) const ROWS: usize = 100;

/// Members of a query that may stand there several times.
const SEVERAL: &[&str] = &["state", "transition"];

/// Which keys a list shall have, and how many.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ListQuery {
    pub(crate) namespace: Option<String>,
    pub(crate) states: Vec<State>,
    prefix: Vec<u8>,
    /// Parts that only keys of the HTTP layer have.
    client_key: Option<String>,
    tenant: Option<String>,
    operation: Option<String>,
    pub(crate) older_than_secs: Option<u64>,
    pub(crate) newer_than_secs: Option<u64>,
    /// Where the page before this one stopped.
    pub(crate) after: Option<Rank>,
    pub(crate) rows: usize,
    pub(crate) shows_bytes: bool,
}

impl ListQuery {
    /// Reads a query, of which only these members make sense here.
    pub(crate) fn parse(
        query: Option<&str>,
        known: &[&str],
        rows_max: usize,
    ) -> Result<Self, Problem> {
        let mut list = Self {
            namespace: None,
            states: Vec::new(),
            prefix: Vec::new(),
            client_key: None,
            tenant: None,
            operation: None,
            older_than_secs: None,
            newer_than_secs: None,
            after: None,
            rows: ROWS.min(rows_max),
            shows_bytes: false,
        };
        for (name, value) in members(query, known)? {
            list.set(name, value, rows_max)?;
        }
        Ok(list)
    }

    fn set(&mut self, name: &str, bytes: Vec<u8>, rows_max: usize) -> Result<(), Problem> {
        if name == "prefix" {
            self.prefix = bytes;
            return Ok(());
        }
        let text = text(name, bytes)?;
        match name {
            "namespace" => self.namespace = Some(text),
            "client_key" => self.client_key = Some(text),
            "tenant" => self.tenant = Some(text),
            "operation" => self.operation = Some(text),
            "state" => self.states.push(state(&text)?),
            "older_than" => self.older_than_secs = Some(seconds(name, &text)?),
            "newer_than" => self.newer_than_secs = Some(seconds(name, &text)?),
            "after" => self.after = Some(rank(&text)?),
            "limit" => self.rows = rows(&text, rows_max)?,
            _ => self.shows_bytes = truth(name, &text)?,
        }
        Ok(())
    }

    pub(crate) fn passes(&self, info: &hapax::KeyInfo, store_secs: u64) -> bool {
        let age_secs = store_secs.saturating_sub(info.recorded_at());
        (self.states.is_empty() || self.states.contains(&info.state()))
            && self.names(info.key())
            && self.is_of_age(age_secs)
    }

    /// Whether a key begins so, and has the parts that are asked for.
    pub(crate) fn names(&self, key: &[u8]) -> bool {
        let wanted = [&self.client_key, &self.tenant, &self.operation];
        let has_parts = || {
            let [client_key, tenant, operation] = wanted.map(Option::as_deref);
            KeyParts::of(key).is_some_and(|parts| {
                client_key.is_none_or(|sent| parts.is_sent_as(sent))
                    && tenant.is_none_or(|tenant| parts.scope() == tenant)
                    && operation.is_none_or(|operation| parts.operation() == operation)
            })
        };
        key.starts_with(&self.prefix) && (wanted.iter().all(|one| one.is_none()) || has_parts())
    }

    /// Where a list by age has to start, that its first key may be young enough.
    pub(crate) fn start(&self, store_secs: u64) -> Option<Rank> {
        let oldest = self
            .newer_than_secs
            .and_then(|most| store_secs.checked_sub(most));
        oldest.map(Rank::end_of).max(self.after)
    }

    /// Whether keys of this age, and so all that come after them in a list by age, are too young.
    pub(crate) fn is_past(&self, age_secs: u64) -> bool {
        self.older_than_secs.is_some_and(|least| age_secs < least)
    }

    pub(crate) fn is_of_age(&self, age_secs: u64) -> bool {
        self.older_than_secs.is_none_or(|least| age_secs >= least)
            && self.newer_than_secs.is_none_or(|most| age_secs < most)
    }
}

/// The members of a query by name, decoded. Names that are not known are refused, and so is one that
/// stands there twice, but for those that mean one of several.
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
            return Err(Problem::invalid(format!("{name} stands there twice")));
        }
        let bytes = decoded(&value.replace('+', " "))
            .ok_or_else(|| Problem::invalid(format!("{name} has a % without two digits")))?;
        members.push((*name, bytes));
    }
    Ok(members)
}

pub(crate) fn text(name: &str, bytes: Vec<u8>) -> Result<String, Problem> {
    String::from_utf8(bytes).map_err(|_| Problem::invalid(format!("{name} is not UTF-8")))
}

fn unknown(known: &[&str]) -> Problem {
    // The name is not said back: it may be a part of a key that somebody forgot to escape.
    let known = if known.is_empty() {
        "none at all".to_owned()
    } else {
        known.join(", ")
    };
    Problem::invalid(format!(
        "the query has a member that this path does not know; it knows {known}"
    ))
}

fn state(text: &str) -> Result<State, Problem> {
    state_of(text).ok_or_else(|| {
        let names = [
            State::InProgress,
            State::Completed,
            State::Failed,
            State::InDoubt,
            State::Released,
        ];
        Problem::invalid(format!(
            "state is none of {}",
            names.map(state_name).join(", ")
        ))
    })
}

fn rank(text: &str) -> Result<Rank, Problem> {
    let rank = text.parse().ok();
    rank.ok_or_else(|| Problem::invalid("after is what the page before gave as next"))
}

pub(crate) fn rows(text: &str, most: usize) -> Result<usize, Problem> {
    let rows = text.parse().ok().filter(|rows| (1..=most).contains(rows));
    rows.ok_or_else(|| Problem::invalid(format!("limit is a number from 1 to {most}")))
}

pub(crate) fn truth(name: &str, text: &str) -> Result<bool, Problem> {
    match text {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Problem::invalid(format!("{name} is true or false"))),
    }
}

/// Seconds, or a number with s, m, h or d behind it.
pub(crate) fn seconds(name: &str, text: &str) -> Result<u64, Problem> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    let with_unit = |(unit, each): (char, u64)| Some((text.strip_suffix(unit)?, each));
    let (number, each) = units.into_iter().find_map(with_unit).unwrap_or((text, 1));
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse::<u64>().ok().filter(|_| is_number);
    number
        .and_then(|number| number.checked_mul(each))
        .ok_or_else(|| Problem::invalid(format!("{name} is a time such as 90s, 15m, 2h or 7d")))
}

#[cfg(test)]
mod tests {
    use super::{ListQuery, seconds};
    use hapax::{Rank, State};

    const ALL: &[&str] = &[
        "namespace",
        "state",
        "prefix",
        "client_key",
        "tenant",
        "operation",
        "older_than",
        "newer_than",
        "after",
        "limit",
        "bytes",
    ];

    fn parse(query: &str) -> Option<ListQuery> {
        ListQuery::parse(Some(query), ALL, 1000).ok()
    }

    #[test]
    fn a_query_chooses_keys() {
        let list = parse(
            "namespace=pay&state=in_doubt&state=failed&prefix=a%2F%FF+b&older_than=15m&limit=7&bytes=true",
        )
        .unwrap();
        assert_eq!(list.namespace.as_deref(), Some("pay"));
        assert_eq!(list.states, [State::InDoubt, State::Failed]);
        assert_eq!(list.prefix, b"a/\xff b");
        assert_eq!(list.older_than_secs, Some(900));
        assert_eq!((list.rows, list.shows_bytes), (7, true));
        assert_eq!(ListQuery::parse(None, ALL, 10).unwrap().rows, 10);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for query in [
            "stat=failed",
            "state=Failed",
            "limit=0",
            "limit=1001",
            "limit=-1",
            "prefix=%",
            "namespace=%ff",
            "older_than=x",
            "older_than=1m&older_than=2m",
            "bytes=yes",
            "after=",
            "after=7",
            "after=7-",
            "after=7-1-1",
        ] {
            assert_eq!(parse(query), None, "{query}");
        }
        assert!(ListQuery::parse(Some("prefix=a"), &["limit"], 10).is_err());
    }

    #[test]
    fn a_list_by_age_starts_and_ends_where_its_keys_are_of_age() {
        let list = parse("newer_than=10&older_than=3").unwrap();
        assert_eq!(list.start(100), Some(Rank::end_of(90)));
        assert_eq!(list.start(9), None, "the store is younger than that");
        assert!(list.is_past(2) && !list.is_past(3));
        let list = parse("newer_than=10&after=95-7").unwrap();
        assert_eq!(list.start(100).unwrap().to_string(), "95-7");
        assert_eq!(list.start(110), Some(Rank::end_of(100)));
        assert!(!list.is_past(0));
    }

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
