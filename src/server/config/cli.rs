//! The command line: flags made from the table of settings, and the few that are not settings.
//!
//! `shardcast` and `shardcast start` are the same; flags may stand before and after `start`.
//! Invariant: clap judges which flags there are (exit code 64), the table judges their values (exit
//! code 78), so a flag refuses what the file refuses, with the same words.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::app_knobs::APPS;
use super::knob::{Accepts, Knob, Unit};
use super::layers::{Settings, refused};
use super::own_names;
use super::server_knobs::SERVER;
use super::settings::Config;
use crate::app::App;
use crate::error::{ConfigError, Source};

const CONFIG: &str = "config";
const CHECK: &str = "check";
const PRINT_CONFIG: &str = "print-config";

/// The command that is the load tester; the program hands it over before anything is parsed here.
#[cfg(feature = "loadtest")]
pub const LOADTEST: &str = "loadtest";

/// What the process is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Start the server.
    Start,
    /// Check configuration and machine, then exit.
    Check,
    /// Print the configuration in force with the origin of each value, then exit.
    PrintConfig,
}

/// What the command line says.
pub(super) struct CommandLine {
    /// What to do.
    pub asked: Asked,
    /// The configuration file to read.
    pub file: Option<PathBuf>,
    /// The settings given as flags.
    pub server: Settings<Config>,
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
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.render().fmt(f)
    }
}

impl std::error::Error for UsageError {}

/// Takes the arguments apart; the first is the program's name.
///
/// # Errors
/// Help, version, or an argument nobody knows.
pub(super) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<ArgMatches, UsageError> {
    let matches = command()
        .try_get_matches_from(arguments)
        .map_err(UsageError)?;
    #[cfg(feature = "loadtest")]
    if matches.subcommand_name() == Some(LOADTEST) {
        let text = "`loadtest` has flags of its own and stands first: shardcast loadtest ...\n";
        return Err(UsageError(
            command().error(ErrorKind::ArgumentConflict, text),
        ));
    }
    Ok(matches)
}

/// Reads the values of the flags.
///
/// # Errors
/// When the value of one is refused.
pub(super) fn read(matches: &ArgMatches) -> Result<CommandLine, ConfigError> {
    // Every flag is global, so `start` has seen those that stand before it as well.
    let matches = matches.subcommand().map_or(matches, |(_, start)| start);
    let mut server = Settings::new(SERVER);
    for (place, knob) in SERVER.iter().enumerate() {
        let Some(flag) = knob.flag else { continue };
        if let Some(text) = matches.get_one::<String>(flag) {
            let source = Source::Flag(flag);
            let value = knob.accepts.read_text(text).map_err(|reason| {
                refused(
                    knob,
                    knob.key.to_owned(),
                    text.clone(),
                    source.clone(),
                    reason,
                )
            })?;
            server.give(place, value, source);
        }
    }
    let asked = match (matches.get_flag(CHECK), matches.get_flag(PRINT_CONFIG)) {
        (true, _) => Asked::Check,
        (_, true) => Asked::PrintConfig,
        _ => Asked::Start,
    };
    Ok(CommandLine {
        asked,
        file: matches.get_one::<PathBuf>(CONFIG).cloned(),
        server,
    })
}

fn command() -> Command {
    let settings = SERVER.iter().filter_map(setting);
    let command = Command::new("shardcast");
    #[cfg(feature = "loadtest")]
    let command = command.subcommand(
        Command::new(LOADTEST)
            .about("Put a load on a server and see what it costs; has a --help of its own"),
    );
    command
        .version(env!("CARGO_PKG_VERSION"))
        .about("A Pusher-protocol WebSocket server: one shard per core, on io_uring")
        .after_help(after_help())
        .disable_help_subcommand(true)
        .subcommand(Command::new("start").about("Start the server; the same as no command"))
        .args(others())
        .args(settings)
}

/// The flags that are not settings.
fn others() -> [Arg; 3] {
    let path = ValueParser::path_buf();
    let file = Arg::new(CONFIG)
        .long(CONFIG)
        .value_name("FILE")
        .value_parser(path);
    let check = Arg::new(CHECK).long(CHECK).action(ArgAction::SetTrue);
    let print = Arg::new(PRINT_CONFIG)
        .long(PRINT_CONFIG)
        .action(ArgAction::SetTrue);
    [
        file.help("Read settings and apps from this TOML file")
            .global(true),
        check
            .help("Check configuration and machine, then exit")
            .global(true)
            .conflicts_with(PRINT_CONFIG),
        print
            .help("Print the configuration in force and where each value is from")
            .global(true),
    ]
}

fn setting(knob: &'static Knob<Config>) -> Option<Arg> {
    let flag = knob.flag?;
    let arg = Arg::new(flag)
        .long(flag)
        .global(true)
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
    if !default.is_empty() {
        notes.push(format!("default: {}", default.trim_matches('"')));
    }
    match knob.accepts {
        Accepts::Whole { least, most, .. } => notes.push(format!("{least} to {most}")),
        Accepts::WholeOrOff { least, most, .. } => {
            notes.push(format!("{least} to {most}, -1: no limit"));
        }
        _ => {}
    }
    notes.push(format!("file: {}", knob.key));
    notes.push(format!("env: {}", own_names::of_key(knob.key)));
    for variable in knob.variables {
        notes.push(format!("env: {}", variable.name));
    }
    format!("{} [{}]", knob.help, notes.join("] ["))
}

fn after_help() -> String {
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
         [[apps]] with these keys:\n\n{}\n\n  From the environment, one:\n\n{}\n\n  A secret may \
         stand in a file instead: of an app by secret_file = \"PATH\", of a variable by \
         NAME_FILE=PATH, or as a credential of systemd that is called NAME.\n\n  With neither, a \
         demo app that works on this machine only.\n\nExample of a file:\n    port = 6001\n    \
         [[apps]]\n    id = \"1\"\n    key = \"my-key\"\n    secret = \"my-secret\"\n\n\
         What wins: a flag over a variable, a \
         variable over the file, the file over the default.\n\nSignals: SIGHUP reads file and \
         environment again (docs/operating.md), SIGTERM and SIGINT stop, a second one at once.\n\n\
         Exit codes: 64 unknown flag, 69 \
         the machine does not allow io_uring, 78 the configuration makes no sense.",
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

    fn line(arguments: &[&str]) -> Result<CommandLine, ConfigError> {
        let all = std::iter::once("shardcast").chain(arguments.iter().copied());
        read(&parse(all.map(OsString::from)).expect("clap accepts the flags"))
    }

    fn usage(arguments: &[&str]) -> UsageError {
        let all = std::iter::once("shardcast").chain(arguments.iter().copied());
        parse(all.map(OsString::from)).expect_err("clap ends it")
    }

    fn config(arguments: &[&str]) -> Config {
        let mut config = Config::default();
        line(arguments).unwrap().server.apply(&mut config);
        config
    }

    #[test]
    fn the_command_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn flags_mean_the_same_with_and_without_start() {
        for arguments in [
            &["--port", "7000", "--shards=2"][..],
            &["start", "--port", "7000", "--shards", "2"],
            &["--port=7000", "start", "--shards", "2"],
        ] {
            let config = config(arguments);
            assert_eq!(
                (config.port, config.shards),
                (7000, Some(2)),
                "{arguments:?}"
            );
        }
    }

    #[test]
    fn a_bare_flag_has_its_meaning() {
        assert!(config(&["--debug"]).debug && config(&["--debug", "start"]).debug);
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
    fn mistakes_and_wishes_have_their_exit_codes() {
        for arguments in [
            &["--prot", "1"][..],
            &["stop"],
            &["--port"],
            &["--port", "1", "--port", "2"],
            &["--check", "--print-config"],
            &["extra", "start"],
            // First it is the load tester, elsewhere a mistake.
            &["--port", "1", "loadtest"],
        ] {
            let end = usage(arguments);
            assert_eq!(
                (end.exit_code(), end.is_answer()),
                (64, false),
                "{arguments:?}"
            );
        }
        for arguments in [
            &["--help"][..],
            &["--version"],
            &["start", "--help"],
            &["-V"],
        ] {
            let end = usage(arguments);
            assert_eq!(
                (end.exit_code(), end.is_answer()),
                (0, true),
                "{arguments:?}"
            );
        }
        assert!(
            usage(&["--prot", "1"]).to_string().contains("--port"),
            "clap suggests"
        );
    }

    #[test]
    fn what_is_asked_for() {
        for (arguments, asked) in [
            (&[][..], Asked::Start),
            (&["start"], Asked::Start),
            (&["--check"], Asked::Check),
            (&["start", "--print-config"], Asked::PrintConfig),
        ] {
            assert_eq!(line(arguments).unwrap().asked, asked, "{arguments:?}");
        }
        let file = line(&["--config", "a.toml"]).unwrap().file;
        assert_eq!(file, Some(PathBuf::from("a.toml")));
    }

    #[test]
    fn the_help_names_every_setting_and_variable() {
        let help = usage(&["--help"])
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
