//! [`Receipt`]: the answer to a call that a backend carries out, as a future.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::backend::Backend;
use crate::runtime::sync::{Mailbox, wake};
use crate::value::error::{Error, ErrorKind, Result};

/// The answer to a call that was sent. Dropping it does not undo the call; an answer that comes later is dropped.
pub(crate) struct Receipt<T> {
    mailbox: Arc<Mailbox<Result<T>>>,
    /// What the call has to hear of when its caller goes away.
    on_drop: Option<Box<dyn FnOnce() + Send>>,
}

impl<T: Send + 'static> Receipt<T> {
    /// Hands a call to the backend, which drives it to its end.
    pub(crate) fn send(
        backend: &dyn Backend,
        call: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Self {
        let mailbox = Arc::new(Mailbox::new());
        let owed = Owed(Some(Arc::clone(&mailbox)));
        backend.spawn(Box::pin(async move {
            let answer = call.await;
            owed.pay(answer);
        }));
        Self {
            mailbox,
            on_drop: None,
        }
    }
}

impl<T> Receipt<T> {
    /// The same; `leave` is called when its caller goes away, with the answer or without.
    pub(super) fn on_drop(mut self, leave: impl FnOnce() + Send + 'static) -> Self {
        self.on_drop = Some(Box::new(leave));
        self
    }

    /// The refusal of a call that is not sent.
    pub(crate) fn refused(error: Error) -> Self {
        let mailbox = Arc::new(Mailbox::new());
        let delivered = mailbox.deliver(Err(error));
        debug_assert!(matches!(delivered, Ok(None)), "nobody waits yet");
        Self {
            mailbox,
            on_drop: None,
        }
    }
}

impl<T> Future for Receipt<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.mailbox.poll(context)
    }
}

impl<T> Drop for Receipt<T> {
    fn drop(&mut self) {
        let (answer, waker) = self.mailbox.shut();
        drop((answer, waker));
        if let Some(leave) = self.on_drop.take() {
            leave();
        }
    }
}

/// An answer that is owed. Dropped unpaid, it says that the store was closed: the backend does not drive it any more.
struct Owed<T>(Option<Arc<Mailbox<Result<T>>>>);

impl<T> Owed<T> {
    fn pay(mut self, answer: Result<T>) {
        self.deliver(answer);
    }

    fn deliver(&mut self, answer: Result<T>) {
        let Some(mailbox) = self.0.take() else { return };
        match mailbox.deliver(answer) {
            Ok(Some(waker)) => wake(waker),
            Ok(None) => {}
            Err(unwanted) => drop(unwanted),
        }
    }
}

impl<T> Drop for Owed<T> {
    fn drop(&mut self) {
        let text = "the store was closed before the answer came: whether the call was carried out is not known";
        self.deliver(Err(Error::new(ErrorKind::Unknown, text)));
    }
}
