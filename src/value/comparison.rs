//! [`Comparison`]: how the fingerprint of a claim compares with the one that is stored.

use serde::{Deserialize, Serialize};

use crate::value::fingerprint::{Fingerprint, Part};

/// How a claim's fingerprint is compared with the stored one.
///
/// # Examples
///
/// ```
/// use hapax::{ErrorKind, FingerprintPolicy, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let policy = Policy::at_least_once().fingerprints(FingerprintPolicy::Required);
/// let orders = store.namespace("orders", policy)?;
/// assert_eq!(orders.claim("order-7").unwrap_err().kind(), ErrorKind::Invalid);
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FingerprintPolicy {
    /// A claim without a fingerprint is refused; another scheme is a mismatch.
    Required,
    /// Compared when both sides have one of the same scheme; the answer says whether they were compared.
    Optional,
    /// Stored, never compared.
    Ignored,
}

/// How two fingerprints compare.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Same,
    NotCompared,
    /// The labels that differ, or are there on one side only.
    Differs(Vec<String>),
}

/// Compares the fingerprint that is stored with the one that was sent, under a policy.
pub(crate) fn compare(
    stored: Option<&Fingerprint>,
    sent: Option<&Fingerprint>,
    policy: FingerprintPolicy,
) -> Comparison {
    let (Some(stored), Some(sent)) = (stored, sent) else {
        let one_sided = stored.is_some() != sent.is_some();
        return match policy {
            FingerprintPolicy::Required if one_sided => Comparison::Differs(Vec::new()),
            _ => Comparison::NotCompared,
        };
    };
    match policy {
        FingerprintPolicy::Ignored => Comparison::NotCompared,
        FingerprintPolicy::Optional if stored.scheme != sent.scheme => Comparison::NotCompared,
        _ if stored == sent => Comparison::Same,
        _ => Comparison::Differs(differing_labels(stored, sent)),
    }
}

fn differing_labels(stored: &Fingerprint, sent: &Fingerprint) -> Vec<String> {
    if stored.scheme != sent.scheme {
        return vec!["scheme".to_owned()];
    }
    let lacks = |other: &Fingerprint, part: &Part| !other.parts.contains(part);
    let mut labels: Vec<String> = sent
        .parts
        .iter()
        .filter(|part| lacks(stored, part))
        .map(|part| part.label.clone())
        .collect();
    for part in stored.parts.iter().filter(|part| lacks(sent, part)) {
        if !labels.contains(&part.label) {
            labels.push(part.label.clone());
        }
    }
    labels
}
