//! `POST /keys/{namespace}/{key}/{operation}` and `/accept-salvage`: operations, each with an actor and a
//! reason.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use hapax::operator::{Attribution, Operator};
use hapax::{Namespace, Resolution};
use http_body_util::LengthLimitError;
use serde::Serialize;

use crate::admin::Admin;
use crate::answer::json::json;
use crate::answer::key_view::{PartsView, StateView};
use crate::answer::problem::{Answer, Code, Problem};
use crate::gate::Stop;
use crate::notation::percent::escaped;
use crate::operator::actor::Actor;
use crate::operator::operation::Operation;
use crate::options::Options;
use crate::request::command::Command;
use crate::request::key_path::KeyPath;
use crate::request::order::Order;

/// What was done.
#[derive(Serialize)]
struct Done {
    operation: &'static str,
    actor: String,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_parts: Option<PartsView>,
    /// Whether the key existed, for `forget`.
    #[serde(skip_serializing_if = "Option::is_none")]
    forgotten: Option<bool>,
    /// The state of the key afterwards; `None` if the key is absent or could not be read.
    now: Option<StateView>,
}

/// `POST /keys/{namespace}/{key}/{operation}`
pub(crate) async fn on_key(State(admin): State<Arc<Admin>>, request: Request) -> Answer {
    let path = KeyPath::parse(request.uri().path())?;
    let name = path.operation.as_deref().unwrap_or_default();
    let operation = Operation::on_a_key(name).ok_or_else(unknown)?;
    let order = order(&admin.options, request, operation).await?;
    let operator = admin.options.store.operator(order.by.clone());
    let store = admin.options.store.clone();
    let work = move |_: &Stop| {
        let namespace = store.open_namespace(&path.namespace)?;
        let forgotten = carry_out(&operator, &namespace, &path.key, order.command)?;
        // The operation succeeded, even if the key cannot be read now.
        let now = namespace.get(&path.key).ok().flatten();
        Ok(Done {
            operation: operation.name(),
            actor: order.by.actor().to_owned(),
            reason: order.by.reason().to_owned(),
            namespace: Some(path.namespace),
            key: Some(escaped(&path.key)),
            key_parts: PartsView::of(&path.key),
            forgotten,
            now: now.as_ref().map(StateView::of),
        })
    };
    Ok(json(StatusCode::OK, &admin.actions.run(work).await?))
}

/// `POST /accept-salvage`
pub(crate) async fn accept_salvage(State(admin): State<Arc<Admin>>, request: Request) -> Answer {
    let operation = Operation::AcceptSalvage;
    let order = order(&admin.options, request, operation).await?;
    let operator = admin.options.store.operator(order.by);
    let work = move |_: &Stop| {
        operator.accept_salvage()?;
        Ok(Done {
            operation: operation.name(),
            actor: operator.action().actor().to_owned(),
            reason: operator.action().reason().to_owned(),
            namespace: None,
            key: None,
            key_parts: None,
            forgotten: None,
            now: None,
        })
    };
    Ok(json(StatusCode::OK, &admin.actions.run(work).await?))
}

fn unknown() -> Problem {
    let names = Operation::ALL.iter().map(|operation| operation.name());
    let of_keys: Vec<_> = names
        .filter(|name| Operation::on_a_key(name).is_some())
        .collect();
    let text = format!("the operations on a key are {}", of_keys.join(", "));
    Problem::new(Code::UnknownOperation, text)
}

/// Reads what is ordered, and by whom. The body is read only when the actor is known.
async fn order(
    options: &Options,
    request: Request,
    operation: Operation,
) -> Result<Order, Problem> {
    let (parts, body) = request.into_parts();
    let actor = options.actor(&parts, operation)?;
    check_actor(&actor)?;
    check_json(&parts.headers)?;
    let body = read(body, options.request_bytes_max).await?;
    let order = Order::parse(operation, &body, &actor)?;
    if order.command.is_forced() && !options.forces {
        let text = "the service does not allow force: wait for the holder, or stop it";
        return Err(Problem::new(Code::ForceOff, text));
    }
    Ok(order)
}

/// An actor that cannot be recorded is a mistake of the service, not of the operator.
fn check_actor(actor: &Actor) -> Result<(), Problem> {
    match Attribution::new(actor.name(), "") {
        Ok(_) => Ok(()),
        Err(error) => Err(Problem::new(Code::ActorUnusable, error.to_string())),
    }
}

/// A form on a page of another site cannot send this content type without a preflight request.
fn check_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    if kind.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let text = "send the operation as JSON, with content-type: application/json";
    Err(Problem::new(Code::NotJson, text))
}

async fn read(body: Body, most: usize) -> Result<Vec<u8>, Problem> {
    let read = axum::body::to_bytes(body, most).await;
    read.map(Vec::from).map_err(|error| {
        let is_long =
            std::error::Error::source(&error).is_some_and(|source| source.is::<LengthLimitError>());
        if is_long {
            Problem::new(Code::BodyTooLarge, format!("the limit is {most} bytes"))
        } else {
            let text = "the body was cut off: nothing was done";
            Problem::new(Code::BodyUnreadable, text)
        }
    })
}

/// Returns whether the key existed, for `forget`.
fn carry_out(
    operator: &Operator,
    namespace: &Namespace,
    key: &[u8],
    command: Command,
) -> Result<Option<bool>, Problem> {
    let name = namespace.name();
    match command {
        Command::Resolve {
            token,
            resolution,
            form,
            force,
        } => {
            let happened = match &resolution {
                Resolution::Happened(response) => Some(&response[..]),
                _ => None,
            };
            form.check(key, happened)?;
            let doubt = doubt(namespace, key, token)?;
            settle(operator, &doubt, resolution, force)?;
        }
        Command::Release { token } => operator.release(name, key, token)?,
        Command::Doubt { token } => operator.doubt(name, key, token)?,
        Command::Fail { token, error, form } => {
            form.check(key, None)?;
            operator.fail(name, key, token, error)?;
        }
        Command::Forget { force: None } => return Ok(Some(operator.forget(name, key)?)),
        Command::Forget { force: Some(token) } => {
            return Ok(Some(operator.forget_forced(name, key, token)?));
        }
        Command::AcceptSalvage => operator.accept_salvage()?,
    }
    Ok(None)
}

fn settle(
    operator: &Operator,
    doubt: &hapax::Doubt,
    resolution: Resolution,
    force: bool,
) -> Result<(), Problem> {
    let settled = if force {
        operator.resolve_forced(doubt, resolution)
    } else {
        operator.resolve(doubt, resolution)
    };
    Ok(settled?)
}

/// The doubt under this token, which is the one that the operator has seen; any other may be another
/// holder's.
fn doubt(
    namespace: &Namespace,
    key: &[u8],
    token: hapax::FencingToken,
) -> Result<hapax::Doubt, Problem> {
    let found = namespace.doubt_of(key)?;
    if let Some(doubt) = found.filter(|doubt| doubt.token() == token) {
        return Ok(doubt);
    }
    let Some(info) = namespace.get(key)? else {
        let text = "the key is absent or expired: there is nothing to resolve";
        return Err(Problem::new(Code::UnknownKey, text));
    };
    let problem = if info.state() == hapax::KeyState::InDoubt {
        let text = "the key is in doubt under another token: look at the key again";
        Problem::new(Code::Superseded, text)
    } else {
        let text = "only a key in doubt can be resolved: look at its current state";
        Problem::new(Code::NotInDoubt, text)
    };
    Err(problem.current(&info))
}
