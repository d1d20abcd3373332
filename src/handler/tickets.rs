//! Questions that wait for an answer from another shard.

use crate::id::Ticket;
use hashbrown::HashMap;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// The open questions of a shard.
#[derive(Debug)]
pub(crate) struct Tickets<A> {
    next: Cell<u32>,
    open: RefCell<HashMap<Ticket, State<A>>>,
}

impl<A> Default for Tickets<A> {
    fn default() -> Self {
        Self {
            next: Cell::default(),
            open: RefCell::default(),
        }
    }
}

#[derive(Debug)]
enum State<A> {
    Waiting(Option<Waker>),
    Answered(A),
}

/// Waits for one answer; gives the ticket back when dropped.
pub(crate) struct Pending<A> {
    ticket: Ticket,
    tickets: Rc<Tickets<A>>,
}

impl<A> Tickets<A> {
    /// Opens a question.
    pub(crate) fn open(self: &Rc<Self>) -> Pending<A> {
        let mut open = self.open.borrow_mut();
        let mut ticket = Ticket(self.next.get());
        while open.contains_key(&ticket) {
            ticket.0 = ticket.0.wrapping_add(1);
        }
        self.next.set(ticket.0.wrapping_add(1));
        open.insert(ticket, State::Waiting(None));
        Pending {
            ticket,
            tickets: Rc::clone(self),
        }
    }

    /// The answer has come; dropped when nobody waits for it any more.
    pub(crate) fn answer(&self, ticket: Ticket, answer: A) {
        let mut open = self.open.borrow_mut();
        let Some(state) = open.get_mut(&ticket) else {
            return;
        };
        if let State::Waiting(Some(waker)) = std::mem::replace(state, State::Answered(answer)) {
            waker.wake();
        }
    }
}

impl<A> Pending<A> {
    /// What the question is asked with.
    pub(crate) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Waits. Homes answer every question, so this ends as long as their shards live.
    pub(crate) async fn answer(self) -> A {
        poll_fn(|cx| {
            let mut open = self.tickets.open.borrow_mut();
            let state = open
                .get_mut(&self.ticket)
                .expect("open until this is dropped");
            match state {
                State::Waiting(waker) => {
                    *waker = Some(cx.waker().clone());
                    Poll::Pending
                }
                State::Answered(_) => match std::mem::replace(state, State::Waiting(None)) {
                    State::Answered(answer) => Poll::Ready(answer),
                    State::Waiting(_) => unreachable!("it was answered a line ago"),
                },
            }
        })
        .await
    }
}

impl<A> Drop for Pending<A> {
    fn drop(&mut self) {
        self.tickets.open.borrow_mut().remove(&self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;

    fn poll(pending: Pending<bool>) -> Option<bool> {
        let mut waiting = pin!(pending.answer());
        match waiting
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }

    #[test]
    fn an_answer_reaches_its_question_and_no_other() {
        let tickets: Rc<Tickets<bool>> = Rc::default();
        let (first, second) = (tickets.open(), tickets.open());
        tickets.answer(second.ticket(), true);
        assert_eq!(poll(second), Some(true));
        assert_eq!(poll(first), None);
    }

    #[test]
    fn a_question_nobody_waits_for_is_forgotten() {
        let tickets: Rc<Tickets<bool>> = Rc::default();
        let ticket = tickets.open().ticket();
        tickets.answer(ticket, true);
        assert!(tickets.open.borrow().is_empty());
    }

    #[test]
    fn numbers_in_use_are_passed_over() {
        let tickets: Rc<Tickets<bool>> = Rc::default();
        let first = tickets.open();
        tickets.next.set(first.ticket().0);
        assert_ne!(tickets.open().ticket(), first.ticket());
    }
}
