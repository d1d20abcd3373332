//! Connections of the admin port that have not asked for anything yet, or have had their answer.
//!
//! There are so many of them, and so many of one address; past that the one that is here longest
//! has to go. So whoever opens connections and says nothing keeps nobody else out, even from the
//! same address: who asks at once is served before as many others have come.

use crate::limits::{ADMIN_SILENT_MAX, ADMIN_SILENT_PER_ADDRESS};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;
use tokio::sync::Notify;

/// All of them, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Lobby {
    guests: RefCell<VecDeque<Guest>>,
    next: Cell<u64>,
}

#[derive(Debug)]
struct Guest {
    number: u64,
    address: IpAddr,
    out: Rc<Notify>,
}

/// The place of one of them.
#[derive(Debug)]
pub(super) struct Seat {
    lobby: Rc<Lobby>,
    number: u64,
    out: Rc<Notify>,
}

impl Lobby {
    /// Takes one more in; another may have to go for it.
    pub(super) fn seat(self: &Rc<Self>, address: IpAddr) -> Seat {
        let address = address.to_canonical();
        let number = self.next.replace(self.next.get() + 1);
        let mut guests = self.guests.borrow_mut();
        let is_same = |guest: &Guest| guest.address == address;
        let same = guests.iter().filter(|guest| is_same(guest)).count();
        let oldest = match same >= ADMIN_SILENT_PER_ADDRESS {
            true => guests.iter().position(is_same),
            false => (guests.len() >= ADMIN_SILENT_MAX).then_some(0),
        };
        if let Some(guest) = oldest.and_then(|at| guests.remove(at)) {
            guest.out.notify_one();
        }
        let out = Rc::<Notify>::default();
        guests.push_back(Guest {
            number,
            address,
            out: Rc::clone(&out),
        });
        let lobby = Rc::clone(self);
        Seat { lobby, number, out }
    }
}

impl Seat {
    /// What comes of this, unless the connection has to go before.
    pub(super) async fn hold<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = future => Some(done),
            () = self.out.notified() => None,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut guests = self.lobby.guests.borrow_mut();
        guests.retain(|guest| guest.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::poll_once;
    use std::future::pending;

    fn address(last: usize) -> IpAddr {
        IpAddr::from([127, 0, 0, u8::try_from(last).unwrap()])
    }

    /// Which of them have to go.
    fn gone(seats: &[Seat]) -> Vec<usize> {
        let runtime = crate::control::runtime().unwrap();
        let is_gone = |seat: &Seat| {
            let held = runtime.block_on(poll_once(seat.hold(pending::<()>())));
            held.is_some()
        };
        let all = seats.iter().enumerate();
        all.filter(|(_, seat)| is_gone(seat))
            .map(|(at, _)| at)
            .collect()
    }

    #[test]
    fn one_past_the_limit_of_an_address_its_oldest_goes() {
        let lobby = Rc::<Lobby>::default();
        let mut seats = vec![lobby.seat(address(9))];
        seats.extend((0..ADMIN_SILENT_PER_ADDRESS).map(|_| lobby.seat(address(1))));
        assert!(gone(&seats).is_empty());
        seats.push(lobby.seat(address(1)));
        assert_eq!(gone(&seats), [1]);
        // Who leaves makes room.
        seats.pop();
        seats.push(lobby.seat(address(1)));
        assert!(gone(&seats[2..]).is_empty());
    }

    #[test]
    fn one_past_the_limit_of_all_the_oldest_goes() {
        let lobby = Rc::<Lobby>::default();
        let mut seats: Vec<_> = (0..ADMIN_SILENT_MAX)
            .map(|at| lobby.seat(address(at)))
            .collect();
        assert!(gone(&seats).is_empty());
        seats.push(lobby.seat(address(200)));
        assert_eq!(gone(&seats), [0]);
        drop(seats);
        assert!(lobby.guests.borrow().is_empty());
    }
}
