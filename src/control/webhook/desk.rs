//! Where notices arrive on the control thread, and where they go from there.

use super::counts::{Count, Counts, Throttle};
use super::endpoint::{Endpoint, Shared, headers, sleep_until};
use super::flap::Flap;
use super::target::Target;
use super::{Options, tls};
use crate::app::App;
use crate::crossing::Notices;
use crate::hub::Notice;
use hyper::header::HeaderMap;
use std::cell::RefCell;
use std::fmt;
use std::future::pending;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// Everything that is needed to send webhooks, checked and ready to go to the control thread.
pub struct Plan {
    options: Options,
    apps: Vec<App>,
    /// Of each app's webhooks, in their order.
    routes: Vec<Vec<(Target, HeaderMap)>>,
    tls: Option<TlsConnector>,
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
    /// Checks the apps' webhooks. `apps` are in the order of their slots.
    ///
    /// # Errors
    /// A URL or a header that cannot be used, or a file of certificates that cannot be read.
    pub fn new(
        options: Options,
        apps: &[App],
        notices: flume::Receiver<Notices>,
    ) -> Result<Self, String> {
        let mut routes = Vec::new();
        for app in apps {
            let of_app = app.webhooks.iter().enumerate().map(|(at, webhook)| {
                let target = Target::parse(&webhook.url);
                let target =
                    target.and_then(|target| target.check(webhook.trusted).map(|()| target));
                let route = target.map_err(str::to_owned).and_then(|target| {
                    let headers = headers(app, webhook, &target)?;
                    Ok((target, headers))
                });
                route.map_err(|reason| format!("webhook {at} of app {}: {reason}", app.id))
            });
            routes.push(of_app.collect::<Result<Vec<_>, _>>()?);
        }
        let needs_tls = routes.iter().flatten().any(|(target, _)| target.tls);
        let tls = needs_tls.then(|| tls::connector(options.ca_file.as_deref()));
        Ok(Self {
            options,
            apps: apps.to_vec(),
            routes,
            tls: tls.transpose()?,
            notices,
            counts: Counts::default(),
        })
    }

    /// Where it is counted what becomes of them.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts.clone()
    }
}

/// The running tasks.
pub struct Desk {
    inside: Rc<Inside>,
    settled: Rc<Notify>,
    closing: Rc<Notify>,
    intake: JoinHandle<()>,
}

struct Inside {
    /// By the app's slot.
    endpoints: Vec<Vec<Rc<Endpoint>>>,
    flap: RefCell<Flap>,
    start: Instant,
    counts: Counts,
    losses: RefCell<Throttle>,
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
        let start = Instant::now();
        let shared = Shared {
            options: &plan.options,
            tls: plan.tls.as_ref(),
            counts: &plan.counts,
            start,
        };
        let apps = plan.apps.iter().zip(plan.routes);
        let endpoints: Vec<Vec<_>> = apps
            .map(|(app, routes)| {
                let both = app.webhooks.iter().zip(routes);
                let made = both.map(|(webhook, (target, headers))| {
                    Rc::new(Endpoint::new(app, webhook, target, headers, &shared))
                });
                made.collect()
            })
            .collect();
        let settled = Rc::new(Notify::new());
        for endpoint in endpoints.iter().flatten() {
            tokio::task::spawn_local(Rc::clone(endpoint).run(Rc::clone(&settled)));
        }
        let inside = Rc::new(Inside {
            endpoints,
            flap: RefCell::new(Flap::new(plan.options.flap_ms)),
            start,
            counts: plan.counts,
            losses: RefCell::default(),
        });
        let closing = Rc::new(Notify::new());
        let intake = Rc::clone(&inside).intake(plan.notices, Rc::clone(&closing));
        Self {
            inside,
            settled,
            closing,
            intake: tokio::task::spawn_local(intake),
        }
    }

    /// All shards have ended: sends what is left, for as long as `patience`, and counts the rest.
    pub async fn finish(self, patience: Duration) {
        let Self {
            inside,
            settled,
            closing,
            intake,
        } = self;
        closing.notify_one();
        let end_ms = inside.now_ms() + patience.as_millis() as u64;
        let done = async {
            let _ = intake.await; // it cannot fail, but it may have ended already
            while !inside.all().all(|endpoint| endpoint.is_idle()) {
                settled.notified().await;
            }
        };
        tokio::select! {
            () = done => {}
            () = sleep_until(inside.start, end_ms) => {}
        }
        let left: u64 = inside.all().map(|endpoint| endpoint.abandon()).sum();
        if left > 0 {
            tracing::warn!(
                events = left,
                "webhook events were dropped: the server has stopped"
            );
        }
    }
}

impl Inside {
    fn all(&self) -> impl Iterator<Item = &Rc<Endpoint>> {
        self.endpoints.iter().flatten()
    }

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
        for notice in told {
            for endpoint in &self.endpoints[notice.app.index()] {
                endpoint.take(notice, now_ms);
            }
        }
    }

    fn due_ms(&self) -> Option<u64> {
        let batches = self.all().filter_map(|endpoint| endpoint.due_ms());
        batches.chain(self.flap.borrow().due_ms()).min()
    }

    /// Does what is due by then; `until_ms` may be in the future.
    fn due(&self, until_ms: u64) {
        let (mut told, now_ms) = (Vec::new(), self.now_ms());
        self.flap.borrow_mut().due(until_ms, &mut told);
        self.tell(&told, now_ms);
        self.all()
            .for_each(|endpoint| endpoint.due(until_ms, now_ms));
    }

    fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }
}
