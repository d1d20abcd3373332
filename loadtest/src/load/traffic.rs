//! What every load can do: the engine and the phases of a run ask it of them.

use super::Findings;
use crate::engine::{Ended, SocketNo, Sockets};
use crate::outcome::Series;
use std::io;

/// One connection of a load.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Which of the load's connections.
    pub number: u32,
    /// Where the engine has it.
    pub socket: SocketNo,
}

/// One kind of traffic with its own connections, schedule, check and latencies.
pub trait Load {
    /// Looks at the time and does what is due. Says when it wants to be asked again, at the latest.
    ///
    /// # Errors
    /// What makes the whole run useless.
    fn turn(&mut self, now: u64, sockets: &mut Sockets) -> io::Result<u64>;

    /// Bytes came. Says how many of them were used; the rest comes again with what follows it.
    ///
    /// # Errors
    /// What makes the connection useless; the engine ends it then.
    fn received(
        &mut self,
        member: Member,
        bytes: &[u8],
        now: u64,
        sockets: &mut Sockets,
    ) -> Result<usize, Ended>;

    /// A connection is no more.
    ///
    /// # Errors
    /// What makes the whole run useless.
    fn ended(&mut self, member: Member, why: &Ended, sockets: &mut Sockets) -> io::Result<()>;

    /// How many connections are ready to begin, and how many there should be.
    fn ready(&self) -> (u64, u64);

    /// Everybody is there: the traffic begins.
    fn begin(&mut self, now: u64, sockets: &mut Sockets);

    /// What is due from now on is measured.
    fn measure(&mut self, now: u64);

    /// Nothing new is begun, and what is due from now on is not measured.
    fn stop(&mut self, now: u64);

    /// Whether all that was begun has come to its end.
    fn settled(&self) -> bool;

    /// Whether it has a fixed task and that is done. Most have none: they go on until their time is
    /// up.
    fn finished(&self) -> bool {
        false
    }

    /// The columns of its time-line.
    fn series(&self) -> Vec<Series>;

    /// The values of an interval of so many seconds that ends now.
    fn interval(&mut self, seconds: f64) -> Vec<f64>;

    /// What a person sees beside the bar.
    fn detail(&self) -> String;

    /// All that it found, the measured part having taken so many seconds. `prefix` stands before
    /// each figure's key.
    fn findings(&mut self, seconds: f64, prefix: &str) -> Findings;
}
