//! Names of things that exist many times: shards, clients, sockets.
//!
//! All of them are small, `Copy` and carry no reference to what they name. A [`ClientId`] is
//! never reused: its generation changes whenever its slot is given to another connection, so
//! a stale id is refused instead of reaching a stranger.

use std::fmt;

/// A shard: one core's executor, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub u16);

impl ShardId {
    /// The shard's place in tables that hold one entry a shard.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One connection of one shard: shard, generation and slot in 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(u64);

const SHARD_BITS: u32 = 10;
const SLOT_BITS: u32 = 24;
const GENERATION_BITS: u32 = 64 - SHARD_BITS - SLOT_BITS;

impl ClientId {
    /// Highest slot a shard can hold.
    pub const SLOT_MAX: u32 = (1 << SLOT_BITS) - 1;

    /// Puts the three parts together; the generation wraps at 30 bits.
    ///
    /// # Panics
    /// When `slot` is above [`ClientId::SLOT_MAX`].
    #[must_use]
    pub fn new(shard: ShardId, generation: u32, slot: u32) -> Self {
        assert!(
            slot <= Self::SLOT_MAX,
            "a shard holds at most {} clients",
            Self::SLOT_MAX + 1
        );
        let generation = u64::from(generation & Self::generation_mask());
        Self(
            (u64::from(shard.0) << (64 - SHARD_BITS)) | (generation << SLOT_BITS) | u64::from(slot),
        )
    }

    /// The whole id as a number.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The id that a number stands for.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits of a generation that an id can carry.
    #[must_use]
    pub const fn generation_mask() -> u32 {
        (1 << GENERATION_BITS) - 1
    }

    /// The shard that owns the connection.
    #[must_use]
    pub fn shard(self) -> ShardId {
        ShardId((self.0 >> (64 - SHARD_BITS)) as u16)
    }

    /// How often the slot was given away before.
    #[must_use]
    pub fn generation(self) -> u32 {
        (self.0 >> SLOT_BITS) as u32 & Self::generation_mask()
    }

    /// Place in the owning shard's connection table.
    #[must_use]
    pub fn slot(self) -> u32 {
        (self.0 as u32) & Self::SLOT_MAX
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "client {}/{}.{}",
            self.shard().0,
            self.slot(),
            self.generation()
        )
    }
}

/// The id a Pusher client knows itself by: two decimal numbers with a dot between (rule W7).
///
/// The first number is 32 random bits times 1024 plus the shard, the second is random below
/// 10^10: unguessable enough that nobody subscribes in another's name by luck (rule W8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketId {
    high: u64,
    low: u64,
}

/// Text that is not a socket id at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedSocketId;

impl SocketId {
    /// One past the largest second number.
    pub const LOW_END: u64 = 10_000_000_000;

    /// Makes the id from random bits that the caller supplies.
    #[must_use]
    pub fn new(shard: ShardId, random_high: u32, random_low: u64) -> Self {
        Self {
            high: (u64::from(random_high) << SHARD_BITS) | u64::from(shard.0),
            low: random_low % Self::LOW_END,
        }
    }

    /// Reads `digits.digits`.
    ///
    /// `Ok(None)` is a well-formed id that cannot be one of ours (leading zeros, numbers past
    /// 64 bits): legal to name, equal to nobody.
    ///
    /// # Errors
    /// [`MalformedSocketId`] when the text is anything else (rule W7).
    pub fn parse(text: &str) -> Result<Option<Self>, MalformedSocketId> {
        let (high, low) = text.split_once('.').ok_or(MalformedSocketId)?;
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(high) || !digits(low) {
            return Err(MalformedSocketId);
        }
        let canonical = |part: &str| part.len() == 1 || !part.starts_with('0');
        if !canonical(high) || !canonical(low) {
            return Ok(None);
        }
        Ok(high
            .parse()
            .ok()
            .zip(low.parse().ok())
            .map(|(high, low)| Self { high, low }))
    }

    /// The shard that gave this id out, when it is one of ours.
    #[must_use]
    pub fn shard(self) -> ShardId {
        ShardId((self.high & ((1 << SHARD_BITS) - 1)) as u16)
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.high, self.low)
    }
}

/// An application's place in the table of configured apps; the same on every shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppSlot(pub u32);

impl AppSlot {
    /// The slot as an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What an asker on a shard waits with until the answer comes back; unique on its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_gives_back_its_parts() {
        let id = ClientId::new(ShardId(1023), 7, ClientId::SLOT_MAX);
        assert_eq!(
            (id.shard(), id.generation(), id.slot()),
            (ShardId(1023), 7, 0xff_ffff)
        );
        let wrapped = ClientId::new(ShardId(0), u32::MAX, 0);
        assert_eq!(wrapped.generation(), ClientId::generation_mask());
    }

    #[test]
    #[should_panic(expected = "at most")]
    fn a_slot_past_the_end_is_refused() {
        let _ = ClientId::new(ShardId(0), 0, ClientId::SLOT_MAX + 1);
    }

    #[test]
    fn socket_ids_read_back_what_they_print() {
        // W7, W8
        let id = SocketId::new(ShardId(3), u32::MAX, u64::MAX);
        assert_eq!(SocketId::parse(&id.to_string()), Ok(Some(id)));
        assert_eq!(id.shard(), ShardId(3));
    }

    #[test]
    fn socket_ids_of_the_vectors() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../tests/vectors.json")).unwrap();
        for valid in vectors["socket_ids"]["valid"].as_array().unwrap() {
            assert!(SocketId::parse(valid.as_str().unwrap()).is_ok(), "{valid}");
        }
        for invalid in vectors["socket_ids"]["invalid"].as_array().unwrap() {
            assert!(
                SocketId::parse(invalid.as_str().unwrap()).is_err(),
                "{invalid}"
            );
        }
    }

    #[test]
    fn ids_that_cannot_be_ours_exclude_nobody() {
        for text in [
            "01.1",
            "1.01",
            "99999999999999999999.1",
            "1.99999999999999999999",
        ] {
            assert_eq!(SocketId::parse(text), Ok(None), "{text}");
        }
        assert!(SocketId::parse("\u{0661}.1").is_err(), "digits are ASCII");
    }
}
