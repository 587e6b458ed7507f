//! [`Calls`]: the calls on the keys of one namespace, wherever its store lies.

use std::sync::Arc;

use crate::claim::claim::{BatchClaim, Claim};
use crate::claim::doubt::Doubt;
use crate::claim::local_calls::LocalCalls;
use crate::claim::options::{ClaimItem, ClaimOptions};
use crate::claim::pending::Pending;
use crate::claim::remote_calls::RemoteCalls;
use crate::engine::namespaces::NamespaceCore;
use crate::runtime::sync::block_on;
use crate::value::attribution::Attribution;
use crate::value::digest::Hasher128;
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;
use crate::value::key_info::KeyInfo;

/// The calls on the keys of one namespace. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Calls {
    Local(LocalCalls),
    Remote(RemoteCalls),
}

/// The same call on either home.
macro_rules! on_home {
    ($self:ident, $calls:ident => $call:expr) => {
        match $self {
            Self::Local($calls) => $call,
            Self::Remote($calls) => $call,
        }
    };
}

impl Calls {
    pub(crate) fn core(&self) -> &Arc<NamespaceCore> {
        on_home!(self, calls => calls.core())
    }

    /// Draws fingerprints, derived keys and digests of keys.
    pub(crate) fn seeded(&self) -> &Hasher128 {
        on_home!(self, calls => calls.seeded())
    }

    #[inline]
    pub(crate) fn claim(&self, key: &[u8], options: ClaimOptions) -> Result<Claim> {
        on_home!(self, calls => calls.claim(key, options))
    }

    pub(crate) fn claim_async(&self, key: &[u8], options: ClaimOptions) -> Pending<Result<Claim>> {
        on_home!(self, calls => calls.claim_async(key, options))
    }

    pub(crate) fn claim_many<I: Into<ClaimItem>>(
        &self,
        items: impl IntoIterator<Item = I>,
    ) -> Result<Vec<BatchClaim>> {
        on_home!(self, calls => calls.claim_many(items))
    }

    pub(crate) fn claim_many_async<I: Into<ClaimItem>>(
        &self,
        items: impl IntoIterator<Item = I>,
    ) -> Pending<Result<Vec<BatchClaim>>> {
        on_home!(self, calls => calls.claim_many_async(items))
    }

    #[inline]
    pub(crate) fn insert(&self, key: &[u8]) -> Result<bool> {
        on_home!(self, calls => calls.insert(key))
    }

    pub(crate) fn insert_async(&self, key: &[u8]) -> Pending<Result<bool>> {
        on_home!(self, calls => calls.insert_async(key))
    }

    pub(crate) fn insert_many<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Result<bool>>> {
        on_home!(self, calls => calls.insert_many(keys))
    }

    pub(crate) fn insert_many_async<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Pending<Result<Vec<Result<bool>>>> {
        on_home!(self, calls => calls.insert_many_async(keys))
    }

    pub(crate) fn contains(&self, key: &[u8]) -> Result<bool> {
        match self {
            Self::Local(calls) => block_on(calls.contains(key)),
            Self::Remote(calls) => block_on(calls.contains_async(key)),
        }
    }

    pub(crate) fn contains_async(&self, key: &[u8]) -> Pending<Result<bool>> {
        match self {
            Self::Local(calls) => {
                let (key, calls) = (calls.own_key(key), calls.clone());
                Pending::new(async move { calls.contains(&key?).await })
            }
            Self::Remote(calls) => calls.contains_async(key),
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<KeyInfo>> {
        match self {
            Self::Local(calls) => block_on(calls.get(key)),
            Self::Remote(calls) => block_on(calls.get_async(key)),
        }
    }

    pub(crate) fn get_async(&self, key: &[u8]) -> Pending<Result<Option<KeyInfo>>> {
        match self {
            Self::Local(calls) => {
                let (key, calls) = (calls.own_key(key), calls.clone());
                Pending::new(async move { calls.get(&key?).await })
            }
            Self::Remote(calls) => calls.get_async(key),
        }
    }

    pub(crate) fn doubt_of(&self, key: &[u8]) -> Result<Option<Doubt>> {
        match self {
            Self::Local(calls) => block_on(calls.doubt_of(key)),
            Self::Remote(calls) => calls.doubt_of(key),
        }
    }

    pub(crate) fn forget(
        &self,
        key: &[u8],
        force: Option<FencingToken>,
        by: Option<&Attribution>,
    ) -> Result<bool> {
        match self {
            Self::Local(calls) => calls.forget(key, force, by),
            Self::Remote(calls) => block_on(calls.forget(key, force, by)),
        }
    }

    pub(crate) fn forget_async(&self, key: &[u8]) -> Pending<Result<bool>> {
        match self {
            Self::Local(calls) => calls.forget_async(key),
            Self::Remote(calls) => calls.forget(key, None, None),
        }
    }
}
