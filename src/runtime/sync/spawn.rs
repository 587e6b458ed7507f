//! Threads: one of a store's own, or one beside the caller for as long as a call takes.

use crate::runtime::sync::drive::Drive;
use crate::runtime::sync::{Builder, JoinHandle, current, refusals};

/// Starts a thread.
pub(crate) fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    refusals::check()?;
    Builder::new().name(name.to_owned()).spawn(work)
}

/// Whether this thread is the one that `handle` stands for.
pub(crate) fn is_this_thread(handle: &JoinHandle<()>) -> bool {
    handle.thread().id() == current().id()
}

/// Hands the items of `produce` to `consume`, in order: on a thread of its own, if the store has threads and
/// the system gives one. Everything is consumed on return.
pub(crate) fn pipe<T: Send, R>(
    drive: Drive,
    mut consume: impl FnMut(T) + Send,
    produce: impl FnOnce(&mut dyn FnMut(T)) -> R,
) -> R {
    let mut produce = Some(produce);
    // A model has its own threads only.
    #[cfg(not(all(test, hapax_shuttle)))]
    if drive == Drive::Threads {
        if let Some(result) = pipe_aside(&mut consume, &mut produce) {
            return result;
        }
    }
    #[cfg(all(test, hapax_shuttle))]
    let _ = drive;
    let produce = produce.take().expect("it has not run: no thread started");
    produce(&mut consume)
}

/// As [`pipe`], on its own thread; `None`, and nothing has run, if the system refuses one.
#[cfg(not(all(test, hapax_shuttle)))]
fn pipe_aside<T: Send, R>(
    consume: &mut (impl FnMut(T) + Send),
    produce: &mut Option<impl FnOnce(&mut dyn FnMut(T)) -> R>,
) -> Option<R> {
    const ITEMS_MAX: usize = 4;
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::sync_channel(ITEMS_MAX);
        let builder = Builder::new().name("hapax-open".to_owned());
        let work = move || receiver.into_iter().for_each(consume);
        let consumer = spawn_scoped(builder, scope, work).ok()?;
        let produce = produce.take()?;
        // A send fails only if the consumer has panicked; the panic is passed on below.
        let result = produce(&mut |item| drop(sender.send(item)));
        drop(sender);
        if let Err(panic) = consumer.join() {
            std::panic::resume_unwind(panic);
        }
        Some(result)
    })
}

/// Starts a thread, unless a test refuses it.
#[cfg(not(all(test, hapax_shuttle)))]
fn spawn_scoped<'scope>(
    builder: Builder,
    scope: &'scope std::thread::Scope<'scope, '_>,
    work: impl FnOnce() + Send + 'scope,
) -> std::io::Result<std::thread::ScopedJoinHandle<'scope, ()>> {
    refusals::check()?;
    builder.spawn_scoped(scope, work)
}
