//! [`HeaderRules`]: which headers of a response are stored.

use http::header::{
    AUTHORIZATION, CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName};

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

/// Which headers of a response are stored, and so replayed. The first answer has all of them.
///
/// By default all but `Set-Cookie`, `Authorization`, `Proxy-Authorization`, `Proxy-Authenticate`,
/// `WWW-Authenticate`, and those of one connection: `Connection` and what it names, `Keep-Alive`,
/// `Proxy-Connection`, `TE`, `Trailer`, `Transfer-Encoding`, `Upgrade`. The latter are never stored.
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

    /// What of these headers is stored, in their order.
    pub(crate) fn kept(&self, headers: &HeaderMap) -> HeaderMap {
        let named = named_by_connection(headers);
        let keeps = |name: &HeaderName| {
            !HOP_BY_HOP.contains(name)
                && !self.denied.contains(name)
                && !named.contains(name)
                && self.only.as_ref().is_none_or(|only| only.contains(name))
        };
        let kept = headers.iter().filter(|(name, _)| keeps(name));
        let mut out = HeaderMap::with_capacity(headers.len());
        for (name, value) in kept {
            out.append(name.clone(), value.clone());
        }
        out
    }
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
