//! [`HeaderRules`]: which headers of a response are stored.

use http::header::{
    AUTHORIZATION, CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Of one connection, so never of a replay (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Of one client and one moment.
const SECRETS: [HeaderName; 5] = [
    SET_COOKIE,
    AUTHORIZATION,
    PROXY_AUTHORIZATION,
    PROXY_AUTHENTICATE,
    WWW_AUTHENTICATE,
];

/// Which headers and trailers of a response are stored, and so replayed. The first answer has all of them.
///
/// By default all but `Set-Cookie`, `Authorization`, `Proxy-Authorization`, `Proxy-Authenticate`,
/// `WWW-Authenticate`, and those of one connection: `Connection` and what it names, `Keep-Alive`,
/// `Proxy-Connection`, `TE`, `Transfer-Encoding`, `Upgrade`. The latter are never stored. `Trailer` is stored where
/// trailers are, and names those.
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

    /// This one is not stored.
    #[must_use]
    pub fn deny(mut self, name: HeaderName) -> Self {
        self.denied.push(name);
        self
    }

    /// This one is stored, although the defaults leave it out.
    #[must_use]
    pub fn allow(mut self, name: &HeaderName) -> Self {
        self.denied.retain(|denied| denied != name);
        self
    }

    /// Nothing but these is stored, and of them only what is not denied.
    #[must_use]
    pub fn only(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.only = Some(names.into_iter().collect());
        self
    }

    /// What of these headers is stored, in their order. `Trailer` announces what is stored of the trailers.
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

    /// What of these trailers is stored, in their order.
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

/// What of this value of `Trailer` is among the trailers: the rest would be waited for in vain.
fn announced(value: &HeaderValue, trailers: &HeaderMap) -> Option<HeaderValue> {
    let names = value.to_str().ok()?.split(',').map(str::trim);
    let names: Vec<&str> = names.filter(|name| trailers.contains_key(*name)).collect();
    (!names.is_empty())
        .then(|| HeaderValue::try_from(names.join(", ")).ok())
        .flatten()
}

/// The headers that `Connection` names are of one connection too.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect()
}
