//! The result of a check.

/// What is wrong with a history.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Namespace and key; `None` where it is about all keys.
    pub key: Option<(String, String)>,
    pub what: String,
    /// The calls that show it, for people.
    pub shown: Vec<String>,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.key {
            Some((namespace, key)) => {
                writeln!(f, "namespace {namespace}, key {key}: {}", self.what)?
            }
            None => writeln!(f, "{}", self.what)?,
        }
        for line in &self.shown {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}

/// The result of a check.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub calls: usize,
    pub keys: usize,
    pub reopens: usize,
    /// The most orders that had to be kept apart at one moment.
    pub most_orders: usize,
    /// The most calls of one key at the same time.
    pub most_pending: usize,
    pub violations: Vec<Violation>,
    /// Keys that were given up, as too many orders were possible.
    pub undecided: Vec<(String, String)>,
}

impl Report {
    /// Every key was judged, and no key is wrong.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.violations.is_empty() && self.undecided.is_empty()
    }

    /// 0 when it holds, 1 when it does not, 2 when a key could not be judged.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match (self.violations.is_empty(), self.undecided.is_empty()) {
            (false, _) => 1,
            (true, false) => 2,
            (true, true) => 0,
        }
    }

    /// The report as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let violations: Vec<String> = self.violations.iter().map(ToString::to_string).collect();
        serde_json::json!({
            "holds": self.holds(),
            "calls": self.calls,
            "keys": self.keys,
            "reopens": self.reopens,
            "most_orders": self.most_orders,
            "most_pending": self.most_pending,
            "violations": violations,
            "undecided": self.undecided,
        })
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for violation in &self.violations {
            write!(f, "VIOLATED: {violation}")?;
        }
        for (namespace, key) in &self.undecided {
            writeln!(
                f,
                "undecided: namespace {namespace}, key {key}: too many orders"
            )?;
        }
        let verdict = match (self.violations.is_empty(), self.undecided.is_empty()) {
            (false, _) => "NOT linearizable",
            (true, false) => "not decided",
            (true, true) => "linearizable",
        };
        writeln!(
            f,
            "{verdict}: {} calls of {} keys, {} reopenings; at most {} calls of a key overlap, \
             at most {} orders were kept apart",
            self.calls, self.keys, self.reopens, self.most_pending, self.most_orders
        )
    }
}
