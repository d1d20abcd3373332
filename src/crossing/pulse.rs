//! A shard's pulse: that its thread still turns, and what it runs just now.
//!
//! The shard writes it with plain stores into cache lines of its own, and the control thread reads
//! it. Nothing is ordered by it: what a shard runs is only of interest once it has run it for a
//! second.

use crate::id::ClientId;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};

/// Code that is not ours, called by a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Callback {
    /// `Handler::on_start`.
    Start = 1,
    /// `Handler::on_handshake`.
    Handshake,
    /// `Handler::on_open`.
    Open,
    /// `Handler::on_message`.
    Message,
    /// `Handler::on_stream`.
    Stream,
    /// `Handler::on_error`.
    Error,
    /// `Handler::on_close`.
    Close,
    /// `Handler::on_request`.
    Request,
    /// `Handler::on_stop`.
    Stop,
    /// A task that was spawned through a handler's endpoint.
    Task,
    /// Something that has a name of its own: a function route, a fallback, a middleware.
    Named,
    /// What makes the body of an answer while it is sent.
    Body,
    /// An operation on rows of a shared table, at their home.
    Table,
}

impl Callback {
    const ALL: [Self; 13] = [
        Self::Start,
        Self::Handshake,
        Self::Open,
        Self::Message,
        Self::Stream,
        Self::Error,
        Self::Close,
        Self::Request,
        Self::Stop,
        Self::Task,
        Self::Named,
        Self::Body,
        Self::Table,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Start => "on_start",
            Self::Handshake => "on_handshake",
            Self::Open => "on_open",
            Self::Message => "on_message",
            Self::Stream => "on_stream",
            Self::Error => "on_error",
            Self::Close => "on_close",
            Self::Request => "on_request",
            Self::Stop => "on_stop",
            Self::Task => "a spawned task",
            Self::Named => "a function of the router",
            Self::Body => "the producer of a streamed answer",
            Self::Table => "an operation on a shared table",
        }
    }
}

/// What a shard runs: a callback, and the number of the place that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doing(u32);

impl Doing {
    /// Nothing but our own code.
    pub const NOTHING: Self = Self(0);

    /// A callback of a route, or of the list of what has a name of its own.
    #[must_use]
    pub const fn new(callback: Callback, place: u16) -> Self {
        Self(((callback as u32) << 16) | place as u32)
    }

    fn callback(self) -> Option<Callback> {
        let number = (self.0 >> 16) as usize;
        Callback::ALL.get(number.checked_sub(1)?).copied()
    }

    fn place(self) -> usize {
        (self.0 & 0xffff) as usize
    }
}

/// What the numbers of places mean, once all routes of a shard are mounted.
#[derive(Debug, Default)]
pub struct Places {
    /// The patterns of mounted handlers, by the number of their route.
    pub handlers: Vec<Box<str>>,
    /// What has a name of its own: where it is mounted, and what it is.
    pub named: Vec<(Box<str>, Box<str>)>,
}

/// No client.
const NOBODY: u64 = u64::MAX;

/// A shard's pulse.
#[derive(Debug)]
#[repr(align(128))]
pub struct Pulse {
    beats: AtomicU64,
    client: AtomicU64,
    doing: AtomicU32,
    places: OnceLock<Places>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            beats: AtomicU64::new(0),
            client: AtomicU64::new(NOBODY),
            doing: AtomicU32::new(Doing::NOTHING.0),
            places: OnceLock::new(),
        }
    }
}

impl Pulse {
    /// The shard's thread turns.
    pub fn beat(&self) {
        // It alone writes.
        let beats = self.beats.load(Ordering::Relaxed);
        self.beats.store(beats.wrapping_add(1), Ordering::Relaxed);
    }

    /// How often it has beaten.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// All routes are mounted.
    pub fn name(&self, places: Places) {
        // A second word would be about the same routes.
        let _ = self.places.set(places);
    }

    /// The shard's thread is about to run this, for a client or for nobody.
    pub fn begin(&self, doing: Doing, client: Option<ClientId>) {
        let client = client.map_or(NOBODY, ClientId::to_bits);
        self.client.store(client, Ordering::Relaxed);
        self.doing.store(doing.0, Ordering::Relaxed);
    }

    /// It runs our own code again.
    pub fn end(&self) {
        self.doing.store(Doing::NOTHING.0, Ordering::Relaxed);
    }

    /// Runs something within whatever runs already, for the same client.
    pub fn during<T>(&self, doing: Doing, run: impl FnOnce() -> T) -> T {
        let _within = self.within(doing);
        run()
    }

    fn within(&self, doing: Doing) -> Within<'_> {
        let before = self.doing.load(Ordering::Relaxed);
        self.doing.store(doing.0, Ordering::Relaxed);
        Within {
            pulse: self,
            before,
        }
    }

    /// What runs now.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let doing = Doing(self.doing.load(Ordering::Relaxed));
        let bits = self.client.load(Ordering::Relaxed);
        let Some(callback) = doing.callback() else {
            return Seen::default(); // the client may be one of before
        };
        let place = doing.place();
        let places = self.places.get();
        let (route, callback) = match callback {
            Callback::Body | Callback::Table => (None, Some(callback.name())),
            Callback::Named => {
                let named = places.and_then(|places| places.named.get(place));
                let name = named.map_or(callback.name(), |(_, name)| name);
                (named.map(|(route, _)| route), Some(name))
            }
            _ => {
                let route = places.and_then(|places| places.handlers.get(place));
                (route, Some(callback.name()))
            }
        };
        Seen {
            route: route.map(ToString::to_string),
            callback: callback.map(ToOwned::to_owned),
            client: (bits != NOBODY).then(|| ClientId::from_bits(bits)),
        }
    }
}

/// Restores what ran before, also when what runs panics.
struct Within<'a> {
    pulse: &'a Pulse,
    before: u32,
}

impl Drop for Within<'_> {
    fn drop(&mut self) {
        self.pulse.doing.store(self.before, Ordering::Relaxed);
    }
}

/// What a shard was seen to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The pattern of the route.
    pub route: Option<String>,
    /// What is called there.
    pub callback: Option<String>,
    /// For whom.
    pub client: Option<ClientId>,
}

/// What stands for what is not known.
pub const NOT_KNOWN: &str = "not known";

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(callback) = &self.callback else {
            return f.write_str("what it runs is not known");
        };
        write!(f, "it runs {callback}")?;
        if let Some(route) = &self.route {
            write!(f, " at {route}")?;
        }
        match &self.client {
            Some(client) => write!(f, " for {client:?}"),
            None => Ok(()),
        }
    }
}

/// A future that is named whenever it is polled, within whatever runs then.
#[derive(Debug)]
pub struct Watched<'a, F: ?Sized> {
    pulse: &'a Pulse,
    doing: Doing,
    future: Pin<&'a mut F>,
}

impl<'a, F: ?Sized> Watched<'a, F> {
    /// A future that is pinned where it stands, so that it is held once.
    pub fn new(pulse: &'a Pulse, doing: Doing, future: Pin<&'a mut F>) -> Self {
        Self {
            pulse,
            doing,
            future,
        }
    }
}

impl<F: Future + ?Sized> Future for Watched<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let _within = self.pulse.within(self.doing);
        self.future.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ShardId;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn named() -> Pulse {
        let pulse = Pulse::default();
        pulse.name(Places {
            handlers: vec!["/a".into(), "/b".into()],
            named: vec![("/push".into(), "the function for POST".into())],
        });
        pulse
    }

    #[test]
    fn each_callback_is_called_by_its_own_name() {
        let pulse = named();
        let mut names = Vec::new();
        for callback in Callback::ALL {
            let doing = Doing::new(callback, 0);
            assert_eq!(doing.callback(), Some(callback));
            pulse.begin(doing, None);
            names.push(pulse.seen().callback.unwrap());
        }
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        assert_eq!(Doing::NOTHING.callback(), None);
    }

    #[test]
    fn what_runs_now_is_seen_and_nothing_of_before() {
        let pulse = named();
        let client = ClientId::new(ShardId(0), 0, 0);
        pulse.begin(Doing::new(Callback::Message, 1), Some(client));
        let seen = pulse.seen();
        assert_eq!(
            seen.to_string(),
            "it runs on_message at /b for client 0/0.0"
        );
        pulse.end();
        assert_eq!(pulse.seen(), Seen::default());
        assert_eq!(pulse.seen().to_string(), "what it runs is not known");
        pulse.begin(Doing::new(Callback::Task, 9), None);
        assert_eq!(pulse.seen().to_string(), "it runs a spawned task");
    }

    #[test]
    fn what_runs_within_gives_way_to_what_ran_before() {
        let pulse = named();
        let client = ClientId::new(ShardId(3), 7, 9);
        let function = Doing::new(Callback::Named, 0);
        pulse.begin(Doing::new(Callback::Request, 0), Some(client));
        let panics = || pulse.during(function, || panic!("{}", pulse.seen()));
        let panic = catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
        assert_eq!(
            crate::error::panic_text(&*panic),
            "it runs the function for POST at /push for client 3/9.7"
        );
        assert_eq!(pulse.seen().callback.as_deref(), Some("on_request"));
    }

    #[test]
    fn a_shards_pulse_has_cache_lines_of_its_own() {
        assert_eq!(align_of::<Pulse>(), 128);
    }
}
