//! The settings as flags: which there are, made from the table of settings, and what they say.
//!
//! Not the commands that take them (`server::commands`). Invariant: clap judges which flags there
//! are (exit code 64), the table judges their values (exit code 78), so a flag refuses what the
//! file refuses, with the same words.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command};

use super::app_knobs::APPS;
use super::env_file::EnvFile;
use super::knob::{Accepts, Knob, Unit};
use super::layers::{Settings, refused};
use super::load::Halt;
use super::own_names;
use super::server_knobs::SERVER;
use super::settings::Config;
use crate::app::App;
use crate::error::{ConfigError, Source};

const CONFIG: &str = "config";

/// What flags say of settings.
#[derive(Clone)]
pub(in crate::server) struct Flags {
    /// The configuration file to read.
    pub(in crate::server) file: Option<PathBuf>,
    /// Which `.env` file to read.
    pub(in crate::server) env_file: EnvFile,
    /// The settings given as flags.
    pub(super) server: Settings<Config>,
}

/// Why the command line alone ends the process: a wish for help, or a mistake.
#[derive(Debug)]
pub struct UsageError(clap::Error);

impl UsageError {
    /// 0 for help and version, else 64: `EX_USAGE` of sysexits.
    pub fn exit_code(&self) -> u8 {
        if self.is_answer() { 0 } else { 64 }
    }

    /// Whether it is what was asked for (help or version) and belongs on standard output.
    pub fn is_answer(&self) -> bool {
        matches!(
            self.0.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        )
    }

    /// Writes it where it belongs, in colours where those are welcome.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn print(&self) -> io::Result<()> {
        self.0.print()
    }
}

impl From<clap::Error> for UsageError {
    fn from(error: clap::Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.render().fmt(f)
    }
}

impl std::error::Error for UsageError {}

/// Takes arguments apart that are flags and nothing else; the first is the program's name.
///
/// # Errors
/// Help, an argument nobody knows, or a value that is refused.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Flags, Halt> {
    let command = Command::new("shardcast").args(flags());
    let matches = command.try_get_matches_from(arguments);
    let matches = matches.map_err(|error| Halt::Usage(error.into()))?;
    Ok(Flags::read(&[&matches])?)
}

/// Every flag that is a setting, and those that name files.
pub(in crate::server) fn flags() -> impl Iterator<Item = Arg> {
    let file = Arg::new(CONFIG)
        .long(CONFIG)
        .value_name("FILE")
        .value_parser(ValueParser::path_buf())
        .help(format!(
            "Read settings and apps from this file, in TOML or JSON [env: {}]",
            own_names::CONFIG
        ));
    let files = std::iter::once(file).chain(EnvFile::flags());
    files.chain(SERVER.iter().filter_map(setting))
}

impl Flags {
    /// Reads the values of the flags; where two matches give the same one, the later counts.
    ///
    /// # Errors
    /// When the value of one is refused.
    pub(in crate::server) fn read(all: &[&ArgMatches]) -> Result<Self, ConfigError> {
        let mut server = Settings::new(SERVER);
        for matches in all {
            for (place, knob) in SERVER.iter().enumerate() {
                let Some(flag) = knob.flag else { continue };
                // Not every command takes settings.
                if let Ok(Some(text)) = matches.try_get_one::<String>(flag) {
                    let source = Source::Flag(flag);
                    let refuse = |reason| {
                        let key = knob.key.to_owned();
                        refused(knob, key, text.clone(), source.clone(), reason)
                    };
                    let value = knob.accepts.read_text(text).map_err(refuse)?;
                    server.give(place, value, source);
                }
            }
        }
        let file = |matches: &ArgMatches| matches.try_get_one::<PathBuf>(CONFIG).ok()?.cloned();
        let file = all.iter().rev().find_map(|matches| file(matches));
        let env_file = all.iter().rev().find_map(|matches| EnvFile::read(matches));
        Ok(Self {
            file,
            env_file: env_file.unwrap_or_default(),
            server,
        })
    }
}

fn setting(knob: &'static Knob<Config>) -> Option<Arg> {
    let flag = knob.flag?;
    let arg = Arg::new(flag)
        .long(flag)
        .value_name(value_name(&knob.accepts))
        .allow_negative_numbers(true)
        .help_heading(knob.group)
        .help(help(knob));
    Some(match knob.bare {
        // `--debug start` means what it says, so a truth value has to be joined by `=`.
        Some(bare) => arg
            .num_args(0..=1)
            .require_equals(matches!(knob.accepts, Accepts::Truth))
            .default_missing_value(bare),
        None => arg,
    })
}

fn value_name(accepts: &Accepts) -> &'static str {
    match accepts {
        Accepts::Whole { unit, .. } | Accepts::WholeOrOff { unit, .. } => match unit {
            Unit::Things => "N",
            Unit::Bytes => "BYTES",
            Unit::Seconds => "S",
            Unit::Milliseconds => "MS",
            Unit::Microseconds => "US",
        },
        Accepts::Truth => "BOOL",
        Accepts::Address => "ADDRESS",
        Accepts::Cores => "LIST",
        Accepts::Name { .. } | Accepts::Secret | Accepts::Webhooks => "TEXT",
        Accepts::Word(_) => "WORD",
        Accepts::Origins => "HOSTS",
        Accepts::Networks => "NETWORKS",
        Accepts::Prefix => "PATH",
        Accepts::Path => "FILE",
        Accepts::Certificates => "CERT:KEY",
    }
}

/// The sentence of the table, with default, range and the setting's other names.
fn help(knob: &Knob<Config>) -> String {
    let mut notes = Vec::new();
    let default = (knob.show)(&Config::default());
    let default = default.trim_matches('"');
    if !default.is_empty() {
        notes.push(format!("default: {default}"));
    }
    match knob.accepts {
        Accepts::Whole { least, most, .. } => notes.push(format!("{least} to {most}")),
        Accepts::WholeOrOff { least, most, .. } => {
            notes.push(format!("{least} to {most}, -1: no limit"));
        }
        Accepts::Word(words) => notes.push(words.join(", ")),
        _ => {}
    }
    notes.push(format!("file: {}", knob.key));
    notes.push(format!("env: {}", own_names::of_key(knob.key)));
    for variable in knob.variables {
        notes.push(format!("env: {}{}", variable.name, variable.note()));
    }
    format!("{} [{}]", knob.help, notes.join("] ["))
}

/// What the help of a command that takes settings says behind them.
pub(in crate::server) fn behind_flags() -> String {
    let keys = APPS.iter().map(|knob| {
        // Credentials have no default that would mean anything here, and an empty list says none.
        let default = (knob.show)(&App::new("", "", ""));
        let note = match knob.accepts {
            Accepts::Name { .. } | Accepts::Secret | Accepts::Origins => String::new(),
            _ => format!(" [{}]", default.trim_matches('"')),
        };
        (knob.key, format!("{}{note}", knob.help))
    });
    let variables = APPS
        .iter()
        .flat_map(|knob| {
            knob.variables
                .iter()
                .map(move |variable| (variable, knob.key))
        })
        .map(|(variable, key)| (variable.name, format!("= {key}{}", variable.note())));
    // Every user of the machine sees flags, so a secret has none.
    let hidden = SERVER.iter().filter(|knob| knob.flag.is_none());
    let hidden = hidden.map(|knob| (knob.key, help(knob)));
    format!(
        "Settings without a flag:\n\n{}\n\nApps:\n  From the file, any number, each a table \
         [[apps]] with these keys:\n\n{}\n\n  From the \
         environment, one, by SHARDCAST_APP_ and the key in \
         capitals, or by:\n\n{}\n\n  A secret may \
         stand in a file instead: of an app by secret_file = \"PATH\", of a variable by \
         NAME_FILE=PATH, or as a credential of systemd that is called NAME.\n\n  With neither, a \
         demo app that works on this machine only.\n\nExample of a file:\n    port = 6001\n    \
         [[apps]]\n    id = \"1\"\n    key = \"my-key\"\n    secret = \"my-secret\"\n\n\
         What wins: a flag over a variable, a \
         variable over one of .env in the working directory, that over the file, the file over \
         the default.\n\nSignals: SIGHUP reads file and \
         environment again (docs/operating.md), SIGTERM and SIGINT stop, a second one at once.",
        columns(hidden.collect()),
        columns(keys.collect()),
        columns(variables.collect()),
    )
}

fn columns(rows: Vec<(&str, String)>) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = rows
        .iter()
        .map(|(name, text)| format!("  {name:width$}  {text}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(arguments: &[&str]) -> Result<Flags, ConfigError> {
        let all = std::iter::once("shardcast").chain(arguments.iter().copied());
        match parse(all.map(OsString::from)) {
            Ok(flags) => Ok(flags),
            Err(Halt::Config(error)) => Err(error),
            Err(Halt::Usage(error)) => panic!("clap accepts the flags: {error}"),
        }
    }

    fn config(arguments: &[&str]) -> Config {
        let mut config = Config::default();
        line(arguments).unwrap().server.apply(&mut config);
        config
    }

    #[test]
    fn a_bare_flag_has_its_meaning() {
        assert!(config(&["--debug"]).debug && config(&["--debug", "--port=1"]).debug);
        assert!(!config(&["--debug=false"]).debug);
        assert_eq!(config(&["--spin"]).spin_us, 50);
        assert_eq!(config(&["--spin", "200"]).spin_us, 200);
        assert_eq!(config(&["--spin=0"]).spin_us, 0);
        assert_eq!(
            config(&["--accept-per-second", "-1"]).accept_per_second,
            None
        );
    }

    #[test]
    fn every_setting_has_a_working_flag() {
        for knob in SERVER {
            let Some(flag) = knob.flag else { continue };
            let flag = format!("--{flag}");
            let default = (knob.show)(&Config::default());
            let text = match knob.accepts {
                Accepts::Whole { least, .. } if default.is_empty() => least.to_string(),
                Accepts::Certificates => "a.crt:a.key".to_owned(),
                Accepts::Networks => "10.0.0.0/8".to_owned(),
                _ if default.is_empty() => "1".to_owned(),
                _ => default.trim_matches('"').to_owned(),
            };
            let given = line(&[&format!("{flag}={text}")]).unwrap();
            assert!(given.server.has(knob.key), "{flag}");
        }
    }

    #[test]
    fn a_refused_value_is_no_usage_error() {
        let error = line(&["--port", "70000"]).err().unwrap().to_string();
        assert_eq!(
            error,
            "--port: `port` cannot be \"70000\": expected a whole number from 0 to 65535."
        );
        let error = line(&["--spin", "start"]).err().unwrap().to_string();
        assert!(
            error.starts_with("--spin: `spin_us` cannot be \"start\": expected"),
            "{error}"
        );
    }

    #[test]
    fn what_is_said_later_counts() {
        let command = Command::new("x").args(flags());
        let given = |arguments: &[&str]| {
            let all = std::iter::once("x").chain(arguments.iter().copied());
            command.clone().try_get_matches_from(all).unwrap()
        };
        let first = given(&["--port=1", "--shards=3", "--config=a.toml"]);
        let flags = Flags::read(&[&first, &given(&["--port=2"])]).unwrap();
        let mut config = Config::default();
        flags.server.apply(&mut config);
        assert_eq!((config.port, config.shards), (2, Some(3)));
        assert_eq!(flags.file, Some(PathBuf::from("a.toml")));
        let flags = Flags::read(&[&first, &given(&["--config=b.toml"])]).unwrap();
        assert_eq!(flags.file, Some(PathBuf::from("b.toml")));
    }

    #[test]
    fn the_help_names_every_setting_and_variable() {
        let mut command = Command::new("x").args(flags()).after_help(behind_flags());
        let help = command
            .render_help()
            .to_string()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        for knob in SERVER {
            let flag = knob.flag.map(|flag| format!("--{flag}"));
            assert!(flag.is_none_or(|it| help.contains(&it)), "{}", knob.key);
            assert!(
                help.contains(&format!("[file: {}]", knob.key)),
                "{}",
                knob.key
            );
            assert!(
                knob.variables.iter().all(|v| help.contains(v.name)),
                "{}",
                knob.key
            );
        }
        for knob in APPS {
            assert!(help.contains(knob.key), "{}", knob.key);
            assert!(
                knob.variables.iter().all(|v| help.contains(v.name)),
                "{}",
                knob.key
            );
        }
    }
}
