//! Which slots of a shard's connection table are in use. A slot that is free again is the first to
//! be given away, with the next generation: the hardest case for whoever holds an old id.

use shardcast::id::{ClientId, ShardId};

/// The slots of one shard.
#[derive(Debug)]
pub struct Table {
    generations: Vec<u32>,
    free: Vec<u32>,
    first: u32,
}

impl Table {
    /// No slots yet; each starts with the generation `first`.
    pub fn new(first: u32) -> Self {
        Self {
            generations: Vec::new(),
            free: Vec::new(),
            first,
        }
    }

    /// Takes a slot for a new connection.
    pub fn take(&mut self, shard: ShardId) -> ClientId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.generations.push(self.first);
            (self.generations.len() - 1) as u32
        });
        ClientId::new(shard, self.generations[slot as usize], slot)
    }

    /// Frees the slot of a connection that is gone.
    pub fn give_back(&mut self, client: ClientId) {
        let generation = &mut self.generations[client.slot() as usize];
        *generation = generation.wrapping_add(1);
        self.free.push(client.slot());
    }
}
