//! `sign`: what a backend has to sign, made by hand: to see why another signature is refused, or to
//! try a request with curl.

use super::context::Order;
use super::ending::Failure;
use super::line::{JSON, json};
use super::rest::now_s;
use super::signature::{self, encode};
use super::terminal::{plain_json, say};
use super::trigger::{check_socket_id, kind};
use super::{reach, trigger};
use crate::app::App;
use crate::protocol::member::{Member, MemberError};
use crate::protocol::user::User;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::value::RawValue;
use serde_json::{Value, json as object};

const METHOD: &str = "method";
const PATH: &str = "path";
const BODY: &str = "body";
const TIMESTAMP: &str = "timestamp";
const SOCKET: &str = "socket-id";
const CHANNEL: &str = "channel";
const USER: &str = "user-id";
const INFO: &str = "info";
const WATCH: &str = "watch";
const DATA: &str = "data";

pub(super) fn command() -> Command {
    Command::new("sign")
        .about("Sign a request, a subscription or a user with an app's secret")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(reach::app_arg().global(true))
        .subcommand(request_command())
        .subcommands(token_commands())
}

fn required(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).required(true).value_name(value).help(help)
}

fn request_command() -> Command {
    let url = reach::args()
        .into_iter()
        .filter(|arg| arg.get_id() == "url");
    Command::new("request")
        .about("Sign a request to the HTTP API; prints its URL")
        .arg(required(METHOD, "METHOD", "GET or POST"))
        .arg(required(
            PATH,
            "PATH",
            "Path and query, such as /apps/1001/channels?info=user_count; without a leading slash \
             it is below /apps/ID",
        ))
        .arg(
            Arg::new(BODY)
                .long(BODY)
                .value_name("BODY")
                .help("What is sent; - reads it"),
        )
        .arg(
            Arg::new(TIMESTAMP)
                .long(TIMESTAMP)
                .value_name("S")
                .value_parser(value_parser!(u64))
                .help("Seconds since 1970 [default: now]"),
        )
        .args(url)
        .arg(json("Print URL, body and the text that was signed as JSON"))
}

fn token_commands() -> [Command; 3] {
    let socket = || required(SOCKET, "SOCKET_ID", "The connection, as it was told its id");
    let channel = |help| required(CHANNEL, "CHANNEL", help);
    let user = || required(USER, "USER_ID", "The user's id");
    let info = |help| Arg::new(INFO).long(INFO).value_name("JSON").help(help);
    let data = Arg::new(DATA).long(DATA).value_name("TEXT");
    let watch = Arg::new(WATCH).long(WATCH).value_name("USER_ID");
    [
        Command::new("channel")
            .about("Sign a subscription to a private channel; prints what an auth endpoint answers")
            .arg(socket())
            .arg(channel("The channel, private-..."))
            .arg(data.help("channel_data to sign as well, exactly as it will be sent")),
        Command::new("presence")
            .about(
                "Sign a subscription to a presence channel; prints what an auth endpoint answers",
            )
            .arg(socket())
            .arg(channel("The channel, presence-..."))
            .arg(user())
            .arg(info("What the other members see of the user, an object")),
        Command::new("user")
            .about("Sign a user in; prints what an auth endpoint answers")
            .arg(socket())
            .arg(user())
            .arg(info("More about the user, an object"))
            .arg(
                watch
                    .action(ArgAction::Append)
                    .help("A user of whom this one is told; may be given several times"),
            ),
    ]
}

/// # Errors
/// When there is nothing to sign, or nothing to sign it with.
pub(super) fn run(order: &Order<'_>, matches: &ArgMatches) -> Result<(), Failure> {
    let (what, matches) = matches.subcommand().expect("clap wants one");
    if what == "request" {
        return request(order, matches);
    }
    let app = reach::app(&order.config()?, matches)?;
    let text = |name| matches.get_one::<String>(name).map(String::as_str);
    let required = |name| text(name).expect("clap wants it");
    let socket_id = required(SOCKET);
    check_socket_id(socket_id)?;
    let answer = match what {
        "channel" => {
            let (name, data) = (required(CHANNEL), text(DATA));
            let wanted = kind(name, &app)?;
            if !wanted.needs_auth() || wanted.is_presence() {
                let hint = "expected one that begins with private-; presence channels have \
                            `sign presence`, public ones need no signature";
                return Err(Failure::usage(format!(
                    "{name:?} is no private channel; {hint}"
                )));
            }
            let auth = signature::channel(&app, socket_id, name, data);
            token(auth, "channel_data", data)
        }
        "presence" => {
            let name = required(CHANNEL);
            if !kind(name, &app)?.is_presence() {
                let hint = "expected one that begins with presence-";
                return Err(Failure::usage(format!(
                    "{name:?} is no presence channel; {hint}"
                )));
            }
            let data = member(required(USER), text(INFO))?;
            let auth = signature::channel(&app, socket_id, name, Some(&data));
            token(auth, "channel_data", Some(&data))
        }
        _ => {
            let watched = matches.get_many::<String>(WATCH).unwrap_or_default();
            let data = user(required(USER), text(INFO), watched.collect())?;
            let auth = signature::user(&app, socket_id, &data);
            token(auth, "user_data", Some(&data))
        }
    };
    say(&format!("{}\n", plain_json(&answer.to_string())))
}

/// What an auth endpoint answers.
fn token(auth: String, name: &str, data: Option<&str>) -> Value {
    let mut answer = object!({ "auth": auth });
    if let Some(data) = data {
        answer[name] = Value::String(data.to_owned());
    }
    answer
}

/// The `channel_data` of a member.
///
/// # Errors
/// When no server would take it (P6, P7).
pub(super) fn member(id: &str, info: Option<&str>) -> Result<String, Failure> {
    let data = data("user_id", id, info, "user_info", Vec::new())?;
    let checked = Member::parse(&data).map(drop);
    checked.map_err(|error| {
        Failure::usage(match error {
            MemberError::UserInfo => "the user's info is no JSON object".to_owned(),
            _ => format!("{id:?} is no user id; expected 1 to 128 characters"),
        })
    })?;
    Ok(data)
}

/// The `user_data` of a user.
///
/// # Errors
/// When no server would take it (U1).
pub(super) fn user(id: &str, info: Option<&str>, watch: Vec<&String>) -> Result<String, Failure> {
    let data = data("id", id, info, "user_info", watch)?;
    let checked = User::parse(&data).map(drop);
    checked.map_err(|error| Failure::usage(format!("{id:?}: {}", error.message())))?;
    Ok(data)
}

/// Put together as text, for what was given as JSON is sent as it was given.
fn data(
    id_key: &str,
    id: &str,
    info: Option<&str>,
    info_key: &str,
    watch: Vec<&String>,
) -> Result<String, Failure> {
    let mut text = format!("{{\"{id_key}\":{}", Value::from(id));
    if let Some(info) = info {
        let checked = serde_json::from_str::<&RawValue>(info);
        let checked = checked.map_err(|error| {
            Failure::usage(format!(
                "the user's info {info:?} is no JSON object: {error}"
            ))
        })?;
        text += &format!(",\"{info_key}\":{}", checked.get());
    }
    if !watch.is_empty() {
        text += &format!(",\"watchlist\":{}", object!(watch));
    }
    Ok(text + "}")
}

fn request(order: &Order<'_>, matches: &ArgMatches) -> Result<(), Failure> {
    let (place, app) = reach::find(order, matches)?;
    let text = |name| matches.get_one::<String>(name).map(String::as_str);
    let method = text(METHOD).expect("clap wants it").to_ascii_uppercase();
    let target = below(&app, text(PATH).expect("clap wants it"));
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let body = match text(BODY) {
        Some("-") => trigger::input()?,
        Some(body) => body.to_owned(),
        None => String::new(),
    };
    let now = matches.get_one(TIMESTAMP).copied().unwrap_or_else(now_s);
    let signed = signature::request(&app, &method, (path, query), body.as_bytes(), now);
    let url = place.url("http", &format!("{path}?{}", signed.query));
    if matches.get_flag(JSON) {
        let answer = object!({
            "method": method, "url": url, "body": body, "signed_text": signed.text,
        });
        say(&format!("{}\n", plain_json(&answer.to_string())))?;
    } else {
        say(&format!("{url}\n"))?;
    }
    Ok(())
}

/// The path from the root of the API.
fn below(app: &App, path: &str) -> String {
    match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/apps/{}/{path}", encode(&app.id)),
    }
}
