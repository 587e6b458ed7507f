//! Answers to requests: reasons, refusals, outcomes, dispositions, replays, problem details.
//! Statuses, headers, and completed or failed keys come in.
//! Nothing here knows requests, leases or tasks.

pub(crate) mod disposition;
pub(crate) mod disposition_rules;
pub(crate) mod ending;
pub(crate) mod expiry;
pub(crate) mod first_request;
pub(crate) mod header_rules;
pub(crate) mod outcome;
pub(crate) mod problems;
pub(crate) mod reason;
pub(crate) mod refusal;
pub(crate) mod replay;
pub(crate) mod reply_headers;
pub(crate) mod stored_form;
