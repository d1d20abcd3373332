//! The command line: which commands there are, and which one was asked for.
//!
//! No command and `start` are the same; settings may stand before and behind a command. Every
//! command that looks for a server takes all settings too, so that what started a server also finds
//! it; its help shows only those that say where a server is.

use super::context::{Context, Order};
use super::ending::{EXIT_CODES, Failure};
use super::{apps, documents, health, listen, running, shell, sign, trigger, version};
use crate::error::ConfigError;
use crate::server::config::{Flags, UsageError, behind_flags, flags};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::OsString;
use std::process::ExitCode;

const START: &str = "start";
const CHECK: &str = "check";
const PRINT_CONFIG: &str = "print-config";
pub(super) const JSON: &str = "json";
const ARGUMENTS: &str = "arguments";

/// What stands for the program's name in the help of a command.
const NAME: &str = "{name}";

/// The setting that names the file, as who looks for a server sees it.
const FILE: &[(&str, &str)] = &[("config", "The server's configuration file")];
/// The settings that say where a server is, as who looks for it sees them.
const ADDRESS: &[(&str, &str)] = &[
    FILE[0],
    ("host", "The address that the server listens on"),
    ("port", "The TCP port that it listens on"),
    ("path-prefix", "What stands in front of its paths"),
];

/// A command that the program brings itself.
pub(in crate::server) struct Own {
    pub(in crate::server) name: &'static str,
    pub(in crate::server) about: &'static str,
    pub(in crate::server) run: Box<dyn FnOnce(Vec<OsString>) -> ExitCode>,
}

/// What does a command.
type Action = dyn FnOnce(&Context) -> Result<(), Failure>;

/// What is to be done.
pub(in crate::server) enum Asked {
    /// Start the server.
    Start(Flags),
    /// Check configuration and machine.
    Check {
        /// The settings, or why one is refused.
        flags: Result<Flags, ConfigError>,
        /// Whether the answer is for a program.
        json: bool,
    },
    /// Print the configuration in force with the origin of each value.
    PrintConfig(Flags),
    /// A command that needs nothing of a server's program.
    Command(Box<Action>),
    /// The program's own command of that place, with its arguments.
    Own(usize, Vec<OsString>),
}

/// One command of ours: what it takes, what it does, and which settings its help shows; with none,
/// it takes none.
struct Entry {
    command: fn() -> Command,
    run: fn(&Order<'_>, &ArgMatches) -> Result<(), Failure>,
    shows: &'static [(&'static str, &'static str)],
}

/// Every command but `start` and `check`, which need the whole of the program, in the order of the
/// help.
const COMMANDS: &[Entry] = &[
    Entry {
        command: documents::command,
        run: documents::run,
        shows: &[],
    },
    Entry {
        command: apps::command,
        run: apps::run,
        shows: FILE,
    },
    Entry {
        command: listen::command,
        run: listen::run,
        shows: ADDRESS,
    },
    Entry {
        command: trigger::command,
        run: trigger::run,
        shows: ADDRESS,
    },
    Entry {
        command: sign::command,
        run: sign::run,
        shows: FILE,
    },
    Entry {
        command: health::command,
        run: health::run,
        shows: ADDRESS,
    },
    Entry {
        command: running::reload_command,
        run: running::reload,
        shows: ADDRESS,
    },
    Entry {
        command: running::drain_command,
        run: running::drain,
        shows: ADDRESS,
    },
    Entry {
        command: version::command,
        run: version::run,
        shows: &[],
    },
    Entry {
        command: shell::completions_command,
        run: shell::completions,
        shows: &[],
    },
    Entry {
        command: shell::man_command,
        run: shell::man,
        shows: &[],
    },
];

/// Why nothing is done.
#[derive(Debug)]
pub(in crate::server) enum Refused {
    /// Help was asked for, or an argument is unknown.
    Usage(UsageError),
    /// The value of a setting is refused.
    Config(ConfigError),
}

/// Finds out what is asked for. The first argument is the program's name as it was called, `name`
/// what it calls itself.
///
/// # Errors
/// [`Refused`]: help, version, or a mistake.
pub(in crate::server) fn parse(
    name: &str,
    own: &[Own],
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Asked, Refused> {
    let root = commands(name, own, true).try_get_matches_from(arguments);
    let root = root.map_err(|error| Refused::Usage(error.into()))?;
    let mut all = vec![&root];
    while let Some((_, next)) = all.last().and_then(|matches| matches.subcommand()) {
        all.push(next);
    }
    let has = |flag: &str| {
        all.iter()
            .any(|it| matches!(it.try_get_one(flag), Ok(Some(&true))))
    };
    let flags = Flags::read(&all);
    let check = |flags| Asked::Check {
        flags,
        json: has(JSON),
    };
    let command = root.subcommand_name().unwrap_or(START);
    if command == CHECK || (command == START && has(CHECK)) {
        return Ok(check(flags));
    }
    let flags = flags.map_err(Refused::Config)?;
    let Some((command, matches)) = root.subcommand().filter(|_| command != START) else {
        return Ok(match has(PRINT_CONFIG) {
            true => Asked::PrintConfig(flags),
            false => Asked::Start(flags),
        });
    };
    if has(CHECK) || has(PRINT_CONFIG) {
        let text = format!("--check and --print-config are of `start`, not of `{command}`");
        let error = commands(name, own, true).error(ErrorKind::ArgumentConflict, text);
        return Err(Refused::Usage(error.into()));
    }
    let place = own.iter().position(|it| it.name == command);
    let mut bare = COMMANDS.iter().filter(|entry| entry.shows.is_empty());
    let is_bare = bare.any(|entry| (entry.command)().get_name() == command);
    if (place.is_some() || is_bare) && gives_flags(&root) {
        let text = format!(
            "`{command}` takes none of the server's settings, and stands first: \
             {name} {command} ..."
        );
        let error = commands(name, own, true).error(ErrorKind::ArgumentConflict, text);
        return Err(Refused::Usage(error.into()));
    }
    if let Some(place) = place {
        let rest = matches.get_many(ARGUMENTS).unwrap_or_default();
        return Ok(Asked::Own(place, rest.cloned().collect()));
    }
    let entry = COMMANDS.iter();
    let mut entry = entry.filter(|entry| (entry.command)().get_name() == command);
    let run = entry.next().expect("clap knows no other commands").run;
    let (matches, commands) = (matches.clone(), commands(name, own, false));
    Ok(Asked::Command(Box::new(move |context| {
        let order = Order {
            context,
            flags,
            commands,
        };
        run(&order, &matches)
    })))
}

/// Whether flags stand on the command line at this place.
fn gives_flags(matches: &ArgMatches) -> bool {
    let given = |id: &clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
    matches.ids().any(given)
}

/// The program with all of its commands; also what no help shows, or only what one shows.
fn commands(name: &str, own: &[Own], whole: bool) -> Command {
    let version = match name {
        "shardcast" => env!("CARGO_PKG_VERSION"),
        _ => concat!("(shardcast ", env!("CARGO_PKG_VERSION"), ")"),
    };
    let start = Command::new(START)
        .visible_alias("serve")
        .about("Start the server; the same as no command")
        .args(flags())
        .args(older_flags())
        .after_help(behind_flags());
    let check = Command::new(CHECK)
        .about("Check configuration and machine, and print every value with its origin")
        .args(taken(FILE, whole))
        .arg(json(
            "Print values, machine and warnings as one JSON object",
        ))
        .after_help(
            "Takes every setting of `start`. What would keep the server from starting is said \
             here, with the exit code that the start would have: 78 for the configuration, 69 for \
             the machine. Whether a port is free is not tried.",
        );
    let entries = COMMANDS.iter().map(|entry| {
        let command = (entry.command)();
        let behind = command.get_after_help().map(ToString::to_string);
        let behind = behind.map(|text| text.replace(NAME, name));
        let command = command.after_help(behind.unwrap_or_default());
        match entry.shows {
            [] => command,
            // Of any depth, for commands of commands.
            shows => command.args(taken(shows, whole).map(|flag| flag.global(true))),
        }
    });
    let own = own.iter().map(|own| {
        let rest = Arg::new(ARGUMENTS)
            .num_args(0..)
            .trailing_var_arg(true)
            .allow_hyphen_values(true)
            .value_parser(clap::value_parser!(OsString));
        let command = Command::new(own.name).about(own.about);
        command.disable_help_flag(true).arg(rest)
    });
    Command::new(name.to_owned())
        .version(version)
        .about("A Pusher-protocol WebSocket server: one shard per core, on io_uring")
        .override_usage(format!("{name} [SETTINGS]\n       {name} [COMMAND]"))
        .after_help(behind_commands(name))
        .max_term_width(100)
        .subcommand(start)
        .subcommand(check)
        .subcommands(entries)
        .subcommands(own)
        .args(taken(&[], whole))
        .args(older_flags())
}

/// The settings as flags of a command whose help shows only these.
fn taken(shows: &'static [(&'static str, &'static str)], whole: bool) -> impl Iterator<Item = Arg> {
    flags().filter_map(move |flag| {
        let shown = shows.iter().find(|(id, _)| flag.get_id() == id);
        match shown {
            Some((_, help)) => Some(flag.help_heading("Configuration").help(*help)),
            None => whole.then(|| flag.hide(true)),
        }
    })
}

/// `--check` and `--print-config`, which scripts know.
fn older_flags() -> [Arg; 2] {
    let flag = |name| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .hide(true)
    };
    [flag(CHECK).conflicts_with(PRINT_CONFIG), flag(PRINT_CONFIG)]
}

/// The flag of commands whose answer is data.
pub(super) fn json(help: &'static str) -> Arg {
    Arg::new(JSON)
        .long(JSON)
        .action(ArgAction::SetTrue)
        .help(help)
}

fn behind_commands(name: &str) -> String {
    format!(
        "With no command it starts the server. `{name} start --help` lists the settings; the other \
         commands find the server by the same flags, environment and file.\n\n{EXIT_CODES}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::config::Unconfigured;

    fn own() -> Vec<Own> {
        vec![Own {
            name: "greet",
            about: "Say hello",
            run: Box::new(|_| ExitCode::SUCCESS),
        }]
    }

    fn asked(arguments: &[&str]) -> Result<Asked, Refused> {
        let all = std::iter::once("chat").chain(arguments.iter().copied());
        parse("chat", &own(), all.map(OsString::from))
    }

    fn usage(arguments: &[&str]) -> UsageError {
        match asked(arguments) {
            Err(Refused::Usage(end)) => end,
            _ => panic!("clap ends it: {arguments:?}"),
        }
    }

    /// The port and the number of shards that a start is asked for.
    fn started(arguments: &[&str]) -> (u16, Option<usize>) {
        let Ok(Asked::Start(flags)) = asked(arguments) else {
            panic!("it starts: {arguments:?}");
        };
        let config = crate::server::config::overview(flags, [], Unconfigured::NoApp).unwrap();
        (config.port, config.shards)
    }

    #[test]
    fn the_commands_are_well_formed() {
        for whole in [true, false] {
            commands("chat", &own(), whole).debug_assert();
        }
    }

    #[test]
    fn no_command_and_start_are_the_same_wherever_settings_stand() {
        for arguments in [
            &["--port", "7000", "--shards=2"][..],
            &["start", "--port", "7000", "--shards", "2"],
            &["serve", "--port", "7000", "--shards", "2"],
            &["--port=7000", "start", "--shards", "2"],
            &["--port=1", "start", "--shards", "2", "--port=7000"],
        ] {
            assert_eq!(started(arguments), (7000, Some(2)), "{arguments:?}");
        }
    }

    #[test]
    fn the_older_flags_are_understood() {
        let json = |arguments: &[&str]| match asked(arguments) {
            Ok(Asked::Check { json, .. }) => json,
            _ => panic!("it checks: {arguments:?}"),
        };
        assert!(json(&["check", "--json"]));
        for arguments in [
            &["--check"][..],
            &["start", "--check"],
            &["--check", "serve"],
        ] {
            assert!(!json(arguments), "{arguments:?}");
        }
        for arguments in [&["--print-config"][..], &["start", "--print-config"]] {
            let printed = matches!(asked(arguments), Ok(Asked::PrintConfig(_)));
            assert!(printed, "{arguments:?}");
        }
    }

    #[test]
    fn the_programs_own_commands_get_all_that_is_behind_them() {
        let rest = ["--help", "--port", "x", "start", "--", "-v"];
        let Ok(Asked::Own(0, got)) = asked(&[&["greet"], &rest[..]].concat()) else {
            panic!("it is its own");
        };
        assert_eq!(got, rest);
        assert!(matches!(asked(&["greet"]), Ok(Asked::Own(0, rest)) if rest.is_empty()));
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
            &["listen", "a", "--user-id"],
            &["version", "--port", "1"],
            &["--port", "1", "version"],
            &["--port", "1", "greet"],
            &["--check", "greet"],
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
            &["-V"],
            &["start", "-h"],
            &["help", "sign", "user"],
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
        let refused = asked(&["listen", "a", "--port", "70000"]).err();
        assert!(
            matches!(refused, Some(Refused::Config(_))),
            "a bad value is no bad flag"
        );
    }

    #[test]
    fn a_program_speaks_of_itself_by_its_own_name() {
        let version = usage(&["--version"]).to_string();
        assert!(version.starts_with("chat (shardcast "), "{version}");
        let all = commands("chat", &own(), false);
        for command in all.get_subcommands() {
            let text = command.clone().render_help().to_string();
            let (name, said) = (command.get_name(), text.contains("{name}"));
            assert!(!said && !text.contains("  shardcast "), "{name}: {text}");
        }
        let help = usage(&["--help"]).to_string();
        assert!(
            help.contains("  greet ") && help.contains("`chat start --help`"),
            "{help}"
        );
    }
}
