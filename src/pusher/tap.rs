//! What happens to apps while somebody watches them from the admin port.
//!
//! While nobody does, each message of a client costs one look at a flag, and what is sent to many
//! costs nothing. While somebody does, no more than so many things of each kind are noted down in a
//! second; the rest is counted. Who watches asks again and again; when nobody has asked for a
//! while, nothing is noted down any more.

use super::fanout::Pusher;
use crate::crossing::operator::{Follow, Followed, Row, RowKind, Watch};
use crate::hub::Bucket;
use crate::id::{AppSlot, ClientId, SocketId};
use crate::limits::{TAP_LEASE_MS, TAP_ROWS_MAX, TAP_ROWS_PER_SECOND, TAP_TEXT_BYTES};
use crate::protocol::Command;
use crate::protocol::command::CommandError;
use crate::protocol::publish::Publication;
use std::cell::{Cell, RefCell};

/// What is watched on this shard.
#[derive(Debug, Default)]
pub(super) struct Tap {
    is_open: Cell<bool>,
    watched: RefCell<Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    /// Until then, unless somebody asks again.
    until_ms: u64,
    apps: Vec<Noted>,
    /// What was skipped of apps that seem to be watched no more, should they be after all.
    lapsed: Vec<(AppSlot, u64)>,
}

#[derive(Debug)]
struct Noted {
    app: AppSlot,
    rows: Vec<Row>,
    skipped: u64,
    budgets: [Bucket; RowKind::ALL.len()],
}

/// What a row is about; texts are copied only if there is room for the row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct About<'a> {
    pub(super) socket_id: Option<SocketId>,
    pub(super) channel: &'a str,
    pub(super) event: &'a str,
    pub(super) text: &'a str,
}

/// What a client said, kept until it is known whether that was refused.
#[derive(Debug)]
pub(super) struct Draft {
    app: AppSlot,
    kind: RowKind,
    socket_id: Option<SocketId>,
    channel: Box<str>,
    event: Box<str>,
    text: Box<str>,
    refusals: u64,
}

impl Tap {
    /// Whether somebody watches.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.is_open.get()
    }

    /// Notes something down, if somebody watches that app.
    pub(super) fn note(&self, app: AppSlot, kind: RowKind, now_ms: u64, about: About<'_>) {
        if !self.is_open() {
            return;
        }
        let mut watched = self.watched.borrow_mut();
        let Some(noted) = watched.apps.iter_mut().find(|noted| noted.app == app) else {
            return;
        };
        let has_room = noted.rows.len() < TAP_ROWS_MAX;
        if !has_room || !noted.budgets[kind as usize].take(now_ms, TAP_ROWS_PER_SECOND) {
            noted.skipped += 1;
            return;
        }
        noted.rows.push(Row {
            app: Box::default(), // filled in when it is handed over
            at_ms: now_ms,
            kind,
            socket_id: about.socket_id,
            channel: about.channel.into(),
            event: about.event.into(),
            text: beginning(about.text).into(),
        });
    }

    /// Whether what that app's clients say is worth a copy.
    fn wants(&self, app: AppSlot) -> bool {
        self.is_open() && (self.watched.borrow().apps.iter()).any(|noted| noted.app == app)
    }

    /// Nobody has asked for a while, or this shard has not turned for as long: of what was noted
    /// down the number is kept.
    pub(super) fn look_at_time(&self, now_ms: u64) {
        if self.is_open() && now_ms > self.watched.borrow().until_ms {
            self.is_open.set(false);
            let mut watched = self.watched.borrow_mut();
            let apps = std::mem::take(&mut watched.apps).into_iter();
            watched.lapsed = apps
                .map(|noted| (noted.app, noted.skipped + noted.rows.len() as u64))
                .collect();
        }
    }

    /// Hands over what was noted down, and goes on with these apps.
    fn hand_over(&self, apps: &[(AppSlot, &Watch)], now_ms: u64) -> Followed {
        let mut watched = self.watched.borrow_mut();
        let mut last = std::mem::take(&mut watched.apps);
        let lapsed = std::mem::take(&mut watched.lapsed);
        let mut followed = Followed::default();
        watched.until_ms = now_ms + TAP_LEASE_MS;
        for &(app, Watch { app: id, goes_on }) in apps {
            let at = last.iter().position(|noted| noted.app == app);
            let mut noted = at.map_or_else(|| Noted::new(app), |at| last.swap_remove(at));
            let missed = lapsed.iter().find(|(lapsed, _)| *goes_on && *lapsed == app);
            if let Some((_, skipped)) = missed {
                noted.skipped += skipped;
                followed.gaps.push(id.clone());
            }
            let rows = std::mem::take(&mut noted.rows).into_iter();
            followed.rows.extend(rows.map(|row| Row {
                app: id.clone(),
                ..row
            }));
            match std::mem::take(&mut noted.skipped) {
                0 => {}
                skipped => followed.skipped.push((id.clone(), skipped)),
            }
            watched.apps.push(noted);
        }
        self.is_open.set(!watched.apps.is_empty());
        followed
    }

    /// Nobody waited for an answer any more: what was in it was skipped, and a gap is still to be
    /// told.
    fn count_unheard(&self, unheard: &Followed, app_of: impl Fn(&str) -> Option<AppSlot>) {
        let mut watched = self.watched.borrow_mut();
        let rows = unheard.rows.iter().map(|row| (&row.app, 1));
        let skipped = unheard.skipped.iter().map(|(app, skipped)| (app, *skipped));
        for (id, count) in rows.chain(skipped) {
            let app = app_of(id);
            let noted = (watched.apps.iter_mut()).find(|noted| Some(noted.app) == app);
            if let Some(noted) = noted {
                noted.skipped += count;
            }
        }
        let gaps = unheard.gaps.iter().filter_map(|id| Some((app_of(id)?, 0)));
        watched.lapsed.extend(gaps);
    }
}

impl Noted {
    fn new(app: AppSlot) -> Self {
        Self {
            app,
            rows: Vec::new(),
            skipped: 0,
            budgets: Default::default(),
        }
    }
}

impl Pusher {
    /// Tells what has happened since this was asked last.
    pub fn follow(&self, follow: Follow) {
        let followed = {
            let hub = self.hub.borrow();
            let apps = follow.apps.iter();
            let known: Vec<_> = apps
                .filter_map(|watch| Some((hub.apps().by_id(&watch.app)?, watch)))
                .collect();
            let clock = self.endpoint.clock();
            let mut followed = self.tap.hand_over(&known, clock.now_ms());
            for row in &mut followed.rows {
                row.at_ms = clock.unix_ms(row.at_ms);
            }
            followed
        };
        if let Err(unheard) = follow.answer.try_send(followed) {
            self.tap.count_unheard(&unheard.into_inner(), |id| {
                self.hub.borrow().apps().by_id(id)
            });
        }
    }

    /// Notes something down about a client.
    pub(super) fn note_client(&self, client: ClientId, app: AppSlot, kind: RowKind, text: &str) {
        if self.tap.is_open() {
            let about = About {
                socket_id: self.hub.borrow().socket_id(client),
                text,
                ..About::default()
            };
            self.tap
                .note(app, kind, self.endpoint.clock().now_ms(), about);
        }
    }

    /// Notes down what a backend has published.
    pub(super) fn note_publication(&self, app: AppSlot, publication: &Publication<'_>) {
        if !self.tap.is_open() {
            return;
        }
        let now_ms = self.endpoint.clock().now_ms();
        for channel in &publication.channels {
            let about = About {
                socket_id: None,
                channel,
                event: publication.name,
                text: publication.data.as_ref(),
            };
            self.tap.note(app, RowKind::ApiEvent, now_ms, about);
        }
    }

    /// Keeps what a client said, if somebody watches.
    pub(super) fn draft(
        &self,
        client: ClientId,
        app: AppSlot,
        command: &Result<Command<'_>, CommandError<'_>>,
    ) -> Option<Draft> {
        if !self.tap.is_open() || !self.tap.wants(app) {
            return None;
        }
        // Signatures and what they are for are nobody's business.
        let (kind, channel, event, text) = match command {
            Ok(Command::Subscribe(it)) => (RowKind::Subscribed, it.channel, "", ""),
            Ok(Command::Unsubscribe { channel }) => (RowKind::Unsubscribed, *channel, "", ""),
            Ok(Command::ClientEvent(it)) => (RowKind::ClientEvent, it.channel, it.event, it.data),
            Ok(Command::SignIn(_)) => (RowKind::SignedIn, "", "", ""),
            Ok(Command::Ping | Command::Pong) => return None,
            Err(CommandError::UnknownEvent(event)) => {
                (RowKind::Refused, "", *event, "unknown event")
            }
            Err(_) => (RowKind::Refused, "", "", "a message without sense"),
        };
        let hub = self.hub.borrow();
        Some(Draft {
            app,
            kind,
            socket_id: hub.socket_id(client),
            channel: beginning(channel).into(),
            event: beginning(event).into(),
            text: beginning(text).into(),
            refusals: hub.refusals(),
        })
    }

    /// Notes it down, now that it is known what became of it.
    pub(super) fn note_draft(&self, draft: &Draft) {
        let is_refused = self.hub.borrow().refusals() != draft.refusals;
        let (kind, text) = match (is_refused, draft.kind) {
            (true, RowKind::Subscribed) => (RowKind::Refused, "subscription"),
            (true, RowKind::SignedIn) => (RowKind::Refused, "sign-in"),
            (true, RowKind::ClientEvent) => (RowKind::Refused, "client event"),
            (_, kind) => (kind, &*draft.text),
        };
        let about = About {
            socket_id: draft.socket_id,
            channel: &draft.channel,
            event: &draft.event,
            text,
        };
        self.tap
            .note(draft.app, kind, self.endpoint.clock().now_ms(), about);
    }
}

/// The beginning of a text, so much as is shown of it.
fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(TAP_TEXT_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: AppSlot = AppSlot(0);

    fn say(tap: &Tap, app: AppSlot, kind: RowKind, now_ms: u64, text: &str) {
        let about = About {
            text,
            ..About::default()
        };
        tap.note(app, kind, now_ms, about);
    }

    /// Asks what has happened to the app, which was watched until now or was not.
    fn watch(tap: &Tap, goes_on: bool, now_ms: u64) -> Followed {
        let app = "a".into();
        tap.hand_over(&[(APP, &Watch { app, goes_on })], now_ms)
    }

    fn texts(followed: &Followed) -> Vec<&str> {
        followed.rows.iter().map(|row| &*row.text).collect()
    }

    #[test]
    fn nothing_is_noted_down_while_nobody_watches() {
        let tap = Tap::default();
        say(&tap, APP, RowKind::Connected, 0, "before");
        let first = watch(&tap, true, 0);
        assert!(first.rows.is_empty() && first.skipped.is_empty());
        say(&tap, APP, RowKind::Connected, 1, "one");
        say(&tap, AppSlot(1), RowKind::Connected, 1, "of another app");
        let second = watch(&tap, true, 2);
        assert_eq!(texts(&second), ["one"]);
        assert_eq!(&*second.rows[0].app, "a");
        tap.look_at_time(2 + TAP_LEASE_MS);
        assert!(tap.is_open());
        tap.look_at_time(3 + TAP_LEASE_MS);
        assert!(!tap.is_open(), "nobody has asked again");
        say(&tap, APP, RowKind::Connected, 10_000, "after");
        assert!(watch(&tap, true, 10_001).rows.is_empty());
        tap.hand_over(&[], 10_002);
        assert!(!tap.is_open());
    }

    #[test]
    fn a_flood_of_one_kind_is_sampled_and_hides_no_other() {
        let tap = Tap::default();
        watch(&tap, true, 0);
        for _ in 0..u64::from(TAP_ROWS_PER_SECOND) + 5 {
            say(&tap, APP, RowKind::ClientEvent, 1, "x");
        }
        say(&tap, APP, RowKind::Connected, 1, "y");
        let followed = watch(&tap, true, 2);
        assert_eq!(followed.rows.len(), TAP_ROWS_PER_SECOND as usize + 1);
        assert_eq!(*followed.skipped, [("a".into(), 5)]);
        say(&tap, APP, RowKind::ClientEvent, 1_500, "z");
        assert_eq!(texts(&watch(&tap, true, 1_600)), ["z"]);
    }

    #[test]
    fn rows_that_nobody_fetches_are_bounded() {
        let tap = Tap::default();
        watch(&tap, true, 0);
        for at_ms in 0..2_000 {
            for kind in RowKind::ALL {
                say(&tap, APP, kind, at_ms * 1_000, "x");
            }
        }
        let followed = watch(&tap, true, 2_000_000);
        assert_eq!(followed.rows.len(), TAP_ROWS_MAX);
        let all = 2_000 * RowKind::ALL.len();
        assert_eq!(followed.skipped[0].1 as usize, all - TAP_ROWS_MAX);
    }

    #[test]
    fn what_nobody_heard_was_skipped() {
        let tap = Tap::default();
        watch(&tap, true, 0);
        for text in ["x", "y"] {
            say(&tap, APP, RowKind::Connected, 1, text);
        }
        let unheard = watch(&tap, true, 2);
        tap.count_unheard(&unheard, |id| (id == "a").then_some(APP));
        let unheard = watch(&tap, true, 3);
        assert_eq!(*unheard.skipped, [("a".into(), 2)]);
        tap.count_unheard(&unheard, |_| Some(APP));
        assert_eq!(watch(&tap, true, 4).skipped[0].1, 2);
    }

    #[test]
    fn what_a_shard_missed_while_it_stood_still_is_told() {
        let tap = Tap::default();
        watch(&tap, false, 0);
        let budget = u64::from(TAP_ROWS_PER_SECOND);
        for _ in 0..budget + 5 {
            say(&tap, APP, RowKind::Connected, 1, "x");
        }
        tap.look_at_time(1 + TAP_LEASE_MS);
        say(&tap, APP, RowKind::Connected, 2 + TAP_LEASE_MS, "not seen");
        let followed = watch(&tap, true, 3 + TAP_LEASE_MS);
        assert_eq!((texts(&followed), followed.gaps.len()), (vec![], 1));
        assert_eq!(*followed.skipped, [("a".into(), budget + 5)]);
        // Nobody has heard that: it is told again, and then no more.
        tap.count_unheard(&followed, |id| (id == "a").then_some(APP));
        let again = watch(&tap, true, 4 + TAP_LEASE_MS);
        assert_eq!(
            (&again.skipped, &again.gaps),
            (&followed.skipped, &followed.gaps)
        );
        let last = watch(&tap, true, 5 + TAP_LEASE_MS);
        assert!(last.skipped.is_empty() && last.gaps.is_empty());
        // Who begins to watch has missed nothing.
        say(&tap, APP, RowKind::Connected, 6 + TAP_LEASE_MS, "x");
        tap.look_at_time(10 + 2 * TAP_LEASE_MS);
        let anew = watch(&tap, false, 11 + 2 * TAP_LEASE_MS);
        assert!(anew.skipped.is_empty() && anew.gaps.is_empty());
        assert!(watch(&tap, true, 12 + 2 * TAP_LEASE_MS).gaps.is_empty());
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = format!("x{}", "é".repeat(TAP_TEXT_BYTES));
        let shown = beginning(&text);
        assert!(shown.len() <= TAP_TEXT_BYTES && shown.len() > TAP_TEXT_BYTES - 4);
        assert!(text.starts_with(shown));
        assert_eq!(beginning(&text[..1]), "x");
    }
}
