//! What `listen` was asked for.

use super::super::context::Context;
use super::super::ending::Failure;
use super::super::line::{JSON, json};
use super::super::{reach, sign, trigger};
use crate::app::App;
use crate::protocol::channel_name::{ChannelKind, USER_PREFIX};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::io::IsTerminal;
use std::time::Duration;

const CHANNEL: &str = "channel";
const EVENT: &str = "event";
const USER: &str = "user-id";
const INFO: &str = "user-info";
const COUNT: &str = "count";
const RETRY: &str = "retry-s";

pub(in crate::server::commands) fn command() -> Command {
    Command::new("listen")
        .about("Subscribe to channels and print what is heard there")
        .arg(
            Arg::new(CHANNEL)
                .value_name("CHANNEL")
                .required(true)
                .num_args(1..)
                .help("The channels, such as news, private-orders, presence-room"),
        )
        .args(choices())
        .arg(json("Print one JSON object a line"))
        .args(reach::args())
        .after_help(
            "Goes on until Ctrl-C. Private and presence channels are signed with the app's secret; \
             members of presence channels are printed as they come and go. After a lost connection \
             it comes back as the protocol has it; what is published meanwhile is not heard.\n\n\
             Example:\n  {name} listen news presence-room --user-id 7",
        )
}

/// What is printed, who to be, and when to end.
fn choices() -> [Arg; 5] {
    [
        Arg::new(EVENT)
            .long(EVENT)
            .value_name("EVENT")
            .action(ArgAction::Append)
            .help("Print only events of this name; may be given several times"),
        Arg::new(USER)
            .long(USER)
            .value_name("ID")
            .help("Who to be in presence channels [default: listen- and a random number]"),
        Arg::new(INFO)
            .long(INFO)
            .value_name("JSON")
            .help("What the other members see of that user, an object"),
        Arg::new(COUNT)
            .long(COUNT)
            .value_name("N")
            .value_parser(value_parser!(u64).range(1..))
            .help("End after so many events"),
        Arg::new(RETRY)
            .long(RETRY)
            .value_name("S")
            .default_value("60")
            .value_parser(value_parser!(u32))
            .help("Seconds to look for a server that is gone; 0: not at all"),
    ]
}

/// What was asked for.
pub(super) struct Plan {
    /// The channels, each with its kind.
    pub(super) channels: Vec<(String, ChannelKind)>,
    /// Names of events to print; empty for all.
    pub(super) events: Vec<String>,
    /// The `channel_data` of presence channels.
    pub(super) member: String,
    /// The `user_data` to sign in with, for the channel of a user.
    pub(super) user: Option<String>,
    /// How many events there are to be.
    pub(super) count: Option<u64>,
    /// For how long to look for a server that is gone.
    pub(super) retry: Duration,
    /// Whether to print JSON.
    pub(super) json: bool,
    /// Whether to colour what is printed.
    pub(super) colour: bool,
}

impl Plan {
    /// # Errors
    /// When a name is none, or a user is none.
    pub(super) fn new(context: &Context, matches: &ArgMatches, app: &App) -> Result<Self, Failure> {
        let all = |name| {
            matches
                .get_many::<String>(name)
                .unwrap_or_default()
                .cloned()
        };
        let text = |name| matches.get_one::<String>(name).map(String::as_str);
        let mut channels: Vec<(String, ChannelKind)> = Vec::new();
        for name in all(CHANNEL) {
            let kind = trigger::kind(&name, app)?;
            if channels.iter().all(|(known, _)| *known != name) {
                channels.push((name, kind));
            }
        }
        let mut users = channels
            .iter()
            .filter_map(|(name, _)| name.strip_prefix(USER_PREFIX));
        let user = match (users.next(), users.next()) {
            (Some(_), Some(_)) => {
                let reason = "a connection is one user, so it hears one user's channel only";
                return Err(Failure::usage(reason));
            }
            (Some(id), None) => Some(sign::user(id, text(INFO), Vec::new())?),
            _ => None,
        };
        let id = text(USER).map(str::to_owned);
        let id = id.unwrap_or_else(|| format!("listen-{:04x}", rand::random::<u16>()));
        let json = matches.get_flag(JSON);
        Ok(Self {
            member: sign::member(&id, text(INFO))?,
            user,
            events: all(EVENT).collect(),
            count: matches.get_one(COUNT).copied(),
            retry: Duration::from_secs(u64::from(*matches.get_one::<u32>(RETRY).expect("default"))),
            json,
            colour: !json && context.colours(std::io::stdout().is_terminal()),
            channels,
        })
    }
}
