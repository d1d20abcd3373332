//! Who may come in: how many in all, how many from one address, and where those really are for
//! whom a proxy asks.

use super::run::Shard;
use super::serve;
use crate::conn::{Addresses, Origin};
use crate::crossing::admission::Refusal;
use crate::crossing::{AddressNote, ToShard};
use crate::handler::Tickets;
use crate::http::proxied::{Network, forwarded_for};
use crate::http::{Head, Response, health};
use crate::id::{ClientId, ShardId};
use crate::limits::{ASKING_MAX, RETRY_AFTER_S, TURN_AWAY_MS, TURNED_AWAY_MAX};
use crate::metrics::Count;
use crate::net::{self, Stream, look_around};
use hashbrown::HashMap;
use rustls::ServerConfig;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

/// Whom a shard lets in beside what its limits say of all.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    /// Connections that one address may have over all shards, if that is bounded.
    pub per_address: Option<u32>,
    /// Proxies that are believed whom they ask for.
    pub trusted: Vec<Network>,
    /// Whether connections of these begin with the PROXY protocol.
    pub proxy_protocol: bool,
}

/// Who is here, and who asks to be let in.
pub(super) struct Visitors {
    doors: Doors,
    hash_key: [u64; 2],
    /// Places of the addresses that have their home here.
    home: RefCell<Addresses>,
    /// Whose place each client has.
    held: RefCell<HashMap<ClientId, Origin>>,
    tickets: Rc<Tickets<bool>>,
    asking: Asking,
    /// Who is being told that it is not let in, the first in front.
    told: RefCell<VecDeque<Rc<Stream>>>,
}

/// How many connections ask for a place of their address, or wait to hear that there is none.
#[derive(Default)]
struct Asking(Cell<usize>);

impl Asking {
    /// One more asks; says whether it may.
    fn begin(&self) -> bool {
        let may = self.0.get() < ASKING_MAX;
        self.0.set(self.0.get() + usize::from(may));
        may
    }

    /// One knows.
    fn end(&self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Visitors {
    pub(super) fn new(doors: Doors, hash_key: [u64; 2]) -> Self {
        Self {
            home: RefCell::new(Addresses::new(doors.per_address.unwrap_or(u32::MAX))),
            doors,
            hash_key,
            held: RefCell::default(),
            tickets: Rc::default(),
            asking: Asking::default(),
            told: RefCell::default(),
        }
    }

    pub(super) fn is_trusted(&self, ip: IpAddr) -> bool {
        self.doors
            .trusted
            .iter()
            .any(|network| network.contains(ip))
    }

    /// Whether a connection from there has to begin with the PROXY protocol.
    pub(super) fn expects_header(&self, peer: Option<SocketAddr>) -> bool {
        self.doors.proxy_protocol && peer.is_some_and(|peer| self.is_trusted(peer.ip()))
    }

    /// Where a request really comes from.
    pub(super) fn seen_from(&self, peer: SocketAddr, head: &Head<'_>) -> SocketAddr {
        if self.doors.trusted.is_empty() {
            return peer;
        }
        let named = head
            .headers()
            .filter(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-for"));
        let fields: SmallVec<[&[u8]; 4]> = named.map(|(_, value)| value).collect();
        forwarded_for(peer, fields.into_iter(), &self.doors.trusted)
    }
}

/// How TLS is spoken over a connection, where it is.
type Keys = Option<Arc<ServerConfig>>;

/// Serves a connection, over TLS if that is spoken there, or tells it why not.
pub(super) async fn receive(shard: &Rc<Shard>, stream: Stream, tls: Keys) {
    if let Err(refusal) = shard.sockets.admission().check() {
        return turn_away(shard, (stream, tls), refused(refusal)).await;
    }
    let visitors = &shard.visitors;
    let peer = stream
        .peer_addr()
        .filter(|peer| !visitors.is_trusted(peer.ip()));
    let (Some(_), Some(peer)) = (visitors.doors.per_address, peer) else {
        serve(shard, stream, tls);
        return;
    };
    if !visitors.asking.begin() {
        return turn_away(shard, (stream, tls), refused(Refusal::Full)).await;
    }
    let origin = Origin::from(peer.ip());
    shard.tell_asking();
    let shard = Rc::clone(shard);
    net::spawn(async move {
        let may = shard.take_place(origin).await;
        shard.visitors.asking.end();
        shard.tell_asking();
        if !may {
            return turn_away(&shard, (stream, tls), Count::RefusedAddress).await;
        }
        // Who comes in now would keep waiting a shard that has told everybody to leave.
        let client = (!shard.stopping.get()).then(|| serve(&shard, stream, tls));
        match client.flatten() {
            Some(client) => shard.hold(client, origin),
            None => shard.give_place(origin),
        }
    });
}

/// `None` when it cannot be served after all.
fn serve(shard: &Rc<Shard>, stream: Stream, tls: Keys) -> Option<ClientId> {
    let stream = match tls {
        None => Ok(stream),
        Some(keys) => stream.with_tls(keys),
    };
    match stream {
        Ok(stream) => serve::spawn(Rc::clone(shard), stream),
        Err(error) => {
            tracing::error!(%error, "no TLS with anybody");
            None
        }
    }
}

fn refused(refusal: Refusal) -> Count {
    match refusal {
        Refusal::Full => Count::RefusedFull,
        Refusal::Memory => Count::RefusedMemory,
    }
}

/// Tells a connection that it is not let in. A few are told at a time, so that they need few
/// descriptors, and nobody waits for one that does not go: it is cut off by the next. Who expects
/// TLS gets an end without a word: one in clear would make no sense to it, and agreeing on keys to
/// say so would cost too much.
async fn turn_away(shard: &Rc<Shard>, (stream, tls): (Stream, Keys), why: Count) {
    shard.sockets.counters().one(why);
    if tls.is_some() {
        return;
    }
    let mut answer = Vec::new();
    not_let_in(why).encode(false, false, &mut answer);
    let stream = Rc::new(stream);
    // At once, for the task may not run before others have taken its place.
    let sent = net::send_now(&stream, &answer).await;
    let visitors = &shard.visitors;
    visitors.told.borrow_mut().push_back(Rc::clone(&stream));
    let task = Rc::clone(shard);
    net::spawn(async move {
        net::turn_away(&stream, &answer[sent..], TURN_AWAY_MS).await;
        let mut told = task.visitors.told.borrow_mut();
        told.retain(|other| !Rc::ptr_eq(other, &stream));
    });
    if visitors.told.borrow().len() > TURNED_AWAY_MAX {
        let first = visitors.told.borrow_mut().pop_front();
        first.inspect(|stream| stream.shutdown());
        look_around().await; // its task ends, and its descriptor is free
    }
}

/// What who is not let in is told.
pub(super) fn not_let_in(why: Count) -> Response {
    let response = match why {
        Count::RefusedAddress => Response::text(429, health::ADDRESS_FULL),
        _ => Response::text(503, health::FULL),
    };
    response
        .with_number("Retry-After", RETRY_AFTER_S)
        .with_close()
}

impl Shard {
    fn tell_asking(&self) {
        self.sockets.set_outside(self.visitors.asking.0.get());
    }

    /// Takes a place of this address for a client, unless it has one; without a limit there is
    /// nothing to take.
    pub(super) async fn admit(&self, client: ClientId, ip: IpAddr) -> bool {
        if self.visitors.doors.per_address.is_none() {
            return true;
        }
        self.leave(client); // that of the last request
        let origin = Origin::from(ip);
        let may = self.take_place(origin).await;
        if may {
            self.hold(client, origin);
        }
        may
    }

    /// The client is gone, and its place is free.
    pub(super) fn leave(&self, client: ClientId) {
        let held = self.visitors.held.borrow_mut().remove(&client);
        if let Some(origin) = held {
            self.give_place(origin);
        }
    }

    fn hold(&self, client: ClientId, origin: Origin) {
        let last = self.visitors.held.borrow_mut().insert(client, origin);
        debug_assert!(last.is_none(), "a client has one place");
    }

    fn home_of(&self, origin: Origin) -> Option<ShardId> {
        let home = ShardId(origin.home(self.visitors.hash_key, self.mesh.shards()));
        (home != self.mesh.shard()).then_some(home)
    }

    async fn take_place(&self, origin: Origin) -> bool {
        let Some(home) = self.home_of(origin) else {
            return self.visitors.home.borrow_mut().admit(origin);
        };
        let pending = self.visitors.tickets.open();
        let ticket = pending.ticket();
        let take = AddressNote::Take { ticket, origin };
        self.mesh.send(home, ToShard::Address(take));
        pending.answer().await
    }

    fn give_place(&self, origin: Origin) {
        match self.home_of(origin) {
            None => self.visitors.home.borrow_mut().release(origin),
            Some(home) => {
                let release = AddressNote::Release(origin);
                self.mesh.send(home, ToShard::Address(release));
            }
        }
    }

    /// Takes what another shard says of addresses.
    pub(super) fn hear_address(&self, from: ShardId, note: AddressNote) {
        match note {
            AddressNote::Take { ticket, origin } => {
                let admitted = self.visitors.home.borrow_mut().admit(origin);
                let answer = AddressNote::Taken { ticket, admitted };
                self.mesh.send(from, ToShard::Address(answer));
            }
            AddressNote::Taken { ticket, admitted } => {
                self.visitors.tickets.answer(ticket, admitted);
            }
            AddressNote::Release(origin) => self.visitors.home.borrow_mut().release(origin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_ask_as_the_limit_says() {
        let asking = Asking::default();
        for _ in 0..ASKING_MAX {
            assert!(asking.begin());
        }
        assert!(!asking.begin() && !asking.begin());
        asking.end();
        assert!(asking.begin(), "one knows");
        assert!(!asking.begin());
    }
}
