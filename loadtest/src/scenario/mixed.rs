//! `mixed`: everything at once, each at its own rate and with its own check.

use super::drive::Drive;
use crate::cli::load::{Publishing, Span, channels};
use crate::cli::server::Server;
use crate::load::fan_out::FanOut;
use crate::load::pairs::{self, Pairs};
use crate::load::presence::{self, Presence};
use crate::load::visitors::{Stay, Visitors, Visits};
use crate::load::{Findings, Load};
use crate::outcome::Outcome;
use crate::progress::Progress;
use clap::Args;
use std::io;

/// What is asked for.
#[derive(Args, Clone, Debug)]
#[command(mut_arg("rate", |arg| arg.default_value("20")))]
#[command(mut_arg("until", |arg| arg.hide(true)))]
pub struct Options {
    /// Channels that are published to.
    #[arg(long, value_name = "N", default_value = "1", value_parser = channels)]
    pub channels: u32,
    /// Subscribers of each of them.
    #[arg(long, value_name = "N", default_value_t = 500,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub subscribers: u32,
    /// Pairs that send client events to each other.
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub pairs: u32,
    /// Client events in a second, of all pairs.
    #[arg(long, value_name = "N", default_value = "500", value_parser = crate::cli::load::rate)]
    pub event_rate: f64,
    /// Members of the presence channel that stay and watch.
    #[arg(long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub members: u32,
    /// Members of the presence channel that join and leave.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub churners: u32,
    /// Cycles of joining and leaving in a second, of all of them.
    #[arg(long, value_name = "N", default_value = "20", value_parser = crate::cli::load::rate)]
    pub churn_rate: f64,
    /// Connections that are subscribed and silent.
    #[arg(long, value_name = "N", default_value_t = 500,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub idle: u32,
    /// Connections in a second that come, subscribe and go.
    #[arg(long, value_name = "N", default_value = "50", value_parser = crate::cli::load::rate)]
    pub visit_rate: f64,
    /// How it is published.
    #[command(flatten)]
    pub publishing: Publishing,
    /// How long.
    #[command(flatten)]
    pub span: Span,
    /// The server.
    #[command(flatten)]
    pub server: Server,
}

/// Visitors that may be there at a time, when the server is slow to let them go.
const VISITORS_MAX: u32 = 1_000;

/// What stands before the keys and before the words of each load.
const NAMES: [(&str, &str); 5] = [
    ("fan_out_", "fan-out"),
    ("client_event_", "client events"),
    ("presence_", "presence"),
    ("idle_", "idle"),
    ("visit_", "visits"),
];

/// The loads of the mixture.
#[derive(Debug)]
struct Mixture {
    fan_out: FanOut,
    pairs: Pairs,
    presence: Presence,
    idle: Visitors,
    visits: Visitors,
}

/// Runs it.
///
/// # Errors
/// When it could not be run to its end.
pub fn run(options: &Options, progress: &mut Progress) -> io::Result<Outcome> {
    let Options { span, server, .. } = options;
    let mut mixture = Mixture::new(options);
    let connections = mixture.fan_out.connections()
        + mixture.pairs.connections()
        + mixture.presence.connections()
        + (options.idle + VISITORS_MAX) as usize;
    let mut drive = Drive::new(server, span, connections, progress)?;
    let loads: &mut [&mut dyn Load] = &mut [
        &mut mixture.fan_out,
        &mut mixture.pairs,
        &mut mixture.presence,
        &mut mixture.idle,
        &mut mixture.visits,
    ];
    drive.gather(loads)?;
    let readings = drive.traffic(loads)?;
    let findings = loads
        .iter_mut()
        .zip(NAMES)
        .map(|(load, (key, name))| named(load.findings(readings.seconds, key), name))
        .collect();
    Ok(readings.outcome("mixed", settings(options), findings, span.allow_loss))
}

/// Says in every sentence whose it is: several loads may have lost something.
fn named(mut findings: Findings, name: &str) -> Findings {
    let labels = findings.figures.iter_mut().map(|figure| &mut figure.label);
    let sentences = findings.notes.iter_mut().chain(&mut findings.failures);
    for text in labels.chain(sentences) {
        *text = format!("{name}: {text}");
    }
    findings
}

impl Mixture {
    fn new(options: &Options) -> Self {
        let (server, under_way) = (&options.server, options.span.connect_under_way);
        let app = server.app();
        let shape = options
            .publishing
            .shape(options.channels, options.subscribers, under_way);
        let prefix = shape.prefix.clone();
        let visits = |name: &str, connections, stay, rate| Visits {
            connections,
            channel: format!("{prefix}-{name}"),
            stay,
            rate,
            under_way,
        };
        let idle = visits("idle", options.idle, Stay::ForEver, None);
        let brief = visits(
            "visit",
            VISITORS_MAX,
            Stay::Briefly,
            Some(options.visit_rate),
        );
        let pairs = pairs::Shape {
            pairs: options.pairs,
            prefix: prefix.clone(),
            payload: options.publishing.payload as usize,
            rate: Some(options.event_rate),
            window: 1,
            under_way,
        };
        let presence = presence::Shape {
            watchers: options.members,
            churners: options.churners,
            prefix: prefix.clone(),
            rate: Some(options.churn_rate),
            under_way,
        };
        Self {
            fan_out: FanOut::new(shape, &server.url, &app),
            pairs: Pairs::new(pairs, &server.url, &app),
            presence: Presence::new(presence, &server.url, &app),
            idle: Visitors::new(idle, &server.url, &server.key),
            visits: Visitors::new(brief, &server.url, &server.key),
        }
    }
}

fn settings(options: &Options) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("channels", options.channels.to_string()),
        ("subscribers", options.subscribers.to_string()),
        ("pairs", options.pairs.to_string()),
        ("event-rate", options.event_rate.to_string()),
        ("members", options.members.to_string()),
        ("churners", options.churners.to_string()),
        ("churn-rate", options.churn_rate.to_string()),
        ("idle", options.idle.to_string()),
        ("visit-rate", options.visit_rate.to_string()),
    ];
    settings.extend(options.publishing.settings());
    settings.extend(options.span.settings());
    settings.extend(options.server.settings());
    settings
}
