//! The audit log as values: [`AuditEntry`], the [`AuditFilter`] that chooses entries, and the
//! [`AuditHead`] that stands for all of them.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::value::error::{Error, Result};
use crate::value::key::{FencingToken, KeyDigest};

/// What of a namespace is written into the audit log.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Audit {
    /// Nothing but what operators do. The default.
    #[default]
    Off,
    /// Every transition, with the digest of its key.
    Digests,
    /// Every transition, with the key itself.
    Keys,
}

/// The actor of what the engine does by itself. Nobody else can have this name.
pub(crate) const ENGINE: &str = "hapax";

macro_rules! transitions {
    ($($(#[$doc:meta])* $name:ident = $byte:literal $text:literal,)*) => {
        /// What an [`AuditEntry`] tells of.
        #[non_exhaustive]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Transition {
            $($(#[$doc])* $name,)*
        }

        impl Transition {
            /// Every transition that there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub(crate) fn byte(self) -> u8 {
                match self { $(Self::$name => $byte,)* }
            }

            pub(crate) fn of_byte(byte: u8) -> Option<Self> {
                match byte { $($byte => Some(Self::$name),)* _ => None }
            }

            /// Its name in one word.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

transitions! {
    /// The key was granted, for the first time or after its outcome had expired.
    Claimed = 1 "claimed",
    /// The key was granted once more: a second attempt, or later.
    Reclaimed = 2 "reclaimed",
    /// It completed.
    Completed = 3 "completed",
    /// It failed for good.
    Failed = 4 "failed",
    /// It was given up, to be tried again.
    Released = 5 "released",
    /// Nobody knows whether its effect happened.
    Doubted = 6 "doubted",
    /// Its holder stored a checkpoint.
    Checkpointed = 7 "checkpointed",
    /// Its claim was made durable for a ticket.
    Detached = 8 "detached",
    /// A ticket was turned into a lease again.
    Attached = 9 "attached",
    /// The lease ended without an outcome.
    Lapsed = 10 "lapsed",
    /// The process that held it died, or closed the store.
    Orphaned = 11 "orphaned",
    /// A grant was taken back before it was delivered: nothing ran.
    Withdrawn = 12 "withdrawn",
    /// It was marked as done, without a claim.
    Inserted = 13 "inserted",
    /// A doubt was resolved: the effect happened.
    ResolvedHappened = 14 "resolved_happened",
    /// A doubt was resolved: it failed.
    ResolvedFailed = 15 "resolved_failed",
    /// A doubt was resolved: the effect never happened.
    ResolvedNeverHappened = 16 "resolved_never_happened",
    /// It was forgotten.
    Forgotten = 17 "forgotten",
    /// The losses of a salvage were accepted.
    SalvageAccepted = 18 "salvage_accepted",
    /// The store was salvaged, and its audit log begins anew.
    Salvaged = 19 "salvaged",
    /// The policy of a namespace was changed: the reason says what of it. It is about no key.
    PolicyChanged = 20 "policy_changed",
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Transition {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|transition| transition.name() == text)
            .ok_or_else(|| {
                Error::invalid(format!(
                    "there is no transition {text:?}: Transition::ALL has them all"
                ))
            })
    }
}

/// Who brought a transition about.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// Whoever claimed or held the key, or another caller of the store.
    Caller,
    /// The store itself.
    Engine,
    /// An operator, under a name and a reason.
    Operator,
}

/// One transition of a key, as it was written down with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    pub(crate) number: u64,
    pub(crate) at: u32,
    pub(crate) expires_at: u32,
    /// `None` where the entry is about the whole store.
    pub(crate) namespace: Option<Arc<str>>,
    /// `None` where it is about no key.
    pub(crate) key_digest: Option<KeyDigest>,
    pub(crate) key: Option<Box<[u8]>>,
    pub(crate) transition: Transition,
    pub(crate) origin: Origin,
    pub(crate) actor: String,
    pub(crate) reason: String,
    pub(crate) token: Option<FencingToken>,
    pub(crate) attempt: u32,
    pub(crate) fingerprint: Option<u128>,
    pub(crate) outcome: Option<u128>,
}

impl AuditEntry {
    /// Its number: from 1, without gaps.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Store time of the transition, in seconds since 1970.
    #[must_use]
    pub fn at(&self) -> u64 {
        u64::from(self.at)
    }

    /// Store time until which the entry is kept, at the least, in seconds since 1970.
    #[must_use]
    pub fn expires_at(&self) -> u64 {
        u64::from(self.expires_at)
    }

    /// The name of the namespace; `None` for what concerns the whole store.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// What stands for the key; `None` for what concerns a whole namespace, or the whole store.
    #[must_use]
    pub fn key_digest(&self) -> Option<KeyDigest> {
        self.key_digest
    }

    /// The key, where the policy was [`Audit::Keys`].
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// What happened.
    #[must_use]
    pub fn transition(&self) -> Transition {
        self.transition
    }

    /// Who brought it about.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The name of whoever it was: the actor of the claim or of the action, `hapax` for the store
    /// itself, or empty where nobody said.
    #[must_use]
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// The reason of an operator, or what of a policy was changed; empty else.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The token of the transition.
    #[must_use]
    pub fn token(&self) -> Option<FencingToken> {
        self.token
    }

    /// Runs of the key so far, this one included; 0 where none is known.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The digest of the fingerprint of the request, as 32 hexadecimal digits in exports.
    #[must_use]
    pub fn fingerprint_digest(&self) -> Option<u128> {
        self.fingerprint
    }

    /// The digest of the response or the error: what
    /// [`Store::outcome_digest`](crate::Store::outcome_digest) makes of the same bytes. Of a policy
    /// that was changed: that of the new one.
    #[must_use]
    pub fn outcome_digest(&self) -> Option<u128> {
        self.outcome
    }

    /// The entry as one JSON object, on one line.
    ///
    /// Numbers that may be over 2^53, and digests, are strings. A key is `key` where it is UTF-8,
    /// else `key_hex`. What is not known is left out.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = Json::new();
        json.number("number", self.number);
        json.number("at", u64::from(self.at));
        json.text("transition", self.transition.name());
        json.text("origin", self.origin_name());
        json.optional("namespace", self.namespace.as_deref());
        if let Some(digest) = self.key_digest {
            json.text("key_digest", &digest.to_string());
        }
        match self
            .key
            .as_deref()
            .map(|key| (key, std::str::from_utf8(key)))
        {
            Some((_, Ok(key))) => json.text("key", key),
            Some((key, Err(_))) => json.text("key_hex", &hex(key)),
            None => {}
        }
        json.optional(
            "actor",
            Some(&*self.actor).filter(|actor| !actor.is_empty()),
        );
        json.optional("reason", Some(&*self.reason).filter(|why| !why.is_empty()));
        if let Some(token) = self.token {
            json.text("token", &token.to_string());
            json.number("attempt", u64::from(self.attempt));
        }
        if let Some(digest) = self.fingerprint {
            json.text("fingerprint_digest", &format!("{digest:032x}"));
        }
        if let Some(digest) = self.outcome {
            json.text("outcome_digest", &format!("{digest:032x}"));
        }
        json.number("expires_at", u64::from(self.expires_at));
        json.end()
    }

    fn origin_name(&self) -> &'static str {
        match self.origin {
            Origin::Caller => "caller",
            Origin::Engine => "engine",
            Origin::Operator => "operator",
        }
    }
}

/// One line: number, time, transition, namespace and key, then what else is known.
impl fmt::Display for AuditEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.number, self.at, self.transition)?;
        if let Some(namespace) = &self.namespace {
            write!(f, " {namespace:?}")?;
        }
        match (&self.key, self.key_digest) {
            (Some(key), _) => write!(f, " \"{}\"", key.escape_ascii())?,
            (None, Some(digest)) => write!(f, " {digest}")?,
            (None, None) => {}
        }
        if let Some(token) = self.token {
            write!(f, " token={token} attempt={}", self.attempt)?;
        }
        if !self.actor.is_empty() {
            write!(f, " {}={:?}", self.origin_name(), self.actor)?;
        }
        if !self.reason.is_empty() {
            write!(f, " reason={:?}", self.reason)?;
        }
        Ok(())
    }
}

/// An object that is put together member by member.
struct Json(String);

impl Json {
    fn new() -> Self {
        Self(String::from("{"))
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        let _ = write!(self.0, "{value}");
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.push('"');
        for c in value.chars() {
            match c {
                '"' | '\\' => {
                    self.0.push('\\');
                    self.0.push(c);
                }
                c if c.is_control() => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        let _ = write!(self.0, "\\u{unit:04x}");
                    }
                }
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Which entries [`Store::audit`](crate::Store::audit) gives.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    pub(crate) namespace: Option<String>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) key_digest: Option<KeyDigest>,
    transitions: Vec<Transition>,
    origin: Option<Origin>,
    from: Option<u64>,
    before: Option<u64>,
}

impl AuditFilter {
    /// All entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Entries of this namespace.
    #[must_use]
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespace = Some(name.into());
        self
    }

    /// Entries of this key. It is found by its digest, so the policy need not keep keys.
    #[must_use]
    pub fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.key = Some(key.as_ref().to_vec());
        self
    }

    /// Entries of the key that this digest stands for.
    #[must_use]
    pub fn key_digest(mut self, digest: KeyDigest) -> Self {
        self.key_digest = Some(digest);
        self
    }

    /// Entries of this transition; called again, of one of these.
    #[must_use]
    pub fn transition(mut self, transition: Transition) -> Self {
        self.transitions.push(transition);
        self
    }

    /// Entries of what this side brought about.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Entries from this store time on, in seconds since 1970.
    #[must_use]
    pub fn from(mut self, store_secs: u64) -> Self {
        self.from = Some(store_secs);
        self
    }

    /// Entries before this store time, in seconds since 1970.
    #[must_use]
    pub fn before(mut self, store_secs: u64) -> Self {
        self.before = Some(store_secs);
        self
    }

    /// Whether an entry passes, by all but its namespace and its key.
    pub(crate) fn passes(&self, transition: Transition, origin: Origin, at: u32) -> bool {
        let at = u64::from(at);
        (self.transitions.is_empty() || self.transitions.contains(&transition))
            && self.origin.is_none_or(|only| only == origin)
            && self.from.is_none_or(|from| at >= from)
            && self.before.is_none_or(|before| at < before)
    }
}

/// The last entry of the audit log and its link in the hash chain: it stands for every entry before
/// it. Written down elsewhere, it shows later whether any of them was changed.
///
/// Shown, and parsed, as the number, a colon and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuditHead {
    pub(crate) number: u64,
    pub(crate) link: [u8; 32],
}

impl AuditHead {
    /// The number of the entry; 0 where there is none yet.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its link: SHA-256 over the link before it, its number and its digest.
    #[must_use]
    pub fn link(&self) -> &[u8; 32] {
        &self.link
    }
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, hex(&self.link))
    }
}

impl fmt::Debug for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditHead({self})")
    }
}

impl FromStr for AuditHead {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (number, digits) = text.split_once(':')?;
            let plain = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            let mut link = [0; 32];
            for (at, byte) in link.iter_mut().enumerate().filter(|_| plain) {
                *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
            }
            let number = number.parse().ok()?;
            plain.then_some(Self { number, link })
        };
        parse().ok_or_else(|| {
            Error::invalid(
                "the head of an audit log is a number, a colon and 64 hexadecimal digits",
            )
        })
    }
}

/// What [`Store::verify_audit`](crate::Store::verify_audit) found in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditReport {
    pub(crate) entries: u64,
    pub(crate) archives: u64,
    pub(crate) archived: u64,
    pub(crate) first: u64,
    pub(crate) head: AuditHead,
}

impl AuditReport {
    /// Entries that were read.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Archives that some of them lie in.
    #[must_use]
    pub fn archives(&self) -> u64 {
        self.archives
    }

    /// Entries that lie in archives.
    #[must_use]
    pub fn archived(&self) -> u64 {
        self.archived
    }

    /// The number of the oldest entry that is there; of the next one where there is none.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The last entry, to be written down elsewhere.
    #[must_use]
    pub fn head(&self) -> AuditHead {
        self.head
    }
}
