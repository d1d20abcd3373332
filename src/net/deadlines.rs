//! Deadlines of connections: when they are looked at, and what follows when one has passed.

use super::sockets::Sockets;
use crate::conn::Overdue;
use crate::id::ClientId;
use crate::metrics::Count;
use crate::protocol::Code;
use crate::ws::Frame;

/// The code that stands for an end without a close frame (RFC 6455, section 7.1.5). It is never
/// sent.
const BROKEN: u16 = 1006;

impl Sockets {
    /// Looks at the deadlines that have come up and acts on them; returns what was overdue.
    pub fn expire(&self, timed_out: impl Fn() -> Frame) -> Vec<(ClientId, Overdue)> {
        let now_ms = self.clock().now_ms();
        let mut due = Vec::new();
        self.wheel.borrow_mut().expire(now_ms, &mut due);
        let mut overdue = Vec::new();
        for (armed_ms, client) in due {
            let mut table = self.table.borrow_mut();
            let Some(connection) = table.get_mut(client) else {
                continue;
            };
            if connection.life.armed_ms() != armed_ms {
                continue; // an entry with an earlier time took its place
            }
            connection.life.set_armed(u64::MAX);
            let what = connection.life.expire(now_ms, &self.timing.get());
            drop(table);
            if let Some(what) = what {
                self.act(client, what, &timed_out);
                overdue.push((client, what));
            }
            self.arm(client);
        }
        overdue
    }

    fn act(&self, client: ClientId, overdue: Overdue, timed_out: &impl Fn() -> Frame) {
        match overdue {
            Overdue::Request => {
                self.counters().one(Count::RequestLate);
                self.counters().answered(408);
                self.table.borrow_mut().push_last(client, timed_out());
                self.end(client);
            }
            Overdue::Ping => {
                let _ = self.push(client, Frame::ping());
            }
            Overdue::Pong => {
                self.counters().one(Count::Silent);
                self.give_up_silent(client);
            }
            Overdue::End => {
                self.counters().one(Count::EndLate);
                self.abort(client);
            }
            Overdue::Stalled => {
                self.counters().one(Count::Stalled);
                self.abort(client);
            }
        }
    }

    /// The client has answered no ping. One of Pusher's may still hear why (W15); another is gone
    /// without a word, and without one it is ended.
    fn give_up_silent(&self, client: ClientId) {
        let mut is_pusher = false;
        if let Some(connection) = self.table.borrow_mut().get_mut(client) {
            is_pusher = connection.is_pusher;
            if !is_pusher {
                connection.close_code = Some(BROKEN);
            }
        }
        match is_pusher {
            true => self.give_up(client, Code::PongTimeout),
            false => self.abort(client),
        }
    }

    /// Makes sure that the timer looks at the client no later than its deadline.
    pub(super) fn arm(&self, client: ClientId) {
        let mut table = self.table.borrow_mut();
        let Some(connection) = table.get_mut(client) else {
            return;
        };
        let due_ms = connection.life.due_ms(&self.timing.get());
        if due_ms < connection.life.armed_ms() {
            connection.life.set_armed(due_ms);
            self.wheel.borrow_mut().add(due_ms, client);
        }
    }
}
