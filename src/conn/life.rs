//! How long a connection may stay in each stage of its life. Time is milliseconds of a
//! monotonic clock that the caller reads.

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Keys are agreed on, where TLS is spoken.
    Agreeing,
    /// A request's head is arriving; the deadline counts from its first byte, or from accept.
    Head,
    /// A request's body is arriving.
    Body,
    /// A handler works on a request.
    Busy,
    /// Between two requests.
    KeepAlive,
    /// A WebSocket is open.
    Open,
    /// Nothing was heard for long; a ping is out.
    Pinged,
    /// Our close frame or last response is out; we wait for the peer to end.
    Closing,
}

/// How long each stage may last, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// To agree on keys, from accept.
    pub agree_ms: u64,
    /// A whole head, from the first byte.
    pub head_ms: u64,
    /// A whole body.
    pub body_ms: u64,
    /// Between two requests.
    pub keep_alive_ms: u64,
    /// From ping to the next byte heard (W15).
    pub pong_ms: u64,
    /// From our close frame to the end.
    pub close_ms: u64,
    /// Without a byte moved while there is something to write.
    pub stall_ms: u64,
}

/// What is to be done about a connection that took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// The head or body did not arrive: 408, then close.
    Request,
    /// Nothing more to wait for: close without a word.
    End,
    /// Ask whether the peer still lives (W15).
    Ping,
    /// It did not answer: 4201 for a Pusher client (W15), the end for another.
    Pong,
    /// The peer takes nothing: close.
    Stalled,
}

/// A time that does not come.
const NEVER: u64 = u64::MAX;

/// The clockwork of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    stage: Stage,
    /// Nothing is read, so silence says nothing.
    busy: bool,
    /// When the stage began.
    since_ms: u64,
    /// When the last byte was heard.
    heard_ms: u64,
    /// When the socket stopped taking bytes, or [`NEVER`].
    blocked_ms: u64,
    /// Silence after which an open WebSocket is pinged.
    idle_ms: u64,
    /// When the timer looks at this connection next.
    armed_ms: u64,
}

impl Life {
    /// A connection that was accepted just now.
    #[must_use]
    pub fn new(now_ms: u64) -> Self {
        Self {
            stage: Stage::Head,
            busy: false,
            since_ms: now_ms,
            heard_ms: now_ms,
            blocked_ms: NEVER,
            idle_ms: NEVER,
            armed_ms: NEVER,
        }
    }

    /// The stage it is in.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Enters a stage. A closing connection stays closing.
    pub fn enter(&mut self, stage: Stage, now_ms: u64) {
        if self.stage != Stage::Closing {
            (self.stage, self.since_ms) = (stage, now_ms);
        }
    }

    /// Sets after how much silence it is pinged.
    pub fn set_idle(&mut self, idle_ms: u64) {
        self.idle_ms = idle_ms;
    }

    /// A byte was heard; a control pong counts (W15).
    pub fn heard(&mut self, now_ms: u64) {
        self.heard_ms = now_ms;
        if self.stage == Stage::Pinged {
            self.stage = Stage::Open;
        }
    }

    /// From now on nothing is read of an open WebSocket: its handler is at work, or it is held
    /// back. Or it is read again, and its silence counts from now.
    pub fn set_busy(&mut self, busy: bool, now_ms: u64) {
        if self.busy && !busy {
            self.heard(now_ms);
        }
        self.busy = busy;
    }

    /// The socket took bytes, or stopped taking them.
    pub fn set_blocked(&mut self, blocked: bool, now_ms: u64) {
        let was_blocked = self.is_blocked();
        self.blocked_ms = if blocked { now_ms } else { NEVER };
        if was_blocked && !blocked && matches!(self.stage, Stage::KeepAlive | Stage::Closing) {
            self.since_ms = now_ms; // the peer's time begins when it has everything
        }
    }

    fn is_blocked(&self) -> bool {
        self.blocked_ms != NEVER
    }

    /// When something is due, if nothing happens before.
    #[must_use]
    pub fn due_ms(&self, timing: &Timing) -> u64 {
        let stage = match self.stage {
            // Bytes still move, or the stall timer ends it.
            Stage::KeepAlive | Stage::Closing if self.is_blocked() => NEVER,
            Stage::Agreeing => self.since_ms.saturating_add(timing.agree_ms),
            Stage::Head => self.since_ms.saturating_add(timing.head_ms),
            Stage::Body => self.since_ms.saturating_add(timing.body_ms),
            Stage::KeepAlive => self.since_ms.saturating_add(timing.keep_alive_ms),
            Stage::Busy => NEVER,
            Stage::Open | Stage::Pinged if self.busy => NEVER,
            Stage::Open => self.heard_ms.saturating_add(self.idle_ms),
            Stage::Pinged => self.since_ms.saturating_add(timing.pong_ms),
            Stage::Closing => self.since_ms.saturating_add(timing.close_ms),
        };
        stage.min(self.stalled_ms(timing))
    }

    /// When the peer has taken nothing for too long.
    fn stalled_ms(&self, timing: &Timing) -> u64 {
        self.blocked_ms.saturating_add(timing.stall_ms)
    }

    /// What is overdue now, if anything. A ping is counted as sent.
    pub fn expire(&mut self, now_ms: u64, timing: &Timing) -> Option<Overdue> {
        if now_ms < self.due_ms(timing) {
            return None;
        }
        if now_ms >= self.stalled_ms(timing) {
            return Some(Overdue::Stalled);
        }
        match self.stage {
            Stage::Head | Stage::Body => Some(Overdue::Request),
            Stage::Agreeing | Stage::KeepAlive | Stage::Closing => Some(Overdue::End),
            Stage::Busy => None,
            Stage::Open => {
                self.enter(Stage::Pinged, now_ms);
                Some(Overdue::Ping)
            }
            Stage::Pinged => Some(Overdue::Pong),
        }
    }

    /// When the timer was told to look next; the caller keeps it.
    #[must_use]
    pub fn armed_ms(&self) -> u64 {
        self.armed_ms
    }

    /// Remembers when the timer looks next.
    pub fn set_armed(&mut self, at_ms: u64) {
        self.armed_ms = at_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing {
        agree_ms: 5_000,
        head_ms: 5_000,
        body_ms: 10_000,
        keep_alive_ms: 75_000,
        pong_ms: 30_000,
        close_ms: 5_000,
        stall_ms: 10_000,
    };

    fn open(idle_ms: u64) -> Life {
        let mut life = Life::new(0);
        life.set_idle(idle_ms);
        life.enter(Stage::Open, 0);
        life
    }

    #[test]
    fn a_dripping_head_ends_on_time() {
        // F06: absolute, not idle
        let mut life = Life::new(0);
        life.heard(4_999);
        assert_eq!(life.expire(4_999, &TIMING), None);
        assert_eq!(life.expire(5_000, &TIMING), Some(Overdue::Request));
    }

    #[test]
    fn keys_are_agreed_on_in_time_or_not_at_all() {
        // R07
        let mut life = Life::new(0);
        life.enter(Stage::Agreeing, 0);
        life.heard(4_999);
        assert_eq!(life.expire(4_999, &TIMING), None);
        assert_eq!(life.expire(5_000, &TIMING), Some(Overdue::End));
        life.enter(Stage::Head, 4_999);
        assert_eq!(life.due_ms(&TIMING), 9_999, "a head has its own time");
    }

    #[test]
    fn silence_is_answered_with_a_ping_and_then_4201() {
        // W15: activity timeout 120 s + 30 s, then 30 s more
        let mut life = open(150_000);
        assert_eq!(life.expire(149_999, &TIMING), None);
        assert_eq!(life.expire(150_000, &TIMING), Some(Overdue::Ping));
        assert_eq!(life.expire(179_999, &TIMING), None);
        assert_eq!(life.expire(180_000, &TIMING), Some(Overdue::Pong));
    }

    #[test]
    fn any_byte_calls_the_ping_off() {
        let mut life = open(150_000);
        assert_eq!(life.expire(150_000, &TIMING), Some(Overdue::Ping));
        life.heard(160_000);
        assert_eq!(life.stage(), Stage::Open);
        assert_eq!(life.due_ms(&TIMING), 310_000);
    }

    #[test]
    fn silence_counts_only_while_somebody_listens() {
        let mut life = open(1_000);
        life.set_busy(true, 10);
        assert_eq!(life.expire(1_000_000, &TIMING), None);
        life.set_busy(true, 1_000_000);
        life.set_busy(false, 1_000_000);
        assert_eq!(life.expire(1_000_999, &TIMING), None);
        assert_eq!(life.expire(1_001_000, &TIMING), Some(Overdue::Ping));
        life.set_busy(true, 1_001_001); // what it had sent before came in
        assert_eq!(life.expire(9_000_000, &TIMING), None);
        life.set_blocked(true, 9_000_000);
        assert_eq!(life.expire(9_010_000, &TIMING), Some(Overdue::Stalled));
        life.set_busy(false, 9_010_000);
        assert_eq!(life.stage(), Stage::Open);
    }

    #[test]
    fn a_socket_that_takes_nothing_is_stalled_in_any_stage() {
        let mut life = open(150_000);
        life.set_blocked(true, 1_000);
        assert_eq!(life.due_ms(&TIMING), 11_000);
        life.set_blocked(true, 9_000); // a byte moved, then it blocked again
        assert_eq!(life.expire(18_999, &TIMING), None);
        assert_eq!(life.expire(19_000, &TIMING), Some(Overdue::Stalled));
        life.set_blocked(false, 19_000);
        assert_eq!(life.due_ms(&TIMING), 150_000);
    }

    #[test]
    fn the_time_to_end_begins_when_everything_has_left() {
        let mut life = open(150_000);
        life.enter(Stage::Closing, 1_000);
        life.set_blocked(true, 1_000);
        life.set_blocked(true, 8_000);
        assert_eq!(life.expire(9_000, &TIMING), None);
        life.set_blocked(false, 9_000);
        assert_eq!(life.expire(13_999, &TIMING), None);
        assert_eq!(life.expire(14_000, &TIMING), Some(Overdue::End));
    }

    #[test]
    fn closing_is_final() {
        let mut life = open(150_000);
        life.enter(Stage::Closing, 1_000);
        life.enter(Stage::Open, 2_000);
        life.heard(5_500);
        assert_eq!(life.expire(6_000, &TIMING), Some(Overdue::End));
    }

    #[test]
    fn a_working_handler_has_no_deadline() {
        let mut life = Life::new(0);
        life.enter(Stage::Busy, 0);
        assert_eq!(life.expire(u64::MAX - 1, &TIMING), None);
    }
}
