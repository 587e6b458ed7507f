//! How states, guards and times are written in columns.

use hapax::backend::{HolderGuard, RowState};

/// A row that was removed: it counts as absent, and the sweeper takes it later.
pub(crate) const REMOVED: i16 = 5;

pub(crate) const FLAG_BODY_OMITTED: i16 = 1;
pub(crate) const FLAG_ATTACHED: i16 = 2;

pub(crate) fn state_code(state: RowState) -> i16 {
    match state {
        RowState::InProgress => 0,
        RowState::Completed => 1,
        RowState::Failed => 2,
        RowState::InDoubt => 3,
        RowState::Released => 4,
    }
}

pub(crate) fn state_of(code: i16) -> Option<RowState> {
    Some(match code {
        0 => RowState::InProgress,
        1 => RowState::Completed,
        2 => RowState::Failed,
        3 => RowState::InDoubt,
        4 => RowState::Released,
        _ => return None,
    })
}

pub(crate) fn guard_code(guard: HolderGuard) -> i16 {
    match guard {
        HolderGuard::Lease => 0,
        HolderGuard::Ticket => 1,
        HolderGuard::Gone => 2,
    }
}

pub(crate) fn guard_of(code: i16) -> Option<HolderGuard> {
    Some(match code {
        0 => HolderGuard::Lease,
        1 => HolderGuard::Ticket,
        2 => HolderGuard::Gone,
        _ => return None,
    })
}

/// Milliseconds as a column has them. What lies past its end is its end, which means never.
pub(crate) fn narrow(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// Milliseconds of a column.
pub(crate) fn widen(ms: i64) -> u64 {
    match ms {
        i64::MAX => u64::MAX,
        _ => u64::try_from(ms).unwrap_or(0),
    }
}
