//! Who does what, drawn from the seed: a crowd that comes, listens, talks, and goes at any time.

use crate::fault::Fault;
use crate::rng::Rng;
use crate::setup::MEMBER_BYTES;
use crate::speech::{Ask, Spot};
use crate::tally::{Count, Tally};
use crate::told::BROKEN;
use crate::trace::Trace;
use crate::world::{Waiting, World};
use shardcast::hub::{Cursor, Question};
use shardcast::id::{AppSlot, ClientId, ShardId, SocketId};

/// Plays one seed to its end; panics with a violation when a promise is broken. Returns what
/// happened, and whether the fault struck.
pub fn play(seed: u64, fault: Fault, trace: Trace) -> (Tally, bool) {
    let mut world = World::new(Rng::new(seed), fault, trace);
    for _ in 0..world.setup.rounds {
        for _ in 0..world.setup.actions {
            world.tally.add(Count::Actions);
            world.act();
            let pause_us = world.rng.between(0, world.setup.pause_us);
            world.wait(pause_us);
        }
        world.come_to_rest();
        world.check_rest();
        if world.rng.chance(30) {
            world.empty();
        }
    }
    world.empty();
    let struck = world.mesh.fault().struck();
    let overflowed = world.mesh.overflowed();
    world.tally.add_many(Count::Overflowed, overflowed);
    (world.tally, struck)
}

/// What somebody may do.
#[derive(Clone, Copy, Debug)]
enum Action {
    Connect,
    Leave,
    Subscribe,
    Unsubscribe,
    Publish,
    ClientEvent,
    Ask,
    Odd,
    EndTurn,
    SignIn,
    Terminate,
    Storm,
    Crash,
}

impl World {
    /// Everybody leaves; nothing may be left.
    fn empty(&mut self) {
        while let Some((&id, _)) = self.clients.first_key_value() {
            self.close(id);
            let pause_us = self.rng.between(0, self.setup.pause_us);
            self.wait(pause_us);
        }
        self.come_to_rest();
        // Who waited for a place may have come in meanwhile.
        if !self.clients.is_empty() {
            return self.empty();
        }
        self.check_empty();
    }

    fn act(&mut self) {
        let [
            connect,
            leave,
            subscribe,
            unsubscribe,
            publish,
            say,
            ask,
            odd,
            end,
            sign_in,
            terminate,
            storm,
            crash,
        ] = self.setup.mood;
        // A crowd that is large enough mostly goes, one that is too small mostly comes.
        let (connect, leave) = match self.clients.len() {
            0 => (connect * 20, 0),
            count if count < self.setup.crowd => (connect * 3, leave),
            _ => (connect, leave * 3),
        };
        let action = self.rng.weighted(&[
            (connect, Action::Connect),
            (leave, Action::Leave),
            (subscribe, Action::Subscribe),
            (unsubscribe, Action::Unsubscribe),
            (publish, Action::Publish),
            (say, Action::ClientEvent),
            (ask, Action::Ask),
            (odd, Action::Odd),
            (end, Action::EndTurn),
            (sign_in, Action::SignIn),
            (terminate, Action::Terminate),
            (storm, Action::Storm),
            (crash, Action::Crash),
        ]);
        match (action, self.somebody()) {
            (Action::Leave, Some(id)) => self.close(id),
            (Action::Subscribe, Some(id)) => self.ask_to_subscribe(id),
            (Action::Unsubscribe, Some(id)) => self.take_back(id),
            (Action::ClientEvent, Some(id)) => self.talk(id),
            (Action::Odd, Some(id)) => self.be_odd(id),
            (Action::SignIn, Some(id)) => self.sign_in(id),
            (Action::Publish, _) => self.publish_somewhere(),
            (Action::Ask, _) => self.ask_in_passing(),
            (Action::Terminate, _) => self.terminate(),
            (Action::Storm, Some(_)) => self.storm(),
            (Action::Crash, Some(id)) => self.crash(id.shard()),
            (Action::EndTurn, _) => {
                let shard = self.shard();
                self.end_turn(shard);
            }
            _ => self.connect(),
        }
    }

    pub fn shard(&mut self) -> ShardId {
        ShardId(self.rng.below(u64::from(self.setup.shards)) as u16)
    }

    pub fn somebody(&mut self) -> Option<ClientId> {
        let count = self.clients.len() as u64;
        let at = if count == 0 {
            return None;
        } else {
            self.rng.below(count)
        };
        self.clients.keys().nth(at as usize).copied()
    }

    fn connect(&mut self) {
        let shard = self.shard();
        let app = AppSlot(self.rng.below(u64::from(self.setup.apps)) as u32);
        if !self.hubs[shard.index()].needs_place(app) {
            return self.open(shard, app, false);
        }
        let gone = self.rng.chance(20);
        let ticket = self.ticket(
            shard,
            Waiting::Place {
                app,
                gone,
                granted: None,
            },
        );
        self.trace.step(self.now_us, || {
            format!("{shard}: {ticket:?} for a place in {app:?}")
        });
        self.input(shard, |hub, effects| hub.admit(ticket, app, effects));
    }

    fn ask_to_subscribe(&mut self, id: ClientId) {
        let app = self.clients[&id].app;
        let own: Vec<_> = self.clients[&id].subscriptions.keys().copied().collect();
        let odd = self.rng.chance(4);
        let channel = if odd {
            const LONG: &str = match std::str::from_utf8(&[b'n'; 201]) {
                Ok(name) => name,
                Err(_) => unreachable!(),
            };
            Err(*self
                .rng
                .pick(&["no good", "", "#server-to-user-1", "presence-ü", LONG]))
        } else if let Some(own) = self.own_number(id).filter(|_| self.rng.chance(10)) {
            Ok(own) // as pusher-js does after each sign-in
        } else if !own.is_empty() && self.rng.chance(15) {
            Ok(*self.rng.pick(&own)) // again
        } else {
            let name = *self.rng.pick(&self.setup.names);
            Ok(self
                .model
                .find(app, name)
                .expect("every app has every name"))
        };
        // A connection mostly stays the user it was, as it must.
        let known = channel
            .ok()
            .and_then(|number| self.clients[&id].subscriptions.get(&number));
        let user = known
            .filter(|_| self.rng.chance(80))
            .and_then(|known| known.user.clone());
        let number = self.rng.below(self.setup.users);
        let user = user.unwrap_or_else(|| format!("u\"{number}"));
        let info = match self.rng.below(20) {
            0 => Some(format!("{{\"n\":\"{}\"}}", "x".repeat(MEMBER_BYTES))),
            1..8 => Some(format!("{{\"n\":{}}}", self.rng.below(100))),
            _ => None,
        };
        let ask = Ask {
            channel,
            signed: !self.rng.chance(5),
            user: (!self.rng.chance(3)).then_some(user),
            info,
            garbled: self.rng.chance(3),
        };
        self.subscribe(id, &ask);
        if self.rng.chance(5) && self.clients.contains_key(&id) {
            self.subscribe(id, &ask); // an impatient one
        }
    }

    fn take_back(&mut self, id: ClientId) {
        let own: Vec<_> = self.clients[&id].subscriptions.keys().copied().collect();
        let any = self.rng.below(self.model.channels.len() as u64) as usize;
        let channel = if own.is_empty() || self.rng.chance(5) {
            any
        } else {
            *self.rng.pick(&own)
        };
        if self.model.channels[channel].app == self.clients[&id].app {
            self.unsubscribe(id, channel);
        }
    }

    fn talk(&mut self, id: ClientId) {
        let own: Vec<_> = self.clients[&id].subscriptions.keys().copied().collect();
        let app = self.clients[&id].app;
        let name = *self.rng.pick(&self.setup.names);
        let any = self
            .model
            .find(app, name)
            .expect("every app has every name");
        let channel = if own.is_empty() || self.rng.chance(10) {
            any
        } else {
            *self.rng.pick(&own)
        };
        let too_long = self.rng.chance(3);
        let room = !self.rng.chance(self.setup.no_room);
        self.client_event(id, channel, too_long, room);
    }

    fn publish_somewhere(&mut self) {
        let mut channel = self.rng.below(self.model.channels.len() as u64) as usize;
        if let Some(id) = self.somebody()
            && let Some(own) = self.own_number(id)
            && self.rng.chance(20)
        {
            channel = own;
        }
        for _ in 0..self.rng.between(1, 3) {
            let except = match self.rng.below(3) {
                0 => self.somebody().map(|id| self.clients[&id].socket),
                1 => Some(SocketId::new(ShardId(0), 1, 1)),
                _ => None,
            };
            let shard = self.shard();
            self.publish(shard, channel, except);
        }
    }

    /// What is answered while everything moves is right only for an instant; that it is answered,
    /// and once, is checked all the same.
    fn ask_in_passing(&mut self) {
        let (shard, to) = (self.shard(), self.shard());
        let app = AppSlot(self.rng.below(u64::from(self.setup.apps)) as u32);
        let ticket = self.ticket(shard, Waiting::Question);
        let question = Question::Channels {
            app,
            prefix: "p".into(),
            from: Cursor::default(),
        };
        self.input(shard, |hub, effects| hub.ask(to, ticket, question, effects));
    }

    fn be_odd(&mut self, id: ClientId) {
        match self.rng.below(5) {
            0 | 1 => self.say(id, "{\"event\":\"pusher:ping\"}".to_owned(), Spot::Pong),
            2 => self.say(
                id,
                "{\"event\":\"pusher:pong\",\"data\":{}}".to_owned(),
                Spot::Nothing,
            ),
            3 => {
                for _ in 0..*self.rng.pick(&[1, 1, 1, 12]) {
                    if self.clients.contains_key(&id) {
                        self.say(
                            id,
                            "{\"event\":\"pusher:subscribe\"}".to_owned(),
                            Spot::Complaint,
                        );
                    }
                }
            }
            _ => {
                self.close(id);
                // Its task may not have noticed yet: what it still says is said by nobody.
                self.say(id, "{\"event\":\"pusher:ping\"}".to_owned(), Spot::Nothing);
                self.input(id.shard(), |hub, effects| hub.close(id, BROKEN, effects));
            }
        }
    }
}
