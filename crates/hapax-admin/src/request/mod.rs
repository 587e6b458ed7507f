//! What a request asks for: its path, its query and its body, checked before anything runs.
//! May come in: the text of a request, and the actor.
//! Must not know: routes, gates, and how an order is carried out.

pub(crate) mod audit_query;
pub(crate) mod command;
pub(crate) mod key_path;
pub(crate) mod list_query;
pub(crate) mod members;
pub(crate) mod order;
pub(crate) mod outcome_form;
