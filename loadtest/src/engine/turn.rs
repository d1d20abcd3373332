//! The turn: ask the loads what is due, wait, read what came, and again.
//!
//! Reading is the whole cost at high rates: one recv into one large buffer for each ready
//! connection, and one look at the clock. A recv that fills less than the buffer has emptied the
//! socket, and what comes later raises an event of its own, so no second recv is spent on EAGAIN.

use super::clock::{Clock, NEVER};
use super::sockets::{Ended, SocketNo, Sockets};
use crate::load::{Load, Member};
use crate::target::Target;
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsRawFd, OwnedFd};

/// The loads of a run.
pub type Loads<'l> = [&'l mut dyn Load];

/// The poll and what hangs on it.
#[derive(Debug)]
pub struct Engine {
    poll: Poll,
    events: Events,
    /// A poll's own timeout is in whole milliseconds. The kernel's timer costs one call for each
    /// deadline, where spinning through the rest would burn a core at low rates.
    timer: OwnedFd,
    armed: u64,
    sockets: Sockets,
    buffer: Vec<u8>,
}

const TIMER: Token = Token(usize::MAX);

/// What one recv may bring.
const BUFFER_BYTES: usize = 256 * 1024;

/// Events of one poll.
const EVENTS: usize = 1024;

impl Engine {
    /// For at most so many connections at a time.
    ///
    /// # Errors
    /// When the kernel has no poll or no timer for us.
    pub fn new(target: &Target, most: usize) -> io::Result<Self> {
        super::source::allow_descriptors(most)?;
        let poll = Poll::new()?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        poll.registry()
            .register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        let sockets = Sockets::new(poll.registry().try_clone()?, target.clone(), most);
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS),
            timer,
            armed: NEVER,
            sockets,
            buffer: vec![0; BUFFER_BYTES],
        })
    }

    /// The time of this run.
    pub fn clock(&self) -> Clock {
        self.sockets.clock
    }

    /// The connections, for a load that is told to begin or to stop.
    pub fn sockets(&mut self) -> &mut Sockets {
        &mut self.sockets
    }

    /// One turn. It ends at `until` at the latest, unless the kernel is late.
    ///
    /// # Errors
    /// What a load cannot go on with, and what the poll says.
    pub fn turn(&mut self, loads: &mut Loads<'_>, until: u64) -> io::Result<()> {
        let now = self.sockets.clock.now();
        let mut due = ask(&mut self.sockets, loads, now)?;
        self.wait(due.min(until))?;
        for event in &self.events {
            if event.token() == TIMER {
                self.armed = NEVER;
                continue;
            }
            let now = serve(&mut self.sockets, &mut self.buffer, loads, event)?;
            if now >= due {
                due = ask(&mut self.sockets, loads, now)?;
            }
        }
        Ok(())
    }

    fn wait(&mut self, until: u64) -> io::Result<()> {
        if until != self.armed && until != NEVER {
            let left = until.saturating_sub(self.sockets.clock.now());
            let timeout = Timespec {
                tv_sec: (left / super::clock::SECOND) as i64,
                // Zero would stop the timer.
                tv_nsec: (left % super::clock::SECOND).max(1) as i64,
            };
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: timeout,
            };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
            self.armed = until;
        }
        match self.poll.poll(&mut self.events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                self.events.clear();
                Ok(())
            }
            outcome => outcome,
        }
    }
}

/// Asks every load what it wants to do now, and when it wants to be asked again.
fn ask(sockets: &mut Sockets, loads: &mut Loads<'_>, now: u64) -> io::Result<u64> {
    let mut due = NEVER;
    for (number, load) in loads.iter_mut().enumerate() {
        sockets.load = number as u8;
        due = due.min(load.turn(now, sockets)?);
    }
    sockets.flush();
    mourn(sockets, loads)?;
    Ok(due)
}

/// Does what one connection is ready for. Gives back the time when it was read.
fn serve(
    sockets: &mut Sockets,
    buffer: &mut Vec<u8>,
    loads: &mut Loads<'_>,
    event: &Event,
) -> io::Result<u64> {
    let number = event.token().0 as SocketNo;
    if event.is_writable() && sockets.has_unsent(number) {
        sockets.write(number);
    }
    let mut now = 0;
    if event.is_readable() || event.is_read_closed() || event.is_error() {
        let to_the_end = event.is_read_closed() || event.is_error();
        let slot = &sockets.slots[number as usize];
        let (load, member, generation) = (slot.load, slot.member, slot.generation);
        loop {
            let slot = &mut sockets.slots[number as usize];
            if slot.stream.is_none() || slot.generation != generation {
                break;
            }
            sockets.load = load;
            let member = Member {
                number: member,
                socket: number,
            };
            match receive(
                sockets,
                buffer,
                &mut *loads[usize::from(load)],
                member,
                &mut now,
            ) {
                Ok(true) if !to_the_end => break,
                Ok(_) => {}
                Err(Ended::Broken(error)) if error.kind() == ErrorKind::WouldBlock => break,
                Err(why) => {
                    sockets.close(number);
                    loads[usize::from(load)].ended(member, &why, sockets)?;
                }
            }
        }
        sockets.flush();
    }
    mourn(sockets, loads)?;
    Ok(now)
}

/// One recv, handed to its load behind what was kept of the last. Whether it emptied the socket.
fn receive(
    sockets: &mut Sockets,
    buffer: &mut Vec<u8>,
    load: &mut dyn Load,
    member: Member,
    now: &mut u64,
) -> Result<bool, Ended> {
    let slot = &mut sockets.slots[member.socket as usize];
    let kept = slot.kept.len();
    if kept > 0 {
        if kept * 2 > buffer.len() {
            buffer.resize(kept * 4, 0);
        }
        buffer[..kept].copy_from_slice(&slot.kept);
        slot.kept.clear();
    }
    let generation = slot.generation;
    slot.acknowledge_late();
    let stream = slot.stream.as_mut().ok_or(Ended::Eof)?;
    let count = loop {
        match stream.read(&mut buffer[kept..]) {
            Ok(0) => return Err(Ended::Eof),
            Ok(count) => break count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                slot.kept.extend_from_slice(&buffer[..kept]);
                return Err(Ended::Broken(error));
            }
        }
    };
    *now = sockets.clock.now();
    let bytes = &buffer[..kept + count];
    let used = load.received(member, bytes, *now, sockets)?;
    let slot = &mut sockets.slots[member.socket as usize];
    let same = slot.stream.is_some() && slot.generation == generation;
    if used < bytes.len() && same {
        slot.kept.extend_from_slice(&bytes[used..]);
    }
    Ok(count < buffer.len() - kept)
}

/// Tells the loads of connections whose write failed.
fn mourn(sockets: &mut Sockets, loads: &mut Loads<'_>) -> io::Result<()> {
    while let Some((number, error)) = sockets.broken.pop() {
        let slot = &sockets.slots[number as usize];
        if slot.stream.is_none() {
            continue;
        }
        let (load, member) = (slot.load, slot.member);
        sockets.close(number);
        sockets.load = load;
        let member = Member {
            number: member,
            socket: number,
        };
        loads[usize::from(load)].ended(member, &Ended::Broken(error), sockets)?;
        sockets.flush();
    }
    Ok(())
}
