//! `trigger`: publishes an event by the HTTP API, as a backend does.

use super::context::Order;
use super::ending::Failure;
use super::line::{JSON, json};
use super::terminal::{complain, plain, plain_json, say};
use super::{reach, rest};
use crate::app::App;
use crate::id::SocketId;
use crate::protocol::channel_name::ChannelKind;
use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json as object};
use std::io::Read;

const CHANNEL: &str = "channel";
const MORE: &str = "also";
const EVENT: &str = "event";
const DATA: &str = "data";
const SOCKET: &str = "except";

/// Most bytes that are read from the standard input.
const INPUT_MAX: u64 = 64 << 20;

pub(super) fn command() -> Command {
    let argument = |name| Arg::new(name).required(true);
    Command::new("trigger")
        .about("Publish an event to a channel, by the HTTP API")
        .arg(argument(CHANNEL).value_name("CHANNEL").help("The channel"))
        .arg(argument(EVENT).value_name("EVENT").help("The event's name"))
        .arg(
            Arg::new(DATA)
                .value_name("DATA")
                .default_value("{}")
                .allow_hyphen_values(true)
                .help("What it carries, as a rule JSON; - reads it from the standard input"),
        )
        .arg(
            Arg::new(MORE)
                .long("also")
                .value_name("CHANNEL")
                .action(clap::ArgAction::Append)
                .help("A further channel; may be given several times"),
        )
        .arg(
            Arg::new(SOCKET)
                .long("except")
                .value_name("SOCKET_ID")
                .help("The connection that is not to hear it"),
        )
        .arg(json("Print the server's answer"))
        .args(reach::args())
        .after_help(
            "Examples:\n  {name} trigger news hello '{\"message\":\"it works\"}'\n  \
             date | {name} trigger news tick -",
        )
}

/// # Errors
/// When the event was not taken.
pub(super) fn run(order: &Order<'_>, matches: &ArgMatches) -> Result<(), Failure> {
    let text = |name| matches.get_one::<String>(name).cloned();
    let channels = [CHANNEL, MORE]
        .into_iter()
        .filter_map(|name| matches.get_many::<String>(name));
    let channels: Vec<&String> = channels.flatten().collect();
    let (place, app) = reach::find(order, matches)?;
    for channel in &channels {
        kind(channel, &app)?;
    }
    let event = text(EVENT).expect("it is required");
    let data = match text(DATA).expect("it has a default") {
        dash if dash == "-" => input()?,
        data => data,
    };
    let mut body = object!({ "name": event, "channels": channels, "data": data });
    if let Some(socket_id) = text(SOCKET) {
        check_socket_id(&socket_id)?;
        body["socket_id"] = Value::String(socket_id);
    }
    let answer = rest::post(&place, &app, "/events", body.to_string())?;
    if answer.status != 200 {
        return Err(rest::refused(&place, &app, &answer));
    }
    if matches.get_flag(JSON) {
        say(&format!("{}\n", plain_json(answer.body.trim())))?;
    } else {
        let channels = channels
            .iter()
            .map(|it| &it[..])
            .collect::<Vec<_>>()
            .join(", ");
        let event = plain(&event);
        complain(&format!(
            "sent {event} to {channels} (app {}, {place})\n",
            app.id
        ));
    }
    Ok(())
}

/// What a channel is, by its name.
///
/// # Errors
/// When it is no name.
pub(super) fn kind(channel: &str, app: &App) -> Result<ChannelKind, Failure> {
    let most = app.channel_name_chars;
    let kind = ChannelKind::of(channel, most);
    kind.map_err(|_| {
        Failure::usage(format!(
            "{channel:?} is no name of a channel; expected 1 to {most} of letters, digits and \
             _-=@,.;"
        ))
    })
}

/// # Errors
/// When the text is no socket id (W7).
pub(super) fn check_socket_id(text: &str) -> Result<(), Failure> {
    let parsed = SocketId::parse(text);
    parsed.map(drop).map_err(|_| {
        Failure::usage(format!(
            "{text:?} is no socket id; expected one such as 123.456, which a client is told when \
             it connects"
        ))
    })
}

/// What stands on the standard input, without the line break at its end.
///
/// # Errors
/// When it cannot be read.
pub(super) fn input() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin()
        .lock()
        .take(INPUT_MAX)
        .read_to_string(&mut text);
    read.map_err(|error| Failure::usage(format!("the standard input is no text: {error}")))?;
    // A line break at its end is the shell's.
    let cut = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(cut);
    Ok(text)
}
