//! A hint to the processor: this address is read soon.

/// Brings the cache line at an address near, if there is one: an address that is stale or nonsense has no effect.
#[inline]
pub(crate) fn prefetch(address: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let line = std::ptr::without_provenance::<i8>(address);
        // SAFETY: the instruction is a hint. It accesses no memory that the program could see, and raises no
        // fault for any address (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, PREFETCHh; AMD64
        // Architecture Programmer's Manual, volume 3, PREFETCHlevel). It is part of SSE, which every x86-64 has.
        #[allow(unsafe_code, reason = "the proof stands above")]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(line);
        }
    }
    #[cfg(any(not(target_arch = "x86_64"), miri))]
    let _ = address;
}
