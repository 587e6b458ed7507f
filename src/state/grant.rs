//! [`Grant`]: what a shard needs to make a caller the holder of a key.

use std::sync::Arc;

use crate::observe::tallies::Column;
use crate::state::request::Request;
use crate::state::transition::Basis;
use crate::value::fencing_token::FencingToken;
use crate::value::key_bytes::KeyBytes;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::Policy;
use crate::value::record::Record;

/// A grant to put in place.
#[derive(Debug)]
pub(crate) struct Grant<'a> {
    pub(crate) namespace: NamespaceId,
    pub(crate) column: Column,
    pub(crate) policy: &'a Arc<Policy>,
    pub(crate) key: KeyBytes,
    pub(crate) token: FencingToken,
    pub(crate) request: Request,
    pub(crate) basis: Basis,
    /// The record that the basis comes from.
    pub(crate) record: Option<Arc<Record>>,
}
