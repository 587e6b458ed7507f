//! Memory as a limit of every target: one allocation, or all that is alive, over its bound is a
//! finding, on a stable compiler too.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most bytes of one allocation. Decoding a manifest of any size may take 16 MiB.
const ONE_MAX: usize = 24 << 20;

/// Most bytes that may be alive at once.
const ALL_MAX: usize = 256 << 20;

struct Bounded;

#[global_allocator]
static BOUNDED: Bounded = Bounded;

static ALIVE: AtomicUsize = AtomicUsize::new(0);

fn count(bytes: usize) {
    let alive = ALIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    if bytes > ONE_MAX || alive > ALL_MAX {
        eprintln!("{bytes} bytes at once, {alive} alive: over the bound of the target");
        std::process::abort();
    }
}

// SAFETY: every call is handed to the system's allocator as it came; counting does not allocate
// before it aborts.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        ALIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}
