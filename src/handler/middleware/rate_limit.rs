//! How often one address may ask.

use super::{Middleware, Next};
use crate::handler::Request;
use crate::http::Response;
use hashbrown::HashMap;
use std::cell::RefCell;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Requests and handshakes that one address may send in a time; more is answered with 429 and
/// `Retry-After` (seconds). An address that has been still may send a burst, then one after each
/// part of the time.
///
/// Of an IPv6 address the first 64 bits count, since that is what one customer is given; what a
/// handler says or hears over an open WebSocket counts nothing. The address is that of the
/// connection: behind a proxy all clients share the proxy's.
///
/// **Each shard counts for itself**: a client whose connections are spread over several shards may
/// send up to so many times as much, one that keeps its connection never more than this. The table
/// is bounded; when there are more addresses than it remembers, those that were still for longest
/// are forgotten and begin anew.
#[derive(Debug)]
pub struct RateLimit {
    /// Microseconds between two requests in the long run.
    interval_us: u128,
    burst: u32,
    table: RefCell<Table>,
}

/// Addresses that are remembered unless another number is said.
const ADDRESSES: usize = 16_384;

impl RateLimit {
    /// So many in so long, and as many at once.
    ///
    /// # Panics
    /// When either is zero, or the time divided by the count is below a microsecond.
    #[must_use]
    pub fn new(count: u32, per: Duration) -> Self {
        assert!(count > 0, "a rate of nothing lets nobody in");
        let interval_us = per.as_micros() / u128::from(count);
        assert!(interval_us > 0, "a rate above one in a microsecond is none");
        Self {
            interval_us,
            burst: count,
            table: RefCell::new(Table::new(ADDRESSES)),
        }
    }

    /// So many at once.
    ///
    /// # Panics
    /// When it is zero.
    #[must_use]
    pub fn with_burst(mut self, burst: u32) -> Self {
        assert!(burst > 0, "a burst of nothing lets nobody in");
        self.burst = burst;
        self
    }

    /// How many addresses are remembered at least; twice as many are held at most, 32 bytes each.
    ///
    /// # Panics
    /// When it is zero.
    #[must_use]
    pub fn with_addresses(mut self, addresses: usize) -> Self {
        assert!(addresses > 0, "a table of nothing remembers nobody");
        self.table = RefCell::new(Table::new(addresses));
        self
    }

    /// Counts one request, or says in how many microseconds it would be let in.
    fn take(&self, address: Option<IpAddr>, now_us: u64) -> Result<(), u64> {
        // The longest time and the largest burst together are far below what this can hold.
        let now_us = u128::from(now_us);
        let mut table = self.table.borrow_mut();
        let free_at = table.entry(key(address));
        // The time at which the bucket is full again: it holds a burst, and each request takes one.
        let next = (*free_at).max(now_us) + self.interval_us;
        let full = now_us + self.interval_us * u128::from(self.burst);
        if next > full {
            return Err(u64::try_from(next - full).unwrap_or(u64::MAX));
        }
        *free_at = next;
        Ok(())
    }
}

impl Middleware for RateLimit {
    async fn around(&self, request: Request<'_>, next: Next<'_>) -> Response {
        let now_us = request.clock().since_start().as_micros() as u64;
        let address = request.peer().map(|peer| peer.ip());
        match self.take(address, now_us) {
            Ok(()) => next.run(request).await,
            Err(wait_us) => Response::text(429, "Too many requests\n")
                .with_number("Retry-After", wait_us.div_ceil(1_000_000)),
        }
    }
}

/// What of an address counts; connections whose address is not known count as one.
fn key(address: Option<IpAddr>) -> u128 {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V6(address)) => u128::from(address) & !u128::from(u64::MAX),
        Some(IpAddr::V4(address)) => u128::from(address.to_ipv6_mapped()),
        None => u128::from(Ipv6Addr::UNSPECIFIED),
    }
}

/// Two generations of addresses: when the young one is full, the old one is forgotten.
#[derive(Debug)]
struct Table {
    young: HashMap<u128, u128>,
    old: HashMap<u128, u128>,
    size: usize,
}

impl Table {
    fn new(size: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            size,
        }
    }

    /// The place of an address, zero when it is not known.
    fn entry(&mut self, key: u128) -> &mut u128 {
        // In the young one it is not in the old one.
        let known = self.old.remove(&key);
        if self.young.len() == self.size && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.entry(key).or_insert(known.unwrap_or(0))
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let limit = RateLimit::new(10, Duration::from_secs(1)).with_burst(3);
        let a = ip("192.0.2.1");
        let taken = |at_us| (0..50).filter(|_| limit.take(a, at_us).is_ok()).count();
        assert_eq!(taken(5), 3);
        assert_eq!(limit.take(a, 5), Err(100_000));
        assert_eq!(taken(5 + 99_999), 0);
        assert_eq!(limit.take(a, 5 + 99_999), Err(1));
        assert_eq!(taken(5 + 100_000), 1);
        assert_eq!(taken(5 + 300_000), 2);
        assert_eq!(taken(5 + 10_000_000), 3);
        // Times and bursts beyond all measure still let in the burst.
        for limit in [
            RateLimit::new(1, Duration::MAX).with_burst(2),
            RateLimit::new(1, Duration::from_secs(1 << 40)).with_burst(2),
        ] {
            assert!(limit.take(a, 5).is_ok());
        }
        let patient = RateLimit::new(1, Duration::from_secs(86_400)).with_burst(u32::MAX);
        assert_eq!((0..50).filter(|_| patient.take(a, 5).is_ok()).count(), 50);
        let slow = RateLimit::new(2, Duration::from_secs(3600));
        assert!(slow.take(a, 0).is_ok() && slow.take(a, 0).is_ok());
        assert_eq!(slow.take(a, 0), Err(1_800_000_000));
    }

    #[test]
    fn addresses_are_those_of_one_customer() {
        let limit = RateLimit::new(1, Duration::from_secs(1));
        assert!(limit.take(ip("192.0.2.1"), 0).is_ok());
        assert!(limit.take(ip("192.0.2.2"), 0).is_ok());
        assert!(limit.take(ip("::ffff:192.0.2.1"), 0).is_err());
        assert!(limit.take(ip("2001:db8::1"), 0).is_ok());
        assert!(limit.take(ip("2001:db8::ffff:ffff:ffff:ffff"), 0).is_err());
        assert!(limit.take(ip("2001:db8:0:1::1"), 0).is_ok());
        assert!(limit.take(None, 0).is_ok() && limit.take(None, 0).is_err());
    }

    #[test]
    fn the_table_remembers_its_size_and_no_more_than_twice_that() {
        let at = |n: u8| ip(&format!("192.0.2.{n}"));
        // The last that fits: after as many others as the table has places for beside it.
        for (others, known) in [(3, true), (8, false)] {
            let limit = RateLimit::new(1, Duration::from_secs(1)).with_addresses(4);
            assert!(limit.take(at(0), 0).is_ok());
            for n in 1..=others {
                assert!(limit.take(at(n), 0).is_ok());
            }
            assert_eq!(limit.take(at(0), 0).is_err(), known, "{others}");
        }
        let limit = RateLimit::new(1, Duration::from_secs(1)).with_addresses(4);
        for n in 0..=255 {
            limit.take(at(n), 0).unwrap();
            assert!(limit.table.borrow().len() <= 8);
            for back in 0..4.min(n) {
                assert!(limit.take(at(n - back), 0).is_err(), "{n} {back}");
            }
        }
    }

    #[test]
    fn rates_at_the_limit_and_one_past() {
        for (count, us, fits) in [(1, 1, true), (2, 1, false), (0, 1, false), (1, 0, false)] {
            let make = || RateLimit::new(count, Duration::from_micros(us));
            assert_eq!(std::panic::catch_unwind(make).is_ok(), fits, "{count} {us}");
        }
    }
}
