//! Pages that are open, and what they are kept up to date with: server-sent events.

use super::super::known::gather;
use super::super::plan::Desk;
use super::super::serve::{Stream, pause};
use super::Dashboard;
use super::assets::FIELDS;
use super::history::{Load, Point, now_s};
use crate::crossing::Call;
use crate::crossing::operator::{Follow, Followed, Row};
use crate::limits::{ADMIN_TIMEOUT_MS, DASHBOARD_PAGES_MAX, TAP_PAUSE_MS};
use serde::Serialize;
use std::cell::{Cell, RefCell};
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
    events: Sender<String>,
    /// Rows that it missed.
    missed: Cell<u64>,
}

/// An open page, on the side of its connection.
pub(in super::super) struct Page {
    _reader: Rc<Reader>,
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
    pub(super) fn open(&self, app: Option<&str>) -> Option<Page> {
        let mut open = self.open.borrow_mut();
        open.retain(|reader| reader.strong_count() > 0);
        if open.len() >= DASHBOARD_PAGES_MAX {
            return None;
        }
        let (to, events) = channel(WAITING_MAX);
        let reader = Rc::new(Reader {
            app: app.map(Into::into),
            events: to,
            missed: Cell::new(0),
        });
        open.push(Rc::downgrade(&reader));
        self.came.notify_one();
        let _reader = reader;
        Some(Page { _reader, events })
    }

    fn readers(&self) -> Vec<Rc<Reader>> {
        self.open
            .borrow()
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }
}

impl Page {
    /// Sends what happens until the page is closed, or does not read for a while.
    pub(in super::super) async fn keep(mut self, mut stream: Stream) {
        let mut head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n".to_owned();
        for (name, value) in FIELDS {
            head += &format!("{name}: {value}\r\n");
        }
        head += "Connection: close\r\n\r\nretry: 1000\n\n";
        let mut next = Some(head);
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
        self.events.try_send(event).is_ok()
    }
}

impl Dashboard {
    /// Tells all pages of the last second.
    pub(super) fn tell_sample(&self, desk: &Desk) {
        let history = self.history.borrow();
        for reader in self.pages.readers() {
            let sample = SampleEvent {
                at: now_s(),
                app: reader.app.as_deref().and_then(|app| history.now(app)),
                shards: history.loads(),
                generation: history.generation(),
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
    loop {
        let readers = pages.readers();
        let mut apps: Vec<Box<str>> = readers.iter().filter_map(|it| it.app.clone()).collect();
        if apps.is_empty() {
            drop(readers);
            pages.came.notified().await;
            continue;
        }
        apps.sort_unstable();
        apps.dedup();
        let apps: Arc<[Box<str>]> = apps.into();
        let calls = &desk.plan.calls;
        let followed = gather(calls, |answer| {
            let apps = Arc::clone(&apps);
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
        let event = RowsEvent {
            skipped: reader.missed.take() + skipped + left_out,
            rows: rows.into_iter().map(RowLine::of).collect(),
        };
        if event.rows.is_empty() && event.skipped == 0 {
            continue;
        }
        if !reader.send("rows", &event) {
            reader.missed.set(event.skipped + event.rows.len() as u64);
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
            .map(|_| pages.open(None).expect("there is room"))
            .collect();
        assert!(pages.open(None).is_none());
        open.pop();
        assert!(pages.open(None).is_some(), "one was closed");
    }

    #[test]
    fn a_page_is_told_of_its_app_in_order_and_what_it_missed() {
        let pages = Pages::default();
        let mut page = pages.open(Some("a")).unwrap();
        let many = |count| -> Vec<Row> { (0..count).map(|at| row("a", at)).collect() };
        let followed = [
            Followed {
                rows: vec![row("a", 2), row("b", 1)],
                skipped: vec![("a".into(), 3), ("b".into(), 9)],
            },
            Followed {
                rows: vec![row("a", 1)],
                skipped: vec![],
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
        // A page that does not read misses rows, and is told how many.
        let burst = Followed {
            rows: many(ROWS_AT_ONCE as u64 + 1),
            skipped: vec![],
        };
        for _ in 0..=WAITING_MAX {
            tell_rows(&pages.readers(), std::slice::from_ref(&burst));
        }
        for _ in 0..WAITING_MAX {
            let event = page.events.try_recv().unwrap();
            assert!(event.contains("\"skipped\":1}"), "{event}");
        }
        tell_rows(&pages.readers(), &[]);
        let event = page.events.try_recv().unwrap();
        let missed = ROWS_AT_ONCE + 1;
        assert!(
            event.contains(&format!("\"skipped\":{missed}}}")),
            "{event}"
        );
    }
}
