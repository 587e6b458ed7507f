//! [`Command`]: what the body of a request orders.

use hapax::{Action, FencingToken, Resolution};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::actor::Actor;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::view::from_hex;

/// What shall be done, by whom, and why.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) by: Action,
    pub(crate) command: Command,
}

/// What shall be done to a key, or to the store.
#[derive(Debug)]
pub(crate) enum Command {
    Resolve {
        token: FencingToken,
        resolution: Resolution,
        force: bool,
    },
    Release {
        token: FencingToken,
    },
    Doubt {
        token: FencingToken,
    },
    Fail {
        token: FencingToken,
        error: Vec<u8>,
    },
    /// With the token of a key that is in progress or in doubt.
    Forget {
        force: Option<FencingToken>,
    },
    AcceptSalvage,
}

impl Command {
    pub(crate) fn is_forced(&self) -> bool {
        matches!(
            self,
            Self::Resolve { force: true, .. } | Self::Forget { force: Some(_) }
        )
    }
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
    #[serde(default)]
    force: bool,
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
    /// Reads a body. Members that the operation does not know are refused: one that is misspelled
    /// shall not be left out.
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
                let error = bytes("error", body.error, body.error_hex)?;
                let token = body.token;
                (body.reason, Command::Fail { token, error })
            }
            Operation::Forget => forget(read(body)?)?,
            Operation::AcceptSalvage => {
                let ReasonBody { reason } = read(body)?;
                (reason, Command::AcceptSalvage)
            }
        };
        if reason.trim().is_empty() {
            return Err(Problem::invalid(
                "the reason is empty: say why, for whoever reads the audit log",
            ));
        }
        let by = Action::new(actor.name(), reason)?;
        Ok(Self { by, command })
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::invalid(format!("the body does not fit: {error}")))
}

fn resolve(body: ResolveBody) -> Result<(String, Command), Problem> {
    let has_response = body.response.is_some() || body.response_hex.is_some();
    let has_error = body.error.is_some() || body.error_hex.is_some();
    let resolution = match body.outcome {
        Outcome::Happened if !has_error => {
            Resolution::Happened(bytes("response", body.response, body.response_hex)?)
        }
        Outcome::Failed if !has_response => {
            Resolution::Failed(bytes("error", body.error, body.error_hex)?)
        }
        Outcome::NeverHappened if !has_response && !has_error => Resolution::NeverHappened,
        _ => {
            return Err(Problem::invalid(
                "a response goes with happened, an error with failed, and neither with never_happened",
            ));
        }
    };
    let (token, force) = (body.token, body.force);
    let command = Command::Resolve {
        token,
        resolution,
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
                "token and force go together: a settled key is forgotten without them, one in progress or in \
                 doubt under its token and by force",
            ));
        }
    };
    Ok((body.reason, Command::Forget { force }))
}

/// The bytes of a member, given as text or in hexadecimal digits.
fn bytes(name: &str, text: Option<String>, hex: Option<String>) -> Result<Vec<u8>, Problem> {
    match (text, hex) {
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(hex)) => from_hex(&hex).ok_or_else(|| {
            Problem::invalid(format!("{name}_hex is not pairs of hexadecimal digits"))
        }),
        _ => Err(Problem::invalid(format!(
            "give {name} as text, or {name}_hex in hexadecimal digits: one of them, \"\" for no bytes"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Order};
    use crate::actor::Actor;
    use crate::operation::Operation;
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
