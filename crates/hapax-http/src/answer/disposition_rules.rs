//! [`DispositionRules`]: the dispositions that a service has chosen.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;

use http::StatusCode;

use crate::answer::disposition::{Disposition, by_error, by_status};
use crate::body::error::BoxError;

type ByStatus = Arc<dyn Fn(StatusCode) -> Disposition + Send + Sync>;
type ByError = Arc<dyn Fn(&(dyn Error + 'static)) -> Disposition + Send + Sync>;

/// What happens to a key when its handler has answered, failed or panicked.
#[derive(Clone)]
pub(crate) struct DispositionRules {
    pub(crate) by_status: ByStatus,
    /// These go before `by_status`; for one status the last entry counts.
    pub(crate) of_statuses: Vec<(StatusCode, Disposition)>,
    pub(crate) by_error: ByError,
    pub(crate) on_panic: Disposition,
}

impl Default for DispositionRules {
    fn default() -> Self {
        Self {
            by_status: Arc::new(by_status),
            of_statuses: Vec::new(),
            by_error: Arc::new(by_error),
            on_panic: Disposition::ByGuarantee,
        }
    }
}

impl DispositionRules {
    pub(crate) fn of_status(&self, status: StatusCode) -> Disposition {
        let mut chosen = self.of_statuses.iter().rev();
        let chosen = chosen.find(|chosen| chosen.0 == status);
        chosen.map_or_else(|| (self.by_status)(status), |chosen| chosen.1)
    }

    /// Only a boxed error can be inspected.
    pub(crate) fn of_error<E: 'static>(&self, error: &E) -> Disposition {
        let error: &dyn Any = error;
        match error.downcast_ref::<BoxError>() {
            Some(error) => (self.by_error)(&**error),
            None => Disposition::ByGuarantee,
        }
    }
}
