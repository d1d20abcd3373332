//! Clients that do more than they may: how many pings one may send, and how it is closed.

use super::sockets::Sockets;
use crate::id::ClientId;
use crate::metrics::Count;
use crate::protocol::Code;

/// The close code for who breaks a rule of ours and is no Pusher client.
const POLICY: u16 = 1008;

impl Sockets {
    /// A ping has come in: says whether it is to be answered. With the first one past
    /// the limit of a second the client is closed: no library sends that many, and each ping costs
    /// an answer.
    #[must_use]
    pub fn takes_ping(&self, client: ClientId) -> bool {
        let Some(most) = self.control_frames.get() else {
            return true;
        };
        let now_ms = self.clock().now_ms();
        let count = self.controls.borrow_mut().count(client, now_ms);
        if count > most && !self.is_closing(client) {
            tracing::debug!(?client, "too many pings: closing");
            self.counters().one(Count::ControlFlood);
            self.close_abuser(client, "Too many pings");
        }
        count <= most
    }

    /// Closes a client that breaks a rule of ours, as what it speaks has it.
    pub(super) fn close_abuser(&self, client: ClientId, why: &str) {
        let is_pusher = (self.table.borrow().get(client)).is_some_and(|it| it.is_pusher);
        match is_pusher {
            true => self.close_because(client, Code::OverCapacity, why),
            false => self.close(client, POLICY, why),
        }
    }
}
