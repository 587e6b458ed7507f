//! [`ByAge`]: a list by age of a store over a backend, read when it is first asked.

use std::collections::VecDeque;

use crate::value::error::Result;
use crate::value::scan_position::ScanPosition;

/// A list by age, read when it is first asked for a key. Later keys are not listed, so a caller that acts on each key
/// comes to an end.
pub(super) struct ByAge<T> {
    after: Option<ScanPosition>,
    listed: Option<VecDeque<(ScanPosition, T)>>,
}

impl<T> ByAge<T> {
    pub(super) fn new() -> Self {
        Self {
            after: None,
            listed: None,
        }
    }

    /// Leaves out the keys up to this rank.
    pub(super) fn skip(&mut self, after: ScanPosition) {
        self.after = self.after.max(Some(after));
    }

    /// The rank of the last key that was met.
    pub(super) fn reached(&self) -> Option<ScanPosition> {
        self.after
    }

    /// The next key that `tell` still finds in its state; `read` gives all of them, the oldest first. An error is the
    /// last item.
    pub(super) fn next<U>(
        &mut self,
        read: impl FnOnce() -> Result<Vec<(ScanPosition, T)>>,
        mut tell: impl FnMut(T) -> Result<Option<U>>,
    ) -> Option<Result<U>> {
        let listed = match &mut self.listed {
            Some(listed) => listed,
            none => match read() {
                Ok(read) => none.insert(read.into()),
                Err(error) => {
                    *none = Some(VecDeque::new());
                    return Some(Err(error));
                }
            },
        };
        loop {
            let (rank, item) = listed.pop_front()?;
            if self.after.is_some_and(|after| after >= rank) {
                continue;
            }
            self.after = Some(rank);
            let told = tell(item);
            if told.is_err() {
                listed.clear();
            }
            if let Some(told) = told.transpose() {
                return Some(told);
            }
        }
    }
}
