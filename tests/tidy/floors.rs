//! The floors: a module names itself and strictly lower floors, the lower floors do no input or
//! output of their own, and each runtime is named only where it lives.
//!
//! The crate roots (`lib.rs`, `main.rs`) may name every floor. Test code is free.

use std::collections::BTreeSet;

use crate::house::House;
use crate::paths::{Mention, mentions};
use crate::source::{Source, Violation};

/// Checks one file of `src/`.
pub fn check(source: &Source, house: &House) -> Vec<Violation> {
    if !source.in_src() || source.test_only {
        return Vec::new();
    }
    let module = source.module();
    let own = match module.first() {
        Some(first) => first.as_str(),
        None if source.path == "src/main.rs" => "main",
        None => "lib",
    };
    let floor = floor_of(house, own);
    if floor.is_none() && !module.is_empty() {
        let text = format!(
            "module `{own}` stands on no floor: give it one in HOUSE.floors (tests/tidy/house.rs)"
        );
        return vec![source.violation(1, "floors", text)];
    }
    let mut found = BTreeSet::new();
    for mention in mentions(source) {
        let broken = floor
            .and_then(|floor| up_or_sideways(&mention, own, floor, house))
            .map(|text| ("floors", text))
            .or_else(|| floor.and_then(|floor| sans_io(&mention, own, floor, house)))
            .or_else(|| confined(&mention, own, house));
        if let Some((rule, text)) = broken {
            found.insert(source.violation(mention.line, rule, text));
        }
    }
    found.into_iter().collect()
}

fn floor_of(house: &House, module: &str) -> Option<u8> {
    house
        .floors
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, floor)| *floor)
}

fn up_or_sideways(mention: &Mention, own: &str, floor: u8, house: &House) -> Option<String> {
    let [first, target, ..] = mention.segments.as_slice() else {
        return None;
    };
    if first != "crate" || target == own {
        return None;
    }
    let path = mention.text();
    match floor_of(house, target) {
        None => Some(format!(
            "`{path}` is not a module of the house: name it through the module that defines it, \
             not through the crate root"
        )),
        Some(other) if other < floor => None,
        Some(other) => Some(format!(
            "`{own}` (floor {floor}) names `{path}` (floor {other}): a module names itself and \
             lower floors; hand the value down as a parameter, or move the type to a floor below \
             both"
        )),
    }
}

fn sans_io(
    mention: &Mention,
    own: &str,
    floor: u8,
    house: &House,
) -> Option<(&'static str, String)> {
    if floor > house.sans_io_top {
        return None;
    }
    let forbidden = house
        .sans_io
        .iter()
        .find(|forbidden| mention.is_in(forbidden.path))?;
    let text = format!(
        "`{own}` (floor {floor}) names `{}`, but the floors up to {} do no input and output: {}",
        mention.text(),
        house.sans_io_top,
        forbidden.instead
    );
    Some(("sans-io", text))
}

fn confined(mention: &Mention, own: &str, house: &House) -> Option<(&'static str, String)> {
    let confined = house
        .confined
        .iter()
        .find(|confined| mention.is_in(confined.path))?;
    if confined.owners.contains(&own) {
        return None;
    }
    let text = format!(
        "`{own}` names `{}`, which only {} may: {}",
        mention.text(),
        confined.owners.join(", "),
        confined.instead
    );
    Some(("confined", text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::HOUSE;

    fn broken(path: &str, text: &str) -> Vec<(&'static str, usize)> {
        let source = Source::parse(path, text).expect("the sample parses");
        check(&source, &HOUSE)
            .iter()
            .map(|violation| (violation.rule, violation.line))
            .collect()
    }

    #[test]
    fn a_lower_floor_and_the_own_module_may_be_named() {
        for (path, text) in [
            (
                "src/hub/index.rs",
                "use super::table;\nuse crate::ws::codec;\nuse crate::id::X;",
            ),
            (
                "src/hub/mod.rs",
                "mod index;\npub use index::Index;\nuse crate::hub::index::Y;",
            ),
            (
                "src/server/run.rs",
                "use crate::shard::Shard;\nfn f() { crate::net::go() }",
            ),
            ("src/lib.rs", "pub use crate::server::Server;\npub mod hub;"),
            ("src/main.rs", "use shardcast::server::Server;"),
            (
                "src/hub/index.rs",
                "#[cfg(test)]\nmod tests { use crate::server::X; }",
            ),
            ("src/hub/x.rs", "#![cfg(test)]\nuse crate::server::X;"),
            ("tests/sim.rs", "use shardcast::server::X;"),
        ] {
            assert_eq!(broken(path, text), [], "{path}: {text}");
        }
    }

    #[test]
    fn going_up_or_sideways_is_caught_in_every_form() {
        for (path, text) in [
            ("src/hub/index.rs", "//! x\nuse crate::shard::Shard;"),
            ("src/hub/index.rs", "//! x\nuse crate::conn::Table;"),
            ("src/hub/index.rs", "//! x\nuse super::super::conn::Table;"),
            ("src/id.rs", "//! x\nuse super::hub::Hub;"),
            ("src/id.rs", "//! x\nuse crate::{hub::Hub};"),
            ("src/id.rs", "//! x\nuse super::app::App;"),
            ("src/mesh/ring.rs", "//! x\nfn f() { crate::net::listen() }"),
            (
                "src/mesh/ring.rs",
                "//! x\nfn f() { log!(\"{}\", crate::control::x()) }",
            ),
            (
                "src/pusher/app.rs",
                "//! x\nimpl crate::server::Run for App {}",
            ),
            ("src/crossing.rs", "//! x\npub(in crate::shard) struct S;"),
        ] {
            assert_eq!(broken(path, text), [("floors", 2)], "{path}: {text}");
        }
    }

    #[test]
    fn the_message_says_what_to_do() {
        let source = Source::parse("src/hub/index.rs", "use crate::shard::Shard;");
        let violations = check(&source.expect("the sample parses"), &HOUSE);
        assert_eq!(
            violations
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            [
                "src/hub/index.rs:1: [floors] `hub` (floor 2) names `crate::shard::Shard` \
                 (floor 7): a module names itself and lower floors; hand the value down as a \
                 parameter, or move the type to a floor below both"
            ]
        );
    }

    #[test]
    fn a_module_without_a_floor_and_a_detour_by_the_root_are_caught() {
        assert_eq!(
            broken("src/extra/mod.rs", "//! x\nfn f() {}"),
            [("floors", 1)]
        );
        assert_eq!(
            broken("src/hub/index.rs", "//! x\nuse crate::Server;"),
            [("floors", 2)]
        );
    }

    #[test]
    fn the_lower_floors_do_no_input_and_output() {
        for text in [
            "use glommio::timer::sleep;",
            "use tokio::sync::mpsc;",
            "use std::net::{IpAddr, TcpStream};",
            "use std::os::unix::net::UnixStream;",
            "use std::time::{Duration, Instant};",
            "use std::time::SystemTime as Now;",
            "use std::{time as t};\nfn f() { t::Instant::now(); }",
            "fn f() { std::env::var(\"X\"); }",
            "fn f() { assert!(std::fs::exists(\"X\")); }",
            "use rand::Rng;",
            "use socket2::Socket;",
        ] {
            for path in [
                "src/id.rs",
                "src/ws/codec.rs",
                "src/hub/home.rs",
                "src/crossing.rs",
            ] {
                let rules: Vec<_> = broken(path, text).iter().map(|(rule, _)| *rule).collect();
                assert_eq!(rules, ["sans-io"], "{path}: {text}");
            }
        }
        for row in HOUSE.sans_io {
            let text = format!("fn f() {{ {}::x(); }}", row.path);
            assert_eq!(broken("src/id.rs", &text), [("sans-io", 1)], "{text}");
        }
    }

    #[test]
    fn durations_addresses_and_bytes_are_no_input_or_output() {
        let text = "use std::time::Duration;\nuse std::net::{IpAddr, SocketAddr};\n\
                    use std::io::Cursor;\nuse bytes::Bytes;\nuse tungstenite::protocol::Message;\n\
                    fn f() { let randomly = environment::x(); }";
        assert_eq!(broken("src/ws/codec.rs", text), []);
    }

    #[test]
    fn each_runtime_stays_where_it_lives() {
        for (path, text) in [
            ("src/pusher/app.rs", "use glommio::spawn_local;"),
            ("src/server/run.rs", "use glommio::LocalExecutorBuilder;"),
            ("src/lib.rs", "pub use glommio;"),
            ("src/main.rs", "fn main() { tokio::spawn(x) }"),
            ("src/shard/turn.rs", "use tokio::time::sleep;"),
            ("src/net/listener.rs", "fn f() { std::env::var(\"X\"); }"),
        ] {
            assert_eq!(broken(path, text), [("confined", 1)], "{path}: {text}");
        }
        for (path, text) in [
            ("src/net/stream.rs", "use glommio::net::TcpStream;"),
            ("src/mesh/ring.rs", "use glommio::Latency;"),
            ("src/shard/turn.rs", "use glommio::yield_if_needed;"),
            ("src/control/bridge.rs", "use tokio::sync::Notify;"),
            ("src/server/config.rs", "use std::env;"),
            ("src/main.rs", "fn main() { std::env::args_os(); }"),
        ] {
            assert_eq!(broken(path, text), [], "{path}: {text}");
        }
    }
}
