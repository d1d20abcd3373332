//! R46: the port with the figures of the server, as somebody else finds it: where it listens, what
//! it tells without the token, and what can be done to it.

use crate::process::{Process, binary};
use crate::scene::{Scene, row};
use crate::support::http::{Http, request};
use crate::support::metrics::{get, get_with};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

const TOKEN: &str = "canary-token";

/// Where the threads of a process listen over IPv4, as the kernel writes it: `0100007F:1F90` is
/// 127.0.0.1:8080.
fn listeners(pid: u32) -> Vec<String> {
    const LISTENS: &str = "0A";
    let own: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|file| fs::read_link(file.unwrap().path()).ok())
        .filter_map(|target| {
            let target = target.to_str()?.strip_prefix("socket:[")?;
            Some(target.trim_end_matches(']').to_owned())
        })
        .collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    let lines = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|line| line[3] == LISTENS && own.iter().any(|inode| inode == line[9]))
        .map(|line| line[1].to_owned())
        .collect()
}

/// Nothing of it is for other machines, or on the port that is for clients.
fn expect_for_this_machine(scene: &Scene) {
    let admin = scene.server.admin.unwrap();
    let all = listeners(scene.server.pid());
    let of_admin = format!("0100007F:{:04X}", admin.port());
    assert_eq!(
        all.iter().filter(|it| **it == of_admin).count(),
        1,
        "{all:?}"
    );
    assert!(all.iter().all(|it| it.starts_with("0100007F:")), "{all:?}");
    let other = SocketAddr::new([127, 0, 0, 2].into(), admin.port());
    assert!(
        TcpStream::connect(other).is_err(),
        "another address of this machine has it too"
    );
    for path in ["/metrics", "/usage", "/dashboard", "/log-level"] {
        assert_eq!(get(scene.address(), path).status, 404, "{path}");
        let page = get(admin, path);
        assert!(!page.text().contains("app-secret"), "{path} tells a secret");
    }
}

/// Elsewhere it wants a token, and then it wants it of everybody.
fn expect_token() {
    let flags = ["--shards=1", "--admin-port=0", "--admin-host=0.0.0.0"];
    let mut command = Command::new("timeout");
    command
        .arg("20")
        .arg(binary())
        .args(["start", "--port", "0"])
        .args(flags);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("admin_token"), "{said}");
    let mut command = Command::new(binary());
    command.env("SHARDCAST_ADMIN_TOKEN", TOKEN);
    let open = Process::start_as(command, &flags);
    let admin = open.admin.unwrap();
    for path in ["/metrics", "/usage"] {
        for field in [
            "X: y",
            "Authorization: Bearer",
            "Authorization: Bearer canary-toke",
            "Authorization: Bearer canary-token2",
            "Authorization: Basic canary-token",
        ] {
            let answer = get_with(admin, path, &[field]);
            assert_eq!(answer.status, 401, "{path} with {field}");
            assert!(!answer.text().contains("canary"), "{}", answer.text());
        }
        let good = get_with(admin, path, &[&format!("Authorization: Bearer {TOKEN}")]);
        assert_eq!(good.status, 200);
        assert!(!good.text().contains("canary"));
    }
    let (status, log) = open.stop();
    assert!(
        status.success() && !log.contains("canary"),
        "{status}: {log}"
    );
}

#[test]
fn r46_the_figures_are_for_this_machine_or_for_who_has_the_token() {
    /// More than it serves at a time, and as many as its backlog has room for.
    const SILENT: usize = 100;
    row("r46").run(|scene| {
        expect_for_this_machine(scene);
        expect_token();
        // Who takes all of its connections, or asks for what is not there, harms nobody else.
        let admin = scene.server.admin.unwrap();
        let silent: Vec<TcpStream> = (0..SILENT)
            .map(|_| TcpStream::connect(admin).expect("the backlog has room"))
            .collect();
        for number in 0..SILENT {
            scene.client().expect_quiet();
            let path = format!("/{number}?{}", "x".repeat(number * 30));
            Http::connect(scene.address()).send(request("GET", &path, &[], b""));
        }
        drop(silent);
        assert_eq!(get(admin, "/live").status, 200);
    });
}
