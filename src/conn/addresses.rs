//! How many connections an address has, at the home shard of the address.

use hashbrown::HashMap;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;
use std::net::{IpAddr, Ipv6Addr};

/// An address as it is counted: of IPv6 a whole network of 64 bits, which is what one household or
/// machine is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin(IpAddr);

impl From<IpAddr> for Origin {
    fn from(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) & (u128::MAX << 64)).into(),
            ip => ip,
        })
    }
}

impl Origin {
    /// The shard that counts it, of so many: the same on all of them, and nobody's to choose.
    #[must_use]
    pub fn home(&self, hash_key: [u64; 2], shards: u16) -> u16 {
        let mut hasher = SipHasher13::new_with_keys(hash_key[0], hash_key[1]);
        let bits = match self.0 {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
            IpAddr::V6(ip) => ip.to_bits(),
        };
        // Numbers and not bytes: the hash of a channel's name is to stay the one that takes these,
        // and with it inlined where channels are looked for.
        hasher.write_u64((bits >> 64) as u64);
        hasher.write_u64(bits as u64);
        (hasher.finish() % u64::from(shards)) as u16
    }
}

/// The connections of the addresses that have their home here.
#[derive(Debug)]
pub struct Addresses {
    most: u32,
    taken: HashMap<Origin, u32>,
}

impl Addresses {
    /// Each may have so many.
    #[must_use]
    pub fn new(most: u32) -> Self {
        let taken = HashMap::new();
        Self { most, taken }
    }

    /// Takes a place unless all are taken.
    pub fn admit(&mut self, origin: Origin) -> bool {
        let taken = self.taken.entry(origin).or_default();
        let may = *taken < self.most;
        *taken += u32::from(may);
        may
    }

    /// Gives one back.
    ///
    /// # Panics
    /// When none is taken.
    pub fn release(&mut self, origin: Origin) {
        let taken = self.taken.get_mut(&origin).expect("it was taken before");
        *taken -= 1;
        if *taken == 0 {
            self.taken.remove(&origin);
        }
    }

    /// Addresses that have a connection.
    #[must_use]
    pub fn len(&self) -> usize {
        self.taken.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn each_address_has_so_many_places() {
        let mut addresses = Addresses::new(2);
        let (one, other) = (origin("192.0.2.1"), origin("192.0.2.2"));
        assert!(addresses.admit(one) && addresses.admit(one));
        assert!(!addresses.admit(one), "one past the limit");
        assert!(addresses.admit(other));
        addresses.release(one);
        assert!(addresses.admit(one) && !addresses.admit(one));
        for origin in [one, one, other] {
            addresses.release(origin);
        }
        assert!(addresses.is_empty(), "nothing is kept of who has left");
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        assert_eq!(
            origin("2001:db8::1"),
            origin("2001:db8::ffff:ffff:ffff:ffff")
        );
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
        assert_ne!(origin("192.0.2.1"), origin("192.0.2.2"));
    }

    #[test]
    fn homes_are_spread_over_the_shards() {
        let home = |ip: u32| Origin::from(IpAddr::V4(ip.into())).home([1, 2], 4);
        let mut counts = [0; 4];
        (0..4000).for_each(|ip| counts[usize::from(home(ip))] += 1);
        assert!(
            counts.iter().all(|count| (900..1100).contains(count)),
            "{counts:?}"
        );
    }
}
