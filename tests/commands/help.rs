//! Every help text, compared with the one on record in `tests/commands/help`.
//!
//! To accept them as they are: `SHARDCAST_BLESS=1 cargo test --test commands help`, then look at
//! what git shows.

use super::{Run, run};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/commands/help")
}

/// The help of a command and of all those below it, by the names of their records.
fn gather(path: &[&str], into: &mut BTreeMap<String, String>) {
    let text = run(&[path, &["--help"]].concat()).answer();
    for name in below(&text) {
        gather(&[path, &[&name[..]]].concat(), into);
    }
    let name = [&["shardcast"], path].concat().join("-") + ".txt";
    into.insert(name, text);
}

/// The commands that a help text names.
fn below(help: &str) -> Vec<String> {
    let list = help
        .split_once("\nCommands:\n")
        .map_or("", |(_, list)| list);
    let rows = list.lines().take_while(|line| !line.is_empty());
    // A line that only goes on is indented further.
    let rows = rows.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = rows.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_help_text_is_the_one_on_record() {
    let mut all = BTreeMap::new();
    gather(&[], &mut all);
    for name in [
        "shardcast.txt",
        "shardcast-listen.txt",
        "shardcast-sign-user.txt",
    ] {
        assert!(all.contains_key(name), "{name} is among {:?}", all.keys());
    }
    if std::env::var_os("SHARDCAST_BLESS").is_some() {
        let _ = fs::remove_dir_all(folder());
        fs::create_dir_all(folder()).unwrap();
        for (name, text) in &all {
            fs::write(folder().join(name), text).unwrap();
        }
        return;
    }
    let records = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let records: BTreeMap<String, String> = records
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    let names = |of: &BTreeMap<String, String>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&all), names(&records), "see the head of this file");
    for (name, text) in &all {
        assert_eq!(text, &records[name], "{name}: see the head of this file");
    }
}

#[test]
fn every_way_to_ask_for_help_gives_it() {
    let whole = run(&["listen", "--help"]).answer();
    assert_eq!(run(&["help", "listen"]).answer(), whole);
    assert_eq!(run(&["listen", "-h"]).answer(), whole);
    let first = run(&["--help"]).answer();
    assert_eq!(run(&["help"]).answer(), first);
    // The codes that the other tests see.
    for code in ["64", "69", "70", "74", "78"] {
        assert!(first.contains(&format!("\n  {code}  ")), "{first}");
    }
}

#[test]
fn commands_that_need_a_command_say_so() {
    for name in ["sign", "apps", "config"] {
        let Run {
            code,
            stdout,
            stderr,
        } = run(&[name]);
        assert_eq!((code, &stdout[..]), (Some(64), ""), "{stderr}");
        assert!(stderr.contains("Usage: shardcast "), "{stderr}");
    }
}
