//! Where notices arrive on the control thread, and where they go from there.

use super::counts::{Count, Counts, Throttle};
use super::endpoint::{Endpoint, Shared, headers, sleep_until};
use super::flap::Flap;
use super::target::Target;
use super::{Options, tls};
use crate::app::{App, Webhook};
use crate::crossing::Notices;
use crate::hub::Notice;
use crate::id::AppSlot;
use crate::limits::RETIRED_ENDPOINTS_MAX;
use hyper::header::HeaderMap;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::pending;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// Where the webhooks of all apps go: checked and ready for the control thread.
pub struct Routes {
    /// The apps that are told something, and their webhooks' routes in their order.
    apps: Vec<(AppSlot, App, Vec<Way>)>,
    tls: Option<TlsConnector>,
}

/// To one endpoint.
type Way = (Target, HeaderMap);

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes").finish_non_exhaustive()
    }
}

impl Routes {
    /// Checks the apps' webhooks.
    ///
    /// # Errors
    /// A URL or a header that cannot be used, or a file of certificates that cannot be read.
    pub fn new(options: &Options, apps: Vec<(AppSlot, App)>) -> Result<Self, String> {
        let told = apps.into_iter().filter(|(_, app)| !app.webhooks.is_empty());
        let with_ways = told.map(|(slot, app)| {
            let ways = ways(&app)?;
            Ok((slot, app, ways))
        });
        let apps = with_ways.collect::<Result<Vec<_>, String>>()?;
        let mut ways = apps.iter().flat_map(|(_, _, ways)| ways);
        let needs_tls = ways.any(|(target, _)| target.tls);
        let tls = needs_tls.then(|| tls::connector(options.ca_file.as_deref()));
        Ok(Self {
            apps,
            tls: tls.transpose()?,
        })
    }
}

fn ways(app: &App) -> Result<Vec<Way>, String> {
    let of_app = app.webhooks.iter().enumerate().map(|(at, webhook)| {
        let target = Target::parse(&webhook.url);
        let target = target.and_then(|target| target.check(webhook.trusted).map(|()| target));
        let way = target.map_err(str::to_owned).and_then(|target| {
            let headers = headers(app, webhook, &target)?;
            Ok((target, headers))
        });
        way.map_err(|reason| format!("webhook {at} of app {}: {reason}", app.id))
    });
    of_app.collect()
}

/// Everything that is needed to send webhooks, checked and ready to go to the control thread.
pub struct Plan {
    options: Options,
    routes: Routes,
    notices: flume::Receiver<Notices>,
    counts: Counts,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// Webhooks of these apps, told what comes from there.
    #[must_use]
    pub fn new(options: Options, routes: Routes, notices: flume::Receiver<Notices>) -> Self {
        Self {
            options,
            routes,
            notices,
            counts: Counts::default(),
        }
    }

    /// Where it is counted what becomes of them.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts.clone()
    }
}

/// The running tasks.
pub struct Desk {
    changer: Changer,
    closing: Rc<Notify>,
    intake: JoinHandle<()>,
}

/// Changes where webhooks go while they are sent.
#[derive(Clone)]
pub struct Changer {
    inside: Rc<Inside>,
    settled: Rc<Notify>,
}

struct Inside {
    options: Options,
    endpoints: RefCell<Endpoints>,
    flap: RefCell<Flap>,
    start: Instant,
    counts: Counts,
    losses: RefCell<Throttle>,
}

/// Who is told.
#[derive(Default)]
struct Endpoints {
    /// By the app's slot.
    of: HashMap<AppSlot, Vec<Rc<Endpoint>>>,
    /// Those that are told nothing new, and still send what waited when they were replaced.
    retired: VecDeque<Rc<Endpoint>>,
}

impl Endpoints {
    fn all(&self) -> impl Iterator<Item = &Rc<Endpoint>> {
        self.of.values().flatten().chain(&self.retired)
    }

    /// The endpoint of a webhook that has not changed.
    fn take(&mut self, slot: AppSlot, app: &App, webhook: &Webhook) -> Option<Rc<Endpoint>> {
        let old = self.of.get_mut(&slot)?;
        let at = old.iter().position(|it| it.is_for(app, webhook))?;
        Some(old.swap_remove(at))
    }

    /// Whoever is left has been replaced by nobody.
    fn retire(&mut self, now_ms: u64) {
        let gone = std::mem::take(&mut self.of);
        self.retired.retain(|endpoint| !endpoint.is_idle());
        for endpoint in gone.into_values().flatten() {
            endpoint.retire(now_ms);
            self.retired.push_back(endpoint);
        }
        while self.retired.len() > RETIRED_ENDPOINTS_MAX {
            if let Some(oldest) = self.retired.pop_front() {
                oldest.give_up(now_ms);
            }
        }
    }
}

impl Changer {
    /// Tells the endpoints of these routes from now on. One that is the same as before keeps what
    /// waits for it; one that is replaced still sends that, and is told nothing more.
    pub fn change(&self, routes: Routes) {
        let inside = &self.inside;
        let shared = Shared {
            options: &inside.options,
            tls: routes.tls.as_ref(),
            counts: &inside.counts,
            start: inside.start,
        };
        let mut endpoints = inside.endpoints.borrow_mut();
        let mut next = HashMap::new();
        for (slot, app, ways) in routes.apps {
            let both = app.webhooks.iter().zip(ways);
            let made = both.map(|(webhook, (target, headers))| {
                let kept = endpoints.take(slot, &app, webhook);
                kept.unwrap_or_else(|| {
                    let new = Rc::new(Endpoint::new(&app, webhook, target, headers, &shared));
                    tokio::task::spawn_local(Rc::clone(&new).run(Rc::clone(&self.settled)));
                    new
                })
            });
            next.insert(slot, made.collect());
        }
        endpoints.retire(inside.now_ms());
        endpoints.of = next;
    }
}

impl fmt::Debug for Changer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changer").finish_non_exhaustive()
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    /// Starts to take notices, in tasks of the current [`tokio::task::LocalSet`].
    #[must_use]
    pub fn start(plan: Plan) -> Self {
        let inside = Rc::new(Inside {
            endpoints: RefCell::default(),
            flap: RefCell::new(Flap::new(plan.options.flap_ms)),
            start: Instant::now(),
            counts: plan.counts,
            losses: RefCell::default(),
            options: plan.options,
        });
        let changer = Changer {
            inside: Rc::clone(&inside),
            settled: Rc::new(Notify::new()),
        };
        changer.change(plan.routes);
        let closing = Rc::new(Notify::new());
        let intake = inside.intake(plan.notices, Rc::clone(&closing));
        Self {
            changer,
            closing,
            intake: tokio::task::spawn_local(intake),
        }
    }

    /// What changes its endpoints.
    #[must_use]
    pub fn changer(&self) -> Changer {
        self.changer.clone()
    }

    /// All shards have ended: sends what is left, for as long as `patience`, and counts the rest.
    pub async fn finish(self, patience: Duration) {
        let Self {
            changer: Changer { inside, settled },
            closing,
            intake,
        } = self;
        closing.notify_one();
        let end_ms = inside.now_ms() + patience.as_millis() as u64;
        let done = async {
            let _ = intake.await; // it cannot fail, but it may have ended already
            while !inside.endpoints.borrow().all().all(|it| it.is_idle()) {
                settled.notified().await;
            }
        };
        tokio::select! {
            () = done => {}
            () = sleep_until(inside.start, end_ms) => {}
        }
        let left: u64 = inside.endpoints.borrow().all().map(|it| it.abandon()).sum();
        if left > 0 {
            tracing::warn!(
                events = left,
                "webhook events were dropped: the server has stopped"
            );
        }
    }
}

impl Inside {
    /// Takes notices until no shard is left to send one: then what is held is told, too.
    async fn intake(self: Rc<Self>, notices: flume::Receiver<Notices>, closing: Rc<Notify>) {
        loop {
            let due_ms = self.due_ms();
            let due = async {
                match due_ms {
                    Some(due_ms) => sleep_until(self.start, due_ms).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                batch = notices.recv_async() => match batch {
                    Ok(batch) => self.take(batch),
                    Err(_) => break,
                },
                () = due => {}
                () = closing.notified() => break,
            }
            self.due(self.now_ms());
            tokio::task::yield_now().await; // requests go on, however many notices there are
        }
        notices.drain().for_each(|batch| self.take(batch));
        self.due(u64::MAX);
    }

    fn take(&self, batch: Notices) {
        let now_ms = self.now_ms();
        self.counts.add(Count::ShardFull, batch.dropped);
        if let Some(events) = self.losses.borrow_mut().add(batch.dropped, now_ms) {
            tracing::warn!(
                events,
                "webhook events were dropped: the control thread does not keep up"
            );
        }
        let mut told = Vec::with_capacity(batch.notices.len());
        for notice in batch.notices {
            self.flap.borrow_mut().take(notice, now_ms, &mut told);
        }
        self.tell(&told, now_ms);
    }

    fn tell(&self, told: &[Notice], now_ms: u64) {
        let endpoints = self.endpoints.borrow();
        for notice in told {
            for endpoint in endpoints.of.get(&notice.app).into_iter().flatten() {
                endpoint.take(notice, now_ms);
            }
        }
    }

    fn due_ms(&self) -> Option<u64> {
        let endpoints = self.endpoints.borrow();
        let batches = endpoints.all().filter_map(|endpoint| endpoint.due_ms());
        batches.chain(self.flap.borrow().due_ms()).min()
    }

    /// Does what is due by then; `until_ms` may be in the future.
    fn due(&self, until_ms: u64) {
        let (mut told, now_ms) = (Vec::new(), self.now_ms());
        self.flap.borrow_mut().due(until_ms, &mut told);
        self.tell(&told, now_ms);
        let endpoints = self.endpoints.borrow();
        endpoints.all().for_each(|it| it.due(until_ms, now_ms));
    }

    fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }
}
