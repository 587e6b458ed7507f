//! Reports a trouble on standard error, in words or as JSON.

use std::process::ExitCode;

use serde_json::Value;

use crate::notation::json_line;
use crate::output::format::Format;
use crate::output::stderr::say;
use crate::trouble::Trouble;

/// Writes a trouble to standard error, and returns its exit code.
pub(crate) fn report(trouble: &Trouble, format: Format) -> ExitCode {
    let code = trouble.exit_code();
    if format == Format::Json {
        let next = trouble.next().map_or(Value::Null, Value::from);
        let fields = [
            ("error", Value::from(trouble.kind())),
            ("text", Value::from(trouble.text())),
            ("next", next),
            ("exit_code", Value::from(code)),
        ];
        say(&json_line::object(&fields));
    } else {
        say(&format!("hapax: {}", trouble.text()));
        if let Some(next) = trouble.next() {
            say(&format!("next: {next}"));
        }
    }
    ExitCode::from(code)
}
