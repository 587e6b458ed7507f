//! The figures of one store: printed by the process that has measured them, read by the one that
//! plots them.

use crate::Failure;

macro_rules! figures {
    ($($name:ident: $digits:literal,)*) => {
        /// What this many keys take.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub(crate) struct Figures {
            $(pub(crate) $name: f64,)*
        }

        impl Figures {
            pub(crate) const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// One `name: value` a line.
            pub(crate) fn lines(&self) -> String {
                let mut lines = String::new();
                $(lines.push_str(&format!("{}: {:.*}\n", stringify!($name), $digits, self.$name));)*
                lines
            }

            /// Only the values, with commas between them.
            pub(crate) fn csv(&self) -> String {
                [$(format!("{:.*}", $digits, self.$name)),*].join(",")
            }

            /// Reads the text of [`lines`](Self::lines); every name has to be there once.
            pub(crate) fn read(text: &str) -> Result<Self, Failure> {
                Ok(Self { $($name: value(text, stringify!($name))?,)* })
            }
        }
    };
}

figures! {
    keys: 0,
    fill_seconds: 3,
    resident_bytes: 0,
    window_bytes: 0,
    resident_bytes_per_key: 1,
    table_bytes_per_key: 1,
    disk_bytes_per_record: 1,
    close_seconds: 3,
    reopen_seconds: 3,
    claim_rate_per_second: 0,
    replay_rate_per_second: 0,
}

fn value(text: &str, name: &str) -> Result<f64, Failure> {
    let of_line = |line: &str| -> Option<String> {
        let (there, value) = line.split_once(": ")?;
        (there == name).then(|| value.to_owned())
    };
    let found: Vec<String> = text.lines().filter_map(of_line).collect();
    match found.as_slice() {
        [value] => Ok(value.trim().parse()?),
        found => Err(format!("{name} is there {} times, not once", found.len()).into()),
    }
}

impl Figures {
    pub(crate) fn nanos_per_claim(&self) -> f64 {
        1e9 / self.claim_rate_per_second
    }

    pub(crate) fn reopen_seconds_per_million(&self) -> f64 {
        self.reopen_seconds / self.keys * 1e6
    }
}
