//! The signs of life that a process gives for as long as its store is open.

use std::sync::Arc;

use crate::remote::remote::Remote;
use crate::runtime::sync::Ordering;
use crate::value::error::Result;

/// Signs of life within the span after which a process counts as gone.
const BEATS_PER_SPAN: u64 = 3;

impl Remote {
    /// Gives one sign of life.
    pub(super) async fn beat(&self) -> Result<()> {
        let sent_ms = self.backend.mono_ms();
        let span_ms = self.options.beat_ms;
        let server_ms = self.backend.beat(self.process, span_ms).await?;
        let beats = &self.beats;
        let heard_until_ms = beats
            .server_ms
            .load(Ordering::Acquire)
            .saturating_add(span_ms);
        if server_ms >= heard_until_ms {
            // From when the answer is here: what was sent before may have come before the sign.
            let answered_ms = self.backend.mono_ms();
            beats.alive_since_ms.store(answered_ms, Ordering::Release);
        }
        // It counts from when it was sent: the server has heard it later.
        beats
            .alive_until_ms
            .fetch_max(sent_ms.saturating_add(span_ms), Ordering::AcqRel);
        beats.server_ms.store(server_ms, Ordering::Release);
        beats.mono_ms.store(sent_ms, Ordering::Release);
        Ok(())
    }

    /// Gives signs of life for as long as the store is open. A sign that fails is given again at the next turn.
    pub(super) fn keep_beating(self: &Arc<Self>) {
        let (backend, remote) = (Arc::clone(&self.backend), Arc::downgrade(self));
        let turn_ms = (self.options.beat_ms / BEATS_PER_SPAN).max(1);
        self.backend.spawn(Box::pin(async move {
            loop {
                backend.sleep(turn_ms).await;
                let Some(remote) = remote.upgrade().filter(|remote| !remote.is_closed()) else {
                    return;
                };
                // The leases say by themselves when they are lost.
                let _ = remote.beat().await;
            }
        }));
    }
}
