//! Changes on their way to the backend: sent again under the same nonce where no answer came.

use crate::backend::{Answered, Change, Outcome};
use crate::remote::remote::Remote;
use crate::value::error::{Error, ErrorKind, Result};

/// The first wait before a change is sent again; each later one is twice as long, up to [`AGAIN_MAX_MS`].
const AGAIN_MS: u64 = 20;
const AGAIN_MAX_MS: u64 = 1000;

impl Remote {
    /// Has changes carried out. Where no answer came they are sent again, until one says what became of them or the
    /// deadline of the call has come.
    pub(super) async fn submit(&self, changes: Vec<Change>) -> Result<Answered<Vec<Outcome>>> {
        let until_ms = self
            .backend
            .mono_ms()
            .saturating_add(self.options.call_deadline_ms);
        let mut wait_ms = AGAIN_MS;
        let mut unknown: Option<Error> = None;
        loop {
            let error = match self.backend.submit(changes.clone()).await {
                Ok(answered) => return Ok(answered),
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::Unknown => unknown = Some(error),
                // Nothing was done this time, but it may have been before.
                ErrorKind::Unavailable if unknown.is_some() => {}
                _ => return Err(error),
            }
            let is_over = self.backend.mono_ms().saturating_add(wait_ms) >= until_ms;
            if let Some(unknown) = unknown.take_if(|_| is_over) {
                return Err(unknown);
            }
            self.backend.sleep(wait_ms).await;
            wait_ms = wait_ms.saturating_mul(2).min(AGAIN_MAX_MS);
        }
    }
}
