//! What webhooks would be told: edges that take turns, and that lead to what is true at rest (K5).

use crate::verdict::{Oracle, promise, violated};
use crate::world::World;
use shardcast::hub::Notice;
use shardcast::id::{AppSlot, ShardId, SocketId};
use shardcast::protocol::webhook::What;
use std::collections::BTreeSet;

/// The close code of connections that break here.
pub const BROKEN: u16 = 1006;

/// What a receiver would know by now.
#[derive(Debug, Default)]
pub struct Told {
    occupied: BTreeSet<(AppNo, String)>,
    members: BTreeSet<(AppNo, String, String)>,
    connected: BTreeSet<String>,
    client_events: usize,
}

type AppNo = u32;

impl Told {
    /// Takes a notice of one shard.
    pub fn take(&mut self, from: ShardId, notice: &Notice) {
        let Notice { app, event } = notice;
        let channel = (app.0, event.channel.to_string());
        let member = |user: &str| (app.0, event.channel.to_string(), user.to_owned());
        let changed = match &event.what {
            What::ChannelOccupied => self.occupied.insert(channel),
            What::ChannelVacated => self.occupied.remove(&channel),
            What::MemberAdded(user) => {
                self.members.insert(member(user)) && self.occupied.contains(&channel)
            }
            What::MemberRemoved(user) => {
                self.members.remove(&member(user)) && self.occupied.contains(&channel)
            }
            What::ClientEvent(event) => {
                self.client_events += 1;
                self.connected.contains(&event.socket_id.to_string())
            }
            What::ConnectionOpened(socket) => self.connected.insert(socket.to_string()),
            What::ConnectionClosed(closed) => {
                closed.code == BROKEN && self.connected.remove(&closed.socket_id.to_string())
            }
            _ => true,
        };
        promise!(Told, changed, "{from} tells what was told: {notice:?}");
    }
}

impl World {
    /// At rest, a receiver knows who is here and nobody else.
    pub fn check_told(&self) {
        let (mut occupied, mut members) = (BTreeSet::new(), BTreeSet::new());
        for client in self.clients.values() {
            let AppSlot(app) = client.app;
            for (channel, subscription) in &client.subscriptions {
                let name = &self.model.channels[*channel].name;
                if name.starts_with('#') {
                    continue;
                }
                occupied.insert((app, name.clone()));
                let user = subscription.user.iter();
                members.extend(user.map(|user| (app, name.clone(), user.clone())));
            }
        }
        let told = &self.told;
        promise!(
            Told,
            told.occupied == occupied,
            "{:?}, not {occupied:?}",
            told.occupied
        );
        promise!(
            Told,
            told.members == members,
            "{:?}, not {members:?}",
            told.members
        );
        let sockets = self.clients.values().map(|client| client.socket);
        let connected: BTreeSet<String> = sockets.map(|id: SocketId| id.to_string()).collect();
        promise!(
            Told,
            told.connected == connected,
            "{:?}, not {connected:?}",
            told.connected
        );
        let sent = self.model.events.iter().filter(|event| {
            let from_client = event.except.is_some() && event.name.starts_with("client-");
            from_client && !event.refused
        });
        let sent = sent.count();
        if told.client_events != sent {
            let text = format!("{} client events, not {sent}", told.client_events);
            violated(Oracle::Told, text);
        }
    }
}
