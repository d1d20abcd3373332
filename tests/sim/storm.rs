//! Many things at once, and things in the midst of others: crowds that join and leave one channel
//! in one instant, shards that lose all of their connections, connections that are cut off between
//! any two notes.

use crate::mesh::Parcel;
use crate::speech::Ask;
use crate::tally::Count;
use crate::world::World;
use shardcast::id::{ClientId, ShardId};

impl World {
    /// A note comes in.
    pub fn arrive(&mut self, at_us: u64, parcel: Parcel) {
        self.now_us = self.now_us.max(at_us);
        let shard = parcel.to;
        self.receive(parcel);
        self.after_input(shard);
    }

    /// Cuts somebody off, now and then: whatever was asked is on its way, and nobody waits for it.
    pub fn perhaps_cut(&mut self) {
        if !self.rng.chance(self.setup.cuts) {
            return;
        }
        if let Some(id) = self.somebody() {
            self.tally.add(Count::Cut);
            self.close(id);
        }
    }

    /// Everybody joins one channel or leaves it, some several times, and no note gets through
    /// between.
    pub fn storm(&mut self) {
        self.tally.add(Count::Storms);
        let name = *self.rng.pick(&self.setup.names);
        for _ in 0..self.rng.between(1, 3) * self.clients.len() as u64 {
            let Some(id) = self.somebody() else { return };
            let channel = self.model.find(self.clients[&id].app, name);
            let channel = channel.expect("every app has every name");
            if self.clients[&id].subscriptions.contains_key(&channel) {
                self.unsubscribe(id, channel);
            } else {
                let number = self.rng.below(self.setup.users);
                let ask = Ask {
                    channel: Ok(channel),
                    signed: true,
                    user: Some(format!("u\"{number}")),
                    info: None,
                    garbled: false,
                };
                self.subscribe(id, &ask);
            }
        }
    }

    /// All connections of a shard are gone in one instant.
    pub fn crash(&mut self, shard: ShardId) {
        self.tally.add(Count::Crashes);
        let mut lost: Vec<ClientId> = self.clients.keys().copied().collect();
        lost.retain(|id| id.shard() == shard);
        for id in lost {
            self.close(id);
        }
    }
}
