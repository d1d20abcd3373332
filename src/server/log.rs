//! What the program logs, and how: to the standard error, so that the standard output stays data;
//! as lines for people on a terminal, and as JSON everywhere else.
//!
//! A place in the code that logs very often is held to so many lines a second, unless what it logs
//! is asked for by `debug`: a flood would cost more than it tells.

use super::commands::Context;
use super::config::{Config, LogFormat};
use super::log_level;
use super::log_queue::Lines;
use crate::error::panic_text;
use crate::limits::LOG_LINES_PER_SECOND;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::thread;
use std::time::Instant;
use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

pub(super) use crate::control::admin::{Log, SetLevel};

/// Ends the log of a program: waits for a while until its last lines are written.
#[derive(Debug)]
pub(super) struct Started {
    lines: Lines,
    /// What the admin port shows and changes.
    pub(super) log: Log,
}

impl Started {
    /// Says why the program ends, in its own words and behind all that was logged.
    pub(super) fn complain(&self, text: &str) {
        self.lines.leave_last(text.as_bytes());
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.lines.flush();
    }
}

/// Begins to log, panics among the rest: nothing of the server writes to the standard error itself,
/// where it might have to wait.
///
/// # Errors
/// When the thread that writes cannot be made.
///
/// # Panics
/// When the process has a logger for `tracing` already.
pub(super) fn start(config: &Config, context: &Context) -> io::Result<Started> {
    let terminal = io::stderr().is_terminal();
    let is_json = match config.log_format {
        LogFormat::Auto => !terminal,
        LogFormat::Pretty => false,
        LogFormat::Json => true,
    };
    let queue = Lines::start(io::stderr(), if is_json { dropped_json } else { dropped })?;
    let filter = log_level::filter(level(config.debug)).expect("it is a level");
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter);
    // It would complain of a log that cannot be written where that was, and panic.
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(queue.clone())
        .log_internal_errors(false);
    if is_json {
        let lines = lines.json().flatten_event(true).with_current_span(false);
        let lines = lines.with_span_list(false);
        let lines = lines.map_event_format(|format| Limited::new(format, true));
        registry.with(lines).init();
    } else {
        let lines = lines.with_ansi(context.colours(terminal));
        let lines = lines.map_event_format(|format| Limited::new(format, false));
        registry.with(lines).init();
    }
    std::panic::set_hook(Box::new(log_panic));
    let set_level: SetLevel = Arc::new(move |words| {
        let filter = log_level::filter(words)?;
        handle.reload(filter).map_err(|error| error.to_string())
    });
    let dropped = queue.dropped();
    Ok(Started {
        lines: queue,
        log: Log { set_level, dropped },
    })
}

/// Logs a panic, with what led to it if `RUST_BACKTRACE` asks for that.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let place = panic.location().map(ToString::to_string);
    let reason = panic_text(panic.payload());
    let backtrace = Backtrace::capture();
    let backtrace =
        (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(thread, place, reason, backtrace, "a panic");
}

/// The level of a program that is to log every connection and message, or of one that is not.
pub(super) fn level(debug: bool) -> &'static str {
    if debug { "debug" } else { "info" }
}

/// Takes over what a reload has changed. What was set meanwhile at the admin port stays otherwise.
pub(super) fn follow(set: &SetLevel, was_debug: bool, debug: bool) {
    if was_debug == debug {
        return;
    }
    if let Err(error) = set(level(debug)) {
        tracing::error!(error, "the level of the log stays");
    }
}

/// Formats events, but not more of one place than so many a second.
struct Limited<F> {
    format: F,
    is_json: bool,
    began: Instant,
}

thread_local! {
    /// What each place has logged on this thread: shards share nothing.
    static SITES: RefCell<HashMap<Identifier, Site>> = RefCell::default();
}

/// What one place has logged.
#[derive(Clone, Copy, Debug, Default)]
struct Site {
    second: u64,
    lines: u32,
    left_out: u64,
}

impl Site {
    /// Whether one more may be written in this second; if so, how many were left out before.
    fn admit(&mut self, second: u64) -> Option<u64> {
        if self.second != second {
            (self.second, self.lines) = (second, 0);
        }
        if self.lines >= LOG_LINES_PER_SECOND {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl<F> Limited<F> {
    fn new(format: F, is_json: bool) -> Self {
        Self {
            format,
            is_json,
            began: Instant::now(),
        }
    }

    fn admit(&self, metadata: &Metadata<'_>) -> Option<u64> {
        if *metadata.level() > Level::INFO {
            return Some(0); // it was asked for
        }
        let second = self.began.elapsed().as_secs();
        SITES.with_borrow_mut(|sites| {
            let site = sites.entry(metadata.callsite()).or_default();
            site.admit(second)
        })
    }

    /// A line about lines that are not there.
    fn tell(&self, out: &mut Writer<'_>, left_out: u64, of: &Metadata<'_>) -> fmt::Result {
        let place = format!("{}:{}", of.file().unwrap_or("?"), of.line().unwrap_or(0));
        let message = "lines like this were left out";
        if self.is_json {
            begin_json(out, of.level(), message)?;
            return writeln!(out, ",\"left_out\":{left_out},\"place\":\"{place}\"}}");
        }
        begin(out, of.level(), message)?;
        writeln!(out, " left_out={left_out} place={place}")
    }
}

/// The beginning of a line that no event has made.
fn begin(out: &mut Writer<'_>, level: &Level, message: &str) -> fmt::Result {
    SystemTime.format_time(out)?;
    write!(out, " {level:>5} {message}")
}

/// Same, in JSON: the object is not ended.
fn begin_json(out: &mut Writer<'_>, level: &Level, message: &str) -> fmt::Result {
    out.write_str("{\"timestamp\":\"")?;
    SystemTime.format_time(out)?;
    write!(out, "\",\"level\":\"{level}\",\"message\":\"{message}\"")
}

const DROPPED: &str = "lines are missing here: the log was not read fast enough";

/// A line about lines that were dropped.
fn dropped(lines: u64) -> String {
    let mut text = String::new();
    begin(&mut Writer::new(&mut text), &Level::WARN, DROPPED).expect("text takes text");
    text + &format!(" dropped={lines}\n")
}

fn dropped_json(lines: u64) -> String {
    let mut text = String::new();
    begin_json(&mut Writer::new(&mut text), &Level::WARN, DROPPED).expect("text takes text");
    text + &format!(",\"dropped\":{lines}}}\n")
}

impl<S, N, F> FormatEvent<S, N> for Limited<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(left_out) = self.admit(event.metadata()) else {
            return Ok(());
        };
        if left_out > 0 {
            self.tell(&mut writer, left_out, event.metadata())?;
        }
        self.format.format_event(ctx, writer, event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_held_to_so_many_lines_a_second() {
        let mut site = Site::default();
        for _ in 0..LOG_LINES_PER_SECOND {
            assert_eq!(site.admit(7), Some(0));
        }
        assert_eq!((site.admit(7), site.admit(7)), (None, None));
        assert_eq!((site.admit(8), site.admit(8)), (Some(2), Some(0)));
    }

    #[test]
    fn dropped_lines_are_told_in_the_format_of_the_log() {
        let line: serde_json::Value = serde_json::from_str(&dropped_json(7)).unwrap();
        assert_eq!(
            (&line["dropped"], &line["message"], &line["level"]),
            (&7.into(), &DROPPED.into(), &"WARN".into())
        );
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
        let line = dropped(7);
        assert!(
            line.ends_with(&format!("Z  WARN {DROPPED} dropped=7\n")),
            "{line}"
        );
    }
}
