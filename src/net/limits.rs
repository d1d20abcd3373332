//! Limits of sockets that change while they are open.

use super::sockets::Sockets;
use crate::conn::Timing;

impl Sockets {
    /// Takes over new limits, for all who are here too. A deadline that was set for a longer time
    /// is looked at when that is over.
    pub fn set_limits(&self, outbox_bytes: usize, timing: Timing, control_frames: Option<u32>) {
        self.control_frames.set(control_frames);
        self.table.borrow_mut().set_outbox_max(outbox_bytes);
        self.timing.set(timing);
    }
}
