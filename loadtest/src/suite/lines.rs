//! The loads of the suite: each is a scenario with fixed settings, and has a name.

use crate::cli::Command;
use clap::Parser;

/// A load, and which of its figures count.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is called on the command line and in the tables.
    pub name: &'static str,
    /// What it is, in words.
    pub what: &'static str,
    /// The scenario and its flags, as they can be typed too; `{room}` is as many connections as
    /// this machine has descriptors for.
    pub arguments: &'static str,
    /// The key of its main figure, and what that counts.
    pub figure: (&'static str, &'static str),
    /// The key of the latency that a user would feel.
    pub latency: Option<&'static str>,
}

/// Connections that `{room}` stands for where the machine lets it.
pub const ROOM: u32 = 19_000;

const DELIVERIES: (&str, &str) = ("deliveries_per_s", "deliveries/s");

/// All of them.
pub const LINES: &[Line] = &[
    Line {
        name: "fan-out-16",
        what: "1 channel of 1,000 subscribers, 16 publishes under way",
        arguments: "fan-out --channels 1 --subscribers 1000 --publishers 16",
        figure: DELIVERIES,
        latency: Some("delivery"),
    },
    Line {
        name: "fan-out-1",
        what: "1 channel of 1,000 subscribers, one publish under way",
        arguments: "fan-out --channels 1 --subscribers 1000 --publishers 1",
        figure: DELIVERIES,
        latency: Some("delivery"),
    },
    Line {
        name: "fan-out-fixed",
        what: "1 channel of 1,000 subscribers, 50 publishes in a second",
        arguments: "fan-out --channels 1 --subscribers 1000 --rate 50",
        figure: DELIVERIES,
        latency: Some("delivery"),
    },
    Line {
        name: "fan-out-10000",
        what: "1 channel of 10,000 subscribers, 16 publishes under way",
        arguments: "fan-out --channels 1 --subscribers 10000 --publishers 16",
        figure: DELIVERIES,
        latency: Some("delivery"),
    },
    Line {
        name: "channels",
        what: "1,000 channels of 10 subscribers, 16 publishes under way",
        arguments: "channels --channels 1000 --subscribers 10 --publishers 16",
        figure: DELIVERIES,
        latency: Some("delivery"),
    },
    Line {
        name: "publish",
        what: "signed publishes to nobody, 32 under way on each of 4 connections",
        arguments: "publish --publishers 4 --pipeline 32",
        figure: ("publishes_per_s", "answers/s"),
        latency: Some("answer"),
    },
    Line {
        name: "client-events",
        what: "500 pairs on private channels, 4 client events under way in each",
        arguments: "client-events --pairs 500 --window 4",
        figure: ("events_per_s", "events/s"),
        latency: Some("event"),
    },
    Line {
        name: "presence",
        what: "500 members watch 4 that join and leave, one after the other",
        arguments: "presence --members 500 --churners 4",
        figure: ("member_events_per_s", "member events/s"),
        latency: Some("member_event"),
    },
    Line {
        name: "connect",
        what: "10,000 connections come and subscribe, 512 on their way at a time",
        arguments: "connect --connections 10000",
        figure: ("connections_per_s", "connections/s"),
        latency: Some("subscribed"),
    },
    // The bound of the scenario is for one server of one kind; here memory is only compared.
    Line {
        name: "idle",
        what: "19,000 connections that are subscribed and silent",
        arguments: "idle --connections {room} --limit-bytes 1000000000",
        figure: ("private_bytes_each", "bytes each"),
        latency: None,
    },
];

/// The command line of a load.
#[derive(Debug, Parser)]
struct Typed {
    #[command(subcommand)]
    command: Command,
}

impl Line {
    /// The load as it would be typed, with room for so many connections.
    pub fn typed(&self, room: u32) -> String {
        self.arguments.replace("{room}", &room.to_string())
    }

    /// The same, ready to be run.
    pub fn command(&self, room: u32) -> Command {
        let typed = self.typed(room);
        let words = ["suite"].into_iter().chain(typed.split_whitespace());
        let parsed = Typed::try_parse_from(words);
        parsed.expect("a test parses every line").command
    }
}

/// The load of that name.
///
/// # Errors
/// When there is none; the text says which there are.
pub fn find(name: &str) -> Result<&'static Line, String> {
    let names: Vec<&str> = LINES.iter().map(|line| line.name).collect();
    let found = LINES.iter().find(|line| line.name == name);
    found.ok_or_else(|| format!("expected one of {}", names.join(", ")))
}

/// What there is, for people.
pub fn list() -> String {
    let lines = LINES.iter().map(|line| {
        format!(
            "{:15}{}\n{:15}{}\n",
            line.name,
            line.what,
            "",
            line.typed(ROOM)
        )
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_command_with_a_name_of_its_own() {
        for line in LINES {
            let command = line.command(7);
            assert!(line.arguments.starts_with(command.name()), "{}", line.name);
            assert_eq!(find(line.name), Ok(line));
        }
        assert!(
            find("fan-out")
                .unwrap_err()
                .contains("fan-out-16, fan-out-1")
        );
    }

    #[test]
    fn the_list_can_be_typed() {
        let list = list();
        assert!(
            list.starts_with("fan-out-16     1 channel of 1,000"),
            "{list}"
        );
        assert!(
            list.contains("\n               idle --connections 19000 "),
            "{list}"
        );
        assert!(list.lines().all(|line| line.len() <= 80), "{list}");
    }
}
