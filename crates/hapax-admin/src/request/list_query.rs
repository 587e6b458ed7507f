//! [`ListQuery`]: the keys that a request asks for.

use hapax::KeyState;
use hapax::scan::ScanPosition;
use hapax_http_types::KeyParts;

use crate::answer::problem::Problem;
use crate::notation::seconds::{at, secs};
use crate::notation::state_name::{STATES, state_name, state_of};
use crate::request::members::{ROWS, members, rows, seconds, text, truth};

/// Which keys to list, and how many.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ListQuery {
    pub(crate) namespace: Option<String>,
    pub(crate) states: Vec<KeyState>,
    prefix: Vec<u8>,
    /// This part and the next two exist only in keys of the HTTP layer.
    client_key: Option<String>,
    tenant: Option<String>,
    operation: Option<String>,
    pub(crate) older_than_secs: Option<u64>,
    pub(crate) newer_than_secs: Option<u64>,
    /// Where the previous page stopped.
    pub(crate) after: Option<ScanPosition>,
    pub(crate) rows: usize,
    pub(crate) shows_bytes: bool,
}

impl ListQuery {
    /// Reads a query, and refuses members that are not in `known`.
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
        let age_secs = store_secs.saturating_sub(secs(info.recorded_at()));
        (self.states.is_empty() || self.states.contains(&info.state()))
            && self.names(info.key())
            && self.is_of_age(age_secs)
    }

    /// Whether a key has the prefix and the parts of the query.
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

    /// Where a list by age starts, to skip keys that are too old.
    pub(crate) fn start(&self, store_secs: u64) -> Option<ScanPosition> {
        let oldest = self
            .newer_than_secs
            .and_then(|most| store_secs.checked_sub(most));
        oldest.map(at).map(ScanPosition::end_of).max(self.after)
    }

    /// Whether keys of this age are too young; in a list by age, all later keys are too.
    pub(crate) fn is_past(&self, age_secs: u64) -> bool {
        self.older_than_secs.is_some_and(|least| age_secs < least)
    }

    pub(crate) fn is_of_age(&self, age_secs: u64) -> bool {
        self.older_than_secs.is_none_or(|least| age_secs >= least)
            && self.newer_than_secs.is_none_or(|most| age_secs < most)
    }
}

fn state(text: &str) -> Result<KeyState, Problem> {
    state_of(text).ok_or_else(|| {
        let names = STATES.map(state_name);
        Problem::invalid(format!("state must be one of {}", names.join(", ")))
    })
}

fn rank(text: &str) -> Result<ScanPosition, Problem> {
    let rank = text.parse().ok();
    rank.ok_or_else(|| Problem::invalid("after must be the next of the previous page"))
}

#[cfg(test)]
mod tests {
    use super::ListQuery;
    use crate::notation::seconds::at;
    use hapax::KeyState;
    use hapax::scan::ScanPosition;

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
        assert_eq!(list.states, [KeyState::InDoubt, KeyState::Failed]);
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
        assert_eq!(list.start(100), Some(ScanPosition::end_of(at(90))));
        assert_eq!(list.start(9), None, "the store is younger than that");
        assert!(list.is_past(2) && !list.is_past(3));
        let list = parse("newer_than=10&after=95-7").unwrap();
        assert_eq!(list.start(100).unwrap().to_string(), "95-7");
        assert_eq!(list.start(110), Some(ScanPosition::end_of(at(100))));
        assert!(!list.is_past(0));
    }
}
