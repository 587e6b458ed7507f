//! [`Numbers`]: how far a store has counted, and whether enough numbers are left for a run.
//!
//! Epochs, frames, segments and audit entries are numbered for the life of a store. A store near the end of
//! one of them still opens and answers, but it changes nothing. So a log with any numbers either opens every
//! time or never.

use crate::journal::format::audit::chain::AUDIT_NUMBER_MAX;
use crate::journal::format::frame::FRAME_NUMBER_MAX;
use crate::journal::format::marks::SEGMENT_NUMBER_MAX;
use crate::journal::recovery::FoundLog;
use crate::value::audit::AuditHead;
use crate::value::fencing_token::EPOCH_END;

/// The least numbers of frames, segments and audit entries that a run has left at its start: at a million a
/// second they last fifty days.
const LEFT_MIN: u64 = 1 << 42;

/// The last numbers that are taken.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Numbers {
    epoch: u32,
    frame: u64,
    segment: u64,
    audit: u64,
}

impl Numbers {
    pub(in crate::engine) fn reached(found: &FoundLog, segment: u64, audit: &AuditHead) -> Self {
        Self {
            epoch: found.epoch,
            frame: found.last,
            segment,
            audit: audit.number,
        }
    }

    /// The refusal that names the number at its end.
    pub(in crate::engine) fn spent(self) -> Option<String> {
        // Each with its last number, and how many have to be left.
        let ends = [
            ("frame", self.frame, FRAME_NUMBER_MAX, LEFT_MIN),
            ("segment", self.segment, SEGMENT_NUMBER_MAX, LEFT_MIN),
            ("audit entry", self.audit, AUDIT_NUMBER_MAX, LEFT_MIN),
            ("epoch", self.epoch.into(), u64::from(EPOCH_END) - 1, 1),
        ];
        let mut near = ends.iter().filter(|(_, at, end, left)| *at > end - left);
        let (what, at, end, _) = near.next()?;
        Some(format!(
            "the store has used {what} {at} of {end}, which leaves too few: it still answers, and changes nothing; bring its keys into a new store with an export and an import"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YOUNG: Numbers = Numbers {
        epoch: 1,
        frame: 0,
        segment: 0,
        audit: 0,
    };

    #[test]
    fn each_number_is_spent_before_its_end() {
        assert_eq!(YOUNG.spent(), None);
        let (frame, segment) = (FRAME_NUMBER_MAX - LEFT_MIN, SEGMENT_NUMBER_MAX - LEFT_MIN);
        let audit = AUDIT_NUMBER_MAX - LEFT_MIN;
        let last = Numbers {
            epoch: EPOCH_END - 2,
            frame,
            segment,
            audit,
        };
        assert_eq!(last.spent(), None);
        let past = [
            (
                "frame",
                Numbers {
                    frame: frame + 1,
                    ..last
                },
            ),
            (
                "segment",
                Numbers {
                    segment: segment + 1,
                    ..last
                },
            ),
            (
                "audit entry",
                Numbers {
                    audit: audit + 1,
                    ..last
                },
            ),
            (
                "epoch",
                Numbers {
                    epoch: EPOCH_END - 1,
                    ..last
                },
            ),
        ];
        for (what, numbers) in past {
            let text = numbers.spent().unwrap();
            assert!(
                text.starts_with(&format!("the store has used {what} ")),
                "{text}"
            );
        }
    }
}
