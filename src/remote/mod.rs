//! A store whose rows lie in a backend that several processes share.
//! What comes in: the calls of `src/claim/` and its neighbours, and a [`Backend`](crate::backend::Backend).
//! It knows no rule: each call looks at a row, lets `src/state/transition/` decide, and has the row compared and set;
//! it does not know which engine the backend is.

pub(crate) mod acting;
pub(crate) mod answer;
pub(crate) mod attaching;
mod beating;
mod beats;
pub(crate) mod bringing_in;
mod claiming;
mod decision;
pub(crate) mod ending_hold;
mod first_of;
pub(crate) mod forgetting;
pub(crate) mod grant;
pub(crate) mod hold;
mod holds;
pub(crate) mod home;
mod inserting;
pub(crate) mod list;
mod look;
mod metrics;
mod namespaces;
mod nonces;
pub(crate) mod open;
pub(crate) mod options;
pub(crate) mod receipt;
pub(crate) mod remote;
pub(crate) mod resolving;
mod rows;
mod seen;
mod sending;
mod traffic;
mod waiting;
mod waits;
