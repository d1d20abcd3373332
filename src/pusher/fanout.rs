//! Carrying out what the hub decides: publish is here and elsewhere, deliver is here only.

use super::notices::Outlet;
use super::tallies::Tallies;
use super::tap::Tap;
use crate::conn::Origin;
use crate::crossing::Notices;
use crate::crossing::fresh::{Fresh, PusherLimits};
use crate::handler::{Endpoint, Tickets};
use crate::hub::{Answer, Bucket, ChannelSlot, Effect, Hub, Note, Question};
use crate::id::{ClientId, ShardId, SocketId};
use crate::limits::window::Window;
use crate::limits::{GIVEN_UP_PER_TURN, JSON_DEPTH_REST};
use crate::metrics::{Count, Time};
use crate::protocol::Parser;
use crate::protocol::json::JsonReader;
use crate::ws::Frame;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::rc::Rc;

/// One shard's Pusher application, shared by its connections and requests.
#[derive(Debug)]
pub struct Pusher {
    pub(super) endpoint: Endpoint,
    pub(super) hub: RefCell<Hub>,
    pub(super) parser: RefCell<Parser>,
    pub(super) reader: RefCell<JsonReader>,
    pub(super) tickets: Rc<Tickets<Answer>>,
    pub(super) options: super::app::Options,
    pub(super) limits: Cell<PusherLimits>,
    /// Segments of each path that belong to what the application is nested in.
    pub(super) nested_in: usize,
    /// Requests of each app that could not be believed.
    pub(super) failures: RefCell<Vec<Bucket>>,
    /// Requests of each address in this minute that could not be believed.
    pub(super) strangers: RefCell<Window<Origin>>,
    /// What is counted of each app.
    pub(super) tallies: Tallies,
    /// What is told to who watches.
    pub(super) tap: Tap,
    work: RefCell<Work>,
    outlet: Outlet,
    /// Whether the way of a publish of this turn is timed.
    is_timed: Cell<bool>,
    stopping: Cell<bool>,
}

/// Buffers of one call, reused by the next.
#[derive(Debug, Default)]
struct Work {
    effects: Vec<Effect>,
    /// Notes of this shard to itself; they go the way of all notes, only shorter.
    own: VecDeque<Note>,
}

impl Pusher {
    pub(super) fn new(
        endpoint: Endpoint,
        hub: Hub,
        options: super::app::Options,
        nested_in: usize,
        notices: flume::Sender<Notices>,
    ) -> Self {
        Self {
            endpoint,
            hub: RefCell::new(hub),
            parser: RefCell::default(),
            reader: RefCell::new(JsonReader::new(JSON_DEPTH_REST)),
            tickets: Rc::default(),
            limits: Cell::new(options.limits),
            options,
            nested_in,
            failures: RefCell::default(),
            strangers: RefCell::new(Window::new(60_000)),
            tallies: Tallies::default(),
            tap: Tap::default(),
            work: RefCell::default(),
            outlet: Outlet::new(notices),
            is_timed: Cell::new(false),
            stopping: Cell::new(false),
        }
    }

    /// Takes a note that came over the mesh.
    pub fn receive(&self, from: ShardId, note: Note) {
        self.drive(|hub, effects| self.take(hub, from, note, effects));
    }

    /// The first step of a reload; see [`Hub::learn`].
    pub fn learn(&self, fresh: &Fresh) {
        self.hub.borrow_mut().learn(&fresh.apps);
    }

    /// The second step; gives the connections that are to be closed, whose apps are served no
    /// more.
    pub fn switch(&self, fresh: &Fresh) -> Vec<ClientId> {
        self.limits.set(fresh.live.pusher);
        self.drive(|hub, effects| hub.switch(&fresh.apps, fresh.live.hub, effects))
    }

    /// Lets the hub see what time has come.
    pub fn tick(&self) {
        let now_ms = self.endpoint.clock().now_ms();
        let happened = self.drive(|hub, effects| {
            hub.tick(now_ms, effects);
            hub.take_happened()
        });
        let counters = self.endpoint.counters();
        self.tap.look_at_time(now_ms);
        self.is_timed.set(false);
        counters.add(Count::AuthFlood, happened.auth_floods);
        counters.add(Count::Refusals, happened.refusals);
        self.outlet.hand_over();
    }

    /// The way of the next publish is timed, if it is the first of this turn: one look at the clock
    /// for all of them.
    pub(super) fn time_next(&self) {
        if !self.is_timed.replace(true) {
            let stamp = NonZeroU32::new(self.endpoint.clock().stamp_us());
            self.hub.borrow_mut().time_next(stamp);
        }
    }

    /// From here on who asks is told that this server wants no traffic.
    pub fn set_stopping(&self) {
        self.stopping.set(true);
    }

    /// Whether it was told to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// Everything of this turn was written.
    pub fn note_written(&self) {
        self.is_timed.set(false);
        if let Some(stamp) = self.hub.borrow_mut().take_delivered() {
            let took_us = self.endpoint.clock().stamp_us().wrapping_sub(stamp.get());
            self.endpoint.counters().time(Time::Publish, took_us.into());
        }
    }

    /// Tells the homes what changed in this turn, and webhooks what happened in it.
    pub fn end_turn(&self) {
        // Not when their sockets end: members that are known to be gone are not listed until then.
        for (client, code) in self.endpoint.take_given_up(GIVEN_UP_PER_TURN) {
            self.drive(|hub, effects| hub.close(client, code.number(), effects));
        }
        let has_work = self.hub.borrow().has_turn_work();
        if has_work {
            self.drive(Hub::end_turn);
        }
        self.outlet.hand_over();
    }

    /// Whether something that webhooks are to be told of still waits for the control thread.
    pub fn has_notices(&self) -> bool {
        self.outlet.has_work()
    }

    /// Calls the hub and carries out what it decides, before anyone else calls it.
    pub(super) fn drive<T>(&self, call: impl FnOnce(&mut Hub, &mut Vec<Effect>) -> T) -> T {
        let mut work = self.work.borrow_mut();
        let Work { effects, own } = &mut *work;
        let outcome = call(&mut self.hub.borrow_mut(), effects);
        loop {
            self.carry_out(effects, own);
            let Some(note) = own.pop_front() else { break };
            let from = self.endpoint.shard();
            self.take(&mut self.hub.borrow_mut(), from, note, effects);
        }
        if self.hub.borrow().has_turn_work() || self.outlet.has_work() {
            self.endpoint.request_turn();
        }
        outcome
    }

    fn take(&self, hub: &mut Hub, from: ShardId, note: Note, effects: &mut Vec<Effect>) {
        if note.is_timely() {
            hub.see_time(self.endpoint.clock().now_ms());
        }
        hub.receive(from, note, effects);
    }

    fn carry_out(&self, effects: &mut Vec<Effect>, own: &mut VecDeque<Note>) {
        for effect in effects.drain(..) {
            match effect {
                Effect::Send { client, frame } => {
                    let app = self.hub.borrow().app_of(client);
                    let bytes = frame.bytes().len();
                    self.log_out(client, &frame);
                    // Gone or full: its close is on the way and ends its subscriptions.
                    let pushed = self.endpoint.push(client, frame);
                    if let (Ok(()), Some(app)) = (pushed, app) {
                        self.tallies.count(app, |tally| tally.sent.add(1, bytes));
                    }
                }
                Effect::Fanout {
                    channel,
                    frame,
                    except,
                } => self.deliver(channel, &frame, except),
                Effect::Post { to, note } if to == self.endpoint.shard() => own.push_back(note),
                Effect::Post { to, note } => self.endpoint.post(to, note),
                Effect::Close { client, code } => self.endpoint.close_with(client, code),
                Effect::CloseBecause {
                    client,
                    code,
                    message,
                } => self.endpoint.close_because(client, code, message),
                Effect::Notice(notice) => self.outlet.add(*notice),
                Effect::Answered { ticket, answer } => self.tickets.answer(ticket, answer),
            }
        }
    }

    /// One frame into the outbox of each local subscriber: no allocation, no atomics.
    fn deliver(&self, channel: ChannelSlot, frame: &Frame, except: Option<SocketId>) {
        let hub = self.hub.borrow();
        self.log_fanout(channel, frame, hub.subscribers(channel).len());
        let subscribers = hub
            .subscribers(channel)
            .iter()
            .map(|subscriber| subscriber.client);
        let taken = match except.filter(|socket_id| socket_id.shard() == self.endpoint.shard()) {
            None => self.endpoint.push_all(subscribers, frame),
            Some(_) => {
                let others = subscribers.filter(|client| hub.socket_id(*client) != except);
                self.endpoint.push_all(others, frame)
            }
        };
        if let Some(app) = hub.app_of_channel(channel) {
            let bytes = frame.bytes().len();
            self.tallies
                .count(app, |tally| tally.sent.add(taken, bytes));
        }
    }

    /// Asks a shard and waits for its answer.
    pub(super) async fn ask(&self, to: ShardId, question: Question) -> Answer {
        let pending = self.tickets.open();
        let ticket = pending.ticket();
        self.drive(|hub, effects| hub.ask(to, ticket, question, effects));
        pending.answer().await
    }
}
