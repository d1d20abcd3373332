//! Flags that several scenarios share: how long, and how it is published.

use crate::load::fan_out::Shape;
use crate::load::publish::CHANNELS_MAX;
use crate::load::publishers::{Pace, Until};
use crate::wire::mark;
use clap::{Args, ValueEnum};
use std::time::Duration;

/// How long a run takes, and what it may get away with.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Run")]
pub struct Span {
    /// Seconds of traffic before the measured part; checked, but not measured.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub warm_up_s: Duration,
    /// Seconds of the measured part.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub duration_s: Duration,
    /// Seconds after the last message in which what is still missing may come; less when nothing
    /// is.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub drain_s: Duration,
    /// Give up when not all connections are there after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub timeout_s: Duration,
    /// Connections that are being made at a time.
    #[arg(long, value_name = "N", default_value_t = 512,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub connect_under_way: u32,
    /// Let the run pass although messages were lost, doubled or out of order, or connections died.
    #[arg(long)]
    pub allow_loss: bool,
}

/// Messages and the channels they go to.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Messages")]
pub struct Publishing {
    /// Connections that publish over HTTP.
    #[arg(long, value_name = "N", default_value_t = 16,
          value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub publishers: u32,
    /// Requests under way on each of them.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub pipeline: u32,
    /// Messages in a second, each at its own due time whatever the server does, and latency
    /// counted from there. Without it, the next begins when one is done.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,
    /// Without a rate: when a publish is done.
    #[arg(long, value_name = "WHEN", default_value = "answered")]
    pub until: UntilFlag,
    /// Messages in one request: more than one are sent as a batch.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub batch: u32,
    /// Bytes of each message's data.
    #[arg(long, value_name = "BYTES", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(mark::BYTES as i64..=1_000_000))]
    pub payload: u32,
    /// What the names of the channels begin with; unless set, no two runs share a channel.
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
}

/// When a publish of a closed loop is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UntilFlag {
    /// Its request was answered.
    Answered,
    /// Every subscriber has it.
    Delivered,
}

impl Default for Span {
    /// What the flags say when they are not given.
    fn default() -> Self {
        Self {
            warm_up_s: Duration::from_secs(1),
            duration_s: Duration::from_secs(10),
            drain_s: Duration::from_secs(5),
            timeout_s: Duration::from_secs(60),
            connect_under_way: 512,
            allow_loss: false,
        }
    }
}

impl Span {
    /// What was asked for.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let seconds = |duration: &Duration| duration.as_secs_f64().to_string();
        vec![
            ("warm-up-s", seconds(&self.warm_up_s)),
            ("duration-s", seconds(&self.duration_s)),
            ("drain-s", seconds(&self.drain_s)),
            ("timeout-s", seconds(&self.timeout_s)),
            ("connect-under-way", self.connect_under_way.to_string()),
            ("allow-loss", self.allow_loss.to_string()),
        ]
    }
}

impl Publishing {
    /// What was asked for.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("publishers", self.publishers.to_string()),
            ("pipeline", self.pipeline.to_string()),
        ];
        match self.rate {
            Some(rate) => settings.push(("rate", rate.to_string())),
            None if self.until == UntilFlag::Answered => {
                settings.push(("until", "answered".to_owned()));
            }
            None => settings.push(("until", "delivered".to_owned())),
        }
        settings.push(("batch", self.batch.to_string()));
        settings.push(("payload", self.payload.to_string()));
        settings
    }

    /// The load of these messages.
    pub fn shape(&self, channels: u32, subscribers: u32, under_way: u32) -> Shape {
        let until = match self.until {
            UntilFlag::Delivered if subscribers > 0 => Until::Delivered(subscribers),
            _ => Until::Answered,
        };
        Shape {
            channels,
            subscribers,
            prefix: prefix(self.prefix.as_deref()),
            payload: self.payload as usize,
            pace: Pace {
                publishers: self.publishers,
                pipeline: self.pipeline,
                rate: self.rate,
                until,
                batch: self.batch,
            },
            under_way,
        }
    }
}

/// What names begin with: what was asked for, or something that no other run has.
pub fn prefix(asked: Option<&str>) -> String {
    asked.map_or_else(|| format!("lt-{}", std::process::id()), str::to_owned)
}

/// A number of seconds, fractions allowed.
///
/// # Errors
/// When it is none, or negative.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// A rate that is more than none.
///
/// # Errors
/// When it is not.
pub fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "expected a number in a second")?;
    if rate > 0.0 && rate <= 1e9 {
        Ok(rate)
    } else {
        Err("expected a rate above 0".to_owned())
    }
}

/// How many channels.
///
/// # Errors
/// When it is none, or more than names are made for.
pub fn channels(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count) if (1..=CHANNELS_MAX).contains(&count) => Ok(count),
        _ => Err(format!("expected 1 to {CHANNELS_MAX}")),
    }
}
