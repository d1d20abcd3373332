//! Pages that are open, and what they are kept up to date with: server-sent events.

use super::super::guard::Entry;
use super::super::known::gather;
use super::super::plan::Desk;
use super::super::serve::{Stream, pause};
use super::Dashboard;
use super::assets::FIELDS;
use super::history::{Load, Point, now_s};
use crate::crossing::Call;
use crate::crossing::operator::{Follow, Followed, Row, Watch};
use crate::limits::{ADMIN_TIMEOUT_MS, DASHBOARD_PAGES_MAX, TAP_PAUSE_MS};
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Events that wait for one page; past them it misses some.
const WAITING_MAX: usize = 32;

/// Rows of one app in one event; the rest is counted as skipped.
const ROWS_AT_ONCE: usize = 64;

/// The pages that are open.
#[derive(Default)]
pub(super) struct Pages {
    open: RefCell<Vec<Weak<Reader>>>,
    came: Notify,
}

/// One that reads.
struct Reader {
    /// The app it shows; none while there is none.
    app: Option<Box<str>>,
    /// Why it may read.
    entry: Entry,
    /// None once it may not any more.
    events: RefCell<Option<Sender<String>>>,
    /// Rows that it missed.
    missed: Cell<u64>,
    /// It was not told yet that nobody knows how much more it missed.
    gap: Cell<bool>,
}

/// An open page, on the side of its connection.
pub(in super::super) struct Page {
    _reader: Option<Rc<Reader>>,
    /// What goes in front of the events.
    first: String,
    events: Receiver<String>,
}

#[derive(Serialize)]
struct SampleEvent<'a> {
    /// Seconds since 1970.
    at: u64,
    app: Option<Point>,
    shards: &'a [Load],
    /// Of the list of apps.
    generation: u64,
    draining: bool,
    memory_used: u64,
    memory_limit: u64,
}

#[derive(Serialize)]
struct RowsEvent<'a> {
    rows: Vec<RowLine<'a>>,
    skipped: u64,
    /// Nobody knows how much more was missed.
    gap: bool,
}

#[derive(Serialize)]
struct RowLine<'a> {
    /// Milliseconds since 1970.
    at: u64,
    kind: &'static str,
    socket_id: Option<String>,
    channel: &'a str,
    event: &'a str,
    text: &'a str,
}

impl Pages {
    /// Opens one more; none when there are as many as may be.
    pub(super) fn open(&self, app: Option<&str>, entry: Entry) -> Option<Page> {
        let mut open = self.open.borrow_mut();
        open.retain(|reader| reader.strong_count() > 0);
        if open.len() >= DASHBOARD_PAGES_MAX {
            return None;
        }
        let (to, events) = channel(WAITING_MAX);
        let reader = Rc::new(Reader {
            app: app.map(Into::into),
            entry,
            events: RefCell::new(Some(to)),
            missed: Cell::new(0),
            gap: Cell::new(false),
        });
        open.push(Rc::downgrade(&reader));
        self.came.notify_one();
        Some(Page {
            _reader: Some(reader),
            first: head() + "retry: 1000\n\n",
            events,
        })
    }

    /// The apps that they show.
    pub(super) fn apps(&self) -> BTreeSet<Box<str>> {
        let readers = self.readers().into_iter();
        readers.filter_map(|reader| reader.app.clone()).collect()
    }

    fn readers(&self) -> Vec<Rc<Reader>> {
        self.open
            .borrow()
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }
}

fn head() -> String {
    let mut head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n".to_owned();
    for (name, value) in FIELDS {
        head += &format!("{name}: {value}\r\n");
    }
    head + "Connection: close\r\n\r\n"
}

impl Page {
    /// The answer to who asks for the head only.
    pub(super) fn of_head() -> Self {
        let (_, events) = channel(1);
        Self {
            _reader: None,
            first: head(),
            events,
        }
    }

    /// Sends what happens until the page is closed, may not read any more, or does not for a while.
    pub(in super::super) async fn keep(mut self, mut stream: Stream) {
        let mut next = Some(self.first);
        while let Some(text) = next {
            if in_time(stream.write_all(text.as_bytes())).await.is_err() {
                return;
            }
            next = self.events.recv().await;
        }
    }
}

async fn in_time(write: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    tokio::select! {
        written = write => written,
        () = pause(Duration::from_millis(ADMIN_TIMEOUT_MS)) => Err(io::ErrorKind::TimedOut.into()),
    }
}

impl Reader {
    /// Sends an event; says whether there was room.
    fn send(&self, name: &str, data: &impl Serialize) -> bool {
        let data = serde_json::to_string(data).expect("texts and numbers are JSON");
        // JSON has no line end outside of texts, and a mark for it inside of them.
        let event = format!("event: {name}\ndata: {data}\n\n");
        let events = self.events.borrow();
        events.as_ref().is_some_and(|it| it.try_send(event).is_ok())
    }
}

impl Dashboard {
    /// Ends the pages of those who were logged in and are not any more.
    pub(in super::super) fn end_pages(&self) {
        let readers = self.pages.readers().into_iter();
        for reader in readers.filter(|it| !self.guard.holds(it.entry)) {
            reader.events.take();
        }
    }

    /// Tells all pages of the last second.
    pub(super) fn tell_sample(&self, desk: &Desk) {
        self.end_pages();
        let history = self.history.borrow();
        for reader in self.pages.readers() {
            let sample = SampleEvent {
                at: now_s(),
                app: reader.app.as_deref().and_then(|app| history.now(app)),
                shards: history.loads(),
                generation: self.known.generation(),
                draining: desk.health.is_draining(),
                memory_used: desk.plan.memory.used(),
                memory_limit: desk.plan.memory.limit(),
            };
            reader.send("sample", &sample);
        }
    }
}

/// Asks the shards what happens, while pages are open that show it.
pub(in super::super) async fn follow(desk: Rc<Desk>) {
    let pages = &desk.dashboard.pages;
    let mut last = BTreeSet::new();
    loop {
        let readers = pages.readers();
        let apps = pages.apps();
        if apps.is_empty() {
            drop(readers);
            last.clear();
            pages.came.notified().await;
            continue;
        }
        let watched: Arc<[Watch]> = (apps.iter())
            .map(|app| Watch {
                app: app.clone(),
                goes_on: last.contains(app),
            })
            .collect();
        last = apps;
        let calls = &desk.plan.calls;
        let followed = gather(calls, |answer| {
            let apps = Arc::clone(&watched);
            Call::Follow(Follow { apps, answer })
        });
        let followed: Vec<Followed> = followed.await.into_iter().map(|(it, _)| it).collect();
        tell_rows(&readers, &followed);
        drop(readers);
        pause(Duration::from_millis(TAP_PAUSE_MS)).await;
    }
}

/// Tells each page of what has happened to its app.
fn tell_rows(readers: &[Rc<Reader>], followed: &[Followed]) {
    for reader in readers {
        let Some(app) = &reader.app else { continue };
        let rows = followed.iter().flat_map(|it| &it.rows);
        let mut rows: Vec<&Row> = rows.filter(|row| row.app == *app).collect();
        let skipped = followed.iter().flat_map(|it| &it.skipped);
        let skipped: u64 = skipped.filter(|(of, _)| of == app).map(|(_, n)| n).sum();
        rows.sort_by_key(|row| row.at_ms);
        let left_out = rows.len().saturating_sub(ROWS_AT_ONCE) as u64;
        rows.truncate(ROWS_AT_ONCE);
        let gap = followed.iter().any(|it| it.gaps.contains(app));
        let event = RowsEvent {
            gap: reader.gap.take() || gap,
            skipped: reader.missed.take() + skipped + left_out,
            rows: rows.into_iter().map(RowLine::of).collect(),
        };
        if event.rows.is_empty() && event.skipped == 0 && !event.gap {
            continue;
        }
        if !reader.send("rows", &event) {
            reader.missed.set(event.skipped + event.rows.len() as u64);
            reader.gap.set(event.gap);
        }
    }
}

impl<'a> RowLine<'a> {
    fn of(row: &'a Row) -> Self {
        Self {
            at: row.at_ms,
            kind: row.kind.name(),
            socket_id: row.socket_id.map(|id| id.to_string()),
            channel: &row.channel,
            event: &row.event,
            text: &row.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crossing::operator::RowKind;

    fn row(app: &str, at_ms: u64) -> Row {
        Row {
            app: app.into(),
            at_ms,
            kind: RowKind::ClientEvent,
            socket_id: None,
            channel: "c".into(),
            event: "e\n\ndata: x".into(),
            text: "<script>".into(),
        }
    }

    #[test]
    fn as_many_pages_are_open_as_the_limit_says() {
        let pages = Pages::default();
        let mut open: Vec<_> = (0..DASHBOARD_PAGES_MAX)
            .map(|_| pages.open(None, Entry::Open).expect("there is room"))
            .collect();
        assert!(pages.open(None, Entry::Open).is_none());
        open.pop();
        assert!(pages.open(None, Entry::Open).is_some(), "one was closed");
    }

    #[test]
    fn a_page_is_told_of_its_app_in_order_and_what_it_missed() {
        let pages = Pages::default();
        let mut page = pages.open(Some("a"), Entry::Open).unwrap();
        let many = |count| -> Vec<Row> { (0..count).map(|at| row("a", at)).collect() };
        let followed = [
            Followed {
                rows: vec![row("a", 2), row("b", 1)],
                skipped: vec![("a".into(), 3), ("b".into(), 9)],
                gaps: vec!["b".into()],
            },
            Followed {
                rows: vec![row("a", 1)],
                ..Followed::default()
            },
        ];
        tell_rows(&pages.readers(), &followed);
        let event = page.events.try_recv().unwrap();
        let data = event.strip_prefix("event: rows\ndata: ").unwrap();
        assert_eq!(
            event.lines().count(),
            3,
            "one event, whatever is in it: {event}"
        );
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        let times: Vec<_> = (data["rows"].as_array().unwrap().iter())
            .map(|row| row["at"].as_u64().unwrap())
            .collect();
        assert_eq!((times, &data["skipped"]), (vec![1, 2], &3.into()));
        assert_eq!(data["gap"], false, "that was another app's");
        // A page that does not read misses rows, and is told how many.
        let burst = Followed {
            rows: many(ROWS_AT_ONCE as u64 + 1),
            gaps: vec!["a".into()],
            ..Followed::default()
        };
        for _ in 0..=WAITING_MAX {
            tell_rows(&pages.readers(), std::slice::from_ref(&burst));
        }
        for _ in 0..WAITING_MAX {
            let event = page.events.try_recv().unwrap();
            assert!(event.contains("\"skipped\":1,\"gap\":true}"), "{event}");
        }
        tell_rows(&pages.readers(), &[]);
        let event = page.events.try_recv().unwrap();
        let missed = ROWS_AT_ONCE + 1;
        assert!(
            event.contains(&format!("\"skipped\":{missed},\"gap\":true}}")),
            "{event}"
        );
    }
}
