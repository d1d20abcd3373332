//! What the program logs, and how: to the standard error, so that the standard output stays data;
//! as lines for people on a terminal, and as JSON everywhere else.
//!
//! A place in the code that logs very often is held to so many lines a second, unless what it logs
//! is asked for by `debug`: a flood would cost more than it tells.

use super::commands::Context;
use super::config::{Config, LogFormat};
use crate::limits::LOG_LINES_PER_SECOND;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Instant;
use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, reload};

/// Changes what is logged: a level, or a filter in the words of `tracing`.
pub(super) use crate::control::admin::SetLevel;

/// Begins to log.
///
/// # Panics
/// When the process has a logger for `tracing` already.
pub(super) fn start(config: &Config, context: &Context) -> SetLevel {
    let terminal = std::io::stderr().is_terminal();
    let is_json = match config.log_format {
        LogFormat::Auto => !terminal,
        LogFormat::Pretty => false,
        LogFormat::Json => true,
    };
    let filter = EnvFilter::new(directives(level(config.debug)));
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter);
    // It would complain of a log that cannot be written where that was, and panic.
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
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
    Arc::new(move |level| {
        let filter = EnvFilter::try_new(directives(level));
        let filter = filter.map_err(|error| format!("not a level, and no filter: {error}"))?;
        handle.reload(filter).map_err(|error| error.to_string())
    })
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

/// What a level means: libraries stay quiet.
fn directives(level: &str) -> String {
    match level {
        "debug" | "trace" => format!("info,shardcast={level}"),
        other => other.to_owned(),
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
        if self.is_json {
            out.write_str("{\"timestamp\":\"")?;
            SystemTime.format_time(out)?;
            let level = of.level();
            return writeln!(
                out,
                "\",\"level\":\"{level}\",\"message\":\"lines like this were left out\",\
                 \"left_out\":{left_out},\"place\":\"{place}\"}}"
            );
        }
        SystemTime.format_time(out)?;
        let level = of.level();
        writeln!(
            out,
            " {level:>5} lines like this were left out left_out={left_out} place={place}"
        )
    }
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
    fn levels_are_of_this_program_and_filters_stay_what_they_are() {
        assert_eq!(directives("debug"), "info,shardcast=debug");
        assert_eq!(directives("warn"), "warn");
        assert_eq!(
            directives("shardcast::control=trace,warn"),
            "shardcast::control=trace,warn"
        );
        assert!(EnvFilter::try_new(directives("shardcast=loud")).is_err());
    }
}
