//! [`Begun`]: a call that is done, or the wait that is left of it.

use std::future::Future;

use crate::runtime::sync::block_on;

/// The result of a call, or the wait that is left of it. A blocking call and its async form begin alike: one
/// [waits](Self::wait), the other is a future that [finishes](Self::finish).
#[must_use = "a call that has begun may have a wait left"]
pub(crate) enum Begun<T, F> {
    Ready(T),
    Waits(F),
}

impl<T, F: Future<Output = T>> Begun<T, F> {
    /// Waits on this thread.
    #[inline]
    pub(crate) fn wait(self) -> T {
        match self {
            Self::Ready(value) => value,
            Self::Waits(rest) => block_on(rest),
        }
    }

    #[inline]
    pub(crate) async fn finish(self) -> T {
        match self {
            Self::Ready(value) => value,
            Self::Waits(rest) => rest.await,
        }
    }

    /// Maps the result of the call.
    #[inline]
    pub(crate) fn map<U, M: FnOnce(T) -> U>(
        self,
        make: M,
    ) -> Begun<U, impl Future<Output = U> + use<T, F, U, M>> {
        match self {
            Self::Ready(value) => Begun::Ready(make(value)),
            Self::Waits(rest) => Begun::Waits(async move { make(rest.await) }),
        }
    }
}
