//! [`Duty`]: the work of one of a store's own threads.

use std::cell::RefCell;
use std::sync::Arc;

use crate::runtime::sync::thread_local;

thread_local! {
    /// The duty of this thread, if it is a store's own thread.
    static DUTY: RefCell<Option<Arc<dyn Duty>>> = const { RefCell::new(None) };
}

/// The work of one of a store's own threads.
pub(crate) trait Duty: Send + Sync {
    /// Does the work that is due, then sleeps until more is due, or until the next nudge.
    fn round(&self);

    /// Ends the sleep of this round, or keeps the next one from sleeping.
    fn nudge(&self);
}

/// Works on this thread as long as `goes_on`. Foreign code that runs here, inside of a waker, may
/// make calls that wait for the store: [`block_on`] goes on with the rounds meanwhile.
pub(crate) fn serve(duty: Arc<dyn Duty>, goes_on: impl Fn() -> bool) {
    struct OffDuty;
    impl Drop for OffDuty {
        fn drop(&mut self) {
            let duty = DUTY.with(|duty| duty.borrow_mut().take());
            drop(duty);
        }
    }
    DUTY.with(|at| *at.borrow_mut() = Some(Arc::clone(&duty)));
    let _off = OffDuty;
    while goes_on() {
        duty.round();
    }
}

/// The duty of this thread, if it is one of a store's own.
pub(super) fn of_this_thread() -> Option<Arc<dyn Duty>> {
    DUTY.with(|duty| duty.borrow().clone())
}
