//! Gives memory that nobody uses back to the kernel.
//!
//! glibc keeps what is freed for whoever asks next, mostly for good: its heaps shrink at their ends
//! only. So after a crowd of stalled clients the process seems as large as it ever was, and a look
//! at its memory would refuse and close clients over memory that is free.

#![allow(
    unsafe_code,
    reason = "glibc gives memory back only where it is told to: ADR 0009"
)]

/// Gives whole free pages of all heaps back. Each heap is locked in turn, for some milliseconds
/// where it is large, so this is for those who would otherwise close clients.
#[cfg(target_env = "gnu")]
pub(super) fn give_back() {
    // SAFETY: takes no pointer and touches only memory that is free; any thread may call it at any
    // time, for the heaps' own locks guard it.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators give memory back by themselves.
#[cfg(not(target_env = "gnu"))]
pub(super) fn give_back() {}
