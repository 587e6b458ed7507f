//! The audit log: an entry for each transition, in the frame of its record, and archives for entries of old segments.
//! What comes in: a transition, the side that caused it, and the policy.
//! It decides nothing about a key, and knows records only by what an entry says of them.

pub(crate) mod archive;
pub(crate) mod archive_sizes;
pub(crate) mod archiving;
pub(crate) mod chain;
pub(crate) mod entry;
pub(crate) mod initiator;
pub(crate) mod orphans;
pub(crate) mod policy_change;
pub(crate) mod reading;
