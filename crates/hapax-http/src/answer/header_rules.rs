//! [`HeaderRules`]: which headers of a response are stored.

use http::header::{
    AUTHORIZATION, CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers of one connection, which make no sense in a replay (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Headers of one client and one moment.
const SECRETS: [HeaderName; 5] = [
    SET_COOKIE,
    AUTHORIZATION,
    PROXY_AUTHORIZATION,
    PROXY_AUTHENTICATE,
    WWW_AUTHENTICATE,
];

/// Which headers and trailers of a response are stored, and so replayed. The first answer keeps all of them.
///
/// By default all are stored except `Set-Cookie`, `Authorization`, `Proxy-Authorization`, `Proxy-Authenticate` and
/// `WWW-Authenticate`. Headers of one connection are never stored: `Connection` and the headers that it names,
/// `Keep-Alive`, `Proxy-Connection`, `TE`, `Transfer-Encoding`, `Upgrade`. `Trailer` names the stored trailers, and is
/// absent without any.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Store};
/// use hapax_http::{HeaderRules, IdempotencyLayer};
/// use http::header::{ETAG, SET_COOKIE};
///
/// # let store = Store::in_memory().open()?;
/// # let payments = store.namespace("payments", Policy::at_least_once())?;
/// let rules = HeaderRules::new().allow(&SET_COOKIE).deny(ETAG);
/// let layer = IdempotencyLayer::new(payments).one_tenant().stored_headers(rules);
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct HeaderRules {
    denied: Vec<HeaderName>,
    only: Option<Vec<HeaderName>>,
}

impl Default for HeaderRules {
    fn default() -> Self {
        Self {
            denied: SECRETS.to_vec(),
            only: None,
        }
    }
}

impl HeaderRules {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// This header is not stored.
    #[must_use]
    pub fn deny(mut self, name: HeaderName) -> Self {
        self.denied.push(name);
        self
    }

    /// This header is stored, even if the defaults leave it out.
    #[must_use]
    pub fn allow(mut self, name: &HeaderName) -> Self {
        self.denied.retain(|denied| denied != name);
        self
    }

    /// Only these headers are stored, unless they are denied.
    #[must_use]
    pub fn only(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.only = Some(names.into_iter().collect());
        self
    }

    /// The headers that are stored, in their order. `Trailer` announces the stored trailers only.
    pub(crate) fn kept(&self, headers: &HeaderMap, trailers: &HeaderMap) -> HeaderMap {
        let named = named_by_connection(headers);
        let mut out = HeaderMap::with_capacity(headers.len());
        for (name, value) in headers {
            if name == TRAILER {
                if let Some(value) = announced(value, trailers) {
                    out.append(TRAILER, value);
                }
            } else if self.keeps(name) && !named.contains(name) {
                out.append(name.clone(), value.clone());
            }
        }
        out
    }

    /// The trailers that are stored, in their order.
    pub(crate) fn kept_trailers(&self, trailers: &HeaderMap) -> HeaderMap {
        let kept = trailers.iter().filter(|(name, _)| self.keeps(name));
        let mut out = HeaderMap::with_capacity(trailers.len());
        for (name, value) in kept {
            out.append(name.clone(), value.clone());
        }
        out
    }

    fn keeps(&self, name: &HeaderName) -> bool {
        !HOP_BY_HOP.contains(name)
            && !self.denied.contains(name)
            && self.only.as_ref().is_none_or(|only| only.contains(name))
    }
}

/// This value of `Trailer`, reduced to the given trailers: clients would wait for the others in vain.
fn announced(value: &HeaderValue, trailers: &HeaderMap) -> Option<HeaderValue> {
    let names = value.to_str().ok()?.split(',').map(str::trim);
    let names: Vec<&str> = names.filter(|name| trailers.contains_key(*name)).collect();
    (!names.is_empty())
        .then(|| HeaderValue::try_from(names.join(", ")).ok())
        .flatten()
}

/// The headers that `Connection` names, which belong to one connection too.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect()
}
