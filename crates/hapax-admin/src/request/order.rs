//! [`Order`]: what the body of a request orders, for which actor and reason.

use hapax::operator::Attribution;
use hapax::{FencingToken, Resolution};
use hapax_http_types::StoredResponse;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::answer::problem::Problem;
use crate::notation::hex::from_hex;
use crate::operator::actor::Actor;
use crate::operator::operation::Operation;
use crate::request::command::Command;
use crate::request::outcome_form::OutcomeForm;

/// What to do, by whom, and why.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) by: Attribution,
    pub(crate) command: Command,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Happened,
    Failed,
    NeverHappened,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolveBody {
    token: FencingToken,
    reason: String,
    outcome: Outcome,
    response: Option<String>,
    response_hex: Option<String>,
    error: Option<String>,
    error_hex: Option<String>,
    http: Option<HttpBody>,
    #[serde(default)]
    raw: bool,
    #[serde(default)]
    force: bool,
}

/// The answer that clients of the HTTP layer get.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpBody {
    status: u16,
    #[serde(default)]
    headers: Vec<String>,
    body: Option<String>,
    body_hex: Option<String>,
}

impl HttpBody {
    fn stored(self) -> Result<Vec<u8>, Problem> {
        let body = match (self.body, self.body_hex) {
            (None, None) => Vec::new(),
            (text, hex) => bytes("body", text, hex)?,
        };
        let headers = self.headers.iter().map(String::as_str);
        let answer = StoredResponse::plain(self.status, headers, body);
        let answer = answer.map_err(|error| Problem::invalid(error.to_string()))?;
        Ok(answer.to_bytes().to_vec())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeldBody {
    token: FencingToken,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FailBody {
    token: FencingToken,
    reason: String,
    error: Option<String>,
    error_hex: Option<String>,
    http: Option<HttpBody>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForgetBody {
    token: Option<FencingToken>,
    reason: String,
    #[serde(default)]
    force: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonBody {
    reason: String,
}

impl Order {
    /// Reads a body. Refuses members that the operation does not know, so that a misspelled one is not
    /// ignored.
    pub(crate) fn parse(operation: Operation, body: &[u8], actor: &Actor) -> Result<Self, Problem> {
        let (reason, command) = match operation {
            Operation::Resolve => resolve(read(body)?)?,
            Operation::Release => {
                let HeldBody { token, reason } = read(body)?;
                (reason, Command::Release { token })
            }
            Operation::Doubt => {
                let HeldBody { token, reason } = read(body)?;
                (reason, Command::Doubt { token })
            }
            Operation::Fail => {
                let body: FailBody = read(body)?;
                let form = OutcomeForm::of(body.http.is_some(), false)?;
                let error = outcome("error", body.error, body.error_hex, body.http)?;
                let token = body.token;
                (body.reason, Command::Fail { token, error, form })
            }
            Operation::Forget => forget(read(body)?)?,
            Operation::AcceptSalvage => {
                let ReasonBody { reason } = read(body)?;
                (reason, Command::AcceptSalvage)
            }
        };
        if reason.trim().is_empty() {
            return Err(Problem::invalid(
                "the reason is empty: give one for the audit log",
            ));
        }
        let by = Attribution::new(actor.name(), reason)?;
        Ok(Self { by, command })
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::invalid(format!(
            "the body is not what this operation takes: {error}"
        ))
    })
}

fn resolve(body: ResolveBody) -> Result<(String, Command), Problem> {
    let has_response = body.response.is_some() || body.response_hex.is_some();
    let has_error = body.error.is_some() || body.error_hex.is_some();
    let has_http = body.http.is_some();
    let form = OutcomeForm::of(has_http, body.raw)?;
    let resolution = match body.outcome {
        Outcome::Happened if !has_error => {
            let (text, hex) = (body.response, body.response_hex);
            Resolution::Happened(outcome("response", text, hex, body.http)?)
        }
        Outcome::Failed if !has_response => {
            Resolution::Failed(outcome("error", body.error, body.error_hex, body.http)?)
        }
        Outcome::NeverHappened if !has_response && !has_error && !has_http && !body.raw => {
            Resolution::NeverHappened
        }
        _ => {
            return Err(Problem::invalid(
                "happened takes a response or http, failed takes an error or http, and never_happened takes neither",
            ));
        }
    };
    let (token, force) = (body.token, body.force);
    let command = Command::Resolve {
        token,
        resolution,
        form,
        force,
    };
    Ok((body.reason, command))
}

fn forget(body: ForgetBody) -> Result<(String, Command), Problem> {
    let force = match (body.force, body.token) {
        (false, None) => None,
        (true, Some(token)) => Some(token),
        _ => {
            return Err(Problem::invalid(
                "give token and force together, or neither: a settled key needs neither, a key in progress or in \
                 doubt needs both",
            ));
        }
    };
    Ok((body.reason, Command::Forget { force }))
}

/// The bytes of an outcome: an answer over HTTP, or the bytes of a member.
fn outcome(
    name: &str,
    text: Option<String>,
    hex: Option<String>,
    http: Option<HttpBody>,
) -> Result<Vec<u8>, Problem> {
    match http {
        None => bytes(name, text, hex),
        Some(http) if text.is_none() && hex.is_none() => http.stored(),
        Some(_) => Err(Problem::invalid(format!(
            "{name} and http are two outcomes: give one of them"
        ))),
    }
}

/// The bytes of a member, given as text or as hexadecimal digits.
fn bytes(name: &str, text: Option<String>, hex: Option<String>) -> Result<Vec<u8>, Problem> {
    match (text, hex) {
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(hex)) => from_hex(&hex).ok_or_else(|| {
            Problem::invalid(format!("{name}_hex must be pairs of hexadecimal digits"))
        }),
        _ => Err(Problem::invalid(format!(
            "give either {name} as text or {name}_hex as hexadecimal digits; \"\" means no bytes"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::Order;
    use crate::operator::actor::Actor;
    use crate::operator::operation::Operation;
    use crate::request::command::Command;
    use hapax::Resolution;

    fn parse(operation: Operation, body: &str) -> Option<Order> {
        Order::parse(operation, body.as_bytes(), &Actor::new("alice")).ok()
    }

    #[test]
    fn a_resolution_names_its_bytes() {
        let order = parse(
            Operation::Resolve,
            r#"{"token":"7","reason":"INC-42","outcome":"happened","response_hex":"00ff"}"#,
        );
        let order = order.unwrap();
        assert_eq!((order.by.actor(), order.by.reason()), ("alice", "INC-42"));
        let Command::Resolve {
            resolution, force, ..
        } = order.command
        else {
            panic!("another command");
        };
        assert_eq!(resolution, Resolution::Happened(vec![0, 255]));
        assert!(!force);
    }

    #[test]
    fn what_is_half_said_is_refused() {
        let resolve = [
            r#"{"token":"7","reason":"r","outcome":"happened"}"#,
            r#"{"token":"7","reason":"r","outcome":"happened","error":"x"}"#,
            r#"{"token":"7","reason":"r","outcome":"never_happened","response":""}"#,
            r#"{"token":"7","reason":"r","outcome":"Happened","response":""}"#,
            r#"{"token":7,"reason":"r","outcome":"never_happened"}"#,
            r#"{"token":"-7","reason":"r","outcome":"never_happened"}"#,
            r#"{"token":"7","reason":" ","outcome":"never_happened"}"#,
            r#"{"token":"7","outcome":"never_happened"}"#,
            r#"{"token":"7","reason":"r","outcome":"never_happened","forced":true}"#,
            r#"{"token":"7","reason":"r","outcome":"never_happened"} x"#,
            r#"{"token":"7","reason":"a\u001b[2J","outcome":"never_happened"}"#,
            "",
            "null",
        ];
        for body in resolve {
            assert!(parse(Operation::Resolve, body).is_none(), "{body}");
        }
        assert!(parse(Operation::Fail, r#"{"token":"7","reason":"r"}"#).is_none());
        assert!(parse(Operation::Forget, r#"{"token":"7","reason":"r"}"#).is_none());
        assert!(parse(Operation::Forget, r#"{"force":true,"reason":"r"}"#).is_none());
        assert!(parse(Operation::Forget, r#"{"reason":"r"}"#).is_some());
    }
}
