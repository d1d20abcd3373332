//! What a hub is made with.

use crate::id::ShardId;

/// Where a hub stands, and the bounds and waits that are the same for all apps. Waits are in
/// milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The shard it belongs to.
    pub shard: ShardId,
    /// How many shards there are.
    pub shards: u16,
    /// Key of the channel hash; random in production, the same on all shards.
    pub hash_key: [u64; 2],
    /// Channels one connection may be subscribed to.
    pub channels_per_connection: usize,
    /// Bytes of cached events that this shard keeps as the home of cache channels.
    pub cache_bytes: usize,
    /// How long a user, a member or a channel that is gone may come back before anybody outside
    /// is told of it (K5, U11).
    pub flap_ms: u64,
    /// How long a connection may stay without authorisation, where its app wants one (section 7.4).
    pub sign_in_ms: u64,
    /// Wrong signatures of one connection in a minute, if they are bounded.
    pub auth_failures: Option<u32>,
    /// How often the subscribers of a channel of more than a hundred are told their number at
    /// most (section 3.7).
    pub count_interval_ms: u64,
}

/// Those of a hub's bounds and waits that may change while it runs; see [`Options`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Channels one connection may be subscribed to.
    pub channels_per_connection: usize,
    /// Bytes of cached events that this shard keeps.
    pub cache_bytes: usize,
    /// How long a connection may stay without authorisation, in milliseconds.
    pub sign_in_ms: u64,
    /// Wrong signatures of one connection in a minute, if they are bounded.
    pub auth_failures: Option<u32>,
    /// Milliseconds between two counts that the subscribers of a large channel are told.
    pub count_interval_ms: u64,
}

impl Options {
    /// Takes over what may change while the hub runs.
    pub fn set(&mut self, limits: Limits) {
        let Limits {
            channels_per_connection,
            cache_bytes,
            sign_in_ms,
            auth_failures,
            count_interval_ms,
        } = limits;
        self.auth_failures = auth_failures;
        self.channels_per_connection = channels_per_connection;
        self.cache_bytes = cache_bytes;
        self.sign_in_ms = sign_in_ms;
        self.count_interval_ms = count_interval_ms;
    }

    /// The documented defaults, for a shard of so many.
    #[must_use]
    pub const fn new(shard: ShardId, shards: u16, hash_key: [u64; 2]) -> Self {
        Self {
            shard,
            shards,
            hash_key,
            channels_per_connection: 200,
            cache_bytes: 64 << 20,
            flap_ms: 3_000,
            sign_in_ms: 30_000,
            auth_failures: Some(100),
            count_interval_ms: 5_000,
        }
    }
}
