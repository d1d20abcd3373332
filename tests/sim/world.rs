//! Hubs, the wires between them, and clients: a server in one thread, whose script decides.

use crate::client::Client;
use crate::fault::Fault;
use crate::mesh::{Mesh, Parcel};
use crate::model::{Entry, Model, Stamp};
use crate::rng::Rng;
use crate::said::{Said, read};
use crate::setup::Setup;
use crate::table::Table;
use crate::tally::{Count, Tally};
use crate::told::{BROKEN, Told};
use crate::trace::Trace;
use crate::verdict::{Oracle, promise, promised, violated};
use shardcast::hub::{Answer, AppTable, ChannelSlot, Effect, Hub, Note};
use shardcast::id::{AppSlot, ClientId, ShardId, SocketId, Ticket};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The simulated server and everybody who uses it.
pub struct World {
    /// The circumstances.
    pub setup: Setup,
    /// Everything that is left to chance.
    pub rng: Rng,
    /// Virtual time, in microseconds.
    pub now_us: u64,
    /// The apps, as every hub knows them.
    pub apps: Rc<AppTable>,
    /// The hubs, by shard.
    pub hubs: Vec<Hub>,
    /// The wires between them, and each one's queue to itself.
    pub mesh: Mesh,
    /// Who is connected.
    pub clients: BTreeMap<ClientId, Client>,
    /// Which slots are in use, by shard.
    pub tables: Vec<Table>,
    /// What should be.
    pub model: Model,
    /// Who waits for which answer.
    pub waiting: BTreeMap<(ShardId, u32), Waiting>,
    /// Answers to questions, in the order in which they came.
    pub answers: Vec<(u32, Answer)>,
    /// Places of each app that somebody holds or has just been given.
    pub held: Vec<u32>,
    /// Users that were terminated since the last rest.
    pub terminated: BTreeSet<(AppSlot, String)>,
    /// The event that the call under way must send to its home.
    pub publish_due: Option<usize>,
    /// What webhooks were told.
    pub told: Told,
    /// Whom the hub wants closed.
    pub doomed: Vec<ClientId>,
    /// What has happened.
    pub tally: Tally,
    /// The steps, when somebody wants to see them.
    pub trace: Trace,
    tickets: u32,
    arrived: Vec<Arrival>,
    free: Vec<Effect>,
}

/// What an answer is for.
#[derive(Clone, Copy, Debug)]
pub enum Waiting {
    /// A question.
    Question,
    /// A connection that needs a place; whether it is gone when the answer comes.
    Place {
        app: AppSlot,
        gone: bool,
        granted: Option<bool>,
    },
}

/// A connection with its place.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    shard: ShardId,
    app: AppSlot,
    gone: bool,
}

impl World {
    /// An empty world.
    pub fn new(mut rng: Rng, fault: Fault, trace: Trace) -> Self {
        let setup = Setup::draw(&mut rng);
        trace.step(0, || format!("{setup:?}"));
        let apps = setup.app_table(&mut rng);
        let mesh = Mesh::new(setup.shards, setup.slots, &mut rng, fault);
        let table = || Table::new(setup.generation);
        Self {
            now_us: 1_000_000,
            hubs: setup.hubs(&apps),
            mesh,
            clients: BTreeMap::new(),
            tables: (0..setup.shards).map(|_| table()).collect(),
            model: setup.model(&apps),
            waiting: BTreeMap::new(),
            answers: Vec::new(),
            held: vec![0; apps.len()],
            terminated: BTreeSet::new(),
            publish_due: None,
            told: Told::default(),
            doomed: Vec::new(),
            tally: Tally::default(),
            tickets: 0,
            arrived: Vec::new(),
            free: Vec::new(),
            apps,
            setup,
            rng,
            trace,
        }
    }

    /// One call of a hub, its effects, and its notes to itself: a whole input.
    pub fn input(&mut self, shard: ShardId, call: impl FnOnce(&mut Hub, &mut Vec<Effect>)) {
        self.call(shard, call);
        self.after_input(shard);
    }

    /// One call of a hub and its effects; the input goes on.
    pub fn call(&mut self, shard: ShardId, call: impl FnOnce(&mut Hub, &mut Vec<Effect>)) {
        let mut effects = std::mem::take(&mut self.free);
        call(&mut self.hubs[shard.index()], &mut effects);
        self.carry_out(shard, effects, None, None);
    }

    /// What follows each input: own notes, those the hub wants closed, perhaps the turn's end.
    pub fn after_input(&mut self, shard: ShardId) {
        self.take_own(shard);
        while let Some(client) = self.doomed.pop() {
            self.close(client);
        }
        while let Some(Arrival { shard, app, gone }) = self.arrived.pop() {
            if gone {
                self.trace.step(self.now_us, || {
                    format!("{shard}: gone before it had its place")
                });
                self.held[app.index()] -= 1;
                self.input(shard, |hub, _| hub.release(app));
            } else {
                self.open(shard, app, true);
            }
        }
        if self.rng.chance(self.setup.ends_at_once) {
            self.end_turn(shard);
        }
    }

    /// Time goes on, and what arrives meanwhile arrives.
    pub fn wait(&mut self, for_us: u64) {
        let until_us = self.now_us + for_us;
        while let Some((at_us, parcel)) = self.mesh.next_until(until_us, &mut self.rng) {
            self.arrive(at_us, parcel);
            self.perhaps_cut();
        }
        self.now_us = until_us;
        self.tick();
    }

    /// Every shard sees what time it is.
    pub fn tick(&mut self) {
        let now_ms = self.now_us / 1_000;
        for shard in (0..self.setup.shards).map(ShardId) {
            self.input(shard, |hub, effects| hub.tick(now_ms, effects));
        }
    }

    /// Waits until nothing moves: no note on its way, no turn's work left.
    pub fn settle(&mut self) {
        for _ in 0..1_000 {
            while let Some((at_us, parcel)) = self.mesh.next_until(u64::MAX, &mut self.rng) {
                self.arrive(at_us, parcel);
            }
            for shard in 0..self.setup.shards {
                self.end_turn(ShardId(shard));
            }
            let idle = !self.hubs.iter().any(Hub::has_turn_work);
            if idle && self.mesh.is_quiet() && !self.mesh.let_go(self.now_us, &mut self.rng) {
                return;
            }
        }
        violated(Oracle::Sane, "the shards never stop talking".to_owned());
    }

    /// Waits until nothing moves, and whoever is gone has been gone for long enough to be told of.
    pub fn come_to_rest(&mut self) {
        self.settle();
        self.wait((self.setup.flap_ms + 1) * 1_000);
        self.settle();
    }

    /// Ends a shard's turn.
    pub fn end_turn(&mut self, shard: ShardId) {
        let had_work = self.hubs[shard.index()].has_turn_work();
        let mut effects = std::mem::take(&mut self.free);
        self.hubs[shard.index()].end_turn(&mut effects);
        let idle = had_work || effects.is_empty();
        promise!(
            Sane,
            idle,
            "{shard}: a turn without work ends with {effects:?}"
        );
        if had_work {
            self.trace
                .step(self.now_us, || format!("{shard}: the turn ends"));
        }
        self.carry_out(shard, effects, None, None);
        self.take_own(shard);
    }

    /// Opens a connection, in a slot that another may have had.
    pub fn open(&mut self, shard: ShardId, app: AppSlot, counted: bool) {
        let id = self.tables[shard.index()].take(shard);
        let socket = SocketId::new(shard, self.rng.next() as u32, self.rng.next());
        self.trace.step(self.now_us, || {
            format!("{shard}: {id:?} opens as {socket} of {app:?}")
        });
        self.clients
            .insert(id, Client::new(id, socket, app, counted));
        self.input(shard, |hub, effects| {
            hub.open(id, app, socket, counted, effects)
        });
    }

    /// Closes a connection, whatever it is doing.
    pub fn close(&mut self, id: ClientId) {
        let Some(client) = self.clients.remove(&id) else {
            return;
        };
        self.trace
            .step(self.now_us, || format!("{}: {id:?} closes", id.shard()));
        if client.counted {
            self.held[client.app.index()] -= 1;
        }
        self.tables[id.shard().index()].give_back(id);
        self.input(id.shard(), |hub, effects| hub.close(id, BROKEN, effects));
    }

    /// A ticket that nobody on the shard waits with.
    pub fn ticket(&mut self, shard: ShardId, waiting: Waiting) -> Ticket {
        self.tickets += 1;
        self.waiting.insert((shard, self.tickets), waiting);
        Ticket(self.tickets)
    }

    fn take_own(&mut self, shard: ShardId) {
        while let Some(parcel) = self.mesh.next_own(shard) {
            self.receive(parcel);
        }
    }

    pub fn receive(&mut self, parcel: Parcel) {
        self.trace.step(self.now_us, || parcel.to_string());
        let Parcel {
            from,
            to,
            note,
            stamp,
        } = parcel;
        self.tally.add(Count::Notes);
        let decided = self.observe(from, to, &note);
        if note.is_timely() {
            self.hubs[to.index()].see_time(self.now_us / 1_000);
        }
        let mut effects = std::mem::take(&mut self.free);
        self.hubs[to.index()].receive(from, note, &mut effects);
        self.carry_out(to, effects, stamp.as_ref(), decided);
        if let Some(stamp) = stamp {
            self.let_users_in(to, &stamp);
        }
    }

    /// The model sees what a home is about to see.
    fn observe(&mut self, from: ShardId, to: ShardId, note: &Note) -> Option<Stamp> {
        let hub = &self.hubs[to.index()];
        let home = |app, name: &str| {
            promise!(
                Sane,
                hub.home_of(app, name) == to,
                "{to} is not the home of {name}"
            );
        };
        match note {
            Note::Join(join) => {
                home(join.channel.app, &join.channel.name);
                let max = self.apps.get(join.channel.app).app.presence_members;
                return Some(self.model.join(join, max, self.now_us / 1_000));
            }
            Note::Part(part) => {
                home(part.channel.app, &part.channel.name);
                self.model.part(part);
            }
            Note::Publish(publish) => {
                let number = self.model.publish(from, publish, self.now_us / 1_000);
                let at = &self.model.channels[self.model.events[number].channel];
                home(at.app, &at.name);
            }
            Note::Admit(ticket, app) => {
                let max = self.apps.get(*app).app.max_connections;
                let right = self.model.admit(*app, max);
                let Some(Waiting::Place { granted, .. }) = self.waiting.get_mut(&(from, ticket.0))
                else {
                    violated(
                        Oracle::Quota,
                        format!("nobody on {from} asked with {ticket:?}"),
                    );
                };
                promise!(
                    Quota,
                    granted.replace(right).is_none(),
                    "{ticket:?} comes twice"
                );
            }
            Note::Release(app, count) => self.model.release(*app, *count),
            _ => {}
        }
        None
    }

    /// Does what a hub wants done. `stamp` is that of the note which made it want it, `decided`
    /// what the model has to say about the answer that goes out.
    fn carry_out(
        &mut self,
        shard: ShardId,
        mut effects: Vec<Effect>,
        stamp: Option<&Stamp>,
        mut decided: Option<Stamp>,
    ) {
        for effect in effects.drain(..) {
            match effect {
                Effect::Send { client, frame } => {
                    promise!(Sane, client.shard() == shard, "{shard} sends to {client:?}");
                    self.hear(client, &read(frame.bytes()), stamp);
                }
                Effect::Fanout {
                    channel,
                    frame,
                    except,
                } => {
                    self.fan_out(shard, channel, &read(frame.bytes()), except);
                }
                Effect::Post { to, note } => {
                    self.before_post(&note);
                    let stamp = match note {
                        Note::Joined(_) => Some(promised!(Sane, decided.take(), "{note:?}")),
                        _ => None,
                    };
                    self.post(Parcel {
                        from: shard,
                        to,
                        note,
                        stamp,
                    });
                }
                Effect::CloseBecause { client, .. } => {
                    promise!(Sane, client.shard() == shard, "{shard} closes {client:?}");
                    self.check_termination(client);
                    self.doomed.push(client);
                }
                Effect::Close { client, code } => {
                    self.trace
                        .step(self.now_us, || format!("{shard}: {client:?}: {code:?}"));
                    promise!(Sane, client.shard() == shard, "{shard} closes {client:?}");
                    self.tally.add(Count::Closed);
                    self.doomed.push(client);
                }
                Effect::Notice(notice) => self.told.take(shard, &notice),
                Effect::Answered { ticket, answer } => self.answered(shard, ticket, answer),
            }
        }
        promise!(
            Reply,
            decided.is_none(),
            "{shard} leaves a join without an answer: {decided:?}"
        );
        self.free = effects;
    }

    fn post(&mut self, parcel: Parcel) {
        let worked = !self.mesh.fault().struck();
        let shown = if worked {
            self.trace.shown(|| parcel.to_string())
        } else {
            None
        };
        self.mesh.post(parcel, self.now_us, &mut self.rng);
        if worked && self.mesh.fault().struck() {
            self.trace
                .step(self.now_us, || format!("THE FAULT STRIKES at {shown:?}"));
        }
    }

    fn before_post(&mut self, note: &Note) {
        if let Note::Publish(_) = note {
            let due = self.publish_due.take();
            promise!(
                Publish,
                due.is_some(),
                "an event that nobody publishes: {note:?}"
            );
        }
    }

    fn hear(&mut self, client: ClientId, said: &Said, stamp: Option<&Stamp>) {
        self.tally.hear(said);
        self.trace
            .step(self.now_us, || format!("    {client:?} hears {said:?}"));
        let heard = promised!(Period, self.clients.get_mut(&client), "{client:?} is gone");
        let Said::Watched { users } = said else {
            heard.hear(said, stamp, &self.model);
            return;
        };
        let app = heard.app;
        let steady = self.steady_users(app);
        let heard = self.clients.get_mut(&client).expect("looked up above");
        heard.hear_watched(users, &steady);
    }

    fn fan_out(
        &mut self,
        shard: ShardId,
        channel: ChannelSlot,
        said: &Said,
        except: Option<SocketId>,
    ) {
        let hub = &self.hubs[shard.index()];
        let subscribers = hub
            .subscribers(channel)
            .iter()
            .map(|subscriber| subscriber.client);
        let wanted = |client: &ClientId| except.is_none() || hub.socket_id(*client) != except;
        let listeners: Vec<ClientId> = subscribers.filter(wanted).collect();
        for client in listeners {
            self.hear(client, said, None);
        }
        if let Said::Event { data, .. } = said
            && let Some(event) = Model::number_of(data).and_then(|at| self.model.events.get(at))
            && let Some(position) = event.position
        {
            let at = &mut self.model.channels[event.channel];
            debug_assert!(matches!(at.log[position], Entry::Event(_)));
            at.seen[shard.index()] = position + 1;
        }
    }

    fn answered(&mut self, shard: ShardId, ticket: Ticket, answer: Answer) {
        self.trace.step(self.now_us, || {
            format!("    {shard}: {ticket:?} brings {answer:?}")
        });
        let waiting = self.waiting.remove(&(shard, ticket.0));
        match (
            promised!(
                Answer,
                waiting,
                "{ticket:?} is answered, {answer:?}, twice or unasked"
            ),
            answer,
        ) {
            (Waiting::Question, Answer::Admitted(_)) => {
                violated(Oracle::Answer, format!("{ticket:?} asked for no place"));
            }
            (Waiting::Question, answer) => self.answers.push((ticket.0, answer)),
            (Waiting::Place { app, gone, granted }, Answer::Admitted(admitted)) => {
                promise!(
                    Quota,
                    granted == Some(admitted),
                    "{ticket:?}: {admitted}, not {granted:?}"
                );
                self.tally.add(if admitted {
                    Count::Admitted
                } else {
                    Count::TurnedAway
                });
                if !admitted {
                    return;
                }
                let held = &mut self.held[app.index()];
                *held += 1;
                let max = self.apps.get(app).app.max_connections;
                promise!(
                    Quota,
                    Some(*held) <= max,
                    "{held} connections of {app:?}, not {max:?}"
                );
                self.arrived.push(Arrival { shard, app, gone });
            }
            (Waiting::Place { .. }, answer) => {
                violated(Oracle::Quota, format!("asked for a place, got {answer:?}"));
            }
        }
    }
}
