//! Questions that wait for an answer from another shard.

use crate::hub::Answer;
use crate::id::Ticket;
use hashbrown::HashMap;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// The open questions of a shard.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    next: Cell<u32>,
    open: RefCell<HashMap<Ticket, State>>,
}

#[derive(Debug)]
enum State {
    Waiting(Option<Waker>),
    Answered(Answer),
}

/// Waits for one answer; gives the ticket back when dropped.
pub(super) struct Pending {
    ticket: Ticket,
    tickets: Rc<Tickets>,
}

impl Tickets {
    /// Opens a question.
    pub(super) fn open(self: &Rc<Self>) -> Pending {
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
    pub(super) fn answer(&self, ticket: Ticket, answer: Answer) {
        let mut open = self.open.borrow_mut();
        let Some(state) = open.get_mut(&ticket) else {
            return;
        };
        if let State::Waiting(Some(waker)) = std::mem::replace(state, State::Answered(answer)) {
            waker.wake();
        }
    }
}

impl Pending {
    /// What the question is asked with.
    pub(super) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Waits. Homes answer every question, so this ends as long as their shards live.
    pub(super) async fn answer(self) -> Answer {
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

impl Drop for Pending {
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

    fn poll(pending: Pending) -> Option<Answer> {
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
        let tickets = Rc::new(Tickets::default());
        let (first, second) = (tickets.open(), tickets.open());
        tickets.answer(second.ticket(), Answer::Admitted(true));
        assert_eq!(poll(second), Some(Answer::Admitted(true)));
        assert_eq!(poll(first), None);
    }

    #[test]
    fn a_question_nobody_waits_for_is_forgotten() {
        let tickets = Rc::new(Tickets::default());
        let ticket = tickets.open().ticket();
        tickets.answer(ticket, Answer::Admitted(true));
        assert!(tickets.open.borrow().is_empty());
    }

    #[test]
    fn numbers_in_use_are_passed_over() {
        let tickets = Rc::new(Tickets::default());
        let first = tickets.open();
        tickets.next.set(first.ticket().0);
        assert_ne!(tickets.open().ticket(), first.ticket());
    }
}
