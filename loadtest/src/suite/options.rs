//! What can be asked of the suite on the command line.

use super::lines::{self, LINES, Line};
use crate::cli::load::seconds;
use crate::cli::server::Secret;
use clap::Args;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// A server to measure: a name and the command that runs it in the foreground. Once for each
    /// server. The words are split as a shell splits them, but no shell runs; {port} and {core}
    /// are replaced.
    #[arg(long, value_name = "NAME=COMMAND", required_unless_present = "list")]
    pub server: Vec<ServerCommand>,
    /// Loads that a server is not put through, such as what it does not speak.
    #[arg(long, value_name = "NAME:LINE,LINE")]
    pub skip: Vec<Skip>,
    /// The server that the others are compared with: the one called floor unless told, or the
    /// first. Where it is skipped, the first that is not.
    #[arg(long, value_name = "NAME")]
    pub floor: Option<String>,
    /// Only this load. Can be repeated.
    #[arg(long, value_name = "LINE", value_parser = lines::find)]
    pub only: Vec<&'static Line>,
    /// Say which loads there are, and end.
    #[arg(long)]
    pub list: bool,
    /// Runs of each server under each load.
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub runs: u32,
    /// Seconds of traffic before the measured part.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub warm_up_s: Duration,
    /// Seconds of the measured part.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub duration_s: Duration,
    /// The core that each server is kept on, or several, as taskset has them.
    #[arg(long, value_name = "LIST", default_value = "0")]
    pub server_core: String,
    /// The core that the load tester is kept on.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub core: usize,
    /// The port that every server listens on; unless told, a free one for each run.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Give a server up that does not answer after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub start_timeout_s: Duration,
    /// Id of the app that every server has.
    #[arg(long, value_name = "ID", default_value = "1001")]
    pub app_id: String,
    /// Key of that app.
    #[arg(long, default_value = "app-key")]
    pub key: String,
    /// Secret of that app.
    #[arg(long, default_value = "app-secret")]
    pub secret: Secret,
    /// Write the tables to a file, ready for a document.
    #[arg(long, value_name = "PATH")]
    pub markdown: Option<PathBuf>,
}

/// A server and how it is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerCommand {
    /// What it is called in the tables.
    pub name: String,
    /// Its program and its arguments, placeholders in them.
    pub words: Vec<String>,
}

/// What a server is not put through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    server: String,
    lines: Vec<&'static str>,
}

impl FromStr for ServerCommand {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, command) = text.split_once('=').ok_or("expected NAME=COMMAND")?;
        let good = |letter: char| letter.is_ascii_alphanumeric() || "-_. ".contains(letter);
        if name.trim().is_empty() || !name.chars().all(good) {
            return Err("a name is of letters, digits, blanks and -_.".to_owned());
        }
        let words = shlex::split(command).ok_or("a quote is not closed")?;
        if words.is_empty() {
            return Err("expected NAME=COMMAND".to_owned());
        }
        let name = name.trim().to_owned();
        Ok(Self { name, words })
    }
}

impl FromStr for Skip {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (server, lines) = text.split_once(':').ok_or("expected NAME:LINE,LINE")?;
        let lines = lines.split(',').map(|name| Ok(lines::find(name)?.name));
        Ok(Self {
            server: server.trim().to_owned(),
            lines: lines.collect::<Result<_, String>>()?,
        })
    }
}

impl Options {
    /// The loads that are asked for, in the order of the table.
    pub fn lines(&self) -> Vec<&'static Line> {
        let asked = |line: &&Line| self.only.is_empty() || self.only.contains(line);
        LINES.iter().filter(asked).collect()
    }

    /// The servers that are put through a load.
    pub fn servers(&self, line: &Line) -> Vec<&ServerCommand> {
        let skipped = |name: &str| {
            let mut skips = self.skip.iter();
            skips.any(|skip| skip.server == name && skip.lines.contains(&line.name))
        };
        let servers = self.server.iter();
        servers.filter(|server| !skipped(&server.name)).collect()
    }

    /// The one of these servers that the others are compared with.
    pub fn floor<'s>(&self, servers: &[&'s ServerCommand]) -> Option<&'s ServerCommand> {
        let asked = self.floor.as_deref().unwrap_or("floor");
        let mut floors = servers.iter().filter(|server| server.name == asked);
        floors.next().or(servers.first()).copied()
    }

    /// Looks at what the flags cannot know of each other.
    ///
    /// # Errors
    /// When two servers have one name, or a name is no server's.
    pub fn check(&self) -> io::Result<()> {
        let names: Vec<&str> = self.server.iter().map(|s| s.name.as_str()).collect();
        for (at, name) in names.iter().enumerate() {
            if names[..at].contains(name) {
                return Err(io::Error::other(format!("two servers are called {name}")));
            }
        }
        let skips = self.skip.iter().map(|skip| ("--skip", &skip.server));
        let floor = self.floor.iter().map(|name| ("--floor", name));
        for (flag, name) in skips.chain(floor) {
            if !names.contains(&name.as_str()) {
                let text = format!("{flag}: no server is called {name}");
                return Err(io::Error::other(text));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Whole {
        #[command(flatten)]
        options: Options,
    }

    fn options(arguments: &str) -> Options {
        let words = shlex::split(arguments).unwrap();
        let words = ["x".to_owned()].into_iter().chain(words);
        Whole::try_parse_from(words).unwrap().options
    }

    #[test]
    fn commands_are_split_as_a_shell_splits_them() {
        let server: ServerCommand = "my server=env A='b c' run --port={port} \"x y\""
            .parse()
            .unwrap();
        assert_eq!(server.name, "my server");
        assert_eq!(
            server.words,
            ["env", "A=b c", "run", "--port={port}", "x y"]
        );
        for wrong in ["run", "=run", "a=", "a='run", "a|b=run", " =run", "a= "] {
            assert!(wrong.parse::<ServerCommand>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn skips_name_lines_that_there_are() {
        let skip: Skip = "floor:publish,presence".parse().unwrap();
        assert_eq!(skip.server, "floor");
        assert_eq!(skip.lines, ["publish", "presence"]);
        for wrong in ["floor", "floor:", "floor:publishing", "floor:publish,"] {
            assert!(wrong.parse::<Skip>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_floor_is_what_is_called_so_or_the_first_that_runs() {
        let of = |arguments: &str, line: &str| {
            let options = options(arguments);
            options.check().unwrap();
            let servers = options.servers(lines::find(line).unwrap());
            options.floor(&servers).map(|server| server.name.clone())
        };
        let servers = "--server a=x --server floor=y --server b=z";
        assert_eq!(of(servers, "channels").unwrap(), "floor");
        let skipped = format!("{servers} --skip floor:publish");
        assert_eq!(of(&skipped, "publish").unwrap(), "a");
        assert_eq!(of(&skipped, "channels").unwrap(), "floor");
        let told = format!("{servers} --floor b");
        assert_eq!(of(&told, "channels").unwrap(), "b");
        assert_eq!(of("--server a=x --server b=x", "channels").unwrap(), "a");
        assert_eq!(of("--server a=x --skip a:idle", "idle"), None);
    }

    #[test]
    fn names_must_be_of_one_server_each() {
        for (wrong, told) in [
            ("--server a=x --server a=y", "two servers are called a"),
            (
                "--server a=x --skip b:idle",
                "--skip: no server is called b",
            ),
            ("--server a=x --floor b", "--floor: no server is called b"),
        ] {
            assert_eq!(options(wrong).check().unwrap_err().to_string(), told);
        }
    }

    #[test]
    fn lines_keep_their_order() {
        let some = options("--server a=x --only idle --only fan-out-1");
        let names: Vec<&str> = some.lines().iter().map(|line| line.name).collect();
        assert_eq!(names, ["fan-out-1", "idle"]);
        assert_eq!(options("--list").lines().len(), LINES.len());
    }
}
